"""Detects whether a confined command failed because it was confined.

The evidence is how the sandbox refuses: a signal for a forbidden system call, or a system error for
a path that is not writable, or for the network without access to it. Words alone prove nothing:
directories can be named `sandbox`, and servers answer "permission denied".
"""

import posixpath
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from code_core.lazy_pattern import lazy_pattern

SIGSYS_EXIT_CODE = 159
COMMAND_NOT_FOUND = 127
MOST_LINES = 400
LONGEST_LINE = 2_000

_READ_ONLY = "read-only file system"
_REFUSALS = lazy_pattern(
    rf"{_READ_ONLY}|permission denied|operation not permitted|unable to open database file", re.IGNORECASE
)
# Protected files in a writable directory are mount points, which cannot be removed or replaced.
_BUSY = lazy_pattern("device or resource busy", re.IGNORECASE)
# Compiled only when a command fails, because that takes some milliseconds.
_NO_NETWORK = (
    r"could(?:n't| not) resolve (?:host|proxy)|temporary failure (?:in name resolution|resolving)|EAI_AGAIN"
    r"|unable to resolve host address|name or service not known|nodename nor servname|network is unreachable"
    r"|(?:socket|connect|bind|getaddrinfo|lookup|ping)\b.{0,120}(?:operation not permitted|EPERM)"
    r"|failed to (?:establish a new connection|connect|create socket).{0,200}operation not permitted"
    r"|(?:EPERM|EACCES)\b.{0,40}\b(?:connect|socket|listen|bind)\b"
)
# Python's error for a refused call does not name the call; the lines before it do.
_CALLS_NETWORK = lazy_pattern(r"\b_?socket\.|\bconnect\(|\bgetaddrinfo\(")
_CONTEXT_LINES = 4
_QUOTED = lazy_pattern(r"""'([^']+)'|"([^"]+)"|`([^'`]+)['`]|\u2018([^\u2019]+)\u2019""")
_WITH_SLASH = lazy_pattern(r"[^\s'\"`\u2018\u2019:,;=()\[\]]*/[^\s'\"`\u2018\u2019:,;()\[\]]*")
_ONE_WORD = lazy_pattern(r"(?:^|: )([^\s:'\"]+): [^:]+$")


def denied_by_sandbox(
    exit_code: int,
    output: str,
    *,
    cwd: Path,
    writable: Iterable[Path],
    protected: Iterable[Path] = (),
    network: bool = False,
) -> bool:
    """Whether the sandbox denied the command something, judging by `exit_code` and `output`.

    Examines the first and the last 200 lines, and 2,000 characters of each.

    Args:
        exit_code: as a shell reports it; 128 plus the number for a signal.
        output: both streams.
        cwd: the directory it ran in, for relative paths in messages.
        writable: the directories where it could write.
        protected: paths below them that it could not write.
        network: whether it had network access.
    """
    if exit_code in {0, COMMAND_NOT_FOUND}:
        return False
    if exit_code == SIGSYS_EXIT_CODE:
        return True
    roots, closed = tuple(writable), tuple(protected)
    lines = output.splitlines()
    half = MOST_LINES // 2
    shown = [line[:LONGEST_LINE].strip() for line in [*lines[:half], *lines[half:][-half:]]]
    return any(
        _names_closed(line, cwd, roots, closed) or (not network and _is_of_network(shown, number))
        for number, line in enumerate(shown)
    )


def _names_closed(line: str, cwd: Path, roots: tuple[Path, ...], closed: tuple[Path, ...]) -> bool:
    """Whether a line is a system error about writing a path that is not writable."""
    if _REFUSALS.search(line):
        return any(not _in_one_of(path, roots) or _in_one_of(path, closed) for path in _paths(line, cwd))
    return bool(_BUSY.search(line)) and any(_in_one_of(path, closed) for path in _paths(line, cwd))


def _is_of_network(lines: list[str], number: int) -> bool:
    line = lines[number]
    if re.search(_NO_NETWORK, line, re.IGNORECASE):
        return True
    before = lines[max(0, number - _CONTEXT_LINES) : number]
    return "Operation not permitted" in line and any(map(_CALLS_NETWORK.search, before))


def _paths(line: str, cwd: Path) -> Iterator[Path]:
    """The paths that an error message names: quoted, with a slash, or alone before the error."""
    named = [next(filter(None, groups)) for groups in _QUOTED.findall(line)]
    named += _WITH_SLASH.findall(line)
    named += _ONE_WORD.findall(line)
    for name in named:
        if "://" in name or name.startswith("//") or "\0" in name:
            continue
        yield Path(posixpath.normpath(posixpath.join(cwd, name)))


def _in_one_of(path: Path, folders: tuple[Path, ...]) -> bool:
    return any(path.is_relative_to(folder) for folder in folders)
