"""`web_search`: declared here, but run by the provider, which reports it in its stream."""

from code_core.protocol.items import ToolCall
from code_core.tools.tool import ToolContext, ToolOutput
from code_core.wire.tool_specs import WebSearchSpec


class WebSearch:
    """The provider's own search; not declared over Chat Completions, which lacks such a tool."""

    name = "web_search"
    parallel_safe = True

    def __init__(self, allowed_domains: tuple[str, ...] = ()) -> None:
        self._allowed_domains = allowed_domains

    def spec(self) -> WebSearchSpec:
        """See `Tool.spec`."""
        return WebSearchSpec(allowed_domains=self._allowed_domains)

    async def call(self, call: ToolCall, context: ToolContext) -> ToolOutput:
        """See `Tool.call`."""
        del call, context
        return ToolOutput(
            "web_search is run by the provider: it cannot be called as a function", success=False
        )
