"""A real model completes tasks with tools, over both wires.

SmolLM2 135M was never taught to call a tool. The server's chat template shows it a few examples, as any
template with tools does in its own way. The rest is the model's: which tool to call, with what arguments,
and what to say about the result. Its vocabulary is not constrained until it opens a call by itself.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.command import Workspace, make_workspace
from support.real_model import configure, needs_real_model, serving

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), needs_real_model]
TEMPLATE = Path(__file__).with_name("smollm2_tools.jinja")
wires = pytest.mark.parametrize("wire", ["responses", "chat"])


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with serving(8192, TEMPLATE) as address:
        yield address


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """One for all tests: the server keeps what it computed for requests that begin alike."""
    return make_workspace(tmp_path_factory.mktemp("agent"))


def run(workspace: Workspace, *arguments: str) -> list[dict[str, Any]]:
    """The events of a task that succeeds."""
    done = workspace.run("exec", "--json", "--sandbox", "workspace-write", *arguments, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads(line)["msg"] for line in done.stdout.splitlines()]


def commands(events: list[dict[str, Any]]) -> list[tuple[str, int]]:
    """The scripts that ran, with their exit codes."""
    begun = {event["call_id"]: event["command"] for event in events if event["type"] == "exec_command_begin"}
    ended = [event for event in events if event["type"] == "exec_command_end"]
    return [(begun[event["call_id"]][-1], event["exit_code"]) for event in ended]


def answer(events: list[dict[str, Any]]) -> str:
    [end] = [event for event in events if event["type"] == "task_complete"]
    return str(end["last_agent_message"]).strip()


@wires
def test_a_real_model_writes_a_file(workspace: Workspace, server: str, wire: str) -> None:
    configure(workspace, server, wire, "max_output_tokens = 200")
    (workspace.directory / "greeting.txt").unlink(missing_ok=True)
    events = run(workspace, "Create the file greeting.txt with the text hello world.")
    assert (workspace.directory / "greeting.txt").read_text() == "hello world\n"
    assert commands(events) == [("echo hello world > greeting.txt", 0)]
    assert answer(events) == "The file greeting.txt now has the text hello world."


@wires
def test_a_real_model_reads_what_a_command_printed(workspace: Workspace, server: str, wire: str) -> None:
    configure(workspace, server, wire, "max_output_tokens = 200")
    (workspace.directory / "big.txt").write_text("line\n" * 23)
    events = run(workspace, "How many lines does big.txt have?")
    assert commands(events) == [("wc -l big.txt", 0)]
    assert answer(events) == "The file big.txt has 23 lines."
