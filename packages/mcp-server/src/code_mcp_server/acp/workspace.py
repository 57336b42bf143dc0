"""Combines the client's session parameters with the settings."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from code_core.config.load import Config, ConfigOverrides, load_config
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


def api_key_given(config: Config, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether the model provider needs no key, or the environment contains it."""
    provider = config.provider
    return provider.replay_scenario is not None or not provider.env_key or bool(environ.get(provider.env_key))


def missing_key(config: Config) -> str:
    """Return what to do about a missing key."""
    provider = config.provider
    return f"no API key for {provider.name}: set {provider.env_key} where the editor starts this agent, and restart it"
