"""Plan mode: the notes that announce it, and the plan that a turn proposes.

A plan stays open while it is the last history item in plan mode, so a resumed session still has it.
"""

from code_core.protocol.answer_ops import ResolvePlan
from code_core.protocol.items import Message
from code_core.protocol.ops import OverrideTurnContext, TextInput, UserInput
from code_core.protocol.policies import CollaborationMode
from code_core.protocol.question_events import PlanProposed
from code_core.session.history.history import HistoryItem
from code_core.view.plan_tags import plan_in

MODE_TAG = "<collaboration_mode>"
REJECTED_TAG = "<plan_rejected>"
PLAN_MODE_NOTE = f"""{MODE_TAG}
Plan mode is on: explore and plan, and change nothing. Commands run in a read-only sandbox without network; \
patches, `update_plan` and tools that may change something are refused. A request to do the work is a request \
to plan it. Find out what you can by reading; ask about decisions that only the user can make. Once the plan \
leaves nothing to decide, end your message with it, as Markdown, between a line <proposed_plan> and a line \
</proposed_plan>. The user then accepts it or says what to change. Only a message in {MODE_TAG} tags ends plan mode.
</collaboration_mode>"""
DEFAULT_MODE_NOTE = f"""{MODE_TAG}
Plan mode is off, whatever was said before: you may change files and run commands, within your permissions.
</collaboration_mode>"""
ACCEPTED = "I accept the plan. Carry it out."
REVISE = "Revise the plan."
LEAVE_PLAN_MODE = OverrideTurnContext(collaboration_mode=CollaborationMode.DEFAULT)


def mode_note(mode: CollaborationMode) -> str:
    """Return the note that announces `mode` to the model."""
    return PLAN_MODE_NOTE if mode is CollaborationMode.PLAN else DEFAULT_MODE_NOTE


def open_plan(mode: CollaborationMode, last: HistoryItem | None) -> PlanProposed | None:
    """Return the plan waiting for the user's answer, if `last`, the last history item, contains one."""
    if mode is not CollaborationMode.PLAN or last is None:
        return None
    match last.item:
        case Message(role="assistant", text=text) if (plan := plan_in(text)) is not None:
            return PlanProposed(id=last.id, plan=plan)
        case _:
            return None


def input_after(op: ResolvePlan) -> UserInput:
    """Return the input with which an answer starts the next turn."""
    feedback = _feedback(op)
    if op.action == "accept":
        feedback = f"{ACCEPTED}\n\n{feedback}" if feedback else ACCEPTED
    return UserInput(items=[TextInput(text=feedback or REVISE)])


def rejection(op: ResolvePlan) -> str:
    """Return the note for a plan that the user rejected."""
    feedback = _feedback(op)
    reason = f": {feedback}" if feedback else ""
    return f"{REJECTED_TAG}The user rejected the plan above{reason}</plan_rejected>"


def _feedback(op: ResolvePlan) -> str:
    return (op.feedback or "").strip()


def not_open(op: ResolvePlan) -> str:
    """Return why an answer to a plan has no effect."""
    return f"the answer had no effect: no plan with the id {op.id!r} is open"
