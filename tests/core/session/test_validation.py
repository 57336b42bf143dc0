"""The findings of checks about a patch in a turn."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from code_core.protocol.events import BackgroundEvent
from code_core.protocol.ops import (
    Op,
    PatchApproval,
    UpdateValidationGroup,
    UpdateValidationTool,
    parse_op,
)
from code_core.protocol.policies import AskForApproval, ReviewDecision
from core.session.conversing import Frontend, after, user
from support import responses_events as sse
from support.scenario import Response


def patch(call_id: str, path: str, *lines: str) -> Response:
    body = "\n".join(f"+{line}" for line in lines)
    text = f"*** Begin Patch\n*** Add File: {path}\n{body}\n*** End Patch"
    return [sse.custom_tool_call("apply_patch", text, call_id), sse.completed()]


async def one_turn(frontend: Frontend) -> list[str]:
    """The messages of background events in a turn."""
    before = len(frontend.seen)
    await frontend.send(user("go"))
    await frontend.until("task_complete")
    return [event.msg.message for event in frontend.seen[before:] if isinstance(event.msg, BackgroundEvent)]


def test_the_model_and_the_user_get_the_findings_and_the_patch_is_applied(
    converse: Callable[..., None], tmp_path: Path
) -> None:
    async def script(frontend: Frontend) -> None:
        shown = await one_turn(frontend)
        assert shown[0].startswith("validation (json): 1 issue\n  json: a.json: ")
        assert (tmp_path / "work/a.json").read_text() == "{\n"
        assert await one_turn(frontend) == []

    converse(
        script,
        patch("c1", "a.json", "{"),
        after(
            'A a.json\n{"validation": {"issues": [{"tool": "json", "file": "a.json", "message": "',
            call_id="c1",
        ),
        patch("c2", "b.json", "{}"),
        after("A b.json", call_id="c2"),
    )


@pytest.mark.parametrize(
    ("ops", "found"),
    [
        ([], True),
        ([UpdateValidationTool(name="json", enable=False)], False),
        ([UpdateValidationGroup(group="functional", enable=False)], False),
        ([UpdateValidationGroup(group="stylistic", enable=False)], True),
        (
            [
                UpdateValidationGroup(group="functional", enable=False),
                UpdateValidationTool(name="json", enable=True),
            ],
            True,
        ),
    ],
)
def test_checks_are_turned_on_and_off_between_turns(
    converse: Callable[..., None], ops: list[Op], found: bool
) -> None:
    async def script(frontend: Frontend) -> None:
        assert len(await one_turn(frontend)) == 1
        for op in ops:
            await frontend.send(op)
        assert len(await one_turn(frontend)) == int(found)

    converse(
        script,
        patch("c1", "a.json", "{"), after("validation", call_id="c1"),
        patch("c2", "b.json", "{"), after("validation" if found else "A b.json", call_id="c2"),
    )  # fmt: skip


def test_the_settings_turn_checks_off(converse: Callable[..., None], tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("[validation.tools]\njson = false\n")

    async def script(frontend: Frontend) -> None:
        assert await one_turn(frontend) == []

    converse(script, patch("c1", "a.json", "{"), after("A a.json", call_id="c1"))


def test_findings_come_before_the_question_and_nothing_is_written_before_the_answer(
    converse: Callable[..., None], tmp_path: Path
) -> None:
    work = tmp_path / "work"

    def tree() -> dict[str, tuple[int, ...]]:
        found = {path: path.lstat() for path in [work, *work.rglob("*")]}
        return {
            str(path): (status.st_ino, status.st_mtime_ns, status.st_ctime_ns)
            for path, status in found.items()
        }

    async def script(frontend: Frontend) -> None:
        (work / "old.sh").write_text("echo\n")
        before = tree()
        await frontend.send(user("go"))
        await frontend.until("apply_patch_approval_request")
        assert "background_event" in frontend.kinds
        assert tree() == before
        await frontend.send(PatchApproval(id="c1", decision=ReviewDecision.DENIED))
        await frontend.until("task_complete")
        assert tree() == before

    converse(
        script,
        patch("c1", "sub/a.py", "x = ("),
        after("rejected by user", call_id="c1"),
        approval_policy=AskForApproval.UNTRUSTED,
    )


def test_a_patch_that_cannot_be_checked_is_applied(converse: Callable[..., None], tmp_path: Path) -> None:
    (tmp_path / "validation").write_text("no folder")

    async def script(frontend: Frontend) -> None:
        shown = await one_turn(frontend)
        assert "no copy of the files could be made" in shown[0]
        assert (tmp_path / "work/a.json").exists()

    converse(script, patch("c1", "a.json", "{"), after("A a.json", call_id="c1"))


@pytest.mark.parametrize("op", ['{"type": "update_validation_tool", "name": "%s", "enable": true}'])
def test_the_ops_accept_only_known_names(op: str) -> None:
    parsed: Any = parse_op(op % "ruff")
    assert (parsed.name, parsed.enable) == ("ruff", True)
    with pytest.raises(ValidationError):
        parse_op(op % "rm")
