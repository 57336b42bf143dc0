from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from code_core.protocol.events import EventMsg
from code_core.protocol.policies import AskForApproval, DangerFullAccess
from code_core.sandbox.detection import Detection, find
from code_core.sandbox.sandbox import Mechanism
from code_core.session.questions.approvals import Approvals
from code_core.session.questions.approver import TurnApprover
from code_core.tools.tool import ToolContext
from code_core.tools.turn_changes import TurnChanges
from core.tools.command_desk import Desk, User

MECHANISMS: list[Mechanism | None] = [None, "bwrap", "landlock"]


@dataclass
class Emitted:
    """The events that a tool has sent."""

    events: list[EventMsg] = field(default_factory=list)

    async def __call__(self, msg: EventMsg) -> None:
        self.events.append(msg)

    @property
    def kinds(self) -> list[str]:
        return [event.type for event in self.events]


@pytest.fixture
def emitted() -> Emitted:
    return Emitted()


@pytest.fixture
def tool_context(tmp_path: Path, emitted: Emitted) -> ToolContext:
    changes = TurnChanges(tmp_path, tmp_path / "outputs/turn")
    return ToolContext(
        cwd=tmp_path,
        approval_policy=AskForApproval.NEVER,
        sandbox_policy=DangerFullAccess(),
        environment={},
        output_limit=40_000,
        outputs=tmp_path / "outputs",
        home=tmp_path / "home",
        emit=emitted,
        approver=TurnApprover(Approvals(), emitted),
        changes=lambda: changes,
    )


@pytest.fixture
def desk(tool_context: ToolContext) -> Desk:
    cwd = tool_context.cwd / "work"
    cwd.mkdir()
    (cwd / "tool.sh").write_text("#!/bin/sh\n")
    (cwd / "tool.sh").chmod(0o755)
    return Desk(replace(tool_context, cwd=cwd, environment={"PATH": "/usr/bin:/bin"}), User())


@pytest.fixture
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls about running commands wait at least a tenth of a second, less than for a model."""
    for name in ("EXEC_LEAST", "POLL_WAIT", "WRITE_WAIT"):
        monkeypatch.setattr(f"code_core.tools.exec_commands.{name}", 100)


@pytest.fixture(params=MECHANISMS, ids=str)
def mechanism(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Mechanism | None:
    """Each sandbox of this machine, and no sandbox."""
    name: Mechanism | None = request.param
    if name is not None:
        finding = find(name)
        if finding.sandbox is None:
            pytest.skip(f"{name}: {finding.detail}")
        monkeypatch.setattr("code_core.tools.shell_commands.detect_sandbox", lambda: Detection((finding,)))
    return name
