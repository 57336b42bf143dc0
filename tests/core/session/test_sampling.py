"""One response of the model: what is shown, what is kept, and when the request is repeated."""

from collections.abc import Sequence
from typing import Any

import anyio
import pytest

from code_core.errors import RequestRefused, StreamBroken
from code_core.model.retry import LONGEST_REQUESTED_DELAY, RetryLimits
from code_core.protocol.events import EventMsg, EventOrder
from code_core.protocol.items import (
    FunctionCall,
    InputText,
    Message,
    OutputText,
    Reasoning,
    ReasoningText,
    ResponseItem,
    SummaryText,
    WebSearchCall,
)
from code_core.protocol.token_events import TokenUsage
from code_core.session.turn import sampling
from code_core.session.turn.reporter import Reporter, TokenTotals
from code_core.session.turn.sampling import GO_ON_NOTE, Response, sample
from code_core.wire.prompt import ModelSettings, Prompt
from code_core.wire.response_events import (
    Completed,
    Created,
    ItemDone,
    RateLimits,
    ReasoningSectionBreak,
    ReasoningSummaryDelta,
    ReasoningTextDelta,
    TextDelta,
    WebSearchStarted,
)
from core.session.scripted import ScriptedModel, Step

HERE, THERE = EventOrder(request_ordinal=1, output_index=0), EventOrder(request_ordinal=1, output_index=1)
USAGE = TokenUsage(input_tokens=3, output_tokens=4, total_tokens=7)
CALL = FunctionCall(name="shell", arguments="{}", call_id="c1")
THOUGHT = Reasoning(
    id="r",
    summary=[SummaryText(text="in short")],
    content=[ReasoningText(text="at length")],
    encrypted_content="e",
)


def words(text: str) -> Message:
    return Message(role="assistant", content=[OutputText(text=text)])


class Sampled:
    """The result of `sample` with the scripts."""

    def __init__(self, *scripts: Sequence[Step], limits: RetryLimits | None = None, **reporter: Any) -> None:
        self.response = Response()
        self.shown: list[tuple[EventMsg, EventOrder | None]] = []
        self.finished: list[list[ResponseItem]] = []
        self.waited: list[float] = []
        self.totals = TokenTotals()
        self.model = ScriptedModel(*scripts, limits=limits)
        self.error: RequestRefused | None = None
        self._reporter = reporter

    def run(self, monkeypatch: pytest.MonkeyPatch) -> "Sampled":
        async def sleep(seconds: float) -> None:
            self.waited.append(seconds)

        async def emit(msg: EventMsg, order: EventOrder | None = None) -> None:
            self.shown.append((msg, order))

        monkeypatch.setattr(sampling.anyio, "sleep", sleep)  # type: ignore[attr-defined] # what it imports
        monkeypatch.setattr(sampling, "backoff", lambda attempt: 10.0 * attempt)
        reporter = Reporter(emit, self.totals, 1_000, **self._reporter)

        def prompt_after(finished: Sequence[ResponseItem]) -> Prompt:
            self.finished.append(list(finished))
            settings = ModelSettings(model="m")
            asked = Message(role="user", content=[InputText(text="go")])
            return Prompt(settings=settings, conversation_id="c", instructions="x", input=[asked], tools=[])

        async def main() -> None:
            try:
                await sample(self.model, prompt_after, self.response, reporter)
            except RequestRefused as error:
                self.error = error

        anyio.run(main)
        return self

    @property
    def kinds(self) -> list[str]:
        return [msg.type for msg, _ in self.shown]

    def of(self, kind: str) -> list[Any]:
        return [msg for msg, _ in self.shown if msg.type == kind]


@pytest.fixture
def sampled(monkeypatch: pytest.MonkeyPatch) -> Any:
    return lambda *scripts, **more: Sampled(*scripts, **more).run(monkeypatch)


WHOLE: list[Step] = [
    Created(),
    ReasoningSummaryDelta("in ", HERE),
    ReasoningSectionBreak(HERE),
    ReasoningTextDelta("at ", HERE),
    ItemDone(THOUGHT, HERE),
    TextDelta("hel", THERE),
    ItemDone(words("hello"), THERE),
    ItemDone(CALL),
]


@pytest.mark.parametrize(
    ("hide", "raw", "kinds"),
    [
        (False, False, ["reasoning_delta", "reasoning_section_break", "reasoning"]),
        (True, False, []),
        (True, True, ["reasoning_raw_content_delta", "reasoning_raw_content"]),
        (
            False,
            True,
            [
                *("reasoning_delta", "reasoning_section_break", "reasoning_raw_content_delta"),
                *("reasoning", "reasoning_raw_content"),
            ],
        ),
    ],
)
def test_events_of_a_response(sampled: Any, hide: bool, raw: bool, kinds: list[str]) -> None:
    it: Sampled = sampled([*WHOLE, Completed("r", USAGE)], hide_reasoning=hide, show_raw_reasoning=raw)
    expected = [*(f"agent_{kind}" for kind in kinds), "agent_message_delta", "agent_message", "token_count"]
    assert it.kinds == expected
    orders = [order for _, order in it.shown]
    assert orders == [*[HERE] * len(kinds), THERE, THERE, None]
    texts: dict[str, Any] = {
        msg.type: getattr(msg, "text", getattr(msg, "delta", None)) for msg, _ in it.shown
    }
    shown = {
        "agent_reasoning_delta": "in ",
        "agent_reasoning": "in short",
        "agent_reasoning_raw_content_delta": "at ",
        "agent_reasoning_raw_content": "at length",
        "agent_message_delta": "hel",
    }
    assert all(texts.get(kind, text) == text for kind, text in shown.items())
    assert it.of("agent_message")[0].message == "hello"
    assert it.response.items == [THOUGHT, words("hello"), CALL]
    assert it.response.orders == [HERE, THERE, None]
    assert it.response.calls == [CALL]
    assert it.response.message == "hello"
    assert it.response.usage == USAGE
    assert it.finished == [[]]
    assert it.waited == []


def test_a_response_without_messages_has_no_last_message(sampled: Any) -> None:
    it: Sampled = sampled([ItemDone(CALL), Completed("r", None)])
    assert it.response.message is None
    assert it.response.usage is None
    assert it.kinds == []


def test_the_last_of_several_messages_is_the_answer(sampled: Any) -> None:
    it: Sampled = sampled([ItemDone(words("one")), ItemDone(words("two")), Completed("r", USAGE)])
    assert it.response.message == "two"
    (count,) = it.of("token_count")
    assert count.info.last_token_usage == count.info.total_token_usage == USAGE
    assert count.info.model_context_window == 1_000


def test_rate_limits_are_reported_with_or_without_token_counts(sampled: Any) -> None:
    it: Sampled = sampled([RateLimits({"primary": 1}), ItemDone(words("one")), Completed("r", None)])
    (count,) = it.of("token_count")
    assert (count.info, count.rate_limits) == (None, {"primary": 1})


@pytest.mark.parametrize(
    ("action", "query"), [({"query": "weather"}, "weather"), ({"query": 5}, None), ({}, None), (None, None)]
)
def test_a_search_of_the_provider_is_shown(
    sampled: Any, action: dict[str, Any] | None, query: str | None
) -> None:
    search = WebSearchCall(id="s", action=action)
    it: Sampled = sampled([WebSearchStarted("s", HERE), ItemDone(search, HERE), Completed("r", None)])
    begin, end = it.shown
    assert begin[1] == end[1] == HERE
    assert it.of("web_search_begin")[0].call_id == "s"
    assert (it.of("web_search_complete")[0].call_id, it.of("web_search_complete")[0].query) == ("s", query)


def test_each_phase_has_its_own_number_of_retries(sampled: Any) -> None:
    refused, broken = [StreamBroken("busy", opened=False, code="x")], [Created(), StreamBroken("cut")]
    end = [ItemDone(words("end")), Completed("r", USAGE)]
    it: Sampled = sampled(refused, broken, refused, broken, end, limits=RetryLimits(request=2, stream=2))
    assert it.response.items == [words("end")]
    assert [(one.message, one.attempt, one.max) for one in it.of("stream_error")] == [
        ("busy", 1, 2),
        ("cut", 1, 2),
        ("busy", 2, 2),
        ("cut", 2, 2),
    ]
    assert [one.code for one in it.of("stream_error")] == ["x", "stream"] * 2
    assert set(it.kinds) == {"stream_error", "agent_message", "token_count"}
    assert it.waited == [10.0, 10.0, 20.0, 20.0]
    assert [one.delay_ms for one in it.of("stream_error")] == [10_000, 10_000, 20_000, 20_000]
    for limits, opened in (
        (RetryLimits(request=1, stream=9), False),
        (RetryLimits(request=9, stream=1), True),
    ):
        it = sampled(*[[StreamBroken("no", opened=opened, code="x")]] * 9, limits=limits)
        assert str(it.error) == "no (gave up after 2 attempts)"
        assert it.error is not None
        assert it.error.code == "x"
        assert len(it.of("stream_error")) == 1


def test_a_requested_wait_is_observed_if_it_is_short_enough(sampled: Any) -> None:
    end = [ItemDone(words("end")), Completed("r", None)]
    longest = [StreamBroken("busy", delay=LONGEST_REQUESTED_DELAY)]
    it: Sampled = sampled([StreamBroken("busy", delay=0.0)], end)
    assert it.waited == [0.0]
    it = sampled(longest, end)
    assert it.waited == [LONGEST_REQUESTED_DELAY]
    it = sampled([StreamBroken("busy", delay=LONGEST_REQUESTED_DELAY + 1, code="x")], end)
    assert str(it.error) == "busy (the provider asks to wait 6 minutes: try again then)"
    assert it.error is not None
    assert it.error.code == "x"
    assert it.waited == []


def test_a_finished_message_is_kept_and_the_model_continues_after_it(sampled: Any) -> None:
    broken = [ItemDone(words("one"), HERE), ItemDone(THOUGHT), TextDelta("tw", THERE), StreamBroken("cut")]
    it: Sampled = sampled(broken, [ItemDone(words("two"), HERE), Completed("r", USAGE)])
    first, note, second = it.response.items
    assert (first, second) == (words("one"), words("two"))
    assert isinstance(note, Message)
    assert (note.role, note.text) == ("user", GO_ON_NOTE)
    assert it.response.orders == [HERE, None, HERE]
    assert it.finished == [[], [first, note]]
    assert "agent_message_reset" in it.kinds
    [order] = [order for msg, order in it.shown if msg.type == "agent_message_reset"]
    assert order == THERE


def texts(it: Sampled) -> list[str]:
    return [item.text for item in it.response.items if isinstance(item, Message)]


def test_finished_items_are_kept_after_every_break(sampled: Any) -> None:
    first, second = ([ItemDone(THOUGHT), ItemDone(words(one)), StreamBroken("cut")] for one in ("one", "two"))
    end = [ItemDone(words("three")), Completed("r", None)]
    it: Sampled = sampled(first, second, end, limits=RetryLimits(request=1, stream=2))
    assert texts(it) == ["one", GO_ON_NOTE, "two", GO_ON_NOTE, "three"]
    assert it.response.items.count(THOUGHT) == 2
    it = sampled(first, [ItemDone(words("one")), ItemDone(words("two")), Completed("r", None)])
    assert texts(it) == ["one", GO_ON_NOTE, "two"]


def test_incomplete_raw_reasoning_is_withdrawn(sampled: Any) -> None:
    broken, end = (
        [ReasoningTextDelta("hm"), StreamBroken("cut")],
        [ItemDone(words("end")), Completed("r", None)],
    )
    assert "agent_reasoning_reset" in sampled(broken, end, show_raw_reasoning=True).kinds
    assert "agent_reasoning_reset" not in sampled(broken, end).kinds


@pytest.mark.parametrize(("item", "withdrawn"), [(THOUGHT, False), (WebSearchCall(id="s"), True)])
def test_only_incomplete_reasoning_is_withdrawn(sampled: Any, item: ResponseItem, withdrawn: bool) -> None:
    broken = [ReasoningSummaryDelta("hm"), ItemDone(item), StreamBroken("cut")]
    it: Sampled = sampled(broken, [ItemDone(words("end")), Completed("r", None)])
    assert ("agent_reasoning_reset" in it.kinds) is withdrawn


def test_the_request_is_not_repeated_after_a_finished_call(sampled: Any) -> None:
    script = [ItemDone(words("one")), ItemDone(CALL), StreamBroken("cut", delay=9.0)]
    it: Sampled = sampled(script, limits=RetryLimits(request=1, stream=5))
    assert it.response.items == [words("one"), CALL]
    [error] = it.of("stream_error")
    assert (error.attempt, error.max, error.delay_ms) == (1, 5, 0)
    assert it.waited == []
    assert it.error is None


def test_without_finished_items_nothing_is_kept(sampled: Any) -> None:
    it: Sampled = sampled(
        [ItemDone(THOUGHT), ReasoningSummaryDelta("hm"), StreamBroken("cut")],
        [ItemDone(words("end")), Completed("r", None)],
    )
    assert it.response.items == [words("end")]
    assert it.finished == [[], []]
    assert it.kinds == [
        *("agent_reasoning", "agent_reasoning_delta", "agent_reasoning_reset"),
        *("stream_error", "agent_message"),
    ]


def test_an_empty_response_ends_the_answer_only_after_a_kept_message(sampled: Any) -> None:
    empty = [ItemDone(THOUGHT), StreamBroken("empty", empty=True)]
    it: Sampled = sampled([ItemDone(words("one")), StreamBroken("cut")], empty)
    assert texts(it) == ["one", GO_ON_NOTE]
    assert len(it.response.items) == len(it.response.orders) == 2
    assert it.error is None
    it = sampled(empty, empty)
    assert str(it.error) == "empty (gave up after 2 attempts)"


def test_a_repeated_message_is_shown_and_kept_once(sampled: Any) -> None:
    broken = [ItemDone(words("one")), StreamBroken("cut")]
    again = [
        TextDelta("on"),
        TextDelta("e"),
        ItemDone(words("one")),
        TextDelta("two"),
        ItemDone(words("two")),
    ]
    it: Sampled = sampled(broken, [*again, Completed("r", None)])
    assert [item.text for item in it.response.items if isinstance(item, Message)] == [
        "one",
        GO_ON_NOTE,
        "two",
    ]
    assert [one.delta for one in it.of("agent_message_delta")] == ["two"]
    assert [one.message for one in it.of("agent_message")] == ["one", "two"]


def test_several_repeated_messages_are_recognised_in_order(sampled: Any) -> None:
    broken = [ItemDone(words("one")), ItemDone(words("two")), StreamBroken("cut")]
    again = [ItemDone(words("one")), ItemDone(words("two")), ItemDone(words("three"))]
    it: Sampled = sampled(broken, [*again, Completed("r", None)])
    assert [one.message for one in it.of("agent_message")] == ["one", "two", "three"]


def test_a_model_may_repeat_only_the_last_message(sampled: Any) -> None:
    broken = [ItemDone(words("one")), ItemDone(words("once more")), StreamBroken("cut")]
    again = [
        *(TextDelta("on"), TextDelta("ce more"), ItemDone(words("once more"))),
        *(TextDelta("one"), ItemDone(words("one"))),
    ]
    it: Sampled = sampled(broken, [*again, Completed("r", None)])
    assert texts(it) == ["one", "once more", GO_ON_NOTE, "one"]
    assert [one.delta for one in it.of("agent_message_delta")] == ["one"]
    assert [one.message for one in it.of("agent_message")] == ["one", "once more", "one"]


def test_text_with_only_the_same_beginning_as_earlier_messages_is_shown_completely(sampled: Any) -> None:
    broken = [ItemDone(words("one")), ItemDone(words("once more")), StreamBroken("cut")]
    again = [TextDelta("on"), TextDelta("ce"), TextDelta(" only"), ItemDone(words("once only"))]
    it: Sampled = sampled(broken, [*again, Completed("r", None)])
    assert [one.delta for one in it.of("agent_message_delta")] == ["once only"]
    assert texts(it)[-1] == "once only"


@pytest.mark.parametrize("deltas", [[], [TextDelta("n"), TextDelta("ew")]])
def test_after_new_text_nothing_counts_as_a_repetition(sampled: Any, deltas: list[TextDelta]) -> None:
    broken = [ItemDone(words("one")), StreamBroken("cut")]
    again = [*deltas, ItemDone(words("new")), TextDelta("one"), ItemDone(words("one"))]
    it: Sampled = sampled(broken, [*again, Completed("r", None)])
    assert [one.message for one in it.of("agent_message")] == ["one", "new", "one"]
