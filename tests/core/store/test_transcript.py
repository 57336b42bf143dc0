from pathlib import Path

import pytest

from code_core.store.entries import Compacted, EventEntry, JsonObject
from code_core.store.errors import RolloutUnreadable
from code_core.store.transcript import read_transcript
from core.store.samples import assistant, call, items, output, user, write_rollout


def test_a_transcript_shows_messages_calls_and_results(tmp_path: Path) -> None:
    reasoning = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "thinking"}]}
    odd = {"type": "function_call_output", "call_id": "b", "output": [{"type": "input_text", "text": "part"}]}
    older = {
        "type": "function_call_output",
        "call_id": "c",
        "output": {"content": "of 2025", "success": True},
    }
    entries = [
        *items(user("question"), reasoning, call("a"), output("a"), odd, older, assistant("answer")),
        Compacted.of("s", [user("kept")]),
        EventEntry({"type": "agent_message", "message": "not shown twice"}),
        EventEntry.rolled_back(1),
    ]
    shown = read_transcript(write_rollout(tmp_path, entries))
    assert [(block.kind, block.text) for block in shown.blocks] == [
        ("user", "question"),
        ("reasoning", "thinking"),
        ("call", "shell {}"),
        ("output", "ok"),
        ("output", "part"),
        ("output", "of 2025"),
        ("assistant", "answer"),
        ("note", "The conversation was compacted."),
        ("note", "1 turn rolled back."),
    ]
    assert shown.complete
    assert shown.blocks[2].call_id == shown.blocks[3].call_id == "a"


def test_a_transcript_is_bounded(tmp_path: Path) -> None:
    path = write_rollout(tmp_path, items(*(user(f"{number}" * 100) for number in range(50))))
    shown = read_transcript(path, most_blocks=3, longest=10)
    assert [block.text for block in shown.blocks] == ["4747474747", "4848484848", "4949494949"]
    assert shown.blocks[0].cut == 190
    assert not shown.complete


def test_invalid_items_do_not_end_a_transcript(tmp_path: Path) -> None:
    odd: list[JsonObject] = [
        {},
        {"type": 1},
        {"type": "message", "role": "user", "content": 3},
        {"type": "reasoning", "summary": "x"},
    ]
    assert (
        read_transcript(write_rollout(tmp_path, items(*odd, user("question")))).blocks[-1].text == "question"
    )
    with pytest.raises(RolloutUnreadable):
        read_transcript(tmp_path / "missing")
