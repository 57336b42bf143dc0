"""Builders for events of the Responses API."""

import json
from typing import Any

Event = dict[str, Any]


def created(response_id: str = "resp-1") -> Event:
    return {"type": "response.created", "response": {"id": response_id}}


def text_delta(delta: str) -> Event:
    return {"type": "response.output_text.delta", "output_index": 0, "delta": delta}


def reasoning_summary_delta(delta: str) -> Event:
    return {"type": "response.reasoning_summary_text.delta", "output_index": 0, "delta": delta}


def item_done(item: dict[str, Any]) -> Event:
    return {"type": "response.output_item.done", "output_index": 0, "item": item}


def message(text: str) -> Event:
    content = [{"type": "output_text", "text": text, "annotations": []}]
    return item_done(
        {"type": "message", "id": "msg-1", "role": "assistant", "status": "completed", "content": content}
    )


def reasoning(summary: str, encrypted: str) -> Event:
    parts = [{"type": "summary_text", "text": summary}]
    return item_done({"type": "reasoning", "id": "rs-1", "summary": parts, "encrypted_content": encrypted})


def function_call(name: str, arguments: Any, call_id: str) -> Event:
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return item_done(
        {"type": "function_call", "id": "fc-1", "name": name, "arguments": text, "call_id": call_id}
    )


def custom_tool_call(name: str, text: str, call_id: str) -> Event:
    return item_done(
        {"type": "custom_tool_call", "id": "ctc-1", "name": name, "input": text, "call_id": call_id}
    )


def local_shell_call(command: list[str], call_id: str) -> Event:
    action = {"type": "exec", "command": command}
    return item_done(
        {"type": "local_shell_call", "call_id": call_id, "status": "completed", "action": action}
    )


def completed(input_tokens: int = 10, output_tokens: int = 5) -> Event:
    usage = {
        "input_tokens": input_tokens,
        "input_tokens_details": {"cached_tokens": 4},
        "output_tokens": output_tokens,
        "output_tokens_details": None,
        "total_tokens": input_tokens + output_tokens,
    }
    return {"type": "response.completed", "response": {"id": "resp-1", "usage": usage}}


def failed(code: str, text: str) -> Event:
    return {"type": "response.failed", "response": {"id": "resp-1", "error": {"code": code, "message": text}}}


def incomplete(reason: str, **more: Any) -> Event:
    return {"type": "response.incomplete", "response": {"incomplete_details": {"reason": reason}, **more}}
