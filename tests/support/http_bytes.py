"""Socket servers that send scripted bytes, and requests to them with the engine's HTTP client."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread

from code_core.model.connection import Route
from code_core.model.http_client import HttpClient
from support.certificates import make_certificate

OK = b"HTTP/1.1 200 OK\r\n"
HI = OK + b"Content-Length: 2\r\n\r\nhi"
DIRECT = Route(None, None, 30)

Script = Callable[[socket.socket], None]


@contextmanager
def server(*scripts: Script, closed: threading.Semaphore | None = None) -> Iterator[tuple[int, list[bytes]]]:
    """A port whose connections are handled by `scripts` in turn, and what each of them received first.

    `closed` counts the connections that the server has closed.
    """
    received: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            for script in scripts:
                connected, _ = listener.accept()
                with connected:
                    received.append(connected.recv(65536))
                    script(connected)
                if closed is not None:
                    closed.release()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1], received
        thread.join(30)
        assert not thread.is_alive()


def sends(*parts: bytes) -> Script:
    def script(connected: socket.socket) -> None:
        for part in parts:
            connected.sendall(part)

    return script


def ask(
    port: int,
    path: str = "/",
    *,
    route: Route = DIRECT,
    times: int = 1,
    kept: bool = False,
    closed: threading.Semaphore | None = None,
    **more: Any,
) -> list[tuple[int, dict[str, str], bytes]]:
    """Status, headers and body of each response; raises what the client raises.

    `closed` is waited for after each response.
    """
    asked = {"method": "GET", "url": f"http://127.0.0.1:{port}{path}", "headers": {}} | more

    async def main() -> list[tuple[int, dict[str, str], bytes]]:
        responses = []
        with anyio.fail_after(30):
            async with HttpClient(route, keeps_connections=kept) as client:
                for _ in range(times):
                    response = await client.send(**asked)
                    try:
                        body = b"".join([chunk async for chunk in response.chunks()])
                    finally:
                        await response.aclose()
                    responses.append((response.status, dict(response.headers), body))
                    if closed is not None:
                        await anyio.to_thread.run_sync(closed.acquire)
        return responses

    return anyio.run(main)


def tls_server(directory: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """TLS contexts for a server on `localhost` and for a client that trusts it."""
    make_certificate(directory)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "cert.pem", directory / "key.pem")
    return context, ssl.create_default_context(cafile=directory / "cert.pem")
