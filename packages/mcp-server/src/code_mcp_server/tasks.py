"""Turns as tasks that clients poll, for clients with the extension `io.modelcontextprotocol/tasks`.

Source: the extension's specification, version 2026-07-28. Tasks live as long as the server; afterwards, a
conversation can be continued with `codex-reply`.
"""

import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from anyio.abc import TaskGroup

from code_core.protocol.events import Event
from code_mcp_server.approvals import denial
from code_mcp_server.jsonrpc import Code, RpcError
from code_mcp_server.round_trips import input_required, take_answers
from code_mcp_server.turns import Turn, TurnEnd

POLL_MILLISECONDS = 500
MOST_TASKS = 1_024
"""Limit on remembered tasks; those that ended first are dropped first."""


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(slots=True)
class Task:
    """A turn that no request waits for."""

    id: str
    turn: Turn
    call_id: str
    interrupt: Callable[[], Awaitable[None]]
    created: str = field(default_factory=_now)
    updated: str = field(default_factory=_now)
    cancelled: bool = False
    result: dict[str, Any] | None = None

    def seed(self) -> dict[str, Any]:
        """Return the answer to the call that created it."""
        return {"resultType": "task", **self._head("working")}

    def state(self) -> dict[str, Any]:
        """Return the answer to `tasks/get`."""
        if self.result is not None:
            if self.cancelled:
                return self._head("cancelled")
            return {**self._head("completed"), "result": self.result}
        if self.turn.open:
            return {**self._head("input_required"), **input_required(self.turn, self.call_id)}
        return self._head("working")

    def _head(self, status: str) -> dict[str, Any]:
        return {
            "taskId": self.id,
            "status": status,
            "createdAt": self.created,
            "lastUpdatedAt": self.updated,
            "ttlMs": None,
            "pollIntervalMs": POLL_MILLISECONDS,
        }


@dataclass(slots=True)
class Tasks:
    """The tasks of a server.

    Args:
        group: runs them.
    """

    group: TaskGroup
    _tasks: dict[str, Task] = field(default_factory=dict)

    def start(
        self,
        turn: Turn,
        call_id: str,
        interrupt: Callable[[], Awaitable[None]],
        result_of: Callable[[TurnEnd], dict[str, Any]],
        *,
        can_ask: bool,
    ) -> Task:
        """Follow a turn in the background.

        Args:
            turn: the turn, which has begun.
            call_id: the id of the client's call.
            interrupt: stops the turn.
            result_of: returns the result of the call from the end of the turn.
            can_ask: whether the client answers questions; otherwise they are declined.
        """
        task = Task(secrets.token_urlsafe(24), turn, call_id, interrupt)
        self._tasks[task.id] = task
        ended = [one for one in self._tasks.values() if one.result is not None]
        for one in ended[: max(0, len(self._tasks) - MOST_TASKS)]:
            del self._tasks[one.id]
        self.group.start_soon(self._follow, task, result_of, can_ask)
        return task

    async def request(self, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Answer `tasks/get`, `tasks/update` or `tasks/cancel`.

        Raises:
            RpcError: the task does not exist.
        """
        task_id = params.get("taskId")
        task = self._tasks.get(task_id) if isinstance(task_id, str) else None
        if task is None:
            raise RpcError(Code.INVALID_PARAMS, "task not found: it may have expired")
        match method:
            case "tasks/get":
                return task.state()
            case "tasks/update":
                responses = params.get("inputResponses")
                if not isinstance(responses, dict):
                    raise RpcError(Code.INVALID_PARAMS, "inputResponses must be an object")
                await take_answers(task.turn, responses)
                task.updated = _now()
                return {}
            case "tasks/cancel":
                if task.result is None:
                    task.cancelled = True
                    await task.interrupt()
                return {}
            case _:
                raise RpcError(Code.INTERNAL_ERROR, method)  # pragma: no cover - see `Dialogue`

    async def _follow(
        self,
        task: Task,
        result_of: Callable[[TurnEnd], dict[str, Any]],
        can_ask: bool,
    ) -> None:
        async def note(conversation: object, event: Event, questions: TaskGroup) -> None:
            del conversation, questions
            task.updated = _now()
            question = task.turn.question_in(event)
            if can_ask or question is None:
                task.turn.note(event)
            else:
                await task.turn.reply(denial(question))

        end = await task.turn.run(note)
        task.result, task.updated = result_of(end), _now()
