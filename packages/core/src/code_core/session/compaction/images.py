"""Bounds the images of a history: requests carry all of them each time, and providers refuse too many."""

from collections.abc import Sequence
from dataclasses import replace

from code_core.session.compaction.cutting import without_images
from code_core.session.history.history import HistoryItem
from code_core.session.history.sizes import image_sizes

MOST_IMAGES = 50
MOST_CHARACTERS = 32 * 2**20
"""Of all images together, in Base64: providers take requests of about 50 MB."""


def too_many(sizes: Sequence[int]) -> bool:
    """Whether a request may not carry images of these sizes."""
    return len(sizes) > MOST_IMAGES or sum(sizes) > MOST_CHARACTERS


def with_fewer_images(items: Sequence[HistoryItem]) -> list[HistoryItem]:
    """`items` with the newest images, at most half of what is allowed, and a note in the place of the others.

    Half, so that the beginning of requests does not change with every further image. The newest item with
    images keeps them if they are not too many alone.
    """
    count, characters = MOST_IMAGES // 2, MOST_CHARACTERS // 2
    kept: list[HistoryItem] = []
    newest = True
    for one in reversed(items):
        sizes = image_sizes([one.item])
        count -= len(sizes)
        characters -= sum(sizes)
        fits = (count >= 0 and characters >= 0) or (newest and not too_many(sizes))
        kept.append(one if not sizes or fits else replace(one, item=without_images(one.item)))
        newest = newest and not sizes
    kept.reverse()
    return kept
