"""A real model answers in a real server, over both wires.

Run it with `uv run --group real-model pytest tests/integration`. Here the model only writes text: what is
tested is that a real server takes our requests, and that we understand its answers.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.command import Workspace, make_workspace
from support.real_model import configure, needs_real_model, serving

pytestmark = [pytest.mark.slow, needs_real_model]
WINDOW = 4096
# A clause is enough and takes seconds; otherwise the model would write for minutes.
A_CLAUSE = 'max_output_tokens = 200\nextra_body = { stop = [",", ".", ":", "!", "?"] }'


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with serving(WINDOW) as address:
        yield address


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return make_workspace(tmp_path)


@pytest.mark.parametrize("wire", ["responses", "chat"])
def test_a_real_model_answers_a_turn(workspace: Workspace, server: str, wire: str) -> None:
    configure(workspace, server, wire, A_CLAUSE)
    done = workspace.run("exec", "--json", "Say hello and nothing else.")
    events = [json.loads(line)["msg"] for line in done.stdout.splitlines()]
    assert done.returncode == 0, events[-3:]
    message = "".join(event["delta"] for event in events if event["type"] == "agent_message_delta")
    [whole] = [event["message"] for event in events if event["type"] == "agent_message"]
    assert message.strip() == whole.strip() != ""
    [count] = [event["info"] for event in events if event["type"] == "token_count"]
    assert count["model_context_window"] == WINDOW
    assert 100 < count["last_token_usage"]["input_tokens"] < WINDOW


@pytest.mark.parametrize("wire", ["responses", "chat"])
def test_a_real_answer_that_reaches_the_output_limit_is_an_error(
    workspace: Workspace, server: str, wire: str
) -> None:
    configure(workspace, server, wire, "max_output_tokens = 8")
    done = workspace.run("exec", "Tell me a long story.")
    assert done.returncode == 1, done.stdout
    assert "reached the model's output limit" in done.stderr


def test_a_real_model_follows_a_schema(workspace: Workspace, server: str, tmp_path: Path) -> None:
    configure(workspace, server, "chat", A_CLAUSE)
    schema = tmp_path / "schema.json"
    schema.write_text(
        json.dumps({"type": "string", "enum": ["red", "blue"]})
    )  # leaves no room for endless spaces
    options = ("-c", "models.smollm2.tool_form=none", "-c", "models.smollm2.extra_body={}")
    done = workspace.run("exec", "--output-schema", str(schema), *options, "A colour?")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) in {"red", "blue"}


def test_a_prompt_over_the_real_window_is_reported_as_such(workspace: Workspace, server: str) -> None:
    configure(workspace, server, "chat", A_CLAUSE)
    done = workspace.run("exec", "-c", "model_context_window=1000000", "word " * 3 * WINDOW)
    assert done.returncode == 1
    assert "does not fit the model's context window" in done.stderr
