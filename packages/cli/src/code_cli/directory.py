"""The working directory of a command."""

import os
from pathlib import Path

import click


def absolute_directory(cwd: Path | None) -> Path:
    """Return the absolute path of `cwd`, or of the current directory if None; links are kept.

    Raises:
        click.UsageError: the current directory is needed but has been deleted.
    """
    try:
        return Path(os.path.abspath(cwd or "."))  # noqa: PTH100 - `resolve` would follow links
    except FileNotFoundError:
        raise click.UsageError("the current directory no longer exists: change to another one") from None
