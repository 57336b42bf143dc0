"""AGENTS.md: a project's instructions for agents."""

import os
import stat
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from code_core.context.git import find_checkout
from code_core.files.checkout import Checkout, DistrustedFileError, own_ids, within_seconds
from code_core.frozen import frozen
from code_core.protocol.items import InputText, Message
from code_core.view.visible import visible

FILE_NAMES = ("AGENTS.override.md", "AGENTS.md")
SEPARATOR = "\n\n--- project-doc ---\n\n"


@frozen
class Instructions:
    """The message sent before the first input, and warnings for the user about it.

    Attributes:
        message: the user's and the project's instructions, if any.
        warnings: which files are omitted or cut, and why; safe for a terminal.
    """

    message: Message | None
    warnings: tuple[str, ...] = ()


@frozen
class ProjectDocs:
    """The texts of AGENTS.md files, and why some are missing."""

    text: str
    warnings: tuple[str, ...] = ()


def project_docs(cwd: Path, limit: int) -> ProjectDocs:
    """Read the AGENTS.md files from the git root down to `cwd`, one per directory, up to `limit` bytes in total.

    Outside a repository, only the one in `cwd`. Files are read as by `Checkout`, within 2 seconds in total.
    """
    if limit <= 0:
        return ProjectDocs("")
    try:
        return within_seconds(f"the AGENTS.md of {_shown(cwd)}", partial(_project_docs, cwd, limit))
    except DistrustedFileError as error:
        return ProjectDocs("", (_shown(error),))


def user_instructions(home: Path, own: str | None, cwd: Path, limit: int) -> Instructions:
    """Return the user's and the project's instructions as one message."""
    parts = [own, _read_own(home / "AGENTS.md", limit)]
    mine = "\n\n".join(part.strip() for part in parts if part and part.strip())
    docs = project_docs(cwd, limit)
    text = SEPARATOR.join(part for part in (mine, docs.text) if part)
    if not text:
        return Instructions(None, docs.warnings)
    content = InputText(text=f"<user_instructions>\n\n{text}\n\n</user_instructions>")
    return Instructions(Message(role="user", content=[content]), docs.warnings)


def _project_docs(cwd: Path, limit: int) -> ProjectDocs:
    texts: list[str] = []
    warnings: list[str] = []
    cwd = Path(os.path.realpath(cwd))
    checkout = find_checkout(cwd) or Checkout(cwd, own_ids())
    for directory in _from_root(checkout.root, cwd):
        for name in FILE_NAMES:
            try:
                data = checkout.read(directory / name)
            except DistrustedFileError as error:
                warnings.append(_shown(error))
                continue
            if data is None:
                continue
            if len(data) > limit:
                what = f"the first {limit:,} bytes" if limit else "nothing"
                warnings.append(
                    f"{_shown(directory / name)} is too long: {what} of its {len(data):,} bytes reached "
                    "the model (project_doc_max_bytes)"
                )
            text = data[:limit].decode("utf-8", "replace")
            limit -= min(limit, len(data))
            texts.append(text.strip())
            break
    return ProjectDocs("\n\n".join(text for text in texts if text), tuple(warnings))


def _from_root(root: Path, cwd: Path) -> Iterator[Path]:
    """The directories from `root` down to `cwd`."""
    below = cwd.relative_to(root).parts
    return (root.joinpath(*below[:depth]) for depth in range(len(below) + 1))


def _read_own(path: Path, limit: int) -> str | None:
    """The first `limit` bytes of the user's own file, following links, or None if it is not a regular file."""
    if limit <= 0:
        return None
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return None
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            return file.read(limit).decode("utf-8", "replace")
    except OSError:
        return None


def _shown(text: object) -> str:
    """`text` with its file names made safe for a terminal, on one line."""
    return visible(str(text))
