"""Pauses garbage collection while a large value grows."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collection_paused(worth_it: bool) -> Iterator[None]:
    """Pause garbage collection, which would repeatedly walk the growing value without finding anything."""
    if not worth_it or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
