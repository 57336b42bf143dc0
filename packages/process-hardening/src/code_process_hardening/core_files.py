"""Disables core files, so that a crash does not write the memory to disk."""

import resource

from code_process_hardening.errors import CoreLimitError
from code_process_hardening.report import Outcome, Step


def no_core_files() -> Step:
    """Set the core file size limit to zero, for this process and its children.

    Raises:
        CoreLimitError: the system refused.
    """
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (OSError, ValueError) as error:
        raise CoreLimitError(f"cannot turn core files off: {error}") from error
    return Step("no core files", Outcome.DONE)
