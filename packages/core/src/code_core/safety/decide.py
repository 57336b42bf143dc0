"""May this command run, may this patch be applied: the decision table.

Commands cannot be confined yet, so the table is the one for a machine without
a sandbox: what would run confined is asked for, and what may not be asked for
is rejected.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from code_core.protocol.policies import (
    AskForApproval,
    DangerFullAccess,
    ReadOnly,
    SandboxPolicy,
    WorkspaceWrite,
)


@dataclass(frozen=True, slots=True)
class Allow:
    """Go on without asking."""


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask the user; `reason` is for the question."""

    reason: str


@dataclass(frozen=True, slots=True)
class Reject:
    """Do not do it; `reason` is for the model."""

    reason: str


Decision = Allow | Ask | Reject


def decide_command(policy: AskForApproval, sandbox: SandboxPolicy, *, approved: bool) -> Decision:
    """The decision for a command; `approved` if the user allowed it for the session."""
    if approved:
        return Allow()
    match policy, sandbox:
        case AskForApproval.UNTRUSTED, _:
            return Ask("the approval policy is to ask for every command")
        case _, DangerFullAccess():
            return Allow()
        case AskForApproval.NEVER, _:
            return Reject(
                f"commands cannot be confined to {sandbox.mode} here, and the approval policy is never to ask"
            )
        case _:
            return Ask(f"commands cannot be confined to {sandbox.mode} here")


def decide_server_tool(policy: AskForApproval, *, read_only: bool, approved: bool) -> Decision:
    """The decision for a tool of an MCP server, which runs outside of any sandbox: the user has set it up.

    `read_only` is what the server says of the tool; `approved` if the user allowed this call for the session.
    """
    if policy is AskForApproval.UNTRUSTED and not read_only and not approved:
        return Ask("the approval policy is to ask for every tool that does more than read")
    return Allow()


def decide_patch(
    policy: AskForApproval,
    sandbox: SandboxPolicy,
    *,
    paths: Iterable[Path],
    roots: Iterable[Path],
    protected: Iterable[Path],
    approved: bool,
) -> Decision:
    """The decision for a patch.

    Args:
        policy: when to ask.
        sandbox: what may be written without asking.
        paths: every file the patch writes, move targets included, symlinks resolved.
        roots: the writable directories of `sandbox`, symlinks resolved.
        protected: what is not writable though it is below one of them, symlinks resolved.
        approved: the user allowed writing all of these files for the session.
    """
    if approved:
        return Allow()
    if policy is AskForApproval.UNTRUSTED:
        return Ask("the approval policy is to ask for every change")
    match sandbox:
        case DangerFullAccess():
            return Allow()
        case ReadOnly():
            problem = "the sandbox is read-only"
        case WorkspaceWrite():
            refusal = _not_writable(sandbox, paths, roots, protected)
            if refusal is None:
                return Allow()
            problem = refusal
    if policy is AskForApproval.NEVER:
        return Reject(f"{problem}, and the approval policy is never to ask")
    return Ask(problem)


def _not_writable(
    sandbox: WorkspaceWrite, paths: Iterable[Path], roots: Iterable[Path], protected: Iterable[Path]
) -> str | None:
    """Why one of `paths` may not be written without asking; None when all may."""
    writable, closed = list(roots), list(protected)
    for path in paths:
        if not any(path.is_relative_to(root) for root in writable):
            return f"{path} is outside the writable directories"
        if any(path.is_relative_to(folder) for folder in closed):
            return f"{path} belongs to the agent's own settings"
        if not sandbox.allow_git_writes and ".git" in path.parts:
            return f"{path} belongs to git (allow_git_writes)"
    return None
