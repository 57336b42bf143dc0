import json
import sys
from pathlib import Path

import pytest

from code_cli import checks
from code_cli.disk import try_disk
from code_core.sandbox.detection import Detection, Finding
from code_core.sandbox.sandbox import Mechanism
from code_core.sandbox.seatbelt import Seatbelt
from support.command import KEY, Workspace
from support.upstream import ScriptedUpstream

TESTS = str(Path(__file__).parents[1])


def server(name: str, command: str, *arguments: str) -> str:
    return (
        f'[mcp_servers.{name}]\ncommand = "{command}"\nargs = {json.dumps(arguments)}\n'
        f'env = {{ PYTHONPATH = "{TESTS}" }}\n'
    )


def states(workspace: Workspace) -> dict[str, tuple[str, list[str]]]:
    done = workspace.run("doctor", "--json")
    report = json.loads(done.stdout)
    assert report["broken"] is (done.returncode == 1)
    assert KEY not in done.stdout
    return {check["name"]: (check["state"], check["details"]) for check in report["checks"]}


def test_working_parts_are_ok(workspace: Workspace, upstream: ScriptedUpstream) -> None:
    workspace.configure(
        upstream.base_url, server("listed", sys.executable, "-S", "-m", "mcp_client.servers.listed")
    )
    found = states(workspace)
    assert list(found) == [
        "python", "terminal", "git", "checkers", "hardening", "sandbox", "settings", "disk", "key", "provider", "mcp listed",
    ]  # fmt: skip
    for name in ("python", "settings", "key", "provider", "mcp listed"):
        assert found[name][0] == "ok", found[name]
    assert found["key"][1] == ["in SCRIPTED_API_KEY"]
    assert found["provider"][1][0].startswith(f"{upstream.base_url} answers (status ")
    assert found["mcp listed"][1][0].startswith("scripted 1, protocol 2025-11-25: 9 tools after ")
    assert found["settings"][1][0] == str(workspace.home / "config.toml")


def test_broken_parts_are_reported_with_the_reason(workspace: Workspace) -> None:
    workspace.configure("http://127.0.0.1:1/v1", server("absent", "/nowhere/server"))
    del workspace.environment["SCRIPTED_API_KEY"]
    done = workspace.run("doctor")
    assert (done.returncode, done.stderr) == (1, "")
    broken = [line for line in done.stdout.splitlines() if line.startswith("broken")]
    assert [line.split()[1] for line in broken] == ["key", "provider", "mcp"]
    assert "set the environment variable SCRIPTED_API_KEY" in broken[0]
    assert broken[1].endswith("http://127.0.0.1:1/v1 cannot be reached: Connection refused")
    assert "/nowhere/server" in broken[2]


def test_unreadable_settings_are_broken_and_unknown_ones_are_a_warning(workspace: Workspace) -> None:
    (workspace.home / "config.toml").write_text("model = ")
    state, details = states(workspace)["settings"]
    assert (state, "config.toml" in details[0]) == ("broken", True)
    workspace.configure("http://127.0.0.1:1/v1", "modell = 1")
    state, details = states(workspace)["settings"]
    assert (state, "modell" in details[-1]) == ("warning", True)


@pytest.mark.parametrize(
    ("findings", "state"),
    [
        ([("bwrap", True)], "ok"),
        ([("bwrap", False), ("landlock", True)], "warning"),
        ([("bwrap", False), ("landlock", False)], "warning"),
        ([], "warning"),
    ],
)
def test_a_sandbox_other_than_the_best_one_is_a_warning_with_the_reasons(
    monkeypatch: pytest.MonkeyPatch, findings: list[tuple[Mechanism, bool]], state: str
) -> None:
    made = tuple(
        Finding(name, Seatbelt() if works else None, f"reason {number}")
        for number, (name, works) in enumerate(findings)
    )
    monkeypatch.setattr(checks, "detect", lambda: Detection(made))
    seen = checks._sandbox()
    assert seen.state == state
    for number in range(len(findings)):
        assert f"reason {number}" in seen.details[number]
    assert ("no sandbox" in seen.details[-1]) is not any(works for _, works in findings)


def test_the_options_of_a_session_choose_what_is_checked(workspace: Workspace, tmp_path: Path) -> None:
    workspace.configure("http://127.0.0.1:1/v1", "[profiles.p]\nmodel_provider = 'oss'\n")
    done = workspace.run("doctor", "--json", "-p", "p", "-m", "other", "-c", "sandbox_mode=workspace-write")
    found = {check["name"]: check["details"] for check in json.loads(done.stdout)["checks"]}
    assert found["settings"][1:] == [
        "model other, provider oss",
        "approval policy on-request, sandbox workspace-write",
    ]
    done = workspace.run("doctor", "-C", str(tmp_path / "absent"))
    assert done.returncode == 1
    assert f"the working directory '{tmp_path}/absent' is not a directory" in done.stdout
    done = workspace.run("doctor", "-c", "modell")
    assert (done.returncode, "is not of the form key=value" in done.stderr) == (2, True)


def test_a_server_is_started_in_the_directory_of_the_session(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "server.sh").write_text("pwd > started-in\n")
    workspace.configure(
        "http://127.0.0.1:1/v1", server("here", "sh", str(tmp_path / "server.sh")) + "cwd = '.'"
    )
    workspace.run("doctor", "-C", str(tmp_path))
    assert (tmp_path / "started-in").read_text() == f"{tmp_path}\n"


def test_a_missing_git_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    seen = checks._git()
    assert (seen.state, seen.details) == ("warning", ("not on PATH: the agent cannot run git commands",))


def test_a_home_that_does_not_exist_yet_is_ok_if_it_can_be_created(tmp_path: Path) -> None:
    report = try_disk(tmp_path / "new" / "home")
    assert report.problem is None
    assert report.free is not None
    assert not [*tmp_path.iterdir()]
