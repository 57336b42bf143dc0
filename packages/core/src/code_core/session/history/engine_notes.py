"""Messages that stand in the user's place and are not the user's."""

from code_core.protocol.items import Message, ResponseItem
from code_core.session.history.shown_context import ENVIRONMENT_TAG, INSTRUCTIONS_TAG
from code_core.session.plan_mode import MODE_TAG, REJECTED_TAG

STATE_TAG = "<session_state>"
INTERRUPTED_TAG = "<turn_interrupted>"
SUMMARY_TAG = "<session_summary>"
RENEWED_TAGS = (ENVIRONMENT_TAG, INSTRUCTIONS_TAG, MODE_TAG, STATE_TAG)
"""How those begin that a compaction writes anew."""
ENGINE_TAGS = (
    *RENEWED_TAGS,
    SUMMARY_TAG,
    INTERRUPTED_TAG,
    "<stream_interrupted>",
    "<user_shell_command>",
    "<files_restored>",
    "<code_review>",
    REJECTED_TAG,
)
"""How all of them begin."""


def begins_with(item: ResponseItem, *tags: str) -> bool:
    """Whether `item` is a note of the engine's that begins with one of `tags`."""
    return isinstance(item, Message) and item.role == "user" and item.text.startswith(tags)


def is_users_own(item: ResponseItem) -> bool:
    """Whether `item` is what the user wrote, and not a note of the engine's."""
    return isinstance(item, Message) and item.role == "user" and not item.text.startswith(ENGINE_TAGS)
