"""Histories for tests, and the Chat Completions requests made of them."""

from typing import Any

from code_core.protocol.items import (
    FunctionCall,
    FunctionCallOutput,
    InputText,
    Message,
    OutputText,
    Reasoning,
    ReasoningText,
    ResponseItem,
)
from code_core.wire import chat
from code_core.wire.prompt import ChatQuirks, ModelSettings, Prompt
from support.chat_rules import violations

ME = "p/m"
PIXEL = "data:image/png;base64,AAAA"


def user(*texts: str) -> Message:
    return Message(role="user", content=[InputText(text=text) for text in texts])


def assistant(text: str) -> Message:
    return Message(role="assistant", content=[OutputText(text=text)])


def thought(text: str, *, field: str = "reasoning_content", origin: str = ME, **more: Any) -> Reasoning:
    return Reasoning(content=[ReasoningText(text=text)], origin=origin, chat_field=field, **more)


def called(name: str, call_id: str, arguments: str = "{}") -> FunctionCall:
    return FunctionCall(name=name, arguments=arguments, call_id=call_id)


def output(call_id: str, text: str = "ok") -> FunctionCallOutput:
    return FunctionCallOutput(call_id=call_id, output=text)


def body(*items: ResponseItem, quirks: ChatQuirks | None = None, **settings: Any) -> dict[str, Any]:
    """The request, which strict servers accept."""
    asked = ModelSettings("m", chat=quirks or ChatQuirks(), **settings)
    request = chat.request_body(Prompt(asked, "c", "be good", items), ME)
    assert violations(request) == []
    return request


def messages(*items: ResponseItem, quirks: ChatQuirks | None = None, **settings: Any) -> list[dict[str, Any]]:
    first, *rest = body(*items, quirks=quirks, **settings)["messages"]
    assert first == {"role": "system", "content": "be good"}
    assert isinstance(rest, list)
    return rest
