import json
import shlex
from collections.abc import Iterable
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from code_core.safety.confirm_guard import UserGuard, confirm_advice, guard_of, strip_confirm
from code_core.safety.script import TooComplexError
from code_core.safety.statements import statements

GUARDED = [
    *(
        "rm -rf x",
        "rm -fr x",
        "rm -r x",
        "rm -f x",
        "rm -R x",
        "rm --recursive x",
        "rm --rec x",
        "rm -v -rf x",
        "/bin/rm -rf x",
    ),
    *(
        "rm x -rf",
        "trash -rf x",
        "find src -delete",
        "find . -exec rm {} +",
        "find . -execdir /bin/rm {} +",
        "fd -x rm",
    ),
    *(
        "fd x -X rm",
        "xargs rm",
        "xargs -0 rm",
        "git reset",
        "git reset --hard HEAD~1",
        "git checkout .",
        "git checkout -- a",
    ),
    *(
        "git checkout main",
        "git checkout -",
        "git switch main",
        "git restore .",
        "git revert HEAD",
        "git clean -fd",
    ),
    *(
        "git clean --force",
        "git push --force",
        "git push -f",
        "git push --force-with-lease",
        "git push origin +main",
    ),
    *(
        "git push origin :main",
        "git push --mirror",
        "git push --delete origin x",
        "git branch -D x",
        "git branch -df x",
    ),
    *(
        "git branch --delete --force x",
        "git -C x reset --hard",
        "git -c a=b --no-pager checkout .",
        "git stash drop",
        "git stash clear",
    ),
    *(
        "git checkout -b x -f",
        "git checkout -fb x",
        "git switch -c x --discard-changes",
        "git checkout-index -fa",
    ),
    *(
        "git clean -fdx -enode_modules",
        "git -c clean.requireForce=false clean -d",
        "git --attr-source x reset",
    ),
    *("git rm -rf .", "git rm --force x", "git read-tree -u --reset HEAD", "git worktree remove -f x"),
    *("git -c alias.x='reset --hard' x", "git submodule foreach --recursive git reset --hard"),
    *(
        "find . -exec sh -c 'rm \"$1\"' _ {} +",
        "xargs sh -c 'rm \"$@\"' _",
        "find . -exec cat {} + -exec rm {} +",
    ),
    *(
        "git update-ref -d refs/heads/x",
        "git update-ref -m why -d refs/heads/x",
        "git update-ref --stdin",
        "git reflog expire --expire=now --all",
        "git reflog delete HEAD@{1}",
        "git prune",
        "git prune --expire now",
        "git gc --prune=now",
        "git gc --aggressive --prune=all",
    ),
    *(
        "git filter-branch --tree-filter 'true'",
        "git filter-repo --path x",
        "git tag -d v1",
        "git tag --delete v1",
        "git tag -f v1",
        "git tag -fm why v1",
    ),
    *(
        "rsync -a --delete a/ b/",
        "rsync -a --del a/ b",
        "rsync --delete-excluded a b",
        "rsync --remove-source-files a b",
        "sudo rsync -e ssh --delete-after a b:",
        "rsync --delete -e nc a b",
    ),
    *("grm -rf x", "gfind . -delete", "gxargs rm", "find . -exec grep -q x {} ';' -exec rm {} ';'"),
]
FREE = [
    *(
        "rm x",
        "ls -rf",
        "find src -name x",
        "find . -exec cat {} +",
        "fd x",
        "git status",
        "git checkout -b x",
    ),
    *(
        "git switch -c x",
        "git switch --create x",
        "git clean -n",
        "git clean -nfd",
        "git push",
        "git push -u origin x",
    ),
    *(
        "git branch",
        "git branch x",
        "git stash",
        "git commit -m 'rm -rf x'",
        "rm -- -rf",
        "git log",
        "git",
        "rmdir x",
        "git -C x",
    ),
    *(
        "git checkout -q -b x",
        "git checkout --orphan x",
        "git switch -qc x",
        "git restore --staged x",
        "git rm --cached x",
    ),
    *(
        "git update-ref refs/heads/x HEAD",
        "git update-ref -m d refs/heads/x HEAD",
        "git reflog",
        "git reflog show",
        "git reflog expire -n --all",
        "git reflog expire --dry-run",
        "git prune -n",
        "git gc",
        "git gc --prune=never",
        "git gc --prune",
    ),
    *(
        "git tag",
        "git tag v1",
        "git tag -am 'd and f' v1",
        "git tag -l",
        "rsync -a a/ b/",
        "rsync -an --delete a b",
        "rsync --dry-run --delete a b",
    ),
    *(
        "git branch -uorigin/dev",
        "git push -omerge_request.draft",
        "find . -name rm",
        "xargs grep rm",
        "xargs -n1 echo rm",
    ),
    *(
        "find . -exec grep -l rm {} +",
        "find . -exec cat rm {} ';'",
        "git branch -d x",
        "git branch --delete x",
    ),
]


def guard(*argv: str, user: list[UserGuard] | None = None) -> str | None:
    return guard_of(argv, statements(argv), user or [])


@pytest.mark.parametrize("command", GUARDED)
def test_guarded_commands(command: str) -> None:
    assert guard(*shlex.split(command)) is not None
    assert guard("bash", "-lc", command) is not None


@pytest.mark.parametrize("command", FREE)
def test_unguarded_commands(command: str) -> None:
    assert guard(*shlex.split(command)) is None
    assert guard("bash", "-lc", command) is None


def nested(script: str) -> str:
    return f"bash -c {shlex.quote(script)}"


WRAPPINGS = st.sampled_from(
    [
        *(
            "true && {}",
            "{} && true",
            "false || {}",
            "true; {}",
            "true\n{}\ntrue",
            "true | {}",
            "{} | cat",
            "({})",
            "(\n{}\n)",
        ),
        *(
            "{{ {}; }}",
            "echo $({})",
            'echo "$({})"',
            "X=1; {}",
            "NESTED",
            "eval QUOTED",
            "sudo NESTED",
            "echo QUOTED | sh",
        ),
        *(
            "if {}; then true; fi",
            "for x in a; do {}; done",
            "! {}",
            "echo 'x' \"y\" && {}",
            "cat <<E\n'\nE\n{}",
            "true & {}",
        ),
    ]
)


@settings(deadline=None)
@given(st.sampled_from(GUARDED), st.lists(WRAPPINGS, max_size=6))
def test_no_wrapping_gets_past_the_guard(command: str, wrappings: list[str]) -> None:
    script = command
    for wrapping in wrappings:
        match wrapping:
            case "NESTED" | "sudo NESTED":
                script = wrapping.replace("NESTED", nested(script))
            case _ if "QUOTED" in wrapping:
                script = wrapping.replace("QUOTED", shlex.quote(script))
            case _:
                script = wrapping.format(script)
    with suppress(TooComplexError):  # then the command is rejected
        assert guard("bash", "-lc", script) is not None


class Word:
    def __init__(self, word: str) -> None:
        self._word = word

    def matches(self, texts: Iterable[str]) -> bool:
        return any(text.startswith(self._word) for text in texts)


def test_the_users_patterns_see_every_command_and_the_whole() -> None:
    user = [UserGuard(Word("deploy prod"), "are you sure about prod?")]
    for argv in (["deploy", "prod"], ["bash", "-c", "ls && 'deploy' prod"], ["sudo", "deploy", "prod"]):
        assert guard(*argv, user=user) == "are you sure about prod?"
    assert guard("deploy", "test", user=user) is None


@pytest.mark.parametrize(
    ("argv", "stripped"),
    [
        (["confirm:", "rm", "-rf", "x"], ["rm", "-rf", "x"]),
        (["confirm:rm", "-rf", "x"], ["rm", "-rf", "x"]),
        (["confirm: rm", "-rf"], ["rm", "-rf"]),
        (["bash", "-lc", "confirm: rm -rf x"], ["bash", "-lc", "rm -rf x"]),
        (["bash", "-lc", "  confirm:rm"], ["bash", "-lc", "rm"]),
        (["confirm:"], []),
    ],
)
def test_confirm_is_stripped(argv: list[str], stripped: list[str]) -> None:
    assert strip_confirm(argv) == (stripped, True)


def test_confirm_in_another_position_is_an_ordinary_word() -> None:
    for argv in (["echo", "confirm:"], ["bash", "-c", "ls; confirm: rm"]):
        assert strip_confirm(argv) == (argv, False)


@given(st.sampled_from(GUARDED), st.booleans())
def test_the_command_from_the_advice_is_accepted(command: str, script: bool) -> None:
    argv = ["bash", "-lc", command] if script else shlex.split(command)
    advice = confirm_advice(argv, "x")
    assert strip_confirm(json.loads(advice[advice.rindex(": [") + 2 :])) == (argv, True)
