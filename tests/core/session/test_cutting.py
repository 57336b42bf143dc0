"""Cutting texts and items of the history to a number of tokens."""

import json

import pytest

from code_core.protocol.items import (
    CustomToolCall,
    CustomToolCallOutput,
    FunctionCall,
    FunctionCallOutput,
    InputImage,
    InputText,
    LocalShellAction,
    LocalShellCall,
    Message,
    OutputText,
    ResponseItem,
)
from code_core.session.compaction.cutting import AN_IMAGE, cut_item, cut_text, without_images
from code_core.session.history.sizes import estimated_tokens

LONG = "<" + "x" * 1_000 + ">"
PICTURE = InputImage(image_url="data:x")


def test_a_text_keeps_its_ends_and_says_how_much_is_missing() -> None:
    cut = cut_text("a" * 300 + "b" * 400 + "c" * 300, 65)  # 260 characters, 60 of them for the note
    assert cut == "a" * 100 + "\n[… 800 characters left out to save space …]\n" + "c" * 100
    assert cut_text("a" * 5_000, 16) == "aa\n[… 4,996 characters left out to save space …]\naa"


@pytest.mark.parametrize("tokens", [-5, 0, 5, 15])
def test_without_room_only_the_note_remains(tokens: int) -> None:
    assert cut_text(LONG, tokens) == "\n[… 1,002 characters left out to save space …]\n"


@pytest.mark.parametrize(
    ("length", "tokens", "whole"), [(80, 20, True), (81, 20, False), (60, 0, True), (61, 0, False)]
)
def test_four_characters_are_a_token_and_text_no_longer_than_the_note_is_kept(
    length: int, tokens: int, whole: bool
) -> None:
    assert (cut_text("x" * length, tokens) == "x" * length) is whole


@pytest.mark.parametrize(
    "item",
    [
        Message(role="user", content=[InputText(text=LONG)]),
        Message(role="assistant", content=[OutputText(text=LONG)]),
        FunctionCallOutput(call_id="c", output=LONG),
        FunctionCallOutput(call_id="c", output=[InputText(text=LONG)]),
        CustomToolCallOutput(call_id="c", output=LONG),
        CustomToolCall(name="f", input=LONG, call_id="c"),
    ],
)
def test_an_item_is_cut_to_its_tokens_and_keeps_its_kind(item: ResponseItem) -> None:
    assert cut_item(item, estimated_tokens([item])) is item
    cut = cut_item(item, 100)
    assert type(cut) is type(item)
    assert 80 < estimated_tokens([cut]) <= 102  # the name and the id of a call cannot be cut
    assert "<xx" in repr(cut)
    assert "xx>" in repr(cut)
    assert "left out to save space" in repr(cut)


def test_a_message_from_the_model_stays_a_message_from_the_model() -> None:
    cut = cut_item(Message(role="assistant", content=[OutputText(text=LONG)]), 50)
    assert isinstance(cut, Message)
    assert isinstance(cut.content[0], OutputText)


def test_arguments_that_are_too_long_stay_valid_json() -> None:
    cut = cut_item(FunctionCall(name="f", arguments=json.dumps({"a": LONG}), call_id="c"), 50)
    assert cut == FunctionCall(
        name="f", arguments='{"left_out": "1,011 characters of arguments, to save space"}', call_id="c"
    )


def test_items_without_text_are_not_changed() -> None:
    shell = LocalShellCall(call_id="c", action=LocalShellAction(command=["echo", LONG]))
    assert cut_item(shell, 10) is shell


def test_the_parts_of_a_message_are_cut_as_one_text() -> None:
    parts = [InputText(text="<first"), PICTURE, InputText(text=LONG + "last>")]
    cut = cut_item(Message(role="user", content=parts), 60)
    assert isinstance(cut, Message)
    assert cut.text.startswith(f"<first{AN_IMAGE}"[:40])
    assert cut.text.endswith("last>")
    assert len(cut.content) == 1


@pytest.mark.parametrize(
    ("item", "noted"),
    [
        (
            Message(role="user", content=[InputText(text="see"), PICTURE]),
            Message(role="user", content=[InputText(text="see"), InputText(text=AN_IMAGE)]),
        ),
        (
            FunctionCallOutput(call_id="c", output=[PICTURE, InputText(text="seen")]),
            FunctionCallOutput(call_id="c", output=[InputText(text=AN_IMAGE), InputText(text="seen")]),
        ),
    ],
)
def test_each_image_is_replaced_by_a_note(item: ResponseItem, noted: ResponseItem) -> None:
    assert without_images(item) == noted
    assert without_images(noted) is noted
