"""Makes conversations."""

from dataclasses import fields
from typing import Any
from uuid import uuid4

from code_core.config.load import NO_OVERRIDES, Config, ConfigOverrides, load_config
from code_core.model.catalog import family_of
from code_core.model.client import ModelClient
from code_core.patch import FileSystem
from code_core.session.conversation import Conversation
from code_core.tools.apply_patch import ApplyPatch
from code_core.tools.plan import UpdatePlan
from code_core.tools.registry import ToolRegistry
from code_core.tools.shell import Shell


class ConversationManager:
    """Starts conversations, all with the same base settings.

    Args:
        base: settings that every conversation has unless it overrides them.
    """

    def __init__(self, base: ConfigOverrides = NO_OVERRIDES) -> None:
        self._base = base

    async def new(
        self, overrides: ConfigOverrides = NO_OVERRIDES, output_schema: dict[str, Any] | None = None
    ) -> Conversation:
        """A conversation that begins when its context is entered.

        Raises:
            ConfigError: the settings are wrong.
        """
        config = load_config(_over(self._base, overrides))
        return Conversation(str(uuid4()), config, make_client(config), make_tools(config), output_schema)


def make_client(config: Config) -> ModelClient:
    """The client for the configured provider.

    Raises:
        ConfigError: a missing key, a scenario that cannot be read.
    """
    if config.provider.replay_scenario is not None:
        from code_core.model.replay import ReplayClient, load_scenario

        return ReplayClient(load_scenario(config.provider.replay_scenario))
    from code_core.model.record import Recorder
    from code_core.model.responses import ResponsesClient

    return ResponsesClient(config.provider, recorder=Recorder(config.record) if config.record else None)


def make_tools(config: Config, file_system: FileSystem | None = None) -> ToolRegistry:
    """The tools for the configured model."""
    if file_system is None:
        from code_core.files.local import LocalFileSystem

        file_system = LocalFileSystem()
    apply_patch = ApplyPatch(file_system, family_of(config.model.model).patch_tool)
    return ToolRegistry([Shell(apply_patch), apply_patch, UpdatePlan()])


def _over(base: ConfigOverrides, overrides: ConfigOverrides) -> ConfigOverrides:
    """`base` with what `overrides` gives."""
    values = {
        field.name: getattr(overrides, field.name) or getattr(base, field.name)
        for field in fields(ConfigOverrides)
    }
    values["settings"] = (*base.settings, *overrides.settings)
    return ConfigOverrides(**values)
