"""Hardening errors.

RuntimeError
└── HardeningError              a required step failed; carries the exit code for the process
    ├── TracerAttachedError     5: a debugger is already attached
    ├── DenyTraceError          5 on Linux, 6 on macOS: memory cannot be closed to other processes
    ├── RestartError            5: the interpreter cannot be restarted in isolated mode
    └── CoreLimitError          7: core files cannot be turned off
OSError
└── SecretMemoryError           no locked memory for a secret
"""


class HardeningError(RuntimeError):
    """A hardening step failed, and the process must not continue."""

    exit_code = 5


class TracerAttachedError(HardeningError):
    """Another process is already tracing this one and may have read everything."""


class DenyTraceError(HardeningError):
    """The kernel refused to close this process's memory to other processes."""

    def __init__(self, message: str, *, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class RestartError(HardeningError):
    """The interpreter could not be restarted in isolated mode with a clean environment."""


class CoreLimitError(HardeningError):
    """Core files could not be turned off."""

    exit_code = 7


class SecretMemoryError(OSError):
    """No memory could be locked for a secret."""
