"""What an MCP client gets of a turn whose stream broke: it cannot take text back."""

from typing import Any, cast

import anyio
from mcp.server.connection import Connection

from code_core.acp.updates import UpdateTranslator
from code_core.protocol.agent_events import AgentMessage, AgentMessageDelta, AgentMessageReset
from code_core.protocol.events import Event, EventMsg
from code_core.session.conversation import Conversation
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
    relay = _TurnRelay(cast("Connection", client), "7", UpdateTranslator())

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
    updates = [
        params["update"]["content"]["text"] for method, params in client.sent if method == "session/update"
    ]
    assert updates == ["He", "ll", "o"]
