"""The resources that this process holds, for comparisons before and after."""

import asyncio
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psutil

_POOL = "AnyIO worker thread"  # waits for more work for some seconds


@dataclass(frozen=True)
class Holdings:
    processes: frozenset[int]
    threads: frozenset[str]
    descriptors: frozenset[str]
    tasks: frozenset[str]

    @classmethod
    def now(cls) -> Self:
        return cls(
            frozenset(child.pid for child in psutil.Process().children(recursive=True)),
            frozenset(name for thread in threading.enumerate() if (name := thread.name) != _POOL),
            frozenset(_descriptors()),
            frozenset(task.get_name() for task in asyncio.all_tasks() if not _is_the_test_runners(task)),
        )

    def beyond(self, before: "Holdings") -> str:
        """The resources held now that were not held before."""
        left = {
            name: sorted(map(str, getattr(self, name) - getattr(before, name)))
            for name in ("processes", "threads", "descriptors", "tasks")
        }
        return ", ".join(f"{name}: {items}" for name, items in left.items() if items)


def _is_the_test_runners(task: asyncio.Task[object]) -> bool:
    return "TestRunner." in repr(task.get_coro())


def _descriptors() -> list[str]:
    found = []
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - names only
        try:
            found.append(f"{name} {Path('/proc/self/fd', name).readlink()}")
        except OSError:  # the one that listed the folder
            continue
    return [each for each in found if "/proc/" not in each]
