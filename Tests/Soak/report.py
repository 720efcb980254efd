"""Makes the table and the chart of a soak run from its figures. Needs nothing but Python.

Usage: python3 Tests/Soak/report.py FOLDER [--document]

FOLDER holds figures.csv and latencies.csv; summary.md and soak.svg are written there and, with --document, into
docs/reliability.md (between its markers) and docs/soak.svg.
"""

from __future__ import annotations

import csv
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BEGIN, END = "<!-- soak: begin -->", "<!-- soak: end -->"
WIDTH, PANEL, GAP, LEFT, RIGHT, TOP = 860, 150, 56, 64, 16, 34
POINTS = 400

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


def rounded_up(value: float) -> float:
    """The next number that makes a good end of an axis."""
    step = 1.0
    while step * 10 < value:
        step *= 10
    return next(step * factor for factor in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if step * factor >= value)


def panel(title: str, lines: list[Line], top: int, seconds: float) -> list[str]:
    """One chart: a title with the lines' names, four grid lines, the time below."""
    right, bottom = WIDTH - RIGHT, top + PANEL
    highest = rounded_up(max(value for line in lines for value in line.values if value == value))
    parts = [f'<text class="title" x="{LEFT}" y="{top - 10}">{title}</text>']
    for step in range(5):
        y = bottom - PANEL * step / 4
        label = f"{highest * step / 4:g}"
        parts.append(f'<line class="grid" x1="{LEFT}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{label}</text>')
    for step in range(7):
        x = LEFT + (right - LEFT) * step / 6
        minutes = seconds * step / 6 / 60
        label = f"{minutes:.0f} min" if seconds >= 360 else f"{minutes * 60:.0f} s"
        anchor = "start" if step == 0 else "end" if step == 6 else "middle"
        parts.append(f'<text x="{x:.1f}" y="{bottom + 18}" text-anchor="{anchor}">{label}</text>')
    x = right
    for line, kind in reversed(list(zip(lines, CLASSES, strict=False))):
        parts.append(f'<text class="{kind}-text" x="{x}" y="{top - 10}" text-anchor="end">{line.name}</text>')
        x -= 8 * len(line.name) + 14
    for line, kind in zip(lines, CLASSES, strict=False):
        values = thinned(line.values)
        points = " ".join(
            f"{LEFT + (right - LEFT) * (index + 0.5) / len(values):.1f},{bottom - PANEL * value / highest:.1f}"
            for index, value in enumerate(values)
            if value == value
        )
        parts.append(f'<polyline class="line {kind}" points="{points}"/>')
    return parts


def chart(figures: dict[str, list[float]]) -> str:
    seconds = figures["seconds"][-1]
    panels = [
        ("Memory, MiB", [Line("resident", figures["resident_mib"]), Line("given out by malloc", figures["heap_mib"])]),
        ("Handles and threads", [Line("file handles", figures["file_handles"]), Line("threads", figures["threads"])]),
        ("Latency of a call, ms", [Line(f"p{share}", figures[f"p{share}_ms"]) for share in (50, 95, 99)]),
    ]
    height = TOP + len(panels) * (PANEL + GAP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        'role="img" aria-label="Memory, file handles, threads and latencies over a soak run">',
        f"<style>{STYLE}</style>",
        f'<rect class="page" width="{WIDTH}" height="{height}"/>',
    ]
    for index, (title, lines) in enumerate(panels):
        parts += panel(title, lines, TOP + index * (PANEL + GAP), seconds)
    return "\n".join([*parts, "</svg>"]) + "\n"


def summary(figures: dict[str, list[float]], latencies: list[dict[str, str]]) -> str:
    seconds = len(figures["seconds"])
    sixth = max(1, seconds // 6)
    warm = int(0.4 * seconds)
    early, late = slice(warm, warm + sixth), slice(seconds - sixth, seconds)
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
        f"{calls:,} calls of eight clients in {figures['seconds'][-1] / 60:.1f} minutes.",
        "",
        "| Median | after the warm-up | in the end | largest |",
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
    text, drawing = summary(figures, latencies), chart(figures)
    if "--document" in sys.argv:
        document(text, drawing)
        return
    (folder / "summary.md").write_text(text)
    (folder / "soak.svg").write_text(drawing)
    print(text)


if __name__ == "__main__":
    main()
