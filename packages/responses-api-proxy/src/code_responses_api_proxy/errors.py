"""What can go wrong, by whose fault.

Exception
└── ProxyError
    ├── UsageError                the user's: an argument or the key; exit code 2
    ├── StartError                the machine's: no port, no place for a file; exit code 1
    ├── RefusedError              the client's: its request is not forwarded
    └── UpstreamError             the upstream's: answered with a JSON error if the response has not begun
        ├── UnreachableError      502: no connection, no TLS
        ├── ConnectTimeoutError   504: no connection in time
        ├── InvalidResponseError  502: not HTTP
        ├── LostError             502: closed before the end of the response
        └── BusyError             503: this proxy has no descriptor left
"""


class ProxyError(Exception):
    """Anything this package raises."""


class UsageError(ProxyError):
    """What the user gave cannot be used; the text never holds the key."""


class StartError(ProxyError):
    """The proxy cannot start."""


class RefusedError(ProxyError):
    """A request that is not forwarded, and the status that says so; its connection ends."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class UpstreamError(ProxyError):
    """The upstream failed; `status` and `code` are what the client gets."""

    status = 502
    code = "upstream_error"


class UnreachableError(UpstreamError):
    """No connection to the upstream."""

    code = "upstream_unreachable"


class ConnectTimeoutError(UpstreamError):
    """The upstream did not accept the connection in time."""

    status = 504
    code = "upstream_timeout"


class InvalidResponseError(UpstreamError):
    """What the upstream sent is not an HTTP/1.1 response."""

    code = "upstream_invalid_response"


class LostError(UpstreamError):
    """The upstream closed the connection before the end of the response."""

    code = "upstream_lost"


class BusyError(UpstreamError):
    """This process can open no further connection."""

    status = 503
    code = "proxy_busy"
