"""The wire for the Responses API."""

from collections.abc import Mapping

from code_core.model.providers import Provider
from code_core.model.refusals import Answer
from code_core.wire.prompt import Prompt
from code_core.wire.request_json import encoded
from code_core.wire.response_reader import ResponseReader
from code_core.wire.responses import request_body
from code_core.wire.sse import SseEvent


class ResponsesWire:
    """See `Wire`. Reasoning is tied to the provider and can be shared between its models."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    @property
    def headers(self) -> Mapping[str, str]:
        """See `Wire.headers`."""
        official = self._provider.base_url.startswith("https://api.openai.com/")
        return {"openai-beta": "responses=v1" if official else "responses=experimental"}

    def request(self, prompt: Prompt) -> bytes:
        """See `Wire.request`."""
        return encoded(request_body(prompt, self._provider.id, store=self._provider.stores_responses))

    def reader(self, ordinal: int, prompt: Prompt) -> ResponseReader:
        """See `Wire.reader`."""
        return ResponseReader(ordinal, self._provider.id, prompt.settings.max_output)

    def plain_answer(self, body: bytes) -> SseEvent | None:
        """See `Wire.plain_answer`."""
        if body.startswith(b"{") and b'"output"' in body:
            return SseEvent("message", b'{"type":"response.completed","response":' + body + b"}")
        return None

    def learn(self, answer: Answer) -> bool:  # noqa: ARG002 - as above
        """See `Wire.learn`: no field of the request is optional."""
        return False
