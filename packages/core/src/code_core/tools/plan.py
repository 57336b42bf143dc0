"""`update_plan`: the model shows its plan."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from code_core.protocol.events import PlanStep, PlanUpdate
from code_core.protocol.items import FunctionCall, ToolCall
from code_core.tools.arguments import BadArguments, parse_arguments
from code_core.tools.tool import ToolContext, ToolOutput
from code_core.wire.tool_specs import FunctionSpec

REFUSED_WHILE_PLANNING = (
    "update_plan is refused: it tracks the steps of work, which begins once the user has accepted a plan. "
    "Plan mode is on: propose the plan between the lines <proposed_plan> and </proposed_plan>"
)


class _Step(BaseModel):
    model_config = ConfigDict(extra="forbid", defer_build=True)

    step: str
    status: Literal["pending", "in_progress", "completed"]


class _Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid", defer_build=True)

    name: str | None = None
    explanation: str | None = None
    plan: list[_Step]


class UpdatePlan:
    """Emits the plan as an event; changes nothing else."""

    name = "update_plan"
    parallel_safe = True

    def spec(self) -> FunctionSpec:
        """See `Tool.spec`."""
        return FunctionSpec(
            self.name,
            (
                "Show the user your plan, and update it as steps are done. "
                "Send all steps each time, with at most one in progress."
            ),
            {
                "type": "object",
                "properties": {
                    "explanation": {"type": "string"},
                    "plan": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "properties": {
                                "step": {"type": "string"},
                                "status": {"type": "string", "enum": ["pending", "in_progress", "completed"]},
                            },
                            "required": ["step", "status"],
                        },
                    },
                },
                "required": ["plan"],
            },
        )

    async def call(self, call: ToolCall, context: ToolContext) -> ToolOutput:
        """See `Tool.call`."""
        if not isinstance(call, FunctionCall):
            return ToolOutput("update_plan takes JSON arguments", success=False)
        try:
            arguments = parse_arguments(_Arguments, call.arguments)
        except BadArguments as error:
            return ToolOutput(str(error), success=False)
        if context.planning:
            return ToolOutput(REFUSED_WHILE_PLANNING, success=False)
        steps = [PlanStep(step=step.step, status=step.status) for step in arguments.plan]
        await context.emit(PlanUpdate(name=arguments.name, explanation=arguments.explanation, plan=steps))
        return ToolOutput("Plan updated")
