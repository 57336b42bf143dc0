"""Settings for MCP servers, and for those of their tools that the agent itself uses."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AliasChoices, BeforeValidator, Field, SecretStr, model_validator

from code_core.config.schema.base import SettingsTable, Value

_OF_COMMAND: tuple[str, ...] = ("args", "env", "env_vars", "cwd", "sandbox", "network_access")
_OF_URL: tuple[str, ...] = ("bearer_token_env_var", "bearer_token", "http_headers")


def _name_of(variable: Any) -> Any:
    """Return the name of a variable, which newer Codex versions write in a table with its `source`."""
    return variable["name"] if isinstance(variable, dict) and "name" in variable else variable


Variable = Annotated[str, BeforeValidator(_name_of)]


class McpServerTable(SettingsTable):
    """`[mcp_servers.NAME]`: a server as a program (`command`) or over HTTP (`url`)."""

    command: str | None = Field(None, description="the program to start")
    args: list[str] = Field([], description="its arguments")
    env: dict[str, Value] = Field({}, description="variables to set for the server")
    env_vars: list[Variable] = Field([], description="names of variables to pass on to the server")
    cwd: Path | None = Field(None, description="the directory to start in; a private one if absent")
    sandbox: bool = Field(False, description="confine the server like a command")
    network_access: bool = Field(False, description="give the confined server network access")
    url: str | None = Field(None, description="the endpoint of an HTTP server, instead of `command`")
    bearer_token_env_var: str | None = Field(None, description="the variable that holds the token for `url`")
    bearer_token: SecretStr | None = Field(None, description="the token itself; a variable is safer")
    http_headers: dict[str, Value] = Field({}, description="headers for `url`")
    enabled: bool = Field(True, description="whether to start the server")
    required: bool = Field(
        False, description="end turns with an error if the server fails; otherwise only warn"
    )
    roots: list[Path] | None = Field(
        None,
        description="directories that the server may work on (MCP roots); if absent, the directories in `args` or else the working directory",
    )
    enabled_tools: list[str] | None = Field(
        None, description="show the model only these tools; all if absent"
    )
    disabled_tools: list[str] = Field([], description="tools to hide from the model")
    startup_timeout_sec: float = Field(
        10.0, gt=0, description="how many seconds the server may take to start"
    )
    startup_timeout_ms: float | None = Field(
        None, gt=0, description="the same in milliseconds, for older files"
    )
    tool_timeout_sec: float = Field(60.0, gt=0, description="how many seconds a call may take")
    buffer_capacity: int | str | None = Field(
        None, description="bytes per read of the server's output, such as `1MiB`"
    )

    @property
    def startup_timeout(self) -> float:
        """How many seconds the server may take to start."""
        if self.startup_timeout_ms is None or "startup_timeout_sec" in self.model_fields_set:
            return self.startup_timeout_sec
        return self.startup_timeout_ms / 1000

    @model_validator(mode="after")
    def _one_transport(self) -> Self:
        """Raises: ValueError: keys of both transports, or of neither."""
        match self.command, self.url:
            case None, None if self.enabled:
                raise ValueError("set command or url")
            case str(), None:
                transport, foreign = "command", _OF_URL
            case None, str():
                transport, foreign = "url", _OF_COMMAND
            case str(), str():
                raise ValueError("command and url are both set: a server has one or the other")
            case _:
                return self
        if odd := next((key for key in foreign if key in self.model_fields_set), None):
            raise ValueError(
                f"{transport} and {odd} are both set: {odd} is for servers with the other transport"
            )
        return self


class ClientToolTable(SettingsTable):
    """One tool of `[experimental_client_tools]`: a tool of a configured MCP server that serves the agent itself."""

    mcp_server: str = Field(
        validation_alias=AliasChoices("mcp_server", "mcpServer"),
        description="the name of a configured server",
    )
    tool_name: str = Field(
        validation_alias=AliasChoices("tool_name", "toolName"), description="the name of its tool"
    )


class ClientToolsTable(SettingsTable):
    """`[experimental_client_tools]`: MCP tools that the agent itself calls; the model does not see them."""

    request_permission: ClientToolTable | None = Field(
        None,
        validation_alias=AliasChoices("request_permission", "requestPermission"),
        description="a tool of a configured server that answers approval requests",
    )
    read_text_file: ClientToolTable | None = Field(
        None,
        validation_alias=AliasChoices("read_text_file", "readTextFile"),
        description="a tool of a configured server that reads the files that patches change",
    )
    write_text_file: ClientToolTable | None = Field(
        None,
        validation_alias=AliasChoices("write_text_file", "writeTextFile"),
        description="a tool of a configured server that writes the files that patches change",
    )


class AcpTable(SettingsTable):
    """`[acp]`: whether the `session/*` tools are listed."""

    enabled: Literal["auto"] | bool = Field(
        "auto",
        description="list the `session/*` tools; `auto`: for clients that declare the capability `acp`",
    )
