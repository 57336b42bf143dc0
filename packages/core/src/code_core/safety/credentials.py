"""Recognises environment variables that hold a credential, by name or by a password in a URL.

The same list decides what commands do not receive and what recordings redact. It must not match
variables that builds need: `GIT_AUTHOR_NAME` does not match `*AUTH*`, `GOPRIVATE` is not a secret, and handles
such as `SSH_AUTH_SOCK`, `GPG_AGENT_INFO` or `XAUTHORITY` let programs use a credential without revealing it.
"""

from collections.abc import Iterable
from urllib.parse import unquote

from code_core.lazy_pattern import lazy_pattern

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


class _Names:
    """The names that match one of several globs, whose only wildcard is a `*` at the start or the end."""

    def __init__(self, globs: Iterable[str]) -> None:
        folded = [glob.casefold() for glob in globs]
        self._parts = [one[1:-1] for one in folded if one[0] == one[-1] == "*"]
        self._starts = tuple(one[:-1] for one in folded if one[0] != "*" == one[-1])
        self._ends = tuple(one[1:] for one in folded if one[0] == "*" != one[-1])
        self._whole = frozenset(one for one in folded if "*" not in one)

    def __contains__(self, name: str) -> bool:
        folded = name.casefold()
        return (
            folded in self._whole
            or folded.startswith(self._starts)
            or folded.endswith(self._ends)
            or any(part in folded for part in self._parts)
        )


_SECRET_NAMES = _Names(SECRET_NAMES)
_NOT_SECRET_NAMES = _Names(NOT_SECRET)
_URL_PASSWORD = lazy_pattern(r"[a-zA-Z][a-zA-Z0-9+.-]*://[^/?#\s:@]*:([^/?#\s@]+)@")


def is_secret_name(name: str) -> bool:
    """Whether a variable with this name is treated as a credential."""
    return name in _SECRET_NAMES and name not in _NOT_SECRET_NAMES


def is_secret(name: str, value: str) -> bool:
    """Whether a variable is withheld from commands, because of its name or because its value is a URL with a password."""
    return is_secret_name(name) or (name.upper() not in PROXIES and _URL_PASSWORD.search(value) is not None)


def secret_texts(name: str, value: str) -> list[str]:
    """Return the parts of a variable to redact: all of it, or the passwords in its URLs, encoded and decoded."""
    if is_secret_name(name):
        return [value]
    passwords = _URL_PASSWORD.findall(value)
    return [*passwords, *(decoded for each in passwords if (decoded := unquote(each)) != each)]
