import base64
from pathlib import Path
from typing import Any

import pytest

from code_core.acp.capabilities import NOTHING_DECLARED, ClientCapabilities
from code_core.acp.content import (
    ContentBlock,
    EmbeddedResource,
    ImageBlock,
    ResourceLink,
    TextBlock,
    input_items,
)
from code_core.acp.updates import UpdateTranslator
from code_core.protocol.agent_events import AgentMessage, AgentMessageDelta, AgentReasoning
from code_core.protocol.duration import Duration
from code_core.protocol.events import (
    EventMsg,
    ExecCommandBegin,
    ExecCommandEnd,
    ExecCommandOutputDelta,
    PatchApplyBegin,
    PatchApplyEnd,
    PlanStep,
    PlanUpdate,
    TaskStarted,
    WebSearchBegin,
    WebSearchComplete,
)
from code_core.protocol.file_changes import (
    AddBody,
    AddChange,
    DeleteBody,
    DeleteChange,
    UpdateBody,
    UpdateChange,
)
from code_core.protocol.ops import ImageInput, TextInput
from code_core.view.titles import command_title
from support.acp_schema import check


def updates(*events: EventMsg, client: ClientCapabilities = NOTHING_DECLARED) -> list[dict[str, Any]]:
    translator = UpdateTranslator(client)
    given = [update for event in events for update in translator.updates(event)]
    for update in given:
        check("SessionUpdate", update)
    return given


def chunk(kind: str, text: str, message_id: str = "message-1") -> dict[str, Any]:
    return {"sessionUpdate": kind, "content": {"type": "text", "text": text}, "messageId": message_id}


def test_a_message_is_sent_once_whether_streamed_or_not() -> None:
    assert updates(
        AgentMessageDelta(delta="He"), AgentMessageDelta(delta="llo"), AgentMessage(message="Hello")
    ) == [
        chunk("agent_message_chunk", "He"),
        chunk("agent_message_chunk", "llo"),
    ]
    assert updates(AgentMessage(message="Hello")) == [chunk("agent_message_chunk", "Hello")]
    assert updates(AgentReasoning(text="Hm")) == [chunk("agent_thought_chunk", "Hm")]
    assert updates(AgentMessageDelta(delta="cut"), TaskStarted(), AgentMessage(message="whole"))[1:] == [
        chunk("agent_message_chunk", "whole", "message-2")
    ]


def begin() -> ExecCommandBegin:
    return ExecCommandBegin(call_id="c", command=["bash", "-lc", "ls"], cwd=Path("/w"))


def delta(data: bytes) -> ExecCommandOutputDelta:
    return ExecCommandOutputDelta(call_id="c", stream="stdout", chunk=base64.b64encode(data).decode())


def test_a_command_is_a_tool_call_whose_output_grows() -> None:
    end = ExecCommandEnd(call_id="c", stdout="é\n", stderr="bad\n", exit_code=1, duration=Duration.of(1))
    first, *middle, last = updates(begin(), delta(b"\xc3"), delta(b"\xa9\n"), end)
    assert first == {
        "sessionUpdate": "tool_call",
        "toolCallId": "c",
        "title": "`ls`",
        "kind": "execute",
        "name": "shell",
        "status": "in_progress",
        "rawInput": {"command": ["bash", "-lc", "ls"], "cwd": "/w"},
    }
    assert [update["content"][0]["content"]["text"] for update in middle] == ["```\né\n\n```"]
    assert (last["status"], last["rawOutput"]["exit_code"]) == ("failed", 1)
    assert last["content"][0]["content"]["text"] == "```\né\nbad\n```"


def shown(update: dict[str, Any]) -> str:
    text = update["content"][0]["content"]["text"]
    assert isinstance(text, str)
    return text


def test_long_output_is_not_sent_repeatedly() -> None:
    sent = updates(begin(), *(delta(b"x" * 1024) for _ in range(1000)))[1:]
    assert sum(map(len, map(shown, sent))) < 6 * 66 * 1024
    sent = updates(begin(), *(delta(b"x") for _ in range(10_000)))[1:]
    assert sum(map(len, map(shown, sent))) < 2 * 10_000


def test_withheld_output_can_be_requested() -> None:
    translator = UpdateTranslator(NOTHING_DECLARED)
    translator.updates(begin())
    (first,) = translator.updates(delta(b"Serving on"))
    assert shown(first) == "```\nServing on\n```"
    assert translator.withheld() == []
    assert translator.updates(delta(b" port 80\n")) == []
    (rest,) = translator.withheld()
    check("SessionUpdate", rest)
    assert (rest["toolCallId"], shown(rest)) == ("c", "```\nServing on port 80\n\n```")
    assert translator.withheld() == []


def test_no_output_is_withheld_after_the_end_of_a_command() -> None:
    translator = UpdateTranslator(NOTHING_DECLARED)
    end = ExecCommandEnd(call_id="c", stdout="ab", stderr="", exit_code=0, duration=Duration.of(1))
    events: list[EventMsg] = [begin(), delta(b"a"), delta(b"b"), end]
    for event in events:
        translator.updates(event)
    assert not translator.withholds
    assert translator.withheld() == []


def test_a_terminal_gets_all_output_immediately() -> None:
    translator = UpdateTranslator(ClientCapabilities(terminal_output=True))
    for event in (begin(), delta(b"Serving on"), delta(b" port 80\n")):
        assert translator.updates(event)
    assert not translator.withholds


def test_growing_text_shows_the_newest_output() -> None:
    translator = UpdateTranslator(NOTHING_DECLARED)
    events: list[EventMsg] = [begin(), *[delta(b"x" * 1024)] * 100, delta(b"the newest")]
    for event in events:
        translator.updates(event)
    (update,) = translator.withheld()
    assert shown(update).startswith("```\n[earlier output is not shown]\nxxx")
    assert shown(update).endswith("xthe newest\n```")
    assert len(shown(update)) < 65 * 1024


@pytest.mark.parametrize(
    ("changes", "kind", "title"),
    [
        ({"/w/a": AddChange(add=AddBody(content="x\n"))}, "edit", "Edit `a`"),
        ({"/w/a": DeleteChange(delete=DeleteBody(content="x\n"))}, "delete", "Delete `a`"),
        (
            {"/w/a": UpdateChange(update=UpdateBody(unified_diff="", move_path=Path("/w/b")))},
            "move",
            "Move `a`",
        ),
        (
            {f"/w/{n}": AddChange(add=AddBody(content="")) for n in "abcde"},
            "edit",
            "Edit `a`, `b`, `c` and 2 more",
        ),
    ],
)
def test_a_patch_has_its_kind_title_and_locations(changes: dict[str, Any], kind: str, title: str) -> None:
    (update,) = updates(PatchApplyBegin(call_id="p", auto_approved=True, changes=changes))
    assert (update["kind"], update["title"]) == (kind, title)
    targets = ["/w/b"] if kind == "move" else []
    assert update["locations"] == [{"path": path} for path in (*changes, *targets)]


def test_an_update_is_one_diff_per_hunk() -> None:
    diff = "@@ -1,2 +1,2 @@\n a\n-b\n+c\n@@ -9 +9 @@\n--x\n++y\n"
    change = {"/w/a": UpdateChange(update=UpdateBody(unified_diff=diff))}
    (update,) = updates(PatchApplyBegin(call_id="p", auto_approved=True, changes=change))
    assert update["content"] == [
        {"type": "diff", "path": "/w/a", "oldText": "a\nb\n", "newText": "a\nc\n"},
        {"type": "diff", "path": "/w/a", "oldText": "-x\n", "newText": "+y\n"},
    ]


def test_the_end_of_a_patch() -> None:
    (good,) = updates(PatchApplyEnd(call_id="p", stdout="ok", stderr="", success=True))
    (bad,) = updates(PatchApplyEnd(call_id="p", stdout="", stderr="no space", success=False))
    assert (good["status"], bad["status"]) == ("completed", "failed")
    assert bad["content"][0]["content"]["text"] == "no space"


def test_plans_and_searches() -> None:
    plan, start, end = updates(
        PlanUpdate(plan=[PlanStep(step="look", status="in_progress")]),
        WebSearchBegin(call_id="w"),
        WebSearchComplete(call_id="w", query="python"),
    )
    assert plan["entries"] == [{"content": "look", "priority": "medium", "status": "in_progress"}]
    assert (start["kind"], end["title"]) == ("fetch", "Searched the web: python")


@pytest.mark.parametrize(
    ("command", "title"),
    [
        (["ls", "a b"], "`ls 'a b'`"),
        (["/bin/bash", "-lc", "ls | wc"], "`ls | wc`"),
        (["echo", "`x`"], "``echo '`x`'``"),
        (["bash", "-c", "`x`"], "`` `x` ``"),
    ],
)
def test_a_command_that_contains_backticks_is_shown_in_more_of_them(command: list[str], title: str) -> None:
    assert command_title(command) == title


def test_prompt_blocks_become_input() -> None:
    blocks: list[ContentBlock] = [
        TextBlock(text="hi"),
        ImageBlock(data="aGk=", mimeType="image/png"),
        ResourceLink(uri="file:///a%20b.py", name="b"),
        EmbeddedResource(resource={"uri": "file:///x.py", "text": "code"}),
        EmbeddedResource(resource={"uri": "file:///x.bin", "blob": "AA=="}),
        EmbeddedResource(resource={"uri": "file:///x.png", "blob": "AA==", "mimeType": "image/png"}),
        EmbeddedResource(resource={"uri": "file:///x.pdf", "blob": "AA==", "mimeType": "application/pdf"}),
        EmbeddedResource(resource={"uri": "file:///y.png", "blob": "AA==", "mimeType": "image/png;x,y"}),
    ]
    assert input_items(blocks) == [
        TextInput(text="hi"),
        ImageInput(image_url="data:image/png;base64,aGk="),
        TextInput(text="[b](/a b.py)"),
        TextInput(text='<resource path="/x.py">\ncode\n</resource>'),
        TextInput(text="[/x.bin: binary content that cannot be read here]"),
        ImageInput(image_url="data:image/png;base64,AA=="),
        TextInput(text="[/x.pdf: binary content that cannot be read here]"),
        TextInput(text="[/y.png: binary content that cannot be read here]"),
    ]
