"""The limits and sizes of a client, and the sources of the buffer capacity."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from code_mcp_client.errors import InvalidSetting

CAPACITY_VARIABLE = "MCP_BUFFER_SIZE"
DEFAULT_CAPACITY = 256 * 1024
LARGE_RESPONSE_CAPACITY = 1024 * 1024
SMALLEST_CAPACITY = 1024
LARGEST_CAPACITY = 64 * 2**20

_UNITS = {"": 1, "b": 1, "kib": 2**10, "mib": 2**20, "gib": 2**30, "kb": 10**3, "mb": 10**6, "gb": 10**9}
_SIZE = re.compile(r"\s*(\d{1,18})\s*([a-zA-Z]*)\s*\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class McpClientConfig:
    """Sizes and time limits of one client; the defaults suit every known server.

    Attributes:
        buffer_capacity: bytes requested per read of the server's output, 1 KiB to 64 MiB; None
            uses `MCP_BUFFER_SIZE` from the environment, or else 256 KiB. A read never returns
            more than the pipe holds (64 KiB to 1 MiB on Linux).
        max_message_bytes: a longer message fails its request with `MessageTooLarge`.
        startup_timeout: seconds for starting the server, and again for negotiating a version.
        tool_timeout: seconds for every other request, including writing it; None for no limit.
        protocol_version: `auto` for the newest revision that the server supports; a handshake revision (up to
            2025-11-25) to offer it, to which the server may reply with another; a later one to require it.
    """

    buffer_capacity: int | None = None
    max_message_bytes: int = 256 * 2**20
    startup_timeout: float = 30.0
    tool_timeout: float | None = 300.0
    protocol_version: str = "auto"

    def __post_init__(self) -> None:
        if self.buffer_capacity is not None:
            _checked_capacity(self.buffer_capacity, "McpClientConfig.buffer_capacity")
        if self.max_message_bytes < SMALLEST_CAPACITY:
            raise InvalidSetting(
                f"McpClientConfig.max_message_bytes is {self.max_message_bytes}: at least {SMALLEST_CAPACITY}"
            )
        for name, seconds in (("startup_timeout", self.startup_timeout), ("tool_timeout", self.tool_timeout)):
            if seconds is not None and not seconds > 0:
                raise InvalidSetting(f"McpClientConfig.{name} is {seconds}: seconds above 0")


def parse_capacity(value: int | str, origin: str) -> int:
    """Parse a capacity such as `1048576`, `256 KiB`, `1MiB` or `1MB`, and return it in bytes.

    Args:
        value: the configured value.
        origin: where it was set, for errors, such as `buffer_capacity of server "docs"`.

    Raises:
        InvalidSetting: it is not a size, or not between 1 KiB and 64 MiB; names the origin.
    """
    if isinstance(value, str):
        match = _SIZE.match(value)
        unit = _UNITS.get(match[2].lower()) if match else None
        if match is None or unit is None:
            raise InvalidSetting(
                f"{origin} is {value!r}, which is not a size: write bytes (1048576) or 256KiB, 1MiB"
            )
        value = int(match[1]) * unit
    return _checked_capacity(value, origin)


def resolve_capacity(
    argument: int | str | None, config: McpClientConfig, environ: Mapping[str, str] = os.environ
) -> int:
    """Return the effective capacity: from the argument, the configuration, `MCP_BUFFER_SIZE`, or 256 KiB.

    Raises:
        InvalidSetting: the first one that is set is invalid; names where it came from.
    """
    if argument is not None:
        return parse_capacity(argument, "argument buffer_capacity")
    if config.buffer_capacity is not None:
        return config.buffer_capacity
    if text := environ.get(CAPACITY_VARIABLE):
        return parse_capacity(text, f"environment variable {CAPACITY_VARIABLE}")
    return DEFAULT_CAPACITY


def _checked_capacity(value: int, origin: str) -> int:
    if isinstance(value, bool) or not SMALLEST_CAPACITY <= value <= LARGEST_CAPACITY:
        raise InvalidSetting(
            f"{origin} is {value}: from {SMALLEST_CAPACITY} (1 KiB) to {LARGEST_CAPACITY} (64 MiB) bytes"
        )
    return value
