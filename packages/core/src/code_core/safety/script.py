"""What a script contains, and the parts of its grammar that join commands."""

from collections.abc import Iterator

PROCESS = "<()"
"""How the reader represents a process substitution."""


class TooComplexError(Exception):
    """The command is too long or too deeply nested to determine what it runs."""


class Script:
    """The contents of a script.

    Attributes:
        commands: the words of each command, wherever it occurs.
        documents: the bodies of here-documents and here-strings.
        pipes: for each command that reads from a pipe, the index of the first command of the pipeline, of the first
            command after that pipe, and of the command itself.
    """

    def __init__(self) -> None:
        self.commands: list[list[str]] = []
        self.documents: list[str] = []
        self.pipes: list[tuple[int, int, int]] = []


class Cases:
    """The position of a list of commands within `case … esac`.

    Attributes:
        open: the number of open `case` statements, in which a `)` ends a pattern.
        pattern: whether a pattern follows, which is not a command: after `case x in` and `;;`.
        last: the last keyword.
    """

    def __init__(self) -> None:
        self.open = 0
        self.pattern = False
        self.last = ""

    def keyword(self, word: str) -> None:
        """Process a keyword; after `for` it is a name."""
        named = self.last in {"for", "select", "function"}
        self.last = "" if named else word
        if not named:
            self.open = max(0, self.open + (word == "case") - (word == "esac"))
            self.pattern = self.pattern and word != "esac"


class Pipeline:
    """The commands of a list that are joined by pipes."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._start = self._last = len(script.commands)

    def goes_on(self, *, piped: bool) -> None:
        """End a command; `piped` says whether a pipe leads to the next one."""
        commands = self._script.commands
        if not piped and len(commands) == self._last > self._start:
            return  # a pipe at the end of a line continues on the next
        if self._last > self._start:
            fed = range(self._last, len(commands))
            self._script.pipes += [(self._start, self._last, command) for command in fed]
        self._last = len(commands)
        if not piped:
            self._start = self._last


class Redirected:
    """What redirections add to the words of a command.

    Attributes:
        before: the words before the last `&>`, which redirects in bash, but ends the command in other shells.
        inputs: a `PROCESS` for each process substitution that the command reads as standard input.
    """

    def __init__(self) -> None:
        self.before: list[str] = []
        self.inputs: list[str] = []

    def ended(self, words: list[str]) -> Iterator[list[str]]:
        """Yield the commands that a shell may run when `words` are the last ones."""
        if words:
            yield [*words, *self.inputs]
        if self.before:
            yield [*self.before, *words, *self.inputs]
