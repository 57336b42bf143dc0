"""The context for the model: sent once, and again when it changes."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

import anyio
import pytest

from code_core.config.load import Config
from code_core.protocol.items import InputText, Message
from code_core.protocol.policies import CollaborationMode
from code_core.session.history.shown_context import ShownContext
from code_core.session.plan_mode import DEFAULT_MODE_NOTE, PLAN_MODE_NOTE
from code_core.session.settings import TurnSettings
from core.session.scripted import scripted_config

Mode = CollaborationMode
PLAN, DEFAULT = Mode.PLAN, Mode.DEFAULT


@pytest.fixture
def project(tmp_path: Path) -> Config:
    config = scripted_config(tmp_path)
    (config.cwd / "AGENTS.md").write_text("Use tabs.")
    for name in ("bare", "barer"):
        (tmp_path / name).mkdir()
    return config


def news(shown: ShownContext, config: Config, cwd: Path | None = None, mode: Mode = DEFAULT) -> list[str]:
    """The new texts in a directory and a mode."""
    settings = replace(TurnSettings.of(config), cwd=cwd or config.cwd, collaboration_mode=mode)
    messages = anyio.run(shown.news, config, settings).messages
    assert all(message.role == "user" for message in messages)
    return [message.text for message in messages]


def test_the_environment_names_the_users_shell(project: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELL", "/usr/bin/fish")
    environment, _ = news(ShownContext(), project)
    assert "<shell>fish</shell>" in environment
    monkeypatch.delenv("SHELL")
    environment, _ = news(ShownContext(), project)
    assert "<shell>" not in environment


def test_unchanged_context_is_not_repeated(project: Config) -> None:
    shown = ShownContext()
    environment, instructions = news(shown, project)
    assert "environment_context" in environment
    assert "Use tabs." in instructions
    assert news(shown, project) == []
    shown.forget()
    assert news(shown, project) == [environment, instructions]


def test_instructions_are_read_once_in_a_directory(project: Config) -> None:
    shown = ShownContext()
    news(shown, project)
    (project.cwd / "AGENTS.md").write_text("Use spaces.")
    assert news(shown, project) == []


def test_a_directory_without_instructions_ends_the_earlier_ones_once(project: Config) -> None:
    shown = ShownContext()
    news(shown, project)
    bare = project.cwd.parent / "bare"
    _, ended = news(shown, project, bare)
    assert "do not apply here" in ended
    assert len(news(shown, project, bare.with_name("barer"))) == 1  # the environment alone
    _, again = news(shown, project)
    assert "Use tabs." in again


def test_without_earlier_instructions_none_are_ended(project: Config) -> None:
    shown = ShownContext()
    assert len(news(shown, project, project.cwd.parent / "bare")) == 1


@pytest.mark.parametrize(("role", "known"), [("user", True), ("assistant", False)])
def test_context_in_the_history_is_not_repeated(
    project: Config, role: Literal["user", "assistant"], known: bool
) -> None:
    texts = news(ShownContext(), project)
    history = [Message(role=role, content=[InputText(text=text)]) for text in texts]
    assert news(ShownContext(history), project) == ([] if known else texts)


@pytest.mark.parametrize(
    ("modes", "notes"),
    [
        ([DEFAULT, DEFAULT], []),
        ([PLAN, PLAN], [PLAN_MODE_NOTE]),
        ([PLAN, DEFAULT, DEFAULT], [PLAN_MODE_NOTE, DEFAULT_MODE_NOTE]),
        ([PLAN, DEFAULT, PLAN], [PLAN_MODE_NOTE, DEFAULT_MODE_NOTE, PLAN_MODE_NOTE]),
        ([None, DEFAULT], []),
        ([PLAN, None, PLAN], [PLAN_MODE_NOTE] * 2),
        ([PLAN, None, DEFAULT], [PLAN_MODE_NOTE, DEFAULT_MODE_NOTE]),
    ],
)
def test_a_model_learns_about_a_new_mode(project: Config, modes: list[Mode | None], notes: list[str]) -> None:
    """None stands for a history that has lost the context."""
    shown, texts = ShownContext(), list[str]()
    for mode in modes:
        if mode is None:
            shown.forget()
        else:
            texts += news(shown, project, mode=mode)
    assert [text for text in texts if text in (PLAN_MODE_NOTE, DEFAULT_MODE_NOTE)] == notes


def test_plan_mode_in_the_history_is_recognised(project: Config) -> None:
    texts = news(ShownContext(), project, mode=PLAN)
    assert texts[-1] == PLAN_MODE_NOTE
    assert "<sandbox_mode>read-only</sandbox_mode>" in texts[0]
    history = [Message(role="user", content=[InputText(text=text)]) for text in texts]
    assert news(ShownContext(history), project, mode=PLAN) == []
    assert DEFAULT_MODE_NOTE in news(ShownContext(history), project)
