import re
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from code_core.safety.known_safe import Reading, reading
from code_core.safety.shell_words import plain_commands, script_of


def is_known_safe(argv: Sequence[str]) -> bool:
    """Whether it only reads, if need be confined."""
    return reading(plain_commands(argv)) > Reading.NO


SAFE = [
    *(
        "cat a b",
        "cd x",
        "echo -n hi",
        "false",
        "grep -rn x .",
        "head -5 a",
        "ls -la",
        "nl a",
        "pwd",
        "tail -n 3 a",
    ),
    *("true", "wc -l a", "which ls", "find . -name x", "rg -n x src", "git status", "git status --short"),
    *(
        "git log --oneline -5",
        "git diff --cached --stat",
        "git show HEAD",
        "git diff -- a",
        "git branch --show-current",
    ),
    *("git branch", "sed -n 3p a", "sed -n 1,20p a", "sed -n 5p", "ls | wc -l", "cd a && ls; pwd || true"),
    *("git log --since=yesterday --format=%H", "grep 'a|b' x"),
]
UNSAFE = [
    *(
        "rm a",
        "./ls",
        "/x/ls",
        "cp a b",
        "python x",
        "ls > a",
        "ls $(x)",
        "X=1 ls",
        "ls; rm a",
        "ls &",
        "cat a | sh",
    ),
    *("find . -delete", "find . -exec rm {} +", "find . -fprintf a b", "find . -ok x", "find -files0-from x"),
    *("rg --pre x y", "rg --pre=x y", "rg -z x", "rg -nz x", "rg --search-zip x", "rg --hostname-bin=x y"),
    *(
        "git commit",
        "git -C /x status",
        "git -c a=b log",
        "git --git-dir=x log",
        "git -p log",
        "git log --output=x",
    ),
    *(
        "git log --outpu=x",
        "git diff --ext-diff",
        "git show --textconv",
        "git diff --no-index a b",
        "git log --format=%G?",
    ),
    *(
        "git log --pretty=%GK",
        "git branch x",
        "git branch -d x",
        "git branch --list x",
        "git log --show-signature",
    ),
    *(
        "git diff -O/x",
        "git log -o",
        "sed 3p a",
        "sed -n 3p a b",
        "sed -n 3p -i",
        "sed -n '3w x'",
        "sed -n 1~2p a",
    ),
    *(
        "sed -n 3p --in-place",
        "sort a",
        "env ls",
        "time ls",
        "bash ls",
        "cargo check",
        "awk 1 a",
        "tee a",
        "xargs ls",
    ),
]


@pytest.mark.parametrize("script", SAFE)
def test_read_only_commands(script: str) -> None:
    assert is_known_safe(["bash", "-lc", script])


@pytest.mark.parametrize("script", UNSAFE)
def test_commands_that_may_do_more_than_read(script: str) -> None:
    assert not is_known_safe(["bash", "-lc", script])


@pytest.mark.parametrize(
    ("argv", "safe"),
    [
        (["ls", "; rm -rf ."], True),
        (["ls", "$(x)"], True),
        ([], False),
        (["bash"], False),
        (["bash", "-c", ""], False),
        (["bash", "-ic", "ls"], False),
        (["bash", "-c", "ls", "x"], False),
        (["/bin/ls"], False),
        ([""], False),
        (["sed", "-n", "1,3p", "a b"], True),
        (["git", "log", "--grep=a\nb"], True),
        (["git", "log", "--format=a\n%G?"], False),
        (["git", "log", "-٣"], False),
    ],
)
def test_argument_vectors(argv: list[str], safe: bool) -> None:
    assert is_known_safe(argv) is safe


META = [
    "$(x)",
    "`x`",
    "> a",
    ">> a",
    "< a",
    "<< E\nx\nE",
    "<<< x",
    "&",
    "2>&1",
    "|& x",
    "<(x)",
    "$x",
    "${x}",
    "*",
    "(",
    "{",
]


@given(
    st.sampled_from(SAFE), st.sampled_from(META), st.sampled_from(["{0} {1}", "{0}{1}", "{1} {0}", "{0};{1}"])
)
def test_scripts_with_shell_grammar_are_not_safe(safe: str, meta: str, form: str) -> None:
    assert not is_known_safe(["bash", "-c", form.format(safe, meta)])


@given(
    st.sampled_from(SAFE),
    st.sampled_from(UNSAFE),
    st.sampled_from([" && ", " || ", "; ", " | ", "\n"]),
    st.booleans(),
)
def test_one_unsafe_command_spoils_a_script(safe: str, unsafe: str, joint: str, first: bool) -> None:
    parts = [unsafe, safe] if first else [safe, unsafe]
    assert not is_known_safe(["bash", "-c", joint.join(parts)])


@given(st.sampled_from(SAFE), st.sampled_from(["A=1 ", "LD_PRELOAD=x ", "PATH=. "]))
def test_no_environment_before_a_command_is_safe(safe: str, prefix: str) -> None:
    assert not is_known_safe(["bash", "-c", prefix + safe])


@given(st.text(st.sampled_from("ls cat git;&|<>()$`'\"\\\n{}[]*?~#!=-/^%+."), max_size=30))
def test_a_safe_script_runs_only_programs_that_read(script: str) -> None:
    """Noise that happens to be safe has none of the characters that begin an expansion or a redirection."""
    if is_known_safe(["bash", "-c", script]):
        bare = re.sub(r"'[^']*'|\"[^\"$`\\]*\"", "", script)
        assert not set(bare) & set("<>()$`\\{}[]*?~#!^")


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("git status", Reading.WHEN_CONFINED),
        ("git log | head", Reading.WHEN_CONFINED),
        ("cd x && git diff", Reading.WHEN_CONFINED),
        ("git commit", Reading.NO),
        ("ls | head", Reading.ALWAYS),
        ("rg x", Reading.ALWAYS),
    ],
)
def test_git_reads_only_when_confined_because_it_runs_what_a_repository_names(
    script: str, expected: Reading
) -> None:
    assert reading(plain_commands(["bash", "-lc", script])) is expected


@pytest.mark.parametrize(
    "shell", ["./bash", "/tmp/x/bash", "x/sh", "/usr/bin/../../tmp/bash", "bash ", "/bash"]
)
def test_a_shell_is_a_bare_name_or_a_program_of_the_system(shell: str) -> None:
    assert reading(plain_commands([shell, "-lc", "ls"])) is Reading.NO
    assert script_of([shell, "-lc", "ls"]) is None


@pytest.mark.parametrize(
    "shell", ["bash", "/bin/sh", "/usr/bin/zsh", "/usr/local/bin/bash", "/opt/homebrew/bin/bash"]
)
def test_shells_of_the_system(shell: str) -> None:
    assert script_of([shell, "-lc", "ls"]) == "ls"
