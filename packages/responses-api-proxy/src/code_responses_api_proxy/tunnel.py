"""Connects to the upstream through a proxy named in the environment, if requested (CONNECT, RFC 9110 §9.3.6)."""

import asyncio
import base64
import os
import re
import socket
from urllib.parse import unquote_to_bytes

from code_responses_api_proxy.errors import UsageError
from code_responses_api_proxy.target import Target

_ANSWER_LIMIT = 16 * 1024


class Tunnel:
    """Opens connections to `target` through the proxy at `host` and `port`.

    Args:
        target: the upstream.
        host: the proxy's host.
        port: the proxy's port.
        credentials: `USER:PASSWORD` for the proxy, percent-encoded; empty without any.
    """

    def __init__(self, target: Target, host: str, port: int, credentials: str = "") -> None:
        self.port = port
        self._target = target
        self._host = host
        login = base64.b64encode(unquote_to_bytes(credentials)).decode("ascii")
        self._authorization = f"Proxy-Authorization: Basic {login}\r\n" if credentials else ""

    async def open(self) -> socket.socket:
        """Return a socket connected to the target.

        Raises:
            OSError: no connection, or the proxy refused it.
        """
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(self._host, self.port, type=socket.SOCK_STREAM)
        family, kind, protocol, _, address = found[0]
        connected = socket.socket(family, kind, protocol)
        try:
            connected.setblocking(False)
            await self._connect(loop, connected, address)
            await self._request(loop, connected)
        except BaseException:
            connected.close()
            raise
        return connected

    async def _connect(
        self, loop: asyncio.AbstractEventLoop, connected: socket.socket, address: tuple[object, ...]
    ) -> None:
        try:
            await loop.sock_connect(connected, address)
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else error
            raise OSError(None, f"the proxy {self._host}:{self.port} cannot be reached: {reason}") from error

    async def _request(self, loop: asyncio.AbstractEventLoop, connected: socket.socket) -> None:
        host = f"[{self._target.host}]" if ":" in self._target.host else self._target.host
        where = f"{host}:{self._target.port}"
        await loop.sock_sendall(
            connected, f"CONNECT {where} HTTP/1.1\r\nHost: {where}\r\n{self._authorization}\r\n".encode()
        )
        answer = b""
        # Byte by byte at the end, because what follows the blank line is not ours to read.
        while not answer.endswith(b"\r\n\r\n"):
            got = await loop.sock_recv(connected, 1)
            answer += got
            if not got or len(answer) > _ANSWER_LIMIT:
                raise OSError(None, f"the proxy {self._host}:{self.port} gave no answer to CONNECT")
        if re.match(rb"HTTP/1\.[01] 2[0-9][0-9]", answer) is None:
            status = answer.partition(b"\r\n")[0].decode("latin-1")
            raise OSError(None, f"the proxy {self._host}:{self.port} refused: {status}")


def find_tunnel(target: Target) -> Tunnel | None:
    """Return the proxy that the environment names for `target`, or None.

    Raises:
        UsageError: the proxy is not supported; only http:// proxies are.
    """
    if _is_direct(target):
        return None
    scheme = "https" if target.tls else "http"
    names = (f"{scheme}_proxy", f"{scheme}_proxy".upper(), "all_proxy", "ALL_PROXY")
    name = next((name for name in names if os.environ.get(name)), None)
    if name is None:
        return None
    parsed = re.fullmatch(
        r"(?:http://)?(?:([^\s/?#]+)@)?([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):([0-9]{1,5})/?", os.environ[name]
    )
    if parsed is None or not 0 < int(parsed[3]) < 65536:
        raise UsageError(
            f"{name} is not of the form http://HOST:PORT, the only kind of proxy that is supported"
        )
    return Tunnel(target, parsed[2].strip("[]"), int(parsed[3]), parsed[1] or "")


def _is_direct(target: Target) -> bool:
    listed = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    suffixes = [entry.strip().lstrip(".").lower() for entry in listed.split(",") if entry.strip()]
    host = target.host.lower()
    return any(suffix in {"*", host} or host.endswith(f".{suffix}") for suffix in suffixes)
