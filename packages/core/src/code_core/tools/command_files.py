"""The files that a command names, and what is in them: a grant to leave the sandbox holds only for these."""

import errno
import hashlib
import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from code_core.context.git import repository_root
from code_core.safety.grants import FileIdentity
from code_core.safety.normal_form import program
from code_core.safety.shell_words import SYSTEM_DIRECTORIES, Words

MOST_FILES = 64
MOST_BYTES = 128 * 1024 * 1024

_CHUNK = 1 << 20
_MOST_FOLDERS = 16
_LONGEST_PATH = 4_096
_LONGEST_NAME = 255
_NO_FILE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP})

# Files of the working directory that a program runs though its arguments do not name them.
_IMPLICIT = {
    "bun": ("package.json", ".npmrc", "bunfig.toml"),
    "bundle": ("Gemfile",),
    "cargo": ("Cargo.toml", "build.rs", ".cargo/config.toml", "rust-toolchain.toml"),
    "cmake": ("CMakeLists.txt",),
    "docker": ("Dockerfile", "docker-compose.yml", "compose.yaml", "compose.yml"),
    "gradle": ("build.gradle", "build.gradle.kts", "settings.gradle", "settings.gradle.kts"),
    "gradlew": ("build.gradle", "build.gradle.kts", "gradle/wrapper/gradle-wrapper.jar"),
    "just": ("justfile", "Justfile", ".justfile"),
    "make": ("GNUmakefile", "makefile", "Makefile"),
    "mvn": ("pom.xml",),
    "nox": ("noxfile.py",),
    "npm": ("package.json", ".npmrc"),
    "npx": ("package.json", ".npmrc"),
    "pnpm": ("package.json", ".npmrc", ".pnpmfile.cjs"),
    "poetry": ("pyproject.toml",),
    "pytest": ("conftest.py", "pyproject.toml", "pytest.ini", "setup.cfg", "tox.ini"),
    "rake": ("Rakefile",),
    "task": ("Taskfile.yml", "Taskfile.yaml"),
    "tox": ("tox.ini", "pyproject.toml", "setup.py"),
    "uv": ("pyproject.toml", "uv.toml"),
    "yarn": ("package.json", ".yarnrc", ".yarnrc.yml"),
}
_VALUE = re.compile(r"(?:-\w|[\w.-]+[=:]|--?[\w-]+=|@|file://)+", re.ASCII)


class TooManyFilesError(Exception):
    """The command names more files, or larger ones, than are read to recognise it again."""


# Programs that run none of the files they are given, so that these may change.
_HANDLE_DATA = frozenset(
    "cat chgrp chmod chown cp curl cut diff du file grep head jq ln ls mkdir mv rm rmdir shasum sha256sum stat "
    "tail tee touch tr truncate uniq unlink unzip wc".split()
)


def files_of(commands: Iterable[Words], argv: Sequence[str], cwd: Path) -> frozenset[FileIdentity]:
    """The regular files and directories that `argv` or one of the `commands` in it names, outside of the system's directories.

    Reads up to 128 MiB. What these files run or include in their turn is not among them.

    Raises:
        TooManyFilesError: more than 64 files, more bytes, or a file that cannot be read.
    """
    found: dict[str, FileIdentity] = {}
    left = MOST_BYTES
    for path in _paths([tuple(argv), *commands], str(cwd)):
        real = os.path.realpath(path)
        if real in found or str(Path(path).parent) in SYSTEM_DIRECTORIES:
            continue
        if len(found) >= MOST_FILES:
            raise TooManyFilesError("it names too many files")
        try:
            if (identity := _identity(real, left)) is not None:
                found[real] = identity[0]
                left -= identity[1]
        except OSError as error:
            raise TooManyFilesError(f"{real} cannot be read: {error.strerror}") from error
    return frozenset(found.values())


def _paths(commands: Sequence[Words], cwd: str) -> Iterator[str]:
    """Every word that may be a path, relative to `cwd` and to each directory that the commands name."""
    named = [(program(words) in _HANDLE_DATA, name) for words in commands for name in _names(words)]
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
        yield from (_absolute(name, base) for name in names)
    yield from bases


def _names(words: Words) -> Iterator[str]:
    """The words that may be paths, the values of options, and what the program reads without being told."""
    implicit = _IMPLICIT.get(program(words), ())
    values = (word[value.end() :] for word in words if (value := _VALUE.match(word)))
    for name in (*words, *values, *implicit):
        if _can_be_path(name):
            yield name


def _can_be_path(word: str) -> bool:
    try:
        encoded = os.fsencode(word)
    except UnicodeEncodeError:
        return False
    parts = encoded.split(b"/")
    return b"\0" not in encoded and 0 < len(encoded) < _LONGEST_PATH and max(map(len, parts)) <= _LONGEST_NAME


def _absolute(name: str, base: str) -> str:
    return os.path.normpath(
        Path(base) / (name.replace("~", str(Path.home()), 1) if name.startswith("~/") else name)
    )


def _is_directory(path: str) -> bool:
    try:
        return Path(path).is_dir()
    except OSError:  # one in it may not be searched, or the whole is too long
        return False


def _git_programs(folder: str) -> Iterator[str]:
    """The settings and hooks of the repository of `folder`, which name what git runs."""
    root = repository_root(Path(folder))
    if root is None:
        return
    entry = root / ".git"
    own = root / _first_line(entry).removeprefix("gitdir:").strip() if entry.is_file() else entry
    common = own / "commondir"
    shared = own / _first_line(common) if common.is_file() else own
    for one in (own, shared):
        yield from (str(one / name) for name in ("config", "config.worktree"))
    with suppress(OSError):
        yield from sorted(
            hook.path for hook in os.scandir(shared / "hooks") if not hook.name.endswith(".sample")
        )


def _first_line(path: Path) -> str:
    with suppress(OSError), path.open(encoding="utf-8", errors="surrogateescape") as file:
        return file.readline(_LONGEST_PATH).strip()
    return ""


def _identity(path: str, most: int) -> tuple[FileIdentity, int] | None:
    """The identity of a regular file or a directory, and how many bytes were read; None for anything else."""
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
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        status = os.fstat(descriptor)
        digest, size = hashlib.sha256(), 0
        while chunk := file.read(min(most - size, _CHUNK) + 1):
            size += len(chunk)
            if size > most:
                raise TooManyFilesError("it names files that are too large")
            digest.update(chunk)
    return FileIdentity(Path(path), status.st_dev, status.st_ino, digest.hexdigest()), size
