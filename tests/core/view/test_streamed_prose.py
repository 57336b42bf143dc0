import re

from hypothesis import given, settings
from hypothesis import strategies as st

from code_core.protocol.agent_events import AgentMessage, AgentMessageDelta, AgentMessageReset
from code_core.protocol.events import EventMsg, StreamError, TaskStarted, TurnAborted
from code_core.view.append_only import AppendOnly
from code_core.view.frame import columns_of
from code_core.view.printer import HumanPrinter
from code_core.view.streamed_prose import StreamedProse
from code_core.view.visible import readable

PIECES = st.lists(
    st.text(
        st.sampled_from("ab ?\uff1f\n\t\r\x1b[31m;\u0301\u200d\ufe0f\u6f22\U0001f3f3\u202e-")
        | st.characters(),
        max_size=40,
    ),
    max_size=12,
)


def streamed(*pieces: str, columns: int | None = None) -> str:
    out: list[str] = []
    prose = StreamedProse(out.append, lambda: columns, "?")
    for piece in pieces:
        prose.add(piece)
    prose.end()
    return "".join(out)


def test_words_are_printed_as_soon_as_they_are_complete() -> None:
    out: list[str] = []
    prose = StreamedProse(out.append, lambda: 40, "?")
    prose.add("Hel")
    prose.add("lo the")
    assert "".join(out) == "\nHello"
    prose.add("re.\n\n")
    assert "".join(out) == "\nHello there."
    prose.end()
    assert "".join(out) == "\nHello there.\n"


def test_a_script_without_spaces_is_printed_immediately() -> None:
    out: list[str] = []
    prose = StreamedProse(out.append, lambda: 40, "?")
    prose.add("\u6f22" * 10)
    assert "".join(out).count("\u6f22") == 8


def test_an_escape_sequence_split_between_pieces_is_escaped() -> None:
    assert streamed("a\x1b", "[2Jb") == "\na\\x1b[2Jb\n"
    assert streamed("a\x1b[3", "1mb\x1b[0m") == "\nab\n"
    assert streamed("a\r", "\nb") == "\na\nb\n"
    assert streamed("a\u202e", "b") == "\na\\u202eb\n"


def test_rows_are_broken_between_words_and_never_begin_like_a_question() -> None:
    assert streamed("x" * 20 + "? Run this?", columns=20) == "\n" + "x" * 19 + "\nx? Run this?\n"
    assert streamed("x" * 19 + "? Run this?", columns=20) == "\n" + "x" * 19 + "?\nRun this?\n"
    assert streamed("x" * 19 + " ? Run this?", columns=20) == "\n" + "x" * 19 + "\n ? Run this?\n"
    assert streamed("one two three four five", columns=20) == "\none two three four\nfive\n"
    assert streamed("? a\n\uff1f b") == "\n ? a\n \uff1f b\n"


@settings(deadline=None)
@given(PIECES, st.integers(20, 50))
def test_prose_does_not_control_the_terminal_or_imitate_a_question(pieces: list[str], columns: int) -> None:
    text = streamed(*pieces, columns=columns)
    assert readable(text) == text
    assert not set(text) & set("\t\r\x1b\u202e")
    for row in text.split("\n"):
        assert not row.startswith(("?", "\uff1f"))
        assert sum(map(columns_of, row)) <= columns


@settings(deadline=None)
@given(PIECES)
def test_the_split_into_pieces_does_not_matter(pieces: list[str]) -> None:
    def loose(text: str) -> str:
        return re.sub(r"\s+", " ", text)

    assert loose(streamed(*pieces)) == loose(streamed("".join(pieces)))


def shown(*events: EventMsg, columns: int | None = None) -> str:
    out: list[str] = []
    append_only = AppendOnly()
    printer = HumanPrinter(out.append, color=False, streams=True, columns=lambda: columns)
    for event in events:
        for one in append_only.events(event):
            printer.show(one)
    return "".join(out)


def deltas(*texts: str) -> list[EventMsg]:
    return [AgentMessageDelta(delta=text) for text in texts]


AGAIN = StreamError(message="the stream broke", attempt=1, max=5, delay_ms=0)


def test_a_message_that_was_streamed_is_printed_once() -> None:
    assert shown(*deltas("Hello ", "there"), AgentMessage(message="Hello there")) == "\nHello there\n"
    assert shown(*deltas("Hello "), AgentMessage(message="Hello there")) == "\nHello there\n"
    assert shown(AgentMessage(message="Hello there")) == "\nHello there\n"
    assert shown(*deltas("one"), AgentMessage(message="two")) == "\none\n\ntwo\n"
    twice = [*deltas("same"), AgentMessage(message="same")]
    assert shown(*twice, *twice) == "\nsame\n\nsame\n"


def test_a_withdrawn_message_is_not_printed_twice() -> None:
    text = shown(
        *deltas("Hello th"),
        AgentMessageReset(),
        AGAIN,
        *deltas("Hello", " there"),
        AgentMessage(message="Hello there"),
    )
    assert text == "\nHello th\nthe stream broke: retrying (1 of 5)\n\nere\n"
    text = shown(
        *deltas("Hello th"), AgentMessageReset(), AGAIN, *deltas("Good bye"), AgentMessage(message="Good bye")
    )
    assert text == "\nHello th\nthe stream broke: retrying (1 of 5)\n\nGood bye\n"


def test_an_incomplete_message_ends_its_row() -> None:
    text = shown(
        *deltas("Hello th"), TurnAborted(reason="interrupted"), TaskStarted(), AgentMessage(message="Hello")
    )
    assert text == "\nHello th\n\nturn interrupted\n\nHello\n"
