"""Models and their providers."""

from typing import Literal

from pydantic import Field

from code_core.config.schema.base import SettingsTable, Value


class ProviderTable(SettingsTable):
    """`[model_providers.ID]`: an endpoint of your own."""

    name: str | None = Field(None, description="what messages call it")
    base_url: str = Field(description="the URL that `/responses` is added to")
    env_key: str | None = Field(None, description="the variable with its API key")
    env_key_instructions: str | None = Field(None, description="how to get a key, shown when there is none")
    wire_api: Literal["responses", "chat"] = Field("responses", description="the API that it speaks")
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
