"""Errors within a stream whose status was 200."""

import pytest

from code_core.errors import ModelError, RequestRefused, StreamBroken
from core.wire.foreign import Event, completed, done, lines, read, text

WORDS = "the backend has no capacity left"


@pytest.mark.parametrize(
    "stream",
    [
        f'event: error\ndata: {{"error": {{"message": "{WORDS}", "code": 500}}}}\n\n',
        f'event: error\ndata: {{"message": "{WORDS}"}}\n\n',
        f'event: error\ndata: {{"type": "server_error", "message": "{WORDS}"}}\n\n',
        f'data: {{"error": {{"message": "{WORDS}", "type": "server_error"}}}}\n\ndata: [DONE]\n\n',
        f'data: {{"error": "{WORDS}"}}\n\n',
        f'data: {{"type": "error", "message": "{WORDS}", "code": "x"}}\n\n',
        f'data: {{"type": "error", "error": {{"message": "{WORDS}"}}}}\n\n',
        f'data: {{"type": "server_error", "error": {{"message": "{WORDS}"}}}}\n\n',
        f'data: {{"error": {{"message": {{"message": "{WORDS}"}}}}}}\n\n',
        f'event: response.failed\ndata: {{"response": {{"error": {{"message": "{WORDS}"}}}}}}\n\n',
        f'data: {{"type": "response.failed", "error": {{"message": "{WORDS}"}}}}\n\n',
        f'data: {{"type": "response.done", "response": {{"status": "failed", "error": {{"message": "{WORDS}"}}}}}}\n\n',
    ],
)
def test_an_error_in_the_stream_is_reported_with_the_providers_message(stream: str) -> None:
    with pytest.raises(StreamBroken, match=WORDS) as caught:
        read(stream.encode() + lines(completed(text("late"))))
    assert caught.value.code == "provider"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ('{"type": "server_error", "message": "x"}', "the response failed (server_error): x"),
        ("{}", "the response failed (error): no message"),
    ],
)
def test_an_event_with_the_name_error_is_one(data: str, words: str) -> None:
    with pytest.raises(StreamBroken) as caught:
        read(f"event: error\ndata: {data}\n\n".encode())
    assert str(caught.value) == words


@pytest.mark.parametrize(
    ("event", "error", "code"),
    [
        ({"type": "error", "code": "insufficient_quota", "message": "x"}, RequestRefused, "usage_limit"),
        ({"type": "error", "code": "cyber_policy", "message": "x"}, RequestRefused, "refused"),
        ({"type": "error", "code": "slow_down", "message": "x"}, RequestRefused, "provider"),
        ({"type": "error", "code": "context_length_exceeded", "message": "x"}, ModelError, "context_window"),
        (
            completed(status="incomplete", incomplete_details={"reason": "length"}),
            RequestRefused,
            "max_output",
        ),
        (
            completed(status="incomplete", incomplete_details={"reason": "content_filter"}),
            RequestRefused,
            "refused",
        ),
        (completed(text("cut"), status="incomplete", incomplete_details=None), StreamBroken, "provider"),
    ],
)
def test_a_failure_has_a_code_for_programs(event: Event, error: type[ModelError], code: str) -> None:
    with pytest.raises(error) as caught:
        read(lines(event))
    assert caught.value.code == code


def test_a_stream_that_ends_early_is_broken() -> None:
    with pytest.raises(StreamBroken, match="closed before") as caught:
        read(lines(done(text("hi"))))
    assert (caught.value.code, caught.value.empty) == ("stream", False)
