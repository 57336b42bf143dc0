"""Which op starts which task."""

from collections.abc import Callable
from typing import Any

from code_core.protocol.ops import Compact, Op, Redo, Review, RunUserShellCommand, Undo
from code_core.session.tasks.compact import CompactTask
from code_core.session.tasks.review import ReviewTask
from code_core.session.tasks.task import Task
from code_core.session.tasks.undo import UndoTask
from code_core.session.tasks.user_shell import UserShellTask

TASKS: dict[type[Any], Callable[[Any], Task]] = {
    Compact: lambda _op: CompactTask(),
    Redo: lambda _op: UndoTask("redo"),
    Review: lambda op: ReviewTask(op.target),
    RunUserShellCommand: lambda op: UserShellTask(op.command),
    Undo: lambda _op: UndoTask("undo"),
}
"""Beside these, input starts a turn (`turn.py`), because it can wait in the queue."""


def task_of(op: Op) -> Task | None:
    """The task that `op` starts; None for the ops that start none."""
    make = TASKS.get(type(op))
    return None if make is None else make(op)
