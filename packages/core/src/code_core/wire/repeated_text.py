"""Detects text that is sent again after a stream broke."""

from dataclasses import dataclass, field


@dataclass(slots=True, eq=False, repr=False)
class RepeatedText:
    """Compares a text, piece by piece, with one that was shown before.

    Attributes:
        shown: the text that was shown before.
    """

    shown: str
    _matched: int = field(default=0, init=False)

    def add(self, piece: str) -> str:
        """Return nothing while the text repeats what was shown; on the first difference, all of the text so far."""
        if self.shown.startswith(piece, self._matched):
            self._matched += len(piece)
            return ""
        return self.shown[: self._matched] + piece
