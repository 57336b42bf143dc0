"""Prompts of MCP servers, fetched for a user who typed their commands."""

from typing import Any

import anyio
import pytest

from code_core.config.load import Config
from code_core.context.server_prompts import BadPromptCommand
from code_core.protocol.events import EventMsg
from code_core.protocol.mcp_events import (
    McpGetPromptResponse,
    McpListPromptsResponse,
    McpPrompt,
    McpPromptArgument,
)
from code_core.protocol.ops import GetMcpPrompt, ListMcpPrompts, ListTerminals, McpQuery, Shutdown, TextInput
from code_core.session.conversation import Conversation
from code_core.session.events.log import EventReader
from code_core.session.servers.prompts import fetch_server_prompt, get_server_prompt
from core.session import stand_ins
from core.session.scripted import Reading, ScriptedModel, converse, scripted_conversation
from core.session.stand_ins import with_parts

LISTED = McpListPromptsResponse(
    prompts=[
        McpPrompt(server="notes", name=name, arguments=[McpPromptArgument(name="who", required=True)])
        for name in ("greet", "refuse")
    ],
    errors={"mail": "it has ended"},
)


class Servers(stand_ins.Servers):
    """One of them greets, and refuses everything else."""

    async def answer(self, query: McpQuery) -> EventMsg:
        if isinstance(query, ListMcpPrompts):
            return LISTED
        assert isinstance(query, GetMcpPrompt)
        if query.name != "greet":
            return McpGetPromptResponse(server=query.server, name=query.name, error="not today")
        words = TextInput(text=f"Greet {query.arguments['who']}")
        return McpGetPromptResponse(server=query.server, name=query.name, items=[words])


def conversation_with(config: Config, servers: Any) -> Conversation:
    return with_parts(scripted_conversation(config, ScriptedModel()), servers=servers)


def test_a_command_becomes_input_for_the_model(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    conversation, readers = conversation_with(config, Servers()), list[EventReader]()
    follow = conversation.follow

    def followed() -> EventReader:
        readers.append(follow())
        return readers[-1]

    monkeypatch.setattr(conversation, "follow", followed)

    async def script(reading: Reading) -> None:
        assert await fetch_server_prompt(conversation, "mcp:notes:greet", "Ada") == [
            TextInput(text="Greet Ada")
        ]
        await reading.send(ListTerminals())
        await reading.until("terminals_changed")
        assert [reader.waiting for reader in readers] == [0, 0]

    converse(conversation, script)


@pytest.mark.parametrize(
    ("command", "typed", "problem"),
    [
        ("mcp:notes:refuse", "Ada", "the MCP server 'notes' does not return its prompt 'refuse': not today"),
        ("mcp:notes:greet", "", "needs who"),
        ("mcp:notes:other", "", "no MCP server offers /mcp:notes:other: .*; mail: it has ended"),
    ],
)
def test_a_command_without_a_prompt_reports_why(
    config: Config, command: str, typed: str, problem: str
) -> None:
    conversation = conversation_with(config, Servers())

    async def script(_reading: Reading) -> None:
        with pytest.raises(BadPromptCommand, match=problem):
            await fetch_server_prompt(conversation, command, typed)

    converse(conversation, script)


def test_the_answer_to_another_query_is_ignored(config: Config) -> None:
    conversation = conversation_with(config, Servers())

    async def script(reading: Reading) -> None:
        queries = [
            GetMcpPrompt(server="notes", name="greet", arguments={"who": who}) for who in ("Bob", "Ada")
        ]
        await reading.send(queries[0])
        assert await get_server_prompt(conversation, queries[1]) == [TextInput(text="Greet Ada")]

    converse(conversation, script)


def test_a_conversation_that_ends_in_the_meantime_is_an_error(config: Config) -> None:
    class Ending(Servers):
        async def answer(self, query: McpQuery) -> EventMsg:
            assert isinstance(query, ListMcpPrompts)
            await conversation.submit(Shutdown())
            await anyio.sleep_forever()
            raise AssertionError

    conversation = conversation_with(config, Ending())

    async def script(_reading: Reading) -> None:
        with pytest.raises(BadPromptCommand, match="the conversation has ended"):
            await fetch_server_prompt(conversation, "mcp:notes:greet", "Ada")

    converse(conversation, script)
