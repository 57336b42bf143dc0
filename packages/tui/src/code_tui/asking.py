"""Asks for a line that answers what is on the screen, and takes nothing else for an answer."""

from code_core.view.printer import HumanPrinter
from code_core.view.titles import shortened
from code_core.view.visible import visible
from code_tui.line_input import LineInput


class Asker:
    """Shows a prompt and waits for its answer.

    Args:
        lines: where answers come from.
        printer: shows the prompt.
    """

    def __init__(self, lines: LineInput, printer: HumanPrinter) -> None:
        self._lines = lines
        self._printer = printer

    async def ask(self, prompt: str) -> str | None:
        """A line that is entered after `prompt` was shown; None at the end of the input.

        What was entered before is kept for the next prompt of the chat. So is a line with more right
        behind it on a terminal, because it was pasted.
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
