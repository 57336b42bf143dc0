"""Keeps the figures of a run in `.benchmarks/figures.json`; `--compare` prints them next to the previous ones."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

FIGURES = Path(__file__).parents[1] / ".benchmarks" / "figures.json"

Figures = dict[str, float]
"""The measured values, by a name that includes the unit."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--compare", action="store_true", help="print the figures next to those of the previous run"
    )


@pytest.fixture(scope="session")
def figures(request: pytest.FixtureRequest) -> Iterator[Figures]:
    """The dictionary in which a benchmark stores its figures."""
    measured: Figures = {}
    yield measured
    before: Figures = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    if request.config.getoption("--compare"):
        print(compared(before, measured))
    FIGURES.parent.mkdir(exist_ok=True)
    FIGURES.write_text(json.dumps(before | measured, indent=1, sort_keys=True) + "\n")


def compared(before: Figures, after: Figures) -> str:
    """A table of each figure before and after."""
    width = max(map(len, after), default=0)
    lines = [f"\n{'':{width}} {'before':>12} {'after':>12} {'ratio':>7}"]
    for name, value in sorted(after.items()):
        old = before.get(name)
        was, ratio = ("-", "-") if old is None else (f"{old:.3g}", f"{value / old:.2f}" if old else "-")
        lines.append(f"{name:{width}} {was:>12} {value:>12.3g} {ratio:>7}")
    return "\n".join(lines)
