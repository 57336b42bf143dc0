"""Calls of `shell`: what runs, where, and the answer to the model."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from code_core.config.guards import NO_GUARDS, CommandGuards
from code_core.files.local import LocalFileSystem
from code_core.protocol.items import CustomToolCall, FunctionCall, LocalShellAction, LocalShellCall, ToolCall
from code_core.protocol.policies import AskForApproval, DangerFullAccess, ReviewDecision, SandboxPolicy
from code_core.safety.rules import RuleDecision
from code_core.sandbox import detection
from code_core.sandbox.detection import Detection, Finding
from code_core.sandbox.sandbox import Sandbox
from code_core.tools import shell_commands
from code_core.tools.apply_patch import ApplyPatch
from code_core.tools.command_approval import grant_of
from code_core.tools.command_permission import CommandRequest
from code_core.tools.command_run import CommandResult
from code_core.tools.shell import DEFAULT_TIMEOUT_MS
from code_core.tools.shell_commands import CommandCall, ShellCommands, detect_sandbox
from code_core.tools.tool import ToolContext, ToolOutput
from core.tools.command_desk import NEVER, REQUEST, UNTRUSTED, WORKSPACE, Desk, rule

SOME: Any = object()
"""Stands for a sandbox; nothing is really run here."""
PATCH = "*** Begin Patch\n*** Add File: new\n+x\n*** End Patch"


@dataclass
class Runs:
    """Records what is run, and returns the next result."""

    results: list[CommandResult] = field(default_factory=list)
    requests: list[CommandRequest] = field(default_factory=list)
    sandboxes: list[Sandbox | None] = field(default_factory=list)

    async def __call__(self, request: CommandRequest, sandbox: Sandbox | None) -> CommandResult:
        self.requests.append(request)
        self.sandboxes.append(sandbox)
        return self.results.pop(0) if self.results else CommandResult(ToolOutput("done"))


DENIED = CommandResult(ToolOutput("Permission denied", success=False), denied=True)


@pytest.fixture(autouse=True)
def _a_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Detection((Finding("bwrap", SOME, "here"),))
    monkeypatch.setattr(shell_commands, "detect_sandbox", lambda: found)


@pytest.fixture
def no_sandbox_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shell_commands, "detect_sandbox", lambda: Detection(()))


@dataclass
class Shell:
    """The commands of one session, with a user."""

    desk: Desk
    commands: ShellCommands

    def context(self, policy: AskForApproval, sandbox: SandboxPolicy) -> ToolContext:
        return replace(
            self.desk.context, approval_policy=policy, sandbox_policy=sandbox, approver=self.desk.user
        )

    def run(
        self,
        command: Sequence[str],
        run: Runs,
        *,
        policy: AskForApproval = REQUEST,
        sandbox: SandboxPolicy = WORKSPACE,
        **more: Any,
    ) -> ToolOutput:
        call = CommandCall("c1", command, **more)
        return anyio.run(self.commands.carry_out, call, self.context(policy, sandbox), run)


def shell(desk: Desk, guards: CommandGuards = NO_GUARDS) -> Shell:
    return Shell(desk, ShellCommands(ApplyPatch(LocalFileSystem()), guards, DEFAULT_TIMEOUT_MS))


def function(**arguments: Any) -> FunctionCall:
    return FunctionCall(name="shell", arguments=json.dumps(arguments), call_id="c1")


@pytest.mark.parametrize(
    ("call", "command", "workdir", "seconds"),
    [
        (function(command=["ls"]), ["ls"], "", 60),
        (function(command="ls | wc"), ["bash", "-lc", "ls | wc"], "", 60),
        (function(command='["ls", "-l"]'), ["ls", "-l"], "", 60),
        (function(command='["ls", 1]'), ["bash", "-lc", '["ls", 1]'], "", 60),
        (function(command='["ls"'), ["bash", "-lc", '["ls"'], "", 60),
        (function(command="[ -e x ]"), ["bash", "-lc", "[ -e x ]"], "", 60),
        (function(command=["ls"], workdir="sub", timeout_ms=1500), ["ls"], "sub", 1.5),
        (function(command=["ls"], timeout=1500), ["ls"], "", 1.5),
        (function(command=["ls"], timeout_ms=10**9), ["ls"], "", 3600),
        (LocalShellCall(call_id="c1", action=LocalShellAction(command=["ls"])), ["ls"], "", 60),
        (
            LocalShellCall(
                call_id="c1",
                action=LocalShellAction(command=["ls"], working_directory="sub", timeout_ms=1500),
            ),
            ["ls"],
            "sub",
            1.5,
        ),
    ],
)
def test_a_call_sets_the_command_the_directory_and_the_timeout(
    desk: Desk,
    monkeypatch: pytest.MonkeyPatch,
    call: ToolCall,
    command: list[str],
    workdir: str,
    seconds: float,
) -> None:
    (desk.cwd / "sub").mkdir()
    ran: list[Any] = []

    async def run(request: CommandRequest, limit: float, *rest: Any) -> CommandResult:
        ran.append((request, limit, *rest))
        return CommandResult(ToolOutput("done"))

    monkeypatch.setattr(shell_commands, "run_shell_command", run)
    context = shell(desk).context(REQUEST, WORKSPACE)
    assert anyio.run(shell(desk).commands.call, call, context).text == "done"
    ((request, limit, used, sandbox),) = ran
    assert list(request.argv) == command
    assert (request.call_id, request.cwd, limit) == ("c1", desk.cwd / workdir, seconds)
    assert (used, sandbox) == (context, SOME)


def test_a_call_may_ask_to_leave_the_sandbox(desk: Desk) -> None:
    call = function(command=["touch", "x"], with_escalated_permissions=True, justification="to see")
    desk.user.decision = ReviewDecision.DENIED
    output = anyio.run(shell(desk).commands.call, call, shell(desk).context(REQUEST, WORKSPACE))
    assert output.text == "command rejected by user"
    (question,) = desk.user.questions
    assert (question.escalated, question.justification, question.call_id) == (True, "to see", "c1")


@pytest.mark.parametrize(
    ("call", "answer"),
    [
        (CustomToolCall(name="shell", input="ls", call_id="c1"), "shell takes JSON arguments"),
        (function(), "failed to parse function arguments: command: Field required"),
        (function(command=[]), "failed to parse function arguments: command: "),
        (function(command=["ls"], timeout_ms=0), "failed to parse function arguments: timeout_ms: "),
        (function(command=["confirm:"]), "the command is empty"),
        (function(command=["ls", "a\0"]), "the command contains a NUL character"),
        (function(command=["ls"], workdir="a\0"), "the directory 'a\\x00' contains a NUL character"),
    ],
)
def test_an_invalid_command_is_answered(desk: Desk, call: ToolCall, answer: str) -> None:
    output = anyio.run(shell(desk).commands.call, call, shell(desk).context(REQUEST, WORKSPACE))
    assert not output.success
    assert output.text.startswith(answer)


def test_links_in_the_directory_are_resolved(desk: Desk) -> None:
    (desk.cwd / "real").mkdir()
    (desk.cwd / "link").symlink_to("real")
    runs = Runs()
    shell(desk).run(["touch", "x"], runs, workdir="link")
    assert [request.cwd for request in runs.requests] == [desk.cwd / "real"]


@pytest.mark.parametrize(
    ("command", "path"),
    [
        (["apply_patch", PATCH], "sub/new"),
        (["bash", "-lc", f"cd deep && apply_patch <<'EOF'\n{PATCH}\nEOF"], "sub/deep/new"),
    ],
)
def test_a_patch_is_applied_where_the_command_would_run(desk: Desk, command: list[str], path: str) -> None:
    (desk.cwd / "sub/deep").mkdir(parents=True)
    runs = Runs()
    assert shell(desk).run(command, runs, workdir="sub", policy=REQUEST, sandbox=DangerFullAccess()).success
    assert (desk.cwd / path).read_text() == "x\n"
    assert runs.requests == []


@pytest.mark.parametrize(
    ("command", "workdir"),
    [
        (["bash", "-lc", f"cd nope && apply_patch <<'EOF'\n{PATCH}\nEOF"], None),
        (["bash", "-lc", f"cd file && apply_patch <<'EOF'\n{PATCH}\nEOF"], None),
        (["apply_patch", PATCH], "nope"),
    ],
)
def test_a_patch_in_a_directory_that_does_not_exist_is_a_failure(
    desk: Desk, command: list[str], workdir: str | None
) -> None:
    (desk.cwd / "file").write_text("")
    output = shell(desk).run(command, Runs(), workdir=workdir, sandbox=DangerFullAccess())
    assert not output.success
    assert output.text.startswith("No file was changed: ")
    assert [path.name for path in desk.cwd.iterdir() if path.name in {"nope", "new"}] == []


def test_a_patch_among_other_commands_runs_nothing(desk: Desk) -> None:
    runs = Runs()
    output = shell(desk).run(["bash", "-lc", f"make; apply_patch <<'EOF'\n{PATCH}\nEOF"], runs)
    assert not output.success
    assert output.text.startswith("Nothing was run and no file was changed")
    assert runs.requests == []


def test_an_unrecognised_patch_is_a_failure(desk: Desk) -> None:
    runs = Runs([CommandResult(ToolOutput("x: line 1: apply_patch: command not found"))])
    output = shell(desk).run(["./tool.sh"], runs)
    assert not output.success
    assert output.text.startswith("x: line 1: apply_patch: command not found\nA script called apply_patch, ")
    assert shell(desk).run(["./tool.sh"], Runs()) == ToolOutput("done")


def test_other_output_with_the_word_apply_patch_stays_as_it_is(desk: Desk) -> None:
    printed = CommandResult(ToolOutput("docs/tools.md: apply_patch changes files"))
    assert shell(desk).run(["grep", "-r", "patch"], Runs([printed])) == printed.output


def test_a_guarded_command_runs_when_it_is_confirmed(desk: Desk) -> None:
    runs = Runs()
    assert "confirm:" in shell(desk).run(["git", "reset", "--hard"], runs).text
    assert runs.requests == []
    assert shell(desk).run(["confirm:", "git", "reset", "--hard"], runs).success
    assert [list(request.argv) for request in runs.requests] == [["git", "reset", "--hard"]]


def test_a_forbidden_command_does_not_run(desk: Desk) -> None:
    runs = Runs()
    output = shell(desk, rule(RuleDecision.FORBIDDEN, "touch")).run(["touch", "x"], runs)
    assert output.text == "command rejected: a rule forbids it: so there"
    assert runs.requests == []


def test_the_sandbox_is_the_one_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Detection(())
    monkeypatch.setattr(detection, "detect", lambda: found)
    assert detect_sandbox() is found


def test_full_access_is_not_confined(desk: Desk) -> None:
    runs = Runs()
    assert shell(desk).run(["touch", "x"], runs, sandbox=DangerFullAccess()).success
    assert runs.sandboxes == [None]
    assert desk.user.questions == []


@pytest.mark.usefixtures("no_sandbox_here")
def test_without_a_sandbox_the_user_is_asked_once_for_the_session(desk: Desk) -> None:
    session, runs = shell(desk), Runs()
    assert session.run(["touch", "x"], runs).success
    (question,) = desk.user.questions
    assert question.reason == "commands cannot be confined to workspace-write here"
    assert runs.sandboxes == [None]
    assert question.grant is not None
    desk.user.grants.add(question.grant)
    assert session.run(["touch", "x"], runs).success
    assert len(desk.user.questions) == 1


def test_a_denied_command_runs_outside_if_the_user_approves(desk: Desk) -> None:
    session, runs = shell(desk), Runs([DENIED])
    assert session.run(["touch", "/x"], runs) == ToolOutput("done")
    assert runs.sandboxes == [SOME, None]
    assert [request.escalated for request in runs.requests] == [False, False]
    (question,) = desk.user.questions
    assert question.reason == "it failed in the sandbox; run it again outside the sandbox"

    # Allowed for the session, it runs outside at once, as long as it is the same.
    assert question.grant is not None
    desk.user.grants.add(question.grant)
    assert session.run(["touch", "/x"], runs) == ToolOutput("done")
    assert runs.sandboxes == [SOME, None, None]
    assert runs.requests[-1].escalated
    session.run(["touch", "/y"], runs)
    assert runs.sandboxes[-1] is SOME
    session.run(["touch", "/x"], runs, policy=NEVER)
    assert runs.sandboxes[-1] is SOME
    session.run(["touch", "/x"], runs, workdir="..")
    assert runs.sandboxes[-1] is SOME
    assert len(desk.user.questions) == 1


def test_grants_do_not_apply_to_other_sessions(desk: Desk) -> None:
    runs = Runs()
    desk.user.grants.add(grant_of(desk.request("touch", "/x"), outside=True))
    shell(desk).run(["touch", "/x"], runs)
    assert runs.sandboxes == [SOME]


def test_a_changed_file_needs_approval_again(desk: Desk) -> None:
    session, runs = shell(desk), Runs([DENIED])
    session.run(["./tool.sh"], runs)
    (question,) = desk.user.questions
    assert question.grant is not None
    desk.user.grants.add(question.grant)
    desk.change()
    runs.results.append(DENIED)
    session.run(["./tool.sh"], runs)
    assert len(desk.user.questions) == 2
    assert runs.sandboxes == [SOME, None, SOME, None]


def test_a_command_that_names_too_many_files_needs_approval_each_time(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, runs = shell(desk), Runs([DENIED])
    session.run(["./tool.sh"], runs)
    monkeypatch.setattr("code_core.tools.command_files.MOST_BYTES", 1)
    assert session.run(["./tool.sh"], runs).success
    assert runs.sandboxes == [SOME, None, SOME]


def test_a_file_that_changes_while_the_user_is_asked_is_not_run(desk: Desk) -> None:
    runs = Runs([DENIED])
    desk.user.deed = desk.change
    output = shell(desk).run(["./tool.sh"], runs)
    assert "changed after the command was approved" in output.text
    assert runs.sandboxes == [SOME]


def test_a_rejected_retry_keeps_the_output(desk: Desk) -> None:
    desk.user.decision = ReviewDecision.DENIED
    output = shell(desk).run(["touch", "/x"], Runs([DENIED]))
    assert output == ToolOutput(
        "Permission denied\ncommand rejected by user, outside the sandbox", success=False
    )


def test_under_never_a_denied_command_is_not_asked_about(desk: Desk) -> None:
    runs = Runs([DENIED])
    assert shell(desk).run(["touch", "/x"], runs, policy=NEVER) == DENIED.output
    assert runs.sandboxes == [SOME]
    assert desk.user.questions == []


def test_an_ordinary_failure_is_answered(desk: Desk) -> None:
    failed = CommandResult(ToolOutput("1 failed", success=False))
    runs = Runs([failed])
    assert shell(desk).run(["./tool.sh"], runs, policy=UNTRUSTED) == failed.output
    assert runs.sandboxes == [SOME]
    assert len(desk.user.questions) == 1


def test_an_escalated_command_runs_outside(desk: Desk) -> None:
    runs = Runs()
    assert shell(desk).run(["touch", "x"], runs, escalated=True, justification="why").success
    assert runs.sandboxes == [None]
    assert runs.requests[0].escalated
    assert desk.user.questions[0].justification == "why"


def test_the_resolved_program_is_started(desk: Desk) -> None:
    runs = Runs()
    shell(desk).run(["touch", "x"], runs)
    assert runs.requests[0].run is not None
    assert Path(runs.requests[0].run[0]).name == "touch"
    assert runs.requests[0].parts == (("touch", "x"),)
