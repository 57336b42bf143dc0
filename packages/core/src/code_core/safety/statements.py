"""Every command that an argument vector might run, through shells and wrappers."""

import re
from collections.abc import Iterable, Sequence
from itertools import chain, islice, takewhile

from code_core.safety.known_safe import READERS
from code_core.safety.shell_reader import MOST_NESTING, TooComplexError, read_script
from code_core.safety.shell_words import KEYWORDS, SHELLS, Words

# Programs that run a command which follows their own options and arguments.
WRAPPERS = frozenset(
    "builtin busybox chronic chroot chrt choom command doas env exec fakeroot firejail flock ionice linux32 linux64 "
    "nice nocorrect noglob nohup nsenter numactl parallel pkexec prlimit repeat runuser script setarch setpriv setsid "
    "ssh stdbuf strace su sudo systemd-run taskset time timeout unbuffer uclampset unshare watch xargs".split()
)
# Programs that take a script as an argument.
_SCRIPTED = SHELLS | set(
    "ash csh eval fish flock mksh parallel rbash runuser script ssh su tcsh trap watch".split()
)
# Options and words after which another program runs a command.
RUNNING_OPTIONS = {
    "env": frozenset({"-S", "--split-string"}),
    "find": frozenset({"-exec", "-execdir", "-ok", "-okdir"}),
    "fd": frozenset({"-x", "--exec", "-X", "--exec-batch"}),
    "fdfind": frozenset({"-x", "--exec", "-X", "--exec-batch"}),
    "git": frozenset({"foreach", "run", "-x", "--exec"}),
}
MOST_CHARACTERS = 2**17
"""Linux takes no longer argument."""

_MOST_PLACES = 16  # where the command of a wrapper may begin
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*(?:\[[^]]*\])?\+?=")
_LIKE_A_SCRIPT = re.compile(r"[\s;&|()`$]")
_BEFORE_SCRIPT = re.compile(r"--[\w-]+=|-\w*?[cS]", re.ASCII)  # an option, and its script in the same word
_GIT_ALIAS = re.compile(r"alias\.[^=]*=(!?)(.*)", re.DOTALL)
_EXPANSION = re.compile(r"[$`][^/]*")
# Their arguments are not what a shell gets to read.
_SILENT = frozenset({"git", "grep", "rg"})


def statements(argv: Sequence[str]) -> tuple[Words, ...]:
    """The words of every command that `argv` might run, the outermost first.

    Reads the scripts of shells, of `eval` and the like, substitutions, and what may
    be piped into a shell. Assignments are taken off; a wrapper such as `sudo` is
    taken off at every place where its command may begin. Rather too much than too
    little is found.

    Raises:
        TooComplexError: more than 40 levels of nesting, or more characters than fit into one argument.
    """
    if sum(map(len, argv)) > MOST_CHARACTERS:
        raise TooComplexError("the command is too long to be understood")
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
        words = words[_start(words) :]
        if not words or tuple(words) in self.found:
            return
        if depth > MOST_NESTING:
            raise TooComplexError("the command is nested too deeply to be understood")
        self.found[tuple(words)] = None
        name, rest = program(words), words[1:]
        if name in _SCRIPTED:
            self._read(rest, depth)
        if name == "eval":
            self._read([" ".join(rest)], depth)
        if name in WRAPPERS or name in SHELLS:
            glued = (_BEFORE_SCRIPT.match(word) for word in rest)
            self._read([option.string[option.end() :] for option in glued if option], depth)
            places = (place for place, word in enumerate(rest) if _may_begin(word))
            for place in islice(places, _MOST_PLACES):
                self.command(rest[place:], depth + 1)
        for place, word in enumerate(rest):
            if word in RUNNING_OPTIONS.get(name, ()):
                self._run_by_option(name, rest[place + 1 :], depth)
            elif name == "git" and (alias := _GIT_ALIAS.fullmatch(word.removeprefix("-c"))):
                self._read([alias[2] if alias[1] else f"git {alias[2]}"], depth)
        if "{" in words[0] and "," in words[0]:
            self.command(re.sub(r"[{},]", " ", " ".join(words)).split(), depth + 1)

    def _run_by_option(self, name: str, rest: list[str], depth: int) -> None:
        ends = {";", *RUNNING_OPTIONS[name]}
        words = [*takewhile(lambda word: word not in ends, rest)]
        self.command(words, depth + 1)
        if name in {"env", "git"}:
            self._read(words, depth)

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
                spoken = chain.from_iterable(map(_spoken, script.commands))
                self._read([*script.documents, *spoken], depth + 1)


def _start(words: Sequence[str]) -> int:
    """Where the command begins, after assignments, keywords and their options (`time -p`)."""
    return next((place for place, word in enumerate(words) if _may_begin(word)), len(words))


def _may_begin(word: str) -> bool:
    return not (word.startswith("-") or word in KEYWORDS or _ASSIGNMENT.match(word))


def _feeds_on_text(words: Sequence[str]) -> bool:
    """Whether it may run text that comes by a pipe, a document, a file or a variable."""
    words = words[_start(words) :]
    if not words:
        return False
    name = program(words)
    named = words if name in WRAPPERS or name in SHELLS else words[:1]
    if name in {"alias", "eval", "source", "."} or any(_EXPANSION.fullmatch(word) for word in named):
        return True
    return name not in READERS and any(word.rsplit("/", 1)[-1] in SHELLS for word in words)


def _spoken(words: Sequence[str]) -> list[str]:
    """The texts that a command may hand on, what it assigns among them."""
    start = _start(words)
    if words[start : start + 1] and program(words[start:]) in _SILENT:
        return []
    said = [*words[:start], *words[start + 1 :]]
    assigned = [_ASSIGNMENT.sub("", word, count=1) for word in said]
    return [*said, *assigned, " ".join(words[start + 1 :])]
