"""`view_image`: shows the model an image file."""

import anyio.to_thread
from pydantic import BaseModel, ConfigDict, Field

from code_core.protocol.items import FunctionCall, ToolCall
from code_core.tools.arguments import BadArguments, parse_arguments
from code_core.tools.tool import ToolContext, ToolOutput
from code_core.wire.tool_specs import FunctionSpec


class _Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid", defer_build=True)

    path: str = Field(min_length=1)


class ViewImage:
    """Reads an image and passes it to the model; changes nothing."""

    name = "view_image"
    parallel_safe = True

    def spec(self) -> FunctionSpec:
        """See `Tool.spec`."""
        schema = {
            "type": "object",
            "properties": {"path": {"type": "string"}},
            "required": ["path"],
        }
        return FunctionSpec(self.name, "Look at an image file.", schema)

    async def call(self, call: ToolCall, context: ToolContext) -> ToolOutput:
        """See `Tool.call`."""
        from code_core.context.user_input import local_image  # rarely used
        from code_core.wire.images import NotAnImage

        if not isinstance(call, FunctionCall):
            return ToolOutput("view_image takes JSON arguments", success=False)
        try:
            arguments = parse_arguments(_Arguments, call.arguments)
            url = await anyio.to_thread.run_sync(local_image, context.cwd / arguments.path)
        except (BadArguments, NotAnImage) as error:
            return ToolOutput(str(error), success=False)
        return ToolOutput(f"The image {arguments.path}:", images=(url,), fingerprint=url)
