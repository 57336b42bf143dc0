"""The directory that a command works in."""

import os
from pathlib import Path

import click


def absolute_directory(cwd: Path | None) -> Path:
    """The absolute path of `cwd`, of the current directory if None; links are kept.

    Raises:
        click.UsageError: the current directory is needed and has been deleted.
    """
    try:
        return Path(os.path.abspath(cwd or "."))  # noqa: PTH100 - `resolve` would follow links
    except FileNotFoundError:
        raise click.UsageError("the current directory no longer exists: change to another one") from None
