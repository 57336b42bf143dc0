"""Limits the images in a history: every request resends all of them, and providers reject too many."""

from collections.abc import Sequence
from dataclasses import replace

from code_core.session.compaction.cutting import without_images
from code_core.session.history.history import HistoryItem
from code_core.session.history.sizes import image_sizes

MOST_IMAGES = 50
MOST_CHARACTERS = 32 * 2**20
"""Limit for all images together, in Base64; providers accept requests of about 50 MB."""


def too_many(sizes: Sequence[int]) -> bool:
    """Whether images of these sizes exceed the limit for one request."""
    return len(sizes) > MOST_IMAGES or sum(sizes) > MOST_CHARACTERS


def with_fewer_images(items: Sequence[HistoryItem]) -> list[HistoryItem]:
    """Return `items` with only the newest images, up to half the limit, and a note in place of each older one.

    Half, so that the start of the request stays the same (and cached) while further images arrive. The
    newest item with images keeps them all unless they alone exceed the limit.
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
