"""What a confined command may do, in terms of this machine's paths."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from code_core.config.paths import KEYS, MCP_TOKENS
from code_core.frozen import frozen
from code_core.protocol.policies import SandboxPolicy, WorkspaceWrite
from code_core.sandbox.limits import DEFAULT_LIMITS, Limits
from code_core.sandbox.protected import SETTINGS, Protected, protected_by
from code_core.sandbox.writable import in_one_of, writable_roots


@frozen
class Confinement:
    """The permissions of a command: it can read all but `hidden`, and write below `writable` except where protected.

    Attributes:
        writable: existing directories, symlinks resolved; one inside a protected one is writable.
        protected: existing files and directories below them, symlinks resolved.
        absent: what is to be protected but does not exist.
        links: symlinks below `writable` that lead to something protected; they can be replaced.
        own: those of `protected` that the agent runs from.
        network: whether it may reach the network.
        limits: what it may use up.
        hidden: existing directories with the agent's secrets, symlinks resolved.
    """

    writable: tuple[Path, ...] = ()
    protected: tuple[Path, ...] = ()
    absent: tuple[Path, ...] = ()
    links: tuple[Path, ...] = ()
    own: tuple[Path, ...] = ()
    network: bool = False
    limits: Limits = DEFAULT_LIMITS
    hidden: tuple[Path, ...] = ()

    def pinned(self) -> tuple[Path, ...]:
        """The writable directories between a root and a protected path, which could be moved by renaming them."""
        inner = (*self.writable, *self.protected, *self.absent, *self.links)
        between = {
            parent
            for path in inner
            for parent in path.parents
            if _strictly_below(parent, self.writable) and parent not in self.writable
        }
        return tuple(sorted(path for path in between if not in_one_of(path, self.protected)))


def confinement_of(policy: SandboxPolicy, cwd: Path, home: Path, environ: Mapping[str, str]) -> Confinement:
    """Return what `policy` lets a command in `cwd` do; the agent's own settings, in `home` and elsewhere, stay protected.

    A writable directory that is itself one of the agent's own is not writable.
    """
    hidden = _secrets_in(home)
    if not isinstance(policy, WorkspaceWrite):
        return Confinement(hidden=hidden)
    closed, roots = writable_and_protected(policy, cwd, home, environ)
    visible = {path: _visible(path) for path in closed.closed}
    behind = {seen for path, seen in visible.items() if seen != path}
    # A home directory may contain working trees; its settings directory may not.
    shut = (*closed.own, *(path / name for path in closed.settings for name in SETTINGS), *behind)
    candidates = {*(root for root in roots if os.path.isdir(root)), *closed.open_git}  # noqa: PTH112 - `Path.is_dir` raises
    directories = {path for path in candidates if path not in closed.settings and not in_one_of(path, shut)}
    writable = tuple(sorted(directories))
    inside = {path for path in visible.values() if _strictly_below(path, writable)}
    existing = {path for path in inside if os.path.exists(path)}  # noqa: PTH110 - `Path.exists` raises
    return Confinement(
        writable=writable,
        protected=tuple(sorted(existing)),
        absent=tuple(sorted(path for path in inside if path not in existing)),
        links=tuple(path for path in closed.links if _strictly_below(path, writable)),
        own=tuple(path for path in closed.own if path in existing),
        network=policy.network_access,
        limits=Limits.of(policy),
        hidden=hidden,
    )


def _secrets_in(home: Path) -> tuple[Path, ...]:
    folders = (os.path.realpath(home / name) for name in (KEYS, MCP_TOKENS))
    return tuple(Path(folder) for folder in folders if os.path.isdir(folder))  # noqa: PTH112 - `Path.is_dir` raises


def writable_and_protected(
    policy: SandboxPolicy, cwd: Path, home: Path, environ: Mapping[str, str]
) -> tuple[Protected, list[Path]]:
    """Return what stays protected, and the directories where `policy` allows writing."""
    roots = writable_roots(policy, cwd, environ)
    return protected_by(policy, cwd, home, roots), roots


def _visible(path: Path) -> Path:
    """Return `path` or, if a directory above it hides whether it exists, that directory, to be protected as a whole.

    A command can remove and restore the permissions of its user's directories.
    """
    for nearest in (path, *path.parents):
        try:
            nearest.lstat()
        except PermissionError:
            continue
        except OSError:
            return path
        return nearest
    return path


def _strictly_below(path: Path, roots: Iterable[Path]) -> bool:
    return in_one_of(path, (root for root in roots if root != path))
