"""What a list shows of a session."""

from pathlib import Path

from code_core.frozen import frozen


@frozen
class SessionRecord:
    """A stored session, as lists show it; a text that is not known is empty.

    Attributes:
        created: when it began, in UTC as `2026-01-31T23:59:59.999Z`.
        updated_ns: when its file changed last, in nanoseconds since 1970.
        preview: how the user's first message begins; empty before the first turn.
        archived: whether it is left out of the usual lists.
    """

    id: str
    path: Path
    updated_ns: int
    bytes: int
    archived: bool
    created: str = ""
    cwd: str = ""
    name: str = ""
    preview: str = ""
    model: str = ""
    model_provider: str = ""
    git_branch: str = ""
    source: str = ""
    originator: str = ""
    cli_version: str = ""
    forked_from: str = ""

    @property
    def title(self) -> str:
        """What to call it: its name, else how it begins, else its id."""
        return self.name or self.preview or self.id
