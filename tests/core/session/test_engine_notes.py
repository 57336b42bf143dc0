"""Which messages with the user role are the user's."""

import pytest

from code_core.protocol.items import InputText, Message, OutputText, Reasoning, ResponseItem
from code_core.session.history.engine_notes import (
    ENGINE_TAGS,
    STATE_TAG,
    SUMMARY_TAG,
    begins_with,
    is_users_own,
)


def user(words: str) -> Message:
    return Message(role="user", content=[InputText(text=words)])


@pytest.mark.parametrize(
    ("item", "own"),
    [
        (user("please"), True),
        (user(f"what does {SUMMARY_TAG} mean?"), True),
        *((user(f"{tag} …"), False) for tag in ENGINE_TAGS),
        (Message(role="assistant", content=[OutputText(text="please")]), False),
        (Message(role="developer", content=[InputText(text="please")]), False),
        (Reasoning(), False),
    ],
)
def test_messages_that_begin_with_a_tag_are_not_the_users_own(item: ResponseItem, own: bool) -> None:
    assert is_users_own(item) is own


def test_a_note_begins_with_its_tag() -> None:
    summary = user(f"{SUMMARY_TAG} so far …")
    assert begins_with(summary, SUMMARY_TAG)
    assert begins_with(summary, STATE_TAG, SUMMARY_TAG)
    assert not begins_with(summary, STATE_TAG)
    assert not begins_with(Message(role="assistant", content=[OutputText(text=SUMMARY_TAG)]), SUMMARY_TAG)
    assert not begins_with(Reasoning(), SUMMARY_TAG)
