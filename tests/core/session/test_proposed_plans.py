"""Finding a plan in the model's last message, and what the model learns about the answer."""

import time
from typing import Any

import pytest

from code_core.protocol.answer_ops import ResolvePlan
from code_core.protocol.items import InputText, Message, OutputText
from code_core.protocol.ops import TextInput
from code_core.protocol.policies import CollaborationMode
from code_core.session.history.history import HistoryItem
from code_core.session.plan_mode import ACCEPTED, REVISE, input_after, open_plan, rejection
from code_core.view.plan_tags import plan_in

PROPOSAL = "Looked around.\n\n<proposed_plan>\n# Plan\n\n1. Make it\n</proposed_plan>"


@pytest.mark.parametrize(
    ("message", "plan"),
    [
        (PROPOSAL, "# Plan\n\n1. Make it"),
        ("<proposed_plan>\na\n</proposed_plan>\n<proposed_plan>\nb\n</proposed_plan>", "b"),
        ("<proposed_plan>\na\n</proposed_plan>\n<proposed_plan>\nb", "a"),
        ("<proposed_plan>\n<proposed_plan>\na\n</proposed_plan>", "<proposed_plan>\na"),
        (" <proposed_plan> \r\n  a\r\n</proposed_plan>\t", "  a\r"),
        ("<proposed_plan>\n \n</proposed_plan>", None),
        ("<proposed_plan>a</proposed_plan>", None),
        ("</proposed_plan>\na\n<proposed_plan>", None),
        ("", None),
    ],
)
def test_a_plan_is_between_two_tag_lines(message: str, plan: str | None) -> None:
    assert plan_in(message) == plan


def test_finding_a_plan_takes_linear_time() -> None:
    started = time.process_time()
    assert plan_in("<proposed_plan>\n" * 300_000) is None
    assert plan_in("<proposed_plan>\nx\n</proposed_plan>\n" * 100_000) == "x"
    assert time.process_time() - started < 5


def test_only_the_models_last_message_can_be_a_plan() -> None:
    def item(role: Any, part: Any) -> HistoryItem:
        return HistoryItem("i", Message(role=role, content=[part]))

    plan = CollaborationMode.PLAN
    assert open_plan(plan, item("assistant", OutputText(text=PROPOSAL))) is not None
    assert open_plan(plan, item("user", InputText(text=PROPOSAL))) is None
    assert open_plan(plan, None) is None
    assert open_plan(CollaborationMode.DEFAULT, item("assistant", OutputText(text=PROPOSAL))) is None


@pytest.mark.parametrize(
    ("action", "feedback", "words"),
    [
        ("accept", None, ACCEPTED),
        ("accept", " \n", ACCEPTED),
        ("accept", " but quickly\n", f"{ACCEPTED}\n\nbut quickly"),
        ("revise", None, REVISE),
        ("revise", " ", REVISE),
        ("revise", " smaller steps ", "smaller steps"),
        ("reject", None, "<plan_rejected>The user rejected the plan above</plan_rejected>"),
        ("reject", " ", "<plan_rejected>The user rejected the plan above</plan_rejected>"),
        ("reject", " no ", "<plan_rejected>The user rejected the plan above: no</plan_rejected>"),
    ],
)
def test_the_model_learns_what_the_user_thinks_of_its_plan(
    action: Any, feedback: str | None, words: str
) -> None:
    op = ResolvePlan(id="i", action=action, feedback=feedback)
    if action == "reject":
        assert rejection(op) == words
    else:
        assert input_after(op).items == [TextInput(text=words)]
