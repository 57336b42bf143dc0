"""What a patch did, in the words that models know."""

from code_core.patch.model import AddFile, DeleteFile, Patch, UpdateFile


def summary(patch: Patch) -> str:
    """`A`, `M` and `D` lines in that order, with the paths as the patch has them; a moved file's new one."""
    added = [hunk.path for hunk in patch.hunks if isinstance(hunk, AddFile)]
    modified = [hunk.move_to or hunk.path for hunk in patch.hunks if isinstance(hunk, UpdateFile)]
    deleted = [hunk.path for hunk in patch.hunks if isinstance(hunk, DeleteFile)]
    lines = [
        *(f"A {path}" for path in added),
        *(f"M {path}" for path in modified),
        *(f"D {path}" for path in deleted),
    ]
    return "\n".join(["Success. Updated the following files:", *lines])
