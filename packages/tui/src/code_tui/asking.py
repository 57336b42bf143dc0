"""Asks for a line in answer to what is on the screen, ignoring earlier and pasted input."""

import signal
from collections.abc import Callable
from typing import Protocol

import anyio

from code_core.view.printer import HumanPrinter
from code_core.view.titles import shortened
from code_core.view.visible import visible
from code_tui.line_input import LineInput

Again = Callable[[], str | None]
"""Shows the question once more; returns its new prompt if the prompt changes."""


def _nothing() -> None:
    """Show nothing again but the prompt."""


class Ask(Protocol):
    """See `Asker.ask`."""

    async def __call__(self, prompt: str, again: Again = _nothing, /) -> str | None:
        """See `Asker.ask`."""
        ...


class Asker:
    """Shows a prompt and waits for its answer.

    Args:
        lines: the source of answers.
        printer: shows the prompt.
    """

    def __init__(self, lines: LineInput, printer: HumanPrinter) -> None:
        self._lines = lines
        self._printer = printer
        self._open = False
        self._covered = False
        self._waiting: anyio.CancelScope | None = None
        self._columns = printer.columns

    async def ask(self, prompt: str, again: Again = _nothing, /) -> str | None:
        """Return a line entered after `prompt` was shown, or None at the end of the input.

        Earlier input is kept for the next prompt of the chat. So is a line that is directly followed by more on
        a terminal, because it was pasted.

        Args:
            prompt: says what can be entered.
            again: called before `prompt` is shown again because of `screen_changed`.
        """
        self._open = True
        try:
            return await self._answer(prompt, again)
        finally:
            self._open = False

    def take_back(self) -> None:
        """Discard what was entered for a question that is no longer asked."""
        self._printer.show_line("")
        if entered := self._lines.drop():
            self._printer.show_line(f"(discarded with the question: {shortened(visible(entered))})")

    async def watch_screen(self) -> None:
        """Show an open question again when the program continues after Ctrl+Z, and when the screen gets narrower."""
        with anyio.open_signal_receiver(signal.SIGCONT, signal.SIGWINCH) as signals:
            self.screen_changed(resized=True)  # perhaps before there was a receiver
            async for number in signals:
                self.screen_changed(resized=number == signal.SIGWINCH)

    def screen_changed(self, *, resized: bool) -> None:
        """Show an open question again, unless the screen only got larger.

        Another program may have covered it, and a narrower screen wraps its rows into parts without a mark.
        The width before is that of the last change: the screen can change while a question is being printed.
        """
        before, self._columns = self._columns, self._printer.columns
        if resized and (before is None or self._columns is None or self._columns >= before):
            return
        if self._open:
            self._covered = True
            if self._waiting is not None:
                self._waiting.cancel()

    async def _answer(self, prompt: str, again: Again) -> str | None:
        line: str | None = None
        while True:
            if self._covered:
                self._covered = False
                self._printer.show_line("")
                prompt = again() or prompt
            self._report(*self._lines.hold(line))
            self._printer.show_prompt(prompt)
            with anyio.CancelScope() as self._waiting:
                line = await self._lines.line()
            if self._waiting.cancelled_caught:
                line = None
            elif line is None:
                return None
            elif problem := self._lines.cut_off(line):
                self._printer.show_line(problem)
                line = None
            elif not await self._lines.is_followed():
                return line

    def _report(self, lines: list[str], unfinished: str) -> None:
        if kept := [line for line in lines if line.strip()]:
            more = f" and {len(kept) - 1} more" if len(kept) > 1 else ""
            self._printer.show_line(
                f"(not an answer, kept for the next prompt: {shortened(visible(kept[0]))}{more})"
            )
        if unfinished.strip():
            self._printer.show_line(
                f"(discarded, because you did not press Enter: {shortened(visible(unfinished))})"
            )
