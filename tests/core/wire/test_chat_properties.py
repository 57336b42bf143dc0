"""Properties of the requests for any history, on both wires."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from code_core.protocol.items import (
    CustomToolCall,
    CustomToolCallOutput,
    ResponseItem,
)
from code_core.session.history.request_input import normalised
from code_core.wire import chat, responses
from code_core.wire.prompt import ModelSettings, Prompt
from code_core.wire.request_json import encoded
from core.wire.chat_history import ME, assistant, body, called, output, thought, user

ITEMS = st.one_of(
    st.builds(user, st.text(max_size=3)),
    st.builds(assistant, st.text(min_size=1, max_size=3)),
    st.builds(thought, st.text(max_size=3)),
    st.builds(called, st.sampled_from("fg"), st.sampled_from("abcd")),
    st.builds(output, st.sampled_from("abcd")),
    st.builds(CustomToolCall, name=st.just("p"), input=st.text(max_size=3), call_id=st.sampled_from("abcd")),
    st.builds(CustomToolCallOutput, call_id=st.sampled_from("abcd"), output=st.text(max_size=3)),
)


@given(st.lists(ITEMS, max_size=12))
def test_strict_servers_accept_the_request_for_any_history(items: list[ResponseItem]) -> None:
    body(user("go"), *normalised(items))


@given(st.lists(st.lists(ITEMS, max_size=6), min_size=2, max_size=5))
def test_each_request_begins_with_the_bytes_of_the_one_before(steps: list[list[ResponseItem]]) -> None:
    history: list[ResponseItem] = []
    requests: list[tuple[bytes, bytes]] = []
    for number, step in enumerate(steps):
        renamed = [
            item.model_copy(update={"call_id": f"{item.call_id}{number}"})
            if hasattr(item, "call_id")
            else item
            for item in step
        ]
        history = normalised([*history, user("next"), *normalised([*renamed, assistant("end")])])
        prompt = Prompt(ModelSettings("m"), "c", "i", history)
        requests.append(
            (
                encoded({"x": chat.request_body(prompt, ME)["messages"]}),
                encoded({"x": responses.request_body(prompt, ME)["input"]}),
            )
        )
    for before, after in pairwise(requests):
        for first, second in zip(before, after, strict=True):
            assert second.startswith(first.removesuffix(b"]}"))
