"""The arguments of the tools, from which their JSON Schemas are generated."""

from pathlib import Path
from typing import Any, TypeVar

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from code_core.acp.content import ContentBlock
from code_core.config.load import ConfigOverrides
from code_core.config.schema.servers import McpServerTable
from code_core.protocol.policies import AskForApproval, CollaborationMode, SandboxMode
from code_core.session.parts import Parts
from code_mcp_server.errors import InvalidArguments

_MODE = (
    "`plan` turns plan mode on: the agent changes nothing and proposes a plan. `default` turns it off: the "
    "agent may carry out its plan. Without a value, the mode stays as it is."
)


class ToolArguments(BaseModel):
    """The base of all arguments: fields may be given by wire name or Python name."""

    model_config = ConfigDict(populate_by_name=True, frozen=True)


class CodexArguments(ToolArguments):
    """Arguments of `codex`."""

    prompt: str = Field(min_length=1, description="What the agent should do.")
    model: str | None = Field(None, description="The model to use.")
    profile: str | None = Field(None, description="A profile in the settings file.")
    cwd: Path | None = Field(None, description="The directory to work in; the server's own if absent.")
    approval_policy: AskForApproval | None = Field(
        None, alias="approval-policy", description="When to ask before running a command or changing a file."
    )
    sandbox: SandboxMode | None = Field(None, description="What commands and changes may touch.")
    config: dict[str, Any] | None = Field(
        None, description="Settings by dotted key; they override the settings file."
    )
    base_instructions: str | None = Field(
        None, alias="base-instructions", description="Instructions that replace the built-in ones."
    )
    include_plan_tool: bool | None = Field(
        None,
        alias="include-plan-tool",
        description="Accepted for compatibility: the plan tool is always available.",
    )

    def overrides(self) -> ConfigOverrides:
        """Return the settings that these arguments request."""
        return ConfigOverrides(
            model=self.model,
            profile=self.profile,
            cwd=self.cwd,
            approval_policy=self.approval_policy,
            sandbox_mode=self.sandbox,
            base_instructions=self.base_instructions,
            client=tuple((self.config or {}).items()),
        )


class CodexReplyArguments(ToolArguments):
    """Arguments of `codex-reply`."""

    conversation_id: str = Field(
        alias="conversationId",
        validation_alias=AliasChoices("conversationId", "sessionId", "threadId", "conversation_id"),
        description="The conversation to continue.",
    )
    prompt: str = Field(min_length=1, description="What the agent should do next.")
    collaboration_mode: CollaborationMode | None = Field(None, alias="collaboration-mode", description=_MODE)


class NewSessionArguments(ToolArguments):
    """Arguments of `session/new`."""

    cwd: Path = Field(description="The directory to work in, absolute.")
    client_tools: dict[str, Any] | None = Field(
        None,
        alias="clientTools",
        description="Tools of configured MCP servers that the agent itself uses: "
        "`requestPermission`, `readTextFile` and `writeTextFile`, each with `mcpServer` and `toolName`.",
    )

    mcp_servers: list[Any] = Field(
        default=[],
        alias="mcpServers",
        description="MCP servers for this session in addition to the configured ones, as the Agent Client Protocol "
        "describes them; one with the name of a configured server replaces it.",
    )

    def parts(self) -> Parts:
        """Return the parts of the session besides its settings.

        Raises:
            InvalidArguments: the description of a server is invalid.
        """
        return Parts(source="mcp", mcp_servers=dict(map(_server, self.mcp_servers)))

    def overrides(self) -> ConfigOverrides:
        """Return the settings that these arguments request."""
        client = (("experimental_client_tools", self.client_tools),) if self.client_tools else ()
        return ConfigOverrides(cwd=self.cwd, client=client)


class PromptArguments(ToolArguments):
    """Arguments of `session/prompt`."""

    session_id: str = Field(alias="sessionId", description="The session that `session/new` returned.")
    prompt: list[ContentBlock] = Field(min_length=1, description="The prompt, as content blocks.")
    collaboration_mode: CollaborationMode | None = Field(None, alias="collaborationMode", description=_MODE)


class CancelArguments(ToolArguments):
    """Arguments of `session/cancel`."""

    session_id: str = Field(alias="sessionId", description="The session whose turn to stop.")


class SetModelArguments(ToolArguments):
    """Arguments of `session/set_model`."""

    session_id: str = Field(alias="sessionId", description="The session that `session/new` returned.")
    model_id: str = Field(alias="modelId", min_length=1, description="The model for the next prompts.")


def _server(given: Any) -> tuple[str, McpServerTable]:
    """A server in the Agent Client Protocol's form: a program unless its `type` is `http`."""
    match given:
        case {"name": str(name), "command": str(command)} if given.get("type", "stdio") == "stdio":
            table = {"command": command, "args": given.get("args", []), "env": _pairs(given.get("env"))}
        case {"name": str(name), "url": str(url), "type": "http"}:
            table = {"url": url, "http_headers": _pairs(given.get("headers"))}
        case _:
            raise InvalidArguments("mcpServers: each needs name and command, or type http, name and url")
    try:
        return name, McpServerTable.model_validate(table)
    except ValidationError as error:
        raise InvalidArguments(f"mcpServers: {name[:100]}: {_problems(error)}") from None


def _pairs(given: Any) -> dict[str, Any]:
    """Convert `[{name, value}]` to a dictionary, ignoring malformed entries."""
    return {
        one["name"]: one["value"]
        for one in (given if isinstance(given, list) else ())
        if isinstance(one, dict) and isinstance(one.get("name"), str) and "value" in one
    }


ArgumentsT = TypeVar("ArgumentsT", bound=ToolArguments)


def parse(model: type[ArgumentsT], arguments: dict[str, Any] | None) -> ArgumentsT:
    """Parse the arguments as `model`.

    Raises:
        InvalidArguments: names each invalid argument and what it should be.
    """
    try:
        return model.model_validate(arguments or {})
    except ValidationError as error:
        raise InvalidArguments(f"invalid arguments: {_problems(error)}") from None


def _problems(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(str(part) for part in problem['loc']) or 'arguments'}: {problem['msg']}"
        for problem in error.errors(include_url=False, include_input=False)[:5]
    )
