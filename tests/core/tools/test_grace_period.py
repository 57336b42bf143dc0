"""Commands without a terminal, and their background processes, may tidy up when they are ended."""

import json

import anyio
import pytest

from code_core.protocol.items import FunctionCall
from code_core.sandbox.sandbox import Mechanism
from code_core.tools.apply_patch import ApplyPatch
from code_core.tools.shell import Shell
from code_core.tools.tool import ToolContext
from core.session.desk import until
from core.tools.test_exec_command import Body, Terminal, run

TIDIES = "trap 'echo tidy > tidied; exit 7' TERM; echo ready; : > begun; sleep 1000 & wait"
"""A program that tidies up and ends on request."""


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the grace period long enough for a busy machine."""
    monkeypatch.setattr("code_core.process.spawn.TERMINATE_SECONDS", 20.0)


def tidied(context: ToolContext, body: Body, mechanism: Mechanism | None) -> bool:
    """Whether the job tidied up in one of a few attempts: on a busy machine, half a second can pass without it.

    Under bubblewrap it never does, because the kernel ends its namespace at once.
    """
    for _ in range(5):
        run(context, body, mechanism)
        if (context.cwd / "tidied").exists():
            return True
        (context.cwd / "log").unlink()
    return False


async def shell(terminal: Terminal, script: str, **more: int) -> str:
    arguments = json.dumps({"command": ["sh", "-c", script], **more})
    call = FunctionCall(name="shell", arguments=arguments, call_id="s1")
    return (await Shell(ApplyPatch(None)).call(call, terminal.context)).text


def test_a_command_that_takes_too_long_can_clean_up(
    tool_context: ToolContext, mechanism: Mechanism | None
) -> None:
    async def body(terminal: Terminal) -> None:
        assert "timed out" in await shell(terminal, TIDIES, timeout_ms=1_500)

    run(tool_context, body, mechanism)
    assert (tool_context.cwd / "tidied").read_text() == "tidy\n"


def test_an_interrupted_command_can_clean_up(tool_context: ToolContext, mechanism: Mechanism | None) -> None:
    async def body(terminal: Terminal) -> None:
        async with anyio.create_task_group() as calls:
            calls.start_soon(shell, terminal, TIDIES)
            with anyio.fail_after(30):
                await until((tool_context.cwd / "begun").exists)
            calls.cancel_scope.cancel()

    run(tool_context, body, mechanism)
    assert (tool_context.cwd / "tidied").read_text() == "tidy\n"


def test_a_stopped_session_can_clean_up(tool_context: ToolContext, mechanism: Mechanism | None) -> None:
    async def body(terminal: Terminal) -> None:
        assert "ready" in (await terminal.exec(TIDIES, yield_time_ms=1_000)).text
        session = terminal.terminals.find(1)
        assert session is not None
        assert terminal.terminals.stop(1)
        await session.finished.wait()
        assert session.end is not None
        assert session.end.code == 7

    run(tool_context, body, mechanism)
    assert (tool_context.cwd / "tidied").read_text() == "tidy\n"


@pytest.mark.parametrize("tty", [True, False])
def test_a_background_job_can_clean_up_when_its_session_ends(
    tool_context: ToolContext, mechanism: Mechanism | None, tty: bool
) -> None:
    async def body(terminal: Terminal) -> None:
        job = f'sh -c "{TIDIES}" > log 2>&1 < /dev/null &'
        output = await terminal.exec(
            f"trap '' HUP; {job} until grep -q ready log; do sleep 0.01; done", tty=tty, yield_time_ms=30_000
        )
        assert "exited with code 0" in output.text

    assert tidied(tool_context, body, mechanism) is (mechanism != "bwrap")


@pytest.mark.parametrize("mechanism", ["bwrap", "landlock"], indirect=True)
def test_a_confined_background_job_can_clean_up_when_its_command_ends(
    tool_context: ToolContext, mechanism: Mechanism | None
) -> None:
    async def body(terminal: Terminal) -> None:
        job = f'sh -c "{TIDIES}" > log 2>&1 < /dev/null &'
        output = await shell(terminal, f"{job} until grep -q ready log; do sleep 0.01; done")
        assert json.loads(output)["metadata"]["exit_code"] == 0

    assert tidied(tool_context, body, mechanism) is (mechanism != "bwrap")


def test_a_background_job_that_does_not_end_is_killed(
    tool_context: ToolContext, mechanism: Mechanism | None
) -> None:
    async def body(terminal: Terminal) -> None:
        job = (
            "sh -c \"trap '' TERM HUP; echo \\$\\$ > pid; while :; do date +%s%N > alive; sleep 0.02; done\""
        )
        output = await terminal.exec(f"{job} & until [ -s alive ]; do sleep 0.01; done", yield_time_ms=30_000)
        assert "exited with code 0" in output.text
        last = (tool_context.cwd / "alive").read_text()
        await anyio.sleep(0.3)
        assert (tool_context.cwd / "alive").read_text() == last

    run(tool_context, body, mechanism)
