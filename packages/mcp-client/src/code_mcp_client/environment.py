"""The environment a server is started with: an allowlist, then what the configuration names."""

import os
import sys
from collections.abc import Iterable, Mapping

_POSIX = (
    "HOME",
    "LOGNAME",
    "PATH",
    "SHELL",
    "USER",
    "__CF_USER_TEXT_ENCODING",
    "LANG",
    "LC_ALL",
    "TERM",
    "TMPDIR",
    "TZ",
)
_WINDOWS = (
    "PATH",
    "PATHEXT",
    "COMSPEC",
    "SYSTEMROOT",
    "SYSTEMDRIVE",
    "USERNAME",
    "USERDOMAIN",
    "USERPROFILE",
    "HOMEDRIVE",
    "HOMEPATH",
    "PROGRAMFILES",
    "PROGRAMFILES(X86)",
    "PROGRAMW6432",
    "PROGRAMDATA",
    "LOCALAPPDATA",
    "APPDATA",
    "PROCESSOR_ARCHITECTURE",
    "TEMP",
    "TMP",
    "POWERSHELL",
    "PWSH",
)
_CERTIFICATES = (
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
)
ALLOWED = (_WINDOWS if sys.platform == "win32" else _POSIX) + _CERTIFICATES


def server_environment(
    env: Mapping[str, str] | None = None,
    env_vars: Iterable[str] = (),
    environ: Mapping[str, str] = os.environ,
) -> dict[str, str]:
    """The variables for a server: no key and no `LD_*` reaches it unless someone wrote its name.

    Args:
        env: variables set to these values; they win over all others.
        env_vars: names passed through from `environ` when they are set there.
        environ: the environment to take from.
    """
    chosen = {name: environ[name] for name in (*ALLOWED, *env_vars) if name in environ}
    return chosen | dict(env or {})
