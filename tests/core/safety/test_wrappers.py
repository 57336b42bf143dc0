"""The commands that wrappers run."""

import pytest

from code_core.safety.wrappers import MOST_STARTS, wrapped


def _begins(word: str) -> bool:
    return not word.startswith("-") and "=" not in word


@pytest.mark.parametrize(
    ("command", "commands"),
    [
        ("sudo -u x git push", ["git push"]),
        ("sudo -nu x -- git push", ["git push"]),
        ("nohup git push", ["git push"]),
        ("timeout -k 1 5 git push", ["git push"]),
        ("timeout 5", [""]),
        ("env -u X A=1 git push", ["A=1 git push"]),
        ("sudo --unknown x git", ["x git", "git"]),
        ("strace -o f git -x", ["f git -x", "git -x"]),
        ("unknown A=1 git", ["git"]),
        ("command -v git", ["git"]),
        ("chronic -e git", ["git"]),
        ("setsid -w git", ["git"]),
        ("builtin --help cd", ["cd"]),
    ],
)
def test_the_commands_of_a_wrapper(command: str, commands: list[str]) -> None:
    name, *arguments = command.split()
    assert [" ".join(one) for one in wrapped(name, arguments, _begins)] == commands


def test_only_some_positions_are_tried() -> None:
    found = list(wrapped("strace", ["x"] * 20, _begins))
    assert [len(one) for one in found] == list(range(20, 20 - MOST_STARTS, -1))
