"""Events as lines that a person reads; `exec` and the plain terminal frontend print them."""

import json
from collections.abc import Callable, Sequence

from code_core.protocol.agent_events import AgentMessage, AgentReasoning
from code_core.protocol.approval_events import ApplyPatchApprovalRequest, ExecApprovalRequest
from code_core.protocol.events import (
    BackgroundEvent,
    ErrorEvent,
    EventMsg,
    ExecCommandBegin,
    ExecCommandEnd,
    PatchApplyBegin,
    PatchApplyEnd,
    PlanUpdate,
    SessionConfigured,
    StreamError,
    TurnAborted,
    TurnDiff,
    WarningEvent,
    WebSearchComplete,
)
from code_core.protocol.file_changes import AddChange, DeleteChange, FileChange, UpdateChange
from code_core.protocol.mcp_events import ElicitationRequest, McpToolCallBegin, McpToolCallEnd
from code_core.view.printable import printable
from code_core.view.titles import command_text

OUTPUT_LINES = 20
_STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}
_MARKS = {"completed": "x", "in_progress": ">", "pending": " "}


class HumanPrinter:
    """Writes one block of lines per event.

    Args:
        write: gets text with its newlines.
        color: whether to use ANSI styles.
        messages: whether to print the model's messages (a frontend may print them elsewhere).
    """

    def __init__(self, write: Callable[[str], object], *, color: bool, messages: bool = True) -> None:
        self._write = write
        self._color = color
        self._messages = messages
        self._diff = ""

    def show(self, msg: EventMsg) -> None:
        """Print `msg`; events that say nothing to a reader of lines are skipped."""
        match msg:
            case SessionConfigured():
                self._line(
                    f"model {msg.model}, {msg.approval_policy}, {msg.sandbox_mode}, in {msg.cwd}", "dim"
                )
            case AgentMessage(message=text) if self._messages and text.strip():
                self._line(f"\n{text.strip()}")
            case AgentReasoning(text=text):
                self._line(f"\n{text.strip()}", "dim")
            case ExecCommandBegin(command=command):
                self._line(f"\n$ {command_text(command)}", "cyan")
            case ExecCommandEnd():
                self._command_end(msg)
            case PatchApplyBegin(changes=changes):
                self._line("\npatch", "cyan")
                for path, change in changes.items():
                    self._line(f"  {change_text(path, change)}")
            case PatchApplyEnd(success=False, stderr=problem):
                self._line(f"patch failed: {problem}", "red")
            case TurnDiff(unified_diff=diff):
                self._diff = diff
            case PlanUpdate():
                self._line("\nplan", "cyan")
                for step in msg.plan:
                    self._line(f"  [{_MARKS[step.status]}] {step.step}")
            case McpToolCallBegin(invocation=call):
                self._line(
                    f"\n{call.server}.{call.tool} {json.dumps(call.arguments or {}, ensure_ascii=False)}",
                    "cyan",
                )
            case McpToolCallEnd():
                self._tool_end(msg)
            case ElicitationRequest(server=server, message=message):
                self._line(f"\n{server} asks: {message}", "yellow")
            case WebSearchComplete(query=query):
                self._line(f"\nsearched the web: {query or ''}", "cyan")
            case ExecApprovalRequest(command=command, reason=reason):
                self._line(f"\nmay this run? {command_text(command)}", "yellow")
                self._line(f"  in {msg.cwd}: {reason or ''}", "dim")
            case ApplyPatchApprovalRequest(changes=changes, reason=reason):
                self._line(f"\nmay this change be made? {reason or ''}", "yellow")
                for path, change in changes.items():
                    self._line(f"  {change_text(path, change)}")
            case StreamError():
                delay = f" in {msg.delay_ms / 1000:.1f} s" if msg.delay_ms else ""
                self._line(f"{msg.message}: asking again{delay} ({msg.attempt} of {msg.max})", "yellow")
            case WarningEvent(message=message):
                self._line(f"warning: {message}", "yellow")
            case BackgroundEvent(message=message):
                self._line(message, "dim")
            case ErrorEvent(message=message):
                self._line(f"error: {message}", "red")
            case TurnAborted(reason=reason):
                self._line(f"\nturn {reason}", "yellow")
            case _:
                pass

    def show_diff(self) -> None:
        """Print the last turn's diff, if there is one."""
        if self._diff:
            self._line("")
        for line in self._diff.splitlines():
            self._line(line, _diff_style(line))
        self._diff = ""

    def _command_end(self, end: ExecCommandEnd) -> None:
        self._output([line for text in (end.stdout, end.stderr) for line in text.splitlines()])
        style = "green" if end.exit_code == 0 else "red"
        self._line(f"  exit {end.exit_code} after {end.duration.seconds:.1f} s", style)

    def _tool_end(self, end: McpToolCallEnd) -> None:
        self._output(end.text.splitlines())
        said, style = ("done", "green") if end.success else ("failed", "red")
        self._line(f"  {said} after {end.duration.seconds:.1f} s", style)

    def _output(self, lines: Sequence[str]) -> None:
        for line in lines[:OUTPUT_LINES]:
            self._line(f"  {line}", "dim")
        if len(lines) > OUTPUT_LINES:
            self._line(f"  … {len(lines) - OUTPUT_LINES} more lines", "dim")

    def _line(self, text: str, style: str | None = None) -> None:
        text = printable(text)
        if self._color and style is not None and text:
            text = f"\x1b[{_STYLES[style]}m{text}\x1b[0m"
        self._write(text + "\n")


def change_text(path: str, change: FileChange) -> str:
    """A file change as `A`, `D`, `M` or a move, with its path."""
    match change:
        case AddChange():
            return f"A {path}"
        case DeleteChange():
            return f"D {path}"
        case UpdateChange(update=update):
            return f"M {path}" + (f" -> {update.move_path}" if update.move_path else "")


def _diff_style(line: str) -> str | None:
    match line[:1]:
        case "+" if not line.startswith("+++"):
            return "green"
        case "-" if not line.startswith("---"):
            return "red"
        case "@":
            return "cyan"
        case _:
            return None
