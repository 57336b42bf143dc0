"""Calls in the wrong form, or with invalid arguments."""

import anyio
import pytest

from code_core.files.local import LocalFileSystem
from code_core.protocol.events import PlanUpdate
from code_core.protocol.items import CustomToolCall, FunctionCall, LocalShellAction, LocalShellCall, ToolCall
from code_core.tools.apply_patch import ApplyPatch
from code_core.tools.exec_command import ExecCommand, WriteStdin
from code_core.tools.plan import UpdatePlan
from code_core.tools.request_user_input import NOBODY, AskUser
from code_core.tools.shell import Shell
from code_core.tools.tool import Tool, ToolContext
from code_core.tools.tool_search import ToolSearch
from code_core.tools.view_image import ViewImage
from code_core.tools.web_search import WebSearch

PATCHES = ApplyPatch(LocalFileSystem())
SHELL = Shell(PATCHES)
EXEC_COMMAND = ExecCommand(SHELL)
TEXT = CustomToolCall(name="x", input="text", call_id="c1")
LOCAL = LocalShellCall(call_id="c1", action=LocalShellAction(command=["ls"]))
NOTHING = FunctionCall(name="x", arguments="{}", call_id="c1")


@pytest.mark.parametrize(
    ("tool", "call", "answer"),
    [
        (SHELL, TEXT, "shell takes JSON arguments"),
        (EXEC_COMMAND, TEXT, "exec_command takes JSON arguments"),
        (WriteStdin(EXEC_COMMAND), TEXT, "write_stdin takes JSON arguments"),
        (UpdatePlan(), TEXT, "update_plan takes JSON arguments"),
        (ViewImage(), TEXT, "view_image takes JSON arguments"),
        (ToolSearch({}, {}), TEXT, "search_tools takes JSON arguments"),
        (AskUser(), TEXT, "request_user_input takes JSON arguments"),
        (PATCHES, LOCAL, "apply_patch takes a patch"),
        (SHELL, NOTHING, "failed to parse function arguments: command: Field required"),
        (EXEC_COMMAND, NOTHING, "failed to parse function arguments: cmd: Field required"),
        (
            WriteStdin(EXEC_COMMAND),
            NOTHING,
            "failed to parse function arguments: session_id: Field required",
        ),
        (UpdatePlan(), NOTHING, "failed to parse function arguments: plan: Field required"),
        (ViewImage(), NOTHING, "failed to parse function arguments: path: Field required"),
        (ToolSearch({}, {}), NOTHING, "failed to parse function arguments: query: Field required"),
        (AskUser(), NOTHING, NOBODY),
        (
            WebSearch(),
            NOTHING,
            "web_search is run by the provider: it cannot be called as a function",
        ),
    ],
)
def test_an_invalid_call_is_answered(
    tool: Tool, call: ToolCall, answer: str, tool_context: ToolContext
) -> None:
    output = anyio.run(tool.call, call, tool_context)
    assert (output.success, output.text) == (False, answer)


def test_a_plan_is_emitted_as_an_event(tool_context: ToolContext, emitted: object) -> None:
    arguments = '{"name": "N", "explanation": "why", "plan": [{"step": "look", "status": "pending"}]}'
    call = FunctionCall(name="update_plan", arguments=arguments, call_id="c1")
    output = anyio.run(UpdatePlan().call, call, tool_context)
    assert (output.success, output.text) == (True, "Plan updated")
    (event,) = emitted.events  # type: ignore[attr-defined]  # see the fixture
    assert isinstance(event, PlanUpdate)
    assert (event.name, event.explanation) == ("N", "why")
    assert [(step.step, step.status) for step in event.plan] == [("look", "pending")]
