"""A workspace with a user, who answers a tool's questions about commands."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import anyio

from code_core.config.guards import NO_GUARDS, CommandGuards
from code_core.protocol.policies import (
    AskForApproval,
    ReviewDecision,
    SandboxPolicy,
    WorkspaceWrite,
)
from code_core.safety.grants import Grant
from code_core.safety.rules import PrefixRule, RegisteredCommand, RuleDecision
from code_core.tools.approver import CommandQuestion, Question, Review
from code_core.tools.command_permission import (
    CommandRequest,
    Permission,
    looked_up,
    permission,
    permission_to_retry,
)
from code_core.tools.tool import ToolContext, ToolOutput

UNTRUSTED, FAILURE, REQUEST, NEVER = AskForApproval
WORKSPACE = WorkspaceWrite()


@dataclass
class User:
    """Answers every question with `decision`, after doing something."""

    decision: ReviewDecision = ReviewDecision.APPROVED
    deed: Callable[[], object] = lambda: None
    grants: set[Grant] = field(default_factory=set)
    registered: list[RegisteredCommand] = field(default_factory=list)
    questions: list[CommandQuestion] = field(default_factory=list)

    async def ask(self, question: Question) -> Review:
        assert isinstance(question, CommandQuestion)
        self.questions.append(question)
        self.deed()
        return Review(self.decision)

    def approved(self, *grants: Grant) -> bool:
        return bool(grants) and self.grants.issuperset(grants)

    def registered_commands(self) -> Sequence[RegisteredCommand]:
        return self.registered


@dataclass
class Desk:
    """A workspace with a script, and a user."""

    context: ToolContext
    user: User

    @property
    def cwd(self) -> Path:
        return self.context.cwd

    def request(self, *argv: str, cwd: Path | None = None, **more: Any) -> CommandRequest:
        return looked_up(CommandRequest("c1", argv, cwd or self.cwd, **more), self.context)

    def decide(
        self,
        request: CommandRequest,
        guards: CommandGuards = NO_GUARDS,
        *,
        policy: AskForApproval = REQUEST,
        sandbox: SandboxPolicy = WORKSPACE,
        confinable: bool = True,
        retry: bool = False,
    ) -> Permission | ToolOutput:
        context = replace(self.context, approval_policy=policy, sandbox_policy=sandbox, approver=self.user)

        async def main() -> Permission | ToolOutput:
            if retry:
                return await permission_to_retry(request, guards, context)
            return await permission(request, guards, context, confinable=confinable)

        return anyio.run(main)

    def change(self) -> None:
        (self.cwd / "tool.sh").write_text("#!/bin/sh\necho other\n")


def text(answer: Permission | ToolOutput | None) -> str:
    assert isinstance(answer, ToolOutput)
    assert not answer.success
    return answer.text


def rule(decision: RuleDecision, *words: str, outside: bool = False) -> CommandGuards:
    pattern = tuple(frozenset({word}) for word in words)
    return CommandGuards(rules=(PrefixRule(pattern, decision, "so there", outside=outside),))
