"""Rollouts of Codex 2025 and 2026 and of just-every/code."""

import json
import shutil
from pathlib import Path

import pytest

from code_core.session.history.request_input import normalised
from code_core.store.entries import EventEntry, ItemEntry
from code_core.store.lines import decode, encode
from code_core.store.listing import Query
from code_core.store.restore import restore
from code_core.store.restored_items import response_items
from code_core.store.sessions import SessionStore
from code_core.store.transcript import read_transcript
from core.store.samples import OTHER_ID, ROLLOUTS, assistant, rollout_of, texts, user

PROGRAMS = [path.name for path in sorted(ROLLOUTS.iterdir())]


def in_home(program: str, home: Path) -> Path:
    source = rollout_of(program)
    target = home / "sessions" / "2026" / "01" / "02" / source.name
    target.parent.mkdir(parents=True)
    shutil.copy(source, target)
    return target


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_line_survives_a_round_trip(program: str) -> None:
    for line in rollout_of(program).read_bytes().splitlines():
        assert json.loads(encode(decode(line))) == json.loads(line)


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_foreign_session_is_listed_shown_and_resumed(program: str, tmp_path: Path) -> None:
    path = in_home(program, tmp_path)
    store = SessionStore(tmp_path)
    (record,) = store.list(Query(search="HELLO.TXT")).sessions
    assert record.path == path
    assert record.preview == "write hello to hello.txt"
    assert (record.cwd, record.model, record.git_branch) == ("/work/project", "gpt-5-codex", "main")
    shown = read_transcript(path)
    assert shown.complete
    assert next(block.text for block in shown.blocks if block.kind == "user") == "write hello to hello.txt"
    opened = store.resume(record)
    assert opened.restored is not None
    assert opened.restored.notes == ()
    history, notes = response_items(opened.restored.items)
    assert notes == ()
    assert normalised(history) == history
    assert opened.restored.token_info is not None
    assert opened.restored.turn_context["model"] == "gpt-5-codex"
    opened.lock.release()


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        (
            "codex-0.50.0",
            ["write hello to hello.txt", "I wrote hello.txt.", "what does it say?", "It says hello."],
        ),
        (
            "codex-0.169.0",
            ["write hello to hello.txt", "I wrote hello.txt.", "what does it say?", "It says hello."],
        ),
        ("just-every-code", ["write hello to hello.txt", "I wrote hello.txt."]),
        (
            "codex-0.50.0-compacted",
            [
                "write hello to hello.txt",
                "A summary of the conversation so far:\n\nSUMMARY of the work.",
                "Goes on.",
                "what does it say?",
                "SUMMARY of the work.",
            ],
        ),
        (
            "codex-0.169.0-compacted",
            [
                "write hello to hello.txt",
                "Another language model … SUMMARY of the work.",
                "what does it say?",
                "It says hello.",
            ],
        ),
    ],
)
def test_the_history_of_a_foreign_session_omits_what_the_program_added(
    program: str, expected: list[str]
) -> None:
    assert texts(restore(rollout_of(program)).items) == expected


def test_our_lines_continue_the_numbering_and_are_marked(tmp_path: Path) -> None:
    path = in_home("codex-0.169.0", tmp_path)
    before = path.read_bytes()
    opened = SessionStore(tmp_path).resume(path)
    note = {
        "type": "message",
        "role": "developer",
        "content": [{"type": "input_text", "text": "a note of ours"}],
    }
    opened.file.write([EventEntry.task_started("t"), ItemEntry(note), ItemEntry(user("go on"))])
    opened.lock.release()
    assert path.read_bytes().startswith(before)
    ours = [json.loads(line) for line in path.read_bytes()[len(before) :].splitlines()]
    last = json.loads(before.splitlines()[-1])["ordinal"]
    assert [line["ordinal"] for line in ours] == [last + 1, last + 2, last + 3]
    assert texts(restore(path).items)[-2:] == ["a note of ours", "go on"]


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_foreign_session_can_be_forked_before_its_last_turn(program: str, tmp_path: Path) -> None:
    record = SessionStore(tmp_path).find(str(in_home(program, tmp_path)))
    path = SessionStore(tmp_path).fork(record, OTHER_ID, drop_last=1)
    restored = restore(path)
    assert restored.meta.forked_from == record.id
    kept = texts(restored.items)
    expected = {
        "codex-0.50.0": ["write hello to hello.txt", "I wrote hello.txt."],
        "codex-0.169.0": ["write hello to hello.txt", "I wrote hello.txt."],
        # That program compacted when the turn that is dropped began.
        "codex-0.169.0-compacted": ["write hello to hello.txt", "I wrote hello.txt."],
        "just-every-code": [],
    }
    assert kept == expected.get(program, texts(restore(record.path).items)[:3])
    assert restored.notes == ()
    opened = SessionStore(tmp_path).resume(path)
    opened.file.write([ItemEntry(assistant("more"))])
    assert texts(restore(path).items) == [*kept, "more"]
