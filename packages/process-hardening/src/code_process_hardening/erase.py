"""Takes a secret out of the environment, and out of the memory where the process was given it."""

import os
import re
import sys

from code_process_hardening import libc

_ENV_START, _ENV_END = 47, 48
"""Fields of `/proc/self/stat` after the program's name (proc(5) counts them 50 and 51)."""

_OURS = 2
"""References to an object that only one name holds, that of the question itself included."""


def take_variable(name: str) -> bytearray | None:
    """The value of the environment variable `name`, which is then nowhere else; None if it is not set.

    Zeroes the object that Python made of it at startup and, on Linux, the text that the kernel
    laid on the stack, which `/proc/PID/environ` shows. Whoever has read the variable before has
    made further copies; overwrite the returned one when it has served.
    """
    value = os.environb.get(os.fsencode(name))
    if value is None:
        return None
    taken = bytearray(value)
    del os.environ[name]
    if sys.getrefcount(value) <= _OURS:  # nobody else has this object, as code has its constants
        libc.zero(libc.address_of(memoryview(value)), len(value))
    if sys.platform == "linux":
        _erase_from_stack(os.fsencode(name))
    return taken


def _erase_from_stack(name: bytes) -> None:
    with open("/proc/self/stat", "rb") as file:  # noqa: PTH123 - one line
        fields = file.read().rpartition(b")")[2].split()
    start, end = int(fields[_ENV_START]), int(fields[_ENV_END])
    if not start < end:
        return  # the kernel does not tell
    # The first entry begins the block, every other one follows a NUL.
    entry = re.compile(rb"(?:\A|\0)" + re.escape(name) + rb"=([^\0]*)")
    with libc.memory(start, end - start) as block:
        spans = [match.span(1) for match in entry.finditer(block)]
    for first, last in spans:
        libc.zero(start + first, last - first)
