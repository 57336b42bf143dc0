"""Attempts to escape from the sandbox, in groups; `ATTACKS` has all of them.

Each is a Python program that has escaped if it ends without an exception. It has the names of
`runner.PREAMBLE`: its own writable directory `work`, its own `outside`, and a `victim`.
"""

from core.sandbox.attacks import files, git, kernel, lasting, processes, services, settings
from core.sandbox.attacks.attack import Attack

ATTACKS: tuple[Attack, ...] = (
    *files.ATTACKS,
    *settings.ATTACKS,
    *git.ATTACKS,
    *kernel.ATTACKS,
    *processes.ATTACKS,
    *services.ATTACKS,
    *lasting.ATTACKS,
)
