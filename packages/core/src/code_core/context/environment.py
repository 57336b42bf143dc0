"""The environment context: where the model works, and what it may do."""

from collections.abc import Sequence
from pathlib import Path

from code_core.protocol.items import InputText, Message
from code_core.protocol.policies import (
    AskForApproval,
    DangerFullAccess,
    ReadOnly,
    SandboxPolicy,
    WorkspaceWrite,
)


def environment_context(
    cwd: Path,
    approval: AskForApproval,
    sandbox: SandboxPolicy,
    shell: str | None,
    running: Sequence[str] = (),
) -> Message:
    """Return a message with the directory, policies, shell and `running` commands; no time, to keep prompt caches valid."""
    roots: list[Path] = []
    match sandbox:
        case ReadOnly():
            network = "restricted"
        case WorkspaceWrite(network_access=allowed, writable_roots=roots):
            network = "enabled" if allowed else "restricted"
        case DangerFullAccess():
            network = "enabled"
    fields = {
        "cwd": str(cwd),
        "approval_policy": approval.value,
        "sandbox_mode": sandbox.mode,
        "network_access": network,
        "writable_roots": ", ".join(str(root) for root in roots),
        "shell": shell or "",
        "running_commands": "; ".join(running),
    }
    lines = [f"  <{name}>{_escaped(value)}</{name}>" for name, value in fields.items() if value]
    text = "\n".join(["<environment_context>", *lines, "</environment_context>"])
    return Message(role="user", content=[InputText(text=text)])


def _escaped(text: str) -> str:
    # Like html.escape, whose import would read a table of 2,000 entities at every start.
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
