"""Protects the memory of a process that is not fully hardened."""

import sys

from code_process_hardening.report import Outcome, Step


def deny_memory_access() -> Step:
    """Close this process's memory, environment and descriptors to other processes of the user (Linux).

    It can no longer be debugged and leaves no core file. Programs that it starts are not affected, because `execve`
    ends the protection.

    Raises:
        DenyTraceError: the system refused.
    """
    platform: str = sys.platform  # a variable, because type checkers treat it as a constant
    if platform != "linux":
        return Step("memory closed to other processes", Outcome.UNAVAILABLE, f"not on {platform}")
    from code_process_hardening import linux

    return linux.deny_memory_access()
