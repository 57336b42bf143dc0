"""The files below a session's roots, and where to find their contents.

A scan reads only states. Contents are saved afterwards, in slices, even while a command runs: a file that
still has the scanned state also has the scanned content. Contents that git stores are not copied.
"""

import time
from collections.abc import Iterable, Mapping, Sequence

from code_core.store.checkpoints import git_contents
from code_core.store.checkpoints.contents import Contents
from code_core.store.checkpoints.entries import LARGEST_FILE, Entry, State, content_of
from code_core.store.checkpoints.git_contents import Blob
from code_core.store.checkpoints.tree import MOST_ENTRIES, Look, Snapshot, TreeTooLarge
from code_core.store.checkpoints.watch import Watch
from code_core.store.errors import CheckpointError

MOST_COPIED = 256 * 2**20
"""Limit on bytes copied ahead of changes, most recently changed files first."""

MOST_REPOSITORIES = 20
_WORTH_GIT = 200  # files; reading fewer is faster than asking git
_MOST_LINKED = 100  # directories
_MOST_LIVELY = 32


class Workspace:
    """The trees below `roots`, which must not contain each other.

    Args:
        roots: absolute paths with links resolved.
        excluded: directories to skip.
        contents: where copies are stored.

    Attributes:
        snapshot: the state at the last scan.
        left_out: the number of files not copied because of `MOST_COPIED`.
        is_too_large: whether scanning was given up.
    """

    def __init__(self, roots: Sequence[str], excluded: frozenset[str], contents: Contents) -> None:
        self._roots = tuple(roots)
        self._excluded = excluded
        self._contents = contents
        self._watch: Watch | None = None
        self._watchable = True
        self._linked: set[str] = set()
        self._lively: dict[str, None] = {}
        self._repositories: set[str] = set()
        self._digests: dict[State, str] = {}
        self._blobs: dict[State, Blob] = {}
        self._pending: list[tuple[str, State]] = []
        self._room = MOST_COPIED
        self._looked = False
        self._stopped = False
        self.snapshot: Snapshot = {}
        self.left_out = 0
        self.is_too_large = False

    def stop(self) -> None:
        """Stop saving, including in another thread."""
        self._stopped = True

    def look(self) -> None:
        """Update `snapshot`. The first scan also asks git which contents it has.

        Raises:
            CheckpointError: a recently changed file cannot be saved.
        """
        if self.is_too_large:
            return
        try:
            look = self._look()
        except TreeTooLarge:
            self.snapshot, self._pending, self._digests, self._blobs = {}, [], {}, {}
            self._watch, self.is_too_large = None, True
            return
        except BaseException:
            self._start_again()
            raise
        self._repositories |= look.repositories
        new = [(path, state) for path, state in look.new_files if not self._is_kept(state)]
        if len(new) > _WORTH_GIT:
            new = self._without_gits(new)
        if new:
            self._pending = sorted(self._pending + new, key=lambda one: one[1].ctime)
            self._room = MOST_COPIED

    def save(self, seconds: float) -> int:
        """Copy unsaved files for some time; return how many are left.

        Raises:
            CheckpointError: they cannot be written.
        """
        until = time.monotonic() + seconds
        try:
            while self._pending and not self._stopped:
                path, state = self._pending.pop()
                if self._is_kept(state) or state.size > LARGEST_FILE:
                    continue
                if state.size > self._room:
                    self.left_out += 1
                    continue
                self.content(path, state)
                self._room -= state.size
                if time.monotonic() > until:
                    break
            self._contents.flush()
        except CheckpointError:
            self._start_again()
            raise
        return len(self._pending)

    def content(self, path: str, state: State) -> str | None:
        """Copy the file at `path`, if it still has that state, and return its digest.

        Raises:
            CheckpointError: it cannot be written.
        """
        known = self._kept(state)
        if known is not None:
            return known
        data = content_of(path, state) if state.size <= LARGEST_FILE else None
        digest = None if data is None else self._contents.put(data)
        if digest is not None:
            self._digests[state] = digest
        return digest

    def entries(self, states: Iterable[State]) -> Mapping[State, Entry]:
        """Return the entries to record for `states`, copying contents from git.

        Raises:
            CheckpointError: they cannot be written.
        """
        states = set(states)
        wanted = {
            self._blobs[state] for state in states if state in self._blobs and self._kept(state) is None
        }
        found = {blob: self._contents.put(data) for blob, data in git_contents.read(wanted)}
        for state in states:
            digest = found.get(self._blobs[state]) if state in self._blobs else None
            if digest is not None:
                self._digests[state] = digest
        return {state: state.entry(self._kept(state)) for state in states}

    def forget(self) -> None:
        """Drop data about states that no longer exist, which accumulates over many turns."""
        if len(self._digests) + len(self._blobs) > 2 * MOST_ENTRIES:
            standing = {state for folder in self.snapshot.values() for state in folder.values()}
            self._digests = {state: digest for state, digest in self._digests.items() if state in standing}
            self._blobs = {state: blob for state, blob in self._blobs.items() if state in standing}

    def _look(self) -> Look:
        dirty: set[str] | None = None
        if self._watch is not None:
            try:
                dirty = self._watch.changed()
            except OSError:
                self._watch, self._watchable = None, False
        elif self._watchable:
            try:
                self._watch = Watch(self._roots)
            except (OSError, ValueError, ImportError):  # ImportError: the libc bindings are missing
                self._watchable = False
        look = Look(self._excluded, self._contents.put, self._enter)
        if dirty is None or not self._looked:
            self.snapshot = look.all(self._roots, self.snapshot)
            self._looked = True
        else:
            # Writes through a memory map or another hard link send no event.
            self.snapshot = look.some(dirty | self._linked | self._lively.keys(), self.snapshot)
            for directory in dirty:
                self._lively.pop(directory, None)
                self._lively[directory] = None
            for directory in list(self._lively)[:-_MOST_LIVELY]:
                del self._lively[directory]
        self._linked |= look.linked
        if len(self._linked) > _MOST_LINKED:
            self._watch, self._watchable = None, False
        return look

    def _start_again(self) -> None:
        """Scan everything next time, because events were lost or contents were not written."""
        self.snapshot, self._pending, self._looked = {}, [], False

    def _enter(self, directory: str) -> None:
        if self._watch is not None:
            try:
                self._watch.add(directory)
            except OSError:
                self._watch, self._watchable = None, False

    def _without_gits(self, files: list[tuple[str, State]]) -> list[tuple[str, State]]:
        """`files` without those whose content git stores."""
        have: dict[str, Blob] = {}
        for repository in list(dict.fromkeys([*self._roots, *sorted(self._repositories)]))[
            :MOST_REPOSITORIES
        ]:
            have |= git_contents.clean_files(repository)
        left = []
        for path, state in files:
            blob = have.get(path)
            if blob is not None and blob.size == state.size:
                self._blobs[state] = blob
            else:
                left.append((path, state))
        return left

    def _is_kept(self, state: State) -> bool:
        return self._kept(state) is not None or state in self._blobs

    def _kept(self, state: State) -> str | None:
        digest = state.value or self._digests.get(state)
        return digest if digest is not None and self._contents.has(digest) else None
