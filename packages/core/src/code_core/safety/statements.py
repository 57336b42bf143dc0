"""Finds every command that an argument vector might run, through shells, wrappers and expansions."""

import re
import shlex
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import chain, takewhile

from code_core.lazy_pattern import lazy_pattern
from code_core.safety.command_texts import (
    RUNNERS,
    RUNNING_OPTIONS,
    RUNNING_VARIABLE,
    RUNS_TEXTS,
    STARTERS,
    embedded_commands,
    module_command,
    option_texts,
    shell_escapes,
    started,
)
from code_core.safety.expansion import SUBSTITUTIONS, variants
from code_core.safety.known_safe import READERS
from code_core.safety.normal_form import normal_form, program
from code_core.safety.script import PROCESS, Script, TooComplexError
from code_core.safety.script_values import ASSIGNMENT, Definitions, passed_texts
from code_core.safety.shell_reader import MOST_NESTING, read_script
from code_core.safety.shell_words import KEYWORDS, SHELLS, Words
from code_core.safety.unknown_text import is_git_alias, runs_unknown_text, starts_a_shell
from code_core.safety.wrappers import WRAPPERS, wrapped

MOST_CHARACTERS = 2**17
"""The longest argument that Linux accepts."""
MOST_WORK = 1_000_000
"""Limit on examined characters, including expansions."""

_LIKE_A_SCRIPT = lazy_pattern(r"[\s;&|()`${]")
_BEFORE_SCRIPT = lazy_pattern(r"--[\w-]+=|-\w*?[cS]", re.ASCII)  # an option with its script in the same word
_GIT_ALIAS = lazy_pattern(r"(?:-c|--config-env=)?alias\.([^=]*)(?:=(.*))?", re.DOTALL)
_GIT_SETTING = lazy_pattern(r"(?:-c)?[\w-]+\.[^=]*=(.*)", re.DOTALL)
_VERSION = lazy_pattern(r"(?<=.)@[^/]*\Z")  # a package version, as in `npx npm@10`
_EXPANSION = lazy_pattern(r"[$`][^/]*")
_EVALUATING = frozenset(
    "[ [[ compgen declare export let local mapfile printf read readarray readonly test typeset unset wait".split()
)
"""Builtins that evaluate names and expressions in their arguments: `test -v 'a[$(ls)]'` runs `ls`."""
_SCHEDULE = lazy_pattern(
    r"^(?:@\w+|(?:[\d*,/-]+[ \t]+){4}[\d*,/-]+)[ \t]+", re.MULTILINE
)  # a `crontab` schedule
_MOST_TEXTS = 16
_MOST_FEEDING = 2


def statements(argv: Sequence[str]) -> tuple[Words, ...]:
    """Return the words of every command that `argv` might run, outermost first.

    Reads the scripts of shells, `eval` and the like, substitutions, and what may be piped into a
    shell. Assignments are removed. A wrapper such as `sudo` is removed where its command begins,
    or at every word where it may. Words with expansions are returned both as written and
    expanded. Errs on the side of finding too much.

    Raises:
        TooComplexError: more than 40 levels of nesting, more characters than fit into one
            argument, or more than a million including all expansions.
    """
    return _searched(argv)[0]


def hides_statements(argv: Sequence[str]) -> bool:
    """Whether `argv` might also run commands that it does not show; see `unknown_text`.

    Raises:
        TooComplexError: see `statements`.
    """
    return _searched(argv)[1]


def _searched(argv: Sequence[str]) -> tuple[tuple[Words, ...], bool]:
    if sum(map(len, argv)) > MOST_CHARACTERS:
        raise TooComplexError("the command is too long to be understood")
    return _search(tuple(argv))


@lru_cache(maxsize=8)  # a command is examined for guards, rules and files
def _search(argv: Words) -> tuple[tuple[Words, ...], bool]:
    search = _Search()
    search.command(list(argv), 0, expanded=True)  # not read by a shell
    return tuple(search.found), search.hidden or is_git_alias(argv)


class _Search:
    """Examines every command and every script once."""

    def __init__(self) -> None:
        self.found: dict[Words, None] = {}
        self.hidden = False
        self._scripts: set[str] = set()
        self._definitions = Definitions()
        self._left = MOST_WORK
        self._feeding = 0  # input of `xargs` may contain another `xargs`

    def command(self, words: list[str], depth: int, *, expanded: bool = False) -> None:
        self._spend(64 + sum(map(len, words)))
        start = _start(words)
        for word in words[:start]:
            self._assignment(word, depth)
        if words[:1] and words[0].startswith("-"):  # options of `\time`, which was mistaken for the keyword
            for inner in wrapped("time", words, _may_begin):
                if len(inner) < len(words):
                    self.command(list(inner), depth + 1)
        words = words[start:]
        if not words or tuple(words) in self.found:
            return
        if depth > MOST_NESTING:
            raise TooComplexError("the command is nested too deeply to be understood")
        self.found[tuple(words)] = None
        name, rest = program(words), words[1:]
        self._scripts_of(name, rest, depth)
        if name in WRAPPERS or name in SHELLS:
            for inner in wrapped(name, rest, _may_begin):
                if name in SHELLS and _LIKE_A_SCRIPT.search(inner[0] if inner else ""):
                    continue  # a script, which is read as such, not a program name
                self.command(list(inner), depth + 1, expanded=True)  # the variants of the whole are examined
                if name in {"xargs", "parallel"}:
                    self._fed(list(inner), depth)
        self._options(name, rest, depth)
        if name == "git" or name.startswith("git-"):
            self._git(words, depth)
        for alias in self._definitions.aliases(words[0]):
            self._read([f"{alias} {shlex.join(rest)}"], depth)
        for variant in () if expanded else variants(words, self._definitions.values):
            self.command(variant, depth + 1, expanded=True)

    def _spend(self, work: int) -> None:
        self._left -= work
        if self._left < 0:
            raise TooComplexError("the command expands to too much to be understood")

    def _assignment(self, word: str, depth: int) -> None:
        found = ASSIGNMENT.match(word)
        if found is None:
            return
        self._definitions.values.assign(found["name"], found["operator"], word[found.end() :])
        self._quoted_substitutions([word], depth)
        if RUNNING_VARIABLE.fullmatch(found["name"]):
            value = word[found.end() :]
            self._read([value, f"git {value}" if "GIT_CONFIG" in found["name"] else value], depth)

    def _scripts_of(self, name: str, rest: list[str], depth: int) -> None:
        """Read arguments that are scripts."""
        if name in RUNS_TEXTS:
            for index, word in enumerate(rest):
                if _LIKE_A_SCRIPT.search(word):
                    self._definitions.values.add("@", shlex.join(rest[index + 2 :]))
                    self._definitions.values.add("@", shlex.join(rest[index + 1 :]))
            self._read(rest, depth)
        if name == "eval":
            self._read([" ".join(rest)], depth)
            for word in rest:
                self._assignment(word, depth)
        if name in _EVALUATING or rest[-1:] == ["]]"]:
            self._quoted_substitutions([name, *rest], depth)
        self._read(shell_escapes(name, rest), depth)
        if name in WRAPPERS or name in SHELLS:
            glued = (_BEFORE_SCRIPT.match(word) for word in rest)
            self._read([option.string[option.end() :] for option in glued if option], depth)
        if name == "env" and any(re.fullmatch(r"-\w*S.*|--s.*", word, re.DOTALL) for word in rest):
            self._read([*rest, " ".join(word for word in rest if not word.startswith("-"))], depth)
        for words in embedded_commands(name, rest):
            self.command(words, depth + 1)
            self._read(words, depth)

    def _quoted_substitutions(self, words: Iterable[str], depth: int) -> None:
        """Read what bash runs despite quotes: in a subscript, an arithmetic expression or a prompt."""
        for word in words:
            if "$(" in word.replace("$(…)", "") or "`" in word.replace("`…`", ""):
                text = word.replace('"', "")
                self._read([f': "{text}"'], depth)

    def _fed(self, inner: list[str], depth: int) -> None:
        """Examine the command of `xargs` or `parallel` with arguments that it may read."""
        if self._feeding >= _MOST_FEEDING:
            return
        self._feeding += 1
        texts = self._definitions.values.of(SUBSTITUTIONS[0])
        if ":::" in inner:
            head, tail = inner[: inner.index(":::")], inner[inner.index(":::") + 1 :]
            inner, texts = head, [*texts, *tail[:_MOST_TEXTS]]
        for text in texts[:_MOST_TEXTS]:
            self.command([*inner, *text.replace("\0", " ").split()], depth + 1)
            for word in {word for word in inner if word in {"{}", "%", "@"} or word.isupper()}:
                replaced = [text.split() if one == word else [one] for one in inner]
                self.command(list(chain.from_iterable(replaced)), depth + 1)
            self._read([" ".join([*inner, text])], depth)
        self._feeding -= 1

    def _options(self, name: str, rest: list[str], depth: int) -> None:
        """Examine the commands that options such as `find -exec` run."""
        running = RUNNING_OPTIONS.get(name, frozenset())
        if name in STARTERS:
            for inner in started(rest, _may_begin):
                self.command([_VERSION.sub("", inner[0]), *inner[1:]], depth + 1)
        if module := module_command(name, rest):
            self.command(module, depth + 1)
        for index, word in enumerate(rest):
            option, equals, value = word.partition("=")
            if word in RUNNERS.get(name, ()):
                for inner in wrapped("", rest[index + 1 :], _may_begin):
                    self.command(list(inner), depth + 1)
            if word in running:
                words = [*takewhile(lambda one: one != ";" and one not in running, rest[index + 1 :])]
                self.command(words, depth + 1)
                if name == "git":
                    self._read(words, depth)
            elif equals and option in running:
                self.command([value, *rest[index + 1 :]], depth + 1)
            elif any(len(one) == 2 and word.startswith(one) and len(word) > 2 for one in running):
                self.command([word[2:], *rest[index + 1 :]], depth + 1)
            if name in {"docker", "flatpak", "podman"} and option in running:  # the image name comes first
                head = value or next(iter(rest[index + 1 :]), "")
                for at in range(index + 1, min(len(rest), index + _MOST_TEXTS)):
                    self.command([head, *rest[at + 1 :]], depth + 1)
        for text in option_texts(name, rest):
            self._read([text], depth)
            self.command([text], depth + 1)

    def _git(self, words: list[str], depth: int) -> None:
        """Examine aliases and programs named by settings on the command line."""
        subcommand = normal_form(tuple(words))[1:2]
        for index, word in enumerate(words):
            if alias := _GIT_ALIAS.fullmatch(word):
                after = words[index + 1 :]
                value, arguments = (alias[2], after) if alias[2] is not None else (" ".join(after[:1]), [])
                shell = value.removeprefix("!") if value.startswith("!") else f"git {value}"
                self._read([shell, f"{shell} {shlex.join(arguments[1:])}"], depth)
            elif setting := _GIT_SETTING.fullmatch(word):
                self._read([setting[1].removeprefix("!")], depth)
        if subcommand == ("config",):
            self._read([words[-1].removeprefix("!")], depth)

    def _read(self, texts: Iterable[str], depth: int) -> None:
        """Read every text that may be a script of more than one word."""
        for text in texts:
            if text in self._scripts or not _LIKE_A_SCRIPT.search(text):
                continue
            self._scripts.add(text)
            self._spend(8 * len(text))
            script = read_script(text)
            self._definitions.gather(script)
            self.hidden = self.hidden or runs_unknown_text(script, self._definitions.values.shown)
            for words in script.commands:
                self.command(words, depth + 1)
            self._fed_texts(script, depth)

    def _fed_texts(self, script: Script, depth: int) -> None:
        """Read what the script may pass to a shell."""
        if any(_feeds_on_text(words) for words in script.commands) or _runs_new_executable(script.commands):
            texts = chain.from_iterable(
                passed_texts(words[_start(words) :], words[: _start(words)]) for words in script.commands
            )
            given = [*script.documents, *texts]
            self._read([*given, *(_SCHEDULE.sub("", text) for text in given)], depth + 1)
        for words in script.commands:
            languages = {"python" if word == "uv" else program([word]) for word in words}
            for language in languages if script.documents else ():
                self._read(shell_escapes(language, script.documents), depth)
                for embedded in embedded_commands(language, script.documents):
                    self.command(embedded, depth + 1)
                    self._read(embedded, depth)


def _start(words: Sequence[str]) -> int:
    """The start of the command, after assignments, keywords and their options (`time -p`)."""
    return next((index for index, word in enumerate(words) if _may_begin(word)), len(words))


def _may_begin(word: str) -> bool:
    return not (word.startswith("-") or word in KEYWORDS or ASSIGNMENT.match(word))


def _runs_new_executable(commands: Sequence[Sequence[str]]) -> bool:
    """Whether one of `commands` runs a file that another one makes executable."""
    executables = {
        word.rsplit("/", 1)[-1]
        for words in commands
        if program(words) in {"chmod", "install"}
        for word in words[1:]
    }
    begun = (words[_start(words) :] for words in commands)
    named = (words if program(words) in WRAPPERS else words[:1] for words in begun if words)
    return any("/" in name and name.rsplit("/", 1)[-1] in executables for name in chain.from_iterable(named))


def _feeds_on_text(words: Sequence[str]) -> bool:
    """Whether it may run text from a pipe, a document, a file or a variable."""
    words = words[_start(words) :]
    if not words:
        return False
    name = program(words)
    named = words if name in WRAPPERS or name in SHELLS else words[:1]
    if name in {"alias", "eval", "source", ".", "parallel", "at", "batch", "crontab"} or any(
        _EXPANSION.fullmatch(word) for word in named
    ):
        return True
    if starts_a_shell(words) or name in {"expect", "tclsh"}:
        return True
    if name in {"gmake", "just", "make"} and any(
        word in {"-", "/dev/stdin", PROCESS, "--file=-", "-f-"} for word in words
    ):
        return True
    return name not in READERS and any(word.rsplit("/", 1)[-1] in SHELLS for word in words)
