"""The estimated sizes of history items."""

import pytest

from code_core.protocol.items import (
    CustomToolCallOutput,
    FunctionCall,
    FunctionCallOutput,
    InputImage,
    InputText,
    LocalShellAction,
    LocalShellCall,
    Message,
    OutputText,
    Refusal,
    ResponseItem,
)
from code_core.session.history.sizes import estimated_tokens, image_sizes

TEXT = "x" * 400
"""100 tokens."""
IMAGE = InputImage(image_url="data:image/png;base64,AAAA")


@pytest.mark.parametrize(
    ("item", "tokens"),
    [
        (Message(role="user", content=[InputText(text=TEXT), InputText(text=TEXT)]), 208),
        (Message(role="assistant", content=[OutputText(text=TEXT)]), 108),
        (Message(role="assistant", content=[Refusal(refusal=TEXT)]), 108),
        (Message(role="user", content=[IMAGE, InputText(text=TEXT)]), 1_108),
        (FunctionCallOutput(call_id="c", output=TEXT), 108),
        (FunctionCallOutput(call_id="c", output=[InputText(text=TEXT), IMAGE]), 1_108),
        (CustomToolCallOutput(call_id="c", output=TEXT), 108),
        # Of calls, all texts count: here also 13 of the type, 6 of the name and 1 of the id.
        (FunctionCall(name="search", arguments=TEXT, call_id="c"), (400 + 13 + 6 + 1) // 4 + 8),
        (FunctionCall(name="search", arguments=TEXT, call_id="c" * 4), (400 + 13 + 6 + 4) // 4 + 8),
    ],
)
def test_four_characters_are_a_token_and_an_image_is_a_thousand(item: ResponseItem, tokens: int) -> None:
    assert estimated_tokens([item]) == tokens
    assert estimated_tokens([item, item]) == 2 * tokens
    assert estimated_tokens([]) == 0


def test_texts_deep_in_a_call_count() -> None:
    def command(*words: str) -> int:
        return estimated_tokens([LocalShellCall(call_id="c", action=LocalShellAction(command=[*words]))])

    assert command("ls", TEXT, TEXT) == command("ls") + 200


def test_images_have_the_size_of_their_url() -> None:
    small, large = (InputImage(image_url="data:" + "x" * size) for size in (1, 100))
    items: list[ResponseItem] = [
        Message(role="user", content=[small, InputText(text=TEXT)]),
        FunctionCall(name="view", arguments="{}", call_id="c"),
        FunctionCallOutput(call_id="c", output=[InputText(text=TEXT), large]),
        FunctionCallOutput(call_id="c", output=TEXT),
    ]
    assert image_sizes(items) == [6, 105]
