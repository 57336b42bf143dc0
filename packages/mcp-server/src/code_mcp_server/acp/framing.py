"""A stream of bytes as lines, with a bound on their length. No IO."""

LONGEST_LINE = 128 * 2**20
"""Bytes of one line that comes in."""


class LineBuffer:
    """Bytes that have come in; whole lines are taken out."""

    def __init__(self, longest: int = LONGEST_LINE) -> None:
        self._longest = longest
        self._lines: list[bytes | None] = []
        self._parts: list[bytes] = []
        self._size = 0
        self._skipping = False

    def feed(self, data: bytes) -> None:
        """Add the next bytes."""
        *ends, rest = data.split(b"\n")
        for end in ends:
            self._add(end)
            self._lines.append(None if self._skipping else b"".join(self._parts))
            self._parts, self._size, self._skipping = [], 0, False
        self._add(rest)

    def end(self) -> None:
        """Nothing follows: what is left counts as a line."""
        if self._parts or self._skipping:
            self.feed(b"\n")

    def take(self) -> list[bytes | None]:
        """The whole lines, without their ends; None for each that was too long."""
        lines, self._lines = self._lines, []
        return lines

    @property
    def has_lines(self) -> bool:
        """Whether `take` would give any."""
        return bool(self._lines)

    def put_back(self, lines: list[bytes | None]) -> None:
        """Have these come first when lines are taken again."""
        self._lines[:0] = lines

    def _add(self, part: bytes) -> None:
        if not part or self._skipping:
            return
        self._parts.append(part)
        self._size += len(part)
        if self._size > self._longest:
            self._parts, self._skipping = [], True
