"""What a confined command may do, in paths of this machine."""

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from code_core.protocol.policies import SandboxPolicy, WorkspaceWrite

MOST_DIRECTORIES = 20_000
"""How many directories are looked through for nested repositories."""
SEARCH_AGAIN_SECONDS = 30.0

_known: dict[str, tuple[float, tuple[Path, ...]]] = {}


@dataclass(frozen=True, slots=True)
class Confinement:
    """The rights of a command: it reads everything, and writes below `writable` but not below `protected`.

    Attributes:
        writable: existing directories, symlinks resolved.
        protected: existing files and directories below them, symlinks resolved.
        network: whether it may reach the network.
    """

    writable: tuple[Path, ...] = ()
    protected: tuple[Path, ...] = ()
    network: bool = False


def confinement_of(policy: SandboxPolicy, cwd: Path, home: Path, environ: Mapping[str, str]) -> Confinement:
    """What `policy` lets a command in `cwd` do; the agent's own settings in `home` stay closed."""
    match policy:
        case WorkspaceWrite():
            roots = tuple(sorted({root for root in writable_roots(policy, cwd, environ) if root.is_dir()}))
            closed = {Path(os.path.realpath(path)) for path in (home, *(root / ".code" for root in roots))}
            if not policy.allow_git_writes:
                closed |= {
                    found
                    for root in (cwd, *policy.writable_roots)
                    for found in known_repositories(cwd / root)
                }
            inside = (path for path in closed if path.exists() and _below(path, roots) and path not in roots)
            return Confinement(roots, tuple(sorted(inside)), policy.network_access)
        case _:
            return Confinement()


def writable_roots(policy: SandboxPolicy, cwd: Path, environ: Mapping[str, str]) -> list[Path]:
    """The directories, symlinks resolved, below which `policy` lets files be written."""
    if not isinstance(policy, WorkspaceWrite):
        return []
    roots = [cwd, *(cwd / root for root in policy.writable_roots)]
    if not policy.exclude_slash_tmp:
        roots.append(Path("/tmp"))  # noqa: S108 - the policy names it
    if not policy.exclude_tmpdir_env_var and (temporary := environ.get("TMPDIR")):
        roots.append(cwd / temporary)
    return [Path(os.path.realpath(root)) for root in roots]


def known_repositories(root: Path) -> tuple[Path, ...]:
    """`repositories`, searched for again after 30 seconds, or after 20 times what that takes in a large tree."""
    key, now = os.path.realpath(root), time.monotonic()
    until, found = _known.get(key, (now, ()))
    if now >= until:
        found = tuple(repositories(root))
        took = time.monotonic() - now
        _known[key] = (now + max(SEARCH_AGAIN_SECONDS, 20 * took), found)
    return found


def repositories(root: Path) -> Iterator[Path]:
    """The `.git` of `root` and of every repository below it, in the first 20,000 directories."""
    waiting, seen = [os.path.realpath(root)], 0
    while waiting and seen < MOST_DIRECTORIES:
        folder = waiting.pop(0)
        seen += 1
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.name == ".git":
                        yield Path(os.path.realpath(entry.path))
                    elif entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
        except OSError:
            continue  # what we may not look into, a command may not write to either


def _below(path: Path, roots: Iterable[Path]) -> bool:
    return any(path.is_relative_to(root) for root in roots)
