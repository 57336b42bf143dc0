"""The rule offered with a question about a command, which "always" would add."""

from collections.abc import Sequence

from code_core.frozen import frozen
from code_core.safety.known_safe import Reading, reading
from code_core.safety.normal_form import program
from code_core.safety.shell_words import SHELLS, Words
from code_core.safety.wrappers import WRAPPERS

LONGEST_PATTERN = 12
"""Maximum number of words in a proposed rule."""

# Commands that may be allowed with any arguments: nothing that can follow these words runs another program or
# accesses the network. Programs with an option that runs one (`sort --compress-program`, `tar -I`,
# `git fetch --upload-pack`), build tools, package managers, interpreters and runners must never be listed here.
_PREFIXES = frozenset(
    {
        ("basename",),
        ("cmp",),
        ("cut",),
        ("df",),
        ("diff",),
        ("dirname",),
        ("du",),
        ("git", "add"),
        ("git", "mv"),
        ("jq",),
        ("md5sum",),
        ("mkdir",),
        ("readlink",),
        ("realpath",),
        ("sha256sum",),
        ("stat",),
        ("touch",),
        ("tr",),
    }
)


@frozen
class Proposal:
    """What an offered rule allows: the command `words`, or if not `exact`, also with further arguments."""

    words: Words
    exact: bool


def proposed_rule(parts: Sequence[Words] | None, *, confined: bool) -> Proposal | None:
    """Return the rule to offer for a command that runs `parts`, or None if no rule would be narrow enough.

    The rule is exact unless the command runs confined and is one of the few that are harmless with any arguments.
    """
    reads = Reading.WHEN_CONFINED if confined else Reading.ALWAYS
    others = [words for words in parts or () if reading([words]) < reads]
    if len(others) != 1 or any(words[:1] == ("cd",) for words in parts or ()):
        return None
    words = others[0]
    if program(words) in SHELLS or program(words) in WRAPPERS or len(words) > LONGEST_PATTERN:
        return None
    prefix = next((words[:length] for length in (1, 2) if confined and words[:length] in _PREFIXES), None)
    proposal = Proposal(words, exact=True) if prefix is None else Proposal(prefix, exact=False)
    return proposal if all(word.isprintable() and word for word in proposal.words) else None


def allows(proposal: Proposal, cwd: str, *, outside: bool, files: int = 0) -> str:
    """Return one sentence for the question: what the rule allows beyond this command.

    `files` is the number of files whose contents must not change.
    """
    text = " ".join(proposal.words)
    what = f"exactly `{text}`, without other arguments," if proposal.exact else f"`{text}` with any arguments"
    bounds = "outside the sandbox too, " if outside else ""
    unchanged = (
        f", as long as the {'file it names does' if files == 1 else f'{files} files it names do'} not change"
        if files
        else ""
    )
    return f"Allows {what} {bounds}from now on, in {cwd} and below{unchanged}."
