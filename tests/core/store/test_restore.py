from pathlib import Path

import pytest

from code_core.session.history.request_input import normalised
from code_core.store import lines, reading
from code_core.store import restore as restoring
from code_core.store.entries import Compacted, Entry, EventEntry, ItemEntry, Line, TurnContext, UnknownEntry
from code_core.store.errors import RolloutUnreadable
from code_core.store.layout import id_of
from code_core.store.restore import restore
from code_core.store.restored_items import response_items
from core.store.samples import (
    ID,
    OTHER_ID,
    ROLLOUTS,
    assistant,
    call,
    items,
    output,
    rollout_of,
    texts,
    user,
    write_rollout,
)


def turn(number: int) -> list[Entry]:
    name = f"t{number}"
    return [
        EventEntry.task_started(name),
        TurnContext({"model": f"model {number}", "cwd": "/work/project"}),
        *items(user(f"question {number}"), call(f"call_{number}"), output(f"call_{number}")),
        EventEntry({"type": "exec_command_end", "call_id": f"call_{number}"}),
        *items(assistant(f"answer {number}")),
        EventEntry({"type": "token_count", "info": {"total_token_usage": {"total_tokens": number}}}),
        EventEntry.task_complete(name, f"answer {number}"),
    ]


def recording_decode(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Records the lines that are decoded."""
    decoded: list[bytes] = []
    decode = lines.decode

    def recording(data: bytes) -> Line:
        decoded.append(data)
        return decode(data)

    monkeypatch.setattr(restoring, "decode", recording)
    return decoded


def turns(*numbers: int) -> list[Entry]:
    return [entry for number in numbers for entry in turn(number)]


def test_a_session_is_restored_completely(tmp_path: Path) -> None:
    restored = restore(write_rollout(tmp_path, turns(1, 2)))
    assert texts(restored.items) == ["question 1", "answer 1", "question 2", "answer 2"]
    assert len(restored.items) == 8
    assert restored.turn_context["model"] == "model 2"
    assert restored.token_info == {"total_token_usage": {"total_tokens": 2}}
    assert restored.meta.id == ID
    assert restored.notes == ()
    assert restored.next_ordinal is None


def test_a_compaction_replaces_the_history_and_keeps_the_settings(tmp_path: Path) -> None:
    compacted = Compacted.of("summary", [user("question 1"), user("the summary")])
    restored = restore(write_rollout(tmp_path, [*turns(1, 2), compacted]))
    assert texts(restored.items) == ["question 1", "the summary"]
    assert restored.turn_context["model"] == "model 2"
    assert restored.token_info == {"total_token_usage": {"total_tokens": 2}}
    restored = restore(write_rollout(tmp_path, [*turns(1), compacted, *turns(3)], OTHER_ID))
    assert texts(restored.items) == ["question 1", "the summary", "question 3", "answer 3"]


def test_nothing_before_the_last_compaction_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restoring, "_SETTINGS_SCANNED", 0)
    path = write_rollout(tmp_path, [*turns(*range(50)), Compacted.of("s", [user("the summary")]), *turns(60)])
    decoded = recording_decode(monkeypatch)
    assert texts(restore(path).items) == ["the summary", "question 60", "answer 60"]
    assert len(decoded) < 15


def test_a_crash_after_a_compaction_is_noticed(tmp_path: Path) -> None:
    entries = [
        EventEntry.task_started("t"),
        *items(user("question")),
        Compacted.of("s", [user("the summary")]),
    ]
    assert restore(write_rollout(tmp_path, entries)).notes == ("the last turn did not end",)


def test_a_compaction_of_2025_keeps_the_users_messages(tmp_path: Path) -> None:
    restored = restore(
        write_rollout(tmp_path, [*turns(1, 2), Compacted({"message": "what was done"}), *turns(3)])
    )
    kept = ["question 1", "question 2", "A summary of the conversation so far:\n\nwhat was done"]
    assert texts(restored.items) == [*kept, "question 3", "answer 3"]


def test_a_compaction_of_2025_keeps_the_latest_messages_within_a_limit(tmp_path: Path) -> None:
    long = items(user("a" * 50_000), user("b" * 50_000), user("c"))
    restored = restore(write_rollout(tmp_path, [*long, Compacted({"message": "s"})]))
    assert [text[0] for text in texts(restored.items)] == ["b", "c", "A"]


@pytest.mark.parametrize(
    ("taken_back", "left"),
    [
        (0, ["question 1", "question 2"]),
        (1, ["question 1"]),
        (2, []),
        (7, []),
        (-1, ["question 1", "question 2"]),
    ],
)
def test_a_rollback_drops_turns(taken_back: int, left: list[str], tmp_path: Path) -> None:
    restored = restore(write_rollout(tmp_path, [*turns(1, 2), EventEntry.rolled_back(taken_back), *turns(3)]))
    assert [text for text in texts(restored.items) if text.startswith("q")] == [*left, "question 3"]


def test_a_rollback_drops_messages_kept_by_a_compaction(tmp_path: Path) -> None:
    compacted = Compacted.of("s", [user("question 1"), user("question 2")])
    restored = restore(
        write_rollout(tmp_path, [*turns(1, 2), compacted, *turns(3), EventEntry.rolled_back(2)])
    )
    assert texts(restored.items) == ["question 1"]


def test_damaged_lines_are_skipped_and_reported_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "LONGEST_LINE", 1_000)
    path = write_rollout(
        tmp_path, [*turns(1), UnknownEntry({"a": 1}, "newer"), UnknownEntry({"a": 2}, "newer")]
    )
    with path.open("ab") as file:
        file.write(b'{"half": \n\xff\xfe\n\0\0\0\0\n' + b"x" * 2_000 + b"\n\n" + b'{"timestamp":"2026-')
    assert restore(path).notes == (
        "the last line was incomplete and was skipped",
        "3 lines could not be read and were skipped",
        "1 line longer than 64 MiB was skipped",
        "2 lines of a type unknown to this version ('newer') were ignored",
    )
    assert texts(restore(path).items) == ["question 1", "answer 1"]


def test_calls_without_results_and_repeated_ids_are_reported_and_make_a_valid_request(tmp_path: Path) -> None:
    entries = [
        EventEntry.task_started("t"),
        *items(user("q"), call("a"), output("a"), call("a"), call("b"), output("c")),
    ]
    restored = restore(write_rollout(tmp_path, entries))
    assert restored.notes == (
        "the last turn did not end",
        "1 tool call without a result counts as aborted",
        "1 tool call with an id used before was dropped",
    )
    history, notes = response_items(restored.items)
    assert notes == ()
    assert [item.type for item in normalised(history)] == [
        "message",
        *("function_call", "function_call_output", "function_call", "function_call_output"),
    ]


def test_items_that_are_damaged_are_left_out_with_a_note() -> None:
    history, notes = response_items([user("a"), {"type": "function_call"}, {}])
    assert len(history) == 1
    assert notes == ("2 items of the history were damaged or of an unknown type and left out",)


def test_a_long_history_is_restored_from_a_turn_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_rollout(tmp_path, turns(*range(100)))
    monkeypatch.setattr(restoring, "MOST_HISTORY", 3_000)
    restored = restore(path)
    kept = texts(restored.items)
    assert kept[0].startswith("question")
    assert kept[-1] == "answer 99"
    assert 4 <= len(kept) < 30
    assert "the file keeps the rest" in restored.notes[0]
    assert restored.meta.id == ID


def test_the_search_through_noise_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noise: list[Entry] = [EventEntry({"type": "exec_command_end", "stdout": "x" * 1_000})] * 100
    path = write_rollout(tmp_path, [*turns(1), *noise, *turns(2)])
    monkeypatch.setattr(restoring, "MOST_SCANNED", 50_000)
    assert texts(restore(path).items) == ["question 2", "answer 2"]


@pytest.mark.parametrize("program", [path.name for path in sorted(ROLLOUTS.iterdir())])
def test_a_rollout_cut_at_every_byte_loads(program: str, tmp_path: Path) -> None:
    source = rollout_of(program)
    data = source.read_bytes()
    path = tmp_path / source.name
    whole = restore(source)
    longest = 0
    steps = range(0, len(data) + 1, 1 if len(data) < 9_000 else 7)
    for length in steps:
        path.write_bytes(data[:length])
        restored = restore(path)
        assert restored.meta.id == id_of(source.name)
        if "compacted" not in program:
            assert restored.items == whole.items[: len(restored.items)]
            assert len(restored.items) >= longest
            longest = len(restored.items)
        torn = "the last line was incomplete and was skipped"
        assert (torn in restored.notes) == _is_torn(data[:length])


def _is_torn(data: bytes) -> bool:
    last = data.rpartition(b"\n")[2]
    if not last:
        return False
    try:
        lines.decode(last)
    except lines.BadLine:
        return True
    return False


def test_a_file_that_is_not_a_rollout_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("hello\n")
    with pytest.raises(RolloutUnreadable, match="is not a session"):
        restore(path)
    with pytest.raises(RolloutUnreadable, match="No such file"):
        restore(tmp_path / "missing")
    with pytest.raises(RolloutUnreadable, match="regular file"):
        restore(tmp_path)
    with pytest.raises(RolloutUnreadable, match="embedded null"):
        restore(tmp_path / "a\0b")


def test_the_file_name_determines_the_id_of_a_copied_session(tmp_path: Path) -> None:
    path = write_rollout(tmp_path, turns(1))
    copy = path.with_name(path.name.replace(ID, OTHER_ID))
    copy.write_bytes(path.read_bytes())
    assert restore(copy).meta.id == OTHER_ID


def test_events_that_only_frontends_read_are_not_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    big = EventEntry({"type": "exec_command_end", "stdout": "x" * 100_000})
    path = write_rollout(tmp_path, [*turns(1), big, ItemEntry(assistant("more"))])
    decoded = recording_decode(monkeypatch)
    restore(path)
    assert max(map(len, decoded)) < 1_000
