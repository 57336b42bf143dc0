"""Asks once whether to use the settings that a project brings along."""

import os

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
    rows = printer.show_question(project_settings_text(project.path, project.text))
    printer.show_rows(rows, len(rows))
    asker = Asker(lines, printer)
    answer = None
    while answer is None:
        line = await asker.ask(PROMPT)
        if line is None:
            return
        answer = parse_yes_or_no(line)
    lines.release()
    remember(find_home(os.environ), project, trusted=answer)


def _is_toml(project: ProjectSettings) -> bool:
    try:
        parse(project.text, project.path)
    except ConfigError:
        return False
    return True
