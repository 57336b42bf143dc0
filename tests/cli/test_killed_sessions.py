"""kill -9 at the writes of a session of thirty steps, and a resume.

`CODE_KILL=all` tries every write, before, within and after its line; otherwise a sample is tried.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from support import ScriptedUpstream, stream
from support import responses_events as sse
from support.command import Workspace, make_workspace

FULL = "--dangerously-bypass-approvals-and-sandbox"
ENGINE = Path(__file__).parent / "killed_engine.py"
STEPS = 30
EVERY = os.environ.get("CODE_KILL") == "all"
MOST_LINES = 200
SAMPLE = [(1, 0.0), (1, 0.5), (3, 1.0), (7, 0.5), (12, 0.0), (23, 0.99), (38, 0.5), (55, 1.0), (71, 0.5)]


def patch(step: int) -> str:
    return f"*** Begin Patch\n*** Add File: made-{step}\n+step {step}\n*** End Patch\n"


def step_of(number: int) -> Any:
    """Every third step is a patch, the others are commands that leave a trace."""
    if number % 3 == 2:
        call = sse.custom_tool_call("apply_patch", patch(number), f"c{number}")
    else:
        call = sse.function_call(
            "shell", {"command": ["bash", "-c", f"echo {number} >> trace"]}, f"c{number}"
        )
    return stream(sse.created(), sse.reasoning(f"step {number}", f"sealed {number}"), call, sse.completed())


def reply(text: str) -> Any:
    return stream(sse.created(), sse.message(text), sse.completed())


def killed(workspace: Workspace, fatal: int, part: float) -> bool:
    """Whether the process reached the line at which it had to die."""
    done = subprocess.run(
        [sys.executable, str(ENGINE), str(fatal), str(part), "exec", FULL, "go"],
        cwd=workspace.directory,
        env=workspace.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=100,
        check=False,
    )
    assert done.returncode in {0, -signal.SIGKILL}, done.stderr
    return done.returncode != 0


def recorded(path: Path) -> list[dict[str, Any]]:
    """The items of a rollout, from complete lines only."""
    lines = [line for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"}\n")]
    entries = [json.loads(line) for line in lines]
    return [entry["payload"] for entry in entries if entry["type"] == "response_item"]


def up_to_end_of_input(body: bytes) -> bytes:
    """The part of a request with which the next one begins."""
    text = body.decode()
    start = text.index('"input":') + len('"input":')
    _, end = json.JSONDecoder().raw_decode(text, start)
    return text[: end - 1].encode()


def check_resume(workspace: Workspace, upstream: ScriptedUpstream, fatal: int, part: float) -> None:
    (path,) = workspace.home.glob("sessions/*/*/*/*.jsonl")
    before = path.read_bytes()
    whole = before.count(b"\n")
    items = recorded(path)
    sent = list(upstream.requests)
    traced = workspace.directory / "trace"
    ran = traced.read_text().split() if traced.exists() else []
    upstream._replies = [
        stream(
            sse.created(),
            sse.function_call("shell", {"command": ["bash", "-c", "echo more >> trace"]}, "more"),
            sse.completed(),
        ),
        reply("done"),
    ]
    done = workspace.run("exec", FULL, "resume", "--last", "go on")
    if whole <= 1:  # nothing had been sent yet
        assert "no sessions yet" in done.stderr
        assert not sent
        return
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
    upstream.assert_finished()  # including what the API would refuse

    # Nothing was lost except the line that was being written.
    assert path.read_bytes().startswith(before)
    assert whole == (fatal if part == 1 else fatal - 1)

    # The request begins with the one before it: the same bytes, so that the provider's cache holds.
    resumed, body = upstream.requests[len(sent)].json["input"], upstream.requests[len(sent)].body
    assert not sent or body.startswith(up_to_end_of_input(sent[-1].body))

    # What was recorded is sent, in its order; a call without its output has one that says so.
    calls = [item["call_id"] for item in items if "call_id" in item and not item["type"].endswith("output")]
    outputs = [item["call_id"] for item in items if item["type"].endswith("output")]
    assert [item["call_id"] for item in resumed if item.get("type", "").endswith("call")] == calls
    assert [item["call_id"] for item in resumed if item.get("type", "").endswith("output")] == calls
    aborted = [item["call_id"] for item in resumed if item.get("output") == "aborted"]
    assert aborted == [call for call in calls if call not in outputs]
    finished = bool(items) and items[-1].get("role") == "assistant"
    assert json.dumps(resumed).count("was cut off") == (1 if items and not finished else 0)
    assert "go on" in json.dumps(resumed[-1])

    # No command ran twice, and the session keeps working.
    assert traced.read_text().split() == [*ran, "more"]
    assert len(set(ran)) == len(ran)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
@pytest.mark.skipif(EVERY, reason="CODE_KILL=all")
@pytest.mark.parametrize(("fatal", "part"), SAMPLE)
def test_a_session_killed_at_a_write_can_be_continued(
    workspace: Workspace, upstream: ScriptedUpstream, fatal: int, part: float
) -> None:
    workspace.configure(upstream.base_url)
    upstream.add(*map(step_of, range(STEPS)), reply("all done"))
    assert killed(workspace, fatal, part)
    check_resume(workspace, upstream, fatal, part)


@pytest.mark.skipif(not EVERY, reason="CODE_KILL=all tries every write")
@pytest.mark.timeout(3600)
def test_a_session_killed_at_any_write_can_be_continued(tmp_path: Path) -> None:
    for fatal in range(1, MOST_LINES):
        for part in (0.0, 0.5, 1.0):
            folder = tmp_path / f"{fatal}-{part}"
            folder.mkdir()
            workspace = make_workspace(folder)
            with ScriptedUpstream() as upstream:
                workspace.configure(upstream.base_url)
                upstream.add(*map(step_of, range(STEPS)), reply("all done"))
                if not killed(workspace, fatal, part):
                    assert fatal > 3 * STEPS
                    return
                check_resume(workspace, upstream, fatal, part)
            shutil.rmtree(folder)
    raise AssertionError("the session has more lines than expected")
