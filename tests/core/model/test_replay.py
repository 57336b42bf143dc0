import json
from pathlib import Path
from typing import Any

import anyio
import pytest

from code_core.errors import ConfigError, RequestRefused, StreamBroken
from code_core.model.record import Recorder
from code_core.model.replay import ReplayClient, load_scenario
from code_core.model.retry import RetryLimits, backoff
from code_core.protocol.items import (
    FunctionCall,
    FunctionCallOutput,
    InputText,
    LocalShellAction,
    LocalShellCall,
    Message,
    Reasoning,
)
from code_core.wire.prompt import ModelSettings, Prompt
from code_core.wire.response_events import Completed, ItemDone, ResponseEvent
from code_core.wire.sse import SseEvent
from core.wire.chat_reading import shape
from support import chat_chunks as chat
from support import responses_events as sse

USER = Message(role="user", content=[InputText(text="hi there")])
CALLED = (
    FunctionCall(name="f", arguments="{}", call_id="1"),
    FunctionCallOutput(call_id="1", output="all OK"),
)


def scenario(folder: Path, *lines: Any) -> Path:
    path = folder / "scenario.jsonl"
    path.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
    return path


def play(path: Path, *prompts: Prompt) -> list[str]:
    async def main() -> list[str]:
        client = ReplayClient(load_scenario(path))
        kinds = []
        for prompt in prompts:
            async with client.stream(prompt) as events:
                kinds += [type(event).__name__ async for event in events]
        return kinds

    return anyio.run(main)


PROMPT = Prompt(ModelSettings("m"), "c", "i", [USER, *CALLED])


def test_a_scenario_plays_response_by_response(tmp_path: Path) -> None:
    expect = [{"contains": "hi there"}, {"call_id": "1", "output_contains": "OK"}]
    stream = [sse.created(), {"pause_ms": 1}, sse.message("x"), sse.completed()]
    path = scenario(
        tmp_path,
        {"replay": 1},
        "",
        {"expect": expect, "stream": stream},
        {"stream": [sse.message("y"), sse.completed()]},
    )
    assert play(path, PROMPT, PROMPT) == ["Created", "ItemDone", "Completed", "ItemDone", "Completed"]


def test_a_scenario_may_use_chat_completions(tmp_path: Path) -> None:
    chunks = [chat.reasoning("Hm"), chat.text("Hi"), chat.finish()]
    path = scenario(tmp_path, {"replay": 1}, {}, {"wire": "chat", "stream": chunks})

    async def main() -> list[ResponseEvent]:
        client = ReplayClient(load_scenario(path)[1:])
        async with client.stream(PROMPT) as events:
            return [event async for event in events]

    events = anyio.run(main)
    assert shape(events)[-1:] == ["Hi"]
    reasoning, message = (event for event in events if isinstance(event, ItemDone))
    assert isinstance(reasoning.item, Reasoning)
    assert reasoning.item.origin == "replay"
    assert message.order is not None
    assert message.order.request_ordinal == 1
    assert isinstance(events[-1], Completed)


def test_pauses_are_milliseconds_and_at_most_a_minute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    stream = [{"pause_ms": 50}, sse.message("x"), {"pause_ms": 10**9}, sse.completed()]
    path = scenario(tmp_path, {"replay": 1}, {"stream": stream})
    monkeypatch.setattr(anyio, "sleep", sleep)
    assert play(path, PROMPT) == ["ItemDone", "Completed"]
    assert slept == [0.05, 60.0]


def test_no_events_arrive_after_the_context_has_ended(tmp_path: Path) -> None:
    path = scenario(tmp_path, {"replay": 1}, {"stream": [sse.message("x"), sse.completed()]})

    async def main() -> None:
        async with ReplayClient(load_scenario(path)).stream(PROMPT) as events:
            assert isinstance(await anext(events), ItemDone)
        assert [event async for event in events] == []

    anyio.run(main)


def test_a_scenario_is_retried_like_any_provider() -> None:
    assert ReplayClient([]).retry_limits == RetryLimits()


def test_an_expectation_searches_all_texts_and_nothing_else(tmp_path: Path) -> None:
    shell = LocalShellCall(call_id="2", action=LocalShellAction(command=["ls"], timeout_ms=5))
    seen = FunctionCallOutput(call_id="1", output=[InputText(text="all OK")])
    prompt = Prompt(ModelSettings("m"), "c", "i", [CALLED[0], seen, shell])
    stream = [sse.message("x"), sse.completed()]
    for expected in ({"contains": "ls"}, {"call_id": "1", "output_contains": "all OK"}):
        path = scenario(tmp_path, {"replay": 1}, {"expect": [expected], "stream": stream})
        assert play(path, prompt) == ["ItemDone", "Completed"]
    path = scenario(tmp_path, {"replay": 1}, {"expect": [{"contains": "absent"}], "stream": stream})
    with pytest.raises(RequestRefused, match="'absent' in its input"):
        play(path, prompt)


@pytest.mark.parametrize(
    ("response", "error", "problem"),
    [
        ({"expect": [{"contains": "bye"}]}, RequestRefused, "request 1 to have 'bye' in its input"),
        ({"expect": [{"call_id": "1", "output_contains": "bad"}]}, RequestRefused, "in the output of call 1"),
        ({"expect": [{"call_id": "2", "output_contains": "OK"}]}, RequestRefused, "in the output of call 2"),
        ({"stream": [sse.text_delta("half")]}, StreamBroken, "before response.completed"),
        (None, RequestRefused, "ends after 0 responses"),
    ],
)
def test_an_unmet_expectation_is_reported(
    tmp_path: Path, response: Any, error: type[Exception], problem: str
) -> None:
    path = scenario(tmp_path, {"replay": 1}, *([response] if response else []))
    with pytest.raises(error, match=problem):
        play(path, PROMPT)


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ([], "is empty"),
        ([{"replay": 2}], "wrong at line 1: replay"),
        (["nonsense"], "wrong at line 1"),
        ([{"replay": 1}, "{"], "wrong at line 2"),
        ([{"replay": 1}, {"stream": 5}], "wrong at line 2: stream: Input should be"),
        ([{"replay": 1}, {"stream": [5]}], r"wrong at line 2: stream\.0: Input should be"),
    ],
)
def test_an_invalid_file_is_reported_with_its_line(tmp_path: Path, lines: list[Any], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        load_scenario(scenario(tmp_path, *lines))


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        load_scenario(tmp_path / "absent")
    with pytest.raises(ConfigError, match="cannot be read: embedded null"):
        load_scenario(tmp_path / "a\0b")


def test_a_recording_is_a_scenario_without_secrets(tmp_path: Path) -> None:
    path = tmp_path / "record.jsonl"
    recorder = Recorder(path, {b"MY_TOKEN": b"hunter2hunter2", b"PATH": b"/usr/bin:/bin"})
    problem = "hunter2hunter2 sk-abcdefghijklmnop1234 /usr/bin:/bin"
    with recorder.exchange():
        recorder.event(SseEvent("message", json.dumps(sse.message(problem)).encode()))
        recorder.event(SseEvent("message", b"[DONE]"))
        recorder.event(SseEvent("message", json.dumps(sse.completed()).encode()))
    with recorder.exchange():
        recorder.event(SseEvent("message", json.dumps(sse.created()).encode()))
    recorder.close()
    first, second = load_scenario(path)
    assert first.stream[0]["item"]["content"][0]["text"] == "[REDACTED] [REDACTED] /usr/bin:/bin"
    assert len(first.stream) == 2
    assert second.stream == [sse.created()]


def test_an_unwritable_recording_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be written"):
        Recorder(tmp_path / "no" / "such" / "place")


def test_delays_double_up_to_a_minute() -> None:
    for attempt, delay in ((1, 0.2), (2, 0.4), (5, 3.2), (50, 60.0)):
        assert 0.89 * delay < backoff(attempt) < 1.11 * delay
