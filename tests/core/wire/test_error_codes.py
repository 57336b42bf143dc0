"""Which errors of providers are worth a retry, by their documented codes."""

from typing import Any

import pytest

from code_core.errors import ContextWindowExceeded, ModelError, RequestRefused, StreamBroken
from code_core.wire.error_codes import permanent_error
from code_core.wire.failures import failure_of

PERMANENT = [
    # OpenAI's Responses API.
    ({"code": "invalid_prompt"}, "refused"),
    ({"code": "cyber_policy"}, "refused"),
    ({"type": "invalid_request", "code": "bio_policy"}, "refused"),
    ({"code": "image_content_policy_violation"}, "refused"),
    ({"code": "unsupported_image_media_type"}, "refused"),
    ({"type": "insufficient_quota", "code": "credit_balance_exhausted"}, "usage_limit"),
    ({"type": "insufficient_quota", "code": None}, "usage_limit"),
    ({"type": "usage_limit_reached"}, "usage_limit"),
    ({"type": "invalid_request_error", "code": "invalid_api_key"}, "auth"),
    ({"type": "invalid_request_error", "code": "model_not_found"}, "provider"),
    ({"type": "invalid_request_error", "code": "unsupported_value"}, "provider"),
    ({"type": "invalid_request_error", "code": None}, "provider"),
    ({"code": "slow_down"}, "provider"),
    ({"code": "server_is_overloaded"}, "provider"),
    # Azure, also behind proxies that lose the code.
    ({"code": "content_filter", "innererror": {"code": "ResponsibleAIPolicyViolation"}}, "refused"),
    ({"code": None, "innererror": {"code": "ResponsibleAIPolicyViolation"}}, "refused"),
    ({"code": "500", "message": "filtered due to Azure OpenAI's content management policy"}, "refused"),
    ({"code": "DeploymentNotFound"}, "provider"),
    ({"code": "content_policy_violation"}, "refused"),
    # OpenRouter: the code is a status.
    ({"code": 400}, "provider"),
    ({"code": "400"}, "provider"),
    ({"code": 401}, "auth"),
    ({"code": 402}, "usage_limit"),
    ({"code": 403}, "auth"),
    ({"code": 403, "metadata": {"reasons": ["violence"], "flagged_input": "x"}}, "refused"),
    # Anthropic.
    ({"type": "authentication_error"}, "auth"),
    ({"type": "permission_error"}, "auth"),
    ({"type": "billing_error"}, "usage_limit"),
    ({"type": "not_found_error"}, "provider"),
    ({"type": "request_too_large"}, "provider"),
    ({"type": "rate_limit_error", "details": {"error_code": "enforced_spend_limit_reached"}}, "usage_limit"),
]  # fmt: skip
TRANSIENT: list[dict[str, Any]] = [
    {},
    {"code": "server_error"},
    {"code": "rate_limit_exceeded"},
    {"code": "vector_store_timeout"},
    {"code": "new_in_2027"},
    {"type": "invalid_request_error", "code": "rate_limit_exceeded"},
    {"type": "api_error"},
    {"type": "overloaded_error"},
    {"type": "rate_limit_error"},
    {"type": "server_error", "code": None},
    {"code": 408},
    {"code": 429},
    {"code": "429"},
    {"code": 500},
    {"code": 502},
    {"code": "529"},
    {"code": ["content_filter"]},
    {"innererror": "content_filter", "details": 5, "metadata": []},
]


@pytest.mark.parametrize(("error", "code"), PERMANENT)
def test_a_permanent_error_ends_the_turn(error: dict[str, Any], code: str) -> None:
    problem = failure_of({"message": "because", **error})
    assert isinstance(problem, RequestRefused)
    assert problem.code == code


@pytest.mark.parametrize("error", TRANSIENT)
def test_other_errors_are_retried(error: dict[str, Any]) -> None:
    assert type(failure_of({"message": "because", **error})) is StreamBroken


def test_a_request_that_exceeds_a_minute_of_tokens_is_too_long() -> None:
    text = (
        "Request too large for gpt-5 in organization o on tokens per min (TPM): Limit 30000, Requested 40000."
    )
    problem: ModelError = failure_of({"code": "rate_limit_exceeded", "type": "tokens", "message": text})
    assert isinstance(problem, ContextWindowExceeded)


@pytest.mark.parametrize("code", ["rate_limit_exceeded", "rate_limit_error", "too_many_requests", "429"])
def test_a_rate_limit_says_how_long_to_wait(code: str) -> None:
    problem = failure_of({"code": code, "message": "Please try again in 2s."})
    assert isinstance(problem, StreamBroken)
    assert problem.delay == 2.0


@pytest.mark.parametrize("error", [{"type": "invalid_request_error"}, {"code": "slow_down"}])
def test_with_a_status_the_status_decides(error: dict[str, Any]) -> None:
    assert permanent_error(error) is not None
    assert permanent_error(error, has_status=True) is None
