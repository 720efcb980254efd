"""Charts as inline SVG: bars, columns and lines, in the colours of page.css and without a script.

Every function returns one ``<svg>`` element with a title for screen readers. Numbers that are not finite leave a gap.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

COLORS = 6
"""Colours that page.css has for series, --series-1 and so on; further series begin again."""


@dataclass(frozen=True)
class Series:
    """What one colour of `bars` stands for.

    Attributes:
        name: for the legend.
        values: one for each label.
        low, high: ends of an interval around each value, drawn as a whisker; empty for none.
        color: a CSS colour; "" for the one of its place.
    """

    name: str
    values: Sequence[float]
    low: Sequence[float] = ()
    high: Sequence[float] = ()
    color: str = ""


@dataclass(frozen=True)
class Line:
    """One curve of `lines`.

    Attributes:
        name: for the legend.
        xs, ys: its points, in the order in which they are joined.
        color: a CSS colour; "" for the one of its place.
        dashed: for what is compared with, such as a paper's figure.
    """

    name: str
    xs: Sequence[float]
    ys: Sequence[float]
    color: str = ""
    dashed: bool = False


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """About `count` round numbers (1, 2 or 5 times a power of ten apart) from `low` to `high`."""
    span = high - low
    if not (math.isfinite(span) and span > 0):
        return [low] if math.isfinite(low) else []
    rough = span / max(count, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(index * step, 12) for index in range(first, last + 1)]


def bars(
    title: str,
    labels: Sequence[str],
    series: Sequence[Series],
    *,
    start: float = 0.0,
    end: float = 1.0,
    unit: str = "",
    digits: int = 1,
    width: int = 760,
    label_width: int = 170,
) -> str:
    """Horizontal bars, those of one label one below the other, each with its number.

    Args:
        title: what the chart shows, for the title element and screen readers.
        labels: of the rows, from the top.
        series: the bars of each row, in this order.
        start: of the axis; smaller values are drawn there.
        end: of the axis; larger values are drawn there.
        unit: follows the numbers of the axis.
        digits: decimals of each bar's number.
        width: of the drawing in its own units; it is scaled to the page.
        label_width: of the part left of the bars.
    """
    thick = 14 if len(series) == 1 else 10
    row = thick * len(series) + 10
    top, number_width = 24, 52
    area = width - label_width - number_width
    height = top + row * len(labels) + 6

    def x(value: float) -> float:
        share = (value - start) / (end - start)
        return label_width + area * min(max(share, 0.0), 1.0)

    parts = []
    for tick in ticks(start, end, 6):
        parts.append(f'<line class="grid" x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="{top - 4}" y2="{height - 4}"/>')
        parts.append(f'<text class="tick" x="{x(tick):.1f}" y="{top - 9}" text-anchor="middle">{tick:g}{unit}</text>')
    for index, label in enumerate(labels):
        y = top + row * index + 4
        middle = y + thick * len(series) / 2
        parts.append(f'<text x="{label_width - 8}" y="{middle + 4:.1f}" text-anchor="end">{escape(label)}</text>')
        for place, one in enumerate(series):
            value = one.values[index]
            if not math.isfinite(value):
                continue
            at = y + thick * place
            tip = f"<title>{escape(label)}, {escape(one.name)}: {value:.{digits}f}{unit}</title>"
            parts.append(
                f'<rect x="{label_width}" y="{at + 1:.1f}" width="{max(x(value) - label_width, 1):.1f}" '
                f'height="{thick - 2}" rx="2" style="fill: {_color(one.color, place)}">{tip}</rect>'
            )
            end_of_bar = x(value)
            if one.low and math.isfinite(one.low[index]) and math.isfinite(one.high[index]):
                center = at + thick / 2
                low, high = x(one.low[index]), x(one.high[index])
                end_of_bar = max(end_of_bar, high)
                parts.append(f'<path class="whisker" d="M{low:.1f} {center - 3:.1f}v6m0-3H{high:.1f}m0-3v6"/>')
            parts.append(
                f'<text class="number" x="{end_of_bar + 5:.1f}" y="{at + thick - 2:.1f}">{value:.{digits}f}</text>'
            )
    legend = _legend([(one.name, _color(one.color, place), False) for place, one in enumerate(series)])
    return _figure(title, width, height, parts, legend if len(series) > 1 else "")


def columns(
    title: str,
    labels: Sequence[str],
    values: Sequence[float],
    *,
    unit: str = "",
    digits: int = 1,
    mark: int | None = None,
    width: int = 230,
    height: int = 150,
) -> str:
    """A few upright columns on an axis that begins near the lowest, for small differences side by side.

    Args:
        title: printed above.
        labels: below the columns.
        values: their heights.
        unit: follows the numbers of the axis.
        digits: decimals of each column's number.
        mark: the column to set apart in colour, such as the best.
        width: of the drawing in its own units.
        height: likewise.
    """
    finite = [value for value in values if math.isfinite(value)]
    lowest = min(finite, default=0.0)
    low, high = _padded(lowest, max(finite, default=1.0))
    low = max(low, 0.0) if lowest >= 0 else low
    left, right, top, bottom = 34, 4, 30, 20
    slot = (width - left - right) / max(len(labels), 1)

    def y(value: float) -> float:
        return top + (height - top - bottom) * (high - value) / (high - low)

    parts = [f'<text class="heading" x="{left}" y="12">{escape(title)}</text>']
    for tick in ticks(low, high, 4):
        parts.append(f'<line class="grid" x1="{left}" x2="{width - right}" y1="{y(tick):.1f}" y2="{y(tick):.1f}"/>')
        parts.append(f'<text class="tick" x="{left - 4}" y="{y(tick) + 3:.1f}" text-anchor="end">{tick:g}{unit}</text>')
    for index, (label, value) in enumerate(zip(labels, values, strict=True)):
        center = left + slot * (index + 0.5)
        parts.append(
            f'<text class="tick" x="{center:.1f}" y="{height - 6}" text-anchor="middle">{escape(label)}</text>'
        )
        if not math.isfinite(value):
            continue
        color = "var(--series-1)" if index == mark else "var(--series-rest)"
        tip = f"<title>{escape(label)}: {value:.{digits}f}{unit}</title>"
        parts.append(
            f'<rect x="{center - slot * 0.32:.1f}" y="{y(value):.1f}" width="{slot * 0.64:.1f}" '
            f'height="{max(height - bottom - y(value), 1):.1f}" rx="2" style="fill: {color}">{tip}</rect>'
        )
        parts.append(
            f'<text class="number" x="{center:.1f}" y="{y(value) - 3:.1f}" text-anchor="middle">'
            f"{value:.{digits}f}</text>"
        )
    return _figure(title, width, height, parts, "")


def lines(
    title: str,
    curves: Sequence[Line],
    *,
    x_label: str = "",
    y_label: str = "",
    x_range: tuple[float, float] | None = None,
    y_range: tuple[float, float] | None = None,
    logarithmic: bool = False,
    width: int = 760,
    height: int = 300,
) -> str:
    """Curves over a common axis.

    Args:
        title: what the chart shows, for the title element and screen readers.
        curves: with their names and points.
        x_label: what the lower axis counts.
        y_label: what the left axis counts.
        x_range: of the lower axis; None = what the points need.
        y_range: of the left axis; None = what the points need.
        logarithmic: y on a logarithmic scale; points at or below zero are left out.
        width: of the drawing in its own units; it is scaled to the page.
        height: likewise.
    """

    def scaled(value: float) -> float:
        if not logarithmic:
            return value
        return math.log10(value) if value > 0 else math.nan

    points = [[(x, scaled(y)) for x, y in zip(curve.xs, curve.ys, strict=True) if math.isfinite(x)] for curve in curves]
    all_x = [x for curve in points for x, y in curve if math.isfinite(y)]
    all_y = [y for curve in points for _, y in curve if math.isfinite(y)]
    x_low, x_high = x_range or _spread(min(all_x, default=0.0), max(all_x, default=1.0))
    if y_range is not None:
        y_low, y_high = scaled(y_range[0]), scaled(y_range[1])
    else:
        y_low, y_high = _padded(min(all_y, default=0.0), max(all_y, default=1.0))
    left, right, top, bottom = 58, 12, 10, 40

    def at_x(value: float) -> float:
        return left + (width - left - right) * (value - x_low) / (x_high - x_low)

    def at_y(value: float) -> float:
        return top + (height - top - bottom) * (y_high - value) / (y_high - y_low)

    parts = []
    for tick in _log_ticks(y_low, y_high) if logarithmic else ticks(y_low, y_high, 5):
        y = at_y(scaled(tick))
        parts.append(f'<line class="grid" x1="{left}" x2="{width - right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="tick" x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>')
    for tick in ticks(x_low, x_high, 8):
        x = at_x(tick)
        parts.append(f'<text class="tick" x="{x:.1f}" y="{height - bottom + 16}" text-anchor="middle">{tick:g}</text>')
    base = height - bottom
    parts.append(f'<line class="axis" x1="{left}" x2="{width - right}" y1="{base}" y2="{base}"/>')
    parts.append(
        f'<text class="tick" x="{(left + width - right) / 2:.0f}" y="{height - 6}" text-anchor="middle">'
        f"{escape(x_label)}</text>"
    )
    middle = (top + base) / 2
    parts.append(
        f'<text class="tick" transform="translate(12 {middle:.0f}) rotate(-90)" text-anchor="middle">'
        f"{escape(y_label)}</text>"
    )
    for place, (curve, curve_points) in enumerate(zip(curves, points, strict=True)):
        dash = ' stroke-dasharray="5 4"' if curve.dashed else ""
        style = f'class="curve" style="stroke: {_color(curve.color, place)}"{dash}'
        for run in _runs(curve_points):
            inside = [(at_x(x), at_y(min(max(y, y_low), y_high))) for x, y in run]
            if len(inside) == 1:
                x, y = inside[0]
                parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" style="fill: {_color(curve.color, place)}"/>')
                continue
            path = "L".join(f"{x:.1f} {y:.1f}" for x, y in inside)
            parts.append(f'<path {style} d="M{path}"><title>{escape(curve.name)}</title></path>')
    legend = _legend([(curve.name, _color(curve.color, place), curve.dashed) for place, curve in enumerate(curves)])
    return _figure(title, width, height, parts, legend)


def _runs(points: Sequence[tuple[float, float]]) -> list[list[tuple[float, float]]]:
    """The stretches of finite points."""
    runs: list[list[tuple[float, float]]] = [[]]
    for x, y in points:
        if math.isfinite(y):
            runs[-1].append((x, y))
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]


def _log_ticks(low: float, high: float) -> list[float]:
    """Round numbers between two powers of ten given by their exponents."""
    factors = (1, 2, 5) if high - low < 3 else (1,)
    exponents = range(math.floor(low), math.ceil(high) + 1)
    candidates = [factor * 10.0**exponent for exponent in exponents for factor in factors]
    return [tick for tick in candidates if low <= math.log10(tick) <= high]


def _spread(low: float, high: float) -> tuple[float, float]:
    """The two numbers, apart even where they are equal."""
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _padded(low: float, high: float) -> tuple[float, float]:
    """A range a little wider than the two numbers."""
    margin = 0.08 * (high - low) if high > low else 0.05 * abs(high) + 1e-3
    return low - 3 * margin, high + margin


def _color(color: str, place: int) -> str:
    return color or f"var(--series-{place % COLORS + 1})"


def _legend(entries: Sequence[tuple[str, str, bool]]) -> str:
    items = "".join(
        f'<li><i style="background: {color}{"; opacity: 0.55" if dashed else ""}"></i>{escape(name)}</li>'
        for name, color, dashed in entries
    )
    return f'<ul class="key">{items}</ul>'


def _figure(title: str, width: int, height: int, parts: Sequence[str], legend: str) -> str:
    drawing = "\n".join(parts)
    return (
        f'<figure class="chart">{legend}<svg viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{escape(title)}"><title>{escape(title)}</title>\n{drawing}\n</svg></figure>'
    )
