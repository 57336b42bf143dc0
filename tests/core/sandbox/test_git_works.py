"""Git's everyday commands work wherever the repository's data is, but what makes it run programs stays protected."""

import os
import sys
from pathlib import Path

import pytest

from code_core.protocol.policies import WorkspaceWrite
from code_core.sandbox import protected
from code_core.sandbox.confinement import confinement_of
from code_core.sandbox.placeholders import placeholders
from core.sandbox.test_escapes import MECHANISMS, sandbox_for
from core.sandbox.test_git_directories import WHO, git

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux only")

TREES = ["main", "main/sub", "tree", "main/libs/part", "separate"]
EVERYDAY = """
set -e
echo x > file; git add file; git commit -qm two; git commit -q --amend --no-edit
git checkout -qb other; echo y > file; git stash -q; git stash pop -q; git commit -qam three
git checkout -q -; git merge -q other; git rebase -q HEAD; git tag v1; git status --short; git gc -q
"""


@pytest.fixture
def top(tmp_path: Path) -> Path:
    protected._first_seen.clear()
    for name in ("main", "part"):
        git(tmp_path, "init", "-q", name)
        git(tmp_path / name, "commit", "-q", "--allow-empty", "-m", "one")
    (tmp_path / "main/sub").mkdir()
    git(tmp_path / "main", "worktree", "add", "-q", "../tree", "-b", "tree")
    git(tmp_path / "main", "submodule", "add", "-q", str(tmp_path / "part"), "libs/part")
    git(tmp_path, "init", "-q", "--separate-git-dir", str(tmp_path / "apart.git"), "separate")
    git(tmp_path / "separate", "commit", "-q", "--allow-empty", "-m", "one")
    return tmp_path


def run(mechanism: str, cwd: Path, script: str, *, writes: bool = True) -> tuple[int, str]:
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **WHO}
    policy = WorkspaceWrite(exclude_slash_tmp=True, allow_git_writes=writes)
    confinement = confinement_of(policy, cwd, cwd.parent / "home", environment)
    sandbox = sandbox_for(mechanism, None)
    with (
        placeholders(confinement) as ready,
        sandbox.start(["sh", "-c", script], ready, cwd, environment) as process,
    ):
        assert process.stderr is not None
        problems = process.stderr.read().decode()
    return process.returncode, problems


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("tree", TREES)
def test_everyday_commands(top: Path, mechanism: str, tree: str) -> None:
    assert run(mechanism, top / tree, EVERYDAY) == (0, "")
    assert not list(top.rglob(".code"))


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("tree", TREES)
def test_nothing_works_with_all_of_git_protected(top: Path, mechanism: str, tree: str) -> None:
    if mechanism == "landlock" and tree == "main":
        pytest.skip("a gap of Landlock: .git is inside the writable directory")
    code, problems = run(mechanism, top / tree, "echo x > file && git add file", writes=False)
    assert code != 0
    assert "Read-only file system" in problems or "Permission denied" in problems


@pytest.mark.parametrize("tree", TREES)
@pytest.mark.parametrize(
    "script",
    [
        "git config core.fsmonitor /tmp/evil",
        "git remote add x /tmp",
        'touch "$(git rev-parse --git-common-dir)/hooks/pre-commit"',
        'mv "$(git rev-parse --git-common-dir)/hooks" /tmp',
        'echo x > "$(git rev-parse --git-common-dir)/config"',
    ],
)
def test_settings_and_hooks_are_protected(top: Path, tree: str, script: str) -> None:
    code, problems = run("bwrap", top / tree, script)
    assert code != 0, problems
