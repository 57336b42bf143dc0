"""Settings for models and their providers."""

from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from code_core.config.schema.base import SettingsTable, Table, Value
from code_core.config.schema.unsupported import unsupported_at
from code_core.model.providers import ServerKind
from code_core.protocol.policies import WireApi


class PricesTable(SettingsTable):
    """`[models.NAME.prices]`: US dollars per million tokens."""

    input: float = Field(ge=0, description="US dollars per million tokens of input")
    output: float = Field(ge=0, description="US dollars per million tokens of output")
    cached_input: float | None = Field(
        None,
        ge=0,
        description="US dollars per million tokens of cached input; the price of `input` if absent",
    )


class ChatQuirksTable(SettingsTable):
    """`[models.NAME.chat]`: how a model or its server deviates from Chat Completions."""

    system_role: Literal["system", "developer", "user"] | None = Field(
        None, description="the role of the instructions; `system` if absent"
    )
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] | None = Field(
        None, description="the field for the output limit"
    )
    effort_field: Literal["reasoning_effort", "reasoning", "none"] | None = Field(
        None, description="the field for the reasoning effort"
    )
    stream_usage: bool | None = Field(None, description="whether to request token usage")
    alternate_roles: bool | None = Field(None, description="whether to merge consecutive user messages")
    reasoning_history: bool | None = Field(None, description="whether to send reasoning back")
    reasoning_required: bool | None = Field(
        None, description="whether the server rejects messages without `reasoning_content`"
    )
    short_call_ids: bool | None = Field(None, description="whether call ids must be nine letters and digits")
    think_tags: Literal["none", "paired", "opened"] | None = Field(
        None,
        description="where the server leaves reasoning in the text: `paired`, between `<think>` and `</think>`; `opened`, before a lone `</think>`",
    )


class ModelTable(SettingsTable):
    """`[models.NAME]`: properties of a model; a `NAME` ending in `*` is a prefix."""

    context_window: int | None = Field(None, ge=1, description="the context window, in tokens")
    max_output_tokens: int | None = Field(
        None, ge=1, description="the output limit, in tokens, sent with each request"
    )
    reasoning: bool | None = Field(None, description="whether to send a reasoning effort")
    verbosity: bool | None = Field(None, description="whether the model supports `model_text_verbosity`")
    parallel_tool_calls: bool | None = Field(
        None, description="whether the model may make several calls at once"
    )
    tool_form: Literal["freeform", "function", "none"] | None = Field(
        None,
        description="how the model sends patches: as plain text or as a function; `none` for a model without tools",
    )
    images: bool | None = Field(None, description="whether the model accepts images")
    prices: PricesTable | None = Field(None, description="the prices of its tokens")
    chat: ChatQuirksTable = Field(
        ChatQuirksTable.model_construct(), description="deviations from Chat Completions"
    )
    extra_body: dict[str, Any] = Field({}, description="extra fields of each request")

    @model_validator(mode="after")
    def _own_fields(self) -> Self:
        """Raises: ValueError: `extra_body` contains a field that the program sets."""
        if taken := sorted({"input", "messages", "model", "stream", "tools"} & self.extra_body.keys()):
            raise ValueError(f"extra_body cannot contain {', '.join(taken)}: the program sets them")
        return self


class ProviderTable(SettingsTable):
    """`[model_providers.ID]`: an additional endpoint, or changes to a built-in one."""

    left_alone: ClassVar[frozenset[str]] = unsupported_at("model_providers.*.")

    name: str | None = Field(None, description="the name shown in messages")
    base_url: str | None = Field(
        None,
        description="the URL, without `/responses` or `/chat/completions`; required for your own provider",
    )
    env_key: str | None = Field(None, description="the variable that holds the API key")
    env_key_instructions: str | None = Field(
        None, description="how to get a key, shown if the key is missing"
    )
    wire_api: WireApi = Field("responses", description="the provider's API")
    server: ServerKind | None = Field(
        None, description="the server program; lets the agent ask it for the model's context window"
    )
    models: dict[str, Table[ModelTable]] = Field(
        {}, description="properties of its models; overrides `models`"
    )
    query_params: dict[str, Value] = Field({}, description="added to every URL")
    http_headers: dict[str, Value] = Field({}, description="sent with every request")
    env_http_headers: dict[str, str] = Field({}, description="headers whose values are in these variables")
    request_max_retries: int = Field(4, ge=0, le=100, description="how often to retry a failed request")
    stream_max_retries: int = Field(5, ge=0, le=100, description="how often to retry a broken stream")
    stream_idle_timeout_ms: int = Field(
        300_000,
        ge=1,
        description="how long a stream may be silent, in milliseconds, before it counts as broken",
    )
    requires_openai_auth: bool = Field(False, description="take the key from `OPENAI_API_KEY`")
