"""Errors between bytes and protocol.

WireError
└── SseOverflowError   one event is larger than the reader accepts
"""


class WireError(Exception):
    """The base of the wire's errors, all of which are the remote side's fault."""


class SseOverflowError(WireError):
    """A server-sent event is larger than the limit."""
