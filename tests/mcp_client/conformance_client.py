"""The client that the conformance suite tests: `ours URL` or `sdk URL`.

    PYTHONPATH=tests conformance client --scenario NAME --command "python -m mcp_client.conformance_client ours"

Initializes, lists the tools and calls each once; accepts elicitations with the defaults of
their schema; signs in by following the authorization URL as a browser of a willing user would.
"""

import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import anyio
import httpx2
import mcp_types
from mcp.client.auth import OAuthClientProvider
from mcp.client.session import ClientSession
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import (
    AuthorizationCodeResult,
    OAuthClientInformationFull,
    OAuthClientMetadata,
    OAuthToken,
)
from pydantic import AnyUrl

from code_mcp_client import ClientCallbacks, McpClient, McpClientConfig, RequestFailed

REDIRECT = AnyUrl("http://localhost:3000/callback")
METADATA_URL = "https://conformance-test.local/client-metadata.json"

ListTools = Callable[[], Awaitable[mcp_types.ListToolsResult]]
CallTool = Callable[[str, dict[str, Any]], Awaitable[Any]]


class Storage:
    """The tokens of one run; `MCP_CONFORMANCE_CONTEXT` has the client if it is already registered."""

    def __init__(self) -> None:
        self.tokens: OAuthToken | None = None
        self.client: OAuthClientInformationFull | None = None
        given = json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT") or "{}")
        if "client_id" in given:
            self.client = OAuthClientInformationFull(
                client_id=given["client_id"],
                client_secret=given.get("client_secret"),
                redirect_uris=[REDIRECT],
                token_endpoint_auth_method="client_secret_basic" if given.get("client_secret") else "none",
            )

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


class Browser:
    """Follows the authorization URL, and keeps the parameters of the redirect."""

    def __init__(self) -> None:
        self._location = ""

    async def visit(self, url: str) -> None:
        async with httpx2.AsyncClient(follow_redirects=False) as http:
            self._location = (await http.get(url)).headers["location"]

    async def returned(self) -> AuthorizationCodeResult:
        query = {name: values[0] for name, values in parse_qs(urlsplit(self._location).query).items()}
        return AuthorizationCodeResult(code=query["code"], state=query.get("state"), iss=query.get("iss"))


def sign_in(url: str) -> OAuthClientProvider:
    browser = Browser()
    metadata = OAuthClientMetadata(
        client_name="code",
        redirect_uris=[REDIRECT],
        grant_types=["authorization_code", "refresh_token"],
        response_types=["code"],
    )
    return OAuthClientProvider(url, metadata, Storage(), browser.visit, browser.returned, METADATA_URL)


async def elicit(context: Any, params: mcp_types.ElicitRequestParams) -> mcp_types.ElicitResult:
    del context
    assert isinstance(params, mcp_types.ElicitRequestFormParams)
    properties = params.requested_schema.get("properties", {})
    content = {name: part["default"] for name, part in properties.items() if "default" in part}
    return mcp_types.ElicitResult(action="accept", content=content)


def argument(schema: dict[str, Any]) -> Any:
    return {"number": 2, "integer": 2, "boolean": True, "array": [], "object": {}}.get(
        schema.get("type", ""), "text"
    )


@asynccontextmanager
async def ours(url: str) -> AsyncIterator[tuple[ListTools, CallTool]]:
    config = McpClientConfig(protocol_version=os.environ.get("MCP_CONFORMANCE_PROTOCOL_VERSION", "auto"))
    callbacks = ClientCallbacks(elicitation=elicit)
    async with McpClient.http(url, config=config, auth=sign_in(url), callbacks=callbacks) as client:
        await client.initialize()
        yield client.list_tools, client.call_tool


@asynccontextmanager
async def sdk(url: str) -> AsyncIterator[tuple[ListTools, CallTool]]:
    async with (
        httpx2.AsyncClient(auth=sign_in(url), timeout=30) as http,
        streamable_http_client(url, http_client=http) as streams,
        ClientSession(*streams, elicitation_callback=elicit) as session,
    ):
        await session.initialize()
        yield session.list_tools, session.call_tool


async def main(which: str, url: str) -> None:
    context = json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT") or "{}")
    async with {"ours": ours, "sdk": sdk}[which](url) as (list_tools, call_tool):
        tools = (await list_tools()).tools
        if "toolCalls" in context:  # the scenario says with which arguments
            for call in context["toolCalls"]:
                await call_tool(call["name"], call["arguments"])
            return
        for tool in tools:
            properties = tool.input_schema.get("properties", {})
            arguments = {name: argument(part) for name, part in properties.items()}
            if "schema" in arguments:  # to report the schema of the first tool, as we see it
                arguments["schema"] = tools[0].input_schema
            try:
                await call_tool(tool.name, arguments)
            except RequestFailed as error:
                if error.code != mcp_types.METHOD_NOT_FOUND:  # some scenarios are about the list alone
                    raise


if __name__ == "__main__":
    anyio.run(main, sys.argv[1], sys.argv[2])
