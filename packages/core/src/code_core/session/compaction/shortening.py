"""Shortens a history without a model: drops the oldest items first and the user's messages last."""

from collections.abc import Sequence
from dataclasses import replace

from code_core.protocol.items import CustomToolCallOutput, FunctionCallOutput, ResponseItem
from code_core.session.compaction.budget import Budget
from code_core.session.compaction.cutting import cut_item, without_images
from code_core.session.compaction.kept import Kept, kept_words, rounds_of
from code_core.session.history.engine_notes import SUMMARY_TAG, begins_with, is_users_own
from code_core.session.history.history import HistoryItem
from code_core.session.history.sizes import estimated_tokens

LEFT_OUT = "[output left out to save space]"


def shortened(kept: Kept, budget: Budget) -> list[HistoryItem]:
    """Return the history in at most `budget.total` tokens, as far as the parts that must stay allow.

    Drops the oldest images and tool outputs first, then the oldest rounds except for the user's
    messages and an earlier summary. The plan and the tail stay.
    """
    room = budget.total - _size(kept.tail) - _size(kept.plan)
    older = _with_less(kept.older, room)
    if _size(older) > room:
        older = _newest_rounds(older, room, budget)
    present = {one.id for one in older}
    return [*older, *(one for one in kept.plan if one.id not in present), *kept.tail]


def _with_less(items: Sequence[HistoryItem], room: int) -> list[HistoryItem]:
    """Return `items` with the oldest images, then the oldest outputs, removed until the rest fits."""
    items, size = list(items), _size(items)
    for change in (without_images, _without_output):
        for index, one in enumerate(items):
            if size <= room:
                return items
            item = change(one.item)
            if item is not one.item:
                items[index] = replace(one, item=item)
                size += _size([items[index]]) - _size([one])
    return items


def _newest_rounds(items: Sequence[HistoryItem], room: int, budget: Budget) -> list[HistoryItem]:
    """Return the user's messages, the last summary, and as many of the newest rounds as fit."""
    chosen = {one.id: one for one in kept_words(items, min(budget.words, room))}
    summaries = [one for one in items if begins_with(one.item, SUMMARY_TAG)]
    chosen |= {one.id: replace(one, item=cut_item(one.item, budget.summary)) for one in summaries[-1:]}
    room -= _size([*chosen.values()])
    for group in reversed([*rounds_of(items)]):
        others = {one.id: one for one in group if _may_go(one)}
        room -= _size([*others.values()])
        if room < 0:
            break
        chosen |= others
    return [chosen[one.id] for one in items if one.id in chosen]


def _may_go(one: HistoryItem) -> bool:
    return not is_users_own(one.item) and not begins_with(one.item, SUMMARY_TAG)


def _size(items: Sequence[HistoryItem]) -> int:
    return estimated_tokens(one.item for one in items)


def _without_output(item: ResponseItem) -> ResponseItem:
    match item:
        case FunctionCallOutput(output=output) | CustomToolCallOutput(output=output) if len(output) > len(
            LEFT_OUT
        ):
            return item.model_copy(update={"output": LEFT_OUT})
        case _:
            return item
