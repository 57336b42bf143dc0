"""The envelope of a modern request."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from mcp_types import ClientCapabilities, Implementation

from code_mcp_client.era import ModernEra


@given(
    meta=st.dictionaries(st.text(max_size=9), st.integers() | st.text(max_size=9), max_size=4),
    name=st.text(max_size=20),
)
def test_stamping_keeps_the_callers_metadata(meta: dict[str, Any], name: str) -> None:
    era = ModernEra("2026-07-28", Implementation(name="me", version="1"), ClientCapabilities())
    given = {"name": name, "arguments": {"a": 1}, "_meta": {**meta, "progressToken": 7}}
    stamped, options = era.stamp("tools/call", given, {"timeout": 3})
    assert {key: stamped["_meta"][key] for key in given["_meta"]} == given["_meta"]
    assert len(stamped["_meta"]) == len(given["_meta"]) + 3
    assert {**stamped, "_meta": None} == {**given, "_meta": None}
    assert options["timeout"] == 3
    headers = options["headers"]
    assert headers["mcp-protocol-version"] == "2026-07-28"
    assert headers["mcp-method"] == "tools/call"
    assert headers["mcp-name"].isascii()
    assert "\n" not in headers["mcp-name"]
