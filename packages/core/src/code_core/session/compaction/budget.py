"""Token budgets for what a compaction keeps."""

from code_core.frozen import frozen

FULL = 0.85
"""Share of the context window at which the next request triggers a compaction."""
TARGET = 0.6
"""Largest share of the window that a compacted history may use."""
KEPT_TOKENS = 20_000
"""User messages kept verbatim, in tokens."""
SUMMARY_TOKENS = 8_000
TAIL_TOKENS = 10_000
STATE_TOKENS = 2_000


@frozen
class Budget:
    """Tokens for each part of a compacted history.

    Attributes:
        total: all parts together.
        words: the user's messages.
        summary: the model's summary.
        tail: the end of the history, kept verbatim.
        state: the plan, the changed files and the running commands.
    """

    total: int
    words: int
    summary: int
    tail: int
    state: int


def budget_for(room: int, history: int, fixed: int = 0) -> Budget:
    """Return the budget for compacting a history of `history` tokens.

    Args:
        room: the tokens that a request may use.
        history: the tokens in the history, most of which will be replaced.
        fixed: the tokens that every request uses.
    """
    total = max(0, int(room * TARGET) - fixed)
    return Budget(
        total,
        words=min(KEPT_TOKENS, total * 4 // 10),
        summary=min(SUMMARY_TOKENS, total * 2 // 10),
        tail=min(TAIL_TOKENS, total * 3 // 10, history // 4),
        state=min(STATE_TOKENS, total // 10),
    )
