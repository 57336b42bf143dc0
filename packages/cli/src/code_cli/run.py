"""Runs a frontend and turns failures into one line and an exit code."""

import errno
import gc
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

FAILED, USAGE, INTERRUPTED = 1, 2, 130
LONGEST_MESSAGE = 1_000
_WRITES = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})


def run_frontend(frontend: Callable[[], Awaitable[int]]) -> None:
    """Run `frontend` and exit with its code: 1 for a failure, 2 for invalid settings, 130 when interrupted."""
    import anyio

    from code_core.errors import CodeError, ConfigError
    from code_core.logs import configure_logging

    code = FAILED
    try:
        configure_logging(os.environ)
        _collect_garbage()
        raise_on_interrupt()
        code = anyio.run(frontend)
    except* ConfigError as errors:
        code = _report(errors, USAGE)
    except* CodeError as errors:
        code = _report(errors, FAILED)
    except* BrokenPipeError:
        _abandon_output()
    except* OSError as errors:
        code = _report(errors, FAILED)  # such as a full disk or a deleted file
        _abandon_output()
    except* KeyboardInterrupt:
        code = INTERRUPTED
    gc.freeze()  # the interpreter's final garbage collection would traverse every object
    sys.exit(code)


@contextmanager
def settings_checked() -> Iterator[None]:
    """Exit with 2 and one line if the settings are invalid."""
    from code_core.errors import ConfigError

    try:
        yield
    except ConfigError as error:
        sys.exit(_report(error, USAGE))


def report_os_error(error: OSError) -> int:
    """Print one line about an unexpected OS error, such as a full disk, and return the exit code."""
    code = _report(error, FAILED)
    _abandon_output()
    return code


def raise_on_interrupt() -> None:
    """Let Ctrl+C raise `KeyboardInterrupt` again, so that running work is cancelled and cleaned up."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _collect_garbage() -> None:
    """Collect garbage from now on, excluding the permanent objects created by imports."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def _report(error: BaseException, code: int) -> int:
    inner = error
    while isinstance(inner, BaseExceptionGroup):
        inner = inner.exceptions[0]
    from code_core.view.visible import readable

    text = readable(_os_error_text(inner) if isinstance(inner, OSError) else str(inner))
    text = text.replace("\n", "\\n")  # from a file's name, for example
    if len(text) > LONGEST_MESSAGE:
        text = f"{text[: LONGEST_MESSAGE // 2]} … {text[-LONGEST_MESSAGE // 2 :]}"
    print(f"code: {text}", file=sys.stderr)
    return code


def _os_error_text(error: OSError) -> str:
    """What failed, and on what; a write error without a file name concerns the output."""
    reason = error.strerror or str(error)
    if error.filename is not None:
        return f"{os.fsdecode(error.filename)}: {reason}"
    if error.errno == errno.EBADF and sys.__stdout__ is None:
        return "the output cannot be written: standard output is closed"
    if error.errno in _WRITES:
        return f"the output cannot be written: {reason}"
    return reason


def _abandon_output() -> None:
    """Discard further output, because it can no longer be written when the interpreter ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
