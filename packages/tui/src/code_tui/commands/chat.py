"""What a command that is typed into the chat may use of the chat, and what it makes the chat do next."""

from dataclasses import dataclass
from types import UnionType
from typing import Any, Protocol

from code_core.config.load import ConfigOverrides
from code_core.protocol.events import EventMsg
from code_core.protocol.ops import Op
from code_core.session.conversation import Conversation
from code_core.session.manager import ConversationManager
from code_core.session.parts import Parts

CHAT = Parts(source="cli", asks_user=True)
"""What the chat's conversations are made of."""


class Chat(Protocol):
    """What commands use of the chat that they are entered in."""

    @property
    def manager(self) -> ConversationManager:
        """Where other conversations come from."""
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
        """Send an operation, and show what happens until an event of `kind` answers it; that event."""
        ...

    async def carry_out(self, op: Op) -> EventMsg:
        """Send an operation that starts a task, and show what happens until it ends; the end."""
        ...

    def say(self, text: str) -> None:
        """Show a line."""
        ...


class Quit:
    """The chat ends."""


@dataclass(frozen=True, slots=True)
class Switch:
    """The chat goes on with another conversation."""

    conversation: Conversation


@dataclass(frozen=True, slots=True)
class Send:
    """The model gets a text that stands for what was typed."""

    text: str


Outcome = Quit | Switch | Send | None
