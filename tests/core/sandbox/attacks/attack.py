"""An attack, and the mechanisms that are known not to stop it."""

from dataclasses import dataclass
from typing import Literal

Gap = Literal["bwrap", "landlock"]


@dataclass(frozen=True)
class Attack:
    """An attempt.

    Attributes:
        name: what it does, unique in its group.
        program: has succeeded if it ends without an exception.
        gaps: the mechanisms that are known not to stop it.
        private: the mechanisms under which it works, but only on a private resource of the command.
        proof: a path that exists afterwards if it got through, whatever the program thought; with `{token}`.
        shut: whether `allow_git_writes` is off.
        native: the program is a line of arguments for the native helper.
    """

    group: str
    name: str
    program: str
    gaps: tuple[Gap, ...] = ()
    private: tuple[Gap, ...] = ()
    proof: str | None = None
    shut: bool = False
    native: bool = False

    @property
    def ident(self) -> str:
        """Its name, as a file name."""
        return f"{self.group} {self.name}".replace(" ", "-").replace("/", "_")


def table(
    group: str, rows: dict[str, str], gaps: tuple[Gap, ...] = (), *, shut: bool = False
) -> list[Attack]:
    """Attacks of one group with the same gaps, from their names and programs."""
    return [Attack(group, name, program, gaps, shut=shut) for name, program in rows.items()]
