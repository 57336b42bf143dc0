"""The prompt of `code exec`: its argument, standard input, or both."""

import codecs
import os
import select
import stat
import sys
from typing import BinaryIO

import click

LARGEST_INPUT = 8 * 2**20
"""Limit for standard input in a prompt, in bytes."""
NOTICE_SECONDS, PATIENCE_SECONDS = 1.0, 10.0
"""Silence of a pipe in addition to a prompt before the user is warned, and before the turn starts without it."""

_ENCODINGS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def read_prompt(argument: str | None) -> str:
    """Return the prompt; with an argument, piped text follows it in `<stdin>` tags.

    Raises:
        click.UsageError: the prompt is missing, or standard input is too large or not text.
    """
    stdin = sys.stdin.buffer
    if argument is None and stdin.isatty():
        raise click.UsageError('no prompt: give one, as in code exec "fix the tests", or pipe it in')
    if argument in {None, "-"}:
        text = decoded(_read(stdin))
    else:
        text = argument_text(argument or "")
        if text.strip() and _is_piped(stdin) and _something_comes(stdin):
            piped = decoded(_read(stdin)).strip("\n")
            text += f"\n\n<stdin>\n{piped}\n</stdin>" if piped.strip() else ""
    if not text.strip():
        raise click.UsageError("the prompt is empty")
    return text


def argument_text(argument: str) -> str:
    """Return an argument as text: bytes that the locale cannot decode, which Python escapes, are read as UTF-8."""
    try:
        argument.encode()
    except UnicodeEncodeError:
        return os.fsencode(argument).decode("utf-8", "replace")
    return argument


def decoded(data: bytes) -> str:
    """Decode `data` as UTF-8, or as UTF-16 or UTF-32 with a byte order mark.

    Raises:
        click.UsageError: it is not one of these, or contains NUL, like binary data and unmarked UTF-16.
    """
    mark, encoding = next(
        ((mark, name) for mark, name in _ENCODINGS if data.startswith(mark)), (b"", "utf-8")
    )
    try:
        text = data.removeprefix(mark).decode(encoding)
    except UnicodeDecodeError as error:
        raise click.UsageError(
            f"standard input is not {encoding.upper()} (byte {error.start + len(mark)}): "
            "convert it, for example with iconv -f latin1 -t utf-8"
        ) from None
    if "\0" in text:
        raise click.UsageError(
            "standard input contains NUL characters, like binary data or UTF-16 without a byte order mark: "
            "convert it, for example with iconv -f utf-16le -t utf-8 or tr '\\0' '\\n'"
        )
    return text


def _read(stream: BinaryIO) -> bytes:
    data = stream.read(LARGEST_INPUT + 1)
    if len(data) > LARGEST_INPUT:
        raise click.UsageError(
            f"standard input is larger than {LARGEST_INPUT // 2**20} MiB: put it into a file and name that"
        )
    return data


def _is_piped(stream: BinaryIO) -> bool:
    """Whether text may have been piped in: from a pipe, a socket or a file, not a terminal or /dev/null."""
    mode = os.fstat(stream.fileno()).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or stat.S_ISREG(mode)


def _something_comes(stream: BinaryIO) -> bool:
    """Wait for the first byte or the end; False for a pipe that stays open without data."""
    if select.select([stream], [], [], NOTICE_SECONDS)[0]:
        return True
    print("waiting for standard input; close it (< /dev/null) if there is no input", file=sys.stderr)
    if select.select([stream], [], [], PATIENCE_SECONDS - NOTICE_SECONDS)[0]:
        return True
    print(
        f"standard input was silent for {PATIENCE_SECONDS:g} s: continuing without it "
        "(with - as the prompt, it is read to its end)",
        file=sys.stderr,
    )
    return False
