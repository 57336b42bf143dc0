"""Maps ops to the tasks that they start; each kind of task is imported on first use."""

from code_core.protocol.ops import Compact, Op, Redo, Review, RunUserShellCommand, Undo
from code_core.session.tasks.task import Task


def task_of(op: Op) -> Task | None:
    """Return the task that `op` starts, or None.

    User input starts a turn (`turn.py`) but is not listed here, because it can wait in the queue.
    """
    match op:
        case Compact():
            from code_core.session.tasks.compact import CompactTask

            return CompactTask()
        case Review(target=target):
            from code_core.session.tasks.review import ReviewTask

            return ReviewTask(target)
        case RunUserShellCommand(command=command):
            from code_core.session.tasks.user_shell import UserShellTask

            return UserShellTask(command)
        case Undo() | Redo():
            from code_core.session.tasks.undo import UndoTask

            return UndoTask(op.type)
        case _:
            return None
