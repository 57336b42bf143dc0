"""Asks once whether to use the settings that a project brings along."""

import os
from functools import partial

import anyio
from anyio.to_thread import run_sync

from code_core.config.load import ConfigOverrides, read_settings
from code_core.config.paths import find_home
from code_core.config.project_settings import ProjectSettings, Trust
from code_core.config.toml_source import parse
from code_core.config.trust import remember
from code_core.errors import ConfigError
from code_core.view.answers import parse_yes_or_no
from code_core.view.printer import HumanPrinter
from code_core.view.questions import project_settings_text
from code_tui.asking import Asker
from code_tui.line_input import LineInput

PROMPT = "(y yes, n no; the answer is remembered): "


async def ask_about_project(overrides: ConfigOverrides, lines: LineInput, printer: HumanPrinter) -> None:
    """Show the project's settings file and ask, if it is undecided and there is a terminal.

    Input from before the question is not an answer. If the input ends, nothing is decided.

    Raises:
        ConfigError: the settings are invalid.
    """
    project = read_settings(overrides).project
    if project is None or project.trust not in {Trust.UNDECIDED, Trust.CHANGED} or not lines.is_terminal:
        return
    if not _is_toml(project):
        return  # it is unusable, which the settings report
    async with anyio.create_task_group() as tasks:
        asker = Asker(lines, printer)
        tasks.start_soon(asker.watch_screen)
        answer = await _answer(project, asker, printer)
        tasks.cancel_scope.cancel()
    if answer is not None:
        lines.release()
        await run_sync(partial(remember, find_home(os.environ), project, trusted=answer))


async def _answer(project: ProjectSettings, asker: Asker, printer: HumanPrinter) -> bool | None:
    """The user's decision, or None at the end of the input."""

    def show() -> None:
        rows = printer.show_question(project_settings_text(project.path, project.text))
        printer.show_rows(rows, len(rows))

    show()
    while (line := await asker.ask(PROMPT, show)) is not None:
        if (answer := parse_yes_or_no(line)) is not None:
            return answer
    return None


def _is_toml(project: ProjectSettings) -> bool:
    try:
        parse(project.text, project.path)
    except ConfigError:
        return False
    return True
