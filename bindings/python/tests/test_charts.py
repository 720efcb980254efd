"""The charts of the HTML pages: what is drawn where, read back from the SVG."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ElementTree

import pytest
from blan.report import charts


def svg(markup):
    """The chart's svg element; raises where the markup is not well formed."""
    return ElementTree.fromstring(markup).find("svg")


def numbers(element, name):
    return [float(child.get(name)) for child in element.findall("rect")]


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (70, 100, [70, 80, 90, 100]),
        (-3, 12, [0, 5, 10]),
        (0.87, 0.93, [0.88, 0.9, 0.92]),
        (5, 5, [5]),
        (math.nan, 1, []),
    ],
)
def test_ticks_are_round(low, high, expected):
    assert charts.ticks(low, high) == pytest.approx(expected)


def test_bars_are_as_long_as_their_values():
    drawing = svg(charts.bars("t", ["a", "b"], [charts.Series("one", [25, 100])], end=100, width=760, label_width=100))
    assert numbers(drawing, "width") == pytest.approx([0.25 * 608, 608], abs=0.06)


def test_a_value_off_the_axis_ends_with_it_and_one_that_is_missing_has_no_bar():
    drawing = svg(charts.bars("t", ["a", "b", "c"], [charts.Series("one", [-1, math.nan, 7])], end=2, label_width=100))
    assert numbers(drawing, "width") == pytest.approx([1, 608])


def test_bars_of_one_label_are_apart_and_keyed():
    markup = charts.bars("t", ["a"], [charts.Series("ours", [1]), charts.Series("theirs", [1])])
    ours, theirs = numbers(svg(markup), "y")
    assert theirs - ours >= 10
    assert re.findall(r"</i>(\w+)</li>", markup) == ["ours", "theirs"]


def test_whiskers_span_the_interval():
    series = charts.Series("one", [0.5], low=[0.25], high=[0.75])
    path = svg(charts.bars("t", ["a"], [series], label_width=100)).find("path").get("d")
    low, high = re.match(r"M([\d.]+) .*H([\d.]+)m", path).groups()
    assert (float(low), float(high)) == pytest.approx((100 + 0.25 * 608, 100 + 0.75 * 608), abs=0.06)


def test_columns_keep_the_order_of_values_and_mark_one():
    drawing = svg(charts.columns("t", ["x", "y", "z"], [0.90, 0.92, math.nan], mark=1))
    low, high = numbers(drawing, "height")
    assert low < high
    assert [rect.get("style") for rect in drawing.findall("rect")] == [
        "fill: var(--series-rest)",
        "fill: var(--series-1)",
    ]


def test_lines_go_through_their_points():
    curve = charts.Line("c", [0, 1, 2], [0, 10, 5])
    drawing = svg(charts.lines("t", [curve], x_range=(0, 2), y_range=(0, 10), width=170, height=150))
    path = [number for point in drawing.find("path").get("d")[1:].split("L") for number in map(float, point.split())]
    assert path == pytest.approx([58, 110, 108, 10, 158, 60])


def test_a_gap_parts_a_line_and_a_lone_point_is_a_dot():
    curve = charts.Line("c", [0, 1, 2, 3], [1, 2, math.nan, 3])
    drawing = svg(charts.lines("t", [curve]))
    assert (len(drawing.findall("path")), len(drawing.findall("circle"))) == (1, 1)


def test_a_logarithmic_axis_spaces_powers_of_ten_evenly():
    curve = charts.Line("c", [0, 1, 2, 3], [1, 10, 100, 0])
    drawing = svg(charts.lines("t", [curve], logarithmic=True))
    ys = [float(point.split()[1]) for point in drawing.find("path").get("d")[1:].split("L")]
    assert len(ys) == 3
    assert ys[0] - ys[1] == pytest.approx(ys[1] - ys[2], abs=0.11)


def test_empty_and_constant_data_are_drawn():
    for curves in ([], [charts.Line("c", [], [])], [charts.Line("c", [1], [1])], [charts.Line("c", [0, 1], [4, 4])]):
        assert svg(charts.lines("t", curves)) is not None
    assert svg(charts.columns("t", ["a"], [0.0])) is not None
    assert svg(charts.bars("t", [], [])) is not None


def test_names_are_escaped():
    markup = charts.bars("<t>", ["<a>"], [charts.Series("<s>", [1]), charts.Series("&", [1])])
    assert "<a>" not in markup and "<s>" not in markup and "<t>" not in markup
    svg(markup)
