"""Parses the parameters shared by `session/new`, `session/load` and `session/resume`."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from code_core.config.schema.servers import McpServerTable
from code_core.view.visible import visible
from code_mcp_server.acp.params import text_in
from code_mcp_server.jsonrpc import Code, RpcError

LONGEST_PATH = 4096
MOST_DIRECTORIES = 100
MOST_SERVERS = 100
LONGEST_SYSTEM_PROMPT = 2**20


@dataclass(frozen=True, slots=True)
class SessionParams:
    """The working directory, servers and instructions of a session.

    Attributes:
        directories: additional roots of the workspace.
        servers: MCP servers in addition to the configured ones.
        unusable: sentences about servers that cannot be used.
        append_instructions: appended to the agent's own instructions.
        instructions: replaces the agent's own instructions.
    """

    cwd: Path
    directories: tuple[Path, ...] = ()
    servers: Mapping[str, McpServerTable] = field(default_factory=dict)
    unusable: tuple[str, ...] = ()
    append_instructions: str | None = None
    instructions: str | None = None

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> "SessionParams":
        """Parse the parameters of a request.

        Raises:
            RpcError: names the invalid parameter.
        """
        servers, unusable = mcp_servers(params.get("mcpServers"))
        append, override = system_prompt(params)
        return cls(
            cwd=directory(text_in(params, "cwd", LONGEST_PATH), "cwd"),
            directories=_directories(params.get("additionalDirectories")),
            servers=servers,
            unusable=unusable,
            append_instructions=append,
            instructions=override,
        )


def directory(text: str, name: str) -> Path:
    """Return an absolute path to a directory.

    Raises:
        RpcError: it is not one.
    """
    if "\0" in text or not text.startswith("/") or len(text) > LONGEST_PATH:
        raise _invalid(f"{name} must be an absolute path, not {visible(text[:200])!r}")
    path = Path(os.path.normpath(text))
    if not os.path.isdir(path):  # noqa: PTH112 - `Path.is_dir` raises for invalid names
        raise _invalid(f"{name}: {visible(text[:200])!r} is not a directory")
    return path


def _directories(value: object) -> tuple[Path, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) > MOST_DIRECTORIES:
        raise _invalid(f"additionalDirectories must be a list of at most {MOST_DIRECTORIES} paths")
    if not all(isinstance(one, str) for one in value):
        raise _invalid("additionalDirectories must be strings")
    return tuple(dict.fromkeys(directory(one, "additionalDirectories") for one in value))


def mcp_servers(value: object) -> tuple[dict[str, McpServerTable], tuple[str, ...]]:
    """Return the servers that a client names, and problems with those that cannot be used.

    Raises:
        RpcError: it is not a list of servers.
    """
    if value is None:
        return {}, ()
    if not isinstance(value, list) or len(value) > MOST_SERVERS:
        raise _invalid(f"mcpServers must be a list of at most {MOST_SERVERS} servers")
    tables: dict[str, McpServerTable] = {}
    unusable: list[str] = []
    for entry in value:
        if not isinstance(entry, dict):
            raise _invalid("mcpServers must be objects")
        name = _server_name(text_in(entry, "name", 200), tables)
        if entry.get("type", "stdio") not in {"stdio", "http"}:
            kind = visible(str(entry["type"])[:40])
            unusable.append(
                f"the MCP server {name!r} has the transport {kind!r}: only stdio and http are supported"
            )
            continue
        try:
            tables[name] = McpServerTable.model_validate(_table(entry))
        except ValidationError as error:
            problem = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, problem["loc"]))
            raise _invalid(f"mcpServers: {name!r}: {where} {problem['msg']}") from None
    return tables, tuple(unusable)


def _table(entry: Mapping[str, Any]) -> dict[str, Any]:
    if entry.get("type") == "http":
        return {"url": entry.get("url"), "http_headers": _pairs(entry.get("headers"), "headers")}
    table = {"command": entry.get("command"), "args": entry.get("args") or []}
    return {**table, "env": _pairs(entry.get("env"), "env")}


def _pairs(value: object, what: str) -> dict[str, str]:
    """Variables or headers: a list of names and values, or the object that some clients send instead."""
    match value:
        case None:
            value = []
        case {**entries}:
            value = [{"name": name, "value": text} for name, text in entries.items()]
        case _:
            pass
    pairs: dict[str, str] = {}
    for one in value if isinstance(value, list) else [value]:
        match one:
            case {"name": str(name), "value": str(text)}:
                pairs[name] = text
            case _:
                raise _invalid(f"mcpServers: {what} must be objects with a name and a value")
    return pairs


def _server_name(name: str, taken: Mapping[str, object]) -> str:
    """A unique name for the server that is valid in settings."""
    plain = re.sub(r"[^a-zA-Z0-9_-]", "_", name)
    numbered = (plain, *(f"{plain}_{number}" for number in range(2, MOST_SERVERS + 2)))
    return next(one for one in numbered if one not in taken)


def system_prompt(params: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Return the instructions to append, and those that replace the agent's own.

    Raises:
        RpcError: the mode is unknown, so it is not safe to guess.
    """
    meta = params.get("_meta")
    old = meta.get("systemPrompt") if isinstance(meta, dict) else None
    match params.get("systemPrompt"), old:
        case {"mode": "append", "content": content}, _:
            return _text_of(content), None
        case {"mode": "override", "content": content}, _:
            return None, _text_of(content)
        case {"mode": mode}, _:
            raise _invalid(f"systemPrompt.mode {visible(str(mode)[:40])!r} is not known: append or override")
        case None, str(text) | {"append": str(text)} if text:
            return text[:LONGEST_SYSTEM_PROMPT], None
        case None, _:
            return None, None
        case _:
            raise _invalid("systemPrompt must be an object with a mode and a content")


def _text_of(content: object) -> str:
    match content:
        case [*parts]:
            texts = [_block_text(part) for part in parts]
            return "\n\n".join(texts)[:LONGEST_SYSTEM_PROMPT]
        case _:
            raise _invalid(_NO_TEXTS)


def _block_text(block: object) -> str:
    match block:
        case {"type": "text", "text": str(text)}:
            return text
        case _:
            raise _invalid(_NO_TEXTS)


_NO_TEXTS = "systemPrompt.content must be a list of text blocks"


def _invalid(text: str) -> RpcError:
    return RpcError(Code.INVALID_PARAMS, text)
