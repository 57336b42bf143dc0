"""Hardening: takes the steps in order, reports them, and exits if one fails."""

import os
import sys
from collections.abc import Iterable

from code_process_hardening.environment import unsafe_names
from code_process_hardening.errors import HardeningError
from code_process_hardening.restart import is_isolated, restart_isolated

TYPE_CHECKING = False  # type checkers treat it as true; importing `typing` costs 3 ms
if TYPE_CHECKING:
    from typing import NoReturn

    from code_process_hardening.report import HardeningReport, Step

_done: "HardeningReport | None" = None


def pre_main_hardening(module: str | None = None, *, allow: Iterable[str] = ()) -> "HardeningReport":
    """Harden this process, or end it with one line on stderr and exit code 5, 6 or 7.

    With `module`, the program to run, the interpreter is first replaced by an isolated one that runs it,
    unless it is already isolated. `allow` keeps variables that would be removed. Repeated calls return
    the first report.
    """
    try:
        allow = tuple(allow)
        if _done is None and module is not None and not is_isolated(allow):
            restart_isolated(module, allow)
        return harden(allow=allow)
    except HardeningError as error:
        _refuse(str(error), error.exit_code)
    except Exception as error:  # noqa: BLE001 - continuing half-hardened would be worse
        _refuse(f"{type(error).__name__}: {error}", HardeningError.exit_code)


def harden(*, allow: Iterable[str] = ()) -> "HardeningReport":
    """Harden this process without a restart and return a report.

    Raises:
        HardeningError: a required step failed; the process should exit with its `exit_code`.
    """
    global _done  # noqa: PLW0603 - a process is hardened once
    if _done is None:
        from code_process_hardening.report import HardeningReport

        _done = HardeningReport(sys.platform, (*_platform_steps(), _strip_environment(allow)))
    return _done


def _platform_steps() -> "tuple[Step, ...]":
    # A variable, because type checkers treat `sys.platform` as a constant and skip the other branches.
    platform: str = sys.platform
    match platform:
        case "linux":
            from code_process_hardening import linux

            return linux.steps()
        case "darwin":
            from code_process_hardening import macos

            return macos.steps()
        case _:
            from code_process_hardening import unsupported

            return unsupported.steps()


def _strip_environment(allow: Iterable[str]) -> "Step":
    from code_process_hardening.report import Outcome, Step

    # `os.environ` maps names that are not UTF-8 to surrogates and back, and exists on every platform.
    removed = [os.fsdecode(name) for name in unsafe_names(map(os.fsencode, os.environ), allow)]
    for name in removed:
        del os.environ[name]
    detail = ", ".join(removed)
    return Step("environment cleaned", Outcome.DONE, f"removed {detail}" if detail else "")


def _refuse(reason: str, code: int) -> "NoReturn":
    line = f"code-process-hardening: {' '.join(reason.split())}\n"
    os.write(2, line.encode(errors="backslashreplace"))
    os._exit(code)
