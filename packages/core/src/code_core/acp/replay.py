"""Converts the items of a stored session to the updates that show it again.

Items are Responses API JSON of any age and may be damaged; unreadable ones are omitted.
Source: Agent Client Protocol, version 1, "Session setup: loading sessions".
"""

import json
import re
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Any

from code_core.acp.capabilities import ClientCapabilities
from code_core.acp.command_output import terminal_fields
from code_core.acp.diffs import file_diff
from code_core.acp.message_ids import chunk
from code_core.acp.notices import compaction_updates, plan_update
from code_core.acp.tool_calls import client_path, command_call, fenced, text_content, tool_call
from code_core.patch.errors import PatchError
from code_core.patch.model import AddFile, DeleteFile, UpdateFile
from code_core.patch.parse import parse_patch
from code_core.protocol.events import PlanUpdate
from code_core.protocol.session_events import ContextCompacted
from code_core.view.plan_tags import stored_without_tags
from code_core.view.titles import in_backticks, shortened
from code_core.view.visible import readable, visible

JsonObject = Mapping[str, Any]
Update = dict[str, Any]
LONGEST_OUTPUT = 64 * 1024
_SECTIONS = re.compile(
    r"(?:Chunk ID: \S{1,40}\n)?(?:Exit code: (-?\d{1,10})\n)?Wall time: [^\n]{1,40}\n"
    r"(?:Process exited with code (-?\d{1,10})\n)?(?:[^\n]{1,80}\n){0,2}?Output:\n"
)
"""Begins the output of `exec_command`, and of commands in Codex since 2025."""


class ReplayTranslator:
    """Translates the items of one session, oldest first.

    Args:
        cwd: the base of relative paths.
        client: the client's capabilities.
    """

    def __init__(self, cwd: Path, client: ClientCapabilities) -> None:
        self._cwd = cwd
        self._client = client
        self._numbers = count(1)
        self._open: dict[str, str] = {}

    def item(self, item: JsonObject) -> list[Update]:
        """Return the updates for an item; the caller omits user messages that the user did not write."""
        match item:
            case {"type": "message", "role": "user", "content": content}:
                message_id = self._id(item)
                return [_content_chunk(part, message_id) for part in _user_parts(content)]
            case {"type": "message", "role": "assistant", "content": content}:
                return self._texts("agent_message_chunk", content, item)
            case {"type": "reasoning", "summary": summary}:
                return self._texts("agent_thought_chunk", summary, item)
            case {"type": "function_call" | "custom_tool_call" | "local_shell_call", "call_id": str(call_id)}:
                return self._call(call_id, item)
            case {"type": "function_call_output" | "custom_tool_call_output", "call_id": str(call_id)}:
                return self._output(call_id, item)
            case {"type": "web_search_call"}:
                call = tool_call(self._id(item), "Searched the web", "fetch", name="web_search")
                return [{"sessionUpdate": "tool_call", **call, "status": "completed"}]
            case _:
                return []

    def compacted(self, summary: str) -> list[Update]:
        """Return the updates for a history that was replaced by a summary."""
        if not self._client.compaction:
            text = "The conversation was compacted here."
            return [chunk("agent_thought_chunk", text, f"replayed-{next(self._numbers)}")]
        msg = ContextCompacted(before=0, after=0, summary=summary or None)
        return compaction_updates(msg, self._client, f"compaction-{next(self._numbers)}")

    def end(self) -> list[Update]:
        """Return the updates for calls that never got an output."""
        left, self._open = self._open, {}
        return [
            {"sessionUpdate": "tool_call_update", "toolCallId": call_id, "status": "failed"}
            for call_id in left
        ]

    def _id(self, item: JsonObject) -> str:
        item_id = item.get("item_id") or item.get("id")
        return item_id if isinstance(item_id, str) else f"replayed-{next(self._numbers)}"

    def _texts(self, kind: str, parts: object, item: JsonObject) -> list[Update]:
        texts = [part["text"] for part in _parts(parts) if isinstance(part.get("text"), str)]
        text = stored_without_tags("\n\n".join(filter(None, texts)))
        return [chunk(kind, text, self._id(item))] if text else []

    def _call(self, call_id: str, item: JsonObject) -> list[Update]:
        name = str(item.get("name") or "shell")
        arguments = _arguments(item)
        if name == "update_plan":
            return self._plan(arguments)
        match name, arguments:
            case "shell" | "local_shell", {"command": [*command]} if all(
                isinstance(one, str) for one in command
            ):
                directory = arguments.get("workdir") or arguments.get("working_directory")
                cwd = self._cwd / directory if isinstance(directory, str) else self._cwd
                call = command_call(call_id, command, cwd)
            case "exec_command", {"cmd": str(script)}:
                directory = arguments.get("workdir")
                cwd = self._cwd / directory if isinstance(directory, str) else self._cwd
                call = command_call(call_id, ["bash", "-lc", script], cwd)
            case "apply_patch", _:
                call = self._patch(call_id, str(item.get("input") or arguments.get("input") or ""))
            case _:
                title = shortened(visible(name))
                call = tool_call(call_id, title, "other", name=name, rawInput=dict(arguments))
        terminal = self._client.terminal_output and call["kind"] == "execute"
        fields = terminal_fields(call_id, self._cwd) if terminal else {}
        self._open[call_id] = "terminal" if terminal else call["kind"]
        return [{"sessionUpdate": "tool_call", **call, **fields, "status": "in_progress"}]

    def _patch(self, call_id: str, text: str) -> Update:
        try:
            hunks = parse_patch(text).hunks
        except PatchError:
            return tool_call(
                call_id,
                "Edit files",
                "edit",
                name="apply_patch",
                content=[text_content(fenced(readable(text)))],
            )
        names = [in_backticks(shortened(visible(Path(hunk.path).name))) for hunk in hunks]
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        content: list[Update] = []
        for hunk in hunks:
            path = client_path(self._cwd, hunk.path)
            match hunk:
                case AddFile(content=added):
                    content.append(file_diff(path, None, added))
                case DeleteFile():
                    content.append(text_content(f"Delete {in_backticks(visible(hunk.path))}"))
                case UpdateFile(chunks=chunks, move_to=target):
                    shown = path if target is None else client_path(self._cwd, target)
                    content += [
                        file_diff(shown, _lines(one.old_lines), _lines(one.new_lines)) for one in chunks
                    ]
        locations = [{"path": client_path(self._cwd, hunk.path)} for hunk in hunks]
        title = f"Edit {', '.join(names[:3])}{more}"
        return tool_call(call_id, title, "edit", name="apply_patch", content=content, locations=locations)

    def _plan(self, arguments: JsonObject) -> list[Update]:
        try:
            plan = PlanUpdate.model_validate({"plan": arguments.get("plan")})
        except ValueError:
            return []
        return [plan_update(plan, self._client)]

    def _output(self, call_id: str, item: JsonObject) -> list[Update]:
        kind = self._open.pop(call_id, None)
        if kind is None:
            return []
        text, code = _command_output(_output_text(item.get("output")))
        update: Update = {
            "sessionUpdate": "tool_call_update",
            "toolCallId": call_id,
            "status": "failed" if code or _has_failed(item) else "completed",
        }
        shown = readable(text[:LONGEST_OUTPUT])
        if kind == "terminal":
            exit_ = {"terminal_id": call_id, "exit_code": code, "signal": None}
            output = {"terminal_id": call_id, "data": shown}
            return [update | {"_meta": {"terminal_output": output, "terminal_exit": exit_}}]
        if kind == "edit":  # the change is already shown
            return [update]
        return [update | {"content": [text_content(fenced(shown))] if shown else []}]


def _parts(content: object) -> list[JsonObject]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [part for part in content if isinstance(part, Mapping)] if isinstance(content, list) else []


def _user_parts(content: object) -> list[Update]:
    """The parts of a user message as content blocks."""
    blocks: list[Update] = []
    for part in _parts(content):
        match part:
            case {"text": str(text)} if text:
                blocks.append({"type": "text", "text": text})
            case {"image_url": str(url)} if url.startswith("data:") and ";base64," in url:
                kind, _, data = url.removeprefix("data:").partition(";base64,")
                blocks.append({"type": "image", "mimeType": kind, "data": data})
            case {"image_url": str(url)}:
                blocks.append({"type": "resource_link", "name": "image", "uri": url})
            case _:
                pass
    return blocks


def _content_chunk(block: Update, message_id: str) -> Update:
    return {"sessionUpdate": "user_message_chunk", "content": block, "messageId": message_id}


def _arguments(item: JsonObject) -> JsonObject:
    action = item.get("action")
    if isinstance(action, Mapping):
        return action
    text = item.get("arguments")
    try:
        value = json.loads(text) if isinstance(text, str) else {}
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _output_text(output: object) -> str:
    match output:
        case str():
            return output
        case {"content": str(text)}:  # Codex 2025
            return text
        case _:
            return "\n".join(part["text"] for part in _parts(output) if isinstance(part.get("text"), str))


def _has_failed(item: JsonObject) -> bool:
    """Whether the call is recorded as failed: next to the output by us, in the output by Codex 2025."""
    output = item.get("output")
    return item.get("success") is False or (isinstance(output, Mapping) and output.get("success") is False)


def _command_output(text: str) -> tuple[str, int | None]:
    """A command's output and exit code if `text` is the output of a tool that runs commands, otherwise `text`."""
    if (head := _SECTIONS.match(text)) is not None:
        code = head[1] or head[2]
        return text[head.end() :], None if code is None else int(code)
    try:
        value = json.loads(text) if text.startswith('{"output":') else None
    except (ValueError, RecursionError):
        return text, None
    match value:
        case {"output": str(output), "metadata": {"exit_code": int(code)}}:
            return output, code
        case _:
            return text, None


def _lines(lines: tuple[str, ...]) -> str:
    return "".join(f"{line}\n" for line in lines)
