"""Where git keeps the data of a working tree: `.git`, or the directory that a `.git` file names.

Formats: gitrepository-layout(5). Nothing here runs git, and a `.git` file is not believed by
itself: it comes with the checkout, and whoever may write below the working tree may write it.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

LARGEST_FILE = 2**20
_WORKTREE = re.compile(r'^\s*worktree\s*=\s*"?([^"\n]*?)"?\s*$', re.MULTILINE)
_BARE = re.compile(r"^\s*bare\s*=\s*(?:true|yes|on|1)\s*$", re.MULTILINE | re.IGNORECASE)
RUNS_PROGRAMS = ("config", "config.worktree", "hooks")
"""What in a git directory makes git run programs (gitrepository-layout(5), git-config(1))."""

_OF_WORKTREE = ("commondir", "gitdir", "config.worktree")


@dataclass(frozen=True, slots=True)
class GitDirectories:
    """The repository of a working tree, symlinks resolved.

    Attributes:
        entry: the working tree's `.git`: a directory, a file or a link.
        own: the directory with its index and HEAD.
        common: the directory with objects, refs, settings and hooks; often the same.
    """

    entry: Path
    own: Path
    common: Path

    @property
    def is_elsewhere(self) -> bool:
        """Whether a `.git` that is no directory names it."""
        return self.own != self.entry


def git_directories(directory: Path) -> GitDirectories | None:
    """The repository that `directory` is in, as git would find it; None where git would not, or where it
    is not the repository of this working tree.

    A linked worktree and a submodule are recorded on both sides, and both must agree. A separate git
    directory is accepted if it is no bare repository and not the `.git` of another working tree.
    """  # noqa: D205 - the conditions belong to the first sentence
    for folder in (directory, *directory.parents):
        entry = folder / ".git"
        try:
            status = entry.lstat()
        except OSError:
            continue
        if status.st_uid not in {os.getuid(), 0}:
            return None
        if (own := _named_by(entry)) is None:
            continue
        common = _common_of(own)
        found = GitDirectories(entry, own, common)
        if not _is_repository(found):
            continue
        return found if entry == own == common or _belongs(found) else None
    return None


def program_settings(repository: GitDirectories) -> Iterator[Path]:
    """What in the git directories makes git run programs, or take that from elsewhere; it may not exist.

    Submodules included, and of linked worktrees what is there.
    """
    for directory in (repository.common, *submodules(repository.common)):
        yield from (directory / name for name in RUNS_PROGRAMS)
        yield directory / "commondir"
    for worktree in _folders(repository.common / "worktrees"):
        files = (worktree / name for name in _OF_WORKTREE)
        yield from (file for file in files if file.exists() or worktree == repository.own)


def submodules(directory: Path) -> Iterator[Path]:
    """The git directories of the submodules, and of theirs, that a git directory holds."""
    waiting = [directory / "modules"]
    while waiting:
        for path in _folders(waiting.pop()):
            if (path / "HEAD").exists():
                yield path
                waiting.append(path / "modules")
            else:
                waiting.append(path)


def _folders(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return [Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []


def _named_by(entry: Path) -> Path | None:
    if entry.is_dir():
        return Path(os.path.realpath(entry))
    text = _text(entry)
    if text is None or not text.startswith("gitdir:"):
        return None
    return Path(os.path.realpath(entry.parent / text.removeprefix("gitdir:").strip()))


def _common_of(own: Path) -> Path:
    text = _text(own / "commondir")
    return own if text is None else Path(os.path.realpath(own / text.strip()))


def _is_repository(found: GitDirectories) -> bool:
    head = found.own / "HEAD"
    folders = (found.common / "objects", found.common / "refs")
    if not (head.is_file() or head.is_symlink()) or not all(folder.is_dir() for folder in folders):
        return False
    return found.common.stat().st_uid in {os.getuid(), 0}


def _belongs(found: GitDirectories) -> bool:
    """Whether the git directory, which is elsewhere, is the one of this working tree."""
    entry, own, common = found.entry, found.own, found.common
    if own != common:  # a linked worktree
        back = _text(own / "gitdir")
        return own.parent == common / "worktrees" and back is not None and _same(own / back.strip(), entry)
    settings = _text(own / "config") or ""
    if _BARE.search(settings):
        return False
    if worktree := _WORKTREE.search(settings):
        return _same(own / worktree[1], entry.parent)
    return own.name != ".git" or not _has_other_tree(own, entry)


def _has_other_tree(own: Path, entry: Path) -> bool:
    """Whether a directory called `.git` is the repository of the tree it is in, which is not `entry`'s."""
    return not _same(own.parent, entry.parent)


def _same(one: Path, other: Path) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)


def _text(path: Path) -> str | None:
    """The content of a small regular file; None for anything else."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(fd, "rb") as file:
            return file.read(LARGEST_FILE).decode("utf-8", "surrogateescape")
    except OSError:
        return None
