"""What can go wrong in the engine.

    CodeError
    ├── ConfigError               a setting, an option or a settings file
    ├── ConversationError         a conversation used in a way it does not allow
    ├── TurnError                 the turn cannot go on (a limit, a loop)
    └── ModelError                the model or the way to it
        ├── StreamBroken          worth another try, maybe after `delay` seconds
        ├── ContextWindowExceeded the request does not fit the model's window
        └── RequestRefused        another try would be answered the same

Errors of a pure package (`patch`, `wire`) stand in that package. Every message says
what failed, on what, and what to do; none contains a key.
"""

from typing import Self


class CodeError(Exception):
    """The root of the engine's errors; its text is fit for a user to read.

    Attributes:
        code: the kind of error as one word for programs: `auth`, `config`, `context_window`,
            `internal`, `limit_reached`, `max_output`, `provider`, `refused`, `stream`, `usage_limit`.
            More may be added.
    """

    code: str = "internal"


class ConfigError(CodeError):
    """A setting is wrong: raised while the configuration is read, never later."""

    code = "config"


class ConversationError(CodeError):
    """An operation came to a conversation that cannot take it, such as one that has ended."""


class TurnError(CodeError):
    """A turn was stopped because it would not end well by itself."""

    code = "limit_reached"


class ModelError(CodeError):
    """A request to the model did not give a response."""

    code = "provider"

    def located(self, where: str) -> Self:
        """This error, with the provider that it came from in front of its text."""
        self.args = (f"{where}: {self}",)
        return self


class StreamBroken(ModelError):  # noqa: N818 - a state of the stream, named as the field does
    """The response ended early or the provider was busy: ask again.

    Attributes:
        delay: seconds the provider asked us to wait, or None to choose.
        opened: whether a response had begun; False where the provider was not
            reached or refused for the moment.
        empty: whether the response was whole, but said and did nothing.
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
    """The conversation is longer than the model can read."""

    code = "context_window"


class RequestRefused(ModelError):  # noqa: N818 - same
    """The provider refused the request: a wrong key, a wrong model, a limit, a policy."""

    def __init__(self, message: str, *, code: str = "refused") -> None:
        super().__init__(message)
        self.code = code
