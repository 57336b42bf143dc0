"""How a configured server is started: its directory, environment and permissions.

A checkout is untrusted, and so are files left by commands or patches of an earlier session. Servers
therefore do not start in the working directory, where a module or program could replace one of theirs.
"""

import atexit
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from code_core.config.paths import MCP_TOKENS, expand_home
from code_core.config.schema.servers import McpServerTable
from code_core.context.git import repository_root
from code_core.frozen import frozen
from code_core.process.spawn import SpawnError
from code_core.protocol.policies import ReadOnly, SandboxPolicy, WorkspaceWrite
from code_core.sandbox.confinement import Confinement, confinement_of
from code_core.sandbox.detection import detect
from code_core.sandbox.placeholders import placeholders
from code_core.sandbox.sandbox import Launch, Sandbox
from code_mcp_client import (
    ClientCallbacks,
    McpClient,
    McpClientConfig,
    ServerStartError,
    parse_capacity,
)

if TYPE_CHECKING:
    from code_mcp_client.sign_in import Auth

# A server needs its mounts for as long as it runs, which is until the conversation ends.
_held = ExitStack()
atexit.register(_held.close)

SAFE_PATH = "PYTHONSAFEPATH"
DIRECTORIES = "mcp"


@frozen
class Workplace:
    """The surroundings in which servers are started.

    Attributes:
        cwd: the working directory, for relative paths in settings.
        home: the agent's home directory.
        policy: the sandbox policy for servers with `sandbox = true`, as for commands.
        environ: the environment, part of which is passed on.
    """

    cwd: Path
    home: Path
    policy: SandboxPolicy
    environ: Mapping[str, str]


@frozen
class Prepared:
    """A client that is not open yet, and warnings about how its server starts."""

    client: McpClient
    warnings: tuple[str, ...] = ()


def prepare(
    name: str, table: McpServerTable, workplace: Workplace, callbacks: ClientCallbacks | None = None
) -> Prepared:
    """Create the client that a server's settings describe. Does IO: call it in a thread.

    Raises:
        McpClientError: a setting is unusable.
    """
    capacity = None
    if table.buffer_capacity is not None:
        capacity = parse_capacity(table.buffer_capacity, f"mcp_servers.{name}.buffer_capacity")
    config = McpClientConfig(
        buffer_capacity=capacity,
        startup_timeout=table.startup_timeout,
        tool_timeout=table.tool_timeout_sec,
    )
    if table.url is not None:
        return Prepared(_http_client(name, table, workplace.home, config, callbacks))
    directory = _directory(name, table, workplace)
    environment = _environment(table, workplace)
    warnings: list[str] = []
    program, found_in_workspace = _program(table, workplace, environment)
    if found_in_workspace:
        warnings.append(
            f"MCP server {name!r} starts {program}, which is in the working directory: "
            "whatever a command or a patch writes there runs outside the sandbox"
        )
    if table.cwd is None:
        warnings += [
            f"MCP server {name!r} starts in {directory}, where its argument {argument!r} does not exist: "
            f"write the full path, or set mcp_servers.{name}.cwd"
            for argument in table.args
            if not argument.startswith("-") and _is_relative_path(argument, workplace.cwd)
        ]
    client = McpClient.stdio(
        program,
        table.args,
        environment,
        config=config,
        env_vars=table.env_vars,
        cwd=directory,
        callbacks=callbacks,
        confine=_confine(table, workplace, directory) if table.sandbox else None,
    )
    return Prepared(client, tuple(warnings))


def roots_of(table: McpServerTable, cwd: Path) -> list[Path]:
    """Return the directories announced to a server as roots.

    These are the `roots` setting or, because servers let roots replace their arguments, the directories
    among its arguments, or the working directory.
    """
    if table.roots is not None:
        return [cwd / expand_home(root) for root in table.roots]
    named = [cwd / expand_home(argument) for argument in table.args if argument.startswith(("/", "~", "."))]
    return [Path(os.path.normpath(path)) for path in named if path.is_dir()] or [cwd]


def token_path(home: Path, name: str) -> Path:
    """The file that holds the tokens for a server, if the user has signed in to it."""
    return home / MCP_TOKENS / f"{name}.json"


def _http_client(
    name: str, table: McpServerTable, home: Path, config: McpClientConfig, callbacks: ClientCallbacks | None
) -> McpClient:
    headers = dict(table.http_headers)
    if table.bearer_token is not None and table.bearer_token_env_var is None:
        headers["Authorization"] = f"Bearer {table.bearer_token.get_secret_value()}"
    return McpClient.http(
        table.url or "",
        config=config,
        headers=headers,
        bearer_token_env_var=table.bearer_token_env_var,
        auth=_saved_sign_in(name, table, home),
        callbacks=callbacks,
    )


def _saved_sign_in(name: str, table: McpServerTable, home: Path) -> "Auth | None":
    """Return the auth that sends the tokens from `code mcp login`, unless the settings contain a token."""
    path = token_path(home, name)
    configured = (
        table.bearer_token is not None
        or table.bearer_token_env_var is not None
        or any(header.lower() == "authorization" for header in table.http_headers)
    )
    if configured or table.url is None or not path.exists():
        return None
    from code_mcp_client.sign_in import TokenFile, saved_sign_in

    file = TokenFile(path, table.url)
    return saved_sign_in(table.url, file, f"code mcp login {name}") if file.has_tokens else None


def _directory(name: str, table: McpServerTable, workplace: Workplace) -> Path:
    """The directory to run the server in: a private one in the home directory, where nothing else writes."""
    if table.cwd is not None:
        return workplace.cwd / expand_home(table.cwd)
    directory = workplace.home / DIRECTORIES / name
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        return Path("/")  # the home directory is read-only, so use one that nothing writes to
    return directory


def _environment(table: McpServerTable, workplace: Workplace) -> dict[str, str]:
    """The variables set for the server in addition to those passed on."""
    environment: dict[str, str] = {}
    if not any(_is_script_elsewhere(argument, workplace.cwd) for argument in table.args):
        environment[SAFE_PATH] = "1"
    if path := workplace.environ.get("PATH"):
        environment["PATH"] = _outside(path, workplace)
    return environment | table.env


def _outside(path: str, workplace: Workplace) -> str:
    """Return `path` without relative entries and entries in the workspace, unless that contains the user's home."""
    workspace = _workspace(workplace.cwd)
    user_home = Path(os.path.realpath(expand_home("~")))
    kept = [entry for entry in path.split(os.pathsep) if entry.startswith(os.sep)]
    if not user_home.is_relative_to(workspace):
        kept = [entry for entry in kept if not _is_below(Path(entry), workspace)]
    return os.pathsep.join(kept)


def _program(table: McpServerTable, workplace: Workplace, environment: Mapping[str, str]) -> tuple[str, bool]:
    """Return the program to start and whether it is in the workspace.

    Raises:
        ServerStartError: it exists only in the workspace and was not given by path.
    """
    command = os.path.expanduser(table.command or "")  # noqa: PTH111 - Path would drop a significant "./"
    workspace = _workspace(workplace.cwd)
    if os.sep in command:
        base = workplace.cwd if table.cwd is None else workplace.cwd / expand_home(table.cwd)
        program = Path(os.path.normpath(base / command))
        return str(program), _is_below(program, workspace)
    found = shutil.which(command, path=environment.get("PATH", os.defpath))
    if found is None and (elsewhere := shutil.which(command, path=workplace.environ.get("PATH", ""))):
        raise ServerStartError(
            f"cannot start MCP server {command!r}: it is only in the workspace, as {elsewhere}; "
            "write that path as its command if it is yours"
        )
    return command, found is not None and _is_below(Path(found), workspace)


def _workspace(cwd: Path) -> Path:
    return Path(os.path.realpath(repository_root(cwd) or cwd))


def _is_below(path: Path, directory: Path) -> bool:
    """Whether `path`, or its target if it is a link, is below `directory`."""
    real_parent = Path(os.path.realpath(path.parent))
    return (real_parent / path.name).is_relative_to(directory) or Path(os.path.realpath(path)).is_relative_to(
        directory
    )


def _is_relative_path(argument: str, cwd: Path) -> bool:
    try:
        return not argument.startswith(("/", "~")) and (cwd / argument).exists()
    except (OSError, ValueError):
        return False


def _is_script_elsewhere(argument: str, cwd: Path) -> bool:
    """Whether this is a script outside the workspace, which needs to import modules from its own directory."""
    path = Path(argument)
    return path.is_absolute() and path.suffix == ".py" and not _is_below(path, _workspace(cwd))


def _confine(table: McpServerTable, workplace: Workplace, directory: Path) -> "_Confine":
    """Return what starts programs with the permissions of commands and a writable directory of their own.

    Raises:
        ServerStartError: this machine has no sandbox.
    """
    detection = detect()
    if detection.sandbox is None:
        raise ServerStartError(f"sandbox = true, but this machine has no sandbox: {detection}")
    policy = workplace.policy
    if not isinstance(policy, WorkspaceWrite):
        policy = ReadOnly()
    confinement = confinement_of(policy, workplace.cwd, workplace.home, workplace.environ)
    own = (Path(os.path.realpath(directory)),) if table.cwd is None else ()
    return _Confine(
        detection.sandbox,
        replace(
            confinement,
            writable=(*confinement.writable, *own),
            network=table.network_access,
        ),
    )


@frozen
class _Confine:
    sandbox: Sandbox
    confinement: Confinement

    def __call__(
        self, argv: Sequence[str], cwd: Path, environment: Mapping[str, str]
    ) -> AbstractContextManager[Launch]:
        ready = self.confinement
        if self.sandbox.protects:
            ready = _held.enter_context(placeholders(ready))
        return _begun(self.sandbox.confined(argv, ready, cwd, environment))


@contextmanager
def _begun(confined: AbstractContextManager[Launch]) -> Iterator[Launch]:
    """`confined`, raising the client's errors.

    Raises:
        ServerStartError: the server cannot be started.
    """
    try:
        with confined as launch:
            yield launch
    except SpawnError as error:
        raise ServerStartError(f"cannot start an MCP server: {error}") from error
