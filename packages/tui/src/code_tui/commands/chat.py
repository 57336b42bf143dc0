"""The interface between slash commands and the chat, and what a command makes the chat do next."""

from dataclasses import dataclass
from types import UnionType
from typing import Any, Protocol

from code_core.config.load import ConfigOverrides
from code_core.protocol.events import EventMsg
from code_core.protocol.ops import InputItem, Op
from code_core.session.conversation import Conversation
from code_core.session.manager import ConversationManager
from code_core.session.parts import Parts

CHAT = Parts(source="cli", asks_user=True)
"""The parts of the chat's conversations."""


class Chat(Protocol):
    """The interface between commands and the chat."""

    @property
    def manager(self) -> ConversationManager:
        """Creates other conversations."""
        ...

    @property
    def overrides(self) -> ConfigOverrides:
        """The options that the chat was started with."""
        ...

    @property
    def conversation(self) -> Conversation:
        """The open conversation."""
        ...

    async def answered_by(self, op: Op, kind: type[Any] | UnionType) -> Any:
        """Send an operation, show events until one of `kind` answers it, and return that event."""
        ...

    async def carry_out(self, op: Op) -> EventMsg:
        """Send an operation that starts a task, show events until it ends, and return the end."""
        ...

    def say(self, text: str) -> None:
        """Show a line."""
        ...


class Quit:
    """End the chat."""


@dataclass(frozen=True, slots=True)
class Switch:
    """Continue with another conversation."""

    conversation: Conversation


@dataclass(frozen=True, slots=True)
class Send:
    """Send the model input instead of what was typed."""

    items: tuple[InputItem, ...]


Outcome = Quit | Switch | Send | None
