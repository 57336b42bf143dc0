"""Approvals that an MCP server decides."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from code_core.config.load import ConfigOverrides, load_config
from code_core.errors import ConfigError
from code_core.protocol.events import EventMsg
from code_core.protocol.ops import ExecApproval, Interrupt, PatchApproval
from code_core.protocol.policies import AskForApproval, ReviewDecision
from core.session.conversing import Frontend, after, call, user
from support import responses_events as sse

TESTS = str(Path(__file__).parents[2])
UNTRUSTED = AskForApproval.UNTRUSTED


async def _nothing(msg: EventMsg) -> None:
    raise AssertionError(msg)


def settings(tmp_path: Path, how: str, tool: str = "permit") -> dict[str, Any]:
    environment = {"PYTHONPATH": TESTS, "PYTHONDONTWRITEBYTECODE": "1", "NOTES": str(tmp_path / "notes")}
    arguments = ["-S", "-m", "mcp_client.servers.permits", how]
    server = {"command": sys.executable, "args": arguments, "env": environment}
    client_tools = {"requestPermission": {"mcpServer": "ide", "toolName": tool}}
    return {
        "settings": (("mcp_servers", {"ide": server}), ("experimental_client_tools", client_tools)),
        "approval_policy": UNTRUSTED,
    }


def asked(tmp_path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (tmp_path / "notes").read_text().splitlines()]


@pytest.mark.parametrize("how", ["approved", "as text", "denied", "abort", "cancelled"])
def test_the_tool_decides_in_place_of_the_frontend(
    converse: Callable[..., None], tmp_path: Path, how: str
) -> None:
    async def script(frontend: Frontend) -> None:
        await frontend.send(user("go"))
        await frontend.until("turn_aborted" if how in {"cancelled", "abort"} else "task_complete")
        assert "exec_approval_request" not in frontend.kinds
        made = (frontend.conversation.config.cwd / "made").exists()
        assert made is (how in {"approved", "as text"})
        (question,) = asked(tmp_path)
        assert question["name"] == "permit"
        arguments = question["arguments"]
        assert arguments["sessionId"] == frontend.conversation.id
        assert arguments["toolCall"] == {
            "toolCallId": "c1",
            "title": "`touch made`",
            "kind": "execute",
            "name": "shell",
            "status": "pending",
            "rawInput": {"command": ["touch", "made"], "cwd": str(frontend.conversation.config.cwd)},
            "content": arguments["toolCall"]["content"],
        }
        (content,) = arguments["toolCall"]["content"]
        assert "Run this command outside the sandbox?\n\n  $ touch made\n" in content["content"]["text"]
        options = {option["optionId"]: option for option in arguments["options"]}
        assert {name: option["kind"] for name, option in options.items()} == {
            "approved": "allow_once", "approved-for-session": "allow_always", "approved-prefix": "allow_always",
            "denied": "reject_once", "abort": "reject_once",
        }  # fmt: skip
        assert options["approved-prefix"]["name"].startswith("Allow always: Allows exactly `touch made`")
        assert 'pattern = ["touch", "made"]' in content["content"]["text"]
        tools = [tool.name for tool in await frontend.conversation.session.services.servers.tools(_nothing)]
        assert tools == ["ide__other"]

    shown = "rejected by user" if how == "denied" else '"exit_code": 0'
    converse(script, call("touch", "made"), after(shown), **settings(tmp_path, how))


def test_an_approval_for_the_session_is_not_asked_for_again(
    converse: Callable[..., None], tmp_path: Path
) -> None:
    async def script(frontend: Frontend) -> None:
        await frontend.send(user("go"))
        await frontend.until("task_complete")
        assert len(asked(tmp_path)) == 1

    again = after('"exit_code": 0', stream=call("touch", "made", call_id="c2"))
    converse(
        script,
        call("touch", "made"),
        again,
        after('"exit_code": 0', call_id="c2"),
        **settings(tmp_path, "approved-for-session"),
    )


def test_a_question_about_a_patch_contains_its_diff(converse: Callable[..., None], tmp_path: Path) -> None:
    async def script(frontend: Frontend) -> None:
        await frontend.send(user("go"))
        await frontend.until("task_complete")
        path = frontend.conversation.config.cwd / "a.txt"
        assert path.read_text() == "new\n"
        call = asked(tmp_path)[0]["arguments"]["toolCall"]
        assert (call["kind"], call["title"], call["locations"]) == (
            "edit",
            "Edit `a.txt`",
            [{"path": str(path)}],
        )
        files, difference = call["content"]
        assert f"A {path}\n    +new" in files["content"]["text"]
        assert difference == {"type": "diff", "path": str(path), "oldText": None, "newText": "new\n"}

    patch = "*** Begin Patch\n*** Add File: a.txt\n+new\n*** End Patch"
    patching = [sse.custom_tool_call("apply_patch", patch, "c1"), sse.completed()]
    converse(script, patching, after("A a.txt"), **settings(tmp_path, "approved"))


@pytest.mark.parametrize("how", ["error", "crash", "no such option", "absent"])
def test_the_frontend_is_asked_if_the_tool_does_not_decide(
    converse: Callable[..., None], tmp_path: Path, how: str
) -> None:
    async def script(frontend: Frontend) -> None:
        await frontend.send(user("go"))
        await frontend.until("exec_approval_request")
        await frontend.send(ExecApproval(id="c1", decision=ReviewDecision.APPROVED))
        await frontend.until("task_complete")
        assert (frontend.conversation.config.cwd / "made").exists()

    tool = "absent" if how == "absent" else "permit"
    converse(script, call("touch", "made"), after('"exit_code": 0'), **settings(tmp_path, how, tool))


def test_an_interrupt_ends_a_question_that_nobody_answers(
    converse: Callable[..., None], tmp_path: Path
) -> None:
    async def script(frontend: Frontend) -> None:
        await frontend.send(user("go"))
        await frontend.until("token_count")
        await frontend.send(Interrupt())
        await frontend.until("turn_aborted")
        await frontend.send(PatchApproval(id="c1", decision=ReviewDecision.APPROVED))
        assert "no question with the id 'c1' is open" in (await frontend.until("warning")).message

    converse(script, call("touch", "made"), **settings(tmp_path, "wait"))


def test_a_server_that_is_not_configured_is_an_error_in_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODE_HOME", str(tmp_path))
    tools = {"request_permission": {"mcp_server": "absent", "tool_name": "x"}}
    with pytest.raises(ConfigError, match="'absent', which is not configured"):
        load_config(ConfigOverrides(cwd=tmp_path, settings=(("experimental_client_tools", tools),)))
