"""A private copy of the files that checkers need, so that the workspace stays unchanged."""

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
"""Files that checkers look for next to the checked file and in its parent directories."""

# Large generated directories that are needed unchanged: linked instead of copied.
_LINKED = frozenset({"node_modules", ".venv", "venv", "vendor"})
_LEFT_OUT = frozenset(
    {".git", ".hg", ".svn", "target", "dist", "build", "__pycache__", ".tox", ".mypy_cache"}
)


class Staging:
    """A directory with the changed files at their paths in the workspace `root`, without those in `gone`."""

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
        """Write the changed files, and copy checker settings from their directories and parents."""
        folders: set[Path] = set()
        for name, text in texts.items():
            path = self.root / name
            with open_directory(path.parent, create=True) as directory:
                _write_new(path.name, directory, text)
            folders.update(Path(name).parents)
        for folder in folders:
            self._copy(self._workspace / folder, SETTINGS, LARGEST_SETTINGS)

    def project_of(self, file: str, markers: Iterable[str]) -> Path | None:
        """Return the nearest directory, from `file` up, that contains one of `markers`, or None."""
        for folder in Path(file).parents:
            if any((self._workspace / folder / marker).is_file() or (self.root / folder / marker).is_file()
                   for marker in markers):  # fmt: skip
                return self.root / folder
        return None

    def copy_project(self, project: Path) -> bool:
        """Copy the rest of the project; False if all projects together exceed 4,000 entries or 64 MiB, or this one 100 levels or 10 s."""
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
        """Link the entries of `source` with these names, unless they exist in the copy."""
        with open_directory(self._copied(source), create=True) as target:
            for name in names:
                with suppress(FileExistsError):
                    os.symlink(source / name, name, dir_fd=target)

    def _copy(self, source: Path, names: Iterable[str], most: int) -> int:
        """Copy the regular files with these names from a directory, unless they exist in the copy; return their total size.

        Stops after the file that exceeds `most`.
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
async def staging(root: Path, base: Path, gone: Iterable[Path] = ()) -> AsyncIterator[Staging]:
    """Yield a staging of the workspace `root`, without the files in `gone`, in a temporary directory in `base`.

    All files are written through directory descriptors, so a link planted on the way is an error.

    Raises:
        OSError: it cannot be created.
    """
    real = Path(os.path.realpath(base.parent)) / base.name
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
    """The directories and the other entries of a directory, at most `most`; empty if it cannot be read."""
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
    """Copy a regular file of at most `most` bytes between open directories, without overwriting; return its size.

    Returns 0 for anything not copied, such as deleted or unreadable files: the checker will report what it misses.
    """
    with suppress(OSError):
        if not stat.S_ISREG(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            return 0
        with os.fdopen(open_file(name, folder, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            status = os.fstat(file.fileno())  # it may have been replaced
            if stat.S_ISREG(status.st_mode) and status.st_size <= most:
                text = file.read(status.st_size)
                _write_new(name, target, text)
                return len(text)
    return 0


def _write_new(name: str, directory: int, text: bytes) -> None:
    with os.fdopen(open_file(name, directory, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "wb") as file:
        file.write(text)


def _forget_old(directory: int) -> None:
    """Delete what killed processes have left behind."""
    with _listing(directory) as listing:
        names = os.listdir(listing)  # noqa: PTH208 - of a descriptor
    for name in names:
        with suppress(OSError):
            if os.stat(name, dir_fd=directory, follow_symlinks=False).st_mtime < time.time() - STALE_SECONDS:
                delete_tree(name, directory)
