"""The engine's errors.

    CodeError
    ├── ConfigError               an invalid setting, option or settings file
    ├── ConversationError         an operation that the conversation does not allow
    ├── TurnError                 the turn cannot continue (a limit, a loop)
    └── ModelError                the model, or the connection to it
        ├── StreamBroken          worth retrying, possibly after `delay` seconds
        ├── ContextWindowExceeded the request does not fit the model's context window
        └── RequestRefused        retrying would not help

The errors of pure packages (`patch`, `wire`) are in those packages. Every message says what
failed, on what input, and what to do; none contains a key.
"""

from typing import Self


class CodeError(Exception):
    """The base of the engine's errors; messages are suitable for users.

    Attributes:
        code: the kind of error as one word for programs: `auth`, `config`, `context_window`,
            `internal`, `limit_reached`, `max_output`, `provider`, `refused`, `stream`, `usage_limit`.
            More may be added.
    """

    code: str = "internal"


class ConfigError(CodeError):
    """An invalid setting; raised while the configuration is read, never later."""

    code = "config"


class ConversationError(CodeError):
    """An operation that the conversation cannot accept, for example because it has ended."""


class TurnError(CodeError):
    """A turn was stopped because it would not end successfully by itself."""

    code = "limit_reached"


class ModelError(CodeError):
    """A request to the model produced no response."""

    code = "provider"

    def located(self, where: str) -> Self:
        """Return this error with the provider named at the start of its message."""
        self.args = (f"{where}: {self}",)
        return self


class StreamBroken(ModelError):  # noqa: N818 - a state of the stream, named as the field does
    """The response ended early or the provider was busy; the request may be retried.

    Attributes:
        delay: seconds that the provider asked us to wait, or None.
        opened: whether a response had begun; False if the provider was unreachable or
            temporarily refused the request.
        empty: whether the response was complete but empty.
    """

    def __init__(
        self,
        message: str,
        *,
        delay: float | None = None,
        opened: bool = True,
        empty: bool = False,
        code: str = "stream",
    ) -> None:
        super().__init__(message)
        self.delay = delay
        self.opened = opened
        self.empty = empty
        self.code = code


class ContextWindowExceeded(ModelError):  # noqa: N818 - same
    """The conversation exceeds the model's context window."""

    code = "context_window"


class RequestRefused(ModelError):  # noqa: N818 - same
    """The provider refused the request: an invalid key or model, a limit, or a policy."""

    def __init__(self, message: str, *, code: str = "refused") -> None:
        super().__init__(message)
        self.code = code
