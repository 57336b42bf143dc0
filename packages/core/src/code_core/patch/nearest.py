"""Shows the part of a file that looks most like the lines that were not found."""

from collections import Counter
from collections.abc import Sequence
from difflib import SequenceMatcher

MAX_FILE_LINES = 20_000
MAX_WANTED_LINES = 200
GOOD_ENOUGH = 0.6


def nearest_region(lines: Sequence[str], wanted: Sequence[str]) -> str | None:
    """The most similar run of lines, numbered; None if none is similar or the search would be long.

    Lines that both have point to where the run may begin; what is left is compared in full.
    """
    if len(lines) > MAX_FILE_LINES or len(wanted) > MAX_WANTED_LINES:
        return None
    places: dict[str, list[int]] = {}
    for number, line in enumerate(lines):
        if stripped := line.strip():
            places.setdefault(stripped, []).append(number)
    votes: Counter[int] = Counter()
    for offset, line in enumerate(wanted):
        for number in places.get(line.strip(), [])[:50]:
            votes[max(0, number - offset)] += 1
    best = max(votes.most_common(5), key=lambda vote: _similarity(lines, wanted, vote[0]), default=None)
    if best is None or _similarity(lines, wanted, best[0]) < GOOD_ENOUGH:
        return None
    start = best[0]
    region = lines[start : start + len(wanted)]
    return "\n".join(f"{number}: {line}" for number, line in enumerate(region, start=start + 1))


def _similarity(lines: Sequence[str], wanted: Sequence[str], start: int) -> float:
    there = "\n".join(lines[start : start + len(wanted)])[:4_000]
    return SequenceMatcher(None, there, "\n".join(wanted)[:4_000], autojunk=True).quick_ratio()
