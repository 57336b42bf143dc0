"""The directories where a policy allows writing."""

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from code_core.protocol.policies import SandboxPolicy, WorkspaceWrite

_KERNELS_OWN = (Path("/proc"), Path("/sys"), Path("/dev"))
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - only compared with
_MOST_LINKS = 40
"""The limit of the kernel (path_resolution(7))."""


def writable_roots(policy: SandboxPolicy, cwd: Path, environ: Mapping[str, str]) -> list[Path]:
    """Return the directories, with symlinks resolved, where `policy` allows writing.

    Never kernel directories (`/proc`, `/sys` and `/dev`, except for shared memory), and never any of
    `redirected_roots`.
    """
    return [
        Path(os.path.realpath(path))
        for path, redirected in _named_roots(policy, cwd, environ).items()
        if not redirected
    ]


def redirected_roots(policy: SandboxPolicy, cwd: Path, environ: Mapping[str, str]) -> list[Path]:
    """Return directories that `policy` names but that are not writable, because a command could choose where they lead.

    Their path goes through a symlink in a writable directory. A command may have put it there, to be
    able to write anywhere.
    """
    return [path for path, redirected in _named_roots(policy, cwd, environ).items() if redirected]


def _named_roots(policy: SandboxPolicy, cwd: Path, environ: Mapping[str, str]) -> dict[Path, bool]:
    """Every directory that `policy` names, and whether a command could choose where it leads."""
    if not isinstance(policy, WorkspaceWrite):
        return {}
    named = [cwd, *(cwd / root for root in policy.writable_roots)]
    if not policy.exclude_slash_tmp:
        named.append(Path("/tmp"))  # noqa: S108 - the policy names it
    if not policy.exclude_tmpdir_env_var and (temporary := environ.get("TMPDIR")):
        named.append(cwd / temporary)
    resolved = {path: Path(os.path.realpath(path)) for path in named}
    resolved = {path: real for path, real in resolved.items() if not _is_kernels(real)}
    real_roots = frozenset(resolved.values())
    return {
        path: any(in_one_of(folder, real_roots) for folder in _folders_of_links(path)) for path in resolved
    }


def _folders_of_links(path: Path) -> Iterator[Path]:
    """The directories, themselves resolved, of all symlinks that are followed on the way to `path`."""
    at = Path("/")
    waiting = list(reversed(path.absolute().parts))
    links = 0
    while waiting:
        name = waiting.pop()
        if name == "..":
            at = at.parent
            continue
        entry = at / name  # restarts from `/` if it is the first part of an absolute path
        try:
            target = entry.readlink()
        except OSError:
            at = entry
            continue
        yield at
        links += 1
        if links > _MOST_LINKS:
            return
        waiting.extend(reversed(target.parts))


def _is_kernels(path: Path) -> bool:
    return in_one_of(path, _KERNELS_OWN) and not in_one_of(path, (_SHARED_MEMORY,))


def in_one_of(path: Path, folders: Iterable[Path]) -> bool:
    """Whether `path` is one of `folders` or inside one; all absolute. Ten times faster than `Path.is_relative_to`."""
    text = f"{path}/"
    return any(text.startswith(f"{folder}/") or str(folder) == "/" for folder in folders)
