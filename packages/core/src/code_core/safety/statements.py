"""Every command that an argument vector might run, through shells and wrappers."""

import re
from collections.abc import Iterable, Sequence
from itertools import chain, takewhile

from code_core.safety.shell_reader import MOST_NESTING, TooNestedError, read_script
from code_core.safety.shell_words import KEYWORDS, SHELLS, Words

# Programs that run a command which follows their own options and arguments.
WRAPPERS = frozenset(
    "builtin busybox chronic chroot command doas env eval exec fakeroot firejail flock ionice nice nohup parallel "
    "pkexec script setarch setpriv setsid ssh stdbuf strace su sudo taskset time timeout trap unbuffer unshare "
    "watch xargs".split()
)
# Options after which another program runs a command.
_RUNNING_OPTIONS = {
    "find": frozenset({"-exec", "-execdir", "-ok", "-okdir"}),
    "fd": frozenset({"-x", "--exec", "-X", "--exec-batch"}),
    "fdfind": frozenset({"-x", "--exec", "-X", "--exec-batch"}),
}
_MOST_PLACES = 16  # where the command of a wrapper may begin
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*(?:\[[^]]*\])?\+?=")
_LIKE_A_SCRIPT = re.compile(r"[\s;&|()`$]")


def statements(argv: Sequence[str]) -> tuple[Words, ...]:
    """The words of every command that `argv` might run, the outermost first.

    Reads the scripts of shells, of `eval` and the like, substitutions, and what may
    be piped into a shell. Assignments are taken off; a wrapper such as `sudo` is
    taken off at every place where its command may begin. Rather too much than too
    little is found.

    Raises:
        TooNestedError: more than 40 levels of nesting.
    """
    search = _Search()
    search.command(list(argv), 0)
    return tuple(search.found)


def program(words: Sequence[str]) -> str:
    """The name of the program that `words` runs, without its directory."""
    return words[0].rsplit("/", 1)[-1]


class _Search:
    """Looks at every command and every script once."""

    def __init__(self) -> None:
        self.found: dict[Words, None] = {}
        self._scripts: set[str] = set()

    def command(self, words: list[str], depth: int) -> None:
        start = 0
        while start < len(words) and (_ASSIGNMENT.match(words[start]) or words[start] in KEYWORDS):
            start += 1
        words = words[start:]
        if not words or tuple(words) in self.found:
            return
        if depth > MOST_NESTING:
            raise TooNestedError
        self.found[tuple(words)] = None
        name, rest = program(words), words[1:]
        if name in SHELLS or name in WRAPPERS:
            self._read(rest, depth)
        if name == "eval":
            self._read([" ".join(rest)], depth)
        if name in WRAPPERS:
            places = [
                place
                for place, word in enumerate(rest)
                if not word.startswith("-") and not _ASSIGNMENT.match(word)
            ]
            for place in places[:_MOST_PLACES]:
                self.command(rest[place:], depth + 1)
        for place, word in enumerate(rest):
            if word in _RUNNING_OPTIONS.get(name, ()):
                self.command([*takewhile(lambda word: word != ";", rest[place + 1 :])], depth + 1)

    def _read(self, texts: Iterable[str], depth: int) -> None:
        """Read every text that may be a script of more than one word."""
        for text in texts:
            if text in self._scripts or not _LIKE_A_SCRIPT.search(text):
                continue
            self._scripts.add(text)
            script = read_script(text)
            for words in script.commands:
                self.command(words, depth + 1)
            if any(_feeds_on_text(words) for words in script.commands):
                spoken = [[*words[1:], " ".join(words[1:])] for words in script.commands]
                self._read([*script.documents, *chain.from_iterable(spoken)], depth + 1)


def _feeds_on_text(words: Sequence[str]) -> bool:
    """Whether a shell among `words` may take its script from a pipe, a document or a file."""
    return words[0] in {"source", "."} or any(word.rsplit("/", 1)[-1] in SHELLS for word in words)
