import anyio
import pytest

from code_core.protocol.items import FunctionCall, ToolCall
from code_core.tools.registry import ToolRegistry
from code_core.tools.tool import ToolContext, ToolOutput, TurnAbandoned
from code_core.wire.tool_specs import FunctionSpec, ToolSpec


class Raising:
    """A tool with a defect, or one whose user has had enough."""

    name = "odd"
    parallel_safe = False

    def __init__(self, error: Exception) -> None:
        self._error = error

    def spec(self) -> ToolSpec:
        return FunctionSpec(self.name, "", {})

    async def call(self, _: ToolCall, __: ToolContext) -> ToolOutput:
        raise self._error


def call(error: Exception, context: ToolContext) -> ToolOutput:
    registry = ToolRegistry([Raising(error)])
    return anyio.run(registry.call, FunctionCall(name="odd", arguments="{}", call_id="c"), context)


def test_a_defect_of_a_tool_is_an_answer_to_the_model(tool_context: ToolContext) -> None:
    output = call(ValueError("embedded null byte"), tool_context)
    assert output == ToolOutput("odd failed: ValueError: embedded null byte", success=False)


def test_the_users_abort_passes(tool_context: ToolContext) -> None:
    with pytest.raises(TurnAbandoned):
        call(TurnAbandoned(), tool_context)


def test_a_call_that_fits_no_tool_is_answered(tool_context: ToolContext) -> None:
    nothing = FunctionCall(name="nothing", arguments="{}", call_id="c")
    output = anyio.run(ToolRegistry([]).call, nothing, tool_context)
    assert output == ToolOutput("unsupported call: nothing", success=False)
