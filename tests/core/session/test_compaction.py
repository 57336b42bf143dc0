"""A summary that replaces the history."""

from collections.abc import Sequence
from dataclasses import replace

import anyio
import pytest

from code_core.config.load import Config, ConfigOverrides
from code_core.errors import ContextWindowExceeded, RequestRefused
from code_core.model.retry import RetryLimits
from code_core.protocol.items import InputText, Message, Refusal
from code_core.protocol.ops import Compact, Shutdown
from code_core.session.compaction import summary as summary_module
from code_core.session.compaction.budget import KEPT_TOKENS
from code_core.session.compaction.kept import kept_words
from code_core.session.compaction.shortening import LEFT_OUT
from code_core.session.compaction.summary import trimmed
from code_core.session.history.engine_notes import ENGINE_TAGS, is_users_own
from code_core.session.history.history import HistoryItem
from code_core.session.history.sizes import estimated_tokens
from code_core.session.manager import ConversationManager
from code_core.session.parts import Parts
from code_core.store.entries import Compacted
from code_core.store.journal import MemoryJournal
from code_core.store.user_messages import is_from_user
from code_core.tools.tool import ToolOutput
from code_core.wire.response_events import ItemDone
from core.session.scripted import (
    Reading,
    ScriptedModel,
    ScriptedTool,
    Step,
    answer,
    calls,
    completed,
    converse,
    event_order,
    scripted_conversation,
    text,
)


def with_window(config: Config, window: int) -> Config:
    preferences = replace(config.preferences, context_window=window)
    return replace(config, preferences=preferences)


def test_a_compaction_keeps_the_users_messages_and_the_summary(config: Config) -> None:
    journal = MemoryJournal()

    async def script(reading: Reading) -> None:
        await reading.send(text("my wish " + "x" * 400))
        await reading.ended()
        await reading.send(Compact())
        assert (await reading.ended()).type == "task_complete"
        (event,) = reading.of("context_compacted")
        assert event.after < event.before
        assert not event.automatic
        assert reading.of("agent_message")[-1].message == "bye"  # the summary is not an answer
        await reading.send(text("go on"))
        await reading.ended()
        sent = model.request_text()
        assert "my wish" in sent
        assert "what was done" in sent
        assert "work did" not in sent
        assert sent.count("</environment_context>") == 1
        assert sent.index("my wish") < sent.index("what was done") < sent.index("go on")
        assert model.prompts[2].tools == ()
        (entry,) = [entry for entry in journal.entries if isinstance(entry, Compacted)]
        assert entry.message == "what was done"

    model = ScriptedModel(calls("work"), answer("bye"), answer("what was done"), answer("on"))
    tool = ScriptedTool("work", lambda *_: _output("work did " + "y" * 4_000))
    converse(scripted_conversation(config, model, tool, parts=Parts(journal=journal)), script)


async def _output(words: str) -> ToolOutput:
    return ToolOutput(words)


def test_a_full_window_is_compacted_once_before_the_request(config: Config) -> None:
    async def script(reading: Reading) -> None:
        await reading.send(text("go"))
        assert (await reading.ended()).type == "task_complete"
        (event,) = reading.of("context_compacted")
        assert event.automatic
        assert len(model.prompts) == 3
        assert "so far" in model.request_text()

    # The summary alone is over the limit again: still one compaction.
    model = ScriptedModel(
        calls("work"), answer("so far " + "z" * 5_000, tokens=900), answer("bye", tokens=900)
    )
    tool = ScriptedTool("work", lambda *_: _output("y" * 3_400))
    converse(scripted_conversation(with_window(config, 1_000), model, tool), script)


def test_a_request_that_stays_too_long_is_compacted_once(config: Config) -> None:
    async def script(reading: Reading) -> None:
        await reading.send(text("go"))
        assert "too long" in (await reading.ended()).message
        assert len(reading.of("context_compacted")) == 1

    refused = [ContextWindowExceeded("too long")]
    model = ScriptedModel(calls("work"), answer("so far"), refused, answer("once more"), answer("bye"))
    tool = ScriptedTool("work", lambda *_: _output("y" * 3_400))
    converse(scripted_conversation(with_window(config, 1_000), model, tool), script)


def test_a_window_that_stays_full_is_compacted_once_for_each_request(config: Config) -> None:
    async def script(reading: Reading) -> None:
        await reading.send(text("go"))
        assert (await reading.ended()).type == "task_complete"
        assert len(reading.of("context_compacted")) == 1
        assert model.scripts == []

    # What every request has besides the history takes most of the window, whatever is dropped.
    model = ScriptedModel([*calls("work")[:1], completed(990)], answer("so far"), answer("bye", tokens=990))
    converse(scripted_conversation(with_window(config, 1_000), model, ScriptedTool("work")), script)


@pytest.mark.parametrize(("tokens", "compactions"), [(841, 0), (842, 1)])
def test_a_window_is_full_at_85_percent_as_the_provider_counts(
    config: Config, tokens: int, compactions: int
) -> None:
    async def script(reading: Reading) -> None:
        for words in ("go", "a"):  # the second input takes 8 tokens
            await reading.send(text(words))
            assert (await reading.ended()).type == "task_complete"
        assert len(reading.of("context_compacted")) == compactions

    model = ScriptedModel(answer("bye", tokens=tokens), *([answer("so far")] * compactions), answer("bye"))
    converse(scripted_conversation(with_window(config, 1_000), model), script)


def test_a_window_of_unknown_size_is_compacted_when_the_model_refuses(config: Config) -> None:
    config = replace(config, model="unknown")

    async def script(reading: Reading) -> None:
        await reading.send(text("go"))
        assert (await reading.ended()).type == "task_complete"
        assert len(reading.of("context_compacted")) == 1
        await reading.send(text("go"))
        assert "too long" in (await reading.ended()).message  # once per request, then the user must act

    refused = [ContextWindowExceeded("too long")]
    model = ScriptedModel(
        calls("work"), refused, answer("so far"), answer("bye"), refused, answer("so far"), refused
    )
    converse(scripted_conversation(config, model, ScriptedTool("work")), script)


def test_a_history_with_only_user_messages_is_not_compacted(config: Config) -> None:
    async def script(reading: Reading) -> None:
        await reading.send(text("very long"))
        assert "too long" in (await reading.ended()).message
        assert len(model.prompts) == 1
        await reading.send(Compact())
        assert "nothing to compact" in (await reading.ended()).message

    model = ScriptedModel([ContextWindowExceeded("too long")])
    converse(scripted_conversation(config, model), script)


def test_a_history_too_long_to_be_summarised_is_trimmed(config: Config) -> None:
    async def script(reading: Reading) -> None:
        await reading.send(text("oldest"))
        await reading.ended()
        await reading.send(Compact())
        assert (await reading.ended()).type == "task_complete"
        sizes = [len(prompt.input) for prompt in model.prompts[-3:]]
        assert sizes[0] > sizes[1] > sizes[2]

    refused = [ContextWindowExceeded("too long")]
    model = ScriptedModel(calls("work", "work"), answer("bye"), refused, refused, answer("so far"))
    converse(scripted_conversation(config, model, ScriptedTool("work")), script)


def test_without_a_summary_the_history_stays(config: Config) -> None:
    async def script(reading: Reading) -> None:
        await reading.send(Compact())
        assert "nothing to compact" in (await reading.ended()).message
        await reading.send(text("go"))
        await reading.ended()
        before = list(reading.conversation.session.history.items)
        await reading.send(Compact())
        assert "wrote no summary" in (await reading.ended()).message
        assert reading.conversation.session.history.items == before

    model = ScriptedModel(answer("bye"), answer("  "))
    converse(scripted_conversation(config, model), script)


def message(words: str) -> HistoryItem:
    return HistoryItem(words[:8], Message(role="user", content=[InputText(text=words)]))


def test_the_first_the_last_and_the_newest_user_messages_are_kept() -> None:
    half = "x" * (KEPT_TOKENS * 4 // 2 - 100)
    third = "x" * (KEPT_TOKENS * 4 // 3 - 400)
    items = [message("1" + third), message("<environment_context>"), *(message(f"{n}{third}") for n in "234")]
    assert [one.id[0] for one in kept_words(items, KEPT_TOKENS)] == ["1", "3", "4"]
    longer = kept_words([message("1" + half), message("2" + half), message("3" + half)], KEPT_TOKENS)
    assert [one.id[0] for one in longer] == ["1", "3"]
    assert estimated_tokens(one.item for one in longer) <= KEPT_TOKENS
    assert all("characters left out" in str(one.item) for one in longer)


def test_user_messages_take_a_quarter_of_a_small_window(config: Config) -> None:
    async def script(reading: Reading) -> None:
        for _ in range(12):
            await reading.send(text("x" * 1_200))
            assert (await reading.ended()).type == "task_complete"
        assert 1 <= len(reading.of("context_compacted")) <= 3

    bye = [answer("bye") for _ in range(20)]
    converse(scripted_conversation(with_window(config, 2_000), ScriptedModel(*bye)), script)


def test_trimming_drops_a_quarter_from_the_front() -> None:
    items = [message("x" * 400).item for _ in range(8)]
    assert len(trimmed(items)) == 6
    assert len(trimmed(items[:2])) == 1
    assert estimated_tokens(items) == 8 * 108


@pytest.mark.parametrize("tag", ENGINE_TAGS)
def test_engine_notes_are_not_mistaken_for_user_messages(tag: str) -> None:
    item = message(f"{tag} …").item
    assert not is_users_own(item)
    assert not is_from_user(item.model_dump())


def test_call_ids_stay_unique_after_a_compaction(config: Config) -> None:
    tool = ScriptedTool("work")

    async def script(reading: Reading) -> None:
        for op in (text("go"), Compact(), text("again")):
            await reading.send(op)
            assert (await reading.ended()).type == "task_complete"
        assert len(set(tool.ran)) == len(tool.ran) == 2

    model = ScriptedModel(calls("work"), answer("bye"), answer("so far"), calls("work"), answer("bye"))
    converse(scripted_conversation(config, model, tool), script)


@pytest.mark.parametrize(
    ("summary", "why"),
    [
        (
            [
                ItemDone(Message(role="assistant", content=[Refusal(refusal="I will not")]), event_order()),
                completed(),
            ],
            "refused",
        ),
        ([RequestRefused("the quota is used up")], "the quota is used up"),
        (answer(" "), "wrote no summary"),
        ([anyio.Event()], "no summary within"),
    ],
)
def test_without_a_summary_a_full_window_is_shortened_with_a_warning(
    config: Config, monkeypatch: pytest.MonkeyPatch, summary: Sequence[Step], why: str
) -> None:
    monkeypatch.setattr(summary_module, "SECONDS", 0.05)

    async def script(reading: Reading) -> None:
        await reading.send(text("go"))
        assert (await reading.ended()).type == "task_complete"
        (event,) = reading.of("context_compacted")
        assert (event.automatic, event.summary) == (True, "")
        (warning,) = reading.of("warning")
        assert why in warning.message
        assert LEFT_OUT in model.request_text() or "characters left out" in model.request_text()
        assert "go" in model.request_text()

    model = ScriptedModel(calls("work"), summary, answer("bye"), limits=RetryLimits(request=0, stream=0))
    tool = ScriptedTool("work", lambda *_: _output("y" * 3_400))
    converse(scripted_conversation(with_window(config, 1_000), model, tool), script)


def test_an_endless_summary_is_cut(config: Config) -> None:
    async def script(reading: Reading) -> None:
        await reading.send(text("go"))
        await reading.ended()
        await reading.send(Compact())
        await reading.ended()
        (event,) = reading.of("context_compacted")
        assert len(event.summary) < 40_000
        assert "characters left out" in event.summary

    model = ScriptedModel(answer("bye"), answer("word " * 100_000))
    converse(scripted_conversation(config, model), script)


def test_a_compaction_can_be_undone_by_a_fork(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODE_HOME", str(config.home.path))

    async def script(reading: Reading) -> None:
        for op in (text("first"), text("second"), Compact()):
            await reading.send(op)
            assert (await reading.ended()).type == "task_complete"
        await reading.send(Shutdown())

    async def main() -> None:
        manager = ConversationManager()
        model = ScriptedModel(answer("one"), answer("two"), answer("so far"))
        conversation = await manager.new(overrides, Parts(client=model))
        async with conversation:
            await script(Reading(conversation))
        forked = await manager.fork(conversation.session.id, overrides, Parts(client=model), drop_last=1)
        texts = [item.text for item in forked.session.history.model_items() if isinstance(item, Message)]
        assert texts[-2:] == ["first", "one"]
        async with forked:
            await forked.submit(Shutdown())

    overrides = ConfigOverrides(cwd=config.cwd, replay_scenario=config.home.path / "unused")
    anyio.run(main)
