"""How the model is asked for a summary, and how much of the history it sees."""

from typing import Any

import anyio
import pytest

from code_core.config.load import Config
from code_core.errors import ContextWindowExceeded, StreamBroken, TurnError
from code_core.protocol.items import Reasoning, SummaryText
from code_core.session.compaction import summary
from code_core.session.compaction.summary import (
    HANDOVER,
    INSTRUCTIONS,
    LONGEST_ITEM,
    MOST_ATTEMPTS,
    shortened_for_summary,
    summarise,
    trimmed,
)
from code_core.session.events.log import EventLog
from code_core.session.history.history import HistoryItem
from code_core.session.history.sizes import estimated_tokens
from code_core.session.parts import make_session
from code_core.session.stored.restore import SessionState
from code_core.session.tasks.task import Report
from core.session.histories import history, model, user
from core.session.scripted import ScriptedModel, Step, answer


def asked(
    config: Config, client: ScriptedModel, items: list[HistoryItem], room: int = 100_000, most: int = 100
) -> tuple[str, list[Any]]:
    """The summary of `items`, and the events of making it."""

    async def main() -> tuple[str, list[Any]]:
        session = make_session(config, client, state=SessionState(items=tuple(items)))
        log = EventLog()
        reader = log.reader()
        with anyio.fail_after(10):
            text = await summarise(session, Report("1", "turn_a", log), room, most)
        log.close()
        return text, [event.msg async for event in reader]

    return anyio.run(main)


def test_the_model_is_asked_once_with_its_own_instructions(config: Config) -> None:
    client = ScriptedModel(answer(" so far "))
    items = history(user("go"), model("done"))
    text, seen = asked(config, client, items)
    assert text == "so far"
    (prompt,) = client.prompts
    assert (prompt.instructions, prompt.tools, prompt.settings.model) == (INSTRUCTIONS, (), config.model)
    assert prompt.input == [*(one.item for one in items), HANDOVER]
    assert [msg.type for msg in seen] == ["token_count"]  # the summary itself is not an answer to the user


def test_a_summary_is_cut(config: Config) -> None:
    text, _ = asked(config, ScriptedModel(answer("x" * 4_000)), history(user("go"), model("done")), most=100)
    assert len(text) <= 400


def test_a_broken_summary_is_reported_and_continues_where_it_was(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = [*answer("the first half")[:-1], StreamBroken("cut", delay=0.0)]
    client = ScriptedModel(broken, answer("the second half", ordinal=2))
    _, seen = asked(config, client, history(user("go"), model("done")))
    assert [msg.type for msg in seen] == ["stream_error", "token_count"]
    assert "the first half" in client.request_text()


@pytest.mark.parametrize(("missing", "sent"), [(0, 4), (1, 3)])
def test_the_history_takes_at_most_four_fifths_of_the_room(config: Config, missing: int, sent: int) -> None:
    items = history(*(model("x" * 368) for _ in range(4)))  # 100 tokens each
    room = 500 - missing
    client = ScriptedModel(answer("so far"))
    asked(config, client, items, room)
    assert len(client.prompts[0].input) - 1 == sent


def test_the_newest_item_is_sent_whatever_the_room(config: Config) -> None:
    client = ScriptedModel(answer("so far"))
    asked(config, client, history(model("older"), model("newer")), room=0)
    assert [getattr(item, "text", "") for item in client.prompts[0].input[:-1]] == ["newer"]


def test_a_quarter_is_trimmed_but_never_the_newest() -> None:
    items = [model("x" * 368) for _ in range(9)]
    assert len(trimmed(items)) == 6  # three of nine are a quarter and a bit
    assert len(trimmed(items[:8])) == 6
    assert len(trimmed(items[:5])) == 3
    assert trimmed([model("x" * size) for size in (368, 368, 784)]) == [model("x" * 784)]
    uneven = [model("short"), model("short"), model("x" * 4_000)]
    assert trimmed(uneven) == uneven[1:]
    large_first = [model("x" * 4_000), model("short"), model("short")]
    assert trimmed(large_first) == large_first[1:]
    last_but_one = [model("short"), model("x" * 4_000), model("short")]
    assert trimmed(last_but_one) == last_but_one[2:]


def test_reasoning_and_the_middle_of_long_items_are_not_sent() -> None:
    thought = Reasoning(id="r", summary=[SummaryText(text="hm")])
    (item,) = shortened_for_summary([thought, model("x" * 40_000)])
    assert estimated_tokens([item]) <= LONGEST_ITEM


TOO_LONG: list[Step] = [ContextWindowExceeded("too long")]


def test_less_is_sent_until_the_model_accepts_it(config: Config) -> None:
    client = ScriptedModel(*[TOO_LONG] * (MOST_ATTEMPTS - 1), answer("so far"))
    text, _ = asked(config, client, history(*(model("x" * 368) for _ in range(40))))
    assert text == "so far"
    sizes = [len(prompt.input) for prompt in client.prompts]
    assert sizes == sorted(set(sizes), reverse=True)


def test_after_some_attempts_the_model_is_not_asked_again(config: Config) -> None:
    client = ScriptedModel(*[TOO_LONG] * (MOST_ATTEMPTS + 3))
    with pytest.raises(ContextWindowExceeded):
        asked(config, client, history(*(model("x" * 368) for _ in range(40))))
    assert len(client.prompts) == MOST_ATTEMPTS


@pytest.mark.parametrize("count", [1, 2])
def test_the_last_item_alone_is_tried_only_once(config: Config, count: int) -> None:
    client = ScriptedModel(*[TOO_LONG] * 9)
    with pytest.raises(ContextWindowExceeded):
        asked(config, client, history(*(model("x" * 368) for _ in range(count))))
    assert [len(prompt.input) - 1 for prompt in client.prompts] == [2, 1][-count:]


def test_a_summary_has_a_time_limit(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summary, "SECONDS", 0.05)
    with pytest.raises(TurnError, match=r"^the model wrote no summary within 0 seconds$"):
        asked(config, ScriptedModel([anyio.Event()]), history(user("go"), model("done")))
