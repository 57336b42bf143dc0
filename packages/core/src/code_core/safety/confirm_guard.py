"""Guards for destructive commands: the model is asked whether it means them.

This is a safeguard against mistakes, not a permission check: the model confirms by sending the
command again, prefixed with `confirm:`. Guards see every command that a script might run, and are
checked before approvals.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import takewhile
from typing import Protocol

from code_core.frozen import frozen
from code_core.lazy_pattern import lazy_pattern
from code_core.safety.command_texts import RUNNING_OPTIONS
from code_core.safety.known_safe import READERS
from code_core.safety.normal_form import normal_form
from code_core.safety.options import has
from code_core.safety.shell_words import SHELLS, Words, script_of
from code_core.safety.wrappers import wrapped

CONFIRM = "confirm:"
HIDES = "it runs text that it does not show: from a pipe, a variable, another program or a git alias"

_PROGRAMS = ("git", "rm", "trash", "find", "fd", "fdfind", "xargs", "parallel", "rsync")
_OPTION_BEFORE = lazy_pattern(r"-[xX]|--exec(?:-batch)?=")
_DELETES = (
    "delete delete-before delete-during delete-delay delete-after delete-excluded del remove-source-files"
)
"""Options of rsync."""
_REMOVERS = frozenset({"rm", "rmdir", "unlink", "shred"})
_REMOVER = lazy_pattern(r"\b(?:rm|rmdir|unlink|shred)\b")


class Pattern(Protocol):
    """A compiled regular expression of the user's, with a time limit."""

    def matches(self, texts: Iterable[str]) -> bool:
        """Whether it matches anywhere in one of `texts`; also True on a timeout."""
        ...


@frozen
class UserGuard:
    """One of `confirm_guard.patterns`."""

    pattern: Pattern
    message: str


@frozen
class _Guard:
    message: str
    matches: Callable[[Words], bool]


def strip_confirm(argv: Sequence[str]) -> tuple[list[str], bool]:
    """Return `argv` without a `confirm:` prefix of the command or its script, and whether there was one."""
    words = list(argv)
    if words and words[0].startswith(CONFIRM):
        first = words[0].removeprefix(CONFIRM).strip()
        return ([first, *words[1:]] if first else words[1:]), True
    script = script_of(words)
    if script is not None and script.lstrip().startswith(CONFIRM):
        return [*words[:-1], script.lstrip().removeprefix(CONFIRM).lstrip()], True
    return words, False


def guard_of(
    argv: Sequence[str], found: Iterable[Words], user_guards: Iterable[UserGuard] = (), *, hides: bool = False
) -> str | None:
    """Return why `argv`, which might run the commands `found`, needs `confirm:`, or None if it does not.

    `hides` says whether it might also run commands that it does not show.
    """
    commands = list(found)
    for words in commands:
        for guard in _GUARDS:
            if guard.matches(words):
                return f"{_shown(words)}: {guard.message}"
    texts = [script_of(argv) or " ".join(argv), *(" ".join(words) for words in commands)]
    for user_guard in user_guards:
        if user_guard.pattern.matches(texts):
            return user_guard.message
    return HIDES if hides else None


def confirm_advice(argv: Sequence[str], reason: str) -> str:
    """Return the answer to the model: the reason, and the exact call that would be accepted."""
    script = script_of(argv)
    confirmed = [CONFIRM, *argv] if script is None else [*argv[:-1], f"{CONFIRM} {script}"]
    return (
        f"command guarded: {reason}\nIf you are sure, send it again with {CONFIRM!r} before it: "
        f"{json.dumps(confirmed, ensure_ascii=False)}"
    )


def _shown(words: Words) -> str:
    text = " ".join(words)
    return text if len(text) <= 80 else f"{text[:79]}…"


def _git(words: Words) -> tuple[str, Words]:
    """The subcommand of git and its arguments; both empty for another program."""
    form = normal_form(words, _PROGRAMS)
    return (form[1], form[2:]) if form[0] == "git" and len(form) > 1 else ("", ())


def _discards(words: Words) -> bool:
    match _git(words):
        case ["reset" | "revert", _]:
            return True
        case ["restore", arguments]:
            worktree = has(arguments, "W", "worktree", valued="sU", valued_long="source unified")
            return worktree or not has(arguments, "S", "staged", valued="sU", valued_long="source unified")
        case ["checkout", arguments]:
            return not has(arguments, "b", "orphan") or has(arguments, "fB", "force", valued="b")
        case ["switch", arguments]:
            return not has(arguments, "c", "create") or has(
                arguments, "fC", "force force-create discard-changes", valued="c"
            )
        case ["clean", arguments]:
            return not has(arguments, "n", "dry-run", valued="e", valued_long="exclude")
        case ["rm" | "checkout-index", arguments]:
            return has(arguments, "f", "force")
        case ["read-tree", arguments]:
            return has(arguments, "", "reset")
        case ["worktree", ["remove", *arguments]]:
            return has(arguments, "f", "force")
        case ["stash", ["drop" | "clear", *_]]:
            return True
        case ["update-ref", arguments]:
            return has(arguments, "d", "stdin", valued="m")
        case ["reflog", ["expire" | "delete", *arguments]]:
            return not has(arguments, "n", "dry-run")
        case ["prune", arguments]:
            return not has(arguments, "n", "dry-run", valued_long="expire")
        case ["gc", arguments]:
            return _prunes_all(arguments)
        case ["filter-branch" | "filter-repo", _]:
            return True
        case ["tag", arguments]:
            return has(arguments, "df", "delete force", valued="mFu", valued_long="message file local-user")
        case ["branch", arguments]:
            return has(arguments, "DMCf", "force", valued="u", valued_long="set-upstream-to")
        case _:
            return False


def _prunes_all(arguments: Words) -> bool:
    """Whether `git gc` discards recent objects that only the reflog keeps, not just those weeks old."""
    names = (word.removeprefix("--prune=") for word in arguments if word.startswith("--prune="))
    return any(date not in {"", "never"} for date in names)


def _rewrites_remote(words: Words) -> bool:
    subcommand, arguments = _git(words)
    if subcommand != "push":
        return False
    long = "force force-with-lease force-if-includes mirror delete prune"
    return has(arguments, "fd", long, valued="o", valued_long="push-option receive-pack exec repo") or any(
        word.startswith(("+", ":")) for word in arguments
    )


def _removes(words: Words) -> bool:
    form = normal_form(words, _PROGRAMS)
    return form[0] in {"rm", "trash"} and has(form[1:], "rRf", "recursive force")


def _removes_many(words: Words) -> bool:
    name, *arguments = normal_form(words, _PROGRAMS)
    run: Iterable[str]
    if name in {"xargs", "parallel"}:
        inner = next(iter(wrapped(name, arguments, lambda word: not word.startswith("-"))), ())
        run = takewhile(lambda word: word not in READERS, inner)
    elif name == "rsync":
        return has(arguments, "", _DELETES) and not has(arguments, "n", "dry-run", valued="efBTM")
    elif name in {"find", "fd", "fdfind"}:
        run = _run_by(words, RUNNING_OPTIONS[name])
    else:
        return False
    programs = {_OPTION_BEFORE.sub("", word.rpartition("/")[2]) for word in run}
    if (name == "find" and "-delete" in words) or not programs.isdisjoint(_REMOVERS):
        return True
    return not programs.isdisjoint(SHELLS) and any(_REMOVER.search(word) for word in words)


def _run_by(words: Words, options: frozenset[str]) -> Iterator[str]:
    """The words of the commands after one of `options`, excluding a reader's arguments: `grep -l rm` removes nothing."""
    running = False
    for word in words:
        if _runs(word, options):
            running = True
        elif word in READERS or word == ";":
            running = False
        if running:
            yield word


def _runs(word: str, options: frozenset[str]) -> bool:
    """Whether a word is one of `options`, or begins with one followed by its value."""
    return any(
        word == option or word.startswith(f"{option}=") or (len(option) == 2 and word.startswith(option))
        for option in options
    )


_GUARDS = (
    _Guard("discards changes, commits or branches", _discards),
    _Guard("rewrites or deletes history on the remote", _rewrites_remote),
    _Guard("deletes files permanently", _removes),
    _Guard("deletes all files that it finds", _removes_many),
)
