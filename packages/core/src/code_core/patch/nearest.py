"""Finds the part of a file most similar to lines that were not found."""

from collections import Counter
from collections.abc import Sequence
from difflib import SequenceMatcher

from code_core.lazy_pattern import lazy_pattern

MAX_FILE_CHARS = 2 * 2**20
MAX_WANTED_LINES = 200
MAX_COMPARED_CHARS = 4_000
MOST_PLACES_OF_A_WORD = 50
CANDIDATES = 5
GOOD_ENOUGH = 0.6

_WORD = lazy_pattern(r"\w+")


def nearest_region(lines: Sequence[str], wanted: Sequence[str]) -> str | None:
    """Return the most similar run of lines, numbered, or None if none is similar or the search would take too long.

    Words in common, weighted by rarity, indicate where the run may begin; of the best few candidates,
    those that are not similar as a whole are dropped.
    """
    if len(wanted) > MAX_WANTED_LINES or sum(map(len, lines)) > MAX_FILE_CHARS:
        return None
    offsets = {
        word: offset for offset, line in reversed([*enumerate(wanted)]) for word in _WORD.findall(line)
    }
    positions: dict[str, list[int]] = {word: [] for word in offsets}
    for number, line in enumerate(lines):
        for word in _WORD.findall(line):
            if word in positions:
                positions[word].append(number)
    votes: Counter[int] = Counter()
    for word, numbers in positions.items():
        if len(numbers) <= MOST_PLACES_OF_A_WORD:
            for number in set(numbers):
                votes[max(0, number - offsets[word])] += 1 + MOST_PLACES_OF_A_WORD // len(numbers)
    text = "\n".join(wanted)
    similar = [
        (count, similarity, -start)
        for start, count in votes.most_common(CANDIDATES)
        if (similarity := _similarity("\n".join(lines[start : start + len(wanted)]), text)) >= GOOD_ENOUGH
    ]
    if not similar:
        return None
    start = -max(similar)[2]
    return "\n".join(
        f"{number}: {line}" for number, line in enumerate(lines[start : start + len(wanted)], start + 1)
    )


def _similarity(there: str, wanted: str) -> float:
    sides = there[:MAX_COMPARED_CHARS], wanted[:MAX_COMPARED_CHARS]
    return SequenceMatcher(None, *sides, autojunk=False).quick_ratio()
