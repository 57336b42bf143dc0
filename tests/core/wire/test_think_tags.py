"""Reasoning that a server leaves in the text."""

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from code_core.protocol.items import FunctionCall, Message, Reasoning
from code_core.wire.chat_messages import chat_messages
from code_core.wire.chat_reader import ChatReader
from code_core.wire.prompt import NO_QUIRKS
from code_core.wire.response_events import ItemDone, ReasoningTextDelta, TextDelta
from code_core.wire.think_tags import ThinkTags
from support import chat_chunks as chat


def split(text: str, *, opened: bool, at: tuple[int, ...] = ()) -> tuple[str, str]:
    """The reasoning and the text in `text`, fed in pieces."""
    tags = ThinkTags(opened=opened)
    bounds = [0, *sorted(min(one, len(text)) for one in at), len(text)]
    pieces = [piece for a, b in pairwise(bounds) for piece in tags.add(text[a:b])]
    pieces += tags.end()
    parts = {kind: "".join(words for one, words in pieces if one == kind) for kind in ("reasoning", "text")}
    return parts["reasoning"], parts["text"]


CASES = [
    ("<think>a</think>b", False, ("a", "b")),
    ("\n <think>\na\n</think>\n\nb", False, ("\na\n", "\n\nb")),
    ("<think>a</think>b", True, ("a", "b")),
    ("a</think>b", True, ("a", "b")),
    ("a</think>b", False, ("", "a</think>b")),
    ("b <think>a</think>", False, ("", "b <think>a</think>")),
    ("<think>a</think>b<think>c</think>", False, ("a", "b<think>c</think>")),
    ("<think>a</thin", False, ("a</thin", "")),
    ("<thi", False, ("", "<thi")),
    ("<thinking>a", False, ("", "<thinking>a")),
    ("a", True, ("a", "")),
    ("", True, ("", "")),
]


@pytest.mark.parametrize(("text", "opened", "expected"), CASES)
def test_only_reasoning_at_the_beginning_is_reasoning(
    text: str, opened: bool, expected: tuple[str, str]
) -> None:
    assert split(text, opened=opened) == expected
    assert split(text, opened=opened, at=tuple(range(len(text)))) == expected


@given(
    text=st.text("<think>/ a\n", max_size=40),
    opened=st.booleans(),
    at=st.lists(st.integers(0, 40), max_size=6),
)
def test_the_result_is_the_same_for_every_split(text: str, opened: bool, at: list[int]) -> None:
    assert split(text, opened=opened, at=tuple(at)) == split(text, opened=opened)


def test_only_a_possible_start_of_a_tag_is_held_back() -> None:
    tags = ThinkTags(opened=True)
    assert tags.add("ab") == [("reasoning", "ab")]
    assert tags.add("c</t") == [("reasoning", "c")]
    assert tags.add("x") == [("reasoning", "</tx")]


def test_separating_takes_linear_time() -> None:
    tags = ThinkTags(opened=True)
    started = time.process_time()
    blank = ThinkTags(opened=False)
    for _ in range(200_000):
        tags.add("</thin")
        blank.add(" ")
    assert time.process_time() - started < 5


def read(*chunks: object, opened: bool = False) -> tuple[ChatReader, list[object]]:
    reader = ChatReader(1, "p/m", ThinkTags(opened=opened))
    events: list[object] = []
    for chunk in chunks:
        assert isinstance(chunk, dict)
        events += reader.read(chunk)
    return reader, [*events, *reader.end()]


def test_the_reader_reports_reasoning_and_does_not_send_it_back() -> None:
    chunks = (
        chat.text("<think>Hm"),
        chat.text("m</thi"),
        chat.text("nk>\n\nHel"),
        chat.text("lo"),
        chat.finish(),
    )
    _, events = read(*chunks)
    assert "".join(one.delta for one in events if isinstance(one, ReasoningTextDelta)) == "Hmm"
    assert "".join(one.delta for one in events if isinstance(one, TextDelta)) == "Hello"
    items = [one.item for one in events if isinstance(one, ItemDone)]
    thought, message = items
    assert isinstance(thought, Reasoning)
    assert isinstance(message, Message)
    assert message.text == "Hello"
    assert chat_messages(items, NO_QUIRKS, "p/m", images=True) == [{"role": "assistant", "content": "Hello"}]


def test_reasoning_before_a_call_ends_with_the_call() -> None:
    call = chat.call("shell", {"command": ["ls"]}, "c1")
    _, events = read(chat.text("I look</thi"), call, chat.finish("tool_calls"), opened=True)
    thought, made = [one.item for one in events if isinstance(one, ItemDone)]
    assert isinstance(thought, Reasoning)
    assert thought.content is not None
    assert thought.content[0].text == "I look</thi"
    assert "".join(one.delta for one in events if isinstance(one, ReasoningTextDelta)) == "I look</thi"
    assert isinstance(made, FunctionCall)


def test_without_the_setting_tags_are_text() -> None:
    reader = ChatReader(1, "p/m")
    events = [*reader.read(chat.text("<think>a</think>b")), *reader.read(chat.finish()), *reader.end()]
    [item] = [one.item for one in events if isinstance(one, ItemDone)]
    assert isinstance(item, Message)
    assert item.text == "<think>a</think>b"
