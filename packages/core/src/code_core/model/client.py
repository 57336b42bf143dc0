"""The interface between the turn loop and a model."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from code_core.model.retry import RetryLimits
from code_core.wire.prompt import Prompt
from code_core.wire.response_events import ResponseEvent

ResponseStream = AbstractAsyncContextManager[AsyncIterator[ResponseEvent]]


class ModelClient(Protocol):
    """Queries a model. One client serves one conversation, one request at a time."""

    @property
    def retry_limits(self) -> RetryLimits:
        """How often the caller may retry."""
        ...

    def stream(self, prompt: Prompt) -> ResponseStream:
        """Stream the response to `prompt`; leaving the context closes the connection.

        The last event is `Completed`; a stream that ends without it raises.

        Raises:
            StreamBroken: the caller may retry.
            ContextWindowExceeded: the prompt is too long.
            RequestRefused: retrying would not help.
        """
        ...

    async def aclose(self) -> None:
        """Release connections."""
        ...
