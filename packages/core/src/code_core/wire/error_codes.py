"""The error codes of providers that mean that a retry cannot succeed.

Sources: the error references of OpenAI (including `ResponseErrorCode`), Azure OpenAI, OpenRouter, Anthropic,
Gemini and DeepSeek. Codes of transient errors, and unknown ones, are worth a retry.
"""

import re
from collections.abc import Mapping
from typing import Any

from code_core.lazy_pattern import lazy_pattern

PermanentError = tuple[str, str]
"""The code of our error, and the advice to the user."""

_REFUSED = "refused", "the provider refused the prompt"
_FORBIDDEN = "refused", "the provider's usage policy forbids this request"
_IMAGE = "refused", "the provider cannot use an image of the conversation"
_KEY = "auth", "the provider does not accept the API key"
_DENIED = "auth", "the account may not do this"
_QUOTA = "usage_limit", "the account has no quota left: check plan and billing"
_LIMIT = "usage_limit", "the usage limit is reached"
_PLAN = "usage_limit", "the plan does not include this use: upgrade it or use an API key"
_REQUEST = "provider", "the provider does not accept the request"
_MODEL = "provider", "the provider does not offer this model"

CODES: Mapping[str, PermanentError] = {
    "invalid_prompt": _REFUSED,
    **dict.fromkeys(
        (
            *("cyber_policy", "bio_policy", "content_policy_violation", "content_policy", "policy_violation"),
            *("content_filter", "content_filtered", "moderation_blocked", "responsibleaipolicyviolation"),
            *("image_content_policy_violation", "refusal", "safety", "prohibited_content"),
        ),
        _FORBIDDEN,
    ),
    **dict.fromkeys(
        (
            *("invalid_image", "invalid_image_format", "invalid_base64_image", "invalid_image_url"),
            *("image_too_large", "image_too_small", "image_parse_error", "invalid_image_mode"),
            *("image_file_too_large", "unsupported_image_media_type", "empty_image_file"),
            "image_file_not_found",
        ),
        _IMAGE,
    ),
    **dict.fromkeys(
        ("invalid_api_key", "invalid_authentication", "authentication_error", "unauthenticated"), _KEY
    ),
    **dict.fromkeys(
        (
            *("permission_error", "permission_denied", "account_deactivated", "organization_restricted"),
            *("unsupported_country_region_territory", "ip_not_authorized", "invalid_organization"),
        ),
        _DENIED,
    ),
    **dict.fromkeys(
        (
            *("insufficient_quota", "credit_balance_exhausted", "billing_hard_limit_reached"),
            *("billing_not_active", "billing_error", "insufficient_credits", "insufficient_balance"),
            *("payment_required", "enforced_spend_limit_reached"),
        ),
        _QUOTA,
    ),
    "usage_limit_reached": _LIMIT,
    "usage_not_included": _PLAN,
    **dict.fromkeys(
        ("model_not_found", "deploymentnotfound", "model_not_supported", "unsupported_model"), _MODEL
    ),
    **dict.fromkeys(
        (
            *("unsupported_value", "unsupported_parameter", "invalid_value", "invalid_type"),
            *("missing_required_parameter", "unknown_parameter", "invalid_function_parameters"),
            *("string_above_max_length", "array_above_max_length", "request_too_large"),
        ),
        _REQUEST,
    ),
}
OVERLOADED: Mapping[str, PermanentError] = {
    "server_is_overloaded": (
        "provider",
        "the provider is overloaded: try again later or choose another model",
    ),
    "slow_down": ("provider", "the provider asks for fewer requests: try again later"),
}
"""Codes that end a response that has begun; without one, the status and `Retry-After` decide."""
_KINDS = dict.fromkeys(
    (
        "invalid_request_error",
        "invalid_request",
        "invalid_argument",
        "failed_precondition",
        "not_found_error",
    ),
    _REQUEST,
)
"""General types, which count only for errors without a status."""
_POLICY = lazy_pattern(
    r"content management policy|ResponsibleAIPolicyViolation|content policy violation|"
    r"ContentPolicyViolationError|flagged for possible cybersecurity risk",
    re.IGNORECASE,
)
"""Messages of proxies that lose the code, such as LiteLLM."""


def permanent_error(error: Mapping[str, Any], *, has_status: bool = False) -> PermanentError | None:
    """Return why a request that failed with this API error object would fail again, or None if it may succeed.

    Args:
        error: the error, as `{code?, type?, message?, …}`.
        has_status: whether the error came with an HTTP status of its own.
    """
    codes = [_word(code) for code in (error.get("code"), *_nested(error), error.get("type"))]
    for code in codes:
        if (known := CODES.get(code)) is not None:
            return known
        if not has_status and code in OVERLOADED:
            return OVERLOADED[code]
    match error.get("metadata"):
        case {"reasons": list()} | {"flagged_input": str()}:  # OpenRouter's moderation
            return _FORBIDDEN
    message = error.get("message")
    if isinstance(message, str) and _POLICY.search(message[:2000]):
        return _FORBIDDEN
    if not has_status and not any(codes[:-1]):
        return _KINDS.get(codes[-1])
    return None


def _nested(error: Mapping[str, Any]) -> list[object]:
    """The codes inside of an error: Azure's `innererror` and Anthropic's `details`."""
    inner, details = error.get("innererror"), error.get("details")
    return [
        *([inner.get("code")] if isinstance(inner, dict) else []),
        *([details.get("error_code")] if isinstance(details, dict) else []),
    ]


def _word(code: object) -> str:
    return code.lower() if isinstance(code, str) else ""
