"""Recognises environment variables that hold a credential, by name or by a password in a URL.

The same list decides what commands do not receive and what recordings redact. It must not match
variables that builds need: `GIT_AUTHOR_NAME` does not match `*AUTH*`, `GOPRIVATE` is not a secret, and handles
such as `SSH_AUTH_SOCK`, `GPG_AGENT_INFO` or `XAUTHORITY` let programs use a credential without revealing it.
"""

import re
from fnmatch import translate
from functools import cache
from urllib.parse import unquote

SECRET_NAMES = (
    *("*KEY*", "*SECRET*", "*TOKEN*"),
    *("*PASSWORD*", "*PASSWD*", "*PASSPHRASE*", "*PASSCODE*", "*_PASS", "*_PWD", "PASS"),
    *("*CREDENTIAL*", "*_CREDS", "*_PAT", "*_PSK", "*JWT*", "*BEARER*", "*COOKIE*"),
    *("*AUTHORIZATION*", "*_AUTH", "*WEBHOOK*", "*_DSN", "*CONNECTION_STRING*", "*CONNSTR*"),
)
"""Case-insensitive globs."""

NOT_SECRET = ("TOKENIZERS_PARALLELISM", "KEYBOARD*", "*_KEYMAP", "XDG_SESSION_*")
"""Globs of names that `SECRET_NAMES` matches by accident."""

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "FTP_PROXY")
"""Proxies may contain a password but are passed on, because commands need them for network access."""


@cache
def _any_of(globs: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(translate(glob) for glob in globs), re.IGNORECASE)


# Compiled on first use: most runs do not need it.
_URL_PASSWORD = r"[a-zA-Z][a-zA-Z0-9+.-]*://[^/?#\s:@]*:([^/?#\s@]+)@"  # noqa: S105 - an expression


def is_secret_name(name: str) -> bool:
    """Whether a variable with this name is treated as a credential."""
    return _any_of(SECRET_NAMES).match(name) is not None and _any_of(NOT_SECRET).match(name) is None


def is_secret(name: str, value: str) -> bool:
    """Whether a variable is withheld from commands, because of its name or because its value is a URL with a password."""
    return is_secret_name(name) or (
        name.upper() not in PROXIES and re.search(_URL_PASSWORD, value) is not None
    )


def secret_texts(name: str, value: str) -> list[str]:
    """Return the parts of a variable to redact: all of it, or the passwords in its URLs, encoded and decoded."""
    if is_secret_name(name):
        return [value]
    passwords = re.findall(_URL_PASSWORD, value)
    return [*passwords, *(decoded for each in passwords if (decoded := unquote(each)) != each)]
