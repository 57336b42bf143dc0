"""The record of a session that lists show."""

from pathlib import Path

from code_core.frozen import frozen


@frozen
class SessionRecord:
    """A stored session as shown in lists; unknown texts are empty.

    Attributes:
        created: when it began, in UTC as `2026-01-31T23:59:59.999Z`.
        updated_ns: when its file last changed, in nanoseconds since 1970.
        preview: the beginning of the user's first message; empty before the first turn.
        archived: whether it is hidden from the usual lists.
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
        """Its name, or else its preview, or else its id."""
        return self.name or self.preview or self.id
