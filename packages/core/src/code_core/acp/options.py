"""Session options that editors show as pickers: mode, model, reasoning effort.

Source: Agent Client Protocol, version 1, "Session config options".
"""

from collections.abc import Iterable
from typing import Any

from code_core.acp.modes import Mode
from code_core.protocol.policies import ReasoningEffort

Option = dict[str, Any]
MODE, MODEL, EFFORT = "mode", "model", "reasoning_effort"
DEFAULT_EFFORT = "default"
_CATEGORIES = {"mode": MODE, "model": MODEL, "thought_level": EFFORT}


def config_options(
    mode: Mode,
    modes: Iterable[Mode],
    model: str,
    models: Iterable[str],
    effort: str | None,
    *,
    reasoning: bool,
) -> list[Option]:
    """Return all options with their current values; the reasoning effort only for models that reason."""
    names = dict.fromkeys((*models, model))
    options = [
        _select(MODE, "Mode", "mode", mode.id, [(one.id, one.name, one.description) for one in modes]),
        _select(MODEL, "Model", "model", model, [(name, name, None) for name in names]),
    ]
    if reasoning:
        efforts: list[tuple[str, str, str | None]] = [(DEFAULT_EFFORT, "Default", "The model's default.")]
        efforts += [(one.value, one.value.capitalize(), None) for one in ReasoningEffort]
        current = effort or DEFAULT_EFFORT
        options.append(_select(EFFORT, "Reasoning effort", "thought_level", current, efforts))
    return options


def option_id(given: str) -> str | None:
    """Return the option that a client names by id or category, or None."""
    return given if given in _CATEGORIES.values() else _CATEGORIES.get(given)


def _select(
    option: str, name: str, category: str, current: str, values: Iterable[tuple[str, str, str | None]]
) -> Option:
    options = [
        {"value": value, "name": shown} | ({} if text is None else {"description": text})
        for value, shown, text in values
    ]
    return {
        "type": "select",
        "id": option,
        "name": name,
        "category": category,
        "currentValue": current,
        "options": options,
    }
