"""The same work over each wire has the same events."""

from pathlib import Path
from typing import Any

import anyio
import pytest

from code_core.config.load import ConfigOverrides
from code_core.protocol.events import Event
from code_core.protocol.ops import TextInput, UserInput
from code_core.protocol.policies import SandboxMode, WireApi
from code_core.session.manager import ConversationManager
from core.session.conversing import Frontend, user
from support import Reply, ScriptedUpstream, chat_stream, stream
from support import chat_chunks as chat
from support import responses_events as sse

PATCH = "*** Begin Patch\n*** Add File: made.txt\n+one\n*** End Patch\n"
ECHO = {"command": ["echo", "hello"]}
PLAN = {"plan": [{"step": "look", "status": "completed"}]}
SCHEMA = {"type": "object", "properties": {"ok": {"type": "boolean"}}}


def at(index: int, event: dict[str, Any]) -> dict[str, Any]:
    return {**event, "output_index": index}


def reasoned(index: int, text: str) -> tuple[dict[str, Any], ...]:
    item = {
        "type": "reasoning",
        "id": "r",
        "summary": [],
        "content": [{"type": "reasoning_text", "text": text}],
    }
    delta = {"type": "response.reasoning_text.delta", "delta": text}
    return at(index, delta), at(index, sse.item_done(item))


SCRIPTS: dict[WireApi, list[Reply]] = {
    "responses": [
        stream(
            sse.created(),
            *reasoned(0, "Hm"),
            at(1, sse.text_delta("Look")),
            at(1, sse.text_delta(":")),
            at(1, sse.message("Look:")),
            at(2, sse.function_call("shell", ECHO, "c1")),
            at(3, sse.function_call("update_plan", PLAN, "c2")),
            sse.completed(),
        ),
        stream(sse.created(), at(0, sse.custom_tool_call("apply_patch", PATCH, "c3")), sse.completed()),
        stream(sse.created(), at(0, sse.function_call("nothing", {}, "c4")), sse.completed()),
        stream(sse.failed("overloaded", "busy")),
        stream(sse.created(), at(0, sse.text_delta("{}")), at(0, sse.message("{}")), sse.completed()),
    ],
    "chat": [
        chat_stream(
            chat.role(),
            chat.reasoning("Hm"),
            chat.text("Look"),
            chat.text(":"),
            chat.call("shell", ECHO, "c1"),
            chat.call("update_plan", PLAN, "c2", 1),
            chat.finish("tool_calls"),
            chat.usage(prompt_tokens_details={"cached_tokens": 4}),
        ),
        chat_stream(
            chat.call("apply_patch", {"input": PATCH}, "c3"),
            chat.finish("tool_calls"),
            chat.usage(prompt_tokens_details={"cached_tokens": 4}),
        ),
        chat_stream(
            chat.call("nothing", {}, "c4"),
            chat.finish("tool_calls"),
            chat.usage(prompt_tokens_details={"cached_tokens": 4}),
        ),
        chat_stream({"error": {"code": "overloaded", "message": "busy"}}),
        chat_stream(chat.text("{}"), chat.finish(), chat.usage(prompt_tokens_details={"cached_tokens": 4})),
    ],
}
_CHANGING = frozenset(
    {"item_id", "turn_id", "duration", "session_id", "id", "cwd", "delay_ms", "history_log_id"}
)


def steady(value: Any) -> Any:
    """`value` without what differs from run to run."""
    match value:
        case dict():
            return {name: steady(inner) for name, inner in value.items() if name not in _CHANGING}
        case list():
            return [steady(inner) for inner in value]
        case _:
            return value


def work(
    folder: Path, wire: WireApi, monkeypatch: pytest.MonkeyPatch
) -> tuple[list[Any], ScriptedUpstream, Path]:
    directory = folder / "work"
    directory.mkdir(parents=True)
    monkeypatch.setenv("CODE_HOME", str(folder))
    seen: list[Event] = []
    with ScriptedUpstream(SCRIPTS[wire]) as upstream:
        provider = {"base_url": upstream.base_url, "wire_api": wire, "name": "P", "stream_max_retries": 1}
        overrides = ConfigOverrides(
            cwd=directory,
            model="gpt-5",
            model_provider="p",
            sandbox_mode=SandboxMode.DANGER_FULL_ACCESS,
            settings=(("model_providers.p", provider), ("show_raw_agent_reasoning", True)),
        )

        async def main() -> None:
            with anyio.fail_after(60):
                async with await ConversationManager().new(overrides) as conversation:
                    frontend = Frontend(conversation)
                    await frontend.send(UserInput(items=[TextInput(text="go")], output_schema=SCHEMA))
                    await frontend.until("task_complete")
                    seen.extend(frontend.seen)

        anyio.run(main)
        upstream.assert_finished()
    shown = [steady(event.msg.model_dump(mode="json")) for event in seen]
    return [event for event in shown if event["type"] != "turn_diff"], upstream, directory


def joined(events: list[Any]) -> list[Any]:
    """`events` with adjacent pieces of a text joined, as they merge until somebody reads them."""
    whole: list[Any] = []
    for event in events:
        if whole and "delta" in event and whole[-1]["type"] == event["type"]:
            whole[-1] = {**whole[-1], "delta": whole[-1]["delta"] + event["delta"]}
        else:
            whole.append(event)
    return whole


def test_the_same_work_has_the_same_events_on_each_wire(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (first, _, one), (second, upstream, two) = (
        work(tmp_path / wire, wire, monkeypatch) for wire in ("responses", "chat")
    )
    first, second = joined(first), joined(second)
    names = {str(one): "WORK", str(two): "WORK"}

    def without_places(events: list[Any]) -> str:
        text = "\n".join(map(repr, events))
        for path, name in names.items():
            text = text.replace(path, name)
        return text

    kinds = [event["type"] for event in first]
    for kind in (
        "agent_reasoning_raw_content",
        "exec_command_begin",
        "plan_update",
        "patch_apply_end",
        "stream_error",
    ):
        assert kind in kinds
    assert [event["type"] for event in second] == kinds
    busy = [event for event in first if event["type"] == "stream_error"]
    assert "busy" in busy[0]["message"]
    same = [event for event in first if event["type"] not in {"stream_error", "session_configured"}]
    also = [event for event in second if event["type"] not in {"stream_error", "session_configured"}]
    assert without_places(also).splitlines() == without_places(same).splitlines()
    assert (one / "made.txt").read_text() == (two / "made.txt").read_text() == "one\n"
    last = upstream.requests[-1].json
    assert last["response_format"]["json_schema"]["schema"] == SCHEMA
    assert [message["role"] for message in last["messages"]][-7:] == [
        *("assistant", "tool", "tool"),
        *("assistant", "tool"),
        *("assistant", "tool"),
    ]
    answer = next(message for message in last["messages"] if message["role"] == "assistant")
    assert answer["reasoning_content"] == "Hm"


@pytest.mark.parametrize(("before", "after"), [("responses", "chat"), ("chat", "responses")])
def test_a_session_continues_with_another_provider(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: WireApi, after: WireApi
) -> None:
    monkeypatch.setenv("CODE_HOME", str(tmp_path))
    directory = tmp_path / "work"
    directory.mkdir()
    ends: dict[WireApi, Reply] = {
        "responses": stream(sse.created(), sse.message("END"), sse.completed()),
        "chat": chat_stream(chat.text("END"), chat.finish()),
    }
    with (
        ScriptedUpstream([*SCRIPTS[before][:2], ends[before]]) as first,
        ScriptedUpstream([ends[after]]) as second,
    ):
        providers = (
            ("model_providers.a", {"base_url": first.base_url, "wire_api": before}),
            ("model_providers.b", {"base_url": second.base_url, "wire_api": after}),
        )

        def overrides(provider: str, model: str) -> ConfigOverrides:
            return ConfigOverrides(
                cwd=directory,
                model=model,
                model_provider=provider,
                sandbox_mode=SandboxMode.DANGER_FULL_ACCESS,
                settings=providers,
            )

        async def main() -> None:
            manager = ConversationManager()
            with anyio.fail_after(60):
                async with await manager.new(overrides("a", "gpt-5")) as conversation:
                    frontend = Frontend(conversation)
                    await frontend.send(user("go"))
                    await frontend.until("task_complete")
                    session_id = conversation.session.id
                async with await manager.resume(session_id, overrides("b", "other")) as conversation:
                    frontend = Frontend(conversation)
                    await frontend.send(user("more"))
                    await frontend.until("task_complete")

        anyio.run(main)
        first.assert_finished()
        second.assert_finished()  # it was strict about the request
        [request] = second.requests
    text = request.body.decode()
    assert "Hm" not in text
    assert "*** Add File: made.txt" in text
    assert "custom_tool_call" not in text
