"""See `machine`. `CODE_MACHINE=large` runs many more and longer examples."""

import os

from hypothesis import HealthCheck, settings

from core.session.disk_machine import DiskMachine
from core.session.machine import SessionMachine

LARGE = os.environ.get("CODE_MACHINE") == "large"
EVERYTHING = [*HealthCheck]

SessionMachine.TestCase.settings = settings(
    max_examples=2_000 if LARGE else 60,
    stateful_step_count=80 if LARGE else 40,
    deadline=None,
    suppress_health_check=EVERYTHING,
)
DiskMachine.TestCase.settings = settings(
    max_examples=500 if LARGE else 20,
    stateful_step_count=60 if LARGE else 30,
    deadline=None,
    suppress_health_check=EVERYTHING,
)
TestSession = SessionMachine.TestCase
TestSessionOnDisk = DiskMachine.TestCase
