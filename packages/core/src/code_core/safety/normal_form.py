"""Normalises the different spellings of a command.

`/usr/lib/git-core/git-push`, `git -C . push` and `GIT.EXE push` are all `git push`.
"""

import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache

from code_core.lazy_pattern import lazy_pattern
from code_core.safety.options import Options, long_names
from code_core.safety.shell_words import Words

GLOBS = "*?["

# Options before the subcommand, from the manuals of git 2.48, Docker 27 and kubectl 1.31. An option that is
# not listed may or may not take the next word.
_GLOBAL_OPTIONS = {
    "git": Options(
        "Cc",
        long_names("git-dir work-tree namespace super-prefix attr-source config-env list-cmds"),
        "pPhv",
        long_names(
            "exec-path html-path man-path info-path paginate no-pager no-replace-objects no-lazy-fetch bare version help "
            "no-optional-locks no-advice literal-pathspecs glob-pathspecs noglob-pathspecs icase-pathspecs"
        ),
    ),
    "docker": Options(
        "cHl",
        long_names("config context host log-level tlscacert tlscert tlskey"),
        "Dv",
        long_names("debug tls tlsverify version help"),
    ),
    "kubectl": Options(
        "nsv",
        long_names(
            "as as-group as-uid cache-dir certificate-authority client-certificate client-key cluster context "
            "kubeconfig namespace password profile profile-output request-timeout server tls-server-name token user "
            "username v vmodule"
        ),
        "h",
        long_names(
            "insecure-skip-tls-verify match-server-version warnings-as-errors disable-compression help"
        ),
    ),
}
# Alternative names of programs: with the prefix of GNU tools on macOS, and on Windows.
_PROGRAM_SYNONYMS = {
    f"g{name}": name for name in "chroot env find nice nohup rm stdbuf timeout unlink xargs".split()
}
# Words with a shorter equivalent.
_LONG_FORMS = {
    ("docker-compose",): ("docker", "compose"),
    ("docker", "container"): ("docker",),
    ("podman-compose",): ("podman", "compose"),
    ("podman", "container"): ("podman",),
}
_SYNONYMS = {
    ("git", "send-pack"): "push",
    ("git", "http-push"): "push",
    ("git", "fetch-pack"): "fetch",
    ("git", "stage"): "add",
    ("git", "annotate"): "blame",
}
# Programs that accept any abbreviation of a subcommand.
_ABBREVIATING = frozenset({"hg", "ip", "npm", "tmux"})
_SHORTEST_ABBREVIATION = 3
_LONGEST_GLOB = 255
_STARS = lazy_pattern(r"\*+")
_ENDING = lazy_pattern(r"\.(?:exe|cmd|bat)\Z")
_BUNDLE = lazy_pattern(r"-[A-Za-z0-9]{2,6}", re.ASCII)


def program(words: Sequence[str]) -> str:
    """Return the name of the program in `words`, without directory and `.exe`, in lower case as on some file systems."""
    name = _ENDING.sub("", words[0].rpartition("/")[2].lower())
    return _PROGRAM_SYNONYMS.get(name, name)


def normal_form(words: Words, names: Iterable[str] = ()) -> Words:
    """Return `words` with the plain name of the program, then its subcommand, then its arguments.

    Known options before the subcommand are dropped. A program written as a glob becomes the first of
    `names` that it may match.
    """
    name, rest = program(words), tuple(words[1:])
    name = next((one for one in names if could_be(name, one)), name)
    if name.startswith("git-"):
        name, rest = "git", (name.removeprefix("git-"), *rest)
    if (name,) in _LONG_FORMS:
        name, *inner = _LONG_FORMS[name,]
        rest = (*inner, *rest)
    if name == "cargo" and rest and rest[0].startswith("+"):
        rest = rest[1:]
    if (options := _GLOBAL_OPTIONS.get(name)) and (end := options.end(rest)) is not None:
        rest = rest[end:]
    if rest and (name, rest[0]) in _LONG_FORMS:
        rest = rest[1:]
    if rest:
        rest = (_SYNONYMS.get((name, rest[0]), rest[0]), *rest[1:])
    return (name, *rest)


def could_be(word: str, expected: str) -> bool:
    """Whether `word` is `expected`, or a glob that a file of that name would match; globs without letters do not count."""
    if word == expected:
        return True
    word = _STARS.sub("*", word)
    return (
        len(word) <= _LONGEST_GLOB
        and any(letter in word for letter in GLOBS)
        and any(letter.isalnum() for letter in word)
        and fnmatchcase(expected, word)
    )


def begins_with(words: Words, pattern: tuple[frozenset[str], ...]) -> bool:
    """Whether `words` run the command in `pattern`, a set of words for each position, in any spelling.

    Options and their values may stand between the words of the pattern. An option in the pattern may
    be anywhere before `--`, abbreviated or combined with others.
    """
    return any(_runs(words, name, rest) for name, rest in _normal_patterns(pattern))


@lru_cache(maxsize=256)  # every rule is compared with every command
def _normal_patterns(
    pattern: tuple[frozenset[str], ...],
) -> tuple[tuple[str, tuple[frozenset[str], ...]], ...]:
    """Patterns in normal form that together mean `pattern`: the program, and the words for each further position."""
    names, rest = pattern[0], pattern[1:]
    subcommands = {word for word in rest[0] if not word.startswith("-")} if rest else set()
    starts = [(normal_form((name, word)), rest[1:]) for name in names for word in subcommands]
    if not rest or rest[0] - subcommands:
        options = rest and (rest[0] - subcommands, *rest[1:])
        starts += [(normal_form((name,)), options) for name in names]
    return tuple(
        (name, (*(frozenset({word}) for word in inner), *others)) for (name, *inner), others in starts
    )


def _runs(words: Words, name: str, rest: Sequence[frozenset[str]]) -> bool:
    form = normal_form(words, (name,))
    if form[0] != name:
        return False
    reached = {1}  # every index up to which `form` may have been matched
    for alternatives in rest:
        options = {word for word in alternatives if word.startswith("-") and len(word) > 1}
        if any(_option_present(option, words[1:]) for option in options):
            continue
        reached = {
            at + 1
            for at in _after_options(form, reached)
            if any(_subcommand_could_be(name, form[at], word) for word in alternatives - options)
        }
    return bool(reached)


def _after_options(form: Words, reached: Iterable[int]) -> set[int]:
    """The possible indexes of the next argument, skipping options and their possible values."""
    waiting, ends = sorted(reached), set()
    seen: set[int] = set()
    while waiting:
        at = waiting.pop()
        if at in seen or at >= len(form):
            continue
        seen.add(at)
        ends.add(at)
        if form[at].startswith("-"):
            waiting.append(at + 1)
            if "=" not in form[at] and form[at] != "--":
                waiting.append(at + 2)
    return ends


def _subcommand_could_be(name: str, word: str, expected: str) -> bool:
    if name in _ABBREVIATING and len(word) >= _SHORTEST_ABBREVIATION and expected.startswith(word):
        return True
    return could_be(word, expected)


def _option_present(option: str, words: Words) -> bool:
    """Whether `option`, as spelled in a pattern, is among `words`."""
    name, equals, value = option.partition("=")
    for index, word in enumerate(words):
        if word == "--":
            return False
        if word == option:
            return True
        if name.startswith("--"):
            given, given_equals, given_value = word.partition("=")
            if not given.startswith("--") or len(given) < 3 or not name.startswith(given):
                continue
            if (
                not equals
                or (given_value if given_equals else "".join(words[index + 1 : index + 2])) == value
            ):
                return True
        elif len(option) == 2 and _BUNDLE.fullmatch(word) and option[1] in word:
            return True
    return False
