"""Environment variables that can run code in this process, or expose what it sends."""

import os
from collections.abc import Iterable, Mapping

_PREFIXES = (b"LD_", b"DYLD_", b"PYTHON")
_NAMES = frozenset(
    {
        b"OPENSSL_CONF",  # loads a native library as soon as `ssl` is imported
        b"OPENSSL_MODULES",
        b"SSL_CERT_FILE",  # which certificates to trust
        b"SSL_CERT_DIR",
        b"SSLKEYLOGFILE",  # writes the keys of every TLS connection
    }
)
_LOADER_PREFIXES = (b"LD_", b"DYLD_")


def unsafe_names(names: Iterable[bytes], allow: Iterable[str] = ()) -> list[bytes]:
    """Return the names among `names` to remove, in order; `allow` keeps some of them."""
    kept = frozenset(os.fsencode(name) for name in allow)
    return [name for name in names if (name.startswith(_PREFIXES) or name in _NAMES) and name not in kept]


def has_loader_names(names: Iterable[bytes]) -> bool:
    """Whether the environment made the dynamic loader load something, which has happened by now."""
    return any(name.startswith(_LOADER_PREFIXES) for name in names)


def cleaned(environment: Mapping[bytes, bytes], allow: Iterable[str] = ()) -> dict[bytes, bytes]:
    """Return `environment` without the unsafe names; in bytes, because a name need not be UTF-8."""
    unsafe = frozenset(unsafe_names(environment, allow))
    return {name: value for name, value in environment.items() if name not in unsafe}
