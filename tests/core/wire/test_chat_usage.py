"""The usage in a Chat Completions response, wherever the server puts it."""

from typing import Any

import pytest

from code_core.protocol.token_events import TokenUsage
from code_core.wire.chat_usage import usage_in

WRITTEN = TokenUsage(input_tokens=3, output_tokens=4, total_tokens=7)


@pytest.mark.parametrize(
    ("usage", "counts"),
    [
        ({"prompt_tokens": 3, "completion_tokens": 4}, WRITTEN),
        (
            {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 9},
            WRITTEN.model_copy(update={"total_tokens": 9}),
        ),
        ({"input_tokens": 3, "output_tokens": 4}, WRITTEN),
        ({"prompt_tokens": 3, "input_tokens": 5, "completion_tokens": 4, "output_tokens": 6}, WRITTEN),
        (
            {
                "prompt_tokens": 3,
                "completion_tokens": 4,
                "completion_tokens_details": {"reasoning_tokens": 2},
            },
            WRITTEN.model_copy(update={"reasoning_output_tokens": 2}),
        ),
        *(
            (
                {"prompt_tokens": 3, "completion_tokens": 4, **cached},
                WRITTEN.model_copy(update={"cached_input_tokens": 2}),
            )
            for cached in (
                {"prompt_tokens_details": {"cached_tokens": 2}},
                {"prompt_cache_hit_tokens": 2},
                {"cached_tokens": 2},
                {"prompt_cache_hit_tokens": 2, "cached_tokens": 1},
                {"prompt_tokens_details": {"cached_tokens": 2}, "prompt_cache_hit_tokens": 1},
            )
        ),
        ({"prompt_tokens": 1, "completion_tokens": 0}, TokenUsage(input_tokens=1, total_tokens=1)),
        ({"prompt_tokens": -1, "completion_tokens": True, "total_tokens": "9"}, TokenUsage()),
    ],
)
def test_each_count_is_found_by_any_of_its_names(usage: dict[str, Any], counts: TokenUsage) -> None:
    assert usage_in({"usage": usage}, None) == counts
    assert usage_in({"x_groq": {"usage": usage}}, None) == counts
    assert usage_in({}, {"usage": usage}) == counts


@pytest.mark.parametrize("chunk", [{}, {"usage": None}, {"usage": {}}, {"usage": 5, "x_groq": []}])
def test_a_chunk_without_usage_has_none(chunk: dict[str, Any]) -> None:
    assert usage_in(chunk, None) is None
