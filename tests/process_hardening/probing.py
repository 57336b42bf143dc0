"""Runs the probe and reads its report."""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from process_hardening.accounts import Account

BASE = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": "/nonexistent"}


@contextmanager
def running(
    account: Account, command: list[str], environment: Mapping[Any, Any] | None = None, **options: Any
) -> Iterator[tuple[int, dict[str, Any]]]:
    """The process id and the report of a probe that stays alive inside the block."""
    process = account.start(
        command,
        env={**BASE, **(environment or {})},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        **{"cwd": "/", **options},
    )
    assert process.stdin
    assert process.stdout
    try:
        line = process.stdout.readline()
        assert line, f"{command} ended with {process.wait(10)}"
        yield process.pid, json.loads(line)
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait(10)


def report_of(
    account: Account, command: list[str], environment: Mapping[Any, Any] | None = None, **options: Any
) -> dict[str, Any]:
    with running(account, command, environment, **options) as (_, report):
        return report
