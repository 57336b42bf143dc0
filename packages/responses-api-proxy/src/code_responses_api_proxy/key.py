"""Reads the key from standard input into locked memory, as part of the head of every upstream request.

The key never becomes a Python object, because objects are copied and freed memory is not wiped.
"""

import os
import re

from code_process_hardening import SecretBuffer
from code_responses_api_proxy.errors import UsageError
from code_responses_api_proxy.target import Target

MOST_BYTES = 1017
_LINE_END = 2
# RFC 6750's b64token, which covers the keys of all known vendors.
_FOREIGN = re.compile(rb"[^A-Za-z0-9\-._~+/=]")


def read_head(target: Target, *, secret_memory: bool = True, descriptor: int = 0) -> SecretBuffer:
    """Read the key from `descriptor`; return the request line, `Host`, `Accept-Encoding` and `Authorization`.

    Raises:
        UsageError: the key is missing, or is not a valid bearer token.
        SecretMemoryError: no memory could be locked.
    """
    if os.isatty(descriptor):
        raise UsageError("standard input is a terminal: pipe the key in, `printenv OPENAI_API_KEY | ...`")
    start = _start(target)
    buffer = SecretBuffer(len(start) + MOST_BYTES + 2 * _LINE_END, secret_memory=secret_memory)
    buffer.append(start)
    try:
        _read_key(buffer, descriptor)
    except BaseException:
        buffer.wipe()
        raise
    buffer.append(b"\r\n")
    return buffer


def key_in(head: SecretBuffer, target: Target) -> memoryview:
    """Return a view of the key within a head made by `read_head`."""
    with head.view() as view:
        return view[len(_start(target)) : -2]


def _start(target: Target) -> bytes:
    # A compressed response could not be searched for the key.
    return (
        f"POST {target.path} HTTP/1.1\r\nHost: {target.authority}\r\n"
        "Accept-Encoding: identity\r\nAuthorization: Bearer "
    ).encode()


def _read_key(buffer: SecretBuffer, descriptor: int) -> None:
    start = buffer.length
    most = start + MOST_BYTES
    try:
        # The newline ends the key even if the writer keeps the pipe open.
        while buffer.readinto(descriptor, most + _LINE_END + 1 - buffer.length) and not _ends_line(buffer):
            pass
    except OSError as error:
        raise UsageError(f"the key cannot be read from standard input: {error.strerror}") from error
    for ending in b"\n\r":
        with buffer.view() as view:
            if len(view) > start and view[-1] == ending:
                buffer.truncate(len(view) - 1)
    if buffer.length == start:
        raise UsageError("standard input has no key: pipe it in, `printenv OPENAI_API_KEY | ...`")
    if buffer.length > most:
        raise UsageError(f"the key is longer than {MOST_BYTES} bytes")
    with buffer.view() as view, view[start:] as key:
        if (foreign := _FOREIGN.search(key)) is not None:
            position = foreign.start()
            del foreign  # it references the view
            raise UsageError(f"byte {position + 1} of the key is not a letter, a digit or one of -._~+/=")


def _ends_line(buffer: SecretBuffer) -> bool:
    with buffer.view() as view:
        return len(view) > 0 and view[-1] == 10
