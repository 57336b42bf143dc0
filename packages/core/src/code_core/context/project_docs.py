"""AGENTS.md: what a project's people want an agent to know."""

from pathlib import Path

from code_core.context.git import repository_root
from code_core.protocol.items import InputText, Message

FILE_NAMES = ("AGENTS.override.md", "AGENTS.md")
SEPARATOR = "\n\n--- project-doc ---\n\n"


def project_docs(cwd: Path, limit: int) -> str:
    """The AGENTS.md files from the git root down to `cwd`, one per directory, `limit` bytes in all."""
    texts: list[str] = []
    for directory in _from_root(cwd):
        for name in FILE_NAMES:
            text = _read(directory / name, limit)
            if text is not None:
                limit -= len(text.encode())
                texts.append(text.strip())
                break
    return "\n\n".join(text for text in texts if text)


def user_instructions(home: Path, own: str | None, cwd: Path, limit: int) -> Message | None:
    """The user's and the project's instructions as one message; None when there are none."""
    parts = [own, _read(home / "AGENTS.md", limit)]
    mine = "\n\n".join(part.strip() for part in parts if part and part.strip())
    docs = project_docs(cwd, limit)
    text = SEPARATOR.join(part for part in (mine, docs) if part)
    if not text:
        return None
    return Message(
        role="user", content=[InputText(text=f"<user_instructions>\n\n{text}\n\n</user_instructions>")]
    )


def _from_root(cwd: Path) -> list[Path]:
    """The directories from the git root to `cwd`; only `cwd` outside of a repository."""
    root = repository_root(cwd) or cwd
    below = cwd.relative_to(root).parts
    return [root.joinpath(*below[:depth]) for depth in range(len(below) + 1)]


def _read(path: Path, limit: int) -> str | None:
    """The first `limit` bytes of a regular file, or None."""
    if limit <= 0 or not path.is_file():
        return None
    try:
        with path.open("rb") as file:
            return file.read(limit).decode("utf-8", "replace")
    except OSError:
        return None
