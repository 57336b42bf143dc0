"""Pending approvals: a question goes out as an event, and its answer comes in as an op."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from code_core.protocol.approval_events import ApprovalRequest
from code_core.protocol.ops import ExecApproval, PatchApproval, RegisterApprovedCommand
from code_core.protocol.policies import ReviewDecision
from code_core.session.questions.questions import Questions
from code_core.tools.tool import Emit

if TYPE_CHECKING:
    from code_core.safety.grants import Grant
    from code_core.safety.rules import RegisteredCommand
    from code_core.session.questions.permission_tool import PermissionTool

Answer = ExecApproval | PatchApproval


class Approvals:
    """Asks for approvals and remembers what was allowed for the session.

    Args:
        tool: asked first; the frontend is asked if it does not decide.
        rules_file: where rules that the user adds are stored; without it, no rule is offered.
    """

    def __init__(self, tool: "PermissionTool | None" = None, rules_file: Path | None = None) -> None:
        self._tool = tool
        self.rules_file = rules_file
        self._questions: Questions[Answer] = Questions()
        self._used_ids: set[str] = set()
        self._grants: set[Grant] = set()
        self._registered: list[RegisteredCommand] = []

    def answer(self, op: Answer) -> bool:
        """Answer the question with the approval id `op.id`; False if it is not open."""
        return self._questions.answer(op.id, op)

    async def ask(self, request: ApprovalRequest, emit: Emit) -> Answer | ReviewDecision:
        """Return the tool's decision, or the frontend's answer to `request`; waits without a time limit."""
        if self._tool is not None and (decision := await self._tool.ask(request)) is not None:
            return decision
        return await self._questions.ask(request.approval_id, request, emit) or ReviewDecision.ABORT

    def new_id(self, call_id: str) -> str:
        """Return an approval id that no earlier question in this conversation has used.

        The first question about a call uses the call id, because 2025 clients answer with that. Any later
        question about the call, or about another call with the same id, gets an id that cannot be guessed.
        """
        fresh = call_id if call_id and call_id not in self._used_ids else f"approval-{os.urandom(16).hex()}"
        self._used_ids.add(fresh)
        return fresh

    def approved(self, *grants: "Grant") -> bool:
        """See `Approver.approved`."""
        return bool(grants) and self._grants.issuperset(grants)

    def grant(self, *grants: "Grant") -> None:
        """Allow these for the session."""
        self._grants.update(grants)

    def registered_commands(self) -> "Sequence[RegisteredCommand]":
        """The commands passed to `register`."""
        return self._registered

    def register_command(self, op: RegisterApprovedCommand) -> None:
        """Allow a command that a frontend registers."""
        from code_core.safety.rules import RegisteredCommand  # rarely used

        self.register(RegisteredCommand(tuple(op.command), op.match_kind, tuple(op.semantic_prefix or ())))

    def register(self, command: "RegisteredCommand") -> None:
        """Allow matching commands from now on."""
        self._registered.append(command)
