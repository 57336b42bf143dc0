"""Recognises `apply_patch` among shell commands.

A patch is taken from forms that leave no doubt: the command itself, or a script that does
nothing else (but for `set` and a `cd` before it). In any other script `apply_patch` would be a
program that does not exist, and a script may go on after that as if it had succeeded: it is
refused as a whole, before anything of it runs. There is no such program on purpose: what a
command writes is neither checked nor part of the turn's diff, nor compared with what was read.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from code_core.patch.envelope import BEGIN, END
from code_core.safety.shell_reader import TooComplexError
from code_core.safety.statements import statements

NAMES = frozenset({"apply_patch", "applypatch"})
_SHELLS = frozenset({"bash", "sh", "zsh"})

_SETTINGS = re.compile(r"(?:set(?:[ \t]+[-+]?\w+)+[ \t]*(?:;|&&|\n)\s*)*")
# cd DIRECTORY &&, where the directory is one plain or quoted word.
_CD = r"""(?:cd[ \t]+(?:'(?P<single>[^'\n]*)'|"(?P<double>[^"\n$`\\!]*)"|(?P<plain>[\w./@%+,:=-]+))[ \t]*&&\s*)?"""
_NAME = r"(?:apply_patch|applypatch)"
_HEREDOC = (
    r"""[ \t]*<<(?P<tabs>-?)[ \t]*"""
    r"""(?:'(?P<literal>[^'\n]+)'|"(?P<quoted>[^"\n$`\\]+)"|(?P<bare>\w[\w.-]*))[ \t]*"""
)
_WITH_DOCUMENT = re.compile(rf"{_CD}{_NAME}{_HEREDOC}")
_FROM_CAT = re.compile(rf"{_CD}cat{_HEREDOC}\|[ \t]*{_NAME}[ \t]*")
_WITH_ARGUMENT = re.compile(rf"""{_CD}{_NAME}[ \t]+(?:'(?P<body>[^']*)'|"(?P<body2>[^"$`\\!]*)")\s*""")
# What the shell would replace in a heredoc whose word is not quoted.
_EXPANSION = re.compile(r"""[$](?=[\w{(@*#?!$-])|`|\\(?=[$`\\\n]|\Z)""")
_NOT_FOUND = re.compile(r"\b(?:apply_patch|applypatch): (?:command )?not found")


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
IN_A_SCRIPT = ImplicitPatch(
    "Nothing was run and no file was changed: apply_patch is a tool and not a program, so that a script cannot "
    'call it among other commands. Send the patch as a call of its own, ["apply_patch", "*** Begin Patch\\n…"] '
    "with `workdir` instead of cd, and the other commands as another call."
)
MISSED = (
    "A script called apply_patch, which is a tool and not a program: that patch was not applied. Send it as a call "
    'of its own, ["apply_patch", "*** Begin Patch\\n…"].'
)


def detect(argv: Sequence[str]) -> PatchCall | ImplicitPatch | None:
    """The patch that `argv` applies, or why it is not taken, or None for any other command."""
    match list(argv):
        case [name, body] if name in NAMES:
            return PatchCall(body)
        case [body] if _is_patch(body):
            return IMPLICIT
        case [shell, "-lc" | "-c", script] if shell.rsplit("/", 1)[-1] in _SHELLS:
            if _is_patch(script):
                return IMPLICIT
            if found := _from_script(script):
                return found
    return IN_A_SCRIPT if _calls_apply_patch(argv) else None


def was_missed(output: str) -> bool:
    """Whether a command's output says that it called `apply_patch` and did not find it."""
    return _NOT_FOUND.search(output) is not None


def _is_patch(text: str) -> bool:
    stripped = text.strip()
    return stripped.startswith(BEGIN) and stripped.endswith(END)


def _calls_apply_patch(argv: Sequence[str]) -> bool:
    """Whether `argv` may run `apply_patch`; a file of that name elsewhere (`./apply_patch`) is another program."""
    if not any(name in word for word in argv for name in NAMES):
        return False
    try:
        return any(words[0] in NAMES for words in statements(argv))
    except TooComplexError:
        return True


def _from_script(script: str) -> PatchCall | ImplicitPatch | None:
    """The call that is all of `script`, but for settings of the shell and a `cd` before it."""
    script = script.lstrip()
    if settings := _SETTINGS.match(script):
        script = script[settings.end() :]
    if found := _WITH_ARGUMENT.fullmatch(script):
        return _call(found, found["body"] if found["body"] is not None else found["body2"])
    command, _, rest = script.partition("\n")
    if command.rstrip().endswith("&&"):
        following, _, rest = rest.lstrip().partition("\n")
        command = f"{command} {following}"
    found = _WITH_DOCUMENT.fullmatch(command) or _FROM_CAT.fullmatch(command)
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
    return EXPANDED if found["bare"] and _EXPANSION.search(f"{text}\n") else _call(found, text)


def _call(found: re.Match[str], text: str) -> PatchCall | None:
    directory = next((found[name] for name in ("single", "double", "plain") if found[name] is not None), None)
    if directory is not None and directory.startswith("-"):
        return None  # an option, or the directory before
    return PatchCall(text, directory)
