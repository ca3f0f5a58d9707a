"""Bars with the median of each row, and a dot for each single run: an SVG of a few kilobytes, drawn without a library."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from statistics import median

ROW, BAR, LEFT, WIDTH, TOP = 30, 16, 330, 900, 56
INK, FILL, DOT = "#222", "#7fb2d9", "#123a5a"


@dataclass(frozen=True, kw_only=True)
class Chart:
    """One group of bars on one scale."""

    title: str
    unit: str
    rows: Sequence[tuple[str, Sequence[float]]]
    top: float | None = None
    """The scale's end; None: the largest value."""


def svg(charts: Sequence[Chart], note: str) -> str:
    """All charts below each other, each with its own scale, and a line that says what was measured."""
    parts, y = list[str](), 8
    for chart in charts:
        parts += _chart(chart, y)
        y += TOP + ROW * len(chart.rows)
    body = "\n".join([*parts, _text(8, y + 16, note, size=11)])
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y + 28}" font-family="sans-serif" font-size="13" fill="{INK}">'
    return f'{head}\n<rect width="100%" height="100%" fill="#fff"/>\n{body}\n</svg>\n'


def _chart(chart: Chart, y: int) -> list[str]:
    top = chart.top or max(max(values) for _, values in chart.rows) or 1.0
    scale = (WIDTH - LEFT - 110) / top
    parts = [_text(8, y + 20, chart.title, weight="bold"), _text(8, y + 38, chart.unit, size=11)]
    for number, (label, values) in enumerate(chart.rows):
        line = y + TOP - 10 + ROW * number
        middle = median(values)
        parts.append(_text(LEFT - 8, line + 13, label, anchor="end"))
        parts.append(f'<rect x="{LEFT}" y="{line}" width="{max(middle * scale, 1):.1f}" height="{BAR}" fill="{FILL}"/>')
        parts += [f'<circle cx="{LEFT + value * scale:.1f}" cy="{line + BAR / 2:.1f}" r="2.6" fill="{DOT}"/>' for value in values]
        end = LEFT + max(*values, middle) * scale
        parts.append(_text(round(end + 8), line + 13, readable(middle), weight="bold"))
    return parts


def _text(x: int, y: int, text: str, *, size: int = 13, anchor: str = "start", weight: str = "normal") -> str:
    return f'<text x="{x}" y="{y}" font-size="{size}" text-anchor="{anchor}" font-weight="{weight}">{escape(text)}</text>'


def readable(value: float) -> str:
    """Three significant digits, never as a power of ten."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
