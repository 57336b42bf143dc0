"""What an editor sees of a turn: permissions, plans, notices, servers' questions, commands."""

from typing import Any

import pytest

from mcp_server.acp.conftest import Replay
from support import responses_events as sse
from support.acp_client import EDITOR, AcpClient, RequestFailed, choose, prompt_params
from support.command import Workspace

FULL = ("-s", "danger-full-access", "-a", "never")
ASK = ("-s", "danger-full-access", "-a", "untrusted")


def shell(*command: str, call_id: str = "c1") -> list[dict[str, Any]]:
    return [sse.function_call("shell", {"command": [*command]}, call_id), sse.completed()]


def text_reply(text: str) -> list[dict[str, Any]]:
    return [sse.message(text), sse.completed()]


def test_a_terminal_shows_the_output_of_a_command(workspace: Workspace, replay: Replay) -> None:
    replay(
        shell("bash", "-c", "printf 'one\\n\\033]52;c;eA==\\a'; sleep 0.3; echo two; exit 4"),
        text_reply("Done."),
    )
    with AcpClient(workspace, *FULL, capabilities=EDITOR) as client:
        client.prompt(client.new_session())
        calls = [update for update in client.updates if update.get("toolCallId") == "c1"]
        first, *middle, last = calls
        terminal = first["content"][0]["terminalId"]
        assert first["_meta"]["terminal_info"] == {"terminal_id": terminal, "cwd": str(workspace.directory)}
        shown = "".join(update["_meta"]["terminal_output"]["data"] for update in middle)
        assert shown.endswith("two\n")
        assert "one\n\\x1b]52" in shown
        assert last["_meta"]["terminal_exit"] == {"terminal_id": terminal, "exit_code": 4, "signal": None}
        assert last["status"] == "failed"
        assert all("content" not in update for update in calls[1:])


def test_without_a_terminal_the_output_grows(workspace: Workspace, replay: Replay) -> None:
    replay(shell("bash", "-c", "echo one; sleep 0.3; echo two; echo three"), text_reply("Done."))
    with AcpClient(workspace, *FULL) as client:
        client.prompt(client.new_session())
        calls = [update for update in client.updates if update.get("toolCallId") == "c1"]
        assert all("_meta" not in update for update in calls)
        texts = [update["content"][0]["content"]["text"] for update in calls if update.get("content")]
        assert texts[-1] == "```\none\ntwo\nthree\n```"


def test_the_output_of_a_waiting_command_is_shown(workspace: Workspace, replay: Replay) -> None:
    # The title shows the script, so the word is printed in pieces, the second no longer than the first.
    script = "printf beg; sleep 0.5; echo un; until [ -e go ]; do sleep 0.05; done"
    replay(shell("bash", "-c", script), text_reply("Done."))
    with AcpClient(workspace, *FULL) as client:
        prompt = client.send("session/prompt", prompt_params(client.new_session(), "go"))
        client.until(lambda: any("begun" in str(update) for update in client.updates))
        (workspace.directory / "go").touch()
        assert client.result(prompt) == {"stopReason": "end_turn"}


def test_a_question_is_complete_and_its_options_are_in_order(workspace: Workspace, replay: Replay) -> None:
    replay(shell("touch", "made"), text_reply("Done."))
    with AcpClient(workspace, *ASK) as client:
        client.answers["session/request_permission"] = choose("approved-for-session")
        client.prompt(client.new_session())
        (asked,) = client.asked
        text = asked["params"]["toolCall"]["content"][0]["content"]["text"]
        assert "$ touch made" in text
        assert f"in {workspace.directory}, OUTSIDE the sandbox" in text
        options = [(option["optionId"], option["kind"]) for option in asked["params"]["options"]]
        assert options == [
            ("approved", "allow_once"),
            ("approved-for-session", "allow_always"),
            ("approved-prefix", "allow_always"),
            ("denied", "reject_once"),
            ("abort", "reject_once"),
        ]


@pytest.mark.parametrize(
    ("answer", "reason", "ran"),
    [
        ({"outcome": {"outcome": "cancelled"}}, "cancelled", False),
        ({"outcome": {"outcome": "selected", "optionId": "unheard-of"}}, "end_turn", False),
        ({"outcome": "selected"}, "end_turn", False),
        ([], "end_turn", False),
        (RuntimeError("no window"), "end_turn", False),
        ({"outcome": {"outcome": "selected", "optionId": "approved", "x": 1}, "y": 2}, "end_turn", True),
    ],
)
def test_only_an_allowing_option_allows(
    workspace: Workspace, replay: Replay, answer: Any, reason: str, ran: bool
) -> None:
    replay(shell("touch", "made"), text_reply("Done."))
    with AcpClient(workspace, *ASK) as client:
        client.answers["session/request_permission"] = lambda _: answer
        assert client.prompt(client.new_session()) == reason
    assert (workspace.directory / "made").exists() == ran


def test_a_client_that_cannot_be_asked_does_not_cause_a_hang(workspace: Workspace, replay: Replay) -> None:
    replay(shell("touch", "made"), text_reply("Done."))
    with AcpClient(workspace, *ASK) as client:
        assert client.prompt(client.new_session()) == "end_turn"
    assert not (workspace.directory / "made").exists()


def test_a_cancelled_turn_withdraws_its_question(workspace: Workspace, replay: Replay) -> None:
    replay(shell("touch", "made"), text_reply("Done."))
    with AcpClient(workspace, *ASK) as client:
        client.answers["session/request_permission"] = lambda _: None
        session = client.new_session()
        prompt = client.send("session/prompt", prompt_params(session, "go"))
        client.until(lambda: bool(client.asked))
        client.notify("session/cancel", {"sessionId": session})
        assert client.result(prompt) == {"stopReason": "cancelled"}
        withdrawn = {"requestId": client.asked[0]["id"]}
        assert [one["params"] for one in client.notified if one["method"] == "$/cancel_request"] == [
            withdrawn
        ]
        client.write({"id": client.asked[0]["id"], "result": choose("approved")({})})  # too late
        assert client.prompt(session) == "end_turn"
    assert not (workspace.directory / "made").exists()


def test_a_session_that_is_loaded_during_its_prompt_can_still_be_cancelled(
    workspace: Workspace, replay: Replay
) -> None:
    replay(shell("sleep", "300"), text_reply("Done."))
    with AcpClient(workspace, *FULL) as client:
        session = client.new_session()
        prompt = client.send("session/prompt", prompt_params(session, "go"))
        client.until(lambda: bool(client.of_kind("tool_call")))
        session_params = {"cwd": str(workspace.directory), "mcpServers": []}
        with pytest.raises(RequestFailed, match="answering a prompt") as refused:
            client.call("session/load", {"sessionId": session, **session_params})
        assert refused.value.code == -32600
        client.notify("session/cancel", {"sessionId": session})
        assert client.result(prompt) == {"stopReason": "cancelled"}


def test_a_client_that_dies_during_a_question_leaves_nothing_behind(
    workspace: Workspace, replay: Replay
) -> None:
    replay(shell("touch", "made"), text_reply("Done."))
    with AcpClient(workspace, *ASK) as client:
        client.answers["session/request_permission"] = lambda _: None
        session = client.new_session()
        client.send("session/prompt", prompt_params(session, "go"))
        client.until(lambda: bool(client.asked))
        assert client.process.stdin is not None
        assert client.process.stdout is not None
        client.process.stdout.close()
        client.process.stdin.close()
        assert client.process.wait(10) == 0
        client.process.stdout = open("/dev/null", "rb", buffering=0)  # noqa: SIM115, PTH123 - closed by the client
    with AcpClient(workspace, *ASK) as client:
        client.initialize()
        session_params = {"cwd": str(workspace.directory), "mcpServers": []}
        client.call("session/load", {"sessionId": session, **session_params})
        assert [update["status"] for update in client.updates if update.get("toolCallId") == "c1"][
            -1
        ] == "failed"
    assert not (workspace.directory / "made").exists()


def test_modes_and_options_change_and_are_reported(workspace: Workspace, replay: Replay) -> None:
    replay()
    with AcpClient(workspace) as client:
        session = {"sessionId": client.new_session()}
        client.call("session/set_mode", session | {"modeId": "full-access"})
        assert client.of_kind("current_mode_update")[-1]["currentModeId"] == "full-access"
        for config_id, value in (
            ("mode", "auto"),
            ("thought_level", "high"),
            ("model", "some-model"),
            ("model", "o3"),
        ):
            done = client.call("session/set_config_option", session | {"configId": config_id, "value": value})
            assert client.of_kind("config_option_update")[-1]["configOptions"] == done["configOptions"]
        values = {option["id"]: option["currentValue"] for option in done["configOptions"]}
        assert values == {"mode": "auto", "model": "o3", "reasoning_effort": "high"}
        client.call("session/set_model", session | {"modelId": "gpt-5"})
        for method, params in (
            ("session/set_mode", {"modeId": "yolo"}),
            ("session/set_config_option", {"configId": "colour", "value": "red"}),
            ("session/set_config_option", {"configId": "thought_level", "value": "immense"}),
            ("session/set_config_option", {"configId": "model", "type": "boolean", "value": True}),
            ("session/set_config_option", {"configId": "model", "value": "a\nb"}),
        ):
            with pytest.raises(RequestFailed) as failed:
                client.call(method, session | params)
            assert failed.value.code == -32602


def test_the_mode_determines_what_runs(workspace: Workspace, replay: Replay) -> None:
    replay(shell("touch", "made"), text_reply("Done."))
    with AcpClient(workspace, "-a", "untrusted", "-s", "read-only") as client:
        session = client.new_session()
        client.call("session/set_mode", {"sessionId": session, "modeId": "full-access"})
        assert client.prompt(session) == "end_turn"
        assert client.asked == []
    assert (workspace.directory / "made").exists()


def test_plan_mode_changes_nothing_and_leaves_the_policies(workspace: Workspace, replay: Replay) -> None:
    plan = "<proposed_plan>\n1. touch made\n</proposed_plan>"
    replay(shell("touch", "made"), text_reply(plan), shell("touch", "made"), text_reply("Done."))
    with AcpClient(workspace, *FULL) as client:
        session = {"sessionId": client.new_session()}
        client.call("session/set_mode", session | {"modeId": "plan"})
        assert client.of_kind("current_mode_update")[-1]["currentModeId"] == "plan"
        assert client.prompt(session["sessionId"]) == "end_turn"
        assert not (workspace.directory / "made").exists()
        chunks = client.of_kind("agent_message_chunk")
        assert "".join(chunk["content"]["text"] for chunk in chunks) == "1. touch made\n"
        client.call("session/set_mode", session | {"modeId": "full-access"})
        assert client.prompt(session["sessionId"]) == "end_turn"
        assert client.asked == []
    assert (workspace.directory / "made").exists()


QUESTION = {"questions": [{"id": "q", "header": "H", "question": "Which?", "options": [{"label": "A"}]}]}


@pytest.mark.parametrize(
    ("answer", "output"),
    [
        ({"action": "accept", "content": {"choice_1": "1. A"}}, '{"answers": {"q": {"answers": ["A"]}}}'),
        ({"action": "decline"}, "the user did not answer"),
        ({"action": "accept", "content": "x"}, "the user did not answer"),
    ],
)
def test_the_models_questions_are_forms(
    workspace: Workspace, replay: Replay, answer: dict[str, Any], output: str
) -> None:
    asks = [sse.function_call("request_user_input", QUESTION, "c1"), sse.completed()]
    expected = {"expect": [{"call_id": "c1", "output_contains": output}], "stream": text_reply("Done.")}
    replay(asks, expected)
    with AcpClient(workspace, *FULL, capabilities=EDITOR) as client:
        client.answers["elicitation/create"] = lambda _: answer
        session = client.new_session()
        assert client.prompt(session) == "end_turn"
        (asked,) = client.asked
        assert "the model│ Which?" in asked["params"]["message"]
        assert asked["params"]["requestedSchema"]["properties"]["choice_1"]["enum"] == ["1. A"]


def test_modes_do_not_hide_the_configured_settings(workspace: Workspace, replay: Replay) -> None:
    replay()
    with AcpClient(workspace, "-a", "untrusted", "-s", "workspace-write") as client:
        client.initialize()
        state = client.call("session/new", {"cwd": str(workspace.directory), "mcpServers": []})["modes"]
        assert state["currentModeId"] == "workspace-write/untrusted"
        assert [mode["id"] for mode in state["availableModes"]] == [
            "workspace-write/untrusted", "plan", "read-only", "auto", "full-access",
        ]  # fmt: skip


def test_built_in_commands(workspace: Workspace, replay: Replay) -> None:
    patch = "*** Begin Patch\n*** Add File: b.txt\n+new\n*** End Patch"
    replay(
        [sse.custom_tool_call("apply_patch", patch, "p1"), sse.completed()],
        text_reply("Done."),
        text_reply("Nothing is wrong."),
        text_reply("A summary."),
    )
    with AcpClient(workspace, *FULL, capabilities=EDITOR) as client:
        session = client.new_session()
        client.prompt(session)
        for command, text in (
            ("/diff", "+new"),
            ("/status", "danger-full-access"),
            ("/review the tests", "Nothing is wrong."),
            ("/undo", "undid changes to 1 file"),
        ):
            client.updates.clear()
            assert client.prompt(session, command) == "end_turn"
            assert text in client.text()
        assert not (workspace.directory / "b.txt").exists()
        assert client.prompt(session, "/compact") == "end_turn"
        (compacted,) = client.of_kind("compaction_update")
        assert "A summary." in str(compacted["summary"])


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ({"type": "audio", "data": "", "mimeType": "audio/wav"}, "audio is not supported"),
        ({"type": "image"}, "prompt.0"),
        ({"type": "smell"}, "prompt.0"),
        ({"text": "x"}, "prompt.0"),
        ("text", "prompt.0"),
    ],
)
def test_an_unsupported_block_is_named(
    workspace: Workspace, replay: Replay, block: Any, message: str
) -> None:
    replay(text_reply("Done."))
    with AcpClient(workspace) as client:
        session = client.new_session()
        with pytest.raises(RequestFailed, match=message) as failed:
            client.call("session/prompt", {"sessionId": session, "prompt": [block]})
        assert failed.value.code == -32602
        assert client.prompt(session) == "end_turn"
