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

# cd PATH && apply_patch <<'WORD' … WORD, with one plain or quoted word as PATH.
_HEREDOC_SCRIPT = re.compile(
    r"""\s*(?:cd[ \t]+(?:'(?P<single>[^'\n]*)'|"(?P<double>[^"\n$`\\]*)"|(?P<plain>[\w./@%+,:=~-]+))[ \t]*&&[ \t]*)?"""
    r"""(?:apply_patch|applypatch)[ \t]*<<-?[ \t]*(?P<quote>['"]?)(?P<word>\w+)(?P=quote)[ \t]*\n"""
    r"""(?P<body>.*?\n)?(?P=word)\s*""",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class PatchCall:
    """A command that applies a patch; `workdir` is where its `cd` goes, from the call's directory."""

    text: str
    workdir: str | None = None


@dataclass(frozen=True, slots=True)
class ImplicitPatch:
    """A patch that was given as a command; `message` tells the model how to do it."""

    message: str


IMPLICIT = ImplicitPatch(
    'The command is a patch but does not call apply_patch. Call it explicitly: ["apply_patch", "*** Begin Patch\\n…"].'
)


def detect(argv: Sequence[str]) -> PatchCall | ImplicitPatch | None:
    """The patch that `argv` applies, or why it cannot, or None for any other command."""
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


def _from_script(script: str) -> PatchCall | None:
    found = _HEREDOC_SCRIPT.fullmatch(script)
    if found is None:
        return None
    body = found["body"] or ""
    # A second end word, or a shell expansion in an unquoted heredoc, makes it more than a plain patch.
    if found["word"] in body.splitlines() or (not found["quote"] and re.search(r"[$`\\]", body)):
        return None
    directory = next((found[name] for name in ("single", "double", "plain") if found[name] is not None), None)
    if directory is not None and directory.startswith(("~", "-")):
        return None
    return PatchCall(body, directory)
