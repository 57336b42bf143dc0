"""Errors between bytes and protocol.

WireError
├── SseOverflowError         one event is larger than the reader accepts
├── MalformedResponseError   what a server sent is not an HTTP/1.1 response
└── InvalidUrlError          a setting names an address that is not an http or https URL
"""


class WireError(Exception):
    """The base of the wire's errors, all of which but `InvalidUrlError` are the remote side's fault."""


class SseOverflowError(WireError):
    """A server-sent event is larger than the limit."""


class MalformedResponseError(WireError):
    """A response is not HTTP/1.1, or is compressed although the request did not allow that."""


class InvalidUrlError(WireError):
    """A URL to which no request can be sent."""
