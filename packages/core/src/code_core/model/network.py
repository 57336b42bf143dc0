"""Network access: which proxy to use for a URL, and how certificates are verified.

Environment variables decide, for this process and for the one that holds the key alike:
`HTTPS_PROXY` for https, `HTTP_PROXY` for http, else `ALL_PROXY`, except for hosts in `NO_PROXY`;
lower-case names take precedence. `SSL_CERT_FILE` and `SSL_CERT_DIR` replace the system's
certificate authorities.
"""

import errno
import os
import re
import ssl
import sys
from collections.abc import Iterator, Mapping
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from code_core.errors import ConfigError
from code_core.lazy_pattern import lazy_pattern

if TYPE_CHECKING:
    from code_core.model.http_client import HttpClient

PROXY_VARIABLES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")
CERTIFICATE_ADVICE = (
    "set SSL_CERT_FILE to a PEM file with the certificate of the authority that signed it "
    "(for example your company's proxy)"
)
_CERTIFICATE_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Arch
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  # Fedora, Red Hat
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/ssl/cert.pem",  # Alpine
)
"""The certificate bundles of Linux distributions, for an OpenSSL that was built for another one."""
_PROXY = lazy_pattern(r"(?:(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://)?(?P<rest>[^\s/?#]+)/?")
_HASHED_NAME = lazy_pattern(r"[0-9a-f]{8}\.[0-9]+")
_ERROR_NUMBER = lazy_pattern(r"^\[Errno -?[0-9]+\] ")
_ADDRESS = lazy_pattern(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}")


def proxy_for(url: str, environ: Mapping[str, str]) -> str | None:
    """Return the proxy for `url`, as `http://HOST:PORT` or `http://USER:PASSWORD@HOST:PORT`, or None.

    Raises:
        ConfigError: names the variable with an unusable proxy, but not its value, which may contain a password.
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    if not host or _is_loopback(host) or _is_excluded(host, parts.port, environ):
        return None
    for variable in (f"{parts.scheme}_proxy", "all_proxy"):
        for name in (variable, variable.upper()):
            if value := environ.get(name, "").strip():
                return _usable(name, value)
    return None


def through_proxy(url: str, environ: Mapping[str, str]) -> str:
    """Return the addition to an error about `url` that names its proxy, without a password, if it has one."""
    try:
        proxy = proxy_for(url, environ)
    except ConfigError:
        return ""  # the error already names it
    return "" if proxy is None else f" through the proxy {proxy.removeprefix('http://').rpartition('@')[2]}"


def without_proxies(environ: Mapping[str, str], proxy: str | None) -> dict[str, str]:
    """Return `environ` for a child that must use `proxy` and no other."""
    names = {form for name in PROXY_VARIABLES for form in (name, name.lower())}
    kept = {name: value for name, value in environ.items() if name not in names}
    return kept if proxy is None else {**kept, "https_proxy": proxy, "http_proxy": proxy}


async def http_client(url: str, environ: Mapping[str, str], connect_seconds: float) -> "HttpClient":
    """Return a client for requests to `url`; `connect_seconds` limits the time to connect.

    Raises:
        ConfigError: the proxy cannot be used.
        OSError: the certificates cannot be read.
    """
    from code_core.model.connection import ACKNOWLEDGE, Route, proxy_at
    from code_core.model.http_client import HttpClient

    proxy, context = proxy_for(url, environ), None
    # Reading every certificate takes up to 100 ms, so skip it for an endpoint without TLS.
    if is_tls := urlsplit(url).scheme == "https":
        from anyio.to_thread import run_sync

        context = await run_sync(trusting_context, environ)
    route = Route(None if proxy is None else proxy_at(proxy), context, connect_seconds)
    # Where nothing can be acknowledged immediately, a new connection is cheaper than a kept one without TLS.
    return HttpClient(route, keeps_connections=is_tls or ACKNOWLEDGE is not None)


def trusting_context(environ: Mapping[str, str]) -> ssl.SSLContext:
    """Return a context that checks certificates against `SSL_CERT_FILE`, `SSL_CERT_DIR` or the system's authorities.

    Raises:
        OSError: the certificates cannot be read.
    """
    file, directory = environ.get("SSL_CERT_FILE"), environ.get("SSL_CERT_DIR")
    if file or directory:
        context = ssl.create_default_context(cafile=file or None, capath=None if file else directory)
    elif sys.platform in {"darwin", "win32"}:
        import truststore

        context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    else:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(*_system_authorities())
    context.set_alpn_protocols(["http/1.1"])
    return context


def _system_authorities() -> tuple[str | None, str | None]:
    """Return the file and the directory of trusted certificates as configured in OpenSSL, or a known bundle."""
    paths = ssl.get_default_verify_paths()
    file = paths.openssl_cafile if Path(paths.openssl_cafile).is_file() else None
    directory = paths.openssl_capath if _has_hashed_names(paths.openssl_capath) else None
    if file is None and directory is None:
        file = next((bundle for bundle in _CERTIFICATE_BUNDLES if Path(bundle).is_file()), None)
    if file is None and directory is None:
        raise FileNotFoundError(errno.ENOENT, "the system has no certificate authorities")
    return file, directory


def _has_hashed_names(directory: str) -> bool:
    """Whether OpenSSL can look up authorities in `directory`, which is faster than reading all of them."""
    try:
        with os.scandir(directory) as entries:
            return any(_HASHED_NAME.fullmatch(entry.name) for entry in entries)
    except OSError:
        return False


def certificate_problem(error: BaseException) -> str | None:
    """Return why verifying a certificate failed, or None if `error` has another cause."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return cause.verify_message or "verification failed"
    return None


def reason_of(error: Exception) -> str:
    """Return why a request failed: the operating system's reason for a failed connection, else the error's text."""
    for cause in _causes(error):
        own = (
            isinstance(cause, ConnectionError | TimeoutError) or type(cause) is OSError
        )  # not a subclass of `ssl`
        if own and isinstance(cause, OSError) and (cause.errno or 0) > 0:
            return os.strerror(cause.errno or 0)
    return _ERROR_NUMBER.sub("", str(error)) or type(error).__name__


def _causes(error: BaseException) -> Iterator[BaseException]:
    """`error` and its causes; for several connection attempts, the first error."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        first = cause.exceptions[0] if isinstance(cause, BaseExceptionGroup) else None
        cause = first or cause.__cause__ or cause.__context__


def _usable(name: str, value: str) -> str:
    parsed = _PROXY.fullmatch(value)
    scheme = ((parsed and parsed["scheme"]) or "http").lower()
    if scheme.startswith("socks"):
        raise ConfigError(
            f"{name} names a SOCKS proxy, and only HTTP proxies are supported: set HTTPS_PROXY to an HTTP proxy "
            f"(http://HOST:PORT), or unset {name}, or list the provider's host in NO_PROXY"
        )
    if parsed is None or scheme != "http":
        raise ConfigError(
            f"{name} is not of the form http://HOST:PORT, the only kind of proxy that is supported"
        )
    credentials, _, address = parsed["rest"].rpartition("@")
    if _ADDRESS.fullmatch(address) is None or not 0 < int(address.rpartition(":")[2]) < 65536:
        raise ConfigError(f"{name} does not end in HOST:PORT, with a port from 1 to 65535")
    return f"http://{credentials}@{address}" if credentials else f"http://{address}"


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _is_excluded(host: str, port: int | None, environ: Mapping[str, str]) -> bool:
    listed = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    return any(_covers(entry.strip().lower(), host, port) for entry in re.split(r"[,\s]+", listed) if entry)


def _covers(entry: str, host: str, port: int | None) -> bool:
    """Whether an entry of `NO_PROXY` matches `host`: `*`, a domain, `HOST:PORT`, an address or a network."""
    if entry == "*":
        return True
    try:
        return ip_address(host) in ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        pass
    name, colon, wanted = entry.rpartition(":")
    if colon and wanted.isdecimal():
        if port is not None and int(wanted) != port:
            return False
        entry = name.strip("[]")
    entry = entry.removeprefix("*").strip(".")
    return bool(entry) and (host == entry or host.endswith(f".{entry}"))
