"""Identifies the files that a command names: a grant to leave the sandbox holds only for these versions."""

import errno
import hashlib
import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from fnmatch import fnmatchcase
from itertools import chain
from pathlib import Path

from code_core.context.git import repository_root
from code_core.lazy_pattern import lazy_pattern
from code_core.safety.command_texts import INTERPRETER
from code_core.safety.grants import FileIdentity
from code_core.safety.normal_form import GLOBS, program
from code_core.safety.shell_words import SHELLS, SYSTEM_DIRECTORIES, Words, script_of
from code_core.tools.implicit_files import IMPLICIT_FILES

MOST_FILES = 64
MOST_BYTES = 128 * 1024 * 1024

_CHUNK = 1 << 20
_MOST_FOLDERS = 16
_LONGEST_PATH = 4_096
_LONGEST_NAME = 255
_NO_FILE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP})

_VALUE = lazy_pattern(r"(?:-\w|[\w.-]+[=:]|--?[\w-]+=|@|file://)+", re.ASCII)


# `$PWD/x`, `$(git rev-parse --show-toplevel)/x`
_EXPANDED_FOLDER = lazy_pattern(r"(?:\$\([^()]*\)|`[^`]*`|\$\w+|\$\{[^{}]*\})/+")
# In a script: `< x` and `BASH_ENV=x`
_IN_SCRIPT = lazy_pattern(
    r"""(?:(?<!<)<(?![<(&])\s*|(?<![\w$-])[A-Za-z_]\w*=)["']?([^\s"'<>;|&()]+)""", re.ASCII
)
_READS_SETTINGS = lazy_pattern(r"--conf|-\w*K", re.ASCII)  # curl options
_MOST_ENTRIES = 10_000


class TooManyFilesError(Exception):
    """The command names more or larger files than we read to recognise it again."""


# Programs that never execute the files they are given, so these may change.
_HANDLE_DATA = frozenset(
    "cat chgrp chmod chown cp curl cut diff du file grep head jq ln ls mkdir mv rm rmdir shasum sha256sum stat "
    "tail tee touch tr truncate uniq unlink unzip wc".split()
)


def files_of(
    commands: Iterable[Words], argv: Sequence[str], cwd: Path, started: str = ""
) -> frozenset[FileIdentity]:
    """Return the regular files and directories that `argv` or one of its `commands` names, except the system's.

    `started` is the program to start, if it had to be looked up. Reads up to 128 MiB. Files that these
    files run or include are not covered.

    Raises:
        TooManyFilesError: more than 64 files, too many bytes, or an unreadable file.
    """
    found: dict[str, FileIdentity] = {}
    left, real = MOST_BYTES, str(cwd)
    own = [_absolute(started, str(cwd))] if started else []
    try:
        for path in chain(own, _paths([tuple(argv), *commands], str(cwd))):
            real = os.path.realpath(path)
            if real in found or str(Path(path).parent) in SYSTEM_DIRECTORIES:
                continue
            if (identity := _identity(real, left)) is None:
                continue
            if len(found) >= MOST_FILES:
                raise TooManyFilesError("it names too many files")
            found[real] = identity[0]
            left -= identity[1]
    except OSError as error:
        raise TooManyFilesError(f"{error.filename or real} cannot be read: {error.strerror}") from error
    return frozenset(found.values())


def _paths(commands: Sequence[Words], cwd: str) -> Iterator[str]:
    """Every word that may be a path, relative to `cwd` and to each directory that the commands name."""
    feeding = any(_runs_text(words) for words in commands)
    root = repository_root(Path(cwd))
    named = [
        (not feeding and _handles_data(words), name) for words in commands for name in _names(words, root)
    ]
    folders = {cwd: None} | {
        path: None for _, name in named if _is_directory(path := _absolute(name, cwd)) and path != cwd
    }
    bases = list(folders)
    if len(bases) > _MOST_FOLDERS:
        raise TooManyFilesError("it names too many directories")
    if any(program(words) == "git" for words in commands):
        for base in bases:
            yield from _git_programs(base)
    names = {name: None for handled, name in named if not handled}
    for base in bases:
        for name in names:
            yield _absolute(name, base)
            if any(letter in name for letter in GLOBS):
                yield from _matching(name, base)
    yield from bases


def _handles_data(words: Words) -> bool:
    """Whether the command never executes the files it names."""
    name = program(words)
    return name in _HANDLE_DATA and not (name == "curl" and any(map(_READS_SETTINGS.match, words[1:])))


def _runs_text(words: Words) -> bool:
    """Whether it may run text from another command: `cat x | sh`, `eval "$(cat x)"`, `mv x y; ./y`."""
    folder, slash, name = words[0].rpartition("/")
    if slash and folder not in SYSTEM_DIRECTORIES:
        return True
    if name in SHELLS:
        return script_of(words) is None
    return name in {"eval", "source", ".", "xargs", "parallel"} or bool(INTERPRETER.fullmatch(name))


def _names(words: Words, root: Path | None) -> Iterator[str]:
    """The words that may be paths, the values of options, and the files that the program reads implicitly."""
    implicit = IMPLICIT_FILES.get(program(words), ())
    values = (word[value.end() :] for word in words if (value := _VALUE.match(word)))
    scripts = (name for word in words for name in _IN_SCRIPT.findall(word))
    for name in dict.fromkeys((*words, *values, *implicit, *scripts)):
        if not _can_be_path(name):
            continue
        yield name
        if folder := _EXPANDED_FOLDER.match(name):
            rest = name[folder.end() :]
            yield from (rest, f"~/{rest}")
            if root is not None:
                yield str(root / rest)


def _matching(pattern: str, base: str) -> Iterator[str]:
    """The paths that match a glob, from directories with at most 10,000 entries in total."""
    found, left = ["/" if pattern.startswith("/") else base], _MOST_ENTRIES
    for part in filter(None, pattern.split("/")):
        if not any(letter in part for letter in GLOBS):
            found = [_absolute(part, folder) for folder in found]
            continue
        folders, found = found, []
        for folder in folders:
            with suppress(OSError), os.scandir(folder) as entries:
                for entry in entries:
                    left -= 1
                    if left < 0:
                        raise TooManyFilesError("its patterns match too many files")
                    if fnmatchcase(entry.name, part):
                        found.append(entry.path)
    yield from sorted(found)


def _can_be_path(word: str) -> bool:
    try:
        encoded = os.fsencode(word)
    except UnicodeEncodeError:
        return False
    parts = encoded.split(b"/")
    return b"\0" not in encoded and len(encoded) < _LONGEST_PATH and max(map(len, parts)) <= _LONGEST_NAME


def _absolute(name: str, base: str) -> str:
    return os.path.normpath(Path(base) / (f"{Path.home()}{name[1:]}" if name.startswith("~/") else name))


def _is_directory(path: str) -> bool:
    try:
        return Path(path).is_dir()
    except OSError:  # a parent is not searchable, or the path is too long
        return False


def _git_programs(folder: str) -> Iterator[str]:
    """The settings and hooks of `folder`'s repository, which name programs that git runs."""
    root = repository_root(Path(folder))
    if root is None:
        return
    entry = root / ".git"
    own = root / _first_line(entry).removeprefix("gitdir:").strip() if entry.is_file() else entry
    common = own / "commondir"
    shared = own / _first_line(common) if common.is_file() else own
    for one in (own, shared):
        yield from (str(one / name) for name in ("config", "config.worktree"))
    with suppress(FileNotFoundError):
        yield from sorted(
            hook.path for hook in os.scandir(shared / "hooks") if not hook.name.endswith(".sample")
        )


def _first_line(path: Path) -> str:
    with path.open("rb") as file:
        return os.fsdecode(file.readline(_LONGEST_PATH)).strip()


def _identity(path: str, most: int) -> tuple[FileIdentity, int] | None:
    """The identity of a regular file or directory and the number of bytes read; None for anything else."""
    try:
        status = Path(path).stat()
    except OSError as error:
        if error.errno in _NO_FILE:
            return None
        raise
    if stat.S_ISDIR(status.st_mode):
        return FileIdentity(Path(path), status.st_dev, status.st_ino, ""), 0
    if not stat.S_ISREG(status.st_mode):
        return None
    descriptor = os.open(path, os.O_NONBLOCK | os.O_NOFOLLOW)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        digest, size = hashlib.sha256(), 0
        while chunk := file.read(_CHUNK):
            size += len(chunk)
            if size > most:
                raise TooManyFilesError("it names files that are too large")
            digest.update(chunk)
    return FileIdentity(Path(path), status.st_dev, status.st_ino, digest.hexdigest()), size
