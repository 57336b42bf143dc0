"""Durations in events."""

from code_core.protocol.model import ProtocolModel


class Duration(ProtocolModel):
    """A duration in whole seconds and additional nanoseconds."""

    secs: int
    nanos: int

    @classmethod
    def of(cls, seconds: float) -> "Duration":
        """Return a duration of `seconds`, which must not be negative."""
        secs, nanos = divmod(round(seconds * 1e9), 1_000_000_000)
        return cls(secs=secs, nanos=nanos)

    @property
    def seconds(self) -> float:
        """The whole duration in seconds."""
        return self.secs + self.nanos / 1e9
