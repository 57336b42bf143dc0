"""Creates a small repository with a failing test, lets the agent fix it, and checks the result."""

import os
import shutil
import subprocess
import sys
from importlib.resources import as_file, files
from pathlib import Path
from tempfile import mkdtemp

from code_core.config.load import ConfigOverrides
from code_core.errors import ConfigError
from code_core.headless.exec import FAILED, ExecOptions, run_exec
from code_core.protocol.policies import AskForApproval, SandboxMode

PROMPT = "The tests of this project fail. Find out why and fix it."
TEST_COMMAND = (sys.executable, "-m", "unittest", "-q")
INTRODUCTION = """\
The model of this demo is scripted. Everything else is real: the engine, the commands it runs
(without a sandbox, in a directory made for the demo), the patch and the tests.
"""


async def run_demo(keep: bool = False) -> int:
    """Run the demo; return 0 if the tests failed before and pass afterwards.

    Args:
        keep: keep the repository for inspection.

    Raises:
        ConfigError: git is missing.
    """
    if shutil.which("git") is None:
        raise ConfigError("the demo needs git, which is not on PATH: install it and try again")
    print(INTRODUCTION, file=sys.stderr)
    repository = Path(mkdtemp(prefix="code-demo-"))
    try:
        return await _demo(repository)
    finally:
        if keep:
            print(f"the repository is in {repository}", file=sys.stderr)
        else:
            shutil.rmtree(repository, ignore_errors=True)


async def _demo(repository: Path) -> int:
    _make_repository(repository)
    if _tests_pass(repository):
        print("demo: the tests pass before the agent has done anything", file=sys.stderr)
        return FAILED
    # The scripted commands call `python3`: make that the interpreter that runs this.
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    with as_file(files("code_core.demo") / "scenario.jsonl") as scenario:
        code = await run_exec(
            ExecOptions(
                prompt=PROMPT,
                overrides=ConfigOverrides(
                    model="scripted",
                    model_provider="replay",
                    replay_scenario=scenario,
                    cwd=repository,
                    approval_policy=AskForApproval.NEVER,
                    sandbox_mode=SandboxMode.DANGER_FULL_ACCESS,
                ),
                show_diff=True,
            )
        )
    if code == 0 and not _tests_pass(repository):
        print("demo: the tests still fail", file=sys.stderr)
        return FAILED
    return code


def _make_repository(repository: Path) -> None:
    project = files("code_core.demo") / "project"
    for name in ("invoice.py", "test_invoice.py"):
        (repository / name).write_bytes((project / name).read_bytes())
    identity = ("-c", "user.name=Demo", "-c", "user.email=demo@localhost", "-c", "commit.gpgsign=false")
    for arguments in (
        ("init", "-q"),
        ("add", "."),
        (*identity, "commit", "-q", "-m", "An invoice with a bug"),
    ):
        subprocess.run(("git", *arguments), cwd=repository, check=True, stdin=subprocess.DEVNULL)  # noqa: S607 - the user's git


def _tests_pass(repository: Path) -> bool:
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(TEST_COMMAND, cwd=repository, env=environment, capture_output=True, check=False)
    return done.returncode == 0
