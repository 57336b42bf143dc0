"""Sets a command's limits after bubblewrap starts and before the command does.

bubblewrap reports the process that becomes the command as soon as it exists, and reads the system
call filter last. Holding back the filter therefore delays the command, and no shell with `ulimit`
is needed in between.
"""

import os
import select
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import BinaryIO

from code_core.lazy_pattern import lazy_pattern
from code_core.process.spawn import SpawnError

LONGEST_START = 10.0
"""Time limit for bubblewrap to create its namespaces."""

_CHILD = lazy_pattern(rb'"child-pid": (\d+)')


@contextmanager
def gate(seccomp: bytes, limits: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield two descriptors for bubblewrap's `--info-fd` and `--seccomp`; the command begins when the context ends.

    Start bubblewrap within the context without waiting for it. If it was not started, or the context
    ends with an exception, no command begins.

    Args:
        seccomp: the filter.
        limits: resource numbers and their limits; see `Limits.resources`.

    Raises:
        SpawnError: the limits cannot be set.
    """
    with _pipe() as (reports, to_report), _pipe() as (to_read, filters):
        yield to_report.fileno(), to_read.fileno()
        to_report.close()
        to_read.close()
        child = _child(reports.fileno())
        if child is not None:
            _limit(child, limits)
            with suppress(BrokenPipeError):  # bubblewrap has failed and reports why
                os.write(filters.fileno(), seccomp)


@contextmanager
def _pipe() -> Iterator[tuple[BinaryIO, BinaryIO]]:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb", buffering=0) as source, os.fdopen(writing, "wb", buffering=0) as sink:
        yield source, sink


def _child(reports: int) -> int | None:
    """The process that bubblewrap reports, or None if it exits without a report.

    Raises:
        SpawnError: it does neither in time.
    """
    waiting = select.poll()
    waiting.register(reports, select.POLLIN)
    report = b""
    until = time.monotonic() + LONGEST_START
    while not report.endswith(b"}\n"):
        if not waiting.poll(max(0.0, until - time.monotonic()) * 1000):
            raise SpawnError(
                f"bubblewrap did not create its namespaces within {LONGEST_START:g} seconds", 126
            )
        part = os.read(reports, 4096)
        if not part:
            break
        report += part
    found = _CHILD.search(report)
    return int(found[1]) if found else None


def _limit(child: int, limits: Sequence[tuple[int, int]]) -> None:
    """Limit a process and its future children, unless stricter limits already apply."""
    import resource

    try:
        for number, most in limits:
            _, highest = resource.prlimit(child, number)
            limit = most if highest == resource.RLIM_INFINITY else min(most, highest)
            resource.prlimit(child, number, (limit, limit))
    except ProcessLookupError:
        pass
    except OSError as error:
        raise SpawnError(f"the limits of the command cannot be set: {error.strerror}", 126) from error
