"""Starts a server: finds its program, creates its pipes, and retries when the machine is out of resources."""

import errno
import os
import secrets
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import anyio
from anyio.abc import Process

from code_mcp_client.errors import ServerNotFound, ServerStartError
from code_mcp_client.family import RUN_VARIABLE

_OUTPUT_PIPE_SIZE = 1024 * 1024
_RETRY_DELAYS = (0.0, 0.01, 0.05)
_SHORTAGES = (errno.EAGAIN, errno.ENOMEM)


class Confined(Protocol):
    """The command to start instead of another, in order to confine it."""

    @property
    def argv(self) -> list[str]:
        """The program and its arguments."""

    @property
    def environment(self) -> dict[str, str]:
        """The complete environment."""

    @property
    def fds(self) -> tuple[int, ...]:
        """Descriptors to pass on."""


Confine = Callable[[Sequence[str], Path, Mapping[str, str]], AbstractContextManager[Confined]]
"""Confines a command, given with its directory and environment; the context ends when it has been started."""


@dataclass(frozen=True, slots=True)
class ServerCommand:
    """The command to start; `environment` is complete, and `program` is looked up on its PATH."""

    program: str
    args: Sequence[str]
    environment: dict[str, str]
    cwd: Path | None = None
    confine: Confine | None = None

    def confined(self, argv: Sequence[str]) -> AbstractContextManager[Confined]:
        """Return what to start for `argv`, confined or not."""
        if self.confine is None:
            return nullcontext(_Unconfined(list(argv), self.environment))
        return self.confine(argv, self.cwd or Path.cwd(), self.environment)


@dataclass(frozen=True, slots=True)
class _Unconfined:
    argv: list[str]
    environment: dict[str, str]
    fds: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Launched:
    """A started server and our ends of its pipes, all non-blocking.

    Attributes:
        mark: identifies the server's descendants: the value of `RUN_VARIABLE` in their environment.
        output_size: the capacity of the pipe behind `stdout`, which limits the size of a read.
    """

    process: Process
    mark: str
    stdin: int
    stdout: int
    stderr: int
    output_size: int


async def launch(command: ServerCommand) -> Launched:
    """Start a server in its own session and process group, with a mark in its environment.

    Raises:
        ServerNotFound: the program does not exist.
        ServerStartError: the directory does not exist, the program cannot be executed, or the machine
            is still out of processes or memory after three more attempts.
    """
    program = checked_program(command)
    mark = secrets.token_hex(8)
    command = replace(command, environment={**command.environment, RUN_VARIABLE: mark})
    with ExitStack() as on_failure, ExitStack() as always:
        theirs, ours = [], []
        for read_is_ours in (False, True, True):
            read, write = os.pipe()
            mine, other = (read, write) if read_is_ours else (write, read)
            on_failure.callback(os.close, mine)
            always.callback(os.close, other)
            os.set_blocking(mine, False)
            ours.append(mine)
            theirs.append(other)
        output_size = _widen(ours[1])
        stdin, stdout, stderr = theirs
        process = await spawn([program, *command.args], command, stdin, stdout, stderr)
        on_failure.pop_all()
    return Launched(process, mark, ours[0], ours[1], ours[2], output_size)


def checked_program(command: ServerCommand) -> str:
    """Return the path of the command's program, looked up as the server's own shell would.

    Raises:
        ServerNotFound: the program does not exist or is not executable.
        ServerStartError: the directory to run in does not exist.
    """
    if command.cwd is not None and not command.cwd.is_dir():
        raise ServerStartError(
            f"cannot start MCP server {command.program!r}: there is no directory {command.cwd}"
        )
    if os.path.dirname(command.program):  # noqa: PTH120 - Path("./x") would drop a significant "./"
        path = (command.cwd or Path.cwd()) / command.program
        if not path.is_file():
            raise ServerNotFound(f"cannot start MCP server: {path} does not exist")
        return str(path)
    search = command.environment.get("PATH", os.defpath)
    found = shutil.which(command.program, path=search)
    if found is None:
        raise ServerNotFound(
            f"cannot start MCP server: no program {command.program!r} on its PATH ({search}); "
            "install it or configure its full path"
        )
    return found


async def spawn(argv: list[str], command: ServerCommand, stdin: int, stdout: int, stderr: int) -> Process:
    """Start a process, retrying three times if the machine is out of resources.

    Raises:
        ServerStartError: see `launch`.
    """
    for delay in (*_RETRY_DELAYS, None):
        try:
            with command.confined(argv) as confined:
                return await anyio.open_process(
                    confined.argv,
                    stdin=stdin,
                    stdout=stdout,
                    stderr=stderr,
                    env=confined.environment,
                    cwd=command.cwd,
                    pass_fds=confined.fds,
                    start_new_session=True,
                )
        except OSError as error:
            if error.errno not in _SHORTAGES or delay is None:
                raise ServerStartError(f"cannot start MCP server {argv[0]!r}: {error}") from error
        except ValueError as error:  # a NUL byte in an argument or a variable
            raise ServerStartError(f"cannot start MCP server {argv[0]!r}: {error}") from error
        await anyio.sleep(delay)
    raise AssertionError("the last attempt returns or raises")  # pragma: no cover


def _widen(pipe: int) -> int:
    """Request a 1 MiB pipe, which reduces the wake-ups for a large answer to a sixteenth.

    An unprivileged user can have about 64 such pipes; further ones keep the default size.
    """
    try:
        import fcntl

        set_size, get_size = fcntl.F_SETPIPE_SZ, fcntl.F_GETPIPE_SZ
    except (ImportError, AttributeError):  # not Linux
        return 64 * 1024
    try:
        return fcntl.fcntl(pipe, set_size, _OUTPUT_PIPE_SIZE)
    except OSError:
        return fcntl.fcntl(pipe, get_size)
