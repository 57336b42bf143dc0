import pytest

from code_core.view.parsed_command import MOST_CHARACTERS, parsed_command


def steps(*argv: str) -> list[dict[str, str]]:
    found = [step.model_dump(exclude_none=True) for step in parsed_command(argv)]
    for step in found:
        del step["cmd"]
    return found


def script(text: str) -> list[dict[str, str]]:
    return steps("bash", "-lc", text)


@pytest.mark.parametrize(
    ("argv", "step"),
    [
        (["cat", "src/main.py"], {"type": "read", "name": "main.py", "path": "src/main.py"}),
        (["/bin/cat", "a"], {"type": "read", "name": "a", "path": "a"}),
        (["head", "-n", "20", "a/b.txt"], {"type": "read", "name": "b.txt", "path": "a/b.txt"}),
        (["sed", "-n", "1,20p", "x.rs"], {"type": "read", "name": "x.rs", "path": "x.rs"}),
        (["cat", "--", "-n"], {"type": "read", "name": "-n", "path": "-n"}),
        (["ls"], {"type": "list_files"}),
        (["ls", "-la", "src"], {"type": "list_files", "path": "src"}),
        (["rg", "--files", "src"], {"type": "list_files", "path": "src"}),
        (["git", "ls-files"], {"type": "list_files"}),
        (["rg", "-n", "needle"], {"type": "search", "query": "needle"}),
        (["grep", "-A", "3", "-r", "needle", "src"], {"type": "search", "query": "needle", "path": "src"}),
        (["grep", "needle", "a", "b"], {"type": "search", "query": "needle"}),
        (["git", "grep", "needle"], {"type": "search", "query": "needle"}),
    ],
)
def test_what_a_command_does(argv: list[str], step: dict[str, str]) -> None:
    assert steps(*argv) == [step]


@pytest.mark.parametrize(
    "argv",
    [
        ["make"],
        ["cat", "a", "b"],
        ["cat"],
        ["sed", "-i", "1,20p", "x"],
        ["sed", "-n", "1w out", "x"],
        ["rg"],
        ["git", "commit"],
        ["bash", "-lc", "cat a > b"],
        ["bash", "-lc", "cat a && rm a"],
        ["cat", "x" * MOST_CHARACTERS],
    ],
)
def test_what_leaves_a_doubt_is_unknown(argv: list[str]) -> None:
    assert steps(*argv) == [{"type": "unknown"}]


def test_a_script_is_its_steps_without_those_that_change_nothing() -> None:
    assert script("cd src && cat a.py | head -n 5 && rg x | sort | wc -l") == [
        {"type": "read", "name": "a.py", "path": "a.py"},
        {"type": "search", "query": "x"},
    ]
    assert script("cat a | head -n 3 b") == [
        {"type": "read", "name": "a", "path": "a"},
        {"type": "read", "name": "b", "path": "b"},
    ]


def test_an_unknown_script_is_shown_whole() -> None:
    (step,) = parsed_command(["bash", "-lc", "make && ls"])
    assert step.cmd == "make && ls"
    (step,) = parsed_command(["python", "a b.py"])
    assert step.cmd == "python 'a b.py'"
