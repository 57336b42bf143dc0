"""`apply_patch`: edits files in process, after approval if the policy requires it."""

from pathlib import Path
from typing import TYPE_CHECKING

import anyio.to_thread

from code_core.protocol.items import CustomToolCall, FunctionCall, LocalShellCall, ToolCall
from code_core.tools.tool import ToolContext, ToolOutput
from code_core.wire.patch_format import APPLY_PATCH_GRAMMAR, APPLY_PATCH_INSTRUCTIONS
from code_core.wire.tool_specs import FreeformSpec

if TYPE_CHECKING:
    from code_core.patch import FileSystem
    from code_core.tools.patch_run import PatchRun


class ApplyPatch:
    """Applies patches; a patch that does not fit changes nothing.

    Args:
        file_system: where the files are; the local file system if None.
    """

    name = "apply_patch"
    parallel_safe = False

    def __init__(self, file_system: "FileSystem | None") -> None:
        self._file_system = file_system
        self._run: PatchRun | None = None

    def spec(self) -> FreeformSpec:
        """See `Tool.spec`."""
        return FreeformSpec(
            self.name,
            "Edit files. The input is a patch, as plain text: do not wrap it in JSON.",
            APPLY_PATCH_GRAMMAR,
            f"Edit files with a patch: {APPLY_PATCH_INSTRUCTIONS}",
        )

    async def call(self, call: ToolCall, context: ToolContext) -> ToolOutput:
        """See `Tool.call`."""
        match call:
            case CustomToolCall(input=text) | FunctionCall(arguments=text):
                return await self.apply(text, context.cwd, call.call_id, context)
            case LocalShellCall():
                return ToolOutput("apply_patch takes a patch", success=False)

    async def apply(self, text: str, cwd: Path, call_id: str, context: ToolContext) -> ToolOutput:
        """Apply a patch (see `PatchRun.apply`), or refuse it in plan mode."""
        if context.planning:
            from code_core.safety.planning import NOTHING_CHANGES

            return ToolOutput(f"patch rejected: {NOTHING_CHANGES}", success=False)
        if self._run is None:
            self._run = await anyio.to_thread.run_sync(self._first)
        return await self._run.apply(text, cwd, call_id, context)

    def _first(self) -> "PatchRun":
        """The patch runner, imported on first use, because many turns apply no patches."""
        from code_core.files.local import LocalFileSystem
        from code_core.tools.patch_run import PatchRun

        return PatchRun(LocalFileSystem() if self._file_system is None else self._file_system)
