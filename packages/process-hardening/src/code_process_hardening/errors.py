"""What can fail here.

RuntimeError
└── HardeningError              a step that must succeed did not; carries the process's exit code
    ├── TracerAttachedError     5: a debugger is already attached
    ├── DenyTraceError          5 on Linux, 6 on macOS: memory cannot be closed to other processes
    ├── RestartError            5: the interpreter cannot be restarted isolated
    └── CoreLimitError          7: core files cannot be turned off
OSError
└── SecretMemoryError           no locked memory to hold a secret
"""


class HardeningError(RuntimeError):
    """A step of the hardening failed: the process must not go on."""

    exit_code = 5


class TracerAttachedError(HardeningError):
    """Another process traces this one already, and may have read everything."""


class DenyTraceError(HardeningError):
    """The kernel refused to close this process's memory to other processes."""

    def __init__(self, message: str, *, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class RestartError(HardeningError):
    """The interpreter could not be started again, isolated and with a clean environment."""


class CoreLimitError(HardeningError):
    """Core files could not be turned off."""

    exit_code = 7


class SecretMemoryError(OSError):
    """No memory could be locked for a secret."""
