"""What was allowed for the session outside the sandbox covers only what it was."""

from collections.abc import Callable
from pathlib import Path

import pytest

from code_core.protocol.ops import ExecApproval
from code_core.protocol.policies import AskForApproval, ReviewDecision, SandboxMode
from code_core.sandbox.detection import detect
from core.session.conversing import Frontend, after, call, user

UNTRUSTED = AskForApproval.UNTRUSTED
Change = Callable[[Path], None]


def _edit(work: Path) -> None:
    (work / "x.sh").write_text("#!/bin/sh\necho other\n")


def _repoint(work: Path) -> None:
    (work / "dir").unlink()
    (work / "dir").symlink_to("second")


@pytest.mark.usefixtures("no_sandbox")
@pytest.mark.parametrize("decision", [ReviewDecision.APPROVED_FOR_SESSION, ReviewDecision.APPROVED_PREFIX])
@pytest.mark.parametrize(
    ("argv", "workdir", "change", "asked"),
    [
        (("./x.sh",), None, _edit, 2),
        (("sh", "./x.sh"), None, _edit, 2),
        (("./run.sh",), "dir", _repoint, 2),
        (("./dir/run.sh",), None, _repoint, 2),
        (("./x.sh",), None, lambda work: (work / "unrelated").write_text("x"), 1),
    ],
)
def test_a_changed_file_needs_approval_again(
    converse: Callable[..., None],
    tmp_path: Path,
    decision: ReviewDecision,
    argv: tuple[str, ...],
    workdir: str | None,
    change: Change,
    asked: int,
) -> None:
    work = tmp_path / "work"
    for name in ("x.sh", "first/run.sh", "second/run.sh"):
        path = work / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("#!/bin/sh\necho ran\n")
        path.chmod(0o755)
    (work / "dir").symlink_to("first")
    if decision is ReviewDecision.APPROVED_PREFIX and argv[0] == "sh":
        pytest.skip("no rule is offered for a shell")

    async def script(frontend: Frontend) -> None:
        await frontend.send(user("go"))
        question = await frontend.until("exec_approval_request")
        await frontend.send(ExecApproval(id=question.approval_id, decision=decision))
        await frontend.until("exec_command_end")
        change(work)
        await frontend.until("task_complete")
        await frontend.send(user("again"))
        if asked == 2:
            question = await frontend.until("exec_approval_request")
            await frontend.send(ExecApproval(id=question.approval_id, decision=ReviewDecision.DENIED))
        await frontend.until("task_complete")
        assert frontend.kinds.count("exec_approval_request") == asked

    more = {} if workdir is None else {"workdir": workdir}
    converse(
        script,
        call(*argv, **more),
        after('"exit_code": 0'),
        call(*argv, call_id="c2", **more),
        after("rejected" if asked == 2 else '"exit_code": 0', call_id="c2"),
        sandbox=SandboxMode.WORKSPACE_WRITE,
    )


@pytest.mark.usefixtures("no_sandbox")
def test_a_file_that_changes_while_the_question_is_open_does_not_run(
    converse: Callable[..., None], tmp_path: Path
) -> None:
    work = tmp_path / "work"
    (work / "x.sh").write_text("#!/bin/sh\ntouch ran\n")
    (work / "x.sh").chmod(0o755)

    async def script(frontend: Frontend) -> None:
        await frontend.send(user("go"))
        question = await frontend.until("exec_approval_request")
        _edit(work)
        await frontend.send(ExecApproval(id=question.approval_id, decision=ReviewDecision.APPROVED))
        await frontend.until("task_complete")
        assert not (work / "ran").exists()

    shown = after("changed after the command was approved")
    converse(script, call("./x.sh"), shown, sandbox=SandboxMode.WORKSPACE_WRITE)


@pytest.mark.parametrize(("confinable", "asked"), [(True, False), (False, True)])
def test_git_counts_as_read_only_if_confined(
    converse: Callable[..., None], request: pytest.FixtureRequest, confinable: bool, asked: bool
) -> None:
    if not confinable:
        request.getfixturevalue("no_sandbox")
    elif detect().sandbox is None:
        pytest.skip(f"no sandbox here: {detect()}")

    async def script(frontend: Frontend) -> None:
        await frontend.send(user("go"))
        if asked:
            question = await frontend.until("exec_approval_request")
            await frontend.send(ExecApproval(id=question.approval_id, decision=ReviewDecision.DENIED))
        await frontend.until("task_complete")
        assert ("exec_approval_request" in frontend.kinds) is asked

    converse(
        script,
        call("git", "status"),
        after("rejected" if asked else "exit_code"),
        sandbox=SandboxMode.WORKSPACE_WRITE,
        approval_policy=UNTRUSTED,
    )


@pytest.mark.parametrize("shell", ["./bash", "planted"])
def test_a_planted_shell_is_asked_about_and_shown_as_itself(
    converse: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shell: str
) -> None:
    work = tmp_path / "work"
    planted = work / "bash"
    planted.write_text("#!/bin/sh\ntouch ran\n")
    planted.chmod(0o755)
    monkeypatch.setenv("PATH", f"{work}:/usr/bin:/bin")

    async def script(frontend: Frontend) -> None:
        await frontend.send(user("go"))
        question = await frontend.until("exec_approval_request")
        assert question.command[0] == (str(planted) if shell == "planted" else shell)
        await frontend.send(ExecApproval(id=question.approval_id, decision=ReviewDecision.DENIED))
        await frontend.until("task_complete")
        assert not (work / "ran").exists()

    name = "bash" if shell == "planted" else shell
    converse(script, call(name, "-lc", "ls"), after("rejected"), approval_policy=UNTRUSTED)
