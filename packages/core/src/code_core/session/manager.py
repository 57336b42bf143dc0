"""Makes conversations."""

from dataclasses import fields
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

from code_core.config.load import NO_OVERRIDES, Config, ConfigOverrides, load_config
from code_core.model.capabilities import capabilities
from code_core.model.client import ModelClient
from code_core.model.key_proxy import KeyProxies
from code_core.patch import FileSystem
from code_core.session.conversation import Conversation
from code_core.tools.apply_patch import ApplyPatch
from code_core.tools.plan import UpdatePlan
from code_core.tools.registry import ToolRegistry
from code_core.tools.shell import Shell


class ConversationManager:
    """Starts conversations, all with the same base settings.

    As a context manager it ends, with the context, the processes that hold keys.

    Args:
        base: settings that every conversation has unless it overrides them.
    """

    def __init__(self, base: ConfigOverrides = NO_OVERRIDES) -> None:
        self._base = base
        self._keys = KeyProxies()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._keys.close()

    async def new(
        self, overrides: ConfigOverrides = NO_OVERRIDES, output_schema: dict[str, Any] | None = None
    ) -> Conversation:
        """A conversation that begins when its context is entered.

        Raises:
            ConfigError: the settings are wrong.
        """
        config = load_config(_over(self._base, overrides))
        client = make_client(config, self._keys)
        return Conversation(str(uuid4()), config, client, make_tools(config), output_schema)


def make_client(config: Config, keys: KeyProxies) -> ModelClient:
    """The client for the configured provider; its key, where it is to be isolated, goes to one of `keys`.

    Raises:
        ConfigError: a missing key, a scenario that cannot be read.
    """
    if config.provider.replay_scenario is not None:
        from code_core.model.replay import ReplayClient, load_scenario

        return ReplayClient(load_scenario(config.provider.replay_scenario))
    from code_core.model.responses import ResponsesClient

    key_proxy = keys.isolate(config.provider, config.key_isolation)
    recorder = None
    if config.record is not None:
        from code_core.model.record import Recorder

        # After the key: it remembers the secrets of the environment, which a key that is isolated is none of.
        recorder = Recorder(config.record)
    return ResponsesClient(config.provider, recorder=recorder, key_proxy=key_proxy)


def make_tools(config: Config, file_system: FileSystem | None = None) -> ToolRegistry:
    """The tools for the configured model."""
    if file_system is None:
        from code_core.files.local import LocalFileSystem

        file_system = LocalFileSystem()
    apply_patch = ApplyPatch(file_system, capabilities(config.preferences, config.model).patch_tool)
    return ToolRegistry([Shell(apply_patch, config.command_guards), apply_patch, UpdatePlan()])


def _over(base: ConfigOverrides, overrides: ConfigOverrides) -> ConfigOverrides:
    """`base` with what `overrides` gives."""
    values = {
        field.name: getattr(overrides, field.name) or getattr(base, field.name)
        for field in fields(ConfigOverrides)
    }
    values["settings"] = (*base.settings, *overrides.settings)
    return ConfigOverrides(**values)
