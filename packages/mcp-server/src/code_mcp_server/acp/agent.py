"""The agent's methods. Source: Agent Client Protocol, version 1 (schema of SDK 2.4.0)."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from code_core.acp.content import ContentBlock, input_items
from code_core.config.load import load_config
from code_core.errors import CodeError, ConfigError
from code_core.model.saved_keys import SavedKeys
from code_core.protocol.ops import InputItem
from code_core.view.visible import visible
from code_mcp_server.acp.connection import Answer
from code_mcp_server.acp.initialize import API_KEY_METHOD, LOGIN_METHOD, initialize_result
from code_mcp_server.acp.params import text_in
from code_mcp_server.acp.session_params import LONGEST_PATH, SessionParams, directory
from code_mcp_server.acp.session_settings import SessionSettings
from code_mcp_server.acp.sessions import Sessions
from code_mcp_server.acp.workspace import require_key
from code_mcp_server.jsonrpc import Code, JsonObject, Notification, Request, RpcError

_log = logging.getLogger("code_core")

LONGEST_CURSOR = 1_000
Method = Callable[["Agent", JsonObject], Awaitable[Answer]]


@dataclass(slots=True)
class Agent:
    """See `Handler`; answers requests about the sessions of one connection."""

    sessions: Sessions

    async def answer(self, request: Request) -> Answer:
        """See `Handler.answer`."""
        method = METHODS.get(request.method)
        if method is None:
            raise RpcError(Code.METHOD_NOT_FOUND, f"method not found: {visible(request.method[:80])}")
        try:
            return await method(self, request.params)
        except CodeError as error:
            code = Code.INVALID_PARAMS if isinstance(error, ConfigError) else Code.INTERNAL_ERROR
            raise RpcError(code, str(error), {"code": error.code}) from error

    def notified(self, notification: Notification) -> None:
        """See `Handler.notified`."""
        if notification.method == "session/cancel":
            self.sessions.cancel(notification.params.get("sessionId"))

    async def initialize(self, params: JsonObject) -> Answer:
        """Describe the agent and its capabilities; repeated calls return the same answer."""
        return Answer(initialize_result(params))

    async def authenticate(self, params: JsonObject) -> Answer:
        """Look for the model provider's key, in the environment or saved by `code login`."""
        method = text_in(params, "methodId")
        if method == LOGIN_METHOD:
            raise RpcError(
                Code.INVALID_PARAMS,
                f"{LOGIN_METHOD} needs a terminal: run the agent's command with `login`",
            )
        if method != API_KEY_METHOD:
            raise RpcError(
                Code.INVALID_PARAMS,
                f"unknown authentication method {visible(method[:80])!r}: use {API_KEY_METHOD}",
            )
        require_key(load_config(self.sessions.overrides))
        self.sessions.logged_out = False
        return Answer({})

    async def logout(self, _params: JsonObject) -> Answer:
        """Delete the key that `code login` saved, and refuse to open sessions until the next `authenticate`."""
        self.sessions.logged_out = True
        config = load_config(self.sessions.overrides)
        SavedKeys(config.home.path).remove(config.provider)
        return Answer({})

    async def new_session(self, params: JsonObject) -> Answer:
        """Open a session, which other processes can resume from now on."""
        session = await self.sessions.new(SessionParams.of(params))
        return Answer({"sessionId": session.id, **session.info.state()}, session.feed.list_commands)

    async def load_session(self, params: JsonObject) -> Answer:
        """Load a session and show its whole history before answering."""
        return await self._opened_again(params, show=True)

    async def resume_session(self, params: JsonObject) -> Answer:
        """Resume a session without showing its history."""
        return await self._opened_again(params, show=False)

    async def list_sessions(self, params: JsonObject) -> Answer:
        """List the stored sessions, newest first, of one directory or all."""
        cwd = None if params.get("cwd") is None else directory(text_in(params, "cwd", LONGEST_PATH), "cwd")
        cursor = None if params.get("cursor") is None else text_in(params, "cursor", LONGEST_CURSOR)
        return Answer(await self.sessions.listed(cwd, cursor))

    async def close_session(self, params: JsonObject) -> Answer:
        """Stop a session and free its resources. It stays in the list."""
        await self.sessions.close(text_in(params, "sessionId"))
        return Answer({})

    async def delete_session(self, params: JsonObject) -> Answer:
        """Delete a session with its record and its checkpoints."""
        await self.sessions.delete(text_in(params, "sessionId"))
        return Answer({})

    async def prompt(self, params: JsonObject) -> Answer:
        """Answer a prompt; `stopReason` follows all output of the turn.

        Does not wait before the session has accepted the prompt, because a cancellation may follow.
        """
        session = self.sessions.find(text_in(params, "sessionId"))
        return Answer({"stopReason": await session.prompt(prompt_items(params.get("prompt")))})

    async def set_mode(self, params: JsonObject) -> Answer:
        """Change what the agent may do, and when it asks."""
        session = self.sessions.find(text_in(params, "sessionId"))
        await SessionSettings(session).set_mode(text_in(params, "modeId"))
        return Answer({})

    async def set_option(self, params: JsonObject) -> Answer:
        """Set `mode`, `model` or `reasoning_effort`, by id or by category."""
        session = self.sessions.find(text_in(params, "sessionId"))
        await SessionSettings(session).set_option(text_in(params, "configId"), params.get("value"))
        return Answer({"configOptions": session.info.options()})

    async def set_model(self, params: JsonObject) -> Answer:
        """Set the option `model`, for older clients."""
        session = self.sessions.find(text_in(params, "sessionId"))
        await SessionSettings(session).set_option("model", text_in(params, "modelId"))
        return Answer({})

    async def _opened_again(self, params: JsonObject, *, show: bool) -> Answer:
        session_id = text_in(params, "sessionId")
        session = await self.sessions.load(session_id, SessionParams.of(params), show=show)
        return Answer(session.info.state(), session.feed.list_commands)


METHODS: Mapping[str, Method] = {
    "initialize": Agent.initialize,
    "authenticate": Agent.authenticate,
    "logout": Agent.logout,
    "session/new": Agent.new_session,
    "session/load": Agent.load_session,
    "session/resume": Agent.resume_session,
    "session/list": Agent.list_sessions,
    "session/close": Agent.close_session,
    "session/delete": Agent.delete_session,
    "session/prompt": Agent.prompt,
    "session/set_mode": Agent.set_mode,
    "session/set_config_option": Agent.set_option,
    "session/set_model": Agent.set_model,
}


def prompt_items(blocks: object) -> list[InputItem]:
    """Convert the content blocks of a prompt to input for the engine.

    Raises:
        RpcError: says which block is not supported, and why.
    """
    if not isinstance(blocks, list) or not blocks:
        raise RpcError(Code.INVALID_PARAMS, "prompt must be a list of content blocks")
    for number, block in enumerate(blocks):
        if isinstance(block, dict) and block.get("type") == "audio":
            raise RpcError(Code.INVALID_PARAMS, f"prompt.{number}: audio is not supported: send its text")
    try:
        return input_items(_BLOCKS.validate_python(blocks))
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, problem["loc"]))
        raise RpcError(Code.INVALID_PARAMS, f"prompt.{where}: {problem['msg']}") from None


_BLOCKS: TypeAdapter[list[ContentBlock]] = TypeAdapter(list[ContentBlock])
