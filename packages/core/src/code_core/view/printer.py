"""Prints events as lines for a person, in `exec` and the plain terminal frontend."""

from collections.abc import Callable, Iterable, Sequence

from code_core.protocol.agent_events import AgentMessage, AgentMessageDelta, AgentReasoning
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
    TaskStarted,
    ToolCallFailed,
    TurnAborted,
    TurnDiff,
    WarningEvent,
    WebSearchComplete,
)
from code_core.protocol.mcp_events import (
    ElicitationRequest,
    ElicitationWithdrawn,
    McpToolCallBegin,
    McpToolCallEnd,
)
from code_core.protocol.session_events import ContextCompacted
from code_core.view.frame import framed, looks_like, may_contain, wrapped
from code_core.view.questions import QuestionText, approval_text, change_text, elicitation_text, patch_lines
from code_core.view.streamed_prose import StreamedProse
from code_core.view.titles import command_lines, shortened, tool_text
from code_core.view.visible import readable, visible, visible_line

OUTPUT_LINES = 20
COMMAND_LINES = 40
PATCH_LINES = 60
ESCAPED_COLUMNS = 8
PAGE_ROWS = 200
"""Rows of a question shown at once."""
QUESTION_MARK = "? "
"""Begins each row of a question. No other output begins with it."""
_STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}
_MARKS = {"completed": "x", "in_progress": ">", "pending": " "}


class HumanPrinter:
    """Prints one block of lines per event.

    Args:
        write: receives text including newlines.
        color: whether to use ANSI styles.
        columns: the width of the screen, or None if unknown.
        encoding: the output encoding; other characters become `?` or an escape, which is longer.
        messages: whether to print the model's messages (a frontend may print them elsewhere).
        streams: whether to print messages while they arrive; `show` then expects the events of `AppendOnly`.
    """

    def __init__(
        self,
        write: Callable[[str], object],
        *,
        color: bool,
        messages: bool = True,
        columns: Callable[[], int | None] = lambda: None,
        encoding: str = "utf-8",
        streams: bool = False,
    ) -> None:
        self._write = write
        self._color = color
        self._messages = messages
        self._columns = columns
        self._encoding = encoding
        self._diff = ""
        self._stream = StreamedProse(write, columns, QUESTION_MARK[0]) if streams else None
        self._streamed = ""  # of the incomplete message

    @property
    def columns(self) -> int | None:
        """The width of the screen now; None where that is not known."""
        return self._columns()

    def show(self, msg: EventMsg) -> None:
        """Print `msg`; events without meaning for a reader are skipped."""
        match msg:
            case SessionConfigured():
                plans = ", plan mode" if msg.collaboration_mode == "plan" else ""
                self._line(
                    f"model {visible(msg.model)}, {visible(msg.approval_policy)}, "
                    f"{visible(msg.sandbox_mode)}{plans}, in {visible(str(msg.cwd))}",
                    "dim",
                )
            case TaskStarted() | AgentMessageDelta() | AgentMessage() | AgentReasoning():
                self._text(msg)
            case ExecCommandBegin(input=str(typed), session_id=session_id):
                self._line(f"\ntyped into session {session_id}: {shortened(visible(typed))}", "cyan")
            case ExecCommandBegin(command=command):
                self._command(command)
            case ExecCommandEnd():
                self._command_end(msg)
            case PatchApplyBegin():
                self._patch(msg)
            case PatchApplyEnd(success=False, stderr=problem):
                self._labelled("patch failed: ", problem, "red")
            case TurnDiff(unified_diff=diff):
                self._diff = diff
            case PlanUpdate():
                self._plan(msg)
            case McpToolCallBegin(invocation=call):
                self._line(f"\ntool {shortened(tool_text(call.server, call.tool, call.arguments))}", "cyan")
            case ToolCallFailed(tool=tool, message=message):
                self._labelled(f"tool {visible(tool)} did nothing: ", message, "yellow")
                self._output(_lines(msg.call or ""))
            case McpToolCallEnd():
                self._tool_end(msg)
            case ElicitationRequest() | ElicitationWithdrawn():
                self._elicitation(msg)
            case WebSearchComplete(query=query):
                self._line(f"\nsearched the web: {visible_line(query or '')}", "cyan")
            case ExecApprovalRequest() | ApplyPatchApprovalRequest():
                self.show_question(approval_text(msg))
            case ContextCompacted(before=before, after=after) if msg.summary:
                self._line(
                    f"\ncompacted the conversation: about {before:,} tokens before, {after:,} now", "dim"
                )
            case StreamError():
                delay = f" in {msg.delay_ms / 1000:.1f} s" if msg.delay_ms else ""
                again = f": retrying{delay} ({msg.attempt} of {msg.max})"
                self._labelled("", msg.message + again, "yellow")
            case WarningEvent(message=message):
                self._labelled("warning: ", message, "yellow")
            case BackgroundEvent(message=message):
                self._labelled("", message, "dim")
            case ErrorEvent(message=message):
                self._labelled("error: ", message, "red")
            case TurnAborted(reason=reason):
                self._line(f"\nturn {reason}", "yellow")
            case _:
                pass

    def show_diff(self) -> None:
        """Print the last turn's diff, if any."""
        if self._diff:
            self._line("")
        for line in _diff_lines(self._diff):
            self._line(visible_line(line), _diff_style(line))
        self._diff = ""

    def show_line(self, text: str) -> None:
        """Print a line from the frontend itself, whose text is safe to show."""
        self._line(text)

    def show_question(self, question: QuestionText) -> list[str]:
        """Print the first page of a question and return the remaining rows."""
        self._line("")
        for row in self.rows([question.title]):
            self._line(row, "yellow")
        return self.show_rows(self.rows(question.lines))

    def show_prompt(self, prompt: str) -> None:
        """Print the possible answers, in rows with the question mark, and leave the cursor after them."""
        self.end_stream()
        room = (self._columns() or len(prompt) + len(QUESTION_MARK)) - len(QUESTION_MARK)
        rows = [""]
        for part in prompt.rstrip().split(", "):
            row = f"{rows[-1]}, {part}" if rows[-1] else part
            rows[-1:] = [row] if len(row) < room or not rows[-1] else [f"{rows[-1]},", part]
        self._write("\n".join(self.rows(rows)) + " ")

    def rows(self, lines: Iterable[str]) -> list[str]:
        """Return the lines of a question as rows that fit the screen, each with the question mark."""
        columns = self._columns()
        if self._encoding.lower().replace("-", "") != "utf8":
            lines = [line.encode(self._encoding, "backslashreplace").decode(self._encoding) for line in lines]
            columns = (
                None if columns is None else columns - ESCAPED_COLUMNS
            )  # our own marks become longer too
        return [*framed(lines, QUESTION_MARK, columns)]

    def show_rows(self, rows: Sequence[str], most: int = PAGE_ROWS) -> list[str]:
        """Print at most `most` rows of a question and return the remaining ones."""
        for row in rows[:most]:
            self._line(row)
        if len(rows) > most:
            self._line(f"{QUESTION_MARK}… {len(rows) - most:,} more lines are not shown yet", "yellow")
        return [*rows[most:]]

    def end_stream(self) -> None:
        """End the row of a partly streamed message before something else is printed."""
        if self._stream is not None:
            self._stream.end()

    def _text(self, msg: TaskStarted | AgentMessageDelta | AgentMessage | AgentReasoning) -> None:
        """Print text from the model, or the start of a turn, which resets it."""
        match msg:
            case TaskStarted():
                self._streamed = ""
            case AgentMessageDelta(delta=delta) if self._stream is not None:
                self._streamed += delta
                self._stream.add(delta)
            case AgentMessage(message=text) if self._messages:
                self._message(text)
            case AgentReasoning(text=text):
                self._prose(text, "dim")
            case _:
                pass

    def _message(self, text: str) -> None:
        """Print a complete message, or what was not streamed of it."""
        shown, self._streamed = self._streamed.lstrip(), ""
        if self._stream is not None and shown and text.lstrip().startswith(shown):
            self._stream.add(text.lstrip().removeprefix(shown))
        elif text.strip() and not shown.rstrip().endswith(text.strip()):
            self._prose(text)
        self.end_stream()

    def _prose(self, text: str, style: str | None = None) -> None:
        """Print prose from the model; a line that looks like one of our questions is indented."""
        self._line("")
        for line in readable(text).strip().split("\n"):
            self._line(f" {line}" if looks_like(line, QUESTION_MARK[0]) else line, style)

    def _labelled(self, label: str, text: str, style: str) -> None:
        """Print a line, with the lines that belong to it indented."""
        first, *more = readable(text).strip("\n").split("\n")
        self._line(f" {first}" if not label and looks_like(first, QUESTION_MARK[0]) else label + first, style)
        for line in more:
            self._line(f"  {line}", style)

    def _command(self, command: Sequence[str]) -> None:
        first, *more = command_lines(command)
        self._line(f"\n$ {first}", "cyan")
        for line in more[: COMMAND_LINES - 1]:
            self._line(f"> {line}", "cyan")
        if len(more) >= COMMAND_LINES:
            self._line(f"> … {len(more) - COMMAND_LINES + 1:,} more lines", "cyan")

    def _patch(self, begin: PatchApplyBegin) -> None:
        """Print the files and, unless the user was already asked, an excerpt of the changes."""
        self._line("\npatch", "cyan")
        if not begin.auto_approved:
            for path, change in begin.changes.items():
                self._line(f"  {change_text(path, change)}")
            return
        lines = [*patch_lines(begin.changes)]
        for line in lines[:PATCH_LINES]:
            self._line(f"  {line}", _diff_style(line.removeprefix("    ")))
        if len(lines) > PATCH_LINES:
            self._line(f"  … {len(lines) - PATCH_LINES:,} more lines", "dim")

    def _command_end(self, end: ExecCommandEnd) -> None:
        self._output([line for text in (end.stdout, end.stderr) for line in _lines(text)])
        if end.session_id is not None:
            self._line(f"  session {end.session_id} still runs after {end.duration.seconds:.1f} s", "dim")
            return
        style = "green" if end.exit_code == 0 else "red"
        self._line(f"  exit {end.exit_code} after {end.duration.seconds:.1f} s", style)

    def _plan(self, update: PlanUpdate) -> None:
        self._line("\nplan", "cyan")
        for step in update.plan:
            self._line(f"  [{_MARKS[step.status]}] {visible_line(step.step)}")

    def _elicitation(self, msg: ElicitationRequest | ElicitationWithdrawn) -> None:
        if isinstance(msg, ElicitationRequest):
            self.show_question(elicitation_text(msg))
        else:
            self._line(f"(the MCP server {visible(msg.server)} has withdrawn its question)", "yellow")

    def _tool_end(self, end: McpToolCallEnd) -> None:
        self._output(_lines(end.text))
        outcome, style = ("done", "green") if end.success else ("failed", "red")
        self._line(f"  {outcome} after {end.duration.seconds:.1f} s", style)

    def _output(self, lines: Sequence[str]) -> None:
        for line in lines[:OUTPUT_LINES]:
            self._line(f"  {shortened(line)}", "dim")
        if len(lines) > OUTPUT_LINES:
            self._line(f"  … {len(lines) - OUTPUT_LINES} more lines", "dim")

    def _line(self, text: str, style: str | None = None) -> None:
        self.end_stream()
        if may_contain(text, QUESTION_MARK[0]) and not text.startswith(QUESTION_MARK):
            # Otherwise the terminal could begin a row with the mark.
            text = "\n".join(wrapped(line, self._columns()) for line in text.split("\n"))
        if self._color and style is not None and text:
            text = f"\x1b[{_STYLES[style]}m{text}\x1b[0m"
        self._write(text + "\n")


def _diff_lines(diff: str) -> list[str]:
    return diff.removesuffix("\n").split("\n") if diff else []


def _lines(text: str) -> list[str]:
    shown = readable(text).removesuffix("\n")
    return shown.split("\n") if shown else []


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
