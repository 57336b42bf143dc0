"""Large values are processed in a thread and in pieces; the result is the same."""

import json
import threading
import unicodedata
from typing import Any

import anyio
import mcp_types as types
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from code_mcp_client.errors import InvalidResult
from code_mcp_client.large_values import is_large, off_the_loop_if_large
from code_mcp_client.mending import mended_result
from code_mcp_client.messages import Response, decode_line
from code_mcp_client.output_schemas import OutputSchemas
from code_mcp_client.tool_results import tool_result

TEXT: dict[str, Any] = {"type": "text", "text": "t"}
BAD: dict[str, Any] = {"type": "unknown"}


@pytest.mark.parametrize(
    ("value", "large"),
    [
        ({"content": [TEXT] * 10, "isError": False}, False),
        ({"content": [{"type": "text", "text": "x" * 200_000}]}, False),
        ({"content": [{"type": "text", "text": "x" * 300_000}]}, True),
        ({"content": [TEXT] * 1_001}, True),
        ({"content": [], "structuredContent": {str(number): number for number in range(1_001)}}, True),
        ({"content": [[0] * 100] * 100}, True),
        (None, False),
        ("x" * 300_000, True),
    ],
)
def test_a_large_value_is_processed_in_a_thread(value: object, large: bool) -> None:
    assert is_large(value) == large

    async def main() -> int:
        return await off_the_loop_if_large(lambda _: threading.get_ident(), value)

    assert (anyio.run(main) != threading.get_ident()) == large


def test_a_deep_value_can_be_measured() -> None:
    value: Any = None
    for _ in range(900):
        value = [value]
    assert not is_large(value)
    for _ in range(200):
        value = [value]
    assert is_large(value)


@pytest.mark.parametrize("content", [[TEXT] * 2_001, [*[TEXT] * 700, BAD, *[TEXT] * 700], [], "plain text"])
def test_a_long_result_is_the_same_in_pieces(content: Any) -> None:
    raw = {"content": content, "isError": True, "structuredContent": {"a": 1}, "_meta": {"b": 2}}
    whole = types.CallToolResult.model_validate(mended_result(raw), by_name=False)
    result = tool_result(raw)
    assert result == whole
    assert result.model_dump() == whole.model_dump()


def test_an_invalid_long_result_is_rejected() -> None:
    with pytest.raises(ValidationError):
        tool_result({"content": [TEXT] * 2_000, "structuredContent": {}, "resultType": 7})


class Session:
    """Notes the thread in which it validates."""

    def __init__(self) -> None:
        self.threads: list[int] = []

    async def validate_tool_result(self, name: str, result: types.CallToolResult) -> None:
        self.threads.append(threading.get_ident())
        if result.structured_content["last"] != "good":
            raise RuntimeError(f"Invalid structured content returned by tool {name}: 'bad'\nthe schema")


@pytest.mark.parametrize("rows", [1, 5_000])
def test_a_long_result_is_checked_in_a_thread(rows: int) -> None:
    session: Any = Session()

    async def main(last: str) -> None:
        schemas = OutputSchemas(lambda _: pytest.fail("listed already"))
        schemas.note(
            [types.Tool(name="t", input_schema={"type": "object"}, output_schema={"type": "object"})]
        )
        content = {"rows": [0] * rows, "last": last}
        await schemas.check(session, "t", types.CallToolResult(content=[], structured_content=content))

    anyio.run(main, "good")
    with pytest.raises(InvalidResult, match=r"returned by tool t: 'bad'$"):
        anyio.run(main, "bad")
    assert [one == threading.get_ident() for one in session.threads] == [rows == 1] * 2


PIECES = st.sampled_from(["\\\\", "\\ud83d", "\\ude00", "\\uDBFF", "ud800", "\\n", "\\u00e9", "x", " "])


@given(pieces=st.lists(PIECES, max_size=12))
def test_only_lone_surrogates_are_replaced(pieces: list[str]) -> None:
    text = "".join(pieces)
    line = f'{{"jsonrpc":"2.0","id":1,"result":{{"text":"{text}","lone":"\\udfff"}}}}'
    (message,) = decode_line(line.encode())
    assert isinstance(message, Response)
    expected = json.loads(f'"{text}"')  # which joins pairs, and keeps lone surrogates
    shown = "".join("\ufffd" if unicodedata.category(one) == "Cs" else one for one in expected)
    assert message.result == {"text": shown, "lone": "\ufffd"}
