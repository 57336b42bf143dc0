"""Histories for tests: short ways to write their items, and to read them."""

from collections.abc import Sequence

from code_core.protocol.items import (
    FunctionCall,
    FunctionCallOutput,
    InputText,
    Message,
    OutputText,
    ResponseItem,
)
from code_core.session.history.history import HistoryItem
from code_core.session.history.sizes import estimated_tokens


def user(words: str) -> Message:
    return Message(role="user", content=[InputText(text=words)])


def model(words: str) -> Message:
    return Message(role="assistant", content=[OutputText(text=words)])


def call(number: int, name: str = "work", arguments: str = "{}") -> FunctionCall:
    return FunctionCall(name=name, arguments=arguments, call_id=f"c{number}")


def output(number: int, text: str) -> FunctionCallOutput:
    return FunctionCallOutput(call_id=f"c{number}", output=text)


def history(*items: ResponseItem) -> list[HistoryItem]:
    return [HistoryItem(f"i{number}", item) for number, item in enumerate(items)]


def shape(items: Sequence[HistoryItem]) -> list[str]:
    return [one.id for one in items]


def size(items: Sequence[HistoryItem]) -> int:
    return estimated_tokens(one.item for one in items)


LONG = "x" * 4_000  # 1,000 tokens and 8 around them
