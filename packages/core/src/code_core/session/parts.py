"""The parts of a session, including those that a frontend may replace."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING
from uuid import uuid4

from code_core.config.guards import always_allowed
from code_core.config.load import Config
from code_core.config.schema.servers import ClientToolTable, McpServerTable
from code_core.frozen import frozen
from code_core.model.client import ModelClient
from code_core.model.key_proxy import KeyProxies
from code_core.model.providers import Provider
from code_core.protocol.checkpoints import Checkpoints
from code_core.protocol.items import ResponseItem
from code_core.session.history.history import History, NoJournal
from code_core.session.history.shown_context import ShownContext
from code_core.session.questions.approvals import Approvals
from code_core.session.questions.elicitations import Elicitations
from code_core.session.questions.user_questions import UserQuestions
from code_core.session.servers.servers import ConversationServers
from code_core.session.services import Services
from code_core.session.session import Session
from code_core.session.settings import TurnSettings
from code_core.session.stored.restore import SessionState
from code_core.store.journal import Journal
from code_core.tools.apply_patch import ApplyPatch
from code_core.tools.exec_command import ExecCommand, WriteStdin
from code_core.tools.plan import UpdatePlan
from code_core.tools.registry import ToolRegistry
from code_core.tools.shell import Shell
from code_core.tools.tool import Tool
from code_core.tools.view_image import ViewImage

if TYPE_CHECKING:
    import mcp_types

    from code_core.model.http import Wire
    from code_core.patch import FileSystem


@frozen
class Parts:
    """Replacements for parts of a session; None selects the default.

    Attributes:
        file_system: where patches read and write; the local file system by default.
        mcp_servers: additional servers by name; they replace configured ones of the same name.
        permission_tool: the MCP tool that decides approvals.
        history: the initial history.
        journal: where the session is recorded; by default the store in the home directory, unless the
            settings (`sessions.save`, `ephemeral`) turn recording off.
        checkpoints: keeps old file versions for undo; by default ours, for stored sessions.
        client: the model client; by default the one from the settings.
        session_id: a UUID; random by default.
        source: what started the session, for lists.
        recorded_at_once: whether other processes can find the session before its first turn.
        asks_user: whether the frontend answers the model's questions (`request_user_input`). If not, the model
            is not offered the tool.
        opens_urls: whether MCP servers may ask the user to open a page (`elicitation_request` with a `url`).
    """

    file_system: "FileSystem | None" = None
    mcp_servers: Mapping[str, McpServerTable] = field(default_factory=dict)
    permission_tool: ClientToolTable | None = None
    history: Sequence[ResponseItem] = ()
    journal: Journal | None = None
    checkpoints: Checkpoints | None = None
    client: ModelClient | None = None
    session_id: str | None = None
    source: str = "library"
    recorded_at_once: bool = False
    asks_user: bool = False
    opens_urls: bool = False


OURS = Parts()


def make_session(
    config: Config, client: ModelClient, parts: Parts = OURS, state: SessionState | None = None
) -> Session:
    """Assemble a session from its parts."""
    state = state if state is not None else SessionState()
    session_id = parts.session_id or str(uuid4())
    elicitations = Elicitations(urls=parts.opens_urls)

    async def elicit(server: str, params: "mcp_types.ElicitRequestParams") -> "mcp_types.ElicitResult":
        with session.clock.asking():
            return await elicitations.ask(server, params)

    servers = ConversationServers(
        config.mcp_servers,
        config.cwd,
        config.home.path,
        config.sandbox_policy,
        elicit,
        [tool for tool in (config.permission_tool, config.read_tool, config.write_tool) if tool is not None],
        opens_urls=parts.opens_urls,
        completed=elicitations.completed,
    )
    permission_tool = None
    if config.permission_tool is not None:
        from code_core.session.questions.permission_tool import PermissionTool

        permission_tool = PermissionTool(session_id, servers, config.permission_tool)
    file_system = parts.file_system
    if file_system is None and (config.read_tool is not None or config.write_tool is not None):
        from code_core.files.texts import TextFileSystem
        from code_core.session.servers.tool_texts import ToolTexts

        file_system = TextFileSystem(ToolTexts(session_id, servers, config.read_tool, config.write_tool))
    session = Session(
        id=session_id,
        config=config,
        settings=state.settings_over(TurnSettings.of(config)),
        history=History(parts.journal if parts.journal is not None else NoJournal(), state.items),
        services=Services(
            client, servers, make_tools(config, file_system, asks_user=parts.asks_user), parts.checkpoints
        ),
        approvals=Approvals(permission_tool, rules_file=always_allowed(config.home.path)),
        elicitations=elicitations,
        user_questions=UserQuestions() if parts.asks_user else None,
        queue=state.input_queue(),
        shown_context=ShownContext(one.item for one in state.items),
        name=state.name,
        preview=state.preview,
        notes=state.notes,
    )
    session.totals.total, session.totals.cost_usd = state.usage, state.cost_usd
    return session


def make_client(config: Config, keys: KeyProxies) -> ModelClient:
    """Return the client for the configured provider; an isolated key is passed to one of `keys`.

    Raises:
        ConfigError: a key is missing, or a scenario cannot be read.
    """
    if config.provider.replay_scenario is not None:
        from code_core.model.replay import ReplayClient, load_scenario

        return ReplayClient(load_scenario(config.provider.replay_scenario))
    from code_core.model.http import HttpModelClient

    provider = config.provider
    key_proxy = keys.isolate(provider, config.key_isolation)
    key = keys.hold(provider, config.key_isolation)
    recorder = None
    if config.record is not None:
        from code_core.model.record import Recorder

        # After the key: it remembers the secrets of the environment, which do not include an isolated key.
        known = key if key is not None or key_proxy is not None else provider.api_key(os.environb)
        recorder = Recorder(config.record, wire=provider.wire_api, key=known)
    return HttpModelClient(provider, _wire(provider), recorder=recorder, key_proxy=key_proxy, key=key)


def _wire(provider: Provider) -> "Wire":
    if provider.wire_api == "chat":
        from code_core.model.chat import ChatWire

        return ChatWire(provider)
    from code_core.model.responses import ResponsesWire

    return ResponsesWire(provider)


def make_tools(
    config: Config, file_system: "FileSystem | None" = None, *, asks_user: bool = False
) -> ToolRegistry:
    """Return the tools for the configured model."""
    apply_patch = ApplyPatch(file_system)
    shell = Shell(apply_patch, config.command_guards)
    exec_command = ExecCommand(shell)
    tools: list[Tool] = [shell, exec_command, WriteStdin(exec_command), apply_patch, UpdatePlan()]
    if config.tools.view_image:
        tools.append(ViewImage())
    if config.tools.web_search:
        from code_core.tools.web_search import WebSearch

        tools.append(WebSearch(tuple(config.tools.web_search_allowed_domains)))
    if not asks_user:
        return ToolRegistry(tools, undeclared=_asks_nobody)
    from code_core.tools.request_user_input import AskUser

    return ToolRegistry([*tools, AskUser()])


def _asks_nobody(name: str) -> Tool | None:
    """A stand-in for `request_user_input` that tells the model that no user can answer."""
    if name != "request_user_input":
        return None
    from code_core.tools.request_user_input import AskUser

    return AskUser()
