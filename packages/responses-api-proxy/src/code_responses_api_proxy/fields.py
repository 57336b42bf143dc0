"""Header fields (RFC 9112 §5), parsed strictly: anything that two parsers could read differently is rejected."""

import re

# Possessive: a block of a thousand lines is matched without a way back, in linear time.
_BLOCK = re.compile(rb"(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]++:[\t\x20-\x7e\x80-\xff]*+\r\n)*+")
_FIELD = re.compile(rb"(([^:]+):([^\r]*)\r\n)")

HEAD_LIMIT = 64 * 1024
"""Bytes of a head, the blank line included."""
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
"""Of this connection only (RFC 9110 §7.6.1), besides what `Connection` names."""


def parse_fields(block: bytes) -> list[tuple[bytes, bytes, bytes]] | None:
    """Each field's whole line, name and value as they stand; None when the block is not made of fields.

    The block is the head without its first line and without the blank line.
    """
    if _BLOCK.fullmatch(block) is None:
        return None
    return _FIELD.findall(block)


def trimmed(value: bytes) -> bytes:
    """A field's value without the white space around it."""
    return value.strip(b" \t")


def members(values: list[bytes]) -> list[bytes]:
    """The members of a comma-separated list spread over fields, in lower case."""
    return [member for value in values for part in value.split(b",") if (member := trimmed(part).lower())]
