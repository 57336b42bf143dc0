import pytest

from code_core.errors import ContextWindowExceeded, ModelError, RequestRefused, StreamBroken
from code_core.protocol.token_events import TokenUsage
from code_core.wire.failures import error_object, excerpt, failure_of, incomplete, is_too_long, not_a_stream


@pytest.mark.parametrize(
    "body",
    [
        '{"error": {"message": "why"}}',
        '{"error": "why"}',
        '{"errors": [{"message": "why"}]}',
        '{"detail": "why"}',
        '{"detail": [{"msg": "why", "loc": ["body"]}]}',
        '{"detail": {"error": "why"}}',
        '{"detail": {"msg": "why"}}',
        '{"message": "why"}',
        '{"errorMessage": "why"}',
        '{"object": "error", "message": "why", "code": 400}',
        '[{"error": {"message": "why"}}]',
        '{"error": {"message": {"error": {"message": "why"}}}}',
        '{"error": {"message": {"message": "why"}}}',
        '{"error": {"code": 5}, "message": "why"}',
        '{"error": {"message": {"msg": "why"}}}',
        '{"error": {"detail": "why"}}',
    ],
)
def test_an_error_message_is_found_however_it_is_wrapped(body: str) -> None:
    assert error_object(body)["message"] == "why"


@pytest.mark.parametrize(
    "body",
    [
        '{"errors": [{"message": "why", "code": "odd"}], "code": "around"}',
        '{"error": "why", "code": "odd"}',
        '{"detail": [{"msg": "why"}], "code": "odd"}',
    ],
)
def test_a_code_stays_with_its_message(body: str) -> None:
    assert error_object(body)["code"] == "odd"


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        ({"type": "server_error", "message": "why"}, None, "the response failed (server_error): why"),
        ({"code": "c" * 81}, None, f"the response failed ({'c' * 80}…): no message"),
        ({"message": "x" * 2001}, None, f"the response failed (no code): {'x' * 2000}…"),
        ({"code": 399, "message": "why"}, None, "the response failed (399): why"),
        ({"code": 400, "message": "why"}, "provider", "the response failed (400): why"),
        ({"code": 401, "message": "why"}, "auth", "the response failed (401): why"),
        ({"code": 402, "message": "why"}, "usage_limit", "the response failed (402): why"),
        ({"code": 403, "message": "why"}, "auth", "the response failed (403): why"),
        ({"code": 404, "message": "why"}, "provider", "the response failed (404): why"),
        ({"code": 408, "message": "why"}, None, "the response failed (408): why"),
        ({"code": 500, "message": "why"}, None, "the response failed (500): why"),
    ],
)
def test_the_code_of_an_error_says_whether_to_ask_again(
    error: dict[str, object], code: str | None, words: str
) -> None:
    failure = failure_of(error)
    assert type(failure) is (StreamBroken if code is None else RequestRefused)
    assert (failure.code, str(failure)) == (code or "provider", words)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "<html>",
        "{}",
        "[]",
        "5",
        '{"error": null}',
        '{"error": ""}',
        '{"detail": {}}',
        '{"error": {}}',
        '{"detail": 5}',
    ],
)
def test_a_body_without_an_error_yields_no_error(body: str) -> None:
    assert error_object(body) == {}


@pytest.mark.parametrize(
    ("body", "error", "words"),
    [
        ('{"error": {"message": "no room", "code": "odd"}}', StreamBroken, r"\(odd\): no room"),
        ('{"error": {"message": "pay", "code": "insufficient_quota"}}', RequestRefused, "quota.*pay"),
        (
            "<!doctype html><html><head><title>Sign in</title><style>p {x: y}</style></head><body><p>Guest\x1b[2J net",
            RequestRefused,
            r"not a stream of events: Sign in Guest\\x1b\[2J net \(check base_url",
        ),
        ("plain words", RequestRefused, "plain words"),
        ("<br>", RequestRefused, "no text"),
        (" \n", StreamBroken, "closed before"),
    ],
)
def test_the_body_is_shown_if_it_is_not_a_stream(body: str, error: type[ModelError], words: str) -> None:
    problem = not_a_stream(body)
    assert type(problem) is error
    with pytest.raises(error, match=words):
        raise problem


def test_a_page_in_place_of_a_stream_is_a_matter_of_the_provider() -> None:
    assert not_a_stream("<p>Sign in").code == "provider"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\n\n  b\tc", "a b c"),
        ("\x1b]0;title\x07\x1b[31mred\x00", r"\x1b]0;title\x07red\x00"),
        ("\ud800", "\N{REPLACEMENT CHARACTER}"),
        ("1 < 2 and 3", "1 < 2 and 3"),
        ("x" * 11, "xxxxxxxxxx…"),
        ("x" * 10, "x" * 10),
    ],
)
def test_an_excerpt_is_one_safe_line(text: str, shown: str) -> None:
    assert excerpt(text, 10 if text.startswith("x") else 100) == shown


def test_an_excerpt_has_600_characters_at_most() -> None:
    assert excerpt("x" * 601) == "x" * 600 + "…"
    assert excerpt("x" * 600) == "x" * 600


def test_an_excerpt_is_taken_from_the_first_64_kib() -> None:
    blank = " " * (64 * 1024 - 2)
    assert excerpt(f"x{blank}yz") == "x y"


@pytest.mark.parametrize(
    ("error", "too_long"),
    [
        ({"type": "exceed_context_size_error", "message": "no"}, True),
        ({"code": "context_length_exceeded"}, True),
        ({"message": "prompt is too long: 5 tokens"}, True),
        ({"message": "the context is nice"}, False),
        ({"message": f"{'x' * 1982}prompt is too long"}, True),
        ({"message": f"{'x' * 1983}prompt is too long"}, False),
        ({"message": 5}, False),
    ],
)
def test_an_overflow_is_recognised_by_its_code_or_message(error: dict[str, object], too_long: bool) -> None:
    assert is_too_long(error) == too_long


def test_a_delay_in_a_stream_error_is_observed() -> None:
    error = failure_of({"code": 429, "message": "try again in 1.5s"})
    assert isinstance(error, StreamBroken)
    assert error.delay == 1.5


@pytest.mark.parametrize(
    ("read", "written", "max_output", "full"),
    [
        (17, 15, None, True),
        (17, 16, None, False),
        (16, 1, None, False),
        (17, 8, 8, False),
        (17, 7, 8, True),
        (17, 16, 100, False),
    ],
)
@pytest.mark.parametrize("reason", ["length", "max_tokens", "max_output_tokens"])
def test_an_answer_of_a_few_tokens_was_cut_off_by_the_window(
    reason: str, read: int, written: int, max_output: int | None, full: bool
) -> None:
    usage = TokenUsage(input_tokens=read, output_tokens=written, total_tokens=read + written)
    error = incomplete(reason, usage, max_output)
    assert error.code == ("context_window" if full else "max_output")
    assert isinstance(error, ContextWindowExceeded) is full
    assert incomplete(reason).code == "max_output"
    assert incomplete("content_filter", usage).code == "refused"
