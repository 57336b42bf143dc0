"""What a server says has changed, gathered until it pauses."""

from typing import TYPE_CHECKING, Literal

import anyio

if TYPE_CHECKING:
    from mcp_types import ServerCapabilities

SETTLE_SECONDS = 0.1
"""A server that changes its tools often says so often; it is asked for them when it has paused."""
LONGEST_SETTLE_SECONDS = 5.0
"""The pause doubles up to this for a server that keeps announcing changes."""
QUIET_SECONDS = 10.0
"""After which a server counts as one that has paused."""

Kind = Literal["tools", "resources", "prompts"]
"""What servers offer."""
KINDS: tuple[Kind, ...] = ("tools", "resources", "prompts")


def kind_changed(method: str) -> Kind | None:
    """What a notification says has changed; None for any other notification."""
    return next((kind for kind in KINDS if method == f"notifications/{kind}/list_changed"), None)


def kinds_declared(capabilities: "ServerCapabilities") -> frozenset[Kind]:
    """What a server offers."""
    return frozenset(kind for kind in KINDS if getattr(capabilities, kind) is not None)


def kinds_announced(capabilities: "ServerCapabilities") -> frozenset[Kind]:
    """What a server offers, and promises to announce changes of."""
    return frozenset(kind for kind in KINDS if getattr(getattr(capabilities, kind), "list_changed", None))


class Changes:
    """The kinds of things that have changed since somebody looked."""

    def __init__(self) -> None:
        self._kinds: set[Kind] = set()
        self._noted = anyio.Event()
        self._pause = SETTLE_SECONDS
        self._looked = float("-inf")

    def note(self, kind: Kind) -> None:
        """Add one."""
        self._kinds.add(kind)
        self._noted.set()

    async def settled(self) -> frozenset[Kind]:
        """Wait for a change, and for a pause; what has changed until then. For one task."""
        await self._noted.wait()
        paused = anyio.current_time() - self._looked > QUIET_SECONDS
        self._pause = SETTLE_SECONDS if paused else min(2 * self._pause, LONGEST_SETTLE_SECONDS)
        await anyio.sleep(self._pause)
        kinds, self._kinds, self._noted = frozenset(self._kinds), set(), anyio.Event()
        self._looked = anyio.current_time()
        return kinds
