import pytest

from code_mcp_client import InvalidResult
from mcp_client.scripted import call, scripted

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left")]


@pytest.mark.parametrize("tool", ["good", "failed", "unlisted"])
async def test_a_result_that_matches_its_output_schema_is_accepted(tool: str) -> None:
    async with scripted("schemas") as client:
        await client.initialize()
        result = await client.call_tool(tool)
    assert result.is_error == (tool == "failed")


@pytest.mark.parametrize(
    ("tool", "problem"), [("bad", "'one' is not of type 'integer'"), ("none", "did not return structured")]
)
@pytest.mark.parametrize("listed", [True, False])
async def test_a_mismatched_result_is_rejected_whether_or_not_tools_were_listed(
    tool: str, problem: str, listed: bool
) -> None:
    async with scripted("schemas") as client:
        await client.initialize()
        if listed:
            page = await client.list_tools()
            await client.list_tools(cursor=page.next_cursor)
        with pytest.raises(InvalidResult, match=problem):
            await client.call_tool(tool)


async def test_tools_are_listed_once_for_all_calls() -> None:
    async with scripted("schemas") as client:
        await client.initialize()
        for _ in range(3):
            await client.call_tool("unlisted")
        assert await call(client, "lists") == "2"
