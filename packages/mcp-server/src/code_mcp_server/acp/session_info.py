"""What a session shows of itself: modes, options, title, status, the last changes of files."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from code_core.acp.commands import Show
from code_core.acp.message_ids import chunk
from code_core.acp.modes import Mode, mode_of, mode_state, modes_with
from code_core.acp.options import config_options
from code_core.acp.tool_calls import fenced
from code_core.model.catalog import family_of
from code_core.protocol.events import EventMsg, TurnDiff
from code_core.protocol.ops import InputItem, TextInput
from code_core.protocol.session_events import SessionRenamed, SessionSnapshot, SettingsChanged
from code_core.view.visible import readable, visible, visible_line

LONGEST_TITLE = 80


class SessionInfo:
    """See the module. It follows the session's events."""

    def __init__(self, session_id: str) -> None:
        self._id = session_id
        self._settings: SettingsChanged | None = None
        self._models: tuple[str, ...] = ()
        self._configured: tuple[str, str] | None = None
        self._title = ""
        self._title_sent = ""
        self._diff = ""
        self._shown = 0

    def opened(self, snapshot: SessionSnapshot) -> None:
        """The session stands here."""
        self._settings = snapshot.settings
        self._title = self._title_sent = _title_of(snapshot.name or snapshot.preview)

    def offer(self, configured: tuple[str, str], models: Sequence[str]) -> None:
        """What the settings say: approval policy and sandbox mode, and the models to choose from."""
        self._configured, self._models = configured, tuple(models)

    def observe(self, msg: EventMsg) -> None:
        """Take note of the next event."""
        match msg:
            case SettingsChanged():
                self._settings = msg
            case TurnDiff(unified_diff=diff):
                self._diff = diff
            case SessionRenamed(name=name):
                self._title = self._title_sent = _title_of(name or self._title)
            case _:
                pass

    def prompted(self, items: Sequence[InputItem]) -> None:
        """The user has prompted: the first words make the title."""
        self._title = self._title or _title_of(
            " ".join(one.text for one in items if isinstance(one, TextInput))
        )

    def new_title(self) -> dict[str, Any] | None:
        """The update for a title that the client does not have yet, and when the session changed."""
        if not self._title or self._title == self._title_sent:
            return None
        self._title_sent = self._title
        now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        return {"sessionUpdate": "session_info_update", "title": self._title, "updatedAt": now}

    @property
    def settings(self) -> SettingsChanged:
        """The settings of the next turn."""
        assert self._settings is not None  # noqa: S101 - the session has been opened
        return self._settings

    def modes(self) -> tuple[Mode, ...]:
        """The modes to choose from."""
        now = (self.settings.approval_policy, self.settings.sandbox_mode)
        return modes_with(*dict.fromkeys((self._configured or now, now)))

    def state(self) -> dict[str, Any]:
        """What the answers to `session/new`, `load` and `resume` say."""
        modes = self.modes()
        return {"modes": mode_state(self._mode(modes), modes), "configOptions": self.options()}

    def options(self) -> list[dict[str, Any]]:
        """The config options with their values now."""
        settings, modes = self.settings, self.modes()
        reasoning = settings.effort is not None or bool(family_of(settings.model).reasoning)
        return config_options(
            self._mode(modes), modes, settings.model, self._models, settings.effort, reasoning=reasoning
        )

    def settings_updates(self) -> list[dict[str, Any]]:
        """The updates after a change of settings."""
        mode = self._mode(self.modes())
        return [
            {"sessionUpdate": "current_mode_update", "currentModeId": mode.id},
            {"sessionUpdate": "config_option_update", "configOptions": self.options()},
        ]

    def shown(self, what: Show) -> dict[str, Any]:
        """The message that a command shows."""
        self._shown += 1
        text = self._status() if what.what == "status" else self._changes()
        return chunk("agent_message_chunk", text, f"{what.what}-{self._shown}")

    def _changes(self) -> str:
        if not self._diff:
            return "No turn of this session has changed files since it was opened."
        return fenced("\n".join(map(visible_line, self._diff.split("\n"))))

    def _status(self) -> str:
        settings = self.settings
        rows = {
            "session": self._id,
            "model": settings.model,
            "effort": settings.effort,
            "directory": settings.cwd,
            "approvals": settings.approval_policy,
            "sandbox": settings.sandbox_mode,
            "mode": settings.collaboration_mode,
        }
        return "\n".join(
            f"- {name}: `{visible(str(value))}`" for name, value in rows.items() if value is not None
        )

    def _mode(self, modes: Sequence[Mode]) -> Mode:
        settings = self.settings
        mode = mode_of(
            settings.approval_policy, settings.sandbox_mode, tuple(modes), settings.collaboration_mode
        )
        assert mode is not None  # noqa: S101 - `modes` has one for the settings now
        return mode


def _title_of(text: str) -> str:
    words = " ".join(readable(text).split())
    return words if len(words) <= LONGEST_TITLE else f"{words[: LONGEST_TITLE - 1]}…"
