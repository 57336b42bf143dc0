"""The rule that a question about a command offers: what "always" would allow."""

from collections.abc import Sequence
from dataclasses import dataclass

from code_core.safety.known_safe import Reading, reading
from code_core.safety.normal_form import program
from code_core.safety.shell_words import SHELLS, Words
from code_core.safety.wrappers import WRAPPERS

LONGEST_PATTERN = 12
"""Words of a command that a rule is proposed for."""

# What may be allowed with whatever follows: nothing that can come after these words runs another program, and none of them
# reaches the network. Programs with an option that runs one (`sort --compress-program`, `tar -I`, `git fetch --upload-pack`),
# build tools, package managers, interpreters and runners are not here, and never will be.
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


@dataclass(frozen=True, slots=True)
class Proposal:
    """What an offered rule allows: the command `words`, or with `exact` false also what may follow them."""

    words: Words
    exact: bool


def proposed_rule(parts: Sequence[Words] | None, *, confined: bool) -> Proposal | None:
    """The rule to offer for a command that runs `parts`; None where no rule would be narrow enough.

    It is exact, unless the command runs confined and is one of the few for which every continuation is harmless.
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
    """One sentence for the question: what the rule allows besides this one command.

    `files` is the number of files whose contents must stay as they are.
    """
    text = " ".join(proposal.words)
    what = f"exactly `{text}`, without other arguments," if proposal.exact else f"`{text}` with any arguments"
    bounds = "outside of the sandbox too, " if outside else ""
    unchanged = (
        f", as long as the {'file it names does' if files == 1 else f'{files} files it names do'} not change"
        if files
        else ""
    )
    return f"Allows {what} {bounds}from now on, in {cwd} and below{unchanged}."
