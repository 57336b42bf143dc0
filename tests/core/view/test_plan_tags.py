"""The tags around a proposed plan are not shown, however the text comes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from code_core.protocol.agent_events import AgentMessage, AgentMessageDelta, AgentMessageReset
from code_core.protocol.events import EventMsg, TaskComplete, TaskStarted
from code_core.protocol.session_events import SettingsChanged
from code_core.view.plan_tags import WithoutPlanTags, stored_without_tags, without_tags

PROPOSAL = "Easy.\n\n<proposed_plan>\n# Plan\n\n1. Make it\n</proposed_plan>"
SHOWN = "Easy.\n\n# Plan\n\n1. Make it\n"
PIECES = st.sampled_from(
    ["<proposed_plan>", "</proposed_plan>", "<prop", "\n", " ", "\t", "a", "<", " " * 60]
)


def settings(mode: str) -> SettingsChanged:
    return SettingsChanged(
        model="m", cwd="/", approval_policy="never", sandbox_mode="read-only", collaboration_mode=mode
    )


def planning() -> WithoutPlanTags:
    tags = WithoutPlanTags()
    tags.events(settings("plan"))
    return tags


def shown(tags: WithoutPlanTags, *messages: EventMsg) -> list[EventMsg]:
    return [one for msg in messages for one in tags.events(msg)]


def streamed(events: list[EventMsg]) -> str:
    return "".join(event.delta for event in events if isinstance(event, AgentMessageDelta))


@pytest.mark.parametrize(
    ("text", "without"),
    [
        (PROPOSAL, SHOWN),
        ("<proposed_plan>\na\n</proposed_plan>\nb", "a\nb"),
        (" <proposed_plan> \r\na\r\n</proposed_plan>\t", "a\r\n"),
        ("write <proposed_plan>\n<proposed_plan>a\n", "write <proposed_plan>\n<proposed_plan>a\n"),
        (" " * 41 + "<proposed_plan>\n", " " * 41 + "<proposed_plan>\n"),
        ("", ""),
    ],
)
def test_a_tag_must_be_on_its_own_line(text: str, without: str) -> None:
    assert without_tags(text) == without


@given(st.lists(PIECES).map("".join), st.data())
def test_streamed_text_is_complete_however_it_is_split(text: str, data: Any) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    pieces = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    events = shown(
        planning(), *(AgentMessageDelta(delta=piece) for piece in pieces), AgentMessage(message=text)
    )
    assert streamed(events) == without_tags(text)
    assert events[-1] == AgentMessage(message=without_tags(text))


def test_text_that_cannot_be_a_tag_is_shown_immediately() -> None:
    tags = planning()
    assert streamed(tags.events(AgentMessageDelta(delta="a <prop"))) == "a <prop"
    assert streamed(tags.events(AgentMessageDelta(delta="\n<pro"))) == "\n"
    assert streamed(tags.events(AgentMessageDelta(delta="be>"))) == "<probe>"
    assert streamed(tags.events(AgentMessageDelta(delta="\n" + " " * 101))) == "\n" + " " * 101


@pytest.mark.parametrize("ends", [AgentMessageReset(), TaskStarted(model_context_window=None)])
def test_withheld_text_is_withdrawn_with_the_message(ends: EventMsg) -> None:
    events = shown(
        planning(), AgentMessageDelta(delta="<pro"), ends, AgentMessageDelta(delta="posed_plan>\na")
    )
    assert streamed(events) == "posed_plan>\na"


def test_the_final_answer_has_no_tags() -> None:
    [end] = planning().events(TaskComplete(last_agent_message=PROPOSAL))
    assert end == TaskComplete(last_agent_message=SHOWN)
    nothing = TaskComplete(last_agent_message=None)
    assert planning().events(nothing) == [nothing]


def test_a_model_that_does_not_plan_may_write_about_tags() -> None:
    tags = planning()
    tags.events(settings("default"))
    events: list[EventMsg] = [
        AgentMessageDelta(delta="<proposed_plan>\n"),
        AgentMessage(message=PROPOSAL),
        TaskComplete(last_agent_message=PROPOSAL),
    ]
    assert shown(tags, *events) == events
    assert tags.text(PROPOSAL) == PROPOSAL


def test_the_tags_of_a_complete_plan_are_removed_from_a_stored_message() -> None:
    assert stored_without_tags(PROPOSAL) == SHOWN
    assert stored_without_tags("<proposed_plan>\nhalf") == "<proposed_plan>\nhalf"
