"""What can go wrong between bytes and protocol.

WireError
└── SseOverflowError   one event is larger than the reader accepts
"""


class WireError(Exception):
    """The root of the wire's errors; the remote side is to blame for all of them."""


class SseOverflowError(WireError):
    """A server-sent event is larger than the limit."""
