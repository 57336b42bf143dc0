"""What stands below the roots of a session, and where the contents are that stood there.

A look at it reads states alone. Contents are saved afterwards, a slice at a time, also while a command runs:
a file that still has the state of the look has its content too. What git has is not copied.
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
"""The bytes that a look has copied ahead of changes, the files that changed last before others."""

MOST_REPOSITORIES = 20
_WORTH_GIT = 200  # files: fewer are read sooner than git answers
_MOST_LINKED = 100  # directories
_MOST_LIVELY = 32


class Workspace:
    """The trees below `roots`, which do not contain each other.

    Args:
        roots: absolute, links resolved.
        excluded: directories that are passed over.
        contents: where copies are kept.

    Attributes:
        snapshot: what stood there at the last look.
        left_out: how many files were not copied, because `MOST_COPIED` would be exceeded.
        is_too_large: nothing is looked at any more.
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
        """Save nothing more; another thread may be at it."""
        self._stopped = True

    def look(self) -> None:
        """Bring `snapshot` up to date. The first look also asks git what it has.

        Raises:
            CheckpointError: a file that changed just now cannot be saved.
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
        """Copy what is not saved, for some time; gives how many files are left.

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
        """Copy the file at `path`, if it has that state; gives its digest.

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
        """What to record of `states`; what git has of it is copied.

        Raises:
            CheckpointError: it cannot be written.
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
        """Drop what is known of states that nothing has any more, of which there may be many after many turns."""
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
            except (OSError, ValueError, ImportError):  # without the binding of libc, too
                self._watchable = False
        look = Look(self._excluded, self._contents.put, self._enter)
        if dirty is None or not self._looked:
            self.snapshot = look.all(self._roots, self.snapshot)
            self._looked = True
        else:
            # A write through a memory map, or under another name of the file, sends no event.
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
        """Look at everything the next time: events are gone, and contents that were not written."""
        self.snapshot, self._pending, self._looked = {}, [], False

    def _enter(self, directory: str) -> None:
        if self._watch is not None:
            try:
                self._watch.add(directory)
            except OSError:
                self._watch, self._watchable = None, False

    def _without_gits(self, files: list[tuple[str, State]]) -> list[tuple[str, State]]:
        """`files` but for those whose content git has."""
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
