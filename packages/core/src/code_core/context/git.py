"""Where the git repository is."""

from pathlib import Path


def repository_root(directory: Path) -> Path | None:
    """The root of the repository that `directory` is in, a worktree's root included; None outside of one."""
    return next((root for root in (directory, *directory.parents) if (root / ".git").exists()), None)
