"""Tracks which context the model has seen and which it needs to see again."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import anyio

from code_core.config.load import Config
from code_core.context.environment import environment_context
from code_core.context.project_docs import user_instructions
from code_core.frozen import frozen
from code_core.protocol.items import InputText, Message, ResponseItem
from code_core.protocol.policies import CollaborationMode
from code_core.session.plan_mode import MODE_TAG, mode_note
from code_core.session.settings import TurnSettings

ENVIRONMENT_TAG = "<environment_context>"
INSTRUCTIONS_TAG = "<user_instructions>"
NO_INSTRUCTIONS = (
    f"{INSTRUCTIONS_TAG}\n\nThe working directory has changed. "
    "The earlier instructions of the project do not apply here.\n\n</user_instructions>"
)


@frozen
class News:
    """New messages for the model, and warnings for the user."""

    messages: tuple[Message, ...]
    warnings: tuple[str, ...] = ()


class ShownContext:
    """The environment, instructions and mode that the history contains."""

    def __init__(self, history: Iterable[ResponseItem] = ()) -> None:
        self._environment: str | None = None
        self._instructions: str | None = None
        self._directory: Path | None = None
        self._mode: str | None = None  # empty if the history no longer contains it
        for item in history:
            if isinstance(item, Message) and item.role == "user":
                self._note(item)

    def forget(self) -> None:
        """Send everything again next time, because the history no longer contains it."""
        self._environment = self._instructions = self._directory = None
        self._mode = None if self._mode is None else ""

    async def news(self, config: Config, settings: TurnSettings, running: Sequence[str] = ()) -> News:
        """Return the context that the model does not know yet.

        This covers the environment with the `running` commands, the instructions of a new directory, and the
        mode. Default mode is announced only after plan mode, because the history may still say otherwise.
        """
        shell = Path(os.environ.get("SHELL", "")).name or None
        news: list[Message] = []
        warnings: tuple[str, ...] = ()
        environment = environment_context(
            settings.cwd, settings.approval_policy, settings.sandbox_in_force, shell, running
        )
        if environment.text != self._environment:
            news.append(environment)
        if settings.cwd != self._directory:
            found = await anyio.to_thread.run_sync(
                user_instructions,
                config.home.path,
                config.user_instructions,
                settings.cwd,
                config.project_doc_max_bytes,
            )
            instructions, warnings = found.message, tuple(found.warnings)
            if instructions is None and self._instructions is not None:
                instructions = Message(role="user", content=[InputText(text=NO_INSTRUCTIONS)])
            if instructions is not None and instructions.text != self._instructions:
                news.append(instructions)
            self._directory = settings.cwd
        mode = mode_note(settings.collaboration_mode)
        was_default = self._mode is None and settings.collaboration_mode is CollaborationMode.DEFAULT
        if mode != self._mode and not was_default:
            news.append(Message(role="user", content=[InputText(text=mode)]))
        for message in news:
            self._note(message)
        return News(tuple(news), warnings)

    def _note(self, message: Message) -> None:
        text = message.text
        if text.startswith(ENVIRONMENT_TAG):
            self._environment = text
        elif text.startswith(INSTRUCTIONS_TAG):
            self._instructions = text
        elif text.startswith(MODE_TAG):
            self._mode = text
