"""Recognises `apply_patch` in shell commands.

Patches are accepted only in unambiguous forms: the command itself, or a script that does nothing else
except `set` and a preceding `cd`. In any other script, `apply_patch` would be a program that does not
exist, and the script might continue as if it had succeeded, so it is refused as a whole before
anything runs. We do not provide such a program, because files written by commands are not checked,
not part of the turn's diff, and not compared with what was read.
"""

import re
from collections.abc import Sequence

from code_core.frozen import frozen
from code_core.lazy_pattern import lazy_pattern
from code_core.patch.envelope import BEGIN, END
from code_core.safety.script import TooComplexError
from code_core.safety.statements import statements
from code_core.wire.patch_format import PATCH_TOOL_NAMES

_SHELLS = frozenset({"bash", "sh", "zsh"})

_SETTINGS = lazy_pattern(r"(?:set(?:[ \t]+[-+]?\w+)+[ \t]*(?:;|&&|\n)\s*)*")
# cd DIRECTORY &&, with one plain or quoted word.
_CD = r"""(?:cd[ \t]+(?:'(?P<single>[^'\n]*)'|"(?P<double>[^"\n$`\\!]*)"|(?P<plain>[\w./@%+,:=-]+))[ \t]*&&\s*)?"""
_NAME = r"(?:apply_patch|applypatch)"
_HEREDOC = (
    r"""[ \t]*<<(?P<tabs>-?)[ \t]*"""
    r"""(?:'(?P<literal>[^'\n]+)'|"(?P<quoted>[^"\n$`\\]+)"|(?P<bare>\w[\w.-]*))[ \t]*"""
)
_WITH_DOCUMENT = lazy_pattern(rf"{_CD}{_NAME}{_HEREDOC}")
_FROM_CAT = lazy_pattern(rf"{_CD}cat{_HEREDOC}\|[ \t]*{_NAME}[ \t]*")
_WITH_ARGUMENT = lazy_pattern(rf"""{_CD}{_NAME}[ \t]+(?:'(?P<body>[^']*)'|"(?P<body2>[^"$`\\!]*)")\s*""")
# Characters that the shell would expand in a heredoc with an unquoted word.
_EXPANSION = lazy_pattern(r"""[$](?=[\w{(@*#?!$-])|`|\\(?=[$`\\\n]|\Z)""")
_NOT_FOUND = lazy_pattern(r"\b(?:apply_patch|applypatch): (?:command )?not found")


@frozen
class PatchCall:
    """A command that applies a patch; `workdir` is the target of its `cd`, relative to the call's directory."""

    text: str
    workdir: str | None = None


@frozen
class ImplicitPatch:
    """A patch in a form that is not accepted; `message` tells the model how to send it."""

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
    "Nothing was run and no file was changed: apply_patch is a tool, not a program, so a script cannot "
    'call it among other commands. Send the patch as a call of its own, ["apply_patch", "*** Begin Patch\\n…"] '
    "with `workdir` instead of cd, and the other commands as another call."
)
MISSED = (
    "A script called apply_patch, which is a tool, not a program, so that patch was not applied. Send it as a call "
    'of its own, ["apply_patch", "*** Begin Patch\\n…"].'
)


def detect(argv: Sequence[str]) -> PatchCall | ImplicitPatch | None:
    """Return the patch that `argv` applies, or why it is not accepted, or None for any other command."""
    match list(argv):
        case [name, body] if name in PATCH_TOOL_NAMES:
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
    """Whether a command's output says that `apply_patch` was not found."""
    return _NOT_FOUND.search(output) is not None


def _is_patch(text: str) -> bool:
    stripped = text.strip()
    return stripped.startswith(BEGIN) and stripped.endswith(END)


def _calls_apply_patch(argv: Sequence[str]) -> bool:
    """Whether `argv` may run `apply_patch`; a file with that name (`./apply_patch`) is another program."""
    if not any(name in word for word in argv for name in PATCH_TOOL_NAMES):
        return False
    try:
        return any(words[0] in PATCH_TOOL_NAMES for words in statements(argv))
    except TooComplexError:
        return True


def _from_script(script: str) -> PatchCall | ImplicitPatch | None:
    """The call that makes up all of `script`, except for shell settings and a preceding `cd`."""
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
        return None  # an option, or the previous directory
    return PatchCall(text, directory)
