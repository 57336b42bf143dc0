"""Spans of time as events spell them."""

from code_core.protocol.model import ProtocolModel


class Duration(ProtocolModel):
    """A span of time: whole seconds and the nanoseconds after them."""

    secs: int
    nanos: int

    @classmethod
    def of(cls, seconds: float) -> "Duration":
        """The span of `seconds`, which must not be negative."""
        secs, nanos = divmod(round(seconds * 1e9), 1_000_000_000)
        return cls(secs=secs, nanos=nanos)

    @property
    def seconds(self) -> float:
        """The whole span."""
        return self.secs + self.nanos / 1e9
