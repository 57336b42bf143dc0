"""Selects the parts of a history that survive a compaction."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from code_core.frozen import frozen
from code_core.protocol.items import CustomToolCallOutput, FunctionCall, FunctionCallOutput, Message, ToolCall
from code_core.session.compaction.budget import Budget
from code_core.session.compaction.cutting import cut_item
from code_core.session.history.engine_notes import RENEWED_TAGS, begins_with, is_users_own
from code_core.session.history.history import HistoryItem
from code_core.session.history.sizes import estimated_tokens

PLAN_TOOL = "update_plan"


@frozen
class Kept:
    """A history split into the parts that a compaction treats differently.

    Attributes:
        older: everything before the tail, unchanged.
        words: the user's messages in `older`.
        plan: the latest plan, as a call with its output, unless the tail contains one.
        tail: the end of the history, with long items cut.
    """

    older: list[HistoryItem]
    words: list[HistoryItem]
    plan: list[HistoryItem]
    tail: list[HistoryItem]


def kept_of(items: Sequence[HistoryItem], budget: Budget) -> Kept:
    """Split `items` by what a compaction does with them, without the notes that it writes anew."""
    items = [one for one in items if not begins_with(one.item, *RENEWED_TAGS)]
    begin = _tail_begin(items, budget.tail)
    older, tail = items[:begin], _cut_to(items[begin:], budget)
    plan = [] if any(map(_is_plan, tail)) else _last_plan(older)
    if estimated_tokens(one.item for one in plan) > budget.state:
        plan = []
    return Kept(older, kept_words(older, budget.words), plan, tail)


def kept_words(items: Sequence[HistoryItem], room: int) -> list[HistoryItem]:
    """Return the user's messages, verbatim, up to `room` tokens.

    The first message, which usually states the goal, and the last are always kept, though cut if
    they are long. The remaining room goes to the newest of the others.
    """
    own = [one for one in items if is_users_own(one.item)]
    if not own:
        return []
    ends = [_cut(one, room // 3) for one in (own[0], own[-1])] if len(own) > 1 else [_cut(own[0], room)]
    room -= estimated_tokens(one.item for one in ends)
    between: list[HistoryItem] = []
    for one in reversed(own[1:-1]):
        room -= estimated_tokens([one.item])
        if room < 0:
            break
        between.append(one)
    between.reverse()
    return [ends[0], *between, *ends[1:]]


def rounds_of(items: Sequence[HistoryItem]) -> Iterator[list[HistoryItem]]:
    """Group `items` into rounds: one response with the outputs of its calls, or one user message."""
    group: list[HistoryItem] = []
    answered = False
    for one in items:
        is_output = isinstance(one.item, FunctionCallOutput | CustomToolCallOutput)
        begins = not is_output and (answered or _is_of_user(one) or bool(group and _is_of_user(group[-1])))
        if group and begins:
            yield group
            group, answered = [], False
        group.append(one)
        answered = answered or is_output
    if group:
        yield group


def _tail_begin(items: Sequence[HistoryItem], room: int) -> int:
    """Index at which the tail begins: as many of the last rounds as fit, and at least one."""
    begin = len(items)
    for number, group in enumerate(reversed([*rounds_of(items)])):
        room -= estimated_tokens(one.item for one in group)
        if room < 0 and number:
            break
        begin -= len(group)
    return begin


def _cut_to(tail: list[HistoryItem], budget: Budget) -> list[HistoryItem]:
    if estimated_tokens(one.item for one in tail) <= budget.tail:
        return tail
    share = budget.tail // len(tail)
    return [_cut(one, budget.words // 2 if is_users_own(one.item) else share) for one in tail]


def _cut(one: HistoryItem, tokens: int) -> HistoryItem:
    item = cut_item(one.item, tokens)
    return one if item is one.item else replace(one, item=item)


def _is_of_user(one: HistoryItem) -> bool:
    return isinstance(one.item, Message) and one.item.role != "assistant"


def _is_plan(one: HistoryItem) -> bool:
    return isinstance(one.item, FunctionCall) and one.item.name == PLAN_TOOL


def _last_plan(items: Sequence[HistoryItem]) -> list[HistoryItem]:
    outputs = {one.item.call_id: one for one in items if isinstance(one.item, FunctionCallOutput)}
    for one in reversed(items):
        if _is_plan(one) and isinstance(one.item, ToolCall) and one.item.call_id in outputs:
            return [one, outputs[one.item.call_id]]
    return []
