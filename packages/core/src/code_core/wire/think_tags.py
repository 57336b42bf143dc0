"""Separates reasoning that a server leaves in the text, between `<think>` and `</think>`.

This happens with vLLM without a reasoning parser, llama.cpp with `reasoning_format: none`, and with both
for unknown templates. Some templates open the reasoning themselves, so the text contains only its end.
"""

from typing import Literal

OPEN, CLOSE = "<think>", "</think>"
Piece = tuple[Literal["reasoning", "text"], str]


class ThinkTags:
    """Separates reasoning at the beginning of a streamed text. Later tags are text.

    Args:
        opened: whether the text begins within the reasoning.
    """

    def __init__(self, *, opened: bool) -> None:
        self._opened = opened
        self._state: Literal["before", "inside", "after"] = "before"
        self._held = ""

    def add(self, text: str) -> list[Piece]:
        """Add `text` and return its pieces; a possible start of a tag is held back, and leading blanks are dropped."""
        self._held += text
        if self._state == "before":
            self._held = self._held.lstrip()
            if self._held.startswith(OPEN):
                self._state, self._held = "inside", self._held.removeprefix(OPEN)
            elif OPEN.startswith(self._held):
                return []
            else:
                self._state = "inside" if self._opened else "after"
        if self._state == "after":
            return self._rest("text")
        thought, found, rest = self._held.partition(CLOSE)
        if found:
            self._state, self._held = "after", ""
            return [*_piece("reasoning", thought), *_piece("text", rest)]
        keep = next(size for size in reversed(range(len(CLOSE))) if thought.endswith(CLOSE[:size]))
        self._held = thought[len(thought) - keep :]
        return _piece("reasoning", thought[: len(thought) - keep])

    def end(self) -> list[Piece]:
        """Return what was held back at the end of the text."""
        return self._rest("reasoning" if self._state == "inside" else "text")

    def _rest(self, kind: Literal["reasoning", "text"]) -> list[Piece]:
        rest, self._held = self._held, ""
        return _piece(kind, rest)


def _piece(kind: Literal["reasoning", "text"], text: str) -> list[Piece]:
    return [(kind, text)] if text else []
