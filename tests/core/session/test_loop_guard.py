import pytest

from code_core.errors import TurnError
from code_core.protocol.items import FunctionCall
from code_core.session.loop_guard import LoopGuard
from code_core.tools.tool import ToolOutput


def call(arguments: str = "{}") -> FunctionCall:
    return FunctionCall(name="shell", arguments=arguments, call_id="c")


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


def test_another_call_or_another_result_starts_anew() -> None:
    guard = LoopGuard()
    for number in range(20):
        assert guard.observe(call(), ToolOutput(str(number))) is None
        assert guard.observe(call(str(number)), ToolOutput("same")) is None
    guard.check()
