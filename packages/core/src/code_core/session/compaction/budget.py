"""How many tokens what a compaction keeps may take."""

from code_core.frozen import frozen

FULL = 0.85
"""The part of the window from which on a request is preceded by a compaction."""
TARGET = 0.6
"""The part that a compacted history takes at most."""
KEPT_TOKENS = 20_000
"""Of the user's own messages, as they are."""
SUMMARY_TOKENS = 8_000
TAIL_TOKENS = 10_000
STATE_TOKENS = 2_000


@frozen
class Budget:
    """Tokens for each part of a compacted history.

    Attributes:
        total: all parts together.
        words: the user's own messages.
        summary: the model's summary.
        tail: the end of the history, as it is.
        state: the plan, the changed files, the running commands.
    """

    total: int
    words: int
    summary: int
    tail: int
    state: int


def budget_for(room: int, history: int, fixed: int = 0) -> Budget:
    """The budget for a history of `history` tokens.

    Args:
        room: the tokens that a request may take.
        history: the tokens of the history; most of it is to be replaced.
        fixed: the tokens that every request takes.
    """
    total = max(0, int(room * TARGET) - fixed)
    return Budget(
        total,
        words=min(KEPT_TOKENS, total * 4 // 10),
        summary=min(SUMMARY_TOKENS, total * 2 // 10),
        tail=min(TAIL_TOKENS, total * 3 // 10, history // 4),
        state=min(STATE_TOKENS, total // 10),
    )
