"""The pieces of streamed text, which together may spell a secret."""

from typing import Any

import pytest

from code_core.wire.streamed_texts import streamed_texts


def of_choice(delta: dict[str, Any], key: str = "delta", **more: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, key: delta, **more}]}


@pytest.mark.parametrize(
    ("event", "texts"),
    [
        (
            {"type": "response.output_text.delta", "output_index": 2, "delta": "x"},
            [(("response.output_text.delta", 2), "x")],
        ),
        (
            {"type": "response.output_text.delta", "output_index": "2", "delta": "x"},
            [(("response.output_text.delta", None), "x")],
        ),
        (of_choice({"content": "x"}), [(("content", 0), "x")]),
        (of_choice({"content": "x"}, "message"), [(("content", 0), "x")]),
        (of_choice({"content": "x"}, message={"content": "y"}), [(("content", 0), "x")]),
        ({"choices": [{"delta": {"content": "x"}}]}, [(("content", None), "x")]),
        (
            {"choices": [{"index": n, "delta": {"refusal": t}} for n, t in ((0, "x"), (1, "y"))]},
            [(("refusal", 0), "x"), (("refusal", 1), "y")],
        ),
        (
            of_choice({"reasoning_content": "x", "reasoning": "y", "reasoning_text": "z"}),
            [(("reasoning_content", 0), "x"), (("reasoning", 0), "y"), (("reasoning_text", 0), "z")],
        ),
        (
            of_choice(
                {
                    "content": [
                        {"type": "thinking", "thinking": [{"type": "text", "text": "x"}]},
                        {"type": "text", "text": "y"},
                        "z",
                        {"type": "image"},
                        {"type": "other", "thinking": "no"},
                        5,
                    ]
                }
            ),
            [(("thinking", 0), "x"), (("content", 0), "y"), (("content", 0), "z")],
        ),
        (
            of_choice(
                {
                    "tool_calls": [
                        {"index": 1, "function": {"name": "f", "arguments": "x"}},
                        {"index": 2, "arguments": "y"},
                        {"index": None, "function": {"arguments": "z"}},
                        {"function": {"arguments": {"a": 1}}},
                        "junk",
                    ]
                }
            ),
            [
                (("tool_calls.arguments", 0, 1), "x"),
                (("tool_calls.arguments", 0, 2), "y"),
                (("tool_calls.arguments", 0, None), "z"),
            ],
        ),
        (
            of_choice({"tool_calls": {"index": 1, "function": {"arguments": "x"}}}),
            [(("tool_calls.arguments", 0, 1), "x")],
        ),
        (of_choice({"function_call": {"arguments": "x"}}), [(("function_call.arguments", 0, None), "x")]),
        (
            of_choice({"reasoning_details": [{"index": 3, "text": "x", "summary": "y", "data": "z"}]}),
            [
                (("reasoning_details.text", 0, 3), "x"),
                (("reasoning_details.summary", 0, 3), "y"),
                (("reasoning_details.data", 0, 3), "z"),
            ],
        ),
    ],
)
def test_each_piece_comes_with_its_text(event: dict[str, Any], texts: list[Any]) -> None:
    assert [*streamed_texts(event)] == texts


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"type": "response.completed", "response": {}},
        {"type": 5, "delta": "x"},
        {"type": "x", "delta": {"content": "x"}},
        {"choices": {"delta": {"content": "x"}}},
        {"choices": ["x", {}, {"delta": "x"}, {"delta": None}]},
        of_choice({"content": None, "tool_calls": None, "reasoning_details": 5}),
    ],
)
def test_an_event_without_text_has_no_pieces(event: dict[str, Any]) -> None:
    assert [*streamed_texts(event)] == []
