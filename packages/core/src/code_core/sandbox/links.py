"""Where the symlinks in a directory lead."""

import os
from collections.abc import Collection, Iterator
from itertools import islice
from pathlib import Path

MOST_ENTRIES = 1_000
"""Of a directory of settings; where there are more, those after the first are not looked at."""


def targets_of_links(folder: Path, names: Collection[str] | None = None) -> Iterator[Path]:
    """What exists at the ends of the symlinks in `folder`, of all or of those with the given `names`."""
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
