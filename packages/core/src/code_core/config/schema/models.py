"""Models and their providers."""

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from code_core.config.schema.base import SettingsTable, Value
from code_core.model.providers import ServerKind
from code_core.protocol.policies import WireApi


class PricesTable(SettingsTable):
    """`[models.NAME.prices]`: US dollars per million tokens."""

    input: float = Field(ge=0, description="US dollars per million tokens of input")
    output: float = Field(ge=0, description="the same of output")
    cached_input: float | None = Field(
        None,
        ge=0,
        description="the same of input that the provider has in its cache; as other input if absent",
    )


class ChatQuirksTable(SettingsTable):
    """`[models.NAME.chat]`: how a model or its server departs from Chat Completions."""

    system_role: Literal["system", "developer", "user"] | None = Field(
        None, description="the role of the instructions; `system` if absent"
    )
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] | None = Field(
        None, description="what the limit of the output is called"
    )
    effort_field: Literal["reasoning_effort", "reasoning", "none"] | None = Field(
        None, description="what the reasoning effort is called"
    )
    stream_usage: bool | None = Field(None, description="whether the usage is asked for")
    alternate_roles: bool | None = Field(
        None, description="whether neighbouring messages of the user are sent as one"
    )
    reasoning_history: bool | None = Field(None, description="whether reasoning is sent back")
    reasoning_required: bool | None = Field(
        None, description="whether messages without `reasoning_content` are refused"
    )
    short_call_ids: bool | None = Field(
        None, description="whether ids of calls must be nine letters and digits"
    )


class ModelTable(SettingsTable):
    """`[models.NAME]`: what you know of a model; a `NAME` that ends in `*` is for all that begin so."""

    context_window: int | None = Field(None, ge=1, description="tokens that it reads")
    max_output_tokens: int | None = Field(
        None, ge=1, description="tokens that it may write, sent with each request"
    )
    reasoning: bool | None = Field(None, description="whether a reasoning effort is sent")
    verbosity: bool | None = Field(None, description="whether the length of answers can be chosen")
    parallel_tool_calls: bool | None = Field(None, description="whether it may make several calls at once")
    tool_form: Literal["freeform", "function", "none"] | None = Field(
        None, description="how it takes patches: as plain text, as a function; or that it has no tools"
    )
    images: bool | None = Field(None, description="whether it can see")
    prices: PricesTable | None = Field(None, description="what its tokens cost")
    chat: ChatQuirksTable = Field(ChatQuirksTable(), description="how it departs from Chat Completions")
    extra_body: dict[str, Any] = Field({}, description="further fields of each request")

    @model_validator(mode="after")
    def _own_fields(self) -> Self:
        """Raises: ValueError: `extra_body` has what only the program can know."""
        if taken := sorted({"input", "messages", "model", "stream", "tools"} & self.extra_body.keys()):
            raise ValueError(f"extra_body cannot have {', '.join(taken)}: the program writes them")
        return self


class ProviderTable(SettingsTable):
    """`[model_providers.ID]`: an endpoint of your own, or what is different of a built-in one."""

    name: str | None = Field(None, description="what messages call it")
    base_url: str | None = Field(
        None,
        description="the URL that `/responses` or `/chat/completions` is added to; required for your own",
    )
    env_key: str | None = Field(None, description="the variable with its API key")
    env_key_instructions: str | None = Field(None, description="how to get a key, shown when there is none")
    wire_api: WireApi = Field("responses", description="the API that it speaks")
    server: ServerKind | None = Field(
        None, description="the program that serves it, which is asked for the window of the model"
    )
    models: dict[str, ModelTable] = Field({}, description="what you know of its models, over `models`")
    query_params: dict[str, Value] = Field({}, description="added to every URL")
    http_headers: dict[str, Value] = Field({}, description="sent with every request")
    env_http_headers: dict[str, str] = Field({}, description="headers whose values are in these variables")
    request_max_retries: int = Field(
        4, ge=0, le=100, description="how often a request that failed is sent again"
    )
    stream_max_retries: int = Field(
        5, ge=0, le=100, description="how often a broken stream is asked for again"
    )
    stream_idle_timeout_ms: int = Field(300_000, ge=1, description="silence after which a stream is broken")
    requires_openai_auth: bool = Field(False, description="take the key from `OPENAI_API_KEY`")
