"""The minimum that git accepts as a repository, made without git."""

from pathlib import Path


def make_repository(root: Path) -> Path:
    """Make `root` the root of an empty repository, and return it."""
    for name in ("objects", "refs"):
        (root / ".git" / name).mkdir(parents=True)
    (root / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    return root
