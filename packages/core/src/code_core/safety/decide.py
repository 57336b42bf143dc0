"""The decision table: whether and where a command may run, and whether a patch may be applied."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from code_core.frozen import frozen
from code_core.protocol.policies import (
    AskForApproval,
    DangerFullAccess,
    ReadOnly,
    SandboxPolicy,
    WorkspaceWrite,
)
from code_core.safety.known_safe import Reading
from code_core.safety.planning import NOTHING_CHANGES

if TYPE_CHECKING:
    from code_core.safety.rules import PrefixRule


@frozen
class Allow:
    """Proceed without asking."""


@frozen
class Run:
    """Run the command without asking, inside or outside the sandbox."""

    confined: bool


@frozen
class Ask:
    """Ask the user; `reason` is for the question. An approved command runs as `confined` says."""

    reason: str
    confined: bool = False


@frozen
class Reject:
    """Refuse; `reason` is for the model."""

    reason: str


Decision = Allow | Ask | Reject
CommandDecision = Run | Ask | Reject

_GIT_PROGRAMS = frozenset({"config", "config.worktree", "hooks", "commondir", "gitdir"})
NEVER_ASKS = "the approval policy is never to ask"


def decide_command(
    policy: AskForApproval,
    sandbox: SandboxPolicy,
    *,
    confinable: bool,
    reads: Reading = Reading.NO,
    approved: bool = False,
    escalated: bool = False,
    rule: "PrefixRule | None" = None,
    planning: bool = False,
) -> CommandDecision:
    """Decide about a command that has passed the guards.

    Args:
        policy: when to ask.
        sandbox: what commands may do without asking.
        confinable: whether this machine can confine a command to `sandbox`.
        reads: whether the command only reads. One that is only safe when confined is treated like any other
            command if it runs unconfined.
        approved: whether the user has allowed exactly this, with the same escalation, for the session or by a rule.
        escalated: whether it should run outside the sandbox, because the model asks or the sandbox denied it.
        rule: the strictest user rule that forbids it or asks for it.
        planning: whether plan mode is on; then it must be confined or only read, regardless of approvals.
    """
    full_access = isinstance(sandbox, DangerFullAccess)
    confined = confinable and not full_access and not escalated
    never = policy is AskForApproval.NEVER
    if rule is not None and rule.forbids:
        return Reject(_because("a rule forbids it", rule))
    if planning and (escalated or not (confined or reads is Reading.ALWAYS)):
        return Reject(
            NOTHING_CHANGES if escalated else f"{NOTHING_CHANGES}; commands cannot be confined here"
        )
    if rule is not None and not approved:
        reason = _because("a rule asks for it", rule)
        return Reject(f"{reason}, and {NEVER_ASKS}") if never else Ask(reason, confined)
    if approved and not (never and escalated and not full_access):
        return Run(confined)
    if escalated and not full_access:
        reason = "it would run outside the sandbox"
        return Reject(f"{reason}, and {NEVER_ASKS}") if never else Ask(reason)
    if reads is Reading.ALWAYS or (reads is Reading.WHEN_CONFINED and confined):
        return Run(confined)
    if policy is AskForApproval.UNTRUSTED:
        return Ask("the approval policy is to ask for every command that does more than read", confined)
    if full_access or confinable:
        return Run(confined)
    reason = f"commands cannot be confined to {sandbox.mode} here"
    return Reject(f"{reason}, and {NEVER_ASKS}") if never else Ask(reason)


def _because(reason: str, rule: "PrefixRule") -> str:
    return f"{reason}: {rule.justification}" if rule.justification else reason


def decide_server_tool(
    policy: AskForApproval, *, read_only: bool, approved: bool, planning: bool = False
) -> Decision:
    """Decide about a call of an MCP server's tool, which runs outside any sandbox: the user has set it up.

    `read_only` is the server's declaration; `approved` says whether the user allowed this call for the session.
    """
    if planning and not read_only:
        return Reject(f"{NOTHING_CHANGES}; its server does not declare it as read-only")
    if policy is AskForApproval.UNTRUSTED and not read_only and not approved:
        return Ask("the approval policy is to ask for every tool that does more than read")
    return Allow()


def decide_patch(
    policy: AskForApproval,
    sandbox: SandboxPolicy,
    *,
    confinable: bool,
    paths: Iterable[Path],
    roots: Iterable[Path],
    protected: Mapping[Path, str],
    approved: bool,
) -> Decision:
    """Decide about a patch.

    Args:
        policy: when to ask.
        sandbox: what may be written without asking.
        confinable: whether this machine can confine a command to `sandbox`; if not, files from a patch
            would later run unconfined.
        paths: every file that the patch writes, including move targets, with symlinks resolved.
        roots: the writable directories of `sandbox`, with symlinks resolved.
        protected: paths below a root that are protected nevertheless, with symlinks resolved, and why.
        approved: whether the user allowed writing all of these files for the session.
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
            if refusal is None and confinable:
                return Allow()
            problem = refusal or f"commands cannot be confined to {sandbox.mode} here"
    if policy is AskForApproval.NEVER:
        return Reject(f"{problem}, and {NEVER_ASKS}")
    return Ask(problem)


def _not_writable(
    sandbox: WorkspaceWrite, paths: Iterable[Path], roots: Iterable[Path], protected: Mapping[Path, str]
) -> str | None:
    """Why one of `paths` may not be written without asking, or None if all may."""
    writable = list(roots)
    for path in paths:
        if not any(path.is_relative_to(root) for root in writable):
            return f"{path} is outside the writable directories"
        for folder in (path, *path.parents):
            if folder in protected:
                return f"{path} {protected[folder]}"
        if ".git" in path.parts and (not sandbox.allow_git_writes or _runs_programs(path)):
            why = (
                "can make git run programs"
                if sandbox.allow_git_writes
                else "belongs to git (allow_git_writes)"
            )
            return f"{path} {why}"
    return None


def _runs_programs(path: Path) -> bool:
    """Whether git reads settings from `path`: a `.git` or anything in one, even of a new repository."""
    inside = path.parts[path.parts.index(".git") + 1 :]
    return not inside or not _GIT_PROGRAMS.isdisjoint(inside)
