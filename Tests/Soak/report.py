"""Makes the table and the chart of a soak run from its figures. Needs nothing but Python.

Usage: python3 Tests/Soak/report.py FOLDER [--document]

FOLDER holds figures.csv, latencies.csv and rest.txt; summary.md and soak.svg are written there and, with --document,
into docs/reliability.md (between its markers) and docs/soak.svg.
"""

from __future__ import annotations

import csv
import math
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BEGIN, END = "<!-- soak: begin -->", "<!-- soak: end -->"
WIDTH, PANEL, GAP, LEFT, RIGHT, TOP = 860, 150, 56, 64, 16, 34
POINTS = 300
AXIS_ENDS = [factor * 10**power for power in range(6) for factor in (1, 2, 4, 6, 8)]

STYLE = """
  text { font: 12px system-ui, sans-serif; fill: #444; }
  .title { font-weight: 600; fill: #111; }
  .grid { stroke: #ddd; stroke-width: 1; }
  .line { fill: none; stroke-width: 1.5; stroke-linejoin: round; }
  .first { stroke: #1f6feb; } .second { stroke: #b35900; } .third { stroke: #1a7f37; }
  .first-text { fill: #1f6feb; } .second-text { fill: #b35900; } .third-text { fill: #1a7f37; }
  .page { fill: #fff; }
  @media (prefers-color-scheme: dark) {
    text { fill: #b5bac1; } .title { fill: #f0f3f6; } .grid { stroke: #3a3f46; } .page { fill: #0d1117; }
    .first { stroke: #6cb0ff; } .second { stroke: #ffb266; } .third { stroke: #5fd38a; }
    .first-text { fill: #6cb0ff; } .second-text { fill: #ffb266; } .third-text { fill: #5fd38a; }
  }
"""
CLASSES = ("first", "second", "third")


@dataclass
class Line:
    name: str
    values: list[float]


def median(values: list[float]) -> float:
    ordered = sorted(value for value in values if value == value)
    return ordered[len(ordered) // 2] if ordered else float("nan")


def thinned(values: list[float]) -> list[float]:
    """Medians of as many neighbours as make POINTS of them."""
    size = max(1, len(values) // POINTS)
    return [median(values[start : start + size]) for start in range(0, len(values) - size + 1, size)]


@dataclass
class Scale:
    """The values of an axis from bottom to top: even steps from 0, or powers of ten."""

    ticks: list[float]
    is_logarithmic: bool

    @staticmethod
    def of(values: list[float], is_logarithmic: bool) -> Scale:
        if is_logarithmic:
            first = math.floor(math.log10(min(values)))
            last = max(math.ceil(math.log10(max(values))), first + 1)
            return Scale([10.0**power for power in range(first, last + 1)], True)
        highest = next(end for end in AXIS_ENDS if end >= max(values))
        return Scale([highest * step / 4 for step in range(5)], False)

    def share(self, value: float) -> float:
        """Where a value lies, 0 at the bottom and 1 at the top."""
        if self.is_logarithmic:
            first, last = math.log10(self.ticks[0]), math.log10(self.ticks[-1])
            return (math.log10(value) - first) / (last - first)
        return value / self.ticks[-1]


def panel(title: str, lines: list[Line], top: int, seconds: float, is_logarithmic: bool = False) -> list[str]:
    """One chart: a title with the lines' names, the grid, the time below."""
    right, bottom = WIDTH - RIGHT, top + PANEL
    shown = [Line(line.name, thinned(line.values)) for line in lines]
    scale = Scale.of([value for line in shown for value in line.values if value == value], is_logarithmic)
    parts = [f'<text class="title" x="{LEFT}" y="{top - 10}">{title}</text>']
    for tick in scale.ticks:
        y = bottom - PANEL * scale.share(tick)
        parts.append(f'<line class="grid" x1="{LEFT}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{tick:,g}</text>')
    for step in range(7):
        x = LEFT + (right - LEFT) * step / 6
        minutes = seconds * step / 6 / 60
        label = f"{minutes:.0f} min" if seconds >= 360 else f"{minutes * 60:.0f} s"
        anchor = "start" if step == 0 else "end" if step == 6 else "middle"
        parts.append(f'<text x="{x:.1f}" y="{bottom + 18}" text-anchor="{anchor}">{label}</text>')
    x = right
    for line, kind in reversed(list(zip(shown, CLASSES, strict=False))):
        parts.append(f'<text class="{kind}-text" x="{x}" y="{top - 10}" text-anchor="end">{line.name}</text>')
        x -= 7 * len(line.name) + 14
    for line, kind in zip(shown, CLASSES, strict=False):
        points = " ".join(
            f"{LEFT + (right - LEFT) * (index + 0.5) / len(line.values):.1f},{bottom - PANEL * scale.share(value):.1f}"
            for index, value in enumerate(line.values)
            if value == value
        )
        parts.append(f'<polyline class="line {kind}" points="{points}"/>')
    return parts


def chart(figures: dict[str, list[float]]) -> str:
    seconds = len(figures["seconds"])

    def lines(names: dict[str, str]) -> list[Line]:
        return [Line(name, figures[key]) for key, name in names.items()]

    panels = [
        ("Memory, MiB", False, lines({"resident_mib": "resident", "heap_mib": "given out by malloc"})),
        ("Handles and threads", False, lines({"file_handles": "file handles", "threads": "threads"})),
        ("Latency of a call, ms", True, lines({"p50_ms": "p50", "p95_ms": "p95", "p99_ms": "p99"})),
    ]
    height = TOP + len(panels) * (PANEL + GAP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        'role="img" aria-label="Memory, file handles, threads and latencies over a soak run">',
        f"<style>{STYLE}</style>",
        f'<rect class="page" width="{WIDTH}" height="{height}"/>',
    ]
    for index, (title, is_logarithmic, shown) in enumerate(panels):
        parts += panel(title, shown, TOP + index * (PANEL + GAP), seconds, is_logarithmic)
    return "\n".join([*parts, "</svg>"]) + "\n"


def summary(figures: dict[str, list[float]], latencies: list[dict[str, str]], rest: str) -> str:
    seconds = len(figures["seconds"])
    third = max(1, seconds // 3)
    early, late = slice(third, 2 * third), slice(seconds - third, seconds)
    rows = [
        ("resident memory, MiB", "resident_mib"),
        ("given out by malloc, MiB", "heap_mib"),
        ("file handles", "file_handles"),
        ("threads", "threads"),
        ("p50 of all calls, ms", "p50_ms"),
        ("p99 of all calls, ms", "p99_ms"),
    ]
    calls = sum(int(row["calls"]) for row in latencies)
    lines = [
        f"{calls:,} calls of eight clients in {seconds / 60:.1f} minutes.",
        rest,
        "",
        "| Median | in the second third | in the last third | largest at all |",
        "|---|---|---|---|",
    ]
    for title, key in rows:
        values = figures[key]
        largest = max(value for value in values if value == value)
        lines.append(f"| {title} | {median(values[early]):.4g} | {median(values[late]):.4g} | {largest:.4g} |")
    lines += ["", "| Call | calls | p50, ms | p95, ms | p99, ms | longest, ms |", "|---|---|---|---|---|---|"]
    for row in latencies:
        numbers = " | ".join(f"{float(row[key]):,.4g}" for key in ("p50_ms", "p95_ms", "p99_ms", "longest_ms"))
        lines.append(f"| {row['call']} | {int(row['calls']):,} | {numbers} |")
    return "\n".join(lines) + "\n"


def document(text: str, drawing: str) -> None:
    path = ROOT / "docs" / "reliability.md"
    page = path.read_text()
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    path.write_text(
        f"{before}{BEGIN}\n\n{text}\n![Memory, handles and latencies over the run](soak.svg)\n\n{END}{after}"
    )
    (ROOT / "docs" / "soak.svg").write_text(drawing)


def main() -> None:
    folder = Path(sys.argv[1])
    with (folder / "figures.csv").open() as file:
        rows = list(csv.DictReader(file))
    with (folder / "latencies.csv").open() as file:
        latencies = list(csv.DictReader(file))
    figures = {key: [float(row[key]) for row in rows] for key in rows[0]}
    text, drawing = summary(figures, latencies, (folder / "rest.txt").read_text().strip()), chart(figures)
    if "--document" in sys.argv:
        document(text, drawing)
        return
    (folder / "summary.md").write_text(text)
    (folder / "soak.svg").write_text(drawing)
    print(text)


if __name__ == "__main__":
    main()
