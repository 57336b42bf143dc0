"""The files named in a patch, as read for planning."""

from collections.abc import Mapping
from errno import EISDIR, ELOOP, ENOTDIR
from pathlib import Path

from code_core.frozen import frozen
from code_core.patch.errors import PatchReadError
from code_core.patch.filesystem import FileState, FileSystem
from code_core.patch.model import Patch, UpdateFile

MAX_READ_BYTES = 128 * 2**20


@frozen
class Sources:
    """The state on disk.

    Attributes:
        directory: the base of relative paths.
        names: for each path in the patch, the path without symbolic links above the file, and the
            fully resolved path.
        states: the files at those paths; None if missing, an error for anything but a file.
    """

    directory: Path
    names: Mapping[Path, tuple[Path, Path]]
    states: Mapping[Path, FileState | OSError | None]

    @property
    def size(self) -> int:
        """The total size of the files in bytes."""
        return sum(len(state.data) for state in self.states.values() if isinstance(state, FileState))

    def is_same(self, now: "Sources") -> bool:
        """Whether `now`, which was read later, resolves to the same files with the same content."""
        return self.names == now.names and all(
            before.is_same(after if isinstance(after, FileState) else None)
            if isinstance(before, FileState)
            else type(before) is type(after)
            for before, after in zip(self.states.values(), now.states.values(), strict=True)
        )

    def absolute(self, path: str) -> Path:
        """Return `path` made absolute, with `.` and `..` removed textually; symbolic links stay."""
        joined = self.directory / path
        parts: list[str] = []
        for part in joined.relative_to(joined.anchor).parts:
            if part == "..":
                del parts[-1:]
            else:
                parts.append(part)
        # In POSIX, two leading slashes may name another root, but not on systems that we support.
        return Path("/" if joined.anchor == "//" else joined.anchor, *parts)


async def read_sources(patch: Patch, files: FileSystem, directory: Path) -> Sources:
    """Read the files in `patch`, with paths relative to the absolute `directory`.

    Raises:
        PatchReadError: the files exceed 128 MiB in total.
    """
    names: dict[Path, tuple[Path, Path]] = {}
    states: dict[Path, FileState | OSError | None] = {}
    sources = Sources(directory, names, states)
    size = 0
    for hunk in patch.hunks:
        for written in (hunk.path, hunk.move_to if isinstance(hunk, UpdateFile) else None):
            if written is None or (path := sources.absolute(written)) in names:
                continue
            names[path] = await _names(path, files)
            for name in names[path]:
                if name in states:
                    continue
                states[name] = state = await _state(name, files)
                size += len(state.data) if isinstance(state, FileState) else 0
                if size > MAX_READ_BYTES:
                    raise PatchReadError(
                        f"The patch's files have more than {MAX_READ_BYTES:,} bytes in total: split it into several patches."
                    )
    return sources


async def read_again(sources: Sources, files: FileSystem) -> Sources:
    """Resolve and read the same paths again."""
    names = {path: await _names(path, files) for path in sources.names}
    return Sources(sources.directory, names, {name: await _state(name, files) for name in sources.states})


class Forecast:
    """The files as they will be after the edits planned so far."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._planned: dict[Path, FileState | None] = {}
        self._directories: set[Path] = (
            set()
        )  # directories that writing creates; deleting a file keeps its directory

    def name(self, path: str) -> Path:
        """Return `path` without symbolic links above the file."""
        return self._sources.names[self._sources.absolute(path)][0]

    def file(self, path: str) -> Path:
        """Return the file that `path` refers to, through links that still exist."""
        name, file = self._sources.names[self._sources.absolute(path)]
        return name if name in self._planned else file

    def write(self, path: Path, state: FileState) -> None:
        """Record that the file will be `state`."""
        self._planned[path] = state
        self._directories.update(path.parents)

    def delete(self, path: Path) -> None:
        """Record that the file, or the link if `path` is one, will be deleted."""
        self._planned[path] = None

    def existing(self, path: Path, problem: str) -> FileState:
        """Return the file.

        Raises:
            PatchReadError: `problem`, and the reason.
        """
        state = self.state(path, problem)
        if state is None:
            gone = "it was deleted or moved earlier in this patch"
            raise PatchReadError(
                f"{problem}: {gone if path in self._planned else 'No such file or directory'}"
            )
        return state

    def state(self, path: Path, problem: str) -> FileState | None:
        """Return the file, or None if it does not exist.

        Raises:
            PatchReadError: `problem`, and the reason.
        """
        try:
            return self._current(path)
        except OSError as error:
            raise PatchReadError(f"{problem}: {error.strerror or error}") from error

    def regular(self, path: Path, problem: str) -> FileState | None:
        """Return the file with links resolved, or None if it does not exist.

        Raises:
            PatchReadError: `problem`, and the reason, such as a cycle of links.
        """
        state = self.state(path, problem)
        if state is not None and state.link:
            loop = OSError(ELOOP, "Too many levels of symbolic links")
            raise PatchReadError(f"{problem}: {loop.strerror}") from loop
        return state

    def _current(self, path: Path) -> FileState | None:
        if path in self._directories:
            raise IsADirectoryError(EISDIR, "Is a directory")
        if path in self._planned:
            return self._planned[path]
        for parent in path.parents:
            if parent in self._planned:
                if self._planned[parent] is not None:
                    raise NotADirectoryError(ENOTDIR, "Not a directory")
                return None  # a path below a former file
        state = self._sources.states[path]
        if isinstance(state, OSError):
            raise state
        return state


async def _names(path: Path, files: FileSystem) -> tuple[Path, Path]:
    name = await files.resolve(path.parent) / path.name
    return name, await files.resolve(name)


async def _state(path: Path, files: FileSystem) -> FileState | OSError | None:
    try:
        return await files.read(path)
    except OSError as error:
        return error
