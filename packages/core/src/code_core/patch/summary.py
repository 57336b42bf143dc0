"""Summarises an applied patch in the form that models know."""

from code_core.patch.model import AddFile, DeleteFile, Patch, UpdateFile


def summary(patch: Patch) -> str:
    """Return `A`, `M` and `D` lines in that order, with the paths in the patch; for a moved file, the new path."""
    added = [hunk.path for hunk in patch.hunks if isinstance(hunk, AddFile)]
    modified = [hunk.move_to or hunk.path for hunk in patch.hunks if isinstance(hunk, UpdateFile)]
    deleted = [hunk.path for hunk in patch.hunks if isinstance(hunk, DeleteFile)]
    lines = [
        *(f"A {path}" for path in added),
        *(f"M {path}" for path in modified),
        *(f"D {path}" for path in deleted),
    ]
    return "\n".join(["Success. Updated the following files:", *lines])
