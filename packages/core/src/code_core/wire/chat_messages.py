"""Converts the history to Chat Completions messages.

A response becomes one assistant message with all its calls, followed by a `tool` message for
each call. Features that only the Responses API has are translated: calls of freeform tools and
the built-in shell become function calls, and hosted searches are omitted. Reasoning is sent back
only to its origin, in the field that it came in.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from code_core.protocol.items import (
    ContentItem,
    CustomToolCall,
    CustomToolCallOutput,
    FunctionCall,
    FunctionCallOutput,
    InputImage,
    LocalShellCall,
    Message,
    Reasoning,
    Refusal,
    ResponseItem,
    ToolCall,
    ToolCallOutput,
)
from code_core.wire.chat_reasoning import THINKING
from code_core.wire.prompt import ChatQuirks

NO_IMAGE = "[an image, which this model cannot see]"
IMAGE_NOTE = "The images that the tool returned:"
FILLER = "…"
_SHORT_ID = re.compile(r"[A-Za-z0-9]{9}")


def chat_messages(
    items: Sequence[ResponseItem], quirks: ChatQuirks, origin: str, *, images: bool
) -> list[dict[str, Any]]:
    """Return `items` as messages in which every call is directly followed by its output.

    Args:
        items: valid input; see `Prompt`.
        quirks: the server's deviations from the API.
        origin: the provider; see `Reasoning`.
        images: whether the model accepts images.
    """
    answers = {item.call_id: item for item in items if isinstance(item, ToolCallOutput)}
    messages: list[dict[str, Any]] = []
    response = _Response(quirks, images)
    for item in items:
        match item:
            case Reasoning():
                response = _following(response, messages)
                if item.origin == origin and quirks.reasoning_history:
                    response.reasoning.append(item)
            case Message(role="assistant"):
                response = _following(response, messages)
                response.texts.append(item.text)
            case FunctionCall() | LocalShellCall() | CustomToolCall():
                response = _following(response, messages)
                response.calls.append((item, answers.get(item.call_id)))
            case FunctionCallOutput() | CustomToolCallOutput():
                response.answered = True
            case Message():
                messages += response.messages()
                response = _Response(quirks, images)
                _add_user(messages, _content(item.content, images=images), alternate=quirks.alternate_roles)
            case _:
                pass
    return [*messages, *response.messages()]


@dataclass(slots=True)
class _Response:
    """The parts of one model response."""

    quirks: ChatQuirks
    images: bool
    reasoning: list[Reasoning] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    calls: list[tuple[ToolCall, ToolCallOutput | None]] = field(default_factory=list)
    answered: bool = False

    def messages(self) -> list[dict[str, Any]]:
        """Return the assistant message, the outputs of its calls, and images returned with those."""
        if not (self.texts or self.calls):
            return []
        # Empty content would be null, which many templates cannot render.
        message: dict[str, Any] = {"role": "assistant", "content": "\n\n".join(self.texts)}
        message |= _reasoning(self.reasoning, message["content"])
        if self.quirks.reasoning_required:
            message.setdefault("reasoning_content", "")
        if self.calls:
            message["tool_calls"] = [self._call(call) for call, _ in self.calls]
        messages = [message]
        pictures: list[dict[str, Any]] = []
        for call, output in self.calls:
            given = "" if output is None else output.output
            text, urls = (given, []) if isinstance(given, str) else _text_and_images(given)
            if urls and not self.images:
                text = "\n".join([text, *(NO_IMAGE for _ in urls)]).strip()
            elif urls:
                pictures += [{"type": "image_url", "image_url": {"url": url}} for url in urls]
            messages.append({"role": "tool", "tool_call_id": self._id(call), "content": text})
        if pictures:
            content = [{"type": "text", "text": IMAGE_NOTE}, *pictures]
            _add_user(messages, content, alternate=self.quirks.alternate_roles)
        return messages

    def _call(self, call: ToolCall) -> dict[str, Any]:
        name, arguments = _function(call)
        return {
            "id": self._id(call),
            "type": "function",
            "function": {"name": name, "arguments": arguments},
        }

    def _id(self, call: ToolCall) -> str:
        if not self.quirks.short_call_ids or _SHORT_ID.fullmatch(call.call_id):
            return call.call_id
        return hashlib.sha256(call.call_id.encode()).hexdigest()[:9]


def _following(response: _Response, messages: list[dict[str, Any]]) -> _Response:
    """The response that a model item belongs to; a new one after outputs."""
    if not response.answered:
        return response
    messages += response.messages()
    return _Response(response.quirks, response.images)


def _function(call: ToolCall) -> tuple[str, str]:
    """The function that `call` invokes, and its arguments as JSON."""
    match call:
        case FunctionCall(name=name, arguments=arguments):
            return name, arguments
        case CustomToolCall(name=name, input=text):
            return name, json.dumps({"input": text}, ensure_ascii=False)
        case LocalShellCall(action=action):
            given = {
                "command": action.command,
                "workdir": action.working_directory,
                "timeout_ms": action.timeout_ms,
            }
            given = {name: value for name, value in given.items() if value is not None}
            return "shell", json.dumps(given, ensure_ascii=False)


def _reasoning(items: Sequence[Reasoning], content: str) -> dict[str, Any]:
    """The fields that send `items` back."""
    details = [detail for item in items for detail in item.chat_details or ()]
    if details:
        return {"reasoning_details": details}
    text = "".join(part.text for item in items for part in item.content or ())
    source = next((item.chat_field for item in items if item.chat_field), None)
    if not text or source is None:
        return {}
    if source != THINKING:
        return {source: text}
    parts: list[dict[str, Any]] = [{"type": "thinking", "thinking": [{"type": "text", "text": text}]}]
    return {"content": [*parts, *([{"type": "text", "text": content}] if content else [])]}


def _content(parts: Sequence[ContentItem], *, images: bool) -> str | list[dict[str, Any]]:
    """A message's content, as plain text if possible, because some servers do not accept parts."""
    text, urls = _text_and_images(parts)
    if urls and images:
        return [_part(part) for part in parts]
    return "\n\n".join([*([text] if text else []), *(NO_IMAGE for _ in urls)])


def _part(part: ContentItem) -> dict[str, Any]:
    match part:
        case InputImage(image_url=url):
            return {"type": "image_url", "image_url": {"url": url}}
        case Refusal(refusal=text):
            return {"type": "text", "text": text}
        case _:
            return {"type": "text", "text": part.text}


def _text_and_images(parts: Iterable[ContentItem]) -> tuple[str, list[str]]:
    texts: list[str] = []
    urls: list[str] = []
    for part in parts:
        match part:
            case InputImage(image_url=url):
                urls.append(url)
            case Refusal(refusal=text):
                texts.append(text)
            case _:
                texts.append(part.text)
    return "\n\n".join(texts), urls


def _add_user(
    messages: list[dict[str, Any]], content: str | list[dict[str, Any]], *, alternate: bool
) -> None:
    """Add a user message. If roles must alternate, merge it with the previous one or insert an assistant message."""
    last = messages[-1] if messages else None
    if alternate and last is not None and last["role"] == "tool":
        messages.append({"role": "assistant", "content": FILLER})
    if not alternate or last is None or last["role"] != "user":
        messages.append({"role": "user", "content": content})
    elif isinstance(content, str) and isinstance(last["content"], str):
        last["content"] = f"{last['content']}\n\n{content}"
    else:
        last["content"] = [*_as_parts(last["content"]), *_as_parts(content)]


def _as_parts(content: str | list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content
