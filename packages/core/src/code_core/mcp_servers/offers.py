"""Lists servers' resources and prompts; a malformed entry does not hide the others."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import anyio
from pydantic import ValidationError

from code_core.mcp_servers.changes import Kind
from code_core.mcp_servers.listing import METHOD_NOT_FOUND
from code_core.mcp_servers.server import Server
from code_core.protocol.mcp_events import McpPrompt, McpResource
from code_mcp_client import McpClientError, RequestFailed

MOST_PAGES = 100
MOST_LISTED = 2_048
LONGEST_TEXT = 2_000
"""Limit for a title or a description."""
LONGEST_URI = 8_000
LONGEST_LIST = 2**20
"""Limit for the list of one server: an event that is too large would be lost."""

OfferT = TypeVar("OfferT", McpResource, McpPrompt)


@dataclass(slots=True)
class Offers(Generic[OfferT]):
    """A combined list from several servers.

    Attributes:
        listed: entries sorted by server name, in each server's own order.
        errors: why a server could not be asked, by server name.
        cursor: where the next page of a single server begins.
    """

    listed: list[OfferT] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)
    cursor: str | None = None


async def resources(servers: Iterable[Server]) -> Offers[McpResource]:
    """Return all resources of `servers`."""
    return await _of_all(servers, "resources", lambda server: _all_pages(server, "resources/list", _resource))


async def templates(servers: Iterable[Server]) -> Offers[McpResource]:
    """Return all resource templates of `servers`."""
    method = "resources/templates/list"
    return await _of_all(servers, "resources", lambda server: _all_pages(server, method, _template))


async def prompts(servers: Iterable[Server]) -> Offers[McpPrompt]:
    """Return all prompts of `servers`."""
    return await _of_all(servers, "prompts", lambda server: _all_pages(server, "prompts/list", _prompt))


async def resource_page(server: Server, cursor: str | None) -> Offers[McpResource]:
    """Return one page of a server's resources.

    Raises:
        McpClientError: the server does not answer or is not available.
    """
    return await _page(server, "resources/list", _resource, cursor)


async def template_page(server: Server, cursor: str | None) -> Offers[McpResource]:
    """Return one page of a server's resource templates.

    Raises:
        McpClientError: the server does not answer or is not available.
    """
    return await _page(server, "resources/templates/list", _template, cursor)


async def _of_all(
    servers: Iterable[Server], kind: Kind, ask: Callable[[Server], Awaitable[Offers[OfferT]]]
) -> Offers[OfferT]:
    """Ask the servers that offer `kind` concurrently; failures become errors in the result."""
    asked = sorted((server for server in servers if kind in server.offers), key=lambda server: server.name)
    answers: dict[str, Offers[OfferT]] = {}

    async def one(server: Server) -> None:
        try:
            answers[server.name] = await ask(server)
        except McpClientError as error:
            answers[server.name] = Offers(errors={server.name: str(error)})

    async with anyio.create_task_group() as tasks:
        for server in asked:
            tasks.start_soon(one, server)
    found: Offers[OfferT] = Offers()
    for server in asked:
        found.listed += answers[server.name].listed
        found.errors |= answers[server.name].errors
    return found


async def _all_pages(
    server: Server, method: str, entry: Callable[[str, Any], OfferT | None]
) -> Offers[OfferT]:
    found: Offers[OfferT] = Offers()
    size = 0
    for _ in range(MOST_PAGES):
        page = await _page(server, method, entry, found.cursor)
        found.cursor = page.cursor
        for one in page.listed:
            size += len(one.model_dump_json())
            if size <= LONGEST_LIST:
                found.listed.append(one)
        if page.cursor is None or len(found.listed) > MOST_LISTED or size > LONGEST_LIST:
            break
    if found.cursor is not None or len(found.listed) > MOST_LISTED or size > LONGEST_LIST:
        found.errors[server.name] = (
            f"{method}: more than {MOST_LISTED:,} entries or {MOST_PAGES} pages; the rest is left out"
        )
    found.listed = found.listed[:MOST_LISTED]
    return found


async def _page(
    server: Server, method: str, entry: Callable[[str, Any], OfferT | None], cursor: str | None
) -> Offers[OfferT]:
    params = {} if cursor is None else {"cursor": cursor}
    try:
        with server.limit.call(method):
            raw = await server.client().send_request(method, params, timeout=float("inf"))
    except RequestFailed as error:
        if (
            error.code == METHOD_NOT_FOUND and cursor is None
        ):  # it declares more than it supports, for example templates
            return Offers()
        raise
    listed = raw.get(
        {"resources/list": "resources", "prompts/list": "prompts"}.get(method, "resourceTemplates")
    )
    entries = (entry(server.name, one) for one in (listed if isinstance(listed, list) else []))
    following = raw.get("nextCursor")
    return Offers(
        [one for one in entries if one is not None], cursor=following if isinstance(following, str) else None
    )


def _resource(server: str, raw: Any) -> McpResource | None:
    return _described(server, raw, "uri")


def _template(server: str, raw: Any) -> McpResource | None:
    return _described(server, raw, "uriTemplate")


def _described(server: str, raw: Any, key: str) -> McpResource | None:
    if not isinstance(raw, dict) or not isinstance(uri := raw.get(key), str) or len(uri) > LONGEST_URI:
        return None
    size = raw.get("size")
    name = raw.get("name")
    return McpResource(
        server=server,
        uri=uri if key == "uri" else None,
        uri_template=uri if key != "uri" else None,
        name=name[:LONGEST_TEXT] if isinstance(name, str) else uri,
        title=_text(raw, "title"),
        description=_text(raw, "description"),
        mime_type=_text(raw, "mimeType"),
        size=size if isinstance(size, int) and not isinstance(size, bool) else None,
    )


def _prompt(server: str, raw: Any) -> McpPrompt | None:
    if not isinstance(raw, dict) or not isinstance(name := raw.get("name"), str):
        return None
    arguments = raw.get("arguments")
    shown = [
        {
            "name": one["name"],
            "description": _text(one, "description"),
            "required": one.get("required") is True,
        }
        for one in (arguments if isinstance(arguments, list) else [])
        if isinstance(one, dict) and isinstance(one.get("name"), str)
    ]
    try:
        return McpPrompt.model_validate(
            {
                "server": server,
                "name": name,
                "title": _text(raw, "title"),
                "description": _text(raw, "description"),
                "arguments": shown,
            }
        )
    except ValidationError:
        return None


def _text(raw: dict[str, Any], key: str) -> str | None:
    value = raw.get(key)
    return value[:LONGEST_TEXT] if isinstance(value, str) else None
