"""Patches in the agent's format: parsing, locating, planning, applying, display.

`parse_patch` and `plan_patch` change nothing; `apply_plan` writes only files that have not changed since planning.

The names are imported on first use, because applying a patch takes much more code than recognising one.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from code_core.patch.apply import Application, apply_plan
    from code_core.patch.diff import unified_diff
    from code_core.patch.edits import Added, Deleted, FileEdit, Updated
    from code_core.patch.errors import (
        PatchApplyError,
        PatchError,
        PatchMatchError,
        PatchReadError,
        PatchSyntaxError,
    )
    from code_core.patch.filesystem import FileChangedError, FileState, FileSystem, MemoryFileSystem
    from code_core.patch.git_format import git_diff
    from code_core.patch.locate import apply_chunks
    from code_core.patch.model import AddFile, Chunk, DeleteFile, Hunk, Patch, UpdateFile
    from code_core.patch.parse import parse_patch
    from code_core.patch.plan import PatchPlan, plan_edits, plan_patch
    from code_core.patch.sources import Sources, read_again, read_sources
    from code_core.patch.summary import summary

_LAZY = {
    "AddFile": "model",
    "Added": "edits",
    "Application": "apply",
    "Chunk": "model",
    "DeleteFile": "model",
    "Deleted": "edits",
    "FileChangedError": "filesystem",
    "FileEdit": "edits",
    "FileState": "filesystem",
    "FileSystem": "filesystem",
    "Hunk": "model",
    "MemoryFileSystem": "filesystem",
    "Patch": "model",
    "PatchApplyError": "errors",
    "PatchError": "errors",
    "PatchMatchError": "errors",
    "PatchPlan": "plan",
    "PatchReadError": "errors",
    "PatchSyntaxError": "errors",
    "Sources": "sources",
    "UpdateFile": "model",
    "Updated": "edits",
    "apply_chunks": "locate",
    "apply_plan": "apply",
    "git_diff": "git_format",
    "parse_patch": "parse",
    "plan_edits": "plan",
    "plan_patch": "plan",
    "read_again": "sources",
    "read_sources": "sources",
    "summary": "summary",
    "unified_diff": "diff",
}

__all__ = [
    "AddFile",
    "Added",
    "Application",
    "Chunk",
    "DeleteFile",
    "Deleted",
    "FileChangedError",
    "FileEdit",
    "FileState",
    "FileSystem",
    "Hunk",
    "MemoryFileSystem",
    "Patch",
    "PatchApplyError",
    "PatchError",
    "PatchMatchError",
    "PatchPlan",
    "PatchReadError",
    "PatchSyntaxError",
    "Sources",
    "UpdateFile",
    "Updated",
    "apply_chunks",
    "apply_plan",
    "git_diff",
    "parse_patch",
    "plan_edits",
    "plan_patch",
    "read_again",
    "read_sources",
    "summary",
    "unified_diff",
]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
    globals()[name] = value
    return value
