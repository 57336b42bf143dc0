"""Broken streams: finished items are kept once, others are withdrawn, and requests only grow at the end."""

import json
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import anyio
import pytest

from code_core.acp.updates import UpdateTranslator
from code_core.config.load import ConfigOverrides
from code_core.protocol.events import EventMsg
from code_core.protocol.ops import Interrupt
from code_core.protocol.policies import SandboxMode
from code_core.session.manager import ConversationManager
from core.session.conversing import Frontend, user
from support import Reply, ScriptedUpstream, pause, reply, stream
from support import responses_events as sse

END = stream(sse.created(), sse.text_delta("END"), sse.message("END"), sse.completed())


@pytest.fixture
def upstream() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream() as upstream:
        yield upstream


@pytest.fixture
def talk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, upstream: ScriptedUpstream
) -> Callable[..., list[EventMsg]]:
    monkeypatch.setenv("CODE_HOME", str(tmp_path))
    work = tmp_path / "work"
    work.mkdir()

    def run(
        *replies: Reply, script: Any = None, end: str = "task_complete", **settings: Any
    ) -> list[EventMsg]:
        upstream.add(*replies)
        provider = {"base_url": upstream.base_url, "request_max_retries": 1, "stream_max_retries": 2}
        overrides = ConfigOverrides(
            cwd=work,
            model="gpt-5",
            model_provider="p",
            sandbox_mode=SandboxMode.DANGER_FULL_ACCESS,
            settings=(("model_providers.p", provider | settings),),
        )

        async def one_turn(frontend: Frontend) -> None:
            await frontend.send(user("go"))
            await frontend.until(end)

        async def main() -> list[EventMsg]:
            with anyio.fail_after(30):
                async with await ConversationManager().new(overrides) as conversation:
                    frontend = Frontend(conversation)
                    await (script or one_turn)(frontend)
                    return [event.msg for event in frontend.seen]

        return anyio.run(main)

    return run


def shown(events: Sequence[EventMsg]) -> list[tuple[str, str]]:
    """The kind and text of the events for the model's words."""
    found: list[tuple[str, str]] = []
    for msg in events:
        if msg.type.startswith("agent_"):
            words = next(
                (text for name in ("message", "delta", "text") if (text := getattr(msg, name, None))), ""
            )
            found.append((msg.type.removeprefix("agent_"), words))
    return found


def chunks(events: Sequence[EventMsg]) -> str:
    """The model's words as an ACP client shows them."""
    translator = UpdateTranslator()
    updates = [update for msg in events for update in translator.updates(msg)]
    return "".join(
        update["content"]["text"] for update in updates if update["sessionUpdate"] == "agent_message_chunk"
    )


def texts(request: Any) -> list[str]:
    return [
        part["text"]
        for item in request.json["input"]
        if item["type"] == "message"
        for part in item["content"]
    ]


def broken(*events: Any) -> Reply:
    return stream(sse.created(), *events, disconnect=True)


def test_text_of_an_incomplete_message_is_withdrawn(talk: Callable[..., list[EventMsg]]) -> None:
    half = {**sse.text_delta("Hel"), "item_id": "m1"}
    events = talk(
        broken(half),
        stream(sse.created(), sse.text_delta("Hello"), sse.message("Hello"), sse.completed()),
    )
    assert shown(events) == [
        ("message_delta", "Hel"),
        ("message_reset", ""),
        ("message_delta", "Hello"),
        ("message", "Hello"),
    ]
    (reset,) = (msg for msg in events if msg.type == "agent_message_reset")
    assert reset.item_id == next(msg.item_id for msg in events if msg.type == "agent_message_delta")
    assert chunks(events) == "Hello"
    assert [msg.code for msg in events if msg.type == "stream_error"] == ["stream"]


def test_nothing_is_withdrawn_if_nothing_was_shown(talk: Callable[..., list[EventMsg]]) -> None:
    assert shown(talk(broken(), END)) == [("message_delta", "END"), ("message", "END")]


def test_incomplete_reasoning_is_withdrawn(talk: Callable[..., list[EventMsg]]) -> None:
    events = talk(
        broken(sse.reasoning_summary_delta("hm")),
        broken(sse.reasoning_summary_delta("hmm"), sse.reasoning("hmm", "e")),
        END,
    )
    assert shown(events)[:4] == [
        ("reasoning_delta", "hm"),
        ("reasoning_reset", ""),
        ("reasoning_delta", "hmm"),
        ("reasoning", "hmm"),
    ]
    assert [kind for kind, _ in shown(events)].count("reasoning_reset") == 1


def test_a_finished_message_is_kept_and_the_model_continues_after_it(
    talk: Callable[..., list[EventMsg]], upstream: ScriptedUpstream
) -> None:
    events = talk(
        broken(sse.text_delta("one"), sse.message("one")),
        stream(sse.created(), sse.text_delta("two"), sse.message("two"), sse.completed()),
        END,
        script=two_turns,
    )
    assert shown(events) == [
        *(("message_delta", "one"), ("message", "one")),
        *(("message_delta", "two"), ("message", "two")),
        *(("message_delta", "END"), ("message", "END")),
    ]
    first, second, third = (texts(request) for request in upstream.requests)
    assert second[: len(first) + 1] == [*first, "one"]
    assert second[-1].startswith("<stream_interrupted>")
    assert third == [*second, "two", "again"]


async def two_turns(frontend: Frontend) -> None:
    await frontend.send(user("go"))
    await frontend.until("task_complete")
    await frontend.send(user("again"))
    await frontend.until("task_complete")


@pytest.mark.parametrize(
    "again",
    [
        (sse.message("one"),),
        (sse.text_delta("one"), sse.message("one")),
        (sse.text_delta("o"), sse.text_delta("ne"), sse.message("one")),
    ],
)
def test_a_message_that_the_model_repeats_is_shown_and_kept_once(
    talk: Callable[..., list[EventMsg]], upstream: ScriptedUpstream, again: tuple[Any, ...]
) -> None:
    events = talk(
        broken(sse.text_delta("one"), sse.message("one")),
        stream(
            sse.created(), *again, sse.function_call("shell", {"command": ["true"]}, "c1"), sse.completed()
        ),
        END,
    )
    assert shown(events)[:2] == [("message_delta", "one"), ("message", "one")]
    assert shown(events)[2:] == [("message_delta", "END"), ("message", "END")]
    assert texts(upstream.requests[2]).count("one") == 1


def test_a_message_with_only_the_same_beginning_is_shown_completely(
    talk: Callable[..., list[EventMsg]],
) -> None:
    events = talk(
        broken(sse.message("one")),
        stream(
            sse.created(),
            *(sse.text_delta("on"), sse.text_delta("ly"), sse.message("only")),
            *(sse.text_delta("one"), sse.message("one")),
            sse.completed(),
        ),
    )
    assert shown(events) == [
        ("message", "one"),
        *(("message_delta", "only"), ("message", "only")),
        *(("message_delta", "one"), ("message", "one")),
    ]


def test_an_incomplete_repetition_is_never_shown(talk: Callable[..., list[EventMsg]]) -> None:
    events = talk(
        broken(sse.message("one")),
        broken(sse.text_delta("on")),
        stream(sse.created(), sse.text_delta("one"), sse.message("one"), sse.completed()),
    )
    assert shown(events) == [("message", "one")]
    assert events[-1].type == "task_complete"
    assert events[-1].last_agent_message == "one"


def test_an_empty_answer_after_a_kept_message_ends_the_turn(talk: Callable[..., list[EventMsg]]) -> None:
    events = talk(broken(sse.message("one")), stream(sse.created(), sse.completed()))
    assert events[-1].type == "task_complete"
    assert events[-1].last_agent_message == "one"


def test_an_empty_answer_is_requested_again_and_then_an_error(
    talk: Callable[..., list[EventMsg]], upstream: ScriptedUpstream
) -> None:
    empty = stream(sse.created(), sse.reasoning("hm", "e"), sse.completed())
    assert shown(talk(empty, END))[-1] == ("message", "END")
    events = talk(empty, empty, empty, end="error")
    assert events[-1].type == "error"
    assert "neither text nor a call (gave up after 3 attempts)" in events[-1].message
    assert events[-1].code == "stream"
    assert all(item["type"] != "reasoning" for item in upstream.requests[-1].json["input"])


def test_a_call_that_finished_before_the_break_runs_once(
    talk: Callable[..., list[EventMsg]], upstream: ScriptedUpstream
) -> None:
    touch = sse.function_call("shell", {"command": ["bash", "-c", "echo x >> made; wc -l < made"]}, "c1")
    talk(broken(sse.message("I touch"), touch, sse.text_delta("and")), END)
    inputs = [item["type"] for item in upstream.requests[1].json["input"]]
    assert inputs[-3:] == ["message", "function_call", "function_call_output"]
    assert json.loads(upstream.requests[1].json["input"][-1]["output"])["output"] == "1\n"


def test_the_turn_ends_after_the_allowed_number_of_retries(
    talk: Callable[..., list[EventMsg]], upstream: ScriptedUpstream
) -> None:
    events = talk(broken(), broken(), broken(), end="error")
    assert "gave up after 3 attempts" in getattr(events[-1], "message", "")
    assert [msg.attempt for msg in events if msg.type == "stream_error"] == [1, 2]
    assert len(upstream.requests) == 3


def test_a_refusal_has_a_code(talk: Callable[..., list[EventMsg]]) -> None:
    events = talk(reply(401, body={"error": "no"}), end="error")
    assert [msg.code for msg in events if msg.type == "error"] == ["auth"]


def test_comments_do_not_keep_a_silent_stream_alive(talk: Callable[..., list[EventMsg]]) -> None:
    alive = [part for _ in range(40) for part in (b": keep-alive\n\n", pause(0.05))]
    events = talk(stream(sse.created(), *alive), END, stream_idle_timeout_ms=400)
    [error] = [msg for msg in events if msg.type == "stream_error"]
    assert "sent nothing for 0.4 seconds" in error.message


def test_events_and_parts_of_events_keep_a_slow_stream_alive(talk: Callable[..., list[EventMsg]]) -> None:
    [whole] = stream(sse.message("slow")).parts
    assert isinstance(whole, bytes)
    pieces = [part for at in range(0, len(whole), 40) for part in (whole[at : at + 40], pause(0.1))]
    events = talk(stream(sse.created(), *pieces, sse.completed()), stream_idle_timeout_ms=400)
    assert shown(events) == [("message", "slow")]


def test_each_request_begins_with_the_previous_one(
    talk: Callable[..., list[EventMsg]], upstream: ScriptedUpstream
) -> None:
    slow = {"command": ["sleep", "60"]}

    async def script(frontend: Frontend) -> None:
        await frontend.send(user("first"))
        await frontend.until("task_complete")
        await frontend.send(user("second"))
        await frontend.until("exec_command_begin")
        await frontend.send(Interrupt())
        await frontend.until("turn_aborted")
        await frontend.send(user("third"))
        await frontend.until("task_complete")

    talk(
        stream(
            sse.created(),
            sse.reasoning("hm", "e"),
            sse.function_call("shell", {"command": ["echo", "é"]}, "c1"),
            sse.completed(),
        ),
        stream(sse.created(), sse.function_call("shell", '{"command": ["broken', "c2"), sse.completed()),
        broken(sse.message("kept"), sse.text_delta("lost")),
        stream(sse.created(), sse.custom_tool_call("apply_patch", "nonsense", "c3"), sse.completed()),
        broken(sse.function_call("update_plan", {"plan": []}, "c4")),
        END,
        stream(sse.created(), sse.function_call("shell", slow, "c5"), sse.completed()),
        stream(sse.created(), sse.function_call("shell", {"command": ["true"]}, "c1"), sse.completed()),
        END,
        script=script,
    )
    upstream.assert_finished()
    bodies = [request.body for request in upstream.requests]
    assert len(bodies) == 9
    for before, after in pairwise(bodies):
        begin = before.index(b'"input":[')
        end = before.index(b'],"tools":[', begin)
        assert after.startswith(before[:end])
        assert after[end : end + 2] == b",{"
        assert after[after.index(b'],"tools":[') :] == before[end:]
