"""Which environment variables hold a credential: by their names, or by a password in a URL.

One list for what commands do not get and for what recordings do not show. It must not name what builds need:
`GIT_AUTHOR_NAME` is no `*AUTH*`, `GOPRIVATE` is no secret, and a handle such as `SSH_AUTH_SOCK`, `GPG_AGENT_INFO`
or `XAUTHORITY` lets a program use a credential without showing it.
"""

import re
from fnmatch import translate
from urllib.parse import unquote

SECRET_NAMES = (
    *("*KEY*", "*SECRET*", "*TOKEN*"),
    *("*PASSWORD*", "*PASSWD*", "*PASSPHRASE*", "*PASSCODE*", "*_PASS", "*_PWD", "PASS"),
    *("*CREDENTIAL*", "*_CREDS", "*_PAT", "*_PSK", "*JWT*", "*BEARER*", "*COOKIE*"),
    *("*AUTHORIZATION*", "*_AUTH", "*WEBHOOK*", "*_DSN", "*CONNECTION_STRING*", "*CONNSTR*"),
)
"""Globs without regard to case."""

NOT_SECRET = ("TOKENIZERS_PARALLELISM", "KEYBOARD*", "*_KEYMAP", "XDG_SESSION_*")
"""Globs of names that `SECRET_NAMES` matches by accident."""

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "FTP_PROXY")
"""May hold a password, and are passed on: without them a command that may use the network cannot."""


def _any_of(globs: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(translate(glob) for glob in globs), re.IGNORECASE)


_SECRET_NAME = _any_of(SECRET_NAMES)
_NOT_SECRET = _any_of(NOT_SECRET)
_URL_PASSWORD = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://[^/?#\s:@]*:([^/?#\s@]+)@")


def is_secret_name(name: str) -> bool:
    """Whether a variable of this name is taken for a credential."""
    return _SECRET_NAME.match(name) is not None and _NOT_SECRET.match(name) is None


def is_secret(name: str, value: str) -> bool:
    """Whether a variable is kept from commands: its name says so, or its value is a URL with a password."""
    return is_secret_name(name) or (name.upper() not in PROXIES and _URL_PASSWORD.search(value) is not None)


def secret_texts(name: str, value: str) -> list[str]:
    """What of a variable must not be shown: all of it, or the passwords of the URLs in it, as spelled and decoded."""
    if is_secret_name(name):
        return [value]
    passwords = _URL_PASSWORD.findall(value)
    return [*passwords, *(decoded for each in passwords if (decoded := unquote(each)) != each)]
