"""Images in the whole history: no request has too many, and not every new one changes the start of requests."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from code_core.config.load import Config
from code_core.errors import ContextWindowExceeded
from code_core.protocol.items import FunctionCallOutput, InputImage, InputText, Message
from code_core.protocol.ops import ImageInput, TextInput, UserInput
from code_core.session.compaction import images as bounds
from code_core.session.compaction.cutting import AN_IMAGE
from code_core.session.compaction.images import MOST_CHARACTERS, MOST_IMAGES, too_many, with_fewer_images
from code_core.session.history.history import HistoryItem
from code_core.session.history.sizes import image_sizes
from code_core.session.parts import Parts
from code_core.session.stored.restore import SessionState
from code_core.store.entries import Compacted
from code_core.store.journal import MemoryJournal
from code_core.wire.responses import request_body
from core.session.scripted import Reading, ScriptedModel, answer, converse, scripted_conversation

PIXEL = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def shown(number: int, *sizes: int) -> HistoryItem:
    parts = [InputText(text=f"see {number}"), *(InputImage(image_url="x" * size) for size in sizes)]
    return HistoryItem(f"i{number}", Message(role="user", content=parts))


def sizes_of(items: list[HistoryItem]) -> list[int]:
    return image_sizes(one.item for one in items)


def test_half_of_the_limit_stays_and_the_rest_becomes_notes() -> None:
    items = [shown(number, 1) for number in range(MOST_IMAGES + 1)]
    assert too_many(sizes_of(items))
    assert not too_many(sizes_of(items[1:]))
    fewer = with_fewer_images(items)
    assert len(sizes_of(fewer)) == MOST_IMAGES // 2
    assert [AN_IMAGE in str(one.item) for one in fewer] == [True] * 26 + [False] * 25
    assert [one.id for one in fewer] == [one.id for one in items]


def test_large_images_count_by_size_including_those_from_tools() -> None:
    large = MOST_CHARACTERS // 2 + 1
    output = FunctionCallOutput(call_id="c", output=[InputImage(image_url="x" * large)])
    items = [HistoryItem("o", output), shown(1, large)]
    assert too_many(sizes_of(items))
    assert sizes_of(with_fewer_images(items)) == [large]


def test_images_just_below_the_limit_are_kept() -> None:
    assert not too_many([MOST_CHARACTERS // 2, MOST_CHARACTERS // 2])
    assert too_many([MOST_CHARACTERS // 2, MOST_CHARACTERS // 2, 1])


def test_the_newest_images_take_half_of_the_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "MOST_CHARACTERS", 400)
    items = [shown(number, 100) for number in range(5)]
    assert [AN_IMAGE in str(one.item) for one in with_fewer_images(items)] == [True] * 3 + [False] * 2


@settings(deadline=None)
@given(st.lists(st.lists(st.sampled_from([1, 10, 100, 400]), max_size=3), max_size=80))
def test_the_newest_images_within_the_limit_are_kept(images: list[list[int]]) -> None:
    items = [shown(number, *sizes) for number, sizes in enumerate(images)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bounds, "MOST_CHARACTERS", 400)
        fewer = with_fewer_images(items)
        assert not too_many(sizes_of(fewer))
        assert with_fewer_images(fewer) == fewer
    kept = [number for number, one in enumerate(fewer) if sizes_of([one])]
    had = [number for number, sizes in enumerate(images) if sizes]
    assert kept == had[len(had) - len(kept) :]


def test_requests_stay_within_the_bounds_over_many_turns_and_after_a_resume(config: Config) -> None:
    journal = MemoryJournal()

    def images_in(prompt: Any) -> int:
        return repr(request_body(prompt)["input"]).count("input_image")

    async def script(reading: Reading) -> None:
        for _ in range(70):
            await reading.send(UserInput(items=[TextInput(text="look"), ImageInput(image_url=PIXEL)]))
            assert (await reading.ended()).type == "task_complete"
        assert len(reading.of("context_compacted")) == 1
        assert len(reading.of("background_event")) == 1

    model = ScriptedModel(*(answer("seen") for _ in range(70)))
    converse(scripted_conversation(config, model, parts=Parts(journal=journal)), script)
    counts = [images_in(prompt) for prompt in model.prompts]
    assert max(counts) == MOST_IMAGES
    assert counts[MOST_IMAGES - 1 :][:3] == [50, 25, 26]
    assert sum(isinstance(entry, Compacted) for entry in journal.entries) == 1
    state = SessionState.from_entries(journal.entries)
    assert len(sizes_of(list(state.items))) == counts[-1]


def test_a_request_that_is_too_long_even_without_older_images_is_compacted(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "MOST_IMAGES", 1)

    async def script(reading: Reading) -> None:
        for _ in range(2):
            await reading.send(UserInput(items=[TextInput(text="look"), ImageInput(image_url=PIXEL)]))
            assert (await reading.ended()).type == "task_complete"
        without_images, compacted = reading.of("context_compacted")
        assert (without_images.summary, compacted.summary) == ("", "so far")

    too_long = [ContextWindowExceeded("too long")]
    model = ScriptedModel(answer("seen"), too_long, answer("so far"), answer("seen"))
    converse(scripted_conversation(replace(config, model="unknown"), model), script)


@pytest.mark.parametrize("count", [0, 1])
def test_a_few_images_are_not_examined(count: int) -> None:
    items = [shown(1, *[1] * count)]
    assert with_fewer_images(items) == items
