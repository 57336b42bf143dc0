import shutil
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from responses_api_proxy.wire import Peer, Serve

OverTls = Callable[[Serve], Serve]


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for `localhost` with its key in one file; `cert.pem` next to it lacks the key."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    subprocess.run(
        ["openssl", "req", "-x509", *key, *subject, "-keyout", "key.pem", "-out", "cert.pem"],
        cwd=tmp_path,
        capture_output=True,
        check=True,
    )
    both = tmp_path / "both.pem"
    both.write_bytes((tmp_path / "key.pem").read_bytes() + (tmp_path / "cert.pem").read_bytes())
    return both


@pytest.fixture
def over_tls(certificate: Path) -> OverTls:
    """Adds TLS to a server."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def wrap(serve: Serve) -> Serve:
        def wrapped(peer: Peer) -> None:
            with context.wrap_socket(peer.socket, server_side=True) as encrypted:
                serve(Peer(encrypted))

        return wrapped

    return wrap
