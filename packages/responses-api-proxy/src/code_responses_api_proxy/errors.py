"""The proxy's errors, by who is at fault.

Exception
└── ProxyError
    ├── UsageError                the user: an argument or the key; exit code 2
    ├── StartError                the machine: no port, or a file cannot be written; exit code 1
    ├── RefusedError              the client: its request is not forwarded
    └── UpstreamError             the upstream: a JSON error if the response has not begun
        ├── UnreachableError      502: no connection, or no TLS
        ├── ConnectTimeoutError   504: no connection in time
        ├── InvalidResponseError  502: not HTTP
        ├── LostError             502: closed before the end of the response
        └── BusyError             503: the proxy is out of descriptors
"""


class ProxyError(Exception):
    """The base of this package's errors."""


class UsageError(ProxyError):
    """The user's input is invalid; the message never contains the key."""


class StartError(ProxyError):
    """The proxy cannot start."""


class RefusedError(ProxyError):
    """A request that is not forwarded, with the status to answer; its connection is closed."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class UpstreamError(ProxyError):
    """The upstream failed; `status` and `code` are sent to the client."""

    status = 502
    code = "upstream_error"


class UnreachableError(UpstreamError):
    """The upstream cannot be reached."""

    code = "upstream_unreachable"


class ConnectTimeoutError(UpstreamError):
    """The upstream did not accept the connection in time."""

    status = 504
    code = "upstream_timeout"


class InvalidResponseError(UpstreamError):
    """The upstream's response is not HTTP/1.1."""

    code = "upstream_invalid_response"


class LostError(UpstreamError):
    """The upstream closed the connection before the end of the response."""

    code = "upstream_lost"


class BusyError(UpstreamError):
    """This process cannot open another connection."""

    status = 503
    code = "proxy_busy"
