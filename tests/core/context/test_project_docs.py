"""AGENTS.md of a checkout that may be hostile."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from code_core.config.guards import load_guards
from code_core.config.load import project_of
from code_core.config.schema.commands import ConfirmGuardTable
from code_core.context.project_docs import project_docs, user_instructions
from support.repository import make_repository

STRANGER = 61_234
LIMIT = 32_768

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to another user")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_text("SECRET = 1\n")
    return make_repository(tmp_path / "repository")


def link_out(file: Path) -> None:
    file.symlink_to("../secret" if file.parent.name == "repository" else "../../../secret")


def absolute_link_out(file: Path) -> None:
    file.symlink_to(next(folder for folder in file.parents if (folder / "secret").exists()) / "secret")


def link_to_device(file: Path) -> None:
    file.symlink_to("/dev/zero")


def link_to_proc(file: Path) -> None:
    file.symlink_to("/proc/self/environ")


def fifo(file: Path) -> None:
    os.mkfifo(file)


def loop(file: Path) -> None:
    file.symlink_to(file.name)


def directory(file: Path) -> None:
    file.mkdir()


def sparse(file: Path) -> None:
    with file.open("wb") as opened:
        opened.truncate(2**40)


def sparse_below_the_limit(file: Path) -> None:
    with file.open("wb") as opened:
        opened.truncate(2**20)


def unreadable_link_chain(file: Path) -> None:
    for number in range(20):
        (file.parent / f"{number}.md").symlink_to(f"{number + 1}.md")
    (file.parent / "20.md").write_text("far")
    file.symlink_to("0.md")


def of_another_user(file: Path) -> None:
    file.write_text("SECRET = 1\n")
    os.chown(file, STRANGER, STRANGER)


def link_to_a_file_of_another_user(file: Path) -> None:
    of_another_user(file.parent / "other.md")
    file.symlink_to("other.md")


def in_a_directory_of_another_user(file: Path) -> None:
    folder = file.parent / "theirs"
    folder.mkdir()
    (folder / "x.md").write_text("SECRET = 1\n")
    os.chown(folder, STRANGER, STRANGER)
    file.symlink_to("theirs/x.md")


def device(file: Path) -> None:
    os.mknod(file, 0o600 | 0o020000, os.makedev(1, 5))  # /dev/zero


ATTACKS = [
    *(link_out, absolute_link_out, link_to_device, link_to_proc, fifo, loop, directory, sparse),
    *(sparse_below_the_limit, unreadable_link_chain),
    *(
        pytest.param(attack, marks=as_root)
        for attack in (
            of_another_user,
            link_to_a_file_of_another_user,
            in_a_directory_of_another_user,
            device,
        )
    ),
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_file_that_does_not_belong_to_the_checkout_is_a_warning_and_not_read(
    repository: Path, attack: Callable[[Path], None]
) -> None:
    attack(repository / "AGENTS.md")
    started = time.perf_counter()
    docs = project_docs(repository, LIMIT)
    assert docs.text == ""
    [warning] = docs.warnings
    assert str(repository / "AGENTS.md") in warning
    assert time.perf_counter() - started < 2


@pytest.mark.parametrize("attack", ATTACKS)
def test_rules_files_are_checked_the_same_way(repository: Path, attack: Callable[[Path], None]) -> None:
    rules = repository / ".code" / "rules"
    rules.mkdir(parents=True)
    attack(rules / "x.toml")
    guards = load_guards(ConfirmGuardTable(), repository.parent, project_of(repository))
    assert guards.rules == ()
    [warning] = guards.warnings
    assert str(rules / "x.toml") in warning


def test_rules_that_belong_to_the_project_are_read(repository: Path) -> None:
    rules = repository / ".code" / "rules"
    rules.mkdir(parents=True)
    (rules / "x.toml").write_text('[[rule]]\npattern = ["make"]\ndecision = "forbidden"\n')
    guards = load_guards(ConfirmGuardTable(), repository.parent, project_of(repository))
    assert (len(guards.rules), guards.warnings) == (1, ())


def test_a_rules_directory_that_is_a_link_out_is_a_warning(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "x.toml").write_text('[[rule]]\npattern = ["make"]\ndecision = "forbidden"\n')
    (repository / ".code").mkdir()
    (repository / ".code" / "rules").symlink_to(tmp_path / "elsewhere")
    guards = load_guards(ConfirmGuardTable(), tmp_path, project_of(repository))
    assert guards.rules == ()
    assert len(guards.warnings) == 1


@pytest.mark.parametrize("target", ["docs/agents.md", "./docs/../docs/agents.md", "ROOT/docs/agents.md"])
def test_a_link_that_stays_in_the_repository_is_followed(repository: Path, target: str) -> None:
    (repository / "docs").mkdir()
    (repository / "docs" / "agents.md").write_text("inside\n")
    (repository / "AGENTS.md").symlink_to(target.replace("ROOT", str(repository)))
    assert project_docs(repository, LIMIT).text == "inside"


def test_a_file_between_the_root_and_the_directory_is_read(repository: Path) -> None:
    (repository / "a" / "b").mkdir(parents=True)
    (repository / "AGENTS.md").write_text("top\n")
    (repository / "a" / "AGENTS.md").write_text("middle\n")
    docs = project_docs(repository / "a" / "b", LIMIT)
    assert (docs.text, docs.warnings) == ("top\n\nmiddle", ())


def test_an_invalid_git_directory_does_not_make_a_parent_count(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "AGENTS.md").write_text("planted\n")
    (tmp_path / "work").mkdir()
    assert project_docs(tmp_path / "work", LIMIT).text == ""


@as_root
def test_a_working_directory_of_another_user_is_a_warning(tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    (work / "AGENTS.md").write_text("planted\n")
    assert project_docs(work, LIMIT).text == "planted"
    os.chown(work, STRANGER, STRANGER)
    docs = project_docs(work, LIMIT)
    assert docs.text == ""
    assert "belongs to another user" in docs.warnings[0]


def test_nothing_is_read_from_the_kernel() -> None:
    docs = project_docs(Path("/proc/self"), LIMIT)
    assert docs.text == ""


def test_names_in_warnings_cannot_control_a_terminal(tmp_path: Path) -> None:
    work = tmp_path / "a\x1b]0;owned\x07\nb"
    work.mkdir()
    os.mkfifo(work / "AGENTS.md")
    [warning] = project_docs(work, LIMIT).warnings
    assert warning.isprintable()


def test_a_document_that_is_too_long_is_cut_with_a_warning(repository: Path) -> None:
    (repository / "AGENTS.md").write_text("x" * 100)
    docs = project_docs(repository, 10)
    assert docs.text == "x" * 10
    assert "the first 10 bytes of its 100 bytes" in docs.warnings[0]


def test_the_user_s_own_file_may_be_a_link_to_anywhere(tmp_path: Path) -> None:
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    work.mkdir()
    (tmp_path / "dotfiles.md").write_text("mine\n")
    (home / "AGENTS.md").symlink_to(tmp_path / "dotfiles.md")
    instructions = user_instructions(home, None, work, LIMIT)
    assert "mine" in str(instructions.message)
    (home / "AGENTS.md").unlink()
    os.mkfifo(home / "AGENTS.md")
    assert user_instructions(home, None, work, LIMIT).message is None
