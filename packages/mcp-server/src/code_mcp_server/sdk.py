"""The tools as a server of the official SDK, for its transports: streamable HTTP.

The SDK handles the protocol of both eras; tools and questions behave as over stdio. `logging/setLevel` is not
supported, because it is deprecated.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, get_args

from mcp.server.caching import CacheHint
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from mcp.shared.message import ServerMessageMetadata
from mcp_types import CallToolRequestParams, ListToolsResult, PaginatedRequestParams
from mcp_types import Notification as SdkNotification
from mcp_types import NotificationParams as SdkNotificationParams
from mcp_types import Request as SdkRequest
from mcp_types import RequestParams as SdkRequestParams
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import BaseModel, ConfigDict, ValidationError

from code_mcp_server.dialogue import INSTRUCTIONS, LIST_SECONDS, SERVER_INFO, Caller, TaskMethod, Tools
from code_mcp_server.eras import LOG_LEVEL_KEY, LOG_LEVELS, TASKS, abilities_of
from code_mcp_server.jsonrpc import Code, Notification, RpcError


class _AnyNotification(SdkNotification[dict[str, Any], str]):
    """A notification unknown to the SDK."""


class _AnyRequest(SdkRequest[dict[str, Any], str]):
    """A request whose parameters keep their extra members."""


class _AnyResult(BaseModel):
    """An unvalidated result."""

    model_config = ConfigDict(extra="allow")


class _AnyParams(SdkNotificationParams):
    """Unvalidated parameters."""

    model_config = ConfigDict(extra="allow")


class _AnyRequestParams(SdkRequestParams):
    """Unvalidated parameters."""

    model_config = ConfigDict(extra="allow")


def sdk_server(tools: Awaitable[Tools]) -> "Server[Any]":
    """Return an SDK server with these tools."""

    async def list_tools(
        context: ServerRequestContext[Any], params: PaginatedRequestParams | None
    ) -> ListToolsResult:
        del params
        listed = await (await tools).list_tools(_caller(context))
        return ListToolsResult.model_validate(listed, by_name=False)

    async def call_tool(context: ServerRequestContext[Any], params: CallToolRequestParams) -> Any:
        del params  # the SDK's model drops members
        caller = _caller(context)
        try:
            result = await (await tools).call_tool(caller, context.params or {})
        except RpcError as error:
            raise MCPError(error.code, str(error), error.data) from None
        return {"resultType": "complete", **result} if caller.modern else result

    def task_handler(method: TaskMethod) -> Callable[..., Awaitable[Any]]:
        async def handle(context: ServerRequestContext[Any], params: _AnyRequestParams) -> Any:
            caller = _caller(context)
            if not caller.modern:
                raise MCPError(Code.METHOD_NOT_FOUND, f"method not found: {method}")
            _check_routing(context, params)
            try:
                result = await (await tools).task(caller, method, context.params or {})
            except RpcError as error:
                raise MCPError(error.code, str(error), error.data) from None
            return {"resultType": "complete", **result}

        return handle

    async def on_cancel(context: ServerRequestContext[Any], params: _AnyParams) -> None:
        del context
        await (await tools).notice(Notification("session/cancel", params.model_dump(by_alias=True)))

    server: Server[Any] = Server(
        SERVER_INFO["name"],
        version=SERVER_INFO["version"],
        title=SERVER_INFO["title"],
        instructions=INSTRUCTIONS,
        cache_hints={"tools/list": CacheHint(LIST_SECONDS * 1000, "private")},
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )
    server.extensions = {TASKS: {}}
    for method in get_args(TaskMethod):
        server.add_request_handler(method, _AnyRequestParams, task_handler(method))
    server.add_notification_handler("session/cancel", _AnyParams, on_cancel)
    return server


def _check_routing(context: ServerRequestContext[Any], params: _AnyRequestParams) -> None:
    """Check that a request about a task names it in a header, so that proxies can route it.

    Raises:
        MCPError: the header is missing or names another task.
    """
    headers = getattr(context.request, "headers", {})
    task_id = (params.model_extra or {}).get("taskId")
    if headers.get("mcp-name") != task_id:
        raise MCPError(Code.HEADER_MISMATCH, "the header Mcp-Name must be the taskId of the request")


class _RequestChannel:
    """Sends messages to the client on the stream of its own request."""

    def __init__(self, context: ServerRequestContext[Any]) -> None:
        self._session = context.session
        self._request_id = context.request_id

    async def notify(self, method: str, params: Mapping[str, Any]) -> None:
        """See `BackChannel.notify`."""
        notification: Any = _AnyNotification(method=method, params=dict(params))
        await self._session.send_notification(notification, self._request_id)

    async def ask(self, method: str, params: Mapping[str, Any]) -> dict[str, Any] | None:
        """See `BackChannel.ask`."""
        request: Any = _AnyRequest(method=method, params=dict(params))
        metadata = ServerMessageMetadata(related_request_id=self._request_id)
        try:
            result = await self._session.send_request(request, _AnyResult, metadata=metadata)
        except (MCPError, ValidationError):
            return None
        return result.model_dump(by_alias=True)


def _caller(context: ServerRequestContext[Any]) -> Caller:
    declared = context.session.client_capabilities
    capabilities = {} if declared is None else declared.model_dump(by_alias=True, exclude_none=True)
    meta: Mapping[str, Any] = dict(context.meta or {})
    level, token = meta.get(LOG_LEVEL_KEY), meta.get("progressToken", meta.get("progress_token"))
    return Caller(
        context.request_id if context.request_id is not None else "",
        abilities_of(capabilities),
        context.protocol_version in MODERN_PROTOCOL_VERSIONS,
        _RequestChannel(context),
        token if isinstance(token, int | str) else None,
        level if level in LOG_LEVELS else None,
    )
