"""The facts that a summary must not get wrong: which files changed and which commands still run."""

from collections.abc import Iterable, Sequence

from code_core.protocol.items import CustomToolCallOutput, FunctionCallOutput, Message, ResponseItem
from code_core.session.compaction.budget import Budget
from code_core.session.history.engine_notes import STATE_TAG, begins_with
from code_core.session.history.sizes import BYTES_PER_TOKEN

PATCHED = "Success. Updated the following files:"
"""First line of a successful patch's output; one line per file follows."""
_CHANGED = "Changed so far: "
_RUNNING = "Still running: "


def changed_files(items: Iterable[ResponseItem]) -> list[str]:
    """Return the files changed by patches in the history and its earlier state notes, the last changed one last."""
    files: dict[str, None] = {}
    for item in items:
        match item:
            case Message() if begins_with(item, STATE_TAG):
                changed = _listed(item.text)
            case FunctionCallOutput(output=str(text)) | CustomToolCallOutput(output=text):
                changed = _patched(text)
            case _:
                changed = []
        for name in changed:
            files.pop(name, None)
            files[name] = None
    return [*files]


def state_text(files: Sequence[str], running: Sequence[str], budget: Budget) -> str | None:
    """Return the state note, naming the most recently changed files, or None if it would be empty."""
    lines: list[str] = []
    room = budget.state * BYTES_PER_TOKEN - len(STATE_TAG) * 2
    for title, entries in ((_RUNNING, running), (_CHANGED, [*reversed(files)])):
        shown: list[str] = []
        for entry in entries:
            room -= len(entry) + len(title) + 1
            if room < 0:
                break
            shown.append(f"{title}{entry}")
        lines += reversed(shown) if title == _CHANGED else shown
        if len(shown) < len(entries):
            lines.append(f"… and {len(entries) - len(shown):,} more")
    return f"{STATE_TAG}\n" + "\n".join(lines) + "\n</session_state>" if lines else None


def _listed(text: str) -> list[str]:
    return [line.removeprefix(_CHANGED) for line in text.split("\n") if line.startswith(_CHANGED)]


def _patched(text: str) -> list[str]:
    _, found, rest = text.partition(PATCHED)
    if not found:
        return []
    files: list[str] = []
    for line in rest.split("\n")[1:]:
        if line[:2] not in {"A ", "M ", "D "}:
            break
        files.append(line[2:])
    return files
