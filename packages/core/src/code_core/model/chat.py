"""The wire for the Chat Completions API."""

import logging
import re
from collections.abc import Mapping

from code_core.model.providers import Provider
from code_core.model.refusals import Answer
from code_core.wire.chat import OPTIONAL, request_body
from code_core.wire.chat_reader import ChatReader
from code_core.wire.prompt import Prompt
from code_core.wire.request_json import encoded
from code_core.wire.sse import SseEvent
from code_core.wire.think_tags import ThinkTags

_log = logging.getLogger("code_core")

_REFUSALS = frozenset({400, 422})


class ChatWire:
    """See `Wire`. Reasoning is tied to one model of one provider, because others reject its signatures.

    If the server rejects an optional field, it is left out of later requests.
    """

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._without: frozenset[str] = frozenset()
        self._sent: frozenset[str] = frozenset()

    @property
    def headers(self) -> Mapping[str, str]:
        """See `Wire.headers`."""
        return {}

    def request(self, prompt: Prompt) -> bytes:
        """See `Wire.request`."""
        body = request_body(prompt, self._origin(prompt), self._without)
        self._sent = frozenset(body).intersection(OPTIONAL)
        return encoded(body)

    def reader(self, ordinal: int, prompt: Prompt) -> ChatReader:
        """See `Wire.reader`."""
        tags = prompt.settings.chat.think_tags
        think_tags = None if tags == "none" else ThinkTags(opened=tags == "opened")
        return ChatReader(ordinal, self._origin(prompt), think_tags, prompt.settings.max_output)

    def plain_answer(self, body: bytes) -> SseEvent | None:
        """See `Wire.plain_answer`."""
        return SseEvent("message", body) if body.startswith(b"{") and b'"choices"' in body else None

    def learn(self, answer: Answer) -> bool:
        """See `Wire.learn`: finds rejected fields by name in the answer."""
        if answer.status not in _REFUSALS:
            return False
        refused = {name for name in self._sent if re.search(rf"\b{name}\b", answer.body)}
        if refused:
            _log.info("%s refuses %s", self._provider.id, ", ".join(sorted(refused)))
            self._without |= refused
        return bool(refused)

    def _origin(self, prompt: Prompt) -> str:
        return f"{self._provider.id}/{prompt.settings.model}"
