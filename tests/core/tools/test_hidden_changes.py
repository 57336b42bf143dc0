"""Patches that a question cannot show completely: nobody can approve what nobody can see."""

from dataclasses import replace

import anyio
import pytest

from code_core.files.local import LocalFileSystem
from code_core.protocol.items import CustomToolCall
from code_core.protocol.policies import AskForApproval, ReviewDecision
from code_core.tools.apply_patch import ApplyPatch
from code_core.tools.approver import PatchQuestion, Review
from code_core.tools.tool import ToolContext, ToolOutput

LONG = "".join(f"+line {number}\n" for number in range(40_000)) + "+the end"


class User:
    """Approves everything."""

    def __init__(self) -> None:
        self.asked: list[PatchQuestion] = []

    async def __call__(self, question: PatchQuestion) -> Review:
        self.asked.append(question)
        return Review(ReviewDecision.APPROVED)


@pytest.fixture
def user(tool_context: ToolContext, monkeypatch: pytest.MonkeyPatch) -> User:
    user = User()
    monkeypatch.setattr(tool_context.approver, "ask", user)
    return user


def apply(lines: str, context: ToolContext, policy: AskForApproval = AskForApproval.UNTRUSTED) -> ToolOutput:
    tool = ApplyPatch(LocalFileSystem())
    call = CustomToolCall(name="apply_patch", input=f"*** Begin Patch\n{lines}\n*** End Patch", call_id="p1")
    return anyio.run(tool.call, call, replace(context, approval_policy=policy))


@pytest.mark.parametrize(
    "lines",
    [
        f"*** Add File: f\n{LONG}",
        f"*** Add File: old\n{LONG}",
        f"*** Update File: old\n@@\n-old\n{LONG}",
        f"*** Add File: small\n+x\n*** Add File: f\n{LONG}",
        "*** Add File: f\n+" + "x" * 300_000,
        "*** Add File: f\n+echo\0",
        "*** Add File: old\n+echo\0",
    ],
    ids=["add", "replace", "update", "one of two", "one line", "binary", "binary over text"],
)
def test_a_patch_that_cannot_be_shown_completely_is_rejected_without_a_question(
    lines: str, tool_context: ToolContext, user: User
) -> None:
    old = tool_context.cwd / "old"
    old.write_text("old\n")
    output = apply(lines, tool_context)
    assert not output.success
    assert "cannot be shown completely" in output.text
    assert "Send smaller patches" in output.text
    assert user.asked == []
    assert old.read_text() == "old\n"
    assert not (tool_context.cwd / "f").exists()
    assert not (tool_context.cwd / "small").exists()


def test_a_large_patch_is_applied_if_no_approval_is_needed(tool_context: ToolContext, user: User) -> None:
    assert apply(f"*** Add File: f\n{LONG}", tool_context, AskForApproval.NEVER).success
    assert (tool_context.cwd / "f").read_text().endswith("the end\n")
    assert user.asked == []


def test_a_large_file_may_be_deleted_and_moved(tool_context: ToolContext, user: User) -> None:
    for name in ("f", "g"):
        (tool_context.cwd / name).write_text("line\n" * 100_000)
    assert apply("*** Delete File: f", tool_context).success
    assert apply("*** Update File: g\n*** Move to: h\n@@\n-line\n+first", tool_context).success
    assert len(user.asked) == 2
