"""Converts changes of a session's mode and options to operations."""

from typing import Any

from code_core.acp.modes import Mode
from code_core.acp.options import DEFAULT_EFFORT, EFFORT, MODE, MODEL, option_id
from code_core.protocol.ops import OverrideTurnContext
from code_core.protocol.policies import ReasoningEffort, SandboxMode
from code_core.view.visible import visible
from code_mcp_server.acp.open_session import OpenSession
from code_mcp_server.jsonrpc import Code, RpcError

LONGEST_MODEL = 200


class SessionSettings:
    """The settings of one session that a client may change.

    Args:
        session: the session.
    """

    def __init__(self, session: OpenSession) -> None:
        self._session = session
        self._workspace = session.workspace

    async def use_directories(self) -> None:
        """Make the additional roots of the workspace writable if its own is."""
        mode = self._session.info.settings.sandbox_mode
        if self._workspace.params.directories and mode == SandboxMode.WORKSPACE_WRITE:
            policy = self._workspace.policy(SandboxMode(mode))
            await self._session.change(OverrideTurnContext(sandbox_policy=policy), quiet=True)

    async def set_mode(self, mode_id: str) -> None:
        """Set the mode for the next turn and later.

        Raises:
            RpcError: the mode does not exist.
        """
        modes = self._session.info.modes()
        mode = next((one for one in modes if one.id == mode_id), None)
        if mode is None:
            known = ", ".join(one.id for one in modes)
            raise _invalid(f"unknown mode {visible(mode_id[:80])!r}: use one of {known}")
        await self._session.change(self._mode(mode))

    async def set_option(self, config_id: str, value: object) -> None:
        """Set an option by id or category.

        Raises:
            RpcError: the option does not exist, or does not accept this value.
        """
        if not isinstance(value, str) or not value:
            raise _invalid("value must be a non-empty string")
        match option_id(config_id):
            case "mode":
                await self.set_mode(value)
            case "model":
                await self._session.change(OverrideTurnContext(model=_model(value)))
            case "reasoning_effort":
                await self._session.change(OverrideTurnContext(effort=_effort(value)))
            case _:
                raise _invalid(f"unknown option {visible(config_id[:80])!r}: use {MODE}, {MODEL} or {EFFORT}")

    def _mode(self, mode: Mode) -> OverrideTurnContext:
        return OverrideTurnContext(
            approval_policy=mode.approval,
            sandbox_policy=None if mode.sandbox is None else self._workspace.policy(mode.sandbox),
            collaboration_mode=mode.collaboration,
        )


def _model(value: str) -> str:
    if len(value) > LONGEST_MODEL or not value.isprintable() or value != value.strip():
        raise _invalid(f"{visible(value[:80])!r} cannot be the name of a model")
    return value


def _effort(value: str) -> ReasoningEffort | None:
    if value == DEFAULT_EFFORT:
        return None
    try:
        return ReasoningEffort(value)
    except ValueError:
        known = ", ".join((DEFAULT_EFFORT, *ReasoningEffort))
        raise _invalid(f"{visible(value[:80])!r} is not a reasoning effort: {known}") from None


def _invalid(text: str, data: Any = None) -> RpcError:
    return RpcError(Code.INVALID_PARAMS, text, data)
