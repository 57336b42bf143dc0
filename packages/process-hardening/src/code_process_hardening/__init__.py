"""Hardening at interpreter startup, and locked memory for secrets.

Names are imported on first use: the startup hook imports this package in processes that have not
decided whether to be hardened, and must cost them almost nothing.
"""

TYPE_CHECKING = False  # type checkers treat it as true; importing `typing` costs 3 ms
if TYPE_CHECKING:
    from code_process_hardening.confinement import Confinement, confine, landlock_abi
    from code_process_hardening.erase import take_variable
    from code_process_hardening.errors import (
        CoreLimitError,
        DenyTraceError,
        HardeningError,
        RestartError,
        SecretMemoryError,
        TracerAttachedError,
    )
    from code_process_hardening.memory import deny_memory_access
    from code_process_hardening.premain import harden, pre_main_hardening
    from code_process_hardening.report import HardeningReport, Outcome, Step
    from code_process_hardening.restart import isolated_command
    from code_process_hardening.secret import MemoryKind, SecretBuffer

__all__ = [
    "Confinement",
    "CoreLimitError",
    "DenyTraceError",
    "HardeningError",
    "HardeningReport",
    "MemoryKind",
    "Outcome",
    "RestartError",
    "SecretBuffer",
    "SecretMemoryError",
    "Step",
    "TracerAttachedError",
    "confine",
    "deny_memory_access",
    "harden",
    "isolated_command",
    "landlock_abi",
    "pre_main_hardening",
    "take_variable",
]

_MODULES = {
    "Confinement": "confinement",
    "confine": "confinement",
    "landlock_abi": "confinement",
    "deny_memory_access": "memory",
    "harden": "premain",
    "pre_main_hardening": "premain",
    "isolated_command": "restart",
    "HardeningReport": "report",
    "Outcome": "report",
    "Step": "report",
    "MemoryKind": "secret",
    "SecretBuffer": "secret",
    "take_variable": "erase",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_MODULES.get(name, 'errors')}"), name)
