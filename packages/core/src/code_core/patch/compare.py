"""Finds the lines that differ between two texts, in time proportional to their length.

Three steps are applied in order to ever smaller ranges: equal lines at both ends are unchanged;
a line that occurs exactly once in both ranges is the same line (patience diff, Bram Cohen); and
what a shortest edit script keeps is unchanged (E. Myers, "An O(ND) Difference Algorithm", 1986).
If this takes too much work, the rest counts as changed as a whole, which is correct but not
minimal.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence

MAX_DEPTH = 16
MAX_EDITS = 1_000
STEPS = 10_000
STEPS_PER_LINE = 16

Span = tuple[int, int, int, int]
"""`old[a:b]` against `new[c:d]`, as `(a, b, c, d)`."""


def differences(old: Sequence[str], new: Sequence[str]) -> list[Span]:
    """Return the spans that differ, in order; all other lines are equal, and spans never touch."""
    numbers: dict[str, int] = {}
    left = [numbers.setdefault(line, len(numbers)) for line in old]
    right = [numbers.setdefault(line, len(numbers)) for line in new]
    spans: list[Span] = []
    ranges = [((0, len(left), 0, len(right)), 0)]
    while ranges:
        span, depth = ranges.pop()
        a, b, c, d = _trimmed(left, right, span)
        if a == b and c == d:
            continue
        if a == b or c == d:
            spans.append((a, b, c, d))
        elif depth < MAX_DEPTH and (anchors := _anchors(left, right, (a, b, c, d))):
            ranges += [(gap, depth + 1) for gap in reversed([*_gaps(anchors, (a, b, c, d))])]
        elif (pairs := _shortest(left[a:b], right[c:d])) is not None:
            equal = [(a + x, c + y) for x, y in pairs]
            spans += [gap for gap in _gaps(equal, (a, b, c, d)) if gap[0] < gap[1] or gap[2] < gap[3]]
        else:
            spans.append((a, b, c, d))
    return spans


def _trimmed(left: list[int], right: list[int], span: Span) -> Span:
    """`span` without equal lines at its ends."""
    a, b, c, d = span
    while a < b and c < d and left[a] == right[c]:
        a, c = a + 1, c + 1
    while a < b and c < d and left[b - 1] == right[d - 1]:
        b, d = b - 1, d - 1
    return a, b, c, d


def _gaps(equal: list[tuple[int, int]], span: Span) -> Iterator[Span]:
    """The ranges before, between and after pairs of equal lines."""
    a, b, c, d = span
    for x, y in [*equal, (b, d)]:
        yield a, x, c, y
        a, c = x + 1, y + 1


def _anchors(left: list[int], right: list[int], span: Span) -> list[tuple[int, int]]:
    """The longest increasing run of pairs of lines that occur exactly once in both ranges."""
    a, b, c, d = span
    once_left, once_right = _once(left, a, b), _once(right, c, d)
    pairs = [(x, once_right[line]) for line, x in once_left.items() if line in once_right]
    # Patience sorting: `tops` holds the lowest end of the runs of each length; `links` leads back.
    tops: list[int] = []
    holders: list[int] = []
    links: list[int] = []
    for number, (_, y) in enumerate(pairs):
        position = bisect_left(tops, y)
        tops[position : position + 1] = [y]
        holders[position : position + 1] = [number]
        links.append(holders[position - 1] if position else -1)
    run: list[tuple[int, int]] = []
    number = holders[-1] if holders else -1
    while number >= 0:
        run.append(pairs[number])
        number = links[number]
    return run[::-1]


def _once(lines: list[int], start: int, stop: int) -> dict[int, int]:
    """The lines that occur exactly once in the range, with their indexes, in order."""
    positions: dict[int, int] = {}
    for position in range(start, stop):
        line = lines[position]
        positions[line] = -1 if line in positions else position
    return {line: position for line, position in positions.items() if position >= 0}


def _shortest(left: list[int], right: list[int]) -> list[tuple[int, int]] | None:
    """The equal lines that a shortest edit script keeps, as pairs, or None if finding it takes too much work.

    Round `n` extends every diagonal `x - y` of -n, -n + 2 … n as far as `n` edits can reach.
    """
    steps = STEPS + STEPS_PER_LINE * (len(left) + len(right))
    goal = len(left) - len(right)
    rounds = [[0]]
    while steps > 0 and len(rounds) <= MAX_EDITS:
        reached: list[int] = []
        for index in range(len(rounds)):
            diagonal = 2 * index - len(rounds) + 1
            x = start = _start(rounds[-1], index)
            while x < len(left) and x - diagonal < len(right) and left[x] == right[x - diagonal]:
                x += 1
            steps -= 1 + x - start
            reached.append(x)
            if diagonal == goal and x >= len(left):
                return _traced(rounds, index, x)
        rounds.append(reached)
    return None


def _start(before: list[int], index: int) -> int:
    """Where a round begins on a diagonal, given the ends of the previous round on its two neighbours."""
    return before[index] if _comes_from_above(before, index) else before[index - 1] + 1


def _comes_from_above(before: list[int], index: int) -> bool:
    """Whether the diagonal is reached from the next one, by inserting a line of `new`."""
    return index == 0 or (index < len(before) and before[index - 1] < before[index])


def _traced(rounds: list[list[int]], index: int, x: int) -> list[tuple[int, int]]:
    """The equal lines on the path back from `x` on the last round's diagonal."""
    pairs: list[tuple[int, int]] = []
    for number in range(len(rounds) - 1, -1, -1):
        before = rounds[number]
        diagonal = 2 * index - number
        pairs += [(position, position - diagonal) for position in range(x - 1, _start(before, index) - 1, -1)]
        if not _comes_from_above(before, index):
            index -= 1
        x = before[index]
    return pairs[::-1]
