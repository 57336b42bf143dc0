"""Files that somebody else changes between the planning and the writing of a patch."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from code_core.files.local import LocalFileSystem
from code_core.patch import FileState, Sources
from code_core.protocol.events import PatchApplyBegin, PatchApplyEnd
from code_core.protocol.file_changes import UpdateChange
from code_core.protocol.items import CustomToolCall
from code_core.protocol.policies import AskForApproval, ReadOnly, ReviewDecision
from code_core.safety.grants import PathGrant
from code_core.tools import patch_run
from code_core.tools.apply_patch import ApplyPatch
from code_core.tools.approver import PatchQuestion, Review
from code_core.tools.tool import ToolContext, ToolOutput

TEN = "".join(f"{number}\n" for number in range(10))
UPDATE = "*** Update File: f\n@@\n-5\n+five"


def apply(lines: str, context: ToolContext, files: LocalFileSystem | None = None) -> ToolOutput:
    tool = ApplyPatch(files or LocalFileSystem())
    call = CustomToolCall(name="apply_patch", input=f"*** Begin Patch\n{lines}\n*** End Patch", call_id="p1")
    return anyio.run(tool.call, call, context)


class User:
    """Changes the files while it is asked, then approves."""

    def __init__(self, *deeds: Callable[[], object]) -> None:
        self._deeds = [*deeds]
        self.shown: list[Any] = []
        self.questions: list[PatchQuestion] = []

    async def __call__(self, question: PatchQuestion) -> Review:
        self.questions.append(question)
        self.shown.append(question.changes)
        if self._deeds:
            self._deeds.pop(0)()
        return Review(ReviewDecision.APPROVED)


@pytest.fixture
def asking(tool_context: ToolContext) -> ToolContext:
    (tool_context.cwd / "f").write_text(TEN)
    return replace(tool_context, approval_policy=AskForApproval.UNTRUSTED)


@pytest.fixture
def ask(asking: ToolContext, monkeypatch: pytest.MonkeyPatch) -> Callable[..., User]:
    def use(*deeds: Callable[[], object]) -> User:
        user = User(*deeds)
        monkeypatch.setattr(asking.approver, "ask", user)
        return user

    return use


def test_an_edit_elsewhere_in_the_file_is_kept_without_another_question(
    asking: ToolContext, ask: Callable[..., User], emitted: Any
) -> None:
    file = asking.cwd / "f"
    user = ask(lambda: file.write_text("new\n" + TEN.replace("0", "zero")))
    assert apply(UPDATE, asking).success
    assert file.read_text() == "new\n" + TEN.replace("0", "zero").replace("5", "five")
    assert len(user.shown) == 1
    _, end, diff = emitted.events
    assert isinstance(end, PatchApplyEnd)
    assert "new" not in diff.unified_diff  # the user's own edit is not the turn's


def test_the_question_has_a_reason_and_what_a_yes_for_the_session_allows(
    asking: ToolContext, ask: Callable[..., User], emitted: Any
) -> None:
    user = ask()
    assert apply(UPDATE, asking).success
    (question,) = user.questions
    assert question.call_id == "p1"
    assert question.reason == "the approval policy is to ask for every change"
    assert question.grants == {PathGrant(asking.cwd / "f")}
    assert not emitted.events[0].auto_approved


def test_a_patch_that_needs_approval_is_rejected_if_asking_is_not_allowed(tool_context: ToolContext) -> None:
    output = apply("*** Add File: f\n+x", replace(tool_context, sandbox_policy=ReadOnly()))
    assert not output.success
    assert output.text == (
        "patch rejected: the sandbox is read-only, and the approval policy is never to ask"
    )


def test_a_patch_applied_without_a_question_is_reported_as_auto_approved(
    tool_context: ToolContext, emitted: Any
) -> None:
    assert apply("*** Add File: f\n+x", tool_context).success
    assert emitted.events[0].auto_approved


def test_an_edit_near_the_change_needs_approval_again(
    asking: ToolContext, ask: Callable[..., User], emitted: Any
) -> None:
    file = asking.cwd / "f"
    user = ask(lambda: file.write_text(TEN.replace("6", "six")))
    assert apply(UPDATE, asking).success
    assert file.read_text() == TEN.replace("6", "six").replace("5", "five")
    first, second = (changes[str(file)].update.unified_diff for changes in user.shown)
    assert "\n 6\n" in first
    assert "\n six\n" in second
    begin = emitted.events[0]
    assert isinstance(begin, PatchApplyBegin)
    change = begin.changes[str(file)]
    assert isinstance(change, UpdateChange)
    assert change.update.unified_diff == second


def test_a_second_answer_may_be_no(
    asking: ToolContext, monkeypatch: pytest.MonkeyPatch, emitted: Any
) -> None:
    file = asking.cwd / "f"
    answers = [ReviewDecision.APPROVED, ReviewDecision.DENIED]

    async def answer(*_question: Any) -> Review:
        file.write_text(TEN.replace("6", "six"))
        return Review(answers.pop(0))

    monkeypatch.setattr(asking.approver, "ask", answer)
    output = apply(UPDATE, asking)
    assert (output.success, output.text) == (False, "patch rejected by user")
    assert file.read_text() == TEN.replace("6", "six")
    assert emitted.events == []


@pytest.mark.parametrize(
    ("lines", "deed", "problem"),
    [
        (UPDATE, lambda cwd: (cwd / "f").write_text("5, but mine\n"), "Failed to find expected lines in"),
        (UPDATE, lambda cwd: (cwd / "f").unlink(), "No such file or directory"),
        ("*** Delete File: f", lambda cwd: (cwd / "f").unlink(), "No such file or directory"),
        ("*** Update File: f\n*** Move to: g", lambda cwd: (cwd / "f").unlink(), "No such file or directory"),
        (UPDATE, lambda cwd: (cwd / "f").write_bytes(b"5\n\0\n"), "the file is binary"),
        (UPDATE, lambda cwd: ((cwd / "f").unlink(), (cwd / "f").mkdir()), "Is a directory"),
    ],
)
def test_a_patch_that_no_longer_fits_changes_nothing_and_is_reported(
    asking: ToolContext, ask: Callable[..., User], emitted: Any, lines: str, deed: Any, problem: str
) -> None:
    ask(lambda: deed(asking.cwd))
    output = apply(f"*** Add File: other\n+x\n{lines}", asking)
    assert not output.success
    assert output.text.startswith(
        "The patch was not applied, and no file was changed: another program changed a file "
    )
    assert problem in output.text
    assert not (asking.cwd / "other").exists()
    assert not (asking.cwd / "g").exists()
    assert emitted.events == []


@pytest.mark.parametrize(
    "lines", ["*** Delete File: f", "*** Add File: f\n+x", "*** Update File: g\n*** Move to: f"]
)
def test_a_file_to_delete_needs_approval_again_if_it_has_changed(
    asking: ToolContext, ask: Callable[..., User], lines: str
) -> None:
    (asking.cwd / "g").write_text("g\n")
    user = ask(lambda: (asking.cwd / "f").write_text("the user's work\n"))
    assert apply(lines, asking).success
    assert len(user.shown) == 2


def test_a_file_created_in_the_meantime_needs_approval(asking: ToolContext, ask: Callable[..., User]) -> None:
    user = ask(lambda: (asking.cwd / "new").write_text("the user's work\n"))
    assert apply("*** Add File: new\n+x", asking).success
    assert "-the user's work\n" in user.shown[1][str(asking.cwd / "new")].update.unified_diff


def test_permissions_changed_in_the_meantime_are_kept(asking: ToolContext, ask: Callable[..., User]) -> None:
    for name in ("f", "g"):
        (asking.cwd / name).write_text(TEN)

    def close() -> None:
        (asking.cwd / "f").chmod(0o600)
        (asking.cwd / "g").chmod(0o700)

    user = ask(close)
    assert apply(f"{UPDATE}\n*** Update File: g\n*** Move to: h", asking).success
    assert [(asking.cwd / name).stat().st_mode & 0o777 for name in "fh"] == [0o600, 0o700]
    assert len(user.shown) == 1


def test_a_file_that_becomes_a_link_is_not_followed(
    asking: ToolContext, ask: Callable[..., User], tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside") / "f"
    outside.write_text(TEN)

    def swap() -> None:
        (asking.cwd / "f").unlink()
        (asking.cwd / "f").symlink_to(outside)

    ask(swap)
    output = apply(UPDATE, asking)
    assert not output.success
    assert "has become a symbolic link" in output.text
    assert outside.read_text() == TEN


def test_a_link_that_leads_elsewhere_is_not_followed(asking: ToolContext, ask: Callable[..., User]) -> None:
    for name in ("one", "two"):
        (asking.cwd / name).mkdir()
        (asking.cwd / name / "f").write_text(TEN)
    link = asking.cwd / "d"
    link.symlink_to("one")

    def lead_elsewhere() -> None:
        link.unlink()
        link.symlink_to("two")

    ask(lead_elsewhere)
    output = apply("*** Update File: d/f\n-5\n+five", asking)
    assert f"a link to {asking.cwd}/two/f has changed" in output.text
    assert [(asking.cwd / name / "f").read_text() for name in ("one", "two")] == [TEN, TEN]


def test_a_patch_to_files_that_keep_changing_is_abandoned(
    asking: ToolContext, ask: Callable[..., User]
) -> None:
    file = asking.cwd / "f"
    deeds = [lambda text=text: file.write_text(TEN.replace("6", text)) for text in ("a", "b", "c", "d")]
    user = ask(*deeds)
    output = apply(UPDATE, asking)
    assert output.text.endswith("another program changed a file before the patch could be written, 3 times.")
    assert file.read_text() == TEN.replace("6", "c")
    assert len(user.shown) == 3


def test_a_checker_that_fixes_the_file_is_not_undone(
    tool_context: ToolContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tool_context.cwd / "f"
    file.write_text(TEN)
    runs: list[str] = []

    async def fix(*_plan: Any) -> str:
        if not runs:
            file.write_text(TEN.replace("9", "nine"))
        runs.append("")
        return ""

    monkeypatch.setattr(patch_run, "_findings", fix)
    assert apply(UPDATE, tool_context).success
    assert file.read_text() == TEN.replace("9", "nine").replace("5", "five")


class Saving(LocalFileSystem):
    """The user saves a file just before it is written, too late for another plan."""

    async def replace(self, path: Path, new: FileState, expected: FileState | None) -> None:
        if path.name == "f":
            path.write_text("the user's work\n")
        await super().replace(path, new, expected)


@pytest.mark.parametrize("lines", [UPDATE, "*** Add File: f\n+x"])
def test_a_file_that_changes_at_the_last_moment_is_left_alone(
    tool_context: ToolContext, emitted: Any, lines: str
) -> None:
    if "Update" in lines:
        (tool_context.cwd / "f").write_text(TEN)
    output = apply(f"*** Add File: first\n+x\n{lines}\n*** Add File: last\n+x", tool_context, Saving())
    assert (tool_context.cwd / "f").read_text() == "the user's work\n"
    happened = "changed" if "Update" in lines else "created"
    assert output.text == (
        f"Failed to write file {tool_context.cwd}/f: The file was {happened} after the patch was planned\n"
        f"These changes of the patch were made and stay:\n  write file {tool_context.cwd}/first\n"
        f"These were not made:\n  write file {tool_context.cwd}/last"
    )
    assert emitted.kinds == ["patch_apply_begin", "patch_apply_end", "turn_diff"]
    assert not emitted.events[1].success


def test_files_are_announced_before_they_are_written(tool_context: ToolContext) -> None:
    (tool_context.cwd / "f").write_text(TEN)
    (tool_context.cwd / "d").write_text("d\n")
    announced: list[tuple[list[str], str, bool]] = []

    async def before_write(paths: Sequence[Path]) -> None:
        await anyio.lowlevel.checkpoint()
        text = (tool_context.cwd / "f").read_text()
        announced.append(([path.name for path in paths], text, (tool_context.cwd / "d").exists()))

    lines = "*** Update File: f\n*** Move to: g\n-5\n+five\n*** Delete File: d\n*** Add File: n\n+x"
    assert apply(lines, replace(tool_context, before_write=before_write)).success
    assert announced == [(["f", "g", "d", "n"], TEN, True)]


def test_only_files_that_are_written_are_announced(
    asking: ToolContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def deny(*_question: Any) -> Review:
        return Review(ReviewDecision.DENIED)

    async def before_write(_paths: Sequence[Path]) -> None:
        raise AssertionError("it was not approved")

    monkeypatch.setattr(asking.approver, "ask", deny)
    assert not apply(UPDATE, replace(asking, before_write=before_write)).success


def test_changes_during_a_checkpoint_are_detected(tool_context: ToolContext) -> None:
    file = tool_context.cwd / "f"
    file.write_text(TEN)
    deeds = [lambda: file.write_text(TEN + "more\n")]

    async def before_write(_paths: Sequence[Path]) -> None:
        if deeds:
            deeds.pop()()

    assert apply(UPDATE, replace(tool_context, before_write=before_write)).success
    assert file.read_text() == TEN.replace("5", "five") + "more\n"


def test_sources_have_a_size() -> None:
    states = {
        Path("/a"): FileState(b"12"),
        Path("/b"): None,
        Path("/c"): OSError(),
        Path("/d"): FileState(b"3"),
    }
    assert Sources(Path("/"), {}, states).size == 3
