"""Finds the tags around a proposed plan, and hides them from users.

In plan mode the model ends its message with a plan between two lines, `<proposed_plan>` and `</proposed_plan>`.
The tags match Codex.
"""

import re

from code_core.lazy_pattern import lazy_pattern
from code_core.protocol.agent_events import AgentMessage, AgentMessageDelta, AgentMessageReset
from code_core.protocol.events import EventMsg, SessionConfigured, TaskComplete, TaskStarted
from code_core.protocol.session_events import SessionSnapshot, SettingsChanged

_TAGS = ("<proposed_plan>", "</proposed_plan>")
_TAG_LINE = lazy_pattern(r"^[^\S\n]{0,40}</?proposed_plan>[^\S\n]{0,40}(?:\n|\Z)", re.MULTILINE)
_LONGEST = 100
"""A longer line cannot consist of a tag and spaces only."""


def plan_in(text: str) -> str | None:
    """Return the last complete plan in a model message, or None. Each tag must be on its own line."""
    plan: str | None = None
    begun: list[str] | None = None
    for line in text.split("\n"):
        match line.strip():
            case "<proposed_plan>" if begun is None:
                begun = []
            case "</proposed_plan>" if begun is not None:
                plan = "\n".join(begun).strip("\n") or plan
                begun = None
            case _ if begun is not None:
                begun.append(line)
            case _:
                pass
    return plan if plan and plan.strip() else None


def without_tags(text: str) -> str:
    """Return `text` without the lines that consist of a tag."""
    return _TAG_LINE.sub("", text)


def stored_without_tags(text: str) -> str:
    """Return a message of a stored session without the tags of its plan, if it has one."""
    return text if plan_in(text) is None else without_tags(text)


class WithoutPlanTags:
    """Removes the tags from the events that a frontend shows, as long as plan mode is on.

    Streamed text that could become a tag is held back until it is complete.
    """

    def __init__(self) -> None:
        self._plans = False
        self._held = ""  # the beginning of a line
        self._line_begins = True

    def events(self, msg: EventMsg) -> list[EventMsg]:
        """Return the events to show for `msg`, in order."""
        match msg:
            case (
                SessionConfigured(collaboration_mode=mode)
                | SettingsChanged(collaboration_mode=mode)
                | SessionSnapshot(settings=SettingsChanged(collaboration_mode=mode))
            ):
                self._plans = mode == "plan"
            case TaskStarted() | AgentMessageReset():
                self._begin_message()
            case AgentMessageDelta(delta=delta) if self._plans:
                shown = self._shown(delta)
                return [AgentMessageDelta(delta=shown)] if shown else []
            case AgentMessage(message=text) if self._plans:
                rest = without_tags(self._held)
                self._begin_message()
                whole = AgentMessage(message=self.text(text))
                return [AgentMessageDelta(delta=rest), whole] if rest else [whole]
            case TaskComplete(last_agent_message=str(text)) if self._plans:
                return [msg.model_copy(update={"last_agent_message": self.text(text)})]
            case _:
                pass
        return [msg]

    def text(self, text: str) -> str:
        """Return a complete message as it is shown."""
        return without_tags(text) if self._plans else text

    def _begin_message(self) -> None:
        self._held, self._line_begins = "", True

    def _shown(self, delta: str) -> str:
        text, self._held = self._held + delta, ""
        shown: list[str] = []
        while text:
            line, newline, text = text.partition("\n")
            if self._line_begins and not newline and _may_become_a_tag(line):
                self._held = line
            elif not self._line_begins or not _TAG_LINE.fullmatch(line):
                shown += (line, newline)
                self._line_begins = bool(newline)
        return "".join(shown)


def _may_become_a_tag(line: str) -> bool:
    return len(line) <= _LONGEST and any(tag.startswith(line.strip()) for tag in _TAGS)
