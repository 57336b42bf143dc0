from hypothesis import given
from hypothesis import strategies as st

from code_core.protocol.items import (
    CustomToolCall,
    CustomToolCallOutput,
    FunctionCall,
    FunctionCallOutput,
    InputText,
    LocalShellAction,
    LocalShellCall,
    Message,
    OutputText,
    Reasoning,
    ResponseItem,
    ToolCall,
    WebSearchCall,
)
from code_core.session.history.request_input import normalised, salvaged, with_own_ids
from code_core.wire.prompt import ModelSettings, Prompt
from code_core.wire.responses import request_body
from support import violations


def call(call_id: str) -> FunctionCall:
    return FunctionCall(name="shell", arguments="{}", call_id=call_id)


def custom(call_id: str) -> CustomToolCall:
    return CustomToolCall(name="apply_patch", input="x", call_id=call_id)


def shell(call_id: str) -> LocalShellCall:
    return LocalShellCall(call_id=call_id, action=LocalShellAction(command=["ls"]))


def output(call_id: str) -> FunctionCallOutput:
    return FunctionCallOutput(call_id=call_id, output="done")


def custom_output(call_id: str) -> CustomToolCallOutput:
    return CustomToolCallOutput(call_id=call_id, output="done")


USER = Message(role="user", content=[InputText(text="hi")])
AGENT = Message(id="m", role="assistant", content=[OutputText(text="hello")])
THOUGHT = Reasoning(id="r", encrypted_content="blob")


def test_a_call_without_output_gets_one_of_its_type_directly_after_it() -> None:
    assert normalised([call("1"), AGENT, custom("2"), shell("3")]) == [
        call("1"),
        FunctionCallOutput(call_id="1", output="aborted"),
        AGENT,
        custom("2"),
        CustomToolCallOutput(call_id="2", output="aborted"),
        shell("3"),
        FunctionCallOutput(call_id="3", output="aborted"),
    ]


def test_a_valid_history_is_not_changed() -> None:
    history: list[ResponseItem] = [
        USER,
        THOUGHT,
        call("1"),
        call("2"),
        output("1"),
        output("2"),
        shell("3"),
        custom("4"),
        custom_output("4"),
        output("3"),
        THOUGHT,
        AGENT,
    ]
    assert normalised(history) == history


def test_an_item_that_comes_twice_is_sent_once() -> None:
    answer = output("1")
    assert normalised([call("1"), answer, answer]) == [call("1"), answer]


def test_outputs_without_a_call_and_repeated_ids_are_dropped() -> None:
    assert normalised([output("0"), call("1"), output("1"), output("1"), call("1"), USER]) == [
        call("1"),
        output("1"),
        USER,
    ]


def test_an_output_of_the_wrong_type_is_replaced() -> None:
    assert normalised([call("1"), custom_output("1")]) == [
        call("1"),
        FunctionCallOutput(call_id="1", output="aborted"),
    ]


def test_trailing_reasoning_is_dropped() -> None:
    assert normalised([THOUGHT, THOUGHT, USER, THOUGHT, AGENT, THOUGHT]) == [USER, THOUGHT, AGENT]
    answered: list[ResponseItem] = [call("1"), custom("2"), output("1"), custom_output("2")]
    assert normalised([*answered[:2], THOUGHT, answered[2], THOUGHT, answered[3]]) == answered


def test_invalid_arguments_are_replaced_and_valid_ones_kept_unchanged() -> None:
    good = FunctionCall(name="f", arguments=' {"a":1}', call_id="1")
    bad = FunctionCall(name="f", arguments='{"a":', call_id="2")
    sent = normalised([good, bad, output("1"), output("2")])
    assert sent == [good, FunctionCall(name="f", arguments="{}", call_id="2"), output("1"), output("2")]
    assert bad.arguments == '{"a":'


IDS = st.sampled_from(["1", "2", "3"])
ITEMS = st.lists(
    st.one_of(
        st.sampled_from([USER, AGENT, THOUGHT, WebSearchCall(id="w")]),
        st.builds(call, IDS),
        st.builds(FunctionCall, name=st.just("f"), arguments=st.text(), call_id=IDS),
        st.builds(custom, IDS),
        st.builds(shell, IDS),
        st.builds(output, IDS),
        st.builds(custom_output, IDS),
    ),
    max_size=15,
)


@given(ITEMS)
def test_the_api_would_accept_the_request_for_any_history(items: list[ResponseItem]) -> None:
    prompt = Prompt(ModelSettings("m"), "conversation", "be good", [USER, *normalised([*items, USER])])
    assert violations(request_body(prompt)) == []


@given(ITEMS)
def test_normalising_twice_changes_nothing(items: list[ResponseItem]) -> None:
    assert normalised(normalised(items)) == normalised(items)


def test_everything_up_to_the_last_message_or_call_of_a_broken_response_is_kept() -> None:
    assert salvaged([THOUGHT, AGENT, call("1"), AGENT, THOUGHT]) == [THOUGHT, AGENT, call("1"), AGENT]
    assert salvaged([THOUGHT, AGENT, THOUGHT]) == [THOUGHT, AGENT]
    assert salvaged([THOUGHT, WebSearchCall(id="w")]) == []


@given(st.lists(st.sampled_from(["", "a", "b", "c"])), st.lists(st.sampled_from(["a", "b"])))
def test_every_call_has_an_id_of_its_own(new: list[str], old: list[str]) -> None:
    items = with_own_ids([custom(call_id) for call_id in new], set(old))
    ids = [item.call_id for item in items if isinstance(item, ToolCall)]
    assert len(ids) == len(set(ids)) == len(new)
    assert "" not in ids
    assert not {*ids} & {*old}
    first_uses = [call_id for index, call_id in enumerate(new) if call_id not in {"", *old, *new[:index]}]
    assert [call_id for call_id in ids if not call_id.startswith("call_")] == first_uses
