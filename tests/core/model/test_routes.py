"""How the HTTP client reaches a server: through proxies, with TLS, at every kind of address."""

import socket
import ssl
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from code_core.model.connection import MOST_SENT, HttpProxy, Route, proxy_at
from code_core.model.errors import ConnectError
from code_core.model.network import certificate_problem, trusting_context
from support.http_bytes import HI, ask, sends, server, tls_server


def test_a_proxy_forwards_unencrypted_requests() -> None:
    with server(sends(HI)) as (port, received):
        route = Route(proxy_at(f"http://me:s%40fe@127.0.0.1:{port}"), None, 30)
        assert ask(0, route=route, url="http://models.example:8080/v1?a=b")[0][2] == b"hi"
    assert received[0].startswith(
        b"GET http://models.example:8080/v1?a=b HTTP/1.1\r\nhost: models.example:8080\r\n"
    )
    assert b"proxy-authorization: Basic bWU6c0BmZQ==\r\n" in received[0]


def test_a_proxy_tunnels_encrypted_requests(tmp_path: Path) -> None:
    context, trusting = tls_server(tmp_path)
    asked: list[bytes] = []

    def tunnel(connected: socket.socket) -> None:
        connected.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with context.wrap_socket(connected.dup(), server_side=True) as encrypted:
            asked.append(encrypted.recv(65536))
            encrypted.sendall(HI)

    with server(tunnel) as (port, received):
        route = Route(proxy_at(f"http://me:safe@127.0.0.1:{port}"), trusting, 30)
        assert ask(0, route=route, url="https://localhost/v1")[0][2] == b"hi"
    assert received == [
        b"CONNECT localhost:443 HTTP/1.1\r\nhost: localhost:443\r\nproxy-authorization: Basic bWU6c2FmZQ==\r\n\r\n"
    ]
    assert asked[0].startswith(b"GET /v1 HTTP/1.1\r\nhost: localhost\r\n")
    assert b"authorization" not in asked[0].lower()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 407 Who are you\r\n\r\n", "the proxy refused: 407 Who are you"),
        (b"HTTP/1.1 200 OK\r\n\r\n\x16\x03", "the proxy sent more than its answer"),
        (b"hello there\r\n\r\n", "the proxy: the server's answer is not HTTP/1.1"),
        (b"", "the proxy: the server closed the connection"),
    ],
)
def test_a_proxy_that_refuses_the_tunnel_is_an_error(answer: bytes, words: str) -> None:
    with server(sends(answer)) as (port, _):
        route = Route(proxy_at(f"http://127.0.0.1:{port}"), ssl.create_default_context(), 30)
        with pytest.raises(ConnectError, match=words):
            ask(0, route=route, url="https://localhost/v1")


def test_an_untrusted_server_gets_no_request(tmp_path: Path) -> None:
    context, _ = tls_server(tmp_path)
    asked: list[bytes] = []

    def serve(connected: socket.socket) -> None:
        with (
            pytest.raises(OSError, match=r"."),
            context.wrap_socket(connected, server_side=True) as encrypted,
        ):
            asked.append(encrypted.recv(65536))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=lambda: serve(listener.accept()[0]))
        thread.start()
        route = Route(None, ssl.create_default_context(), 30)
        with pytest.raises(ConnectError) as caught:
            ask(
                0,
                route=route,
                url=f"https://localhost:{listener.getsockname()[1]}/",
                headers={b"x-key": b"k"},
            )
        thread.join()
    assert isinstance(caught.value.__cause__, ssl.SSLCertVerificationError)
    assert asked == []


@pytest.mark.parametrize(
    ("url", "proxy"),
    [
        ("http://h:1", HttpProxy("h", 1)),
        ("http://[::1]:80", HttpProxy("::1", 80)),
        ("http://u:p@[::1]:80", HttpProxy("::1", 80, b"Basic dTpw")),
        ("http://token@h:1", HttpProxy("h", 1, b"Basic dG9rZW46")),
        ("http://u:p%3A%40@h:1", HttpProxy("h", 1, b"Basic dTpwOkA=")),
        ("http://u:p@[x@h:1", HttpProxy("h", 1, b"Basic dTpwQFt4")),
        ("http://u:\udcff@h:1", HttpProxy("h", 1, b"Basic dTr/")),
    ],
)
def test_the_credentials_for_a_proxy_are_encoded_and_not_shown(url: str, proxy: HttpProxy) -> None:
    assert proxy_at(url) == proxy
    assert "Basic" not in repr(Route(proxy_at(url), None, 1))


def test_a_proxys_message_cannot_control_the_terminal() -> None:
    with server(sends(b"HTTP/1.1 407 a\x9b31mb\r\n\r\n")) as (port, _):
        route = Route(proxy_at(f"http://127.0.0.1:{port}"), ssl.create_default_context(), 30)
        with pytest.raises(ConnectError, match="the proxy refused: 407 a") as caught:
            ask(0, route=route, url="https://localhost/v1")
    assert str(caught.value).isprintable()


def test_a_proxy_that_does_not_answer_times_out() -> None:
    def waits(connected: socket.socket) -> None:
        connected.recv(1)

    with server(waits) as (port, _):
        route = Route(proxy_at(f"http://127.0.0.1:{port}"), ssl.create_default_context(), 0.1)
        with pytest.raises(ConnectError, match=r"^no connection within 0\.1 seconds$"):
            ask(0, route=route, url="https://localhost/v1")


def ask_over_tls(directory: Path, host: str, protocols: list[str]) -> str | None:
    """Ask a server with a certificate for `localhost`, and return the application protocol."""
    context, _ = tls_server(directory)
    context.set_alpn_protocols(protocols)
    negotiated: list[str | None] = []

    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connected, _ = listener.accept()
            with connected, suppress(OSError), context.wrap_socket(connected, server_side=True) as encrypted:
                negotiated.append(encrypted.selected_alpn_protocol())
                encrypted.recv(65536)
                encrypted.sendall(HI)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        trusting = trusting_context({"SSL_CERT_FILE": str(directory / "cert.pem")})
        url = f"https://{host}:{listener.getsockname()[1]}/"
        try:
            ask(0, route=Route(None, trusting, 30), url=url)
        finally:
            thread.join(30)
    return negotiated[0]


@pytest.mark.parametrize(
    ("offered", "chosen"), [(["h2", "http/1.1"], "http/1.1"), (["http/1.1"], "http/1.1"), ([], None)]
)
def test_a_server_learns_that_only_http_1_is_supported(
    offered: list[str], chosen: str | None, tmp_path: Path
) -> None:
    assert ask_over_tls(tmp_path, "localhost", offered) == chosen


def test_a_certificate_for_another_host_is_not_trusted(tmp_path: Path) -> None:
    with pytest.raises(ConnectError) as caught:
        ask_over_tls(tmp_path, "127.0.0.1", [])
    assert "127.0.0.1" in (certificate_problem(caught.value) or "")


def test_a_large_request_is_encrypted_in_pieces(tmp_path: Path) -> None:
    context, trusting = tls_server(tmp_path)
    body = bytes(range(256)) * (3 * MOST_SENT // 256) + b"end"
    received: list[bytes] = []

    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connected, _ = listener.accept()
            with connected, context.wrap_socket(connected, server_side=True) as encrypted:
                data = b""
                while len(data.partition(b"\r\n\r\n")[2]) < len(body):
                    data += encrypted.recv(65536)
                received.append(data.partition(b"\r\n\r\n")[2])
                encrypted.sendall(HI)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        url = f"https://localhost:{listener.getsockname()[1]}/"
        ask(0, route=Route(None, trusting, 30), url=url, method="POST", body=body)
        thread.join(30)
    assert received == [body]


def test_an_ipv6_address_is_reached() -> None:
    try:
        listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("this machine has no IPv6")
    received: list[bytes] = []

    def serve() -> None:
        connected, _ = listener.accept()
        with connected:
            received.append(connected.recv(65536))
            connected.sendall(HI)

    with listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        port = listener.getsockname()[1]
        assert ask(0, url=f"http://[::1]:{port}/")[0][2] == b"hi"
        thread.join(30)
    assert b"\r\nhost: [::1]:%d\r\n" % port in received[0]
