"""A chart of lines on two logarithmic axes, as SVG that reads well on light and dark pages."""

import math
from collections.abc import Callable, Mapping, Sequence
from html import escape

WIDTH, HEIGHT = 760, 420
LEFT, RIGHT, TOP, BOTTOM = 70, 150, 30, 50
COLORS = ("#9aa0a6", "#5f6368", "#4e79a7", "#59a14f", "#f28e2b", "#b07aa1", "#76b7b2", "#e15759")

Line = Sequence[tuple[float, float]]


def line_chart(title: str, x_label: str, y_label: str, lines: Mapping[str, Line]) -> str:
    """Draw `lines` by name, in the order of the legend; all values are above 0."""
    xs = [x for line in lines.values() for x, _ in line]
    ys = [y for line in lines.values() for _, y in line]
    across = _scale(min(xs), max(xs), LEFT, WIDTH - RIGHT)
    up = _scale(_decade_below(min(ys)), _decade_above(max(ys)), HEIGHT - BOTTOM, TOP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}"',
        ' font-family="sans-serif" font-size="12" fill="#808080">',
        f'<text x="{LEFT}" y="18" font-size="14">{escape(title)}</text>',
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 10}" text-anchor="middle">{escape(x_label)}</text>',
        f'<text transform="translate(16 {HEIGHT / 2}) rotate(-90)" text-anchor="middle">{escape(y_label)}</text>',
    ]
    parts.extend(
        f'<path d="M{LEFT} {up(y):.1f}H{WIDTH - RIGHT}" stroke="#808080" stroke-opacity=".3"/>'
        f'<text x="{LEFT - 6}" y="{up(y) + 4:.1f}" text-anchor="end">{y:g}</text>'
        for y in _decades(min(ys), max(ys))
    )
    parts.extend(
        f'<text x="{across(x):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{x:.2g}</text>'
        for x in sorted(set(xs))
    )
    for number, (name, line) in enumerate(lines.items()):
        color = COLORS[number % len(COLORS)]
        points = " ".join(f"{across(x):.1f},{up(y):.1f}" for x, y in line)
        legend = TOP + 12 + 20 * number
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="2"/>'
            f'<path d="M{WIDTH - RIGHT + 12} {legend}h18" stroke="{color}" stroke-width="3"/>'
            f'<text x="{WIDTH - RIGHT + 36}" y="{legend + 4}">{escape(name)}</text>'
        )
    return "\n".join([*parts, "</svg>\n"])


def _scale(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    span = math.log(high / low) or 1.0
    return lambda value: start + (end - start) * math.log(value / low) / span


def _decade_below(value: float) -> float:
    return float(10 ** math.floor(math.log10(value)))


def _decade_above(value: float) -> float:
    return float(10 ** math.ceil(math.log10(value)))


def _decades(low: float, high: float) -> list[float]:
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    return [float(10**power) for power in range(first, last + 1)]
