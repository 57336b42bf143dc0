import pytest

from code_mcp_client import InvalidSetting, McpClientConfig, parse_capacity
from code_mcp_client.config import resolve_capacity


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1048576, 1048576),
        ("1048576", 1048576),
        ("1MiB", 1048576),
        (" 1 mib ", 1048576),
        ("256KiB", 262144),
        ("256kb", 256_000),
        ("2MB", 2_000_000),
        ("4096b", 4096),
    ],
)
def test_a_capacity_is_a_number_of_bytes_or_has_a_unit(value: int | str, expected: int) -> None:
    assert parse_capacity(value, "here") == expected


@pytest.mark.parametrize(
    "value", ["", "big", "1.5MiB", "-1", "1 MiB extra", "0", 0, 1023, "65MiB", "1" * 40, "1TiB", "\u0661MiB"]
)
def test_an_invalid_capacity_is_rejected_with_its_origin(value: int | str) -> None:
    with pytest.raises(InvalidSetting, match=r"^buffer_capacity of server 'docs' is "):
        parse_capacity(value, "buffer_capacity of server 'docs'")


@pytest.mark.parametrize(
    ("argument", "configured", "environ", "expected"),
    [
        ("8KiB", 16384, {"MCP_BUFFER_SIZE": "32KiB"}, 8192),
        (None, 16384, {"MCP_BUFFER_SIZE": "32KiB"}, 16384),
        (None, None, {"MCP_BUFFER_SIZE": "32KiB"}, 32768),
        (None, None, {"MCP_BUFFER_SIZE": ""}, 262144),
        (None, None, {}, 262144),
        (None, 16384, {"MCP_BUFFER_SIZE": "nonsense, but nobody asks"}, 16384),
    ],
)
def test_the_capacity_comes_from_the_most_specific_source(
    argument: str | None, configured: int | None, environ: dict[str, str], expected: int
) -> None:
    assert resolve_capacity(argument, McpClientConfig(buffer_capacity=configured), environ) == expected


def test_an_invalid_environment_variable_is_named() -> None:
    with pytest.raises(InvalidSetting, match=r"environment variable MCP_BUFFER_SIZE is 'lots'"):
        resolve_capacity(None, McpClientConfig(), {"MCP_BUFFER_SIZE": "lots"})


def test_an_invalid_argument_is_named() -> None:
    with pytest.raises(InvalidSetting, match=r"argument buffer_capacity is 12"):
        resolve_capacity(12, McpClientConfig(), {})


@pytest.mark.parametrize(
    "settings",
    [
        {"buffer_capacity": 1},
        {"max_message_bytes": 10},
        {"startup_timeout": 0.0},
        {"tool_timeout": -1.0},
        {"tool_timeout": float("nan")},
    ],
)
def test_an_invalid_setting_is_rejected_by_name(settings: dict[str, float]) -> None:
    [name] = settings
    with pytest.raises(InvalidSetting, match=f"McpClientConfig.{name} is"):
        McpClientConfig(**settings)  # type: ignore[arg-type]  # wrong values are the point
