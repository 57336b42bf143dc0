import pytest

from code_core.errors import TurnError
from code_core.protocol.items import CustomToolCall, FunctionCall, LocalShellAction, LocalShellCall, ToolCall
from code_core.session.turn.loop_guard import LoopGuard
from code_core.tools.tool import ToolOutput


def call(arguments: str = "{}") -> FunctionCall:
    return FunctionCall(name="shell", arguments=arguments, call_id="c")


def shell(*words: str) -> LocalShellCall:
    return LocalShellCall(call_id="c", status="completed", action=LocalShellAction(command=list(words)))


def patch(text: str) -> CustomToolCall:
    return CustomToolCall(name="apply_patch", input=text, call_id="c")


def test_the_third_repetition_is_noted_and_the_fifth_stops() -> None:
    guard = LoopGuard()
    outputs = [ToolOutput(f"took {number} s", fingerprint="same") for number in range(5)]
    noted = [False, False, True, False]
    assert [guard.observe(call(), output) is not None for output in outputs[:4]] == noted
    guard.check()
    guard.observe(call(), outputs[4])
    guard.observe(call("another"), ToolOutput("of the same response"))
    with pytest.raises(TurnError, match="5 times in a row"):
        guard.check()


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (call("1"), call("2")),
        (patch("1"), patch("2")),
        (shell("1"), shell("2")),
        (call("1"), FunctionCall(name="other", arguments="1", call_id="c")),
        (patch("1"), shell("1")),
    ],
    ids=["arguments", "inputs", "commands", "names", "kinds"],
)
def test_different_calls_with_the_same_result_are_not_a_loop(first: ToolCall, second: ToolCall) -> None:
    guard = LoopGuard()
    for _ in range(5):
        assert guard.observe(first, ToolOutput("same")) is None
        assert guard.observe(second, ToolOutput("same")) is None
    guard.check()


@pytest.mark.parametrize("repeated", [call(), patch("1"), shell("1")], ids=["function", "custom", "shell"])
def test_the_same_call_with_different_results_is_not_a_loop(repeated: ToolCall) -> None:
    guard = LoopGuard()
    for number in range(5):
        assert guard.observe(repeated, ToolOutput(str(number))) is None
    guard.check()


@pytest.mark.parametrize("repeated", [call(), patch("1"), shell("1")], ids=["function", "custom", "shell"])
def test_every_kind_of_call_can_loop(repeated: ToolCall) -> None:
    guard = LoopGuard()
    notes = [guard.observe(repeated, ToolOutput("same")) for _ in range(5)]
    assert [note is not None for note in notes] == [False, False, True, False, False]
    with pytest.raises(TurnError):
        guard.check()
