"""Starting a server: finding its program, its pipes, and trying again when the machine is short."""

import errno
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import anyio
from anyio.abc import Process

from code_mcp_client.errors import ServerNotFound, ServerStartError

_OUTPUT_PIPE_SIZE = 1024 * 1024
_RETRY_DELAYS = (0.0, 0.01, 0.05)
_SHORTAGES = (errno.EAGAIN, errno.ENOMEM)


class Confined(Protocol):
    """What to start in place of a command, to have it confined."""

    @property
    def argv(self) -> list[str]:
        """The program and its arguments."""

    @property
    def environment(self) -> dict[str, str]:
        """All its variables."""

    @property
    def fds(self) -> tuple[int, ...]:
        """Descriptors to hand on."""


Confine = Callable[[Sequence[str], Path, Mapping[str, str]], AbstractContextManager[Confined]]
"""Confines a command, given with its directory and environment; the context is left when it has been started."""


@dataclass(frozen=True, slots=True)
class ServerCommand:
    """What to start: `environment` is all the server gets, and its PATH is where `program` is looked for."""

    program: str
    args: Sequence[str]
    environment: dict[str, str]
    cwd: Path | None = None
    confine: Confine | None = None

    def confined(self, argv: Sequence[str]) -> AbstractContextManager[Confined]:
        """What to start for `argv`, confined or not."""
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
    """A started server and this side's ends of its pipes, all non-blocking.

    Attributes:
        output_size: bytes the pipe behind `stdout` holds; what one read can return at most.
    """

    process: Process
    stdin: int
    stdout: int
    stderr: int
    output_size: int


async def launch(command: ServerCommand) -> Launched:
    """Start a server in a session and process group of its own.

    Raises:
        ServerNotFound: there is no such program.
        ServerStartError: the folder does not exist, the program cannot be executed, or the
            machine stayed short of processes or memory over three more attempts.
    """
    program = checked_program(command)
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
    return Launched(process, ours[0], ours[1], ours[2], output_size)


def checked_program(command: ServerCommand) -> str:
    """The path of the command's program, looked for as the server's own shell would.

    Raises:
        ServerNotFound: there is no such file, or none that may be executed.
        ServerStartError: the folder to run in does not exist.
    """
    if command.cwd is not None and not command.cwd.is_dir():
        raise ServerStartError(f"cannot start MCP server {command.program!r}: no folder {command.cwd}")
    if os.path.dirname(command.program):  # noqa: PTH120 - Path("./x") would lose the "./" that decides
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
    """Start a process, three more times if the machine is short.

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
    """Ask for a 1 MiB pipe: a large answer then takes a sixteenth of the wake-ups.

    An unprivileged user has room for about 64 such pipes; later ones stay as they are.
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
