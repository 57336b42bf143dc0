"""Session modes: when the agent asks, and what it may touch, under one name.

Source: Agent Client Protocol, version 1, "Session modes".
"""

from dataclasses import dataclass
from typing import Any

from code_core.protocol.policies import AskForApproval, CollaborationMode, SandboxMode


@dataclass(frozen=True, slots=True)
class Mode:
    """A pair of policies, as an editor offers it; or plan mode, which leaves them as they are (None)."""

    id: str
    name: str
    description: str
    approval: AskForApproval | None
    sandbox: SandboxMode | None

    @property
    def collaboration(self) -> CollaborationMode:
        """Whether the agent plans or works."""
        return CollaborationMode.PLAN if self.approval is None else CollaborationMode.DEFAULT


PLAN = Mode(
    "plan",
    "Plan",
    "Reads and plans; nothing changes. Choose another mode to have the plan carried out.",
    None,
    None,
)
PRESETS = (
    PLAN,
    Mode(
        "read-only",
        "Read only",
        "Reads files and runs commands that change nothing; asks before anything else.",
        AskForApproval.ON_REQUEST,
        SandboxMode.READ_ONLY,
    ),
    Mode(
        "auto",
        "Auto",
        "Edits files and runs commands in the workspace, without network; asks before anything else.",
        AskForApproval.ON_REQUEST,
        SandboxMode.WORKSPACE_WRITE,
    ),
    Mode(
        "full-access",
        "Full access",
        "Runs everything, outside the sandbox and without asking.",
        AskForApproval.NEVER,
        SandboxMode.DANGER_FULL_ACCESS,
    ),
)


def modes_with(*pairs: tuple[str, str]) -> tuple[Mode, ...]:
    """The presets, after a mode for each pair of policies that none of them is: settings are never overridden.

    Args:
        pairs: approval policy and sandbox mode, as settings and events spell them.
    """
    modes = list(PRESETS)
    for approval, sandbox in pairs:
        if mode_of(approval, sandbox, modes) is None:
            modes.insert(
                len(modes) - len(PRESETS),
                Mode(
                    f"{sandbox}/{approval}",
                    f"{sandbox}, {approval}",
                    f"As set: the sandbox is {sandbox}, and the approval policy {approval}.",
                    AskForApproval(approval),
                    SandboxMode(sandbox),
                ),
            )
    return tuple(modes)


def mode_of(
    approval: str, sandbox: str, modes: "list[Mode] | tuple[Mode, ...]", collaboration: str = "default"
) -> Mode | None:
    """Plan mode, or the mode with these policies; None without one."""
    if collaboration == CollaborationMode.PLAN:
        return PLAN
    return next((one for one in modes if (one.approval, one.sandbox) == (approval, sandbox)), None)


def mode_state(current: Mode, modes: tuple[Mode, ...]) -> dict[str, Any]:
    """The `modes` of a session."""
    available = [{"id": one.id, "name": one.name, "description": one.description} for one in modes]
    return {"currentModeId": current.id, "availableModes": available}
