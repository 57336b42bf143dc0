"""A private copy of what checkers need to see, so that the workspace stays as it is."""

import os
import stat
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from itertools import islice
from pathlib import Path
from secrets import token_hex

import anyio

from code_core.files.delete_tree import delete_tree
from code_core.files.directory import open_directory
from code_core.files.replace import open_file

MOST_FILES = 4_000
"""Files and directories."""
MOST_BYTES = 64 * 2**20
MOST_LEVELS = 100
MOST_SECONDS = 10.0
LARGEST_SETTINGS = 2**20
STALE_SECONDS = 24 * 3600

SETTINGS = (
    "pyproject.toml", "setup.cfg", "tox.ini", "mypy.ini", ".mypy.ini", "pyrightconfig.json", "ruff.toml",
    ".ruff.toml", ".shellcheckrc", ".editorconfig", ".yamllint", ".yamllint.yml", ".yamllint.yaml",
    ".hadolint.yaml", ".hadolint.yml", ".markdownlint.json", ".markdownlint.jsonc", ".markdownlint.yaml",
    ".markdownlint.yml", ".markdownlint-cli2.jsonc", ".markdownlint-cli2.yaml", ".prettierrc", ".prettierrc.json",
    ".prettierrc.yaml", ".prettierrc.yml", ".prettierrc.toml", ".prettierignore", "package.json",
)  # fmt: skip
"""Files that checkers look for next to the file they check and above it."""

# Large, made by tools, and needed as they are: linked. What is not needed is left out.
_LINKED = frozenset({"node_modules", ".venv", "venv", "vendor"})
_LEFT_OUT = frozenset(
    {".git", ".hg", ".svn", "target", "dist", "build", "__pycache__", ".tox", ".mypy_cache"}
)


class Staging:
    """A directory with the changed files at their places in the workspace `root`, and without those in `gone`."""

    def __init__(self, folder: Path, root: Path, gone: Iterable[Path] = ()) -> None:
        self._gone = frozenset(gone)
        self.root = folder / "work"
        self.scratch = folder / "scratch"
        self._workspace = root
        self._projects: dict[Path, bool] = {}
        self._entries = self._bytes = 0
        with open_directory(folder) as directory:
            os.mkdir(self.root.name, dir_fd=directory)
            os.mkdir(self.scratch.name, dir_fd=directory)

    def put(self, texts: Mapping[str, bytes]) -> None:
        """Write the changed files, and copy the settings of checkers from their folders and those above."""
        folders: set[Path] = set()
        for name, text in texts.items():
            path = self.root / name
            with open_directory(path.parent, create=True) as directory:
                _write_new(path.name, directory, text)
            folders.update(Path(name).parents)
        for folder in folders:
            self._copy(self._workspace / folder, SETTINGS, LARGEST_SETTINGS)

    def project_of(self, file: str, markers: Iterable[str]) -> Path | None:
        """The nearest folder from `file` up that has one of `markers`, in the copy; None if none has."""
        for folder in Path(file).parents:
            if any((self._workspace / folder / marker).is_file() or (self.root / folder / marker).is_file()
                   for marker in markers):  # fmt: skip
                return self.root / folder
        return None

    def copy_project(self, project: Path) -> bool:
        """Copy what the project has besides; False if that is more than 4,000 entries, 64 MiB, 100 levels or 10 s of work in all projects."""
        if project not in self._projects:
            self._projects[project] = self._copy_tree(self._workspace / project.relative_to(self.root))
        return self._projects[project]

    def _copy_tree(self, source: Path) -> bool:
        deadline = time.monotonic() + MOST_SECONDS
        waiting = [source]
        while waiting:
            here = waiting.pop()
            folders, names = _entries(here, MOST_FILES - self._entries)
            self._entries += len(folders) + len(names)
            deep = len(here.parts) - len(source.parts) >= MOST_LEVELS
            if self._entries >= MOST_FILES or (deep and folders) or time.monotonic() > deadline:
                return False
            self._link(here, sorted(_LINKED.intersection(folders)))
            waiting += [here / name for name in folders if name not in _LINKED | _LEFT_OUT]
            self._bytes += self._copy(here, names, MOST_BYTES - self._bytes)
            if self._bytes > MOST_BYTES:
                return False
        return True

    def _link(self, source: Path, names: Iterable[str]) -> None:
        """Link what `source` has under these names, where the copy has nothing."""
        with open_directory(self._copied(source), create=True) as target:
            for name in names:
                with suppress(FileExistsError):
                    os.symlink(source / name, name, dir_fd=target)

    def _copy(self, source: Path, names: Iterable[str], most: int) -> int:
        """Copy the regular files with these names from a folder, where the copy has nothing; how many bytes they have.

        Stops after the file with which these are more than `most`.
        """
        size = 0
        with (
            suppress(OSError),
            open_directory(source) as folder,
            open_directory(self._copied(source), create=True) as target,
        ):
            for name in names:
                if source / name not in self._gone:
                    size += _copy_file(name, folder, target, most)
                if size > most:
                    break
        return size

    def _copied(self, source: Path) -> Path:
        return self.root / source.relative_to(self._workspace)


@asynccontextmanager
async def staging(root: Path, place: Path, gone: Iterable[Path] = ()) -> AsyncIterator[Staging]:
    """A staging of the workspace `root`, without the files in `gone`, in a folder of its own in `place`, which goes afterwards.

    Every file is written through descriptors of directories: a link that somebody puts in our way is an error.

    Raises:
        OSError: it cannot be made.
    """
    real = Path(os.path.realpath(place.parent)) / place.name
    name = token_hex(8)
    with open_directory(real, create=True, mode=0o700) as directory:
        _forget_old(directory)
        os.mkdir(name, 0o700, dir_fd=directory)
        try:
            yield Staging(real / name, root, gone)
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(delete_tree, name, directory)


def _entries(source: Path, most: int) -> tuple[list[str], list[str]]:
    """The directories and the other entries of a directory, at most so many; none of one that cannot be read."""
    folders: list[str] = []
    names: list[str] = []
    with (
        suppress(OSError),
        open_directory(source) as folder,
        _listing(folder) as listing,
        os.scandir(listing) as found,
    ):
        for entry in islice(found, max(0, most)):
            (folders if entry.is_dir(follow_symlinks=False) else names).append(entry.name)
    return folders, names


@contextmanager
def _listing(directory: int) -> Iterator[int]:
    """A descriptor that lists an open directory."""
    listing = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=directory)
    try:
        yield listing
    finally:
        os.close(listing)


def _copy_file(name: str, folder: int, target: int, most: int) -> int:
    """Copy a regular file of at most so many bytes from one open directory to another, where it must not exist yet; its size.

    0 for what is not copied, such as what is gone or not ours to read: the checker will say what it misses.
    """
    with suppress(OSError):
        if not stat.S_ISREG(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            return 0
        with os.fdopen(open_file(name, folder, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            status = os.fstat(file.fileno())  # it may be another by now
            if stat.S_ISREG(status.st_mode) and status.st_size <= most:
                text = file.read(status.st_size)
                _write_new(name, target, text)
                return len(text)
    return 0


def _write_new(name: str, directory: int, text: bytes) -> None:
    with os.fdopen(open_file(name, directory, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "wb") as file:
        file.write(text)


def _forget_old(directory: int) -> None:
    """Delete what processes that were killed have left."""
    with _listing(directory) as listing:
        names = os.listdir(listing)  # noqa: PTH208 - of a descriptor
    for name in names:
        with suppress(OSError):
            if os.stat(name, dir_fd=directory, follow_symlinks=False).st_mtime < time.time() - STALE_SECONDS:
                delete_tree(name, directory)
