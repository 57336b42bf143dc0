import json
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from architecture.packages import ROOT
from support import ScriptedUpstream, stream
from support.responses_events import completed, created, function_call, message
from support.scenario import write_scenario

HEAVY = frozenset({"asyncio", "httpx2", "mcp", "mcp_types", "openai", "pydantic", "textual"})

# What a turn without commands and patches needs, in addition to the rows below and above the services.
SERVICES_OF_A_MESSAGE = frozenset(
    {
        "code_core.files.checkout",
        "code_core.files.directory",
        "code_core.sandbox.writable",
        "code_core.tools.apply_patch",
        "code_core.tools.arguments",
        "code_core.tools.exec_command",
        "code_core.tools.plan",
        "code_core.tools.registry",
        "code_core.tools.shell",
        "code_core.tools.terminals",
        "code_core.tools.tool",
        "code_core.tools.view_image",
        "code_core.validation.switches",
    }
)
NEVER_IN_A_TURN = frozenset(
    {
        *("h11", "http", "httpcore2", "httpx2", "idna", "mcp", "mcp_types", "openai", "textual", "tomlkit"),
        *("email", "importlib.metadata", "shutil", "sqlite3", "tempfile", "zipfile"),
    }
)
PARTS_OF_A_COMMAND = (
    "code_core.acp.",
    "code_core.files.",
    "code_core.mcp_servers.",
    "code_core.patch.",
    "code_core.process.",
    "code_core.safety.",
    "code_core.sandbox.",
    "code_core.store.checkpoints.",
    "code_core.tools.",
    "code_core.validation.",
)

HELP = """
import sys
from code_cli.main import main
sys.argv = ["code", "--help"]
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
"""


def output_of(script: str, cwd: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def loaded_after(script: str, cwd: Path) -> frozenset[str]:
    listing = f"{script}\nimport json, sys\nprint()\nprint(json.dumps(list(sys.modules)))"
    return frozenset(json.loads(output_of(listing, cwd).splitlines()[-1]))


def startup_violations(loaded: frozenset[str]) -> list[str]:
    return sorted(HEAVY & loaded)


def code_is_shadowed(cwd: Path) -> bool:
    """Whether `import code` in `cwd` returns another module than the standard library's."""
    found = Path(output_of("import code, pdb; pdb.Pdb; print(code.__file__)", cwd).strip())
    return found.resolve() != Path(sysconfig.get_path("stdlib"), "code.py").resolve()


def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    loaded = loaded_after(HELP, tmp_path)
    assert "code_cli.main" in loaded
    assert startup_violations(loaded) == []


def test_imports_are_not_interrupted_by_garbage_collections(tmp_path: Path) -> None:
    script = HELP.replace("code_cli.main", "code_cli.start")
    count = 'gc.get_stats()[0]["collections"]'
    output = output_of(f"import gc, signal\nbefore = {count}\n{script}\nprint({count} - before)", tmp_path)
    assert int(output.splitlines()[-1]) <= 1


def test_a_list_of_sessions_imports_nothing_heavy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODE_HOME", str(tmp_path))
    loaded = loaded_after(HELP.replace('"--help"', '"sessions", "list"'), tmp_path)
    assert "code_core.store.catalog" in loaded
    assert startup_violations(loaded) == []
    assert {"anyio", "logging", "inspect"} & loaded <= {"inspect"}


def test_a_turn_without_calls_does_not_import_the_code_that_runs_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario = write_scenario(tmp_path, [[message("hello"), completed()]])
    monkeypatch.setenv("CODE_HOME", str(tmp_path))
    monkeypatch.setenv("CODE_REPLAY", str(scenario))
    loaded = loaded_after(HELP.replace('"--help"', '"exec", "--skip-git-repo-check", "hi"'), tmp_path)
    assert "code_core.session.turn.loop" in loaded
    ours = {module for module in loaded if module.startswith(PARTS_OF_A_COMMAND)}
    assert ours - SERVICES_OF_A_MESSAGE == set()
    assert loaded & NEVER_IN_A_TURN == set()


def test_a_command_with_full_access_does_not_import_sandboxes_patches_and_questions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = function_call("shell", {"command": ["true"]}, "c")
    scenario = write_scenario(tmp_path, [[call, completed()], [message("done"), completed()]])
    monkeypatch.setenv("CODE_HOME", str(tmp_path))
    monkeypatch.setenv("CODE_REPLAY", str(scenario))
    options = '"exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", "hi"'
    loaded = loaded_after(HELP.replace('"--help"', options), tmp_path)
    assert "code_core.tools.command_run" in loaded
    sandboxes = {module for module in loaded if module.startswith("code_core.sandbox.")}
    assert sandboxes == {"code_core.sandbox.writable"}
    unused = (
        "code_core.patch",
        "code_core.tools.approver",
        "code_core.safety.rules",
        "code_core.safety.denial",
    )
    assert {module for module in loaded if module.startswith(unused)} == set()


def test_a_turn_over_http_does_not_import_a_general_purpose_http_client(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ScriptedUpstream([stream(created(), message("hello"), completed())], strict=False) as upstream:
        monkeypatch.setenv("CODE_HOME", str(tmp_path))
        monkeypatch.setenv("OPENAI_API_KEY", "k")
        monkeypatch.setenv("OPENAI_BASE_URL", upstream.base_url)
        loaded = loaded_after(HELP.replace('"--help"', '"exec", "--skip-git-repo-check", "hi"'), tmp_path)
    assert "code_core.model.http_client" in loaded
    assert loaded & NEVER_IN_A_TURN == set()


@pytest.mark.parametrize("module", ["asyncio", "pydantic"])
def test_a_heavy_import_before_help_is_a_violation(module: str, tmp_path: Path) -> None:
    assert module in startup_violations(loaded_after(f"import {module}\n{HELP}", tmp_path))


@pytest.mark.parametrize("folder", [".", "packages", "tests"])
def test_import_code_gives_the_standard_library_module(folder: str) -> None:
    assert not code_is_shadowed(ROOT / folder)


def test_a_module_that_shadows_code_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text("class InteractiveConsole: pass\n", "utf-8")
    assert code_is_shadowed(tmp_path)
