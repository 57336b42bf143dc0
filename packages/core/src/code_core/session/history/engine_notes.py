"""Notes from the engine that are sent to the model with the user role."""

from code_core.protocol.items import Message, ResponseItem
from code_core.session.history.shown_context import ENVIRONMENT_TAG, INSTRUCTIONS_TAG
from code_core.session.plan_mode import MODE_TAG, REJECTED_TAG

STATE_TAG = "<session_state>"
INTERRUPTED_TAG = "<turn_interrupted>"
SUMMARY_TAG = "<session_summary>"
RENEWED_TAGS = (ENVIRONMENT_TAG, INSTRUCTIONS_TAG, MODE_TAG, STATE_TAG)
"""Opening tags of the notes that a compaction writes anew."""
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
"""Opening tags of all engine notes."""


def begins_with(item: ResponseItem, *tags: str) -> bool:
    """Whether `item` is an engine note that begins with one of `tags`."""
    return isinstance(item, Message) and item.role == "user" and item.text.startswith(tags)


def is_users_own(item: ResponseItem) -> bool:
    """Whether `item` was written by the user, rather than by the engine."""
    return isinstance(item, Message) and item.role == "user" and not item.text.startswith(ENGINE_TAGS)
