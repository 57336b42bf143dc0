"""What can go wrong between a request and its response.

HttpError
├── ConnectError      no connection: nobody listens, no such host, an untrusted certificate, a proxy that refuses
└── UnansweredError   the connection ended before the first byte of a response
"""


class HttpError(Exception):
    """A request got no response, or only a part of one; the cause is the operating system's error, where it has one."""


class ConnectError(HttpError):
    """There is no connection to send the request on."""


class UnansweredError(HttpError):
    """The server ended the connection without answering."""
