"""What an MCP client gets of a turn whose stream broke: it cannot take text back."""

from typing import Any, cast

import anyio
from mcp.server.connection import Connection

from code_core.acp.updates import UpdateTranslator
from code_core.protocol.agent_events import AgentMessage, AgentMessageDelta, AgentMessageReset
from code_core.protocol.events import Event, EventMsg, TaskStarted, WarningEvent
from code_core.session.conversation import Conversation
from code_core.view.append_only import AppendOnly
from code_mcp_server.server import _TurnRelay  # the part that sends events on, without a server around it


class Client:
    def __init__(self) -> None:
        self.sent: list[tuple[str, dict[str, Any]]] = []

    async def notify(self, method: str, params: dict[str, Any]) -> None:
        self.sent.append((method, params))


class Talk:
    id = "conversation"


def relayed(*messages: EventMsg) -> Client:
    client = Client()
    relay = _TurnRelay(cast("Connection", client), "7", AppendOnly(), UpdateTranslator())

    async def main() -> None:
        async with anyio.create_task_group() as questions:
            for number, msg in enumerate(messages):
                event = Event(id="1", event_seq=number, msg=msg)
                await relay.on_event(cast("Conversation", Talk()), event, questions)

    anyio.run(main)
    return client


def test_text_that_is_sent_again_reaches_the_client_once() -> None:
    client = relayed(
        AgentMessageDelta(delta="He"),
        AgentMessageReset(item_id="m"),
        AgentMessageDelta(delta="Hell"),
        AgentMessageDelta(delta="o"),
        AgentMessage(message="Hello"),
    )
    events = [params["msg"] for method, params in client.sent if method == "codex/event"]
    assert events == [
        *({"type": "agent_message_delta", "delta": delta} for delta in ("He", "ll", "o")),
        {"type": "agent_message", "message": "Hello"},
    ]
    assert all(
        params["_meta"] == {"requestId": "7"} for method, params in client.sent if method == "codex/event"
    )
    numbers = [params["event_seq"] for method, params in client.sent if method == "codex/event"]
    assert numbers == [0, 1, 2, 3]  # although there was one more that the client need not know of
    updates = [
        params["update"]["content"]["text"] for method, params in client.sent if method == "session/update"
    ]
    assert updates == ["He", "ll", "o"]


def test_numbers_go_on_over_turns_without_a_gap_where_one_event_becomes_two_or_none() -> None:
    append_only = AppendOnly()

    def numbers(*events: tuple[str, EventMsg]) -> list[tuple[str, int]]:
        shown = []
        for event_id, msg in events:
            shown += append_only.numbered(Event(id=event_id, event_seq=99, msg=msg))
        return [(event.id, event.event_seq) for event in shown]

    warning = WarningEvent(message="careful")
    reset = AgentMessageReset()
    delta, whole = AgentMessageDelta(delta="He"), AgentMessage(message="Hello")
    assert numbers(("0", warning), ("1", delta), ("1", reset), ("1", delta)) == [("0", 0), ("1", 0)]
    assert numbers(("1", whole), ("0", warning)) == [("1", 1), ("1", 2), ("0", 1)]
    assert numbers(("2", TaskStarted()), ("2", delta)) == [("2", 0), ("2", 1)]
