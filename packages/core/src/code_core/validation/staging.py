"""A private copy of what checkers need to see, so that the workspace stays as it is."""

import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from stat import S_ISREG

import anyio

MOST_FILES = 4_000
MOST_BYTES = 64 * 2**20
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
        self._files = self._bytes = 0
        self.root.mkdir()
        self.scratch.mkdir()

    def put(self, texts: Mapping[str, bytes]) -> None:
        """Write the changed files, and copy the settings of checkers from their folders and those above."""
        folders: set[Path] = set()
        for name, text in texts.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text)
            folders.update(Path(name).parents)
        for folder in folders:
            for settings in SETTINGS:
                self._copy(self._workspace / folder / settings, LARGEST_SETTINGS)

    def project_of(self, file: str, markers: Iterable[str]) -> Path | None:
        """The nearest folder from `file` up that has one of `markers`, in the copy; None if none has."""
        for folder in Path(file).parents:
            if any((self._workspace / folder / marker).is_file() or (self.root / folder / marker).is_file()
                   for marker in markers):  # fmt: skip
                return self.root / folder
        return None

    def copy_project(self, project: Path) -> bool:
        """Copy what the project has besides; False if all projects have more than 4,000 files or 64 MiB."""
        if project not in self._projects:
            self._projects[project] = self._copy_tree(self._workspace / project.relative_to(self.root))
        return self._projects[project]

    def _copy_tree(self, source: Path) -> bool:
        for folder, folders, names in os.walk(source):
            here = Path(folder)
            for name in _LINKED.intersection(folders):
                link = self.root / (here / name).relative_to(self._workspace)
                link.parent.mkdir(parents=True, exist_ok=True)
                if not link.exists():
                    link.symlink_to(here / name)
            folders[:] = [name for name in folders if name not in _LINKED | _LEFT_OUT]
            for name in names:
                self._bytes += self._copy(here / name, MOST_BYTES)
                self._files += 1
                if self._files > MOST_FILES or self._bytes > MOST_BYTES:
                    return False
        return True

    def _copy(self, source: Path, most: int) -> int:
        """Copy a regular file that is not there yet; its size, or 0."""
        target = self.root / source.relative_to(self._workspace)
        try:
            status = source.lstat()
            if (
                not S_ISREG(status.st_mode)
                or status.st_size > most
                or source in self._gone
                or target.exists()
            ):
                return 0
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target, follow_symlinks=False)
        except OSError:
            return 0  # gone, or not ours to read: the checker will say what it misses
        return status.st_size


@asynccontextmanager
async def staging(root: Path, place: Path, gone: Iterable[Path] = ()) -> AsyncIterator[Staging]:
    """A staging of the workspace `root`, without the files in `gone`, in a folder of its own in `place`, which goes afterwards.

    `place` is where commands may not write: one that could would put links in our way.

    Raises:
        OSError: it cannot be made.
    """
    for folder in (place.parent, place):  # `mode` is for the last one alone
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _forget_old(place)
    folder = Path(os.path.realpath(tempfile.mkdtemp(dir=place)))
    try:
        yield Staging(folder, root, gone)
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(_delete, folder)


def _forget_old(place: Path) -> None:
    """Delete what processes that were killed have left."""
    for folder in place.iterdir():
        with suppress(OSError):
            if folder.lstat().st_mtime < time.time() - STALE_SECONDS:
                _delete(folder)


def _delete(folder: Path) -> None:
    """Delete a staging, also what a checker has closed to us."""
    try:
        shutil.rmtree(folder)
    except OSError:
        for path, folders, _ in os.walk(folder):
            for name in folders:
                below = Path(path, name)
                with suppress(OSError):
                    if not below.is_symlink():
                        below.chmod(0o700)
        shutil.rmtree(folder, ignore_errors=True)
