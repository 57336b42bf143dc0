"""Patches and protected paths: the same list as for commands."""

from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from code_core.files.local import LocalFileSystem
from code_core.protocol.policies import WorkspaceWrite
from code_core.sandbox.detection import Detection, Finding
from code_core.tools.apply_patch import ApplyPatch
from code_core.tools.tool import ToolContext
from core.sandbox.test_git_directories import git

CLOSED = [
    ".code/rules/x.toml",
    ".code",
    "home/rules/x.toml",
    ".git/config",
    ".git/hooks/pre-commit",
    ".git/commondir",
    "new/.git/config",
    "agent/lib.py",
    "linked/rules/x.toml",
]


def outcome(path: str, context: ToolContext, *, git_writes: bool = True) -> str:
    policy = WorkspaceWrite(exclude_slash_tmp=True, allow_git_writes=git_writes)
    patch = f"*** Begin Patch\n*** Add File: {path}\n+x\n*** End Patch"
    tool = ApplyPatch(LocalFileSystem())
    context = replace(context, sandbox_policy=policy)
    return anyio.run(tool.apply, patch, context.cwd, "1", context).text


@pytest.fixture
def context(tool_context: ToolContext, monkeypatch: pytest.MonkeyPatch) -> ToolContext:
    cwd = tool_context.cwd
    git(cwd, "init", "-q")
    (cwd / "agent").mkdir()
    (cwd / "linked").symlink_to(".code")
    monkeypatch.setattr("code_core.sandbox.protected.own_files", lambda: (cwd / "agent",))
    return tool_context


@pytest.mark.parametrize("path", CLOSED)
def test_protected_files_need_approval(path: str, context: ToolContext) -> None:
    assert outcome(path, context).startswith("patch rejected: ")
    assert not (context.cwd / ".code").exists()


@pytest.mark.parametrize("path", ["file", "src/.codes", "hooks/config", ".gitignore", ".git/description.txt"])
def test_other_files_need_no_approval(path: str, context: ToolContext) -> None:
    assert "rejected" not in outcome(path, context)
    assert (context.cwd / path).read_text() == "x\n"


def test_patches_cannot_write_to_git_if_it_is_protected(context: ToolContext) -> None:
    assert "belongs to git" in outcome(".git/description.txt", context, git_writes=False)


def test_without_a_sandbox_no_patch_is_applied_without_asking(
    context: ToolContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = Detection((Finding("bwrap", None, "not installed"),))
    monkeypatch.setattr("code_core.tools.patch_run.detect", lambda: nothing)
    assert "commands cannot be confined" in outcome("file", context)
    assert not Path(context.cwd, "file").exists()
