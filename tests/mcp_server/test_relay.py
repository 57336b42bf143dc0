"""What an MCP client, which cannot withdraw text, gets of a turn with a broken stream."""

from collections.abc import Mapping
from typing import Any

import anyio

from code_core.acp.updates import UpdateTranslator
from code_core.protocol.agent_events import AgentMessage, AgentMessageDelta, AgentMessageReset
from code_core.protocol.events import ErrorEvent, Event, EventMsg, TaskStarted, WarningEvent
from code_core.view.append_only import AppendOnly
from code_core.view.plan_tags import WithoutPlanTags
from code_mcp_server.dialogue import Caller
from code_mcp_server.eras import ClientAbilities, LogLevel
from code_mcp_server.relay import Relay


class Client:
    def __init__(self) -> None:
        self.sent: list[tuple[str, Any]] = []

    async def notify(self, method: str, params: Mapping[str, Any]) -> None:
        self.sent.append((method, params))

    async def ask(self, method: str, params: Mapping[str, Any]) -> dict[str, Any] | None:
        raise AssertionError((method, params))


def relayed(
    *messages: EventMsg, progress_token: str | None = None, log_level: LogLevel | None = None
) -> Client:
    client = Client()
    caller = Caller(7, ClientAbilities(), False, client, progress_token, log_level)
    relay = Relay(caller, "conversation", AppendOnly(), WithoutPlanTags(), UpdateTranslator())

    async def main() -> None:
        for number, msg in enumerate(messages):
            await relay.send(Event(id="1", event_seq=number, msg=msg))

    anyio.run(main)
    return client


def test_repeated_text_reaches_the_client_once() -> None:
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


def test_progress_and_log_messages_are_sent_on_request() -> None:
    messages = (WarningEvent(message="careful"), AgentMessage(message="Hello"), ErrorEvent(message="broken"))
    methods = [method for method, _ in relayed(*messages).sent]
    assert not {"notifications/progress", "notifications/message"} & set(methods)
    sent = relayed(*messages, progress_token="p", log_level="error").sent
    assert [params for method, params in sent if method == "notifications/progress"] == [
        {"progressToken": "p", "progress": 1, "message": "Hello"}
    ]
    assert [params for method, params in sent if method == "notifications/message"] == [
        {"level": "error", "logger": "code", "data": "broken"}
    ]


def test_event_numbers_have_no_gaps_even_if_events_are_added_or_dropped() -> None:
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
