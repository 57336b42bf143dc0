"""The tools `exec_command` and `write_stdin` as a model calls them, with a user."""

import base64
import json
import os
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import anyio
import anyio.lowlevel

from code_core.protocol.events import ExecCommandBegin, ExecCommandEnd, ExecCommandOutputDelta
from code_core.protocol.items import FunctionCall
from code_core.protocol.policies import (
    DangerFullAccess,
)
from code_core.tools.apply_patch import ApplyPatch
from code_core.tools.exec_command import ExecCommand, WriteStdin
from code_core.tools.shell import Shell
from code_core.tools.terminals import Terminals
from code_core.tools.tool import ToolContext, ToolOutput
from core.tools.command_desk import Desk, User
from core.tools.conftest import Emitted


class Calls:
    """The two tools with a user, as a model calls them."""

    def __init__(self, context: ToolContext, terminals: Terminals, user: User) -> None:
        self.context = replace(context, terminals=terminals)
        self.terminals = terminals
        self.user = user
        self._exec = ExecCommand(Shell(ApplyPatch(None)))
        self._write = WriteStdin(self._exec)

    async def exec(self, cmd: str, call_id: str = "e1", **more: Any) -> ToolOutput:
        arguments = json.dumps({"cmd": cmd, **more})
        call = FunctionCall(name="exec_command", arguments=arguments, call_id=call_id)
        return await self._exec.call(call, self.context)

    async def write(self, session_id: int, chars: str = "", call_id: str = "w1", **more: Any) -> ToolOutput:
        arguments = json.dumps({"session_id": session_id, "chars": chars, **more})
        call = FunctionCall(name="write_stdin", arguments=arguments, call_id=call_id)
        return await self._write.call(call, self.context)

    async def start(self, cmd: str, **more: Any) -> None:
        """Start it, and wait for the word `ready`."""
        output = await self.exec(cmd, **({"yield_time_ms": 100} | more))
        with anyio.fail_after(10):
            while "ready" not in output.text:
                output = await self.write(1)


Body = Callable[[Calls], Awaitable[None]]


def run(desk: Desk, body: Body, **more: Any) -> None:
    environment = {"PATH": os.environ["PATH"], "HOME": str(desk.cwd)}
    given: Any = {
        "environment": environment,
        "sandbox_policy": DangerFullAccess(),
        "approver": desk.user,
    } | more
    context = replace(desk.context, **given)

    async def main() -> None:
        with anyio.fail_after(30):
            async with anyio.create_task_group() as tasks:
                terminals = Terminals()
                terminals.serve(tasks, context.emit)
                await body(Calls(context, terminals, desk.user))
                tasks.cancel_scope.cancel()

    anyio.run(main)


def parts(output: ToolOutput) -> tuple[float, str, str]:
    """The wall time, the status and the output."""
    found = re.fullmatch(r"Wall time: (\d+\.\d) seconds\n([^\n]*)\nOutput:\n(.*)", output.text, re.DOTALL)
    assert found is not None, output.text
    return float(found[1]), found[2], found[3]


def ends(emitted: Emitted) -> list[ExecCommandEnd]:
    return [event for event in emitted.events if isinstance(event, ExecCommandEnd)]


def begins(emitted: Emitted) -> list[ExecCommandBegin]:
    return [event for event in emitted.events if isinstance(event, ExecCommandBegin)]


def typed(emitted: Emitted, call_id: str) -> bytes:
    """The text of a call's deltas."""
    return b"".join(
        base64.b64decode(event.chunk)
        for event in emitted.events
        if isinstance(event, ExecCommandOutputDelta) and event.call_id == call_id
    )
