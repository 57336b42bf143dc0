"""A command that the user runs directly; the model sees it with the next request."""

from html import escape
from uuid import uuid4

from code_core.session.session import Session, user_note
from code_core.session.tasks.task import Report
from code_core.session.turn.clock import TurnClock
from code_core.session.turn.lazy_tool_context import LazyToolContext
from code_core.tools.command_permission import CommandRequest
from code_core.tools.command_run import run_shell_command

TIME_LIMIT = 3_600.0


class UserShellTask:
    """See `Task`.

    Args:
        command: a bash script. The user entered it, so it runs without approval and without a sandbox.
    """

    kind = "user_shell"
    interrupted_note = None

    def __init__(self, command: str) -> None:
        self._command = command

    async def run(self, session: Session, report: Report) -> str | None:
        """See `Task.run`."""
        call_id = f"user_{uuid4().hex}"
        request = CommandRequest(call_id, ["bash", "-lc", self._command], session.settings.cwd)
        with LazyToolContext(session, report, TurnClock(None)) as tool_context:
            context = await tool_context.get()
            try:
                output = (await run_shell_command(request, TIME_LIMIT, context, source="user")).output
            except BaseException:
                if (interrupted := context.interrupted.get(call_id)) is not None:
                    note = _note(self._command, interrupted.text)
                    await session.history.add(user_note(note, report.turn_id))
                raise
        await session.history.add(user_note(_note(self._command, output.text), report.turn_id))
        return None


def _note(command: str, output: str) -> str:
    return (
        f"<user_shell_command>\n<command>{escape(command, quote=False)}</command>\n"
        f"<result>{output}</result>\n</user_shell_command>"
    )
