"""Custom prompts: texts in `<home>/prompts/*.md` that the user sends by name.

A file may begin with front matter between lines of `---`: `description` and `argument-hint`, each as
`key: value`. In the text, `$1` to `$9` stand for single arguments, quoted as in a shell, `$ARGUMENTS` for all of
them as they were written, and `$$` for a dollar sign.
"""

import re
import shlex
from functools import partial
from pathlib import Path

from code_core.files.checkout import Checkout, DistrustedFileError, own_ids, within_seconds
from code_core.frozen import frozen
from code_core.view.visible import visible, visible_line

FOLDER = "prompts"
LARGEST = 64 * 1024
"""File size limit in bytes; larger files are ignored."""
MOST_PROMPTS = 200
LONGEST_LINE = 200
"""Characters of a description or a hint."""

_NAME = re.compile(r"[\w-]{1,64}")
_FIELD = re.compile(r"([\w-]+)[ \t]*:[ \t]*(.*)")
_PLACEHOLDER = re.compile(r"\$(\$|[1-9]|ARGUMENTS\b)")


@frozen
class CustomPrompt:
    """A custom prompt.

    Attributes:
        name: the file name without `.md`.
        description: one line about its purpose; by default the first line of the text.
        hint: the arguments it takes, if the front matter names them.
        text: the text for the model, before arguments are filled in.
    """

    name: str
    description: str
    hint: str | None
    text: str

    @property
    def takes_arguments(self) -> bool:
        """Whether the text contains a placeholder for arguments."""
        return any(found[1] != "$" for found in _PLACEHOLDER.finditer(self.text))

    def filled(self, arguments: str) -> str:
        """Return the text with `arguments` filled in, or appended if it has no placeholder. Missing ones are empty."""
        words = argument_words(arguments)

        def value(found: re.Match[str]) -> str:
            match found[1]:
                case "$":
                    return "$"
                case "ARGUMENTS":
                    return arguments
                case number:
                    return words[int(number) - 1] if int(number) <= len(words) else ""

        text = _PLACEHOLDER.sub(value, self.text)
        return f"{text}\n\n{arguments}" if arguments and not self.takes_arguments else text


@frozen
class CustomPrompts:
    """The user's prompts by name, sorted, and warnings about ignored files, safe for a terminal."""

    prompts: tuple[CustomPrompt, ...] = ()
    warnings: tuple[str, ...] = ()


def custom_prompts(home: Path) -> CustomPrompts:
    """Read the prompts in `home` within 2 seconds; links may not lead out of `home`."""
    try:
        return within_seconds(f"{home / FOLDER}", partial(_read_all, home))
    except DistrustedFileError as error:
        return CustomPrompts(warnings=(visible(str(error)),))


def parse_custom_prompt(name: str, text: str) -> CustomPrompt:
    """Parse the text of a prompt file."""
    fields, body = _front_matter(text.replace("\r\n", "\n"))
    first = next((line.strip("# \t") for line in body.split("\n") if line.strip("# \t")), name)
    hint = fields.get("argument-hint", "")
    return CustomPrompt(name, _short(fields.get("description") or first), _short(hint) or None, body.strip())


def _read_all(home: Path) -> CustomPrompts:
    checkout, folder = Checkout(home, own_ids()), home / FOLDER
    names = [name for name in checkout.names(folder) if name.endswith(".md")]
    prompts: list[CustomPrompt] = []
    warnings: list[str] = []
    if len(names) > MOST_PROMPTS:
        warnings.append(
            f"{visible(str(folder))} holds {len(names)} prompts: only the first {MOST_PROMPTS} are used"
        )
    for name in names[:MOST_PROMPTS]:
        try:
            prompts.append(_read(checkout, folder / name))
        except DistrustedFileError as error:
            warnings.append(visible(str(error)))
    return CustomPrompts(tuple(prompts), tuple(warnings))


def _read(checkout: Checkout, path: Path) -> CustomPrompt:
    if _NAME.fullmatch(path.stem) is None:
        raise DistrustedFileError(
            f"{path} is not read: its name may have at most 64 letters, digits, - and _"
        )
    data = checkout.read(path, LARGEST + 1)
    if data is None:
        raise DistrustedFileError(f"{path} is not read: it is a broken link")
    if len(data) > LARGEST:
        raise DistrustedFileError(f"{path} is not read: it is larger than {LARGEST // 1024} KiB")
    prompt = parse_custom_prompt(path.stem, data.decode("utf-8-sig", "replace"))
    if not prompt.text:
        raise DistrustedFileError(f"{path} is not read: it is empty")
    return prompt


def _front_matter(text: str) -> tuple[dict[str, str], str]:
    """The fields of the front matter, and the text after it; unterminated front matter is text."""
    head, closed, body = text.removeprefix("---\n").partition("\n---\n")
    if not text.startswith("---\n") or not closed:
        return {}, text
    found = [_FIELD.fullmatch(line.strip()) for line in head.split("\n")]
    return {one[1].lower(): one[2].strip().strip("\"'") for one in found if one is not None}, body


def argument_words(arguments: str) -> list[str]:
    """Split arguments typed after a command as a shell does, or at blanks if the quotes are unbalanced."""
    try:
        return shlex.split(arguments)
    except ValueError:  # an apostrophe, not a quotation
        return arguments.split()


def _short(line: str) -> str:
    shown = " ".join(visible_line(line).split())
    return shown if len(shown) <= LONGEST_LINE else f"{shown[: LONGEST_LINE - 1]}…"
