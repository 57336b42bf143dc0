"""Certificates for test servers."""

import shutil
import subprocess
from pathlib import Path

import pytest


def make_certificate(directory: Path) -> None:
    """Write `key.pem` and `cert.pem` for `localhost`; skips the test if openssl is missing."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    files = ["-keyout", "key.pem", "-out", "cert.pem", "-days", "2"]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *names, *files],
        cwd=directory,
        check=True,
        capture_output=True,
    )
