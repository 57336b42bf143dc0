"""Entries and rollouts for the tests of the store."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from code_core.store.entries import Entry, ItemEntry, JsonObject, SessionMeta
from code_core.store.layout import rollout_path
from code_core.store.rollout import RolloutFile

ROLLOUTS = Path(__file__).parent / "rollouts"
"""Rollouts that Codex 0.50.0 and 0.169.0 wrote against a scripted model, texts shortened, and one of the fork."""

ID = "11111111-2222-4333-8444-555555555555"
OTHER_ID = "99999999-2222-4333-8444-555555555555"


def user(text: str) -> JsonObject:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


def assistant(text: str) -> JsonObject:
    return {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}]}


def call(call_id: str) -> JsonObject:
    return {"type": "function_call", "name": "shell", "arguments": "{}", "call_id": call_id}


def output(call_id: str, text: str = "ok") -> JsonObject:
    return {"type": "function_call_output", "call_id": call_id, "output": text}


def items(*values: JsonObject) -> list[Entry]:
    return [ItemEntry(value) for value in values]


def write_rollout(
    home: Path, entries: Sequence[Entry], session_id: str = ID, when: datetime | None = None, **meta: object
) -> Path:
    path = rollout_path(home, session_id, when or datetime(2026, 1, 2, 3, 4, 5).astimezone())
    fields = {"id": session_id, "originator": "code_py", "cwd": "/work/project", **meta}
    file = RolloutFile(path, SessionMeta(fields))
    file.write(entries)
    file.close()
    return path


def texts(history: Sequence[JsonObject]) -> list[str]:
    return [part["text"] for item in history for part in item.get("content") or []]


def rollout_of(program: str) -> Path:
    return next((ROLLOUTS / program).glob("*.jsonl"))
