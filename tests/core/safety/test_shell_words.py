import shlex
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from code_core.safety.shell_words import is_shell, plain_commands, script_of, split_plain


@pytest.mark.parametrize(
    ("script", "commands"),
    [
        ("ls -l src", [["ls", "-l", "src"]]),
        ("a && b || c; d | e", [["a"], ["b"], ["c"], ["d"], ["e"]]),
        ("a\n\nb\n", [["a"], ["b"]]),
        ("a;", [["a"]]),
        ("""grep 'a b' "c;d"e'f'""", [["grep", "a b", "c;def"]]),
        ("echo ''", [["echo", ""]]),
        ("a --b=c", [["a", "--b=c"]]),
        ("", []),
    ],
)
def test_plain_scripts(script: str, commands: list[list[str]]) -> None:
    assert split_plain(script) == tuple(map(tuple, commands))


@pytest.mark.parametrize(
    "script",
    [
        *("ls $HOME", "ls `pwd`", "ls $(pwd)", 'echo "$x"', 'echo "`x`"', 'echo "a\\b"', "echo a\\ b"),
        *("cat < a", "cat > a", "cat <<E\nE", "cat a 2>&1", "ls &", "a & b", "a |& b", "a;; b"),
        *("(ls)", "{ ls; }", "! ls", "if ls", "X=1 ls", "X=1", "a= ls", "a[0]=1"),
        *(
            "ls *",
            "ls ?",
            "ls [a]",
            "ls ~",
            "ls {a,b}",
            "ls # c",
            "a'b",
            'a"b',
            "a && ",
            "&& a",
            "a | ; b",
            "; a",
        ),
        *("a \0", "a '\0'", "a \x07", "é", "time ls", "'' x", "a\rb", "a !x", "a ^b^"),
    ],
)
def test_scripts_that_are_not_plain_are_undecided(script: str) -> None:
    assert split_plain(script) is None


def test_a_shell_is_split_into_its_script_and_another_program_is_itself() -> None:
    assert plain_commands(["/bin/bash", "-lc", "a; b"]) == (("a",), ("b",))
    assert plain_commands(["a", "b; c"]) == (("a", "b; c"),)
    assert plain_commands(["bash", "-c", "a", "b"]) == (("bash", "-c", "a", "b"),)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("bash", True),
        ("/bin/sh", True),
        ("ls", False),
        ("/bin/ls", False),
        ("/tmp/bash", False),
        ("./sh", False),
    ],
)
def test_shells(name: str, expected: bool) -> None:
    assert is_shell(name) is expected


def test_the_script_of_a_shell() -> None:
    assert [script_of(["sh", option, "a"]) for option in ("-c", "-lc", "-cl", "-x")] == ["a", "a", "a", None]


@settings(deadline=None, max_examples=60)
@given(st.text(st.sampled_from("ab-=/.,:@%+ '\"\t\\$`!~*{}#^"), max_size=12))
def test_bash_reads_the_same_words(arguments: str) -> None:
    """Whatever is split is split as bash does it."""
    commands = split_plain(f"printf '%s\\0' -- {arguments}")
    if commands is None:
        commands = split_plain(f"echo {arguments}")
    if commands is None or len(commands) != 1 or commands[0][0] != "echo":
        return
    script = f"printf '%s\\n' -- {arguments}"
    printed = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout
    assert printed.splitlines() == ["--", *commands[0][1:]]


@given(st.lists(st.text(st.characters(exclude_characters="\0!", codec="utf-8"), min_size=1), min_size=2))
def test_quoted_words_are_split_back_into_the_same_words(words: list[str]) -> None:
    script = " ".join(["echo", *(shlex.quote(word) for word in words)])
    commands = split_plain(script)
    assert commands in {None, (("echo", *words),)}
