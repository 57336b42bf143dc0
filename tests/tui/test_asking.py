"""Changes of the screen while a question is being printed or its answer is being read."""

import os
import pty
from collections.abc import Callable, Iterator

import anyio
import pytest

from code_core.view.printer import HumanPrinter
from code_tui.asking import Asker
from code_tui.line_input import LineInput

pytestmark = pytest.mark.anyio
QUESTION, PROMPT = "Run it?", "(y or n):"


class Screen:
    """A screen with actions that run when a text is written to it for the first, second … time."""

    def __init__(self) -> None:
        self.typing, self.reading = pty.openpty()
        self.text = ""
        self.columns = 100
        self.events: dict[tuple[str, int], Callable[[], object]] = {}
        self.lines = LineInput(self.reading)
        self.printer = HumanPrinter(self.write, color=False, columns=lambda: self.columns)
        self.asker = Asker(self.lines, self.printer)

    def write(self, text: str) -> None:
        self.text += text
        for shown, times in [*self.events]:
            if self.text.count(shown) == times:
                self.events.pop((shown, times))()

    def narrow(self) -> None:
        self.columns = 60

    def type(self, line: str) -> None:
        os.write(self.typing, f"{line}\n".encode())

    async def ask(self) -> str | None:
        with anyio.fail_after(30):
            return await self.asker.ask(PROMPT, self.show)

    def show(self) -> None:
        self.printer.show_line(QUESTION)


@pytest.fixture
def screen() -> Iterator[Screen]:
    screen = Screen()
    yield screen
    os.close(screen.typing)
    os.close(screen.reading)


@pytest.mark.parametrize("shown", [QUESTION, PROMPT])
async def test_the_screen_gets_narrower_while_a_question_is_printed(screen: Screen, shown: str) -> None:
    async def signal() -> None:
        screen.asker.screen_changed(resized=True)

    screen.events = {(shown, 1): screen.narrow, (PROMPT, 2): lambda: screen.type("y")}
    screen.show()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(signal)
        assert await screen.ask() == "y"
    assert screen.text.count(QUESTION) == 2


async def test_the_screen_gets_narrower_after_an_invalid_answer(
    screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_followed = screen.lines.is_followed

    async def changed_and_followed() -> bool:
        screen.narrow()
        screen.asker.screen_changed(resized=True)
        return await is_followed()

    monkeypatch.setattr(screen.lines, "is_followed", changed_and_followed)
    screen.events = {(PROMPT, 1): lambda: screen.type("what?"), (PROMPT, 2): lambda: screen.type("y")}
    screen.show()
    assert await screen.ask() == "what?"
    assert await screen.ask() == "y"
    assert screen.text.count(QUESTION) == 2


async def test_the_screen_gets_narrower_while_nothing_is_asked(screen: Screen) -> None:
    screen.narrow()
    screen.asker.screen_changed(resized=True)
    screen.events = {(PROMPT, 1): lambda: screen.type("y")}
    screen.show()
    assert await screen.ask() == "y"
    assert screen.text.count(QUESTION) == 1
