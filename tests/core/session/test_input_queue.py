from dataclasses import replace
from pathlib import Path

import pytest

from code_core.protocol.ops import (
    EditQueuedInput,
    ImageInput,
    LocalImageInput,
    QueueUserInput,
    RemoveQueuedInput,
    TextInput,
    UserInput,
)
from code_core.protocol.session_events import QueueEntry
from code_core.session import input_queue
from code_core.session.input_queue import InputQueue, QueuedInput, removed_entry, too_large


def waiting(name: str, **more: object) -> QueuedInput:
    return QueuedInput(name, "s", (TextInput(text=name),), **more)  # type: ignore[arg-type] # a schema


@pytest.mark.parametrize("kind", [UserInput, QueueUserInput])
@pytest.mark.parametrize(("given", "kept"), [("mine", True), ("used", False), ("", False), (None, False)])
def test_input_keeps_an_id_that_nothing_else_has(
    kind: type[UserInput] | type[QueueUserInput], given: str | None, kept: bool
) -> None:
    items, schema = [TextInput(text="a"), TextInput(text="b")], {"type": "object"}
    op = kind(id=given, items=items, output_schema=schema)
    one, other = (QueuedInput.of(op, "7", {"used"}) for _ in range(2))
    assert one == QueuedInput(one.id, "7", tuple(items), schema)
    assert (one.id == given, one.id == other.id) == (kept, kept)
    assert one.id


def test_only_the_texts_of_an_input_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(input_queue, "MOST_CHARACTERS", 2)
    image = ImageInput(image_url="data:,long")
    assert too_large(UserInput(items=[TextInput(text="a"), image, TextInput(text="b")])) is None
    problem = too_large(UserInput(items=[TextInput(text="ab"), image, TextInput(text="c")]))
    assert problem == "the input has 3 characters, more than 2: put it in a file and name the file"


def test_the_journal_gets_exactly_the_given_input() -> None:
    schema = {"type": "object"}
    items = (TextInput(text="see"), ImageInput(image_url="data:,"), LocalImageInput(path=Path("/a.png")))
    assert QueuedInput("a", "s", items, schema).entry().event == {
        "type": "input_queued",
        "id": "a",
        "items": [
            {"type": "text", "text": "see"},
            {"type": "image", "image_url": "data:,"},
            {"type": "local_image", "path": "/a.png"},
        ],
        "output_schema": schema,
    }
    assert "output_schema" not in waiting("a").entry().event


def test_an_edit_keeps_the_position_and_the_schema() -> None:
    queue = InputQueue([waiting("a", output_schema={"a": 1}), waiting("b")])
    edited = queue.edit("a", [TextInput(text="new")])
    assert edited is not None
    assert edited == replace(waiting("a", output_schema={"a": 1}), items=(TextInput(text="new"),))
    assert queue.first() == edited
    assert [entry.id for entry in queue.entries] == ["a", "b"]
    assert queue.edit("c", []) is None
    assert [queue.remove(name) for name in ("a", "a")] == [True, False]
    assert len(queue) == 1


def test_ops_change_the_queue_and_its_event() -> None:
    new = TextInput(text="new")
    queue = InputQueue([waiting("a"), waiting("b")])
    assert queue.change(EditQueuedInput(id="b", items=[new])) == replace(waiting("b"), items=(new,)).entry()
    assert queue.changed().entries == [
        QueueEntry(id="a", items=[TextInput(text="a")]),
        QueueEntry(id="b", items=[new]),
    ]
    assert queue.change(RemoveQueuedInput(id="a")) == removed_entry("a")
    assert [entry.id for entry in queue.changed().entries] == ["b"]
    for late in (RemoveQueuedInput(id="a"), EditQueuedInput(id="a", items=[new])):
        assert queue.change(late) is None
    assert [entry.id for entry in queue.entries] == ["b"]


def test_the_journal_records_removals() -> None:
    assert removed_entry("a").event == {"type": "input_removed", "id": "a"}
