"""What the Responses API refuses with a 400, as far as a client can break it."""

from typing import Any

_ANSWERS = {
    "function_call": "function_call_output",
    "local_shell_call": "function_call_output",
    "custom_tool_call": "custom_tool_call_output",
}
_ROLES = {"user", "assistant", "developer", "system"}


def violations(body: dict[str, Any]) -> list[str]:
    """What is wrong with a request; empty for a good one."""
    problems: list[str] = []
    if body.get("stream") is not True:
        problems.append("stream is not true")
    items = body.get("input")
    if not isinstance(items, list) or not items:
        return [*problems, "input is not a list of items"]
    problems += _call_problems(items)
    for number, item in enumerate(items):
        kind = item.get("type")
        if "id" in item and not body.get("store"):
            problems.append(f"item {number} has an id although nothing is stored")
        if kind == "message" and item.get("role") not in _ROLES:
            problems.append(f"item {number} has the role {item.get('role')!r}")
        if kind in _ANSWERS.values() and not isinstance(item.get("output"), str | list):
            problems.append(f"the output of {item.get('call_id')!r} is neither text nor content")
        if kind == "reasoning" and not _from_model(items[number + 1] if number + 1 < len(items) else {}):
            problems.append(f"item {number}: reasoning without the item that must follow it")
    return problems


def _call_problems(items: list[dict[str, Any]]) -> list[str]:
    problems: list[str] = []
    waiting: dict[str, str] = {}
    seen: set[str] = set()
    for item in items:
        call_id = str(item.get("call_id"))
        if item.get("type") in _ANSWERS:
            if call_id in seen:
                problems.append(f"the call id {call_id!r} is used twice")
            seen.add(call_id)
            waiting[call_id] = _ANSWERS[item["type"]]
        elif item.get("type") in _ANSWERS.values():
            wanted = waiting.pop(call_id, None)
            if wanted is None:
                problems.append(f"an output for {call_id!r}, which is not waiting for one")
            elif wanted != item["type"]:
                problems.append(f"the output for {call_id!r} is of the wrong type")
    return problems + [f"no output for the call {call_id!r}" for call_id in waiting]


def _from_model(item: dict[str, Any]) -> bool:
    if item.get("type") == "message":
        return item.get("role") == "assistant"
    return item.get("type") in {*_ANSWERS, "reasoning", "web_search_call"}
