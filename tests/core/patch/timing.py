"""Processor time, for tests that compare two sizes of the same work."""

import time
from collections.abc import Callable


def seconds(work: Callable[[], object]) -> float:
    """The shortest of three attempts."""
    times: list[float] = []
    for _ in range(3):
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return min(times)
