"""Combines the client's session parameters with the settings."""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from code_core.config.load import Config, ConfigOverrides, load_config
from code_core.errors import ConfigError
from code_core.model.saved_keys import SavedKeys, where_the_key_is
from code_core.protocol.policies import SandboxMode, SandboxPolicy, WorkspaceWrite
from code_mcp_server.acp.session_params import SessionParams
from code_mcp_server.jsonrpc import Code, RpcError


@dataclass(frozen=True, slots=True)
class Workspace:
    """See the module.

    Attributes:
        overrides: the settings of the session.
        config: the resolved configuration.
    """

    params: SessionParams
    overrides: ConfigOverrides
    config: Config

    @classmethod
    def of(cls, base: ConfigOverrides, params: SessionParams) -> Self:
        """Apply the client's parameters to `base`.

        Raises:
            ConfigError: the settings are invalid.
            RpcError: a directory would open more than a workspace.
        """
        overrides = replace(base, cwd=params.cwd)
        if params.instructions is not None:
            overrides = replace(overrides, base_instructions=params.instructions)
        config = load_config(overrides)
        if params.append_instructions is not None:
            texts = filter(None, (config.user_instructions, params.append_instructions))
            overrides = replace(overrides, client=(*overrides.client, ("instructions", "\n\n".join(texts))))
            config = load_config(overrides)
        for directory in params.directories:
            _check_root(directory, config.home.path)
        return cls(params, overrides, config)

    def policy(self, mode: SandboxMode) -> SandboxPolicy:
        """Return the configured sandbox policy for `mode`, with the workspace's directories writable."""
        policy = load_config(replace(self.overrides, sandbox_mode=mode)).sandbox_policy
        if isinstance(policy, WorkspaceWrite) and self.params.directories:
            roots = dict.fromkeys((*policy.writable_roots, *self.params.directories))
            return policy.model_copy(update={"writable_roots": list(roots)})
        return policy


def _check_root(directory: Path, home: Path) -> None:
    """Raises: RpcError: the workspace would contain all of the user's files, or the agent's own."""
    real = Path(os.path.realpath(directory))
    own = [Path(os.path.realpath(home)), Path(os.path.realpath(Path.home()))]
    if any(path.is_relative_to(real) for path in own):
        raise RpcError(
            Code.INVALID_PARAMS,
            f"additionalDirectories: {str(directory)[:200]!r} contains the agent's own files: use a directory of the project",
        )


def require_key(config: Config) -> None:
    """Check that the model provider needs no key, or that a key is in the environment or saved.

    Raises:
        RpcError: the key is missing or invalid; says what to do.
    """
    provider = config.provider
    try:
        where = where_the_key_is(provider, SavedKeys(config.home.path))
    except ConfigError as error:
        raise RpcError(Code.AUTH_REQUIRED, str(error)) from None
    if where is None:
        raise RpcError(
            Code.AUTH_REQUIRED,
            f"no API key for {provider.name}: run `code login`, "
            f"or set {provider.env_key} where the editor starts this agent, and restart it",
        )
