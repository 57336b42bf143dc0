"""Restarts the interpreter once, to undo what the environment did before any Python code could run."""

import os
import sys
from collections.abc import Iterable, Sequence

from code_process_hardening.environment import cleaned, has_loader_names, unsafe_names
from code_process_hardening.errors import RestartError

NO_REMOTE_DEBUG = "disable-remote-debug"


def is_isolated(allow: Iterable[str] = ()) -> bool:
    """Whether this interpreter ignores the environment, the user's packages, and remote debuggers.

    Variables that a restart would keep, because `allow` names them, do not count.
    """
    if os.name != "posix":
        return True  # `execve` there starts a second process and ends this one
    options: dict[str, str | bool] = sys._xoptions  # noqa: SLF001 - the documented name
    loaded = has_loader_names(unsafe_names(os.environb, allow))
    return bool(sys.flags.isolated) and NO_REMOTE_DEBUG in options and not loaded


def isolated_command(module: str, arguments: Sequence[str]) -> list[str]:
    """Return the command that runs `module` in isolated mode."""
    return [sys.executable, "-I", "-X", NO_REMOTE_DEBUG, "-m", module, *arguments]


def restart_isolated(module: str, allow: Iterable[str] = ()) -> None:
    """Replace this process by one that runs `module` in isolated mode, with the same arguments; never returns.

    Raises:
        RestartError: the system refused.
    """
    if not sys.executable:
        raise RestartError(
            "cannot restart isolated: this interpreter does not know its own path; run it by its full path"
        )
    try:
        os.execve(  # noqa: S606 - no shell is the point
            sys.executable, isolated_command(module, sys.argv[1:]), cleaned(os.environb, allow)
        )
    except OSError as error:
        raise RestartError(f"cannot restart {sys.executable} isolated: {error}") from error
