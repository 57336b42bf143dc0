"""What a patch is shown to do, in questions and events, is all that it does."""

import json
from typing import Any

import pytest

from support import responses_events as sse
from support.acp_client import AcpClient, choose
from support.command import Workspace
from support.scenario import write_scenario
from tui.terminal import Terminal

ASK = ("-s", "workspace-write", "-a", "untrusted")


def offered(workspace: Workspace, *hunks: str) -> None:
    """Let the model offer this patch."""
    patch = "\n".join(("*** Begin Patch", *hunks, "*** End Patch", ""))
    scenario = [
        [sse.custom_tool_call("apply_patch", patch, "p1"), sse.completed()],
        [sse.message("bye"), sse.completed()],
    ]
    workspace.environment["CODE_REPLAY"] = str(write_scenario(workspace.home, scenario))


TWICE = ("*** Update File: a", "@@", "-one", "+HIDDEN", "*** Update File: a", "@@", "-two", "+2")
MANY = {
    "two updates": (TWICE, {"M {}/a": ["-one", "+HIDDEN", "-two", "+2"]}),
    "added and then updated": (
        ("*** Add File: b", "+HIDDEN", "+x", "*** Update File: b", "@@", "-x", "+y"),
        {"A {}/b": ["+HIDDEN", "+y"]},
    ),
    "deleted and then added": (("*** Delete File: a", "*** Add File: a", "+HIDDEN"), {"M {}/a": ["-two", "+HIDDEN"]}),
    "moved away and then added": (
        ("*** Update File: a", "*** Move to: b", "@@", "-two", "+HIDDEN", "*** Add File: a", "+new"),
        {"M {}/a": ["-two", "+new"], "A {}/b": ["+HIDDEN"]},
    ),
    "updated and then moved": (
        ("*** Update File: a", "@@", "-one", "+HIDDEN", "*** Update File: a", "*** Move to: b"),
        {"M {0}/a -> {0}/b": ["-one", "+HIDDEN"]},
    ),
    "moved over another": (("*** Update File: a", "*** Move to: c"), {"M {0}/a -> {0}/c (replaces the file there)": ["-HIDDEN"]}),
}  # fmt: skip


def shown_by_exec(workspace: Workspace) -> dict[str, Any]:
    done = workspace.run("exec", "--json", *ASK, "go")
    assert done.returncode == 0, done.stderr
    messages = [json.loads(line)["msg"] for line in done.stdout.splitlines()]
    (request,) = [one for one in messages if one["type"] == "apply_patch_approval_request"]
    changes: dict[str, Any] = request["changes"]
    return changes


@pytest.mark.parametrize("name", MANY)
def test_every_edit_of_a_file_is_shown(workspace: Workspace, name: str) -> None:
    hunks, shown = MANY[name]
    (workspace.directory / "a").write_text("one\ntwo\n")
    (workspace.directory / "c").write_text("HIDDEN\n")
    offered(workspace, *hunks)
    assert "HIDDEN" in str(shown_by_exec(workspace))
    terminal = Terminal(workspace, *ASK, "go", columns=200)
    terminal.until("q stop): ")
    for title, lines in shown.items():
        assert title.format(workspace.directory) in terminal.screen
        for line in lines:
            assert f"    {line}" in terminal.screen
    terminal.type("n\n")
    terminal.until("bye")
    terminal.close()
    assert (workspace.directory / "a").read_text() == "one\ntwo\n"


def test_a_file_that_a_move_makes_executable_is_shown(workspace: Workspace) -> None:
    (workspace.directory / "a").write_text("one\n")
    (workspace.directory / "run").write_text("#!/bin/sh\n")
    (workspace.directory / "run").chmod(0o755)
    offered(workspace, "*** Update File: a", "*** Move to: run")
    (change,) = shown_by_exec(workspace).values()
    assert change["update"]["modes"] == ["100644", "100755"]
    with AcpClient(workspace, *ASK) as client:
        client.answers["session/request_permission"] = choose("approved")
        assert client.prompt(client.new_session()) == "end_turn"
        asked = client.asked[0]["params"]["toolCall"]
        assert "(mode 100644 becomes 100755)" in asked["content"][0]["content"]["text"]
        assert [one["path"] for one in asked["locations"]] == [
            str(workspace.directory / name) for name in ("a", "run")
        ]
        begun = [one for one in client.updates if one.get("status") == "in_progress"]
        assert "becomes 100755" in str(begun)
    assert (workspace.directory / "run").stat().st_mode & 0o111


@pytest.mark.parametrize("moves", [True, False])
def test_a_symbolic_link_is_shown_as_a_link(workspace: Workspace, moves: bool) -> None:
    (workspace.directory / "target").write_text("one\n")
    (workspace.directory / "link").symlink_to("target")
    offered(
        workspace, *(("*** Update File: link", "*** Move to: b") if moves else ("*** Delete File: link",))
    )
    (change,) = shown_by_exec(workspace).values()
    assert change["update" if moves else "delete"]["link"] == "target"
    terminal = Terminal(workspace, *ASK, "go", columns=200)
    terminal.until("q stop): ")
    assert "(a symbolic link to target" in terminal.screen
    assert ("becomes a copy" in terminal.screen) == moves
    terminal.type("y\n")
    terminal.until("bye")
    terminal.close()
    assert not (workspace.directory / "link").is_symlink()
    assert (workspace.directory / "b").exists() == moves
    assert (workspace.directory / "target").read_text() == "one\n"
