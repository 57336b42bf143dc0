"""Asks for a line in answer to what is on the screen, ignoring earlier and pasted input."""

from code_core.view.printer import HumanPrinter
from code_core.view.titles import shortened
from code_core.view.visible import visible
from code_tui.line_input import LineInput


class Asker:
    """Shows a prompt and waits for its answer.

    Args:
        lines: the source of answers.
        printer: shows the prompt.
    """

    def __init__(self, lines: LineInput, printer: HumanPrinter) -> None:
        self._lines = lines
        self._printer = printer

    async def ask(self, prompt: str) -> str | None:
        """Return a line entered after `prompt` was shown, or None at the end of the input.

        Earlier input is kept for the next prompt of the chat. So is a line that is directly followed by more on
        a terminal, because it was pasted.
        """
        line: str | None = None
        while True:
            self._report(*self._lines.hold(line))
            self._printer.show_prompt(prompt)
            line = await self._lines.line()
            if line is None:
                return None
            if problem := self._lines.cut_off(line):
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
