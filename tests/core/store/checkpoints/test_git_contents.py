"""Which files need no copy because git has them, and which do."""

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from code_core.store.checkpoints import Checkpoints, Left, git_contents
from code_core.store.checkpoints import workspace as workspace_module
from core.store.checkpoints.test_checkpoints import state

pytestmark = pytest.mark.skipif(shutil.which("git", path=os.defpath) is None, reason="needs git")


def git(directory: Path, *arguments: str) -> None:
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "protocol.file.allow=always"]
    subprocess.run(["git", *who, *arguments], cwd=directory, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(workspace_module, "_WORTH_GIT", 0)
    root = tmp_path / "work"
    (root / "sub").mkdir(parents=True)
    (root / "a.txt").write_text("a\n")
    (root / "sub" / "tool.sh").write_text("#!/bin/sh\n")
    (root / "sub" / "tool.sh").chmod(0o755)
    (root / "dos.txt").write_bytes(b"one\r\ntwo\r\n")
    (root / ".gitattributes").write_text("*.txt text\n*.x filter=x\n*.id ident\n")
    (root / "f.x").write_text("filtered\n")
    (root / "f.id").write_text("no mark\n")
    git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "first")
    (root / "untracked").write_text("untracked\n")
    time.sleep(0.06)
    return root


def names(root: Path) -> set[str]:
    return {os.path.relpath(path, root) for path in git_contents.clean_files(str(root))}


def copied(tmp_path: Path) -> bytes:
    path = tmp_path / "checkpoints" / "contents"
    return path.read_bytes() if path.exists() else b""


def test_files_that_git_has_are_not_copied_and_come_back(repository: Path, tmp_path: Path) -> None:
    before = state(repository)
    checkpoints = Checkpoints(tmp_path / "checkpoints", [repository])
    checkpoints.begin_turn("t")
    checkpoints.before_command()
    for saved in (b"untracked\n", b"one\r\ntwo\r\n", b"filtered\n", b"no mark\n"):
        assert saved in copied(tmp_path)
    for not_saved in (b"a\n", b"#!/bin/sh\n"):
        assert not_saved not in copied(tmp_path).replace(b"untracked\n", b"").splitlines(keepends=True)
    for path in repository.rglob("*"):
        if path.is_file() and ".git/" not in str(path):
            path.write_bytes(b"after")
    assert len(checkpoints.end_turn()) == 7
    (repository / ".git").rename(tmp_path / "git")  # what was changed is copied
    outcome = Checkpoints(tmp_path / "checkpoints", [repository]).undo()
    assert outcome is not None
    assert outcome.left == ()
    (tmp_path / "git").rename(repository / ".git")
    assert state(repository) == before


def test_a_file_that_was_only_touched_did_not_change(repository: Path, tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path / "checkpoints", [repository])
    checkpoints.begin_turn("t")
    checkpoints.before_command()
    os.utime(repository / "a.txt")
    assert checkpoints.end_turn() == ()


def test_a_patch_of_a_file_that_git_has_is_undone(repository: Path, tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path / "checkpoints", [repository])
    checkpoints.begin_turn("t")
    checkpoints.before_command()
    checkpoints.before_write([repository / "a.txt"])
    (repository / "a.txt").write_text("after")
    (repository / "sub" / "tool.sh").write_text("by a command")
    checkpoints.before_write([repository / "sub" / "tool.sh"])
    checkpoints.end_turn()
    checkpoints.undo()
    assert (repository / "a.txt").read_text() == "a\n"
    assert (repository / "sub" / "tool.sh").read_text() == "#!/bin/sh\n"


def test_an_object_that_git_lost_is_named(repository: Path, tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path / "checkpoints", [repository])
    checkpoints.begin_turn("t")
    checkpoints.before_command()
    (repository / "a.txt").write_text("after")
    for path in (repository / ".git" / "objects").rglob("*"):
        if path.is_file():
            path.chmod(0o600)
            path.write_bytes(b"damaged")
    checkpoints.end_turn()
    outcome = checkpoints.undo()
    assert outcome is not None
    assert outcome.left == (Left(str(repository / "a.txt"), "it was not saved"),)


def test_files_that_git_converts_or_ignores_are_not_read_from_it(repository: Path) -> None:
    assert names(repository) == {"a.txt", "dos.txt", "sub/tool.sh", ".gitattributes"}
    (repository / "dos.txt").write_bytes(b"one\ntwo\n")
    (repository / "a.txt").write_text("b\n")
    git(repository, "update-index", "--assume-unchanged", "a.txt")
    git(repository, "update-index", "--skip-worktree", "sub/tool.sh")
    assert names(repository) == {".gitattributes"}


def test_programs_named_by_a_repository_are_not_run(repository: Path, tmp_path: Path) -> None:
    hook = tmp_path / "hook"
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\ncat\n")
    hook.chmod(0o755)
    for name in ("core.fsmonitor", "filter.x.clean", "filter.x.smudge", "filter.x.process", "core.pager"):
        git(repository, "config", name, str(hook))
    git(repository, "config", "alias.ls-files", f"!{hook}")
    index = repository / ".git" / "index"
    now = time.time()
    os.utime(index, (now - 100, now - 100))  # every file may have changed since
    before = index.read_bytes(), index.stat()
    git_contents.clean_files(str(repository))
    assert not (tmp_path / "ran").exists()
    assert (index.read_bytes(), index.stat()) == before


def test_nested_repositories_worktrees_and_submodules(repository: Path, tmp_path: Path) -> None:
    assert names(repository / "sub") == {"tool.sh"}
    git(repository, "worktree", "add", "-q", str(tmp_path / "tree"), "-b", "other")
    assert "a.txt" in names(tmp_path / "tree")
    git(repository, "submodule", "--quiet", "add", str(tmp_path / "tree"), "module")
    nested = repository / "nested"
    nested.mkdir()
    (nested / "n.txt").write_text("nested\n")
    git(nested, "init", "-q")
    git(nested, "add", "-A")
    git(nested, "commit", "-qm", "n")
    time.sleep(0.06)
    before = state(repository)
    checkpoints = Checkpoints(tmp_path / "checkpoints", [repository])
    checkpoints.begin_turn("t")
    checkpoints.before_command()
    assert b"nested\n" not in copied(tmp_path)
    for path in (nested / "n.txt", repository / "module" / "a.txt", repository / "sub" / "tool.sh"):
        path.write_text("after")
    assert len(checkpoints.end_turn()) == 3
    outcome = checkpoints.undo()
    assert outcome is not None
    assert outcome.left == ()
    assert state(repository) == before


def test_a_checkout_of_another_branch_is_undone(repository: Path, tmp_path: Path) -> None:
    for number in range(300):
        (repository / f"n{number}").write_text(f"{number}\n")
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "many")
    time.sleep(0.06)
    before = state(repository)
    checkpoints = Checkpoints(tmp_path / "checkpoints", [repository])
    checkpoints.begin_turn("t")
    checkpoints.before_command()
    git(repository, "checkout", "-q", "HEAD~1")
    assert len(checkpoints.end_turn()) == 301
    outcome = checkpoints.undo()
    assert outcome is not None
    assert outcome.left == ()
    assert state(repository) == before


def test_content_that_does_not_match_its_object_name_is_not_used(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs = git_contents.clean_files(str(repository))
    wanted = [blobs[str(repository / "a.txt")], blobs[str(repository / "sub" / "tool.sh")]]
    assert [data for _, data in git_contents.read(wanted)] == [b"a\n", b"#!/bin/sh\n"]
    output = f"{wanted[0].id} blob 2\nb\n\n{wanted[1].id} missing\n".encode()
    monkeypatch.setattr(git_contents, "_git", lambda *_, **__: output)
    assert list(git_contents.read(wanted)) == []


def test_outside_repositories_no_content_is_known(tmp_path: Path) -> None:
    assert git_contents.clean_files(str(tmp_path)) == {}
    assert git_contents.clean_files(str(tmp_path / "missing")) == {}
