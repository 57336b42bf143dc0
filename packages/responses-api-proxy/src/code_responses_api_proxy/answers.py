"""Responses that the proxy itself sends."""

from code_responses_api_proxy.errors import RefusedError, UpstreamError

_REASONS = {
    200: b"OK",
    400: b"Bad Request",
    403: b"Forbidden",
    408: b"Request Timeout",
    413: b"Content Too Large",
    417: b"Expectation Failed",
    431: b"Request Header Fields Too Large",
    501: b"Not Implemented",
    502: b"Bad Gateway",
    503: b"Service Unavailable",
    504: b"Gateway Timeout",
    505: b"HTTP Version Not Supported",
}

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def answer(status: int, body: bytes = b"", *, keep_alive: bool = False, extra: bytes = b"") -> bytes:
    """Return a complete response; `extra` contains further header lines."""
    content = b"Content-Type: application/json\r\n" if body else b""
    connection = b"" if keep_alive else b"Connection: close\r\n"
    return b"HTTP/1.1 %d %b\r\n%bContent-Length: %d\r\n%b%b\r\n%b" % (
        status,
        _REASONS[status],
        content,
        len(body),
        extra,
        connection,
        body,
    )


def refusal(error: RefusedError) -> bytes:
    """Return the answer to a refused request; a 403 reveals nothing to clients that should not be here."""
    return answer(error.status, b"" if error.status == 403 else _described(str(error), "proxy_refused"))


def busy() -> bytes:
    """Return the answer to a connection above the limit."""
    return answer(
        503,
        _described("the proxy has too many connections", "proxy_busy"),
        extra=b"Retry-After: 1\r\n",
    )


def failure(error: UpstreamError, *, keep_alive: bool) -> bytes:
    """Return the response if the upstream did not send one."""
    extra = b"Retry-After: 1\r\n" if error.status == 503 else b""
    return answer(error.status, _described(str(error), error.code), keep_alive=keep_alive, extra=extra)


def _described(message: str, code: str) -> bytes:
    """The format of the API's own errors, so that clients show the message."""
    import json

    return json.dumps({"error": {"message": message, "type": "proxy_error", "code": code}}).encode()
