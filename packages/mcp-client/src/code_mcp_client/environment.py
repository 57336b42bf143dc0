"""The environment of a server: an allowlist, plus what the configuration names."""

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
    """Return the variables for a server, without keys and `LD_*` unless they are named explicitly.

    Args:
        env: variables to set; these take precedence.
        env_vars: names of variables to pass on from `environ` if set.
        environ: the source environment.
    """
    chosen = {name: environ[name] for name in (*ALLOWED, *env_vars) if name in environ}
    return chosen | dict(env or {})
