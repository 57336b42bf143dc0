"""Session modes: named combinations of when the agent asks and what it may change.

Source: Agent Client Protocol, version 1, "Session modes".
"""

from typing import Any

from code_core.frozen import frozen
from code_core.protocol.policies import AskForApproval, CollaborationMode, SandboxMode


@frozen
class Mode:
    """A named pair of policies, or plan mode, which leaves them unchanged (None)."""

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
    """Return the presets, preceded by a mode for each pair of policies that has no preset, so no setting is overridden.

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
    """Return plan mode, or the mode with these policies, or None."""
    if collaboration == CollaborationMode.PLAN:
        return PLAN
    return next((one for one in modes if (one.approval, one.sandbox) == (approval, sandbox)), None)


def mode_state(current: Mode, modes: tuple[Mode, ...]) -> dict[str, Any]:
    """Return the `modes` of a session."""
    available = [{"id": one.id, "name": one.name, "description": one.description} for one in modes]
    return {"currentModeId": current.id, "availableModes": available}
