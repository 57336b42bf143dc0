"""Failures of HTTP exchanges, with their reasons on one line."""

import os
import socket
import ssl
from dataclasses import dataclass

import httpx2

_LONGEST = 300
_NEVER_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.ProxyError)


@dataclass(frozen=True, slots=True)
class Refused:
    """The server answered a request with an HTTP status of 400 or above."""

    status: int


@dataclass(frozen=True, slots=True)
class Broken:
    """A request got no complete answer.

    Attributes:
        reason: why, on one line.
        unsent: whether the request certainly did not reach the server, so that repeating it is safe.
    """

    reason: str
    unsent: bool

    @classmethod
    def by(cls, error: Exception, url: httpx2.URL) -> "Broken":
        """Describe `error`, from a request to `url` or one needed for signing in to it."""
        reason = reason_of(error)
        if isinstance(error, httpx2.TransportError) and (elsewhere := _url_of(error)) not in {
            None,
            shown(url),
        }:
            reason = f"signing in needs {elsewhere}: {reason}"
        return cls(reason, isinstance(error, _NEVER_SENT))


Failure = Refused | Broken

_NAMES: dict[type[BaseException], str] = {
    httpx2.ConnectTimeout: "connecting took too long",
    httpx2.PoolTimeout: "no connection became free in time",
    httpx2.WriteTimeout: "the server did not read the request in time",
    httpx2.ReadTimeout: "the server did not answer in time",
    httpx2.ReadError: "the connection broke",
    httpx2.WriteError: "the connection broke",
}


def reason_of(error: BaseException) -> str:
    """Return why a connection failed, preferably as reported by the operating system, on one line."""
    match _root_of(error) if isinstance(error, httpx2.TransportError) else error:
        case socket.gaierror(strerror=reason):
            text = f"its name cannot be resolved: {reason}"
        case ssl.SSLCertVerificationError(verify_message=reason):
            text = f"its certificate cannot be verified: {reason}"
        case ssl.SSLError() as fault:
            text = f"TLS failed: {(fault.reason or str(fault)).replace('_', ' ').lower()}"
        case OSError(errno=int() as number):
            text = os.strerror(number)
            text = text[:1].lower() + text[1:]
        case _:
            text = str(error) or _NAMES.get(type(error)) or type(error).__name__
    return " ".join(text.split()).removesuffix(".")[:_LONGEST]


def _url_of(error: httpx2.RequestError) -> httpx2.URL | None:
    """The URL of the request."""
    try:
        return shown(error.request.url)
    except RuntimeError:  # the request was never created
        return None


def shown(url: httpx2.URL) -> httpx2.URL:
    """Return a URL without parts that may be secret."""
    return url.copy_with(userinfo=b"", query=None, fragment=None)


def _root_of(error: BaseException) -> BaseException:
    """The innermost cause of `error`; for several attempts, that of the first."""
    while True:
        if isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        elif (cause := error.__cause__ or error.__context__) is not None:
            error = cause
        else:
            return error
