from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from code_core.protocol.agent_events import AgentMessage
from code_core.protocol.approval_events import ExecApprovalRequest
from code_core.protocol.duration import Duration
from code_core.protocol.events import (
    EventMsg,
    ExecCommandBegin,
    ExecCommandEnd,
    StreamError,
    TaskStarted,
    TurnDiff,
)
from code_core.view.printable import printable
from code_core.view.printer import HumanPrinter


def shown(*events: EventMsg, color: bool = False) -> str:
    out: list[str] = []
    printer = HumanPrinter(out.append, color=color)
    for event in events:
        printer.show(event)
    printer.show_diff()
    return "".join(out)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("plain\ttext\n", "plain\ttext\n"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07x", "x"),
        ("\x1b]52;c;aGk=\x1b\\x", "x"),
        ("\x1bPq#0\x1b\\x", "x"),
        ("a\rb\r\n", "ab\r\n"),
        ("a\x08\x00\x7f\x9bb", "ab"),
        ("a\u202eb\u2066c", "abc"),
        ("\x1b\x1b[2J", ""),
    ],
)
def test_what_could_drive_a_terminal_is_taken_out(text: str, left: str) -> None:
    assert printable(text) == left


@given(st.text(alphabet=st.characters(max_codepoint=0x2100)))
def test_no_escape_and_no_control_character_is_left(text: str) -> None:
    left = printable(text)
    assert not any((ord(c) < 32 and c not in "\t\n\r") or 0x7F <= ord(c) < 0xA0 for c in left)


def test_a_command_with_its_output() -> None:
    begin = ExecCommandBegin(call_id="c", command=["bash", "-lc", "ls"], cwd=Path("/w"))
    stdout = "".join(f"{number}\n" for number in range(25))
    end = ExecCommandEnd(call_id="c", stdout=stdout, stderr="", exit_code=2, duration=Duration.of(1.25))
    text = shown(begin, end)
    assert text.startswith("\n$ ls\n  0\n  1\n")
    assert text.endswith("  19\n  … 5 more lines\n  exit 2 after 1.2 s\n")


def test_a_question_shows_the_real_command() -> None:
    request = ExecApprovalRequest(
        call_id="c", approval_id="c", command=["rm", "-rf", "a b\x1b[8m"], cwd=Path("/w"), reason="why"
    )
    assert shown(request) == "\nmay this run? rm -rf 'a b'\n  in /w: why\n"


def test_retries_say_when() -> None:
    assert shown(StreamError(message="broken", attempt=1, max=5, delay_ms=250)) == (
        "broken: asking again in 0.2 s (1 of 5)\n"
    )


def test_colour_only_where_it_is_wanted() -> None:
    diff = TurnDiff(unified_diff="--- a\n+++ b\n@@ -1 +1 @@\n-x\n+y\n")
    assert "\x1b" not in shown(diff, AgentMessage(message="hi"))
    assert "\x1b[32m+y\x1b[0m" in shown(diff, color=True)
    assert shown(TaskStarted()) == ""
