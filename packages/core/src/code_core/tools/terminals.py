"""The commands of a session that outlive their calls: at most 64, ended with the session."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import anyio
from anyio.abc import TaskGroup

from code_core.protocol.duration import Duration
from code_core.protocol.terminal_events import TerminalEnded, TerminalInfo, TerminalsChanged
from code_core.view.titles import command_text

if TYPE_CHECKING:
    from code_core.protocol.events import EventMsg
    from code_core.tools.terminal_session import TerminalSession

MOST = 64
LONGEST_SHOWN = 200


class TooManyTerminals(Exception):  # noqa: N818 - reported to the model
    """The limit of running commands is reached."""


class Terminals:
    """Starts, finds and ends commands. Ended ones are kept until their output is read."""

    def __init__(self) -> None:
        self._sessions: dict[int, TerminalSession] = {}
        self._last_id = 0
        self._tasks: TaskGroup | None = None
        self._emit: Callable[[EventMsg], Awaitable[None]] | None = None

    def serve(self, tasks: TaskGroup, emit: "Callable[[EventMsg], Awaitable[None]]") -> None:
        """Run commands in `tasks`, whose cancellation ends them all; report changes to `emit`."""
        self._tasks = tasks
        self._emit = emit

    def new_id(self) -> int:
        """Return a number that no other command of the session has used.

        Raises:
            TooManyTerminals: 64 commands are running.
        """
        if len(self._sessions) >= MOST:
            ended = next((one.id for one in self._sessions.values() if one.end is not None), None)
            if ended is None:
                raise TooManyTerminals(f"{MOST} commands are running: end one of them first, with ^C or exit")
            del self._sessions[ended]
        self._last_id += 1
        return self._last_id

    async def start(self, session: "TerminalSession") -> None:
        """Start a command.

        Raises:
            SpawnError: the program or the directory is missing or may not be used.
        """
        if self._tasks is None:
            raise RuntimeError("commands cannot outlive a call here: the conversation is not open")
        self._sessions[session.id] = session
        try:
            await self._tasks.start(session.run)
        except BaseException:
            self._sessions.pop(session.id, None)
            raise

    async def outlive(self, session: "TerminalSession") -> None:
        """Report a command that is still running after its call returned, now and when it ends."""
        if self._tasks is not None:
            await self._changed()
            self._tasks.start_soon(self._until_end, session)

    def find(self, session_id: int) -> "TerminalSession | None":
        """Return the command with this number, or None if it never existed, or has ended and been read."""
        return self._sessions.get(session_id)

    def forget(self, session: "TerminalSession") -> None:
        """Drop a command that has ended and been read."""
        self._sessions.pop(session.id, None)

    def listing(self) -> TerminalsChanged:
        """Return the running commands, oldest first, as an event."""
        return TerminalsChanged(terminals=[_info(one) for one in self._sessions.values() if one.end is None])

    def shown(self) -> tuple[str, ...]:
        """Return the running commands for the model, one line each."""
        return tuple(
            f"session {one.session_id}: {one.command[:LONGEST_SHOWN]} (in {one.cwd})"
            for one in self.listing().terminals
        )

    def stop(self, session_id: int | None = None) -> bool:
        """Stop one command, or all; False if none was running."""
        chosen = [one for one in self._sessions.values() if one.end is None and session_id in {None, one.id}]
        for one in chosen:
            one.stop()
        return bool(chosen)

    async def _until_end(self, session: "TerminalSession") -> None:
        await session.finished.wait()
        if self._emit is None or session.end is None:
            return
        with anyio.CancelScope(shield=True):
            ended = TerminalEnded(
                session_id=session.id,
                command=command_text(session.command.command),
                exit_code=session.end.code,
                duration=Duration.of(session.end.seconds),
                stopped=session.stopped,
            )
            await self._emit(ended)
            await self._changed()

    async def _changed(self) -> None:
        if self._emit is not None:
            await self._emit(self.listing())


def _info(session: "TerminalSession") -> TerminalInfo:
    command = session.command
    return TerminalInfo(
        session_id=session.id,
        command=command_text(command.command),
        cwd=command.cwd,
        tty=command.tty,
        confined=command.policy is not None,
    )
