"""Errors between a request and its response.

HttpError
├── ConnectError      no connection: nothing listens, unknown host, untrusted certificate, or a proxy that refuses
└── UnansweredError   the connection ended before the first byte of a response
"""


class HttpError(Exception):
    """A request got no complete response; the cause is the operating system's error, if any."""


class ConnectError(HttpError):
    """The request could not be sent, because no connection could be made."""


class UnansweredError(HttpError):
    """The server ended the connection without answering."""
