"""The reasoning in a Chat Completions stream, for which each server has its own field.

`reasoning_content`: DeepSeek, Qwen, llama.cpp, SGLang, LM Studio, vLLM until 2025. `reasoning`: Ollama, vLLM, OpenRouter.
`reasoning_details`: OpenRouter, objects with signatures that must be sent back unchanged. Content
parts of type `thinking`: Mistral.
"""

from dataclasses import dataclass, field
from typing import Any

from code_core.protocol.items import Reasoning, ReasoningText

FIELDS = ("reasoning_content", "reasoning", "reasoning_text")
"""In lookup order: servers that rename a field send both for a while."""
THINKING = "thinking"
"""Stands for content parts; the other sources are message fields."""
_JOINED = frozenset({"text", "summary", "data"})


@dataclass(slots=True)
class _Detail:
    """One object of `reasoning_details`, whose texts arrive in pieces."""

    fields: dict[str, Any] = field(default_factory=dict)
    texts: dict[str, list[str]] = field(default_factory=dict)

    def add(self, piece: dict[str, Any]) -> None:
        for name, value in piece.items():
            if name in _JOINED and isinstance(value, str):
                self.texts.setdefault(name, []).append(value)
            elif value is not None:
                self.fields[name] = value

    def whole(self) -> dict[str, Any]:
        return self.fields | {name: "".join(pieces) for name, pieces in self.texts.items()}


@dataclass(slots=True)
class ReasoningPieces:
    """The reasoning being streamed; `index` is its output index."""

    index: int
    source: str | None = None
    pieces: list[str] = field(default_factory=list)
    details: list[_Detail] = field(default_factory=list)
    _known: dict[tuple[str, str], _Detail] = field(default_factory=dict)

    def add(self, source: str, text: str) -> None:
        """Add text from the field `source`."""
        self.source = self.source or source
        self.pieces.append(text)

    def add_details(self, pieces: list[Any]) -> None:
        """Add pieces of `reasoning_details`; those with the same type and index form one object."""
        for piece in pieces:
            if not isinstance(piece, dict):
                continue
            key = (repr(piece.get("type")), repr(piece.get("index")))
            detail = self._known.get(key)
            if detail is None or piece.get("index") is None:
                detail = self._known[key] = _Detail()
                self.details.append(detail)
            detail.add(piece)

    def item(self, origin: str) -> Reasoning:
        """Return the finished item."""
        text = "".join(self.pieces)
        return Reasoning(
            content=[ReasoningText(text=text)] if text else None,
            origin=origin,
            chat_field=self.source or None,
            chat_details=[detail.whole() for detail in self.details] or None,
        )


def reasoning_text(delta: dict[str, Any]) -> tuple[str, str] | None:
    """Return the field and the text of the reasoning in `delta`, if any."""
    for name in FIELDS:
        if isinstance(text := delta.get(name), str) and text:
            return name, text
    return None


def thinking_text(inner: object) -> str:
    """Return the text in a content part of type `thinking`."""
    if isinstance(inner, str):
        return inner
    texts = [one.get("text") for one in inner if isinstance(one, dict)] if isinstance(inner, list) else []
    return "".join(text for text in texts if isinstance(text, str))
