"""Removes a secret from the environment, and from the memory in which the process received it."""

import os
import re
import sys

from code_process_hardening import libc

_ENV_START, _ENV_END = 47, 48
"""Fields of `/proc/self/stat` after the program's name (proc(5) counts them 50 and 51)."""

_OURS = 2
"""References to an object that only one name holds, including that of the query itself."""


def take_variable(name: str) -> bytearray | None:
    """Remove the environment variable `name` and return its value, or None if it is not set.

    Zeroes the object that Python created for it at startup and, on Linux, the text that the kernel put on
    the stack, which `/proc/PID/environ` shows. Code that has read the variable before has further
    copies. Overwrite the returned one after use.
    """
    value = os.environb.get(os.fsencode(name))
    if value is None:
        return None
    taken = bytearray(value)
    del os.environ[name]
    if sys.getrefcount(value) <= _OURS:  # no other code references this object, as it would a constant
        libc.zero(libc.address_of(memoryview(value)), len(value))
    if sys.platform == "linux":
        _erase_from_stack(os.fsencode(name))
    return taken


def _erase_from_stack(name: bytes) -> None:
    with open("/proc/self/stat", "rb") as file:  # noqa: PTH123 - one line
        fields = file.read().rpartition(b")")[2].split()
    start, end = int(fields[_ENV_START]), int(fields[_ENV_END])
    if not start < end:
        return  # not reported by the kernel
    # The first entry begins the block, every other one follows a NUL.
    entry = re.compile(rb"(?:\A|\0)" + re.escape(name) + rb"=([^\0]*)")
    with libc.memory(start, end - start) as block:
        spans = [match.span(1) for match in entry.finditer(block)]
    for first, last in spans:
        libc.zero(start + first, last - first)
