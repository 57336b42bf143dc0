"""What the model and the user learn about the checks of a patch."""

from dataclasses import replace
from errno import ENOSPC
from pathlib import Path
from typing import Any

import anyio
import pytest

from code_core.files.local import LocalFileSystem
from code_core.patch import FileState
from code_core.protocol.events import BackgroundEvent
from code_core.protocol.items import CustomToolCall
from code_core.tools.apply_patch import ApplyPatch
from code_core.tools.tool import ToolContext, ToolOutput


def add(path: str, text: str, context: ToolContext, files: LocalFileSystem | None = None) -> ToolOutput:
    patch = f"*** Begin Patch\n*** Add File: {path}\n+{text}\n*** End Patch"
    call = CustomToolCall(name="apply_patch", input=patch, call_id="p1")
    return anyio.run(ApplyPatch(files or LocalFileSystem()).call, call, context)


@pytest.fixture
def context(tool_context: ToolContext) -> ToolContext:
    environment = {"PATH": "/usr/bin:/bin"}
    return replace(tool_context, cwd=Path(tool_context.cwd.resolve()), environment=environment)


def messages(emitted: Any) -> list[str]:
    return [event.message for event in emitted.events if isinstance(event, BackgroundEvent)]


def test_issues_are_shown_to_the_model_and_the_user(context: ToolContext, emitted: Any) -> None:
    output = add("a.json", "{", context)
    assert output.success
    assert output.text.startswith(
        'Success. Updated the following files:\nA a.json\n{"validation": {"issues": [{"tool": "json", "file": "a.json"'
    )
    (message,) = messages(emitted)
    assert message.startswith("validation (json): 1 issue")


def test_files_without_issues_are_not_mentioned(context: ToolContext, emitted: Any) -> None:
    assert add("a.json", "{}", context).text.endswith("A a.json")
    assert messages(emitted) == []


def test_checks_that_cannot_run_are_reported_to_the_user(context: ToolContext, emitted: Any) -> None:
    (context.home).write_text("in the way")
    output = add("a.json", "{", context)
    assert output.text.endswith("A a.json")
    (message,) = messages(emitted)
    assert "no copy of the files could be made" in message


def test_a_patch_that_was_not_applied_has_no_findings(context: ToolContext) -> None:
    class Full(LocalFileSystem):
        async def replace(self, *_arguments: FileState | Path | None) -> None:
            raise OSError(ENOSPC, "No space left on device")

    output = add("a.json", "{", context, Full())
    assert not output.success
    assert "validation" not in output.text
