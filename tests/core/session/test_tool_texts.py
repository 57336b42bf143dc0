"""Patches through an editor's tools."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from code_core.files import texts
from code_core.protocol.events import EventMsg
from core.session.conversing import Frontend, user
from support import responses_events as sse

TESTS = str(Path(__file__).parents[2])
PATCH = (
    "*** Begin Patch\n*** Update File: a.txt\n@@\n-{old}\n+new\n*** Add File: b.txt\n+added\n*** End Patch"
)


def settings(tmp_path: Path, how: str) -> dict[str, Any]:
    (tmp_path / "notes").mkdir()
    environment = {"PYTHONPATH": TESTS, "PYTHONDONTWRITEBYTECODE": "1", "NOTES": str(tmp_path / "notes")}
    arguments = ["-S", "-m", "mcp_client.servers.edits", how]
    server = {"command": sys.executable, "args": arguments, "env": environment}
    client_tools = {
        "readTextFile": {"mcpServer": "ide", "toolName": "read"},
        "writeTextFile": {"mcpServer": "ide", "toolName": "write"},
    }
    return {
        "settings": (("mcp_servers", {"ide": server}), ("experimental_client_tools", client_tools)),
    }


async def _nothing(msg: EventMsg) -> None:
    raise AssertionError(msg)


@pytest.mark.parametrize("how", ["edit", "refuse"])
def test_unsaved_text_takes_precedence_and_a_refusal_falls_back_to_the_disk(
    converse: Callable[..., None], tmp_path: Path, how: str
) -> None:
    async def script(frontend: Frontend) -> None:
        work = frontend.conversation.config.cwd
        (work / "a.txt").write_text("saved\n")
        if how == "edit":
            (tmp_path / "notes" / "a.txt").write_text("unsaved\n")
        await frontend.send(user("go"))
        await frontend.until("task_complete")
        tools = await frontend.conversation.session.services.servers.tools(_nothing)
        assert [tool.name for tool in tools] == ["ide__other"]
        if how == "edit":
            assert (tmp_path / "notes" / "a.txt").read_text() == "new\n"
            assert (tmp_path / "notes" / "b.txt").read_text() == "added\n"
            assert (work / "a.txt").read_text() == "saved\n"
        else:
            assert (work / "a.txt").read_text() == "new\n"
            assert (work / "b.txt").read_text() == "added\n"

    patch = PATCH.format(old="unsaved" if how == "edit" else "saved")
    call = [sse.custom_tool_call("apply_patch", patch, "p1"), sse.completed()]
    converse(script, call, [sse.message("bye"), sse.completed()], **settings(tmp_path, how))


def test_a_tool_that_does_not_answer_is_not_replaced_by_the_disk(
    converse: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have written, or may still write."""
    monkeypatch.setattr(texts, "FILE_SECONDS", 0.5)

    async def script(frontend: Frontend) -> None:
        path = frontend.conversation.config.cwd / "a.txt"
        path.write_text("saved\n")
        (tmp_path / "notes" / "a.txt").write_text("saved\n")
        await frontend.send(user("go"))
        end = await frontend.until("patch_apply_end")
        assert not end.success
        assert "write did not answer in time" in end.stderr
        await frontend.until("task_complete")
        assert path.read_text() == "saved\n"

    call = [sse.custom_tool_call("apply_patch", PATCH.format(old="saved"), "p1"), sse.completed()]
    converse(script, call, [sse.message("bye"), sse.completed()], **settings(tmp_path, "hang"))
