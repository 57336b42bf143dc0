"""The context that every tool gets."""

from pathlib import Path

import pytest

from code_core.protocol.policies import ReviewDecision
from code_core.tools.approver import Review
from code_core.tools.tool import ToolContext, ToolOutput, TurnAbandoned, refusal


@pytest.mark.parametrize(
    ("call_id", "name"),
    [
        ("call_1-Z", "call_1-Z.txt"),
        ("../../etc/x", "______etc_x.txt"),
        ("é½.", "___.txt"),
        ("", "call.txt"),
        ("a" * 101, "a" * 100 + ".txt"),
    ],
)
def test_an_output_has_a_file_for_any_call_id(call_id: str, name: str, tool_context: ToolContext) -> None:
    assert tool_context.output_file(call_id) == Path(tool_context.outputs / name)


def test_an_answer_is_an_approval_a_rejection_or_the_end_of_the_turn() -> None:
    for decision in (
        ReviewDecision.APPROVED,
        ReviewDecision.APPROVED_FOR_SESSION,
        ReviewDecision.APPROVED_PREFIX,
    ):
        assert refusal("patch", Review(decision)) is None
    assert refusal("patch", Review(ReviewDecision.DENIED)) == ToolOutput(
        "patch rejected by user", success=False, reported=True
    )
    assert refusal("patch", Review(ReviewDecision.DENIED, "no tests")) == ToolOutput(
        "patch rejected by user: no tests", success=False, reported=True
    )
    with pytest.raises(TurnAbandoned):
        refusal("patch", Review(ReviewDecision.ABORT))
