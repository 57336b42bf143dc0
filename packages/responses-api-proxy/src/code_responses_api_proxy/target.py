"""The upstream URL."""

import re
from typing import NamedTuple

from code_responses_api_proxy.errors import UsageError

DEFAULT = "https://api.openai.com/v1/responses"

_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9A-Fa-f:.]+\]|(?=[^:/?]{1,253}(?:[:/?]|$))[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*)(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<target>[/?][!$&'()*+,\-./:;=?@_~%A-Za-z0-9]*)?",
    re.IGNORECASE | re.ASCII,
)


class Target(NamedTuple):
    """The upstream: where to connect and what to request."""

    host: str
    port: int
    tls: bool
    authority: str
    """The `Host` header of each request."""
    path: str
    """The path with its query, as sent in requests."""

    @property
    def loopback(self) -> bool:
        """Whether it is on this machine."""
        return (
            self.host in {"localhost", "::1"} or re.fullmatch(r"127(?:\.\d{1,3}){3}", self.host) is not None
        )


def parse_target(url: str) -> Target:
    """Parse an upstream URL.

    Raises:
        UsageError: it is not an http or https URL, or contains credentials or a fragment.
    """
    parsed = _URL.fullmatch(url)
    port = int(parsed["port"] or 0) if parsed else 0
    if parsed is None or port > 65535 or parsed["port"] == "0":
        raise UsageError(
            "--upstream-url is not a URL that this proxy supports: use http:// or https://, a host name in ASCII, "
            "and optionally a port, a path and a query"
        )
    tls = parsed["scheme"].lower() == "https"
    default = 443 if tls else 80
    host = parsed["host"]
    path = parsed["target"] or "/"
    return Target(
        host=host.strip("[]"),
        port=port or default,
        tls=tls,
        authority=host if port in {0, default} else f"{host}:{port}",
        path=path if path.startswith("/") else f"/{path}",
    )
