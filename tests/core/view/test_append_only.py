from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from code_core.protocol.agent_events import (
    AgentMessage,
    AgentMessageDelta,
    AgentMessageReset,
    AgentReasoning,
    AgentReasoningDelta,
    AgentReasoningRawContent,
    AgentReasoningRawContentDelta,
    AgentReasoningReset,
)
from code_core.protocol.events import EventMsg, TaskStarted, WarningEvent
from code_core.view.append_only import AppendOnly

RESET = AgentMessageReset()


def deltas(*texts: str) -> list[EventMsg]:
    return [AgentMessageDelta(delta=text) for text in texts]


def shown(events: Sequence[EventMsg]) -> str:
    filtered = AppendOnly()
    return "".join(
        event.delta
        for msg in events
        for event in filtered.events(msg)
        if isinstance(event, AgentMessageDelta)
    )


@pytest.mark.parametrize(
    ("events", "text"),
    [
        ([*deltas("He", "llo"), AgentMessage(message="Hello")], "Hello"),
        ([*deltas("He"), RESET, *deltas("H", "e", "llo"), AgentMessage(message="Hello")], "Hello"),
        ([*deltas("He"), RESET, *deltas("Hello"), AgentMessage(message="Hello")], "Hello"),
        ([*deltas("Hello"), RESET, *deltas("Hello"), AgentMessage(message="Hello")], "Hello"),
        ([*deltas("He"), RESET, *deltas("H", "i"), AgentMessage(message="Hi")], "He\n\nHi"),
        ([*deltas("He"), RESET, *deltas("By", "e"), AgentMessage(message="Bye")], "He\n\nBye"),
        ([*deltas("Hello"), RESET, *deltas("He"), AgentMessage(message="He")], "Hello\n\nHe"),
        ([*deltas("He"), RESET, AgentMessage(message="Hello")], "Hello"),
        ([*deltas("He"), RESET, AgentMessage(message="Bye")], "He\n\nBye"),
        ([*deltas("He"), RESET, *deltas("H"), RESET, *deltas("Hell"), RESET, *deltas("Hello")], "Hello"),
        ([*deltas("He"), RESET, *deltas("Ha"), RESET, *deltas("Hab")], "He\n\nHab"),
        ([RESET, *deltas("Hello")], "Hello"),
        ([*deltas("a"), AgentMessage(message="a"), RESET, *deltas("a")], "aa"),
        ([*deltas("a"), RESET, TaskStarted(), *deltas("ab")], "aab"),
    ],
)
def test_a_retry_adds_only_new_text(events: list[EventMsg], text: str) -> None:
    assert shown(events) == text


@given(st.lists(st.text("ab", min_size=1), min_size=1), st.integers(0, 20))
def test_a_repeated_text_is_shown_once_however_it_is_split(pieces: list[str], kept: int) -> None:
    whole = "".join(pieces)
    events = [*deltas(whole[:kept]), RESET, *deltas(*pieces), AgentMessage(message=whole)]
    assert shown(events if whole[:kept] else events[1:]) == whole


def test_reasoning_is_withdrawn_too() -> None:
    filtered = AppendOnly()
    events: list[EventMsg] = [
        AgentReasoningDelta(delta="hm"),
        AgentReasoningRawContentDelta(delta="raw"),
        AgentReasoningReset(),
        AgentReasoningDelta(delta="hmm"),
        AgentReasoningRawContentDelta(delta="raw!"),
        AgentReasoning(text="hmm"),
        AgentReasoningRawContent(text="raw!"),
    ]
    found = [event for msg in events for event in filtered.events(msg)]
    assert found == [
        *events[:2],
        AgentReasoningDelta(delta="m"),
        AgentReasoningRawContentDelta(delta="!"),
        *events[5:],
    ]


def test_other_events_are_not_changed() -> None:
    warning = WarningEvent(message="x")
    assert AppendOnly().events(warning) == [warning]
