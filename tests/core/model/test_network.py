import errno
import os
import re
import socket
import ssl
import sys
import threading
from contextlib import suppress
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import anyio
import pytest

from code_core.errors import ConfigError
from code_core.model import network
from code_core.model.network import (
    certificate_problem,
    http_client,
    proxy_for,
    reason_of,
    through_proxy,
    trusting_context,
    without_proxies,
)
from support import ScriptedUpstream, reply
from support.certificates import make_certificate

PROXY = "http://127.0.0.1:3128"
URL = "https://api.example.com/v1/responses"


@pytest.mark.parametrize(
    ("url", "environ", "proxy"),
    [
        (URL, {}, None),
        (URL, {"HTTPS_PROXY": ""}, None),
        (URL, {"HTTPS_PROXY": PROXY}, PROXY),
        (URL, {"https_proxy": PROXY}, PROXY),
        (URL, {"ALL_PROXY": PROXY}, PROXY),
        (URL, {"all_proxy": PROXY}, PROXY),
        (URL, {"HTTP_PROXY": PROXY}, None),
        ("http://example.com", {"HTTP_PROXY": PROXY}, PROXY),
        ("http://example.com", {"http_proxy": PROXY}, PROXY),
        ("http://example.com", {"ALL_PROXY": PROXY}, PROXY),
        ("http://example.com", {"HTTPS_PROXY": PROXY}, None),
        (URL, {"https_proxy": PROXY, "HTTPS_PROXY": "http://other:1"}, PROXY),
        (URL, {"HTTPS_PROXY": PROXY, "all_proxy": "http://other:1"}, PROXY),
        (URL, {"HTTPS_PROXY": "127.0.0.1:3128"}, PROXY),
        (URL, {"HTTPS_PROXY": "HTTP://127.0.0.1:3128/"}, PROXY),
        (URL, {"HTTPS_PROXY": "http://host:1"}, "http://host:1"),
        (URL, {"HTTPS_PROXY": "http://[::1]:3128"}, "http://[::1]:3128"),
        (URL, {"HTTPS_PROXY": "http://me:p%40ss@host:65535"}, "http://me:p%40ss@host:65535"),
        ("https://localhost/v1", {"ALL_PROXY": PROXY}, None),
        ("https://LOCALHOST./v1", {"ALL_PROXY": PROXY}, None),
        ("https://a.localhost/v1", {"ALL_PROXY": PROXY}, None),
        ("http://127.0.0.5:80/v1", {"ALL_PROXY": "socks5://x:1"}, None),
        ("http://[::1]:80/v1", {"ALL_PROXY": PROXY}, None),
        ("replay:", {"ALL_PROXY": PROXY}, None),
    ],
)
def test_the_proxy_comes_from_the_environment(url: str, environ: dict[str, str], proxy: str | None) -> None:
    assert proxy_for(url, environ) == proxy


@pytest.mark.parametrize(
    ("listed", "direct"),
    [
        ("*", True),
        ("api.example.com", True),
        ("API.Example.COM", True),
        ("example.com", True),
        (".example.com", True),
        ("*.example.com", True),
        ("other.com, example.com", True),
        ("other.com example.com", True),
        ("example.com:8443", True),
        ("example.com:443", False),
        ("example.com:https", False),
        ("ample.com", False),
        ("com.example", False),
        (",", False),
        (".", False),
        ("10.0.0.0/8", False),
    ],
)
@pytest.mark.parametrize("name", ["no_proxy", "NO_PROXY"])
def test_hosts_are_excluded_by_name(name: str, listed: str, direct: bool) -> None:
    proxy = proxy_for("https://api.example.com:8443/v1", {"HTTPS_PROXY": PROXY, name: listed})
    assert (proxy is None) == direct


@pytest.mark.parametrize(
    ("url", "listed", "direct"),
    [
        ("http://10.1.2.3/v1", "10.0.0.0/8", True),
        ("http://10.1.2.3/v1", "10.1.2.3", True),
        ("http://10.1.2.3/v1", "10.9.9.9/8", True),
        ("http://11.1.2.3/v1", "10.0.0.0/8", False),
        ("http://10.1.2.3:80/v1", "10.1.2.3:80", True),
        ("http://10.1.2.3:81/v1", "10.1.2.3:80", False),
        ("http://[fd00::1]/v1", "[fd00::1]", True),
        ("http://[fd00::1]:5/v1", "[fd00::1]:5", True),
        ("http://[fd00::1]/v1", "fd00::/8", True),
        ("http://[fe00::1]/v1", "fd00::/8", False),
    ],
)
def test_hosts_are_excluded_by_address(url: str, listed: str, direct: bool) -> None:
    assert (proxy_for(url, {"HTTP_PROXY": PROXY, "NO_PROXY": listed}) is None) == direct


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("socks5://me:secret@host:1", "HTTPS_PROXY names a SOCKS proxy.*set HTTPS_PROXY to an HTTP proxy"),
        ("SOCKS5H://host:1", "SOCKS"),
        ("socks://host:1", "SOCKS"),
        ("https://me:secret@host:1", "HTTPS_PROXY is not of the form http://HOST:PORT"),
        ("nonsense://host", "not of the form"),
        ("http://me:secret@host", "HOST:PORT"),
        ("http://host:0", "HOST:PORT"),
        ("http://host:65536", "HOST:PORT"),
        ("http://ho st:1", "not of the form"),
        ("http://host:1/secret", "not of the form"),
    ],
)
def test_an_unusable_proxy_is_reported_without_its_secrets(value: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        proxy_for(URL, {"HTTPS_PROXY": value})
    assert re.search(problem, str(caught.value))
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("proxy", "addition"),
    [
        ("http://me:secret@host:1", " through the proxy host:1"),
        ("http://m[e:s]ecret@host:1", " through the proxy host:1"),
        ("", ""),
        ("socks5://host:1", ""),
    ],
)
def test_an_error_names_the_proxy_without_its_password(proxy: str, addition: str) -> None:
    assert through_proxy(URL, {"HTTPS_PROXY": proxy}) == addition


def status_of(url: str, environ: dict[str, str]) -> int:
    async def main() -> int:
        async with await http_client(url, environ, 7) as client, client.get(url, {}) as response:
            assert client.route.seconds == 7
            return response.status

    return anyio.run(main)


def test_a_client_uses_the_settings_and_follows_no_redirects(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")  # of this process, and not of the settings
    with ScriptedUpstream() as upstream:
        upstream.answers["/v1/models"] = reply(302, headers={"Location": "/elsewhere"})
        assert status_of(f"{upstream.base_url}/models", {}) == 302
        [question] = upstream.questions
        assert question.path == "/v1/models"


def test_a_client_goes_through_its_proxy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        asked: list[bytes] = []

        def serve() -> None:
            connection, _ = proxy.accept()
            with connection:
                asked.append(connection.recv(65536))
                connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        environ = {"HTTP_PROXY": f"http://127.0.0.1:{proxy.getsockname()[1]}"}
        assert status_of("http://models.invalid/v1", environ) == 204
        thread.join()
    assert asked[0].startswith(b"GET http://models.invalid/v1 HTTP/1.1\r\n")


def test_certificates_are_read_only_for_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreadable(_: object) -> ssl.SSLContext:
        raise OSError("the certificates cannot be read")

    monkeypatch.setattr(network, "trusting_context", unreadable)
    anyio.run(http_client, "http://models.example/v1", {}, 7)
    for url in ("https://models.example/v1", "HTTPS://models.example/v1", " https://models.example/v1"):
        with pytest.raises(OSError, match="certificates"):
            anyio.run(http_client, url, {}, 7)


def test_the_systems_authorities_are_trusted() -> None:
    trusted = trusting_context({})
    assert trusted.verify_mode is ssl.CERT_REQUIRED
    assert trusted.check_hostname
    assert trusted.cert_store_stats()["x509_ca"] > 0 or ssl.get_default_verify_paths().capath is not None


def system_paths(monkeypatch: pytest.MonkeyPatch, file: Path, directory: Path) -> None:
    paths = SimpleNamespace(openssl_cafile=str(file), openssl_capath=str(directory))
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: paths)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere, the system itself verifies certificates")
@pytest.mark.parametrize(
    ("file", "directory", "bundle"),
    [
        ("cert.pem", "missing", "missing"),
        ("missing", "missing", "cert.pem"),
        ("missing", "unhashed", "cert.pem"),
    ],
)
def test_the_authorities_file_is_the_one_of_openssl_or_of_the_distribution(
    file: str, directory: str, bundle: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_certificate(tmp_path)
    (tmp_path / "unhashed").mkdir()
    (tmp_path / "unhashed" / "authority.pem").touch()
    system_paths(monkeypatch, tmp_path / file, tmp_path / directory)
    bundles = (str(tmp_path / "missing"), str(tmp_path / bundle))
    monkeypatch.setattr(network, "_CERTIFICATE_BUNDLES", bundles)
    assert subjects(trusting_context({})) == ["localhost"]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere, the system itself verifies certificates")
def test_authorities_that_openssl_can_look_up_are_read_on_demand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_certificate(tmp_path)
    (tmp_path / "0123abcd.0").touch()
    system_paths(monkeypatch, tmp_path / "missing", tmp_path)
    monkeypatch.setattr(network, "_CERTIFICATE_BUNDLES", (str(tmp_path / "cert.pem"),))
    assert subjects(trusting_context({})) == []


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere, the system itself verifies certificates")
def test_a_system_without_authorities_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    system_paths(monkeypatch, tmp_path / "missing", tmp_path / "missing")
    monkeypatch.setattr(network, "_CERTIFICATE_BUNDLES", ())
    with pytest.raises(OSError, match="no certificate authorities") as caught:
        trusting_context({})
    assert reason_of(caught.value) == "the system has no certificate authorities"


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_the_system_verifies_certificates_itself_where_it_can(
    platform: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_the_system: list[ssl.SSLContext] = []

    def context(protocol: int) -> ssl.SSLContext:
        of_the_system.append(ssl.SSLContext(protocol))
        return of_the_system[-1]

    monkeypatch.setattr(network, "sys", SimpleNamespace(platform=platform))
    monkeypatch.setitem(sys.modules, "truststore", ModuleType("truststore"))
    monkeypatch.setattr("truststore.SSLContext", context, raising=False)
    assert [trusting_context({})] == of_the_system


def test_a_server_of_several_protocols_chooses_http_1_1(tmp_path: Path) -> None:
    make_certificate(tmp_path)
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    server_context.set_alpn_protocols(["h2", "http/1.1"])
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trusting_context({"SSL_CERT_FILE": str(tmp_path / "cert.pem")}).wrap_bio(
        to_client, to_server, server_hostname="localhost"
    )
    server = server_context.wrap_bio(to_server, to_client, server_side=True)
    for end in (client, server, client):
        with suppress(ssl.SSLWantReadError):
            end.do_handshake()
    assert server.selected_alpn_protocol() == "http/1.1"


def test_the_environment_can_replace_the_authorities(tmp_path: Path) -> None:
    make_certificate(tmp_path)
    file = str(tmp_path / "cert.pem")
    assert subjects(trusting_context({"SSL_CERT_FILE": file, "SSL_CERT_DIR": "/nowhere"})) == ["localhost"]
    only_when_needed = trusting_context({"SSL_CERT_DIR": str(tmp_path)})
    assert subjects(only_when_needed) == []
    with pytest.raises(OSError, match="No such file"):
        trusting_context({"SSL_CERT_FILE": str(tmp_path / "none")})


def subjects(context: ssl.SSLContext) -> list[str]:
    """The names of the authorities that `context` has read."""
    found: list[Any] = [entry[0] for one in context.get_ca_certs() for entry in one["subject"]]
    return [name for kind, name in found if kind == "commonName"]


def test_a_child_sees_only_the_chosen_proxy() -> None:
    environ = {"PATH": "/bin", "ALL_PROXY": "a", "no_proxy": "b", "HTTPS_PROXY": "c"}
    assert without_proxies(environ, None) == {"PATH": "/bin"}
    assert without_proxies(environ, PROXY) == {"PATH": "/bin", "https_proxy": PROXY, "http_proxy": PROXY}


def test_a_certificate_is_found_behind_the_errors_around_it() -> None:
    problem = ssl.SSLCertVerificationError(1, "verify failed")
    problem.verify_message = "self-signed certificate"
    around = OSError("no connection")
    around.__cause__ = ValueError("wrapped")
    around.__cause__.__context__ = problem
    assert certificate_problem(around) == "self-signed certificate"
    problem.__context__ = around  # a circle ends
    problem.verify_message = ""
    assert certificate_problem(around) == "verification failed"
    assert certificate_problem(OSError("no connection")) is None
    circle = OSError("no connection")
    circle.__context__ = OSError("another")
    circle.__context__.__context__ = circle
    assert certificate_problem(circle) is None


@pytest.mark.parametrize("failure", [ConnectionRefusedError(111, "x ('::1', 1)"), OSError(111, "y")])
def test_the_reason_for_a_failed_connection_comes_from_the_first_attempt(failure: OSError) -> None:
    for cause in (failure, ExceptionGroup("several", [failure, OSError(113, "z")])):
        attempts, error = OSError("All connection attempts failed"), ValueError("a client's own text")
        attempts.__cause__, error.__cause__ = cause, attempts
        assert reason_of(error) == "Connection refused"


def test_a_reason_has_no_error_number() -> None:
    assert reason_of(OSError(-2, "Name or service not known")) == "Name or service not known"
    assert reason_of(TimeoutError()) == "TimeoutError"
    unreachable = OSError(errno.EHOSTUNREACH, "a library's own text")
    assert reason_of(unreachable) == os.strerror(errno.EHOSTUNREACH)
