"""Processes large values in a thread, so that they do not hold up the event loop.

A thread does not shorten a single call into C, which holds the interpreter's lock; it lets the loop run between calls.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import anyio.to_thread

_LARGE_PARTS = 1_000
_LARGE_TEXT = 256 * 1024

T = TypeVar("T")
V = TypeVar("V")


async def off_the_loop_if_large(function: Callable[[V], T], value: V) -> T:
    """Return `function(value)`, called in a thread if `value` is large."""
    if not is_large(value):
        return function(value)
    # Neither the argument nor the result of the thread, because both are referred to for a while longer.
    values, results = [value], list[T]()
    del value
    await anyio.to_thread.run_sync(lambda: results.append(function(values.pop())))
    return results.pop()


def is_large(value: Any) -> bool:
    """Whether a JSON value has more than about 1,000 parts or 256 Ki characters."""
    waiting, parts, text = [value], 0, 0
    while waiting:
        match waiting.pop():
            case str() as one:
                text += len(one)
            case dict() as members:
                parts += len(members)
                waiting.extend(members.values())
            case list() as items:
                parts += len(items)
                if parts <= _LARGE_PARTS:
                    waiting.extend(items)
            case _:
                continue
        if parts > _LARGE_PARTS or text > _LARGE_TEXT:
            return True
    return False
