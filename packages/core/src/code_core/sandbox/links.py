"""Finds the targets of the symlinks in a directory."""

import os
from collections.abc import Collection, Iterator
from itertools import islice
from pathlib import Path

MOST_ENTRIES = 1_000
"""Limit on entries of a settings directory; further ones are ignored."""


def targets_of_links(folder: Path, names: Collection[str] | None = None) -> Iterator[Path]:
    """Yield the existing targets of the symlinks in `folder`, of all or of those in `names`."""
    try:
        with os.scandir(folder) as entries:
            links = [
                entry.path
                for entry in islice(entries, MOST_ENTRIES)
                if entry.is_symlink() and (names is None or entry.name in names)
            ]
    except OSError:
        return
    yield from (Path(real) for link in links if os.path.exists(real := os.path.realpath(link)))  # noqa: PTH110 - `Path.exists` raises
