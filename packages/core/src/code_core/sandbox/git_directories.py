"""Finds where git keeps the data of a working tree: `.git`, or the directory named by a `.git` file.

Formats: gitrepository-layout(5). Nothing here runs git. A `.git` file is not trusted by itself,
because it comes with the checkout and any command with write access can change it.
"""

import errno
import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from code_core.frozen import frozen

LARGEST_FILE = 2**20
LONGEST_PATH = 4096
MOST_FOLDERS = 200
"""Limit for submodules and linked worktrees; more are protected together instead of one by one."""
_TRUE = frozenset({"true", "yes", "on", "1"})
_FOLLOWED = frozenset({"path", "hookspath", "fsmonitor"})
"""Settings whose targets are protected: included files, hooks, and a program that most git commands run."""

RUNS_PROGRAMS = ("config", "config.worktree", "hooks")
"""The files in a git directory that make git run programs (gitrepository-layout(5), git-config(1))."""

_OF_WORKTREE = ("commondir", "gitdir", "config.worktree")


@frozen
class GitDirectories:
    """The repository of a working tree, with symlinks resolved.

    Attributes:
        entry: the working tree's `.git`: a directory, a file or a link.
        own: the directory with its index and HEAD.
        common: the directory with objects, refs, settings and hooks; often the same as `own`.
    """

    entry: Path
    own: Path
    common: Path

    @property
    def is_elsewhere(self) -> bool:
        """Whether a `.git` file names it."""
        return self.own != self.entry


def git_directories(directory: Path) -> GitDirectories | None:
    """Return the repository that contains `directory`, or None.

    None if git would not find one, or if it is not the repository of this working tree. A linked worktree and a submodule are recorded on both sides, and both must agree. A separate git
    directory is accepted if it is neither a bare repository nor the `.git` of another working tree.
    """
    for found in candidates(directory):
        try:
            owner = found.entry.lstat().st_uid
        except OSError:
            continue
        if owner not in {os.getuid(), 0}:
            return None
        if not _is_repository(found):
            continue
        return found if found.entry == found.own == found.common or _belongs(found) else None
    return None


def candidates(directory: Path) -> Iterator[GitDirectories]:
    """Yield every `.git` that git could take for the repository of `directory`, nearest first.

    This includes those that are not a repository now: a command can remove what makes them one, such as
    HEAD, and restore it.
    """
    for folder in (directory, *directory.parents):
        if (found := repository_at(folder)) is not None:
            yield found


def repository_at(folder: Path) -> GitDirectories | None:
    """Return what the `.git` in `folder` is or names, even if it is not a repository."""
    entry = folder / ".git"
    own = _named_by(entry)
    return None if own is None else GitDirectories(entry, own, _common_of(own))


def program_settings(repository: GitDirectories) -> Iterator[Path]:
    """Yield paths in the git directories that make git run programs, or refer to such settings; they may not exist.

    Includes submodules and existing linked worktrees. If there are too many, or they cannot be listed,
    yields all of `modules` or `worktrees`.
    """
    common = repository.common
    yield from _settings_of(common)
    yield from _named_in_settings(repository)
    if repository.own != common:  # a linked worktree, or a directory with a `commondir` that looks like one
        unused = (path for path in _settings_of(repository.own) if os.path.lexists(path))
        yield from {*unused, *(repository.own / name for name in _OF_WORKTREE)}
    modules = common / "modules"
    try:
        yield from [path for directory in submodules(common) for path in _settings_of(directory)]
    except OSError:
        yield modules
    try:
        worktrees = _folders(common / "worktrees")
    except OSError:
        yield common / "worktrees"
        worktrees = []
    for worktree in worktrees:
        files = (worktree / name for name in _OF_WORKTREE)
        yield from (file for file in files if os.path.lexists(file))


def submodules(directory: Path) -> Iterator[Path]:
    """Yield the git directories of all submodules, recursively, in a git directory.

    Raises:
        OSError: they cannot be listed, or are more than `MOST_FOLDERS` together with the directories they are in.
    """
    waiting = [directory / "modules"]
    count = 0
    while waiting:
        for path in _folders(waiting.pop()):
            count += 1
            if count > MOST_FOLDERS:
                raise _too_many(directory)
            # Recognised by any protected file, because a command can remove the others.
            if any(os.path.lexists(path / name) for name in ("HEAD", "config", "hooks")):
                yield path
                waiting.append(path / "modules")
            else:
                waiting.append(path)


def _named_in_settings(repository: GitDirectories) -> Iterator[Path]:
    """The existing files that the settings include, and the hooks and programs that they name by path."""
    settings = repository.common / "config"
    named = dict.fromkeys(setting for setting in _values(settings) if setting[0] in _FOLLOWED)
    for key, value in islice(named, MOST_FOLDERS):
        folder = settings.parent if key == "path" else repository.entry.parent
        path = _path_in(os.path.expanduser(value), folder)  # noqa: PTH111 - `Path.expanduser` raises for an unknown user
        if path is not None and os.path.exists(path):  # noqa: PTH110 - `Path.exists` raises
            yield path


def _settings_of(directory: Path) -> Iterator[Path]:
    yield from (directory / name for name in (*RUNS_PROGRAMS, "commondir"))


def _folders(folder: Path) -> list[Path]:
    """The directories in a folder, or an empty list if it does not exist.

    Raises:
        OSError: it cannot be listed, or contains more than `MOST_FOLDERS` directories.
    """
    found: list[Path] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    found.append(Path(entry.path))
                if len(found) > MOST_FOLDERS:
                    raise _too_many(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []
    return found


def _too_many(folder: Path) -> OSError:
    return OSError(errno.E2BIG, "Too many directories", str(folder))


def _named_by(entry: Path) -> Path | None:
    if os.path.isdir(entry):  # noqa: PTH112 - `Path.is_dir` raises for inaccessible directories
        return Path(os.path.realpath(entry))
    text = _text(entry)
    if text is None or not text.startswith("gitdir:"):
        return None
    return _path_in(text.removeprefix("gitdir:"), entry.parent)


def _common_of(own: Path) -> Path:
    text = _text(own / "commondir")
    return own if text is None else _path_in(text, own) or own


def _path_in(text: str, folder: Path) -> Path | None:
    """The path in a git file that consists of one, relative to `folder`, or None if it is not a valid path."""
    name = text.strip()
    if len(name) > LONGEST_PATH or "\0" in name:
        return None
    return Path(os.path.realpath(folder / name))


def _is_repository(found: GitDirectories) -> bool:
    head = found.own / "HEAD"
    folders = (found.common / "objects", found.common / "refs")
    try:
        if not (head.is_file() or head.is_symlink()) or not all(folder.is_dir() for folder in folders):
            return False
        return found.common.stat().st_uid in {os.getuid(), 0}
    except PermissionError:
        return False


def _belongs(found: GitDirectories) -> bool:
    """Whether a git directory located elsewhere belongs to this working tree."""
    entry, own, common = found.entry, found.own, found.common
    if own != common:  # a linked worktree
        back = _path_in(_text(own / "gitdir") or "", own)
        return own.parent == common / "worktrees" and back == Path(os.path.realpath(entry))
    settings = list(_values(own / "config"))
    if any(key == "bare" and value.lower() in _TRUE for key, value in settings):
        return False
    if worktree := next((value for key, value in settings if key == "worktree"), None):
        return _path_in(worktree, own) == Path(os.path.realpath(entry.parent))
    return own.name != ".git" or not _has_other_tree(own, entry)


def _has_other_tree(own: Path, entry: Path) -> bool:
    """Whether a directory called `.git` is the repository of its parent directory, and not of `entry`'s tree."""
    return not _same(own.parent, entry.parent)


def _same(one: Path, other: Path) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)


def _values(settings: Path) -> Iterator[tuple[str, str]]:
    """The names, in lower case without sections, and the values in a git settings file.

    In linear time, because whoever creates a repository writes its settings.
    """
    for line in (_text(settings) or "").splitlines():
        name, equals, value = line.partition("=")
        if equals:
            yield name.rpartition("]")[2].strip().lower(), value.strip().strip('"')


def _text(path: Path) -> str | None:
    """The content of a small regular file, or None for anything else."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(fd, "rb") as file:
            return file.read(LARGEST_FILE).decode("utf-8", "surrogateescape")
    except OSError:
        return None
