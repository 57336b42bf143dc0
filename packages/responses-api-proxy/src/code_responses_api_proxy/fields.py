"""Header fields (RFC 9112 §5), parsed strictly: anything that two parsers could interpret differently is rejected."""

import re

# Possessive, so that a block of a thousand lines is matched without backtracking, in linear time.
_BLOCK = re.compile(rb"(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]++:[\t\x20-\x7e\x80-\xff]*+\r\n)*+")
_FIELD = re.compile(rb"(([^:]+):([^\r]*)\r\n)")

HEAD_LIMIT = 64 * 1024
"""Limit for a head in bytes, including the blank line."""
FIELDS_LIMIT = 100

HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
"""Fields for this connection only (RFC 9110 §7.6.1), in addition to those that `Connection` names."""


def parse_fields(block: bytes) -> list[tuple[bytes, bytes, bytes]] | None:
    """Return each field's raw line, name and value, or None if the block contains anything else.

    The block is the head without its first line and without the blank line.
    """
    if _BLOCK.fullmatch(block) is None:
        return None
    return _FIELD.findall(block)


def trimmed(value: bytes) -> bytes:
    """Return a field's value without surrounding white space."""
    return value.strip(b" \t")


def members(values: list[bytes]) -> list[bytes]:
    """Return the members of a comma-separated list spread over several fields, in lower case."""
    return [member for value in values for part in value.split(b",") if (member := trimmed(part).lower())]
