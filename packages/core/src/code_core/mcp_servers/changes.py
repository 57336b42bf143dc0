"""Collects a server's change notifications until it pauses."""

from typing import TYPE_CHECKING, Literal

import anyio

if TYPE_CHECKING:
    from mcp_types import ServerCapabilities

SETTLE_SECONDS = 0.1
"""Pause before listing again, because a server that changes its tools often sends several notifications."""
LONGEST_SETTLE_SECONDS = 5.0
"""The pause doubles up to this for a server that keeps announcing changes."""
QUIET_SECONDS = 10.0
"""Silence after which the pause returns to its initial length."""

Kind = Literal["tools", "resources", "prompts"]
"""What servers offer."""
KINDS: tuple[Kind, ...] = ("tools", "resources", "prompts")


def kind_changed(method: str) -> Kind | None:
    """Return the kind that a notification reports as changed, or None for other notifications."""
    return next((kind for kind in KINDS if method == f"notifications/{kind}/list_changed"), None)


def kinds_declared(capabilities: "ServerCapabilities") -> frozenset[Kind]:
    """The kinds that a server offers."""
    return frozenset(kind for kind in KINDS if getattr(capabilities, kind) is not None)


def kinds_announced(capabilities: "ServerCapabilities") -> frozenset[Kind]:
    """The kinds that a server offers and announces changes of."""
    return frozenset(kind for kind in KINDS if getattr(getattr(capabilities, kind), "list_changed", None))


class Changes:
    """The kinds that have changed since the last look."""

    def __init__(self) -> None:
        self._kinds: set[Kind] = set()
        self._noted = anyio.Event()
        self._pause = SETTLE_SECONDS
        self._looked = float("-inf")

    def note(self, kind: Kind) -> None:
        """Record a change."""
        self._kinds.add(kind)
        self._noted.set()

    async def settled(self) -> frozenset[Kind]:
        """Wait for a change and a pause; return the kinds that changed until then. For one task only."""
        await self._noted.wait()
        paused = anyio.current_time() - self._looked > QUIET_SECONDS
        self._pause = SETTLE_SECONDS if paused else min(2 * self._pause, LONGEST_SETTLE_SECONDS)
        await anyio.sleep(self._pause)
        kinds, self._kinds, self._noted = frozenset(self._kinds), set(), anyio.Event()
        self._looked = anyio.current_time()
        return kinds
