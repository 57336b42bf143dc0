"""Patches in the agent's format: parse, locate, plan, apply, show.

`parse_patch` and `plan_patch` change nothing; `apply_plan` writes.
"""

from code_core.patch.apply import apply_plan
from code_core.patch.diff import git_diff, unified_diff
from code_core.patch.edits import Added, Deleted, FileEdit, Updated
from code_core.patch.errors import (
    PatchApplyError,
    PatchError,
    PatchMatchError,
    PatchReadError,
    PatchSyntaxError,
)
from code_core.patch.filesystem import FileSystem, MemoryFileSystem
from code_core.patch.grammar import APPLY_PATCH_GRAMMAR, APPLY_PATCH_INSTRUCTIONS
from code_core.patch.invocation import ImplicitPatch, PatchCall, detect
from code_core.patch.locate import apply_chunks
from code_core.patch.model import AddFile, Chunk, DeleteFile, Hunk, Patch, UpdateFile
from code_core.patch.parse import parse_patch
from code_core.patch.plan import PatchPlan, plan_patch
from code_core.patch.summary import summary

__all__ = [
    "APPLY_PATCH_GRAMMAR",
    "APPLY_PATCH_INSTRUCTIONS",
    "AddFile",
    "Added",
    "Chunk",
    "DeleteFile",
    "Deleted",
    "FileEdit",
    "FileSystem",
    "Hunk",
    "ImplicitPatch",
    "MemoryFileSystem",
    "Patch",
    "PatchApplyError",
    "PatchCall",
    "PatchError",
    "PatchMatchError",
    "PatchPlan",
    "PatchReadError",
    "PatchSyntaxError",
    "UpdateFile",
    "Updated",
    "apply_chunks",
    "apply_plan",
    "detect",
    "git_diff",
    "parse_patch",
    "plan_patch",
    "summary",
    "unified_diff",
]
