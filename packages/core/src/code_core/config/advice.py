"""Warnings about settings that are valid but do not have the intended effect."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from code_core.config.layers import Layer, located
from code_core.config.paths import expand_home, is_directory
from code_core.config.schema.file import ConfigFile
from code_core.config.schema.servers import McpServerTable
from code_core.model.providers import Provider
from code_core.protocol.policies import SandboxPolicy, WorkspaceWrite
from code_core.sandbox.writable import redirected_roots


def paths_without_effect(
    settings: ConfigFile, policy: SandboxPolicy, cwd: Path, environ: Mapping[str, str]
) -> Iterator[str]:
    """Yield a warning for each path in the settings that has no effect."""
    for name in settings.projects:
        if not expand_home(name).is_absolute():
            yield f"projects.{name!r} has no effect: write an absolute path"
    for root in policy.writable_roots if isinstance(policy, WorkspaceWrite) else ():
        if not is_directory(cwd / root):
            yield f"sandbox_workspace_write.writable_roots: {str(root)!r} is not a directory and has no effect"
    for root in redirected_roots(policy, cwd, environ):
        yield (
            f"{str(root)!r} is not writable: a link in a writable directory leads to it, "
            f"and commands could change that; name the directory itself"
        )


def inline_tokens(layers: Sequence[Layer], servers: Mapping[str, McpServerTable]) -> list[str]:
    """Return a warning for each token in a settings file, without the token."""
    return [
        f"{located(layers, ('mcp_servers', name, 'bearer_token'))}: mcp_servers.{name}.bearer_token is a token in "
        "the settings: put it in an environment variable, and name that in bearer_token_env_var"
        for name, table in servers.items()
        if table.bearer_token is not None
    ]


def recording_without_effect(provider: Provider, environ: Mapping[str, str]) -> list[str]:
    """Return a warning if a recording is configured for a replayed scenario."""
    if provider.replay_scenario is None or not environ.get("CODE_RECORD"):
        return []
    return ["CODE_RECORD has no effect: a replayed scenario is not recorded"]
