from pathlib import Path

from code_core.protocol.ops import ImageInput, LocalImageInput, TextInput
from code_core.session.input_queue import InputQueue, QueuedInput


def waiting(name: str, **more: object) -> QueuedInput:
    return QueuedInput(name, "s", (TextInput(text=name),), **more)  # type: ignore[arg-type] # a schema


def test_the_journal_gets_what_was_given_and_nothing_else() -> None:
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


def test_a_change_keeps_the_place_and_the_schema() -> None:
    queue = InputQueue([waiting("a", output_schema={"a": 1}), waiting("b")])
    edited = queue.edit("a", [TextInput(text="new")])
    assert edited is not None
    assert edited.output_schema == {"a": 1}
    assert queue.first() == edited
    assert [entry.id for entry in queue.entries] == ["a", "b"]
    assert queue.edit("c", []) is None
    assert [queue.remove(name) for name in ("a", "a")] == [True, False]
    assert len(queue) == 1
