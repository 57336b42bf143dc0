"""`McpClient`: one server, over stdio or HTTP."""

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import anyio
import mcp_types as types
from mcp.client.session import ClientSession
from mcp.shared.dispatcher import ProgressFnT
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, LATEST_HANDSHAKE_VERSION

from code_mcp_client.calls import Calls
from code_mcp_client.config import LARGE_RESPONSE_CAPACITY, McpClientConfig, resolve_capacity
from code_mcp_client.connect import (
    ClientCallbacks,
    Connect,
    Connection,
    open_session,
    stdio_connection,
)
from code_mcp_client.environment import server_environment
from code_mcp_client.errors import ClientClosed, McpClientError, ServerStartError
from code_mcp_client.large_values import off_the_loop_if_large
from code_mcp_client.launch import Confine, ServerCommand
from code_mcp_client.mending import mended_contents, mended_prompt, validated
from code_mcp_client.negotiation import EndedByProbe, Negotiation
from code_mcp_client.notifications import Notifications
from code_mcp_client.output_schemas import OutputSchemas
from code_mcp_client.owner import Owner
from code_mcp_client.sdk_errors import translated
from code_mcp_client.tool_results import tool_result

if TYPE_CHECKING:
    import httpx2


MOST_PAGES = 100
_MOST_LEFT_OUT = 100
_SPOKEN: dict[Hashable, str] = {}
"""The version to offer to servers of the handshake era, by identity, to avoid probing them again."""


class McpClient:
    """A client of one MCP server; create it with `stdio` or `http` and enter it.

    It can be opened and closed from any task, in any order relative to other clients. Results are
    the SDK's models (`mcp.types`). Every method that talks to the server raises
    `McpClientError`: see `code_mcp_client.errors`.

    Args:
        name: the server's name, for errors.
        connect: creates the connection.
        config: sizes and time limits.
        callbacks: answers the server's own requests.
        identity: identifies the server, to remember its era.
        process: whether the server is our child process, which ends with the connection.

    Attributes:
        left_out: a line for each listed tool that cannot be used, at most 100.
        tools_fresh_for: the seconds for which a modern server allows caching its list of tools.
    """

    def __init__(
        self,
        name: str,
        connect: Connect,
        config: McpClientConfig,
        callbacks: ClientCallbacks | None = None,
        *,
        identity: Hashable,
        process: bool,
    ) -> None:
        self._name = name
        self._connect = connect
        self._identity = identity
        self._process = process
        self._config = config
        self._callbacks = callbacks or ClientCallbacks()
        self._connection: Connection | None = None
        self._owner = self._new_owner()
        self._calls = Calls(self._open, self._relist, config.tool_timeout)
        self.left_out: list[str] = []
        self.tools_fresh_for: float | None = None
        self._initialized: types.InitializeResult | None = None
        self._output_schemas = OutputSchemas(lambda cursor: self.list_tools(cursor=cursor))

    @classmethod
    def stdio(
        cls,
        program: str | Path,
        args: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        *,
        config: McpClientConfig | None = None,
        buffer_capacity: int | str | None = None,
        env_vars: Iterable[str] = (),
        cwd: str | Path | None = None,
        callbacks: ClientCallbacks | None = None,
        confine: Confine | None = None,
    ) -> Self:
        """Create a client of a server that runs as a child process, started on entering.

        Args:
            program: a name to find on the server's PATH, or a path, relative to `cwd`.
            args: its arguments.
            env: variables to set for it, in addition to the allowlist of `server_environment`.
            config: sizes and time limits.
            buffer_capacity: overrides the one in `config`; also accepts `"1MiB"`.
            env_vars: names of variables of this process to pass on.
            cwd: the directory to run it in.
            callbacks: answers its requests.
            confine: starts it with restricted permissions.

        Raises:
            InvalidSetting: the buffer capacity is invalid; names where it was set.
        """
        config = config or McpClientConfig()
        command = ServerCommand(
            str(program),
            tuple(args),
            server_environment(env, env_vars),
            Path(cwd) if cwd is not None else None,
            confine,
        )
        capacity = resolve_capacity(buffer_capacity, config)
        connect = partial(stdio_connection, command, capacity, config.max_message_bytes)
        identity = (command.program, command.args, command.cwd)
        return cls(command.program, connect, config, callbacks, identity=identity, process=True)

    @classmethod
    def http(
        cls,
        url: str,
        *,
        config: McpClientConfig | None = None,
        headers: Mapping[str, str] | None = None,
        bearer_token_env_var: str | None = None,
        auth: "httpx2.Auth | None" = None,
        callbacks: ClientCallbacks | None = None,
    ) -> Self:
        """Create a client of a server over streamable HTTP; entering it sends nothing yet.

        Args:
            url: the server's endpoint.
            config: sizes and time limits; `buffer_capacity` is ignored.
            headers: sent with every request.
            bearer_token_env_var: the variable that holds the bearer token.
            auth: authentication, such as the SDK's `OAuthClientProvider`.
            callbacks: answers its requests.

        Raises:
            InvalidSetting: the variable is not set.
        """
        from code_mcp_client.http_connection import http_connection, request_headers

        config = config or McpClientConfig()
        sent = request_headers(headers, bearer_token_env_var)
        connect = partial(http_connection, url, sent, auth, config.max_message_bytes)
        return cls(url, connect, config, callbacks, identity=url, process=False)

    @classmethod
    async def new_stdio_client(
        cls, program: str | Path, args: Sequence[str] = (), env: Mapping[str, str] | None = None
    ) -> Self:
        """Start a stdio client with the default configuration; close it with `aclose`.

        Raises:
            ServerStartError: the server could not be started.
        """
        return await cls.new_stdio_client_with_config(program, args, env, McpClientConfig())

    @classmethod
    async def new_stdio_client_with_config(
        cls,
        program: str | Path,
        args: Sequence[str],
        env: Mapping[str, str] | None,
        config: McpClientConfig,
    ) -> Self:
        """Start a stdio client; close it with `aclose`.

        Raises:
            ServerStartError: the server could not be started.
        """
        return await cls.stdio(program, args, env, config=config).__aenter__()

    async def __aenter__(self) -> Self:
        seconds = self._config.startup_timeout
        try:
            with anyio.fail_after(seconds):
                self._connection = await self._owner.open()
                self._connection.dispatcher.left_out = self._leave_out
        except TimeoutError:
            raise ServerStartError(f"MCP server {self._name!r} did not start within {seconds} s") from None
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connection and wait up to about 6 s for the server to end.

        It can be called from any task, any number of times.
        """
        self._connection = None
        await self._owner.close()

    @property
    def session(self) -> ClientSession:
        """The SDK's session, for features without a method here: resources, prompts, completion.

        Raises:
            ClientClosed: the client is not open.
        """
        return self._open().session

    async def initialize(self) -> types.InitializeResult:
        """Negotiate the protocol version and capabilities. Call this first; further calls do nothing.

        The result has the form of the handshake in both eras.
        """
        if self._initialized is None:
            with translated("initialize"):
                self._initialized = await self._negotiate()
        return self._initialized

    @property
    def is_modern(self) -> bool:
        """Whether the server uses a revision of 2026-07-28 or later; False until `initialize` has returned."""
        return self._connection is not None and self._connection.dispatcher.era is not None

    async def ping(self, *, timeout: float | None = None) -> None:  # noqa: ASYNC109 - bounds the write as well, and tells the server
        """Wait until the server answers a ping."""
        await self.send_request("server/discover" if self.is_modern else "ping", timeout=timeout)

    async def list_tools(self, *, cursor: str | None = None) -> types.ListToolsResult:
        """Return one page of the server's tools: the first, or the one that `cursor` names.

        Defects of tools are repaired if their meaning is clear; `left_out` lists tools that cannot be used.
        """
        params = types.PaginatedRequestParams(cursor=cursor) if cursor is not None else None
        with translated("tools/list"):
            page = await self.session.list_tools(params=params)
        self._output_schemas.note(page.tools)
        if page.ttl_ms:
            self.tools_fresh_for = page.ttl_ms / 1000
        return page

    async def subscribe(self, kinds: Iterable[str] = ("tools",)) -> None:
        """Have a modern server announce changes of its `tools`, `prompts` or `resources`, until it stops."""
        wanted = {f"{kind}ListChanged": True for kind in kinds}
        await self.send_request("subscriptions/listen", {"notifications": wanted}, timeout=math.inf)

    async def call_tool(
        self,
        name: str,
        arguments: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - bounds the write as well, and tells the server
        progress: ProgressFnT | None = None,
        meta: Mapping[str, Any] | None = None,
    ) -> types.CallToolResult:
        """Call a tool.

        Args:
            name: the tool's name.
            arguments: the tool's arguments.
            timeout: seconds; None for the configured `tool_timeout`, `math.inf` for no limit.
            progress: called with `(progress, total, message)`.
            meta: sent as `_meta`.

        Raises:
            InvalidResult: the result is invalid, or does not match the tool's output schema.
        """
        params: dict[str, Any] = {"name": name}
        if arguments is not None:
            params["arguments"] = dict(arguments)
        if meta is not None:
            params["_meta"] = dict(meta)
        with translated("tools/call"):
            # The session would validate the result against two models and serialise it in between.
            raw = await self._calls.tool(params, timeout, progress)
            result = await off_the_loop_if_large(tool_result, raw)
            await self._output_schemas.check(self.session, name, result)
        return result

    async def read_resource(
        self,
        uri: str,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - bounds the write as well, and tells the server
    ) -> types.ReadResourceResult:
        """Return the contents of a resource."""
        with translated("resources/read"):
            raw = await self._calls.completed("resources/read", {"uri": uri}, timeout)
            mend = partial(mended_contents, uri=uri)
            return await off_the_loop_if_large(partial(validated, types.ReadResourceResult, mend), raw)

    async def get_prompt(
        self,
        name: str,
        arguments: Mapping[str, str] | None = None,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - bounds the write as well, and tells the server
    ) -> types.GetPromptResult:
        """Return a prompt of the server, with its arguments filled in."""
        params: dict[str, Any] = {"name": name} | (
            {} if arguments is None else {"arguments": dict(arguments)}
        )
        with translated("prompts/get"):
            raw = await self._calls.completed("prompts/get", params, timeout)
            return await off_the_loop_if_large(partial(validated, types.GetPromptResult, mended_prompt), raw)

    async def send_request(
        self,
        method: str,
        params: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - bounds the write as well, and tells the server
    ) -> dict[str, Any]:
        """Send any request and return its `result` object unchanged."""
        with translated(method):
            return await self._calls.request(method, params, timeout)

    async def send_notification(self, method: str, params: Mapping[str, Any] | None = None) -> None:
        """Send any notification."""
        await self._open().dispatcher.notify(method, params)

    def notifications(self) -> Notifications:
        """Iterate over the server's notifications from now on, in wire order."""
        return self._open().dispatcher.listen()

    async def _relist(self) -> None:
        page = await self.list_tools()
        for _ in range(MOST_PAGES):
            if page.next_cursor is None:
                return
            page = await self.list_tools(cursor=page.next_cursor)

    async def _negotiate(self) -> types.InitializeResult:
        version = self._config.protocol_version
        if version == "auto":
            version = _SPOKEN.get(self._identity, "auto")
        try:
            result = await self._negotiation().run(version)
        except EndedByProbe:
            await self._reopen()
            result = await self._negotiation().run(LATEST_HANDSHAKE_VERSION)
        if result.protocol_version in HANDSHAKE_PROTOCOL_VERSIONS:
            _SPOKEN[self._identity] = LATEST_HANDSHAKE_VERSION
        return result

    def _negotiation(self) -> Negotiation:
        connection = self._open()
        return Negotiation(
            connection.session,
            connection.dispatcher,
            self._callbacks.capabilities(),
            self._config.startup_timeout,
            hedged=self._process,
        )

    async def _reopen(self) -> None:
        with suppress(McpClientError):
            await self.aclose()
        self._owner = self._new_owner()
        await self.__aenter__()

    def _new_owner(self) -> Owner[Connection]:
        return Owner(partial(open_session, self._connect, self._callbacks, self._config.tool_timeout))

    def _leave_out(self, problem: str) -> None:
        if problem not in self.left_out and len(self.left_out) < _MOST_LEFT_OUT:
            self.left_out.append(problem)

    def _open(self) -> Connection:
        if self._connection is None:
            raise ClientClosed(f"the client of MCP server {self._name!r} is not open")
        return self._connection


async def create_large_response_client(
    program: str | Path, args: Sequence[str] = (), env: Mapping[str, str] | None = None
) -> McpClient:
    """Start a stdio client with a buffer of 1 MiB; close it with `aclose`.

    Raises:
        ServerStartError: the server could not be started.
    """
    config = McpClientConfig(buffer_capacity=LARGE_RESPONSE_CAPACITY)
    return await McpClient.new_stdio_client_with_config(program, args, env, config)
