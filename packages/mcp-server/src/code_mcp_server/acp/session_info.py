"""What clients see of a session: modes, options, title, status, and the latest file changes."""

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
    """See the module. Follows the session's events."""

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
        """Start from the current state of the session."""
        self._settings = snapshot.settings
        self._title = self._title_sent = _title_of(snapshot.name or snapshot.preview)

    def offer(self, configured: tuple[str, str], models: Sequence[str]) -> None:
        """Set what the settings offer: the configured approval policy and sandbox mode, and the models."""
        self._configured, self._models = configured, tuple(models)

    def observe(self, msg: EventMsg) -> None:
        """Update the state from the next event."""
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
        """Take the title from the beginning of the first prompt."""
        self._title = self._title or _title_of(
            " ".join(one.text for one in items if isinstance(one, TextInput))
        )

    def new_title(self) -> dict[str, Any] | None:
        """Return an update with the title, if the client does not have it yet, and the time of the last change."""
        if not self._title or self._title == self._title_sent:
            return None
        self._title_sent = self._title
        now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        return {"sessionUpdate": "session_info_update", "title": self._title, "updatedAt": now}

    @property
    def settings(self) -> SettingsChanged:
        """The settings for the next turn."""
        assert self._settings is not None  # noqa: S101 - the session has been opened
        return self._settings

    def modes(self) -> tuple[Mode, ...]:
        """The available modes."""
        now = (self.settings.approval_policy, self.settings.sandbox_mode)
        return modes_with(*dict.fromkeys((self._configured or now, now)))

    def state(self) -> dict[str, Any]:
        """Return the state for the answers to `session/new`, `load` and `resume`."""
        modes = self.modes()
        return {"modes": mode_state(self._mode(modes), modes), "configOptions": self.options()}

    def options(self) -> list[dict[str, Any]]:
        """Return the config options with their current values."""
        settings, modes = self.settings, self.modes()
        reasoning = settings.effort is not None or bool(family_of(settings.model).reasoning)
        return config_options(
            self._mode(modes), modes, settings.model, self._models, settings.effort, reasoning=reasoning
        )

    def settings_updates(self) -> list[dict[str, Any]]:
        """Return the updates to send after a change of settings."""
        mode = self._mode(self.modes())
        return [
            {"sessionUpdate": "current_mode_update", "currentModeId": mode.id},
            {"sessionUpdate": "config_option_update", "configOptions": self.options()},
        ]

    def shown(self, what: Show) -> dict[str, Any]:
        """Return the message that a command shows."""
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
        assert mode is not None  # noqa: S101 - `modes` has one for the current settings
        return mode


def _title_of(text: str) -> str:
    words = " ".join(readable(text).split())
    return words if len(words) <= LONGEST_TITLE else f"{words[: LONGEST_TITLE - 1]}…"
