"""Recognises `apply_patch` among shell commands.

Only forms that leave no doubt are taken; whatever else a script may do, it runs
as a command.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from code_core.patch.envelope import BEGIN, END

NAMES = frozenset({"apply_patch", "applypatch"})
_SHELLS = frozenset({"bash", "sh", "zsh"})

# cd DIRECTORY && apply_patch <<'WORD', where the directory and the word are each one plain or quoted word.
_COMMAND = re.compile(
    r"""(?:cd[ \t]+(?:'(?P<single>[^'\n]*)'|"(?P<double>[^"\n$`\\!]*)"|(?P<plain>[\w./@%+,:=-]+))[ \t]*&&\s*)?"""
    r"""(?:apply_patch|applypatch)[ \t]*<<(?P<tabs>-?)[ \t]*"""
    r"""(?:'(?P<literal>[^'\n]+)'|"(?P<quoted>[^"\n$`\\]+)"|(?P<bare>\w[\w.-]*))[ \t]*"""
)
# What the shell would replace in a heredoc whose word is not quoted.
_EXPANSION = re.compile(r"""[$](?=[\w{(@*#?!$-])|`|\\(?=[$`\\\n]|\Z)""")


@dataclass(frozen=True, slots=True)
class PatchCall:
    """A command that applies a patch; `workdir` is where its `cd` goes, from the call's directory."""

    text: str
    workdir: str | None = None


@dataclass(frozen=True, slots=True)
class ImplicitPatch:
    """A patch that a command gives in a way that is not taken; `message` tells the model how to give it."""

    message: str


IMPLICIT = ImplicitPatch(
    'The command is a patch but does not call apply_patch. Call it explicitly: ["apply_patch", "*** Begin Patch\\n…"].'
)
EXPANDED = ImplicitPatch(
    "The patch was not applied: the word of its heredoc is not quoted, so that the shell would replace `$`, "
    "backquotes and backslashes in it. Quote it (apply_patch <<'EOF') or call "
    '["apply_patch", "*** Begin Patch\\n…"].'
)


def detect(argv: Sequence[str]) -> PatchCall | ImplicitPatch | None:
    """The patch that `argv` applies, or why it is not taken, or None for any other command."""
    match list(argv):
        case [name, body] if name in NAMES:
            return PatchCall(body)
        case [body] if _is_patch(body):
            return IMPLICIT
        case [shell, "-lc" | "-c", script] if shell.rsplit("/", 1)[-1] in _SHELLS:
            return IMPLICIT if _is_patch(script) else _from_script(script)
        case _:
            return None


def _is_patch(text: str) -> bool:
    stripped = text.strip()
    return stripped.startswith(BEGIN) and stripped.endswith(END)


def _from_script(script: str) -> PatchCall | ImplicitPatch | None:
    """The heredoc'd call that is all of `script`."""
    command, _, rest = script.lstrip().partition("\n")
    if command.rstrip().endswith("&&"):
        following, _, rest = rest.lstrip().partition("\n")
        command = f"{command} {following}"
    found = _COMMAND.fullmatch(command)
    if found is None:
        return None
    lines = rest.split("\n")
    if found["tabs"]:
        lines = [line.lstrip("\t") for line in lines]
    word = found["literal"] or found["quoted"] or found["bare"]
    if word not in lines:
        return None
    end = lines.index(word)
    if any(line.strip() for line in lines[end + 1 :]):
        return None  # another statement
    text = "\n".join(lines[:end])
    directory = next((found[name] for name in ("single", "double", "plain") if found[name] is not None), None)
    if directory is not None and directory.startswith("-"):
        return None  # an option, or the directory before
    return EXPANDED if found["bare"] and _EXPANSION.search(f"{text}\n") else PatchCall(text, directory)
