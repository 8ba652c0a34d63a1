"""All charts: well-formed, safe, described, mirrored, and complete in their tables."""

from __future__ import annotations

import re
from collections.abc import Callable
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, strategies as st

from journeykit.insight.charts.bars import Bar, Bars, Stack, Stacks
from journeykit.insight.charts.canvas import COLORS
from journeykit.insight.charts.chart import Chart
from journeykit.insight.charts.figure import SMALL, WIDE, figure
from journeykit.insight.charts.forest import Difference, Forest
from journeykit.insight.charts.funnel import Funnel, FunnelStage
from journeykit.insight.charts.heat import Cell, Heat, HeatRow
from journeykit.insight.charts.lines import Dot, Line, Lines, sparkline
from journeykit.insight.charts.numbers import DAY, percent, whole
from journeykit.insight.charts.sankey import Flow, Node, Sankey

SVG = "{http://www.w3.org/2000/svg}"
NASTY = "</text><script>alert(1)</script>&\"'\x1b\u202e"

CHARTS: dict[str, Callable[[str], Chart]] = {
    "bars": lambda name: Bars(
        name,
        [
            Bar(name, 0.4, "40 %", (0.3, 0.5), 0.6, "bad"),
            Bar("b", None, "not known"),
            Bar("c", 0.0, "0 %", (0.0, 0.1), 0.0, "good"),
        ],
        "share",
    ),
    "stacks": lambda name: Stacks(
        name,
        ["one", name, "three"],
        [Stack(name, [1, 2, 3]), Stack("b", [0, 0, 0])],
        "x",
    ),
    "lines": lambda name: Lines(
        name,
        [
            Line(name, [Dot(n * DAY, n / 10, (n / 20, n / 5)) for n in range(9)]),
            Line("b", [Dot(0, 0.5), Dot(DAY, None), Dot(2 * DAY, 0.1)]),
        ],
        words=percent,
        targets=[(name, 0.7)],
    ),
    "funnel": lambda name: Funnel(
        name, [FunnelStage(name, 100), FunnelStage("b", 40, name)], "runs"
    ),
    "forest": lambda name: Forest(
        name,
        [
            Difference(name, 0.1, (0.05, 0.15), 10),
            Difference("wide", 0.0, (-9.0, 9.0), 1),
            Difference("unknown", None, None),
        ],
    ),
    "sankey": lambda name: Sankey(
        name,
        [Node("a", name, 0), Node("b", "b", 1), Node("c", "c", 1)],
        [Flow("a", "b", 5), Flow("a", "c", 2)],
        "runs",
    ),
}
EMPTY: dict[str, Chart] = {
    "bars": Bars("t", [], "share"),
    "stacks": Stacks("t", ["a"], [], "x"),
    "lines": Lines("t", []),
    "line without values": Lines("t", [Line("a", [])]),
    "funnel": Funnel("t", [], "runs"),
    "funnel of nobody": Funnel("t", [FunnelStage("a", 0), FunnelStage("b", 0)], "runs"),
    "forest": Forest("t", []),
    "sankey": Sankey("t", [], [], "runs"),
}


@pytest.mark.parametrize("rtl", [False, True], ids=["ltr", "rtl"])
@pytest.mark.parametrize("width", [WIDE, SMALL], ids=["wide", "small"])
@pytest.mark.parametrize("kind", CHARTS)
def test_a_chart_is_well_formed_whatever_its_names_are(
    kind: str, width: float, rtl: bool
) -> None:
    chart = CHARTS[kind](NASTY)

    drawn = ET.fromstring(chart.svg(width, name="f1", rtl=rtl))

    assert drawn.get("role") == "img"
    title, description = drawn.find(f"{SVG}title"), drawn.find(f"{SVG}desc")
    assert title is not None
    assert title.text
    assert "alert(1)" in title.text
    assert description is not None
    assert description.text
    assert drawn.get("aria-labelledby") == f"{title.get('id')} {description.get('id')}"
    assert not drawn.findall(f".//{SVG}script")
    assert "<script" not in figure(chart, name="f2", rtl=rtl)


@pytest.mark.parametrize("kind", EMPTY)
def test_a_chart_of_nothing_is_drawn_and_says_something(kind: str) -> None:
    chart = EMPTY[kind]

    ET.fromstring(chart.svg(WIDE, name="f1"))

    assert chart.described()
    assert all(len(row) == len(chart.table().head) for row in chart.table().rows)


@pytest.mark.parametrize("kind", CHARTS)
def test_no_number_of_a_drawing_is_lost_or_infinite(kind: str) -> None:
    drawn = CHARTS[kind]("name").svg(WIDE, name="f1")

    assert not re.search(r"\b(nan|inf)\b", drawn)


@pytest.mark.parametrize("kind", CHARTS)
def test_every_color_can_be_set_by_the_page(kind: str) -> None:
    drawn = CHARTS[kind]("name").svg(WIDE, name="f1")

    painted = set(re.findall(r'(?:fill|stroke)="([^"]+)"', drawn)) - {"none"}

    assert painted
    for paint in painted:
        assert paint.startswith("url(#f1-") or paint in {
            f"var(--{name},{value})" for name, value in COLORS.items()
        }


@pytest.mark.parametrize("kind", ["bars", "funnel", "stacks"])
def test_right_to_left_is_the_mirror_image(kind: str) -> None:
    chart = CHARTS[kind]("name")

    left, right = (
        [
            (float(one.get("x", 0)), float(one.get("width", 0)), one.get("y"))
            for one in ET.fromstring(chart.svg(WIDE, name="f", rtl=rtl)).findall(
                f"{SVG}rect"
            )
        ]
        for rtl in (False, True)
    )

    assert len(left) == len(right) > 0
    for (x, width, y), (mirrored, same, same_y) in zip(left, right, strict=True):
        assert (same, same_y) == (width, y)
        assert mirrored == pytest.approx(WIDE - x - width, abs=0.2)


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=8))
def test_a_bar_is_as_long_as_its_value_is_of_the_largest(values: list[int]) -> None:
    chart = Bars("t", [Bar(str(n), v, "") for n, v in enumerate(values)], "x")

    drawn = ET.fromstring(chart.svg(WIDE, name="f"))

    rects = [float(one.get("width", 0)) for one in drawn.findall(f"{SVG}rect")]
    grounds, bars = rects[::2], rects[1::2]
    for value, ground, bar in zip(values, grounds, bars, strict=True):
        exact = ground * value / (max(values) or 1)
        assert bar == pytest.approx(max(exact, 1.5 if value else 0), abs=0.1)


@given(st.lists(st.integers(0, 1000), min_size=3, max_size=3).filter(any))
def test_the_parts_of_a_stack_fill_it(parts: list[int]) -> None:
    chart = Stacks("t", ["a", "b", "c"], [Stack("x", parts)], "runs")

    drawn = ET.fromstring(chart.svg(WIDE, name="f"))

    widths = [
        float(one.get("width", 0))
        for one in drawn.findall(f"{SVG}rect")
        if one.find(f"{SVG}title") is not None
    ]
    ground = max(float(one.get("width", 0)) for one in drawn.findall(f"{SVG}rect"))
    assert sum(widths) == pytest.approx(ground, abs=0.5)
    assert chart.table().rows == [["x", *map(whole, parts), whole(sum(parts))]]


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from("defg"), st.integers(1, 500)),
        min_size=1,
        max_size=20,
    )
)
def test_bands_leave_and_arrive_within_their_nodes(
    found: list[tuple[str, str, int]],
) -> None:
    nodes = [Node(id, id, 0) for id in "abc"] + [Node(id, id, 1) for id in "defg"]
    chart = Sankey("t", nodes, [Flow(*one) for one in found], "runs")

    drawn = ET.fromstring(chart.svg(WIDE, name="f"))

    spans = [
        (float(r.get("y", 0)), float(r.get("y", 0)) + float(r.get("height", 0)))
        for r in drawn.findall(f"{SVG}rect")
    ]
    for path in drawn.findall(f"{SVG}path"):
        y1, y2 = _ends(path.get("d", ""))
        for y in (y1, y2):
            assert any(low - 0.2 <= y <= high + 0.2 for low, high in spans)
    told = sum(int(row[2].replace(",", "")) for row in chart.table().rows)
    assert told == sum(count for *_, count in found)


def _ends(path: str) -> tuple[float, float]:
    numbers = [float(n) for n in re.findall(r"-?\d+(?:\.\d+)?", path)]
    return numbers[1], numbers[7]


def test_a_funnel_says_where_most_are_lost() -> None:
    funnel = Funnel(
        "t",
        [
            FunnelStage("seen", 1000),
            FunnelStage("clicked", 250),
            FunnelStage("paid", 200),
        ],
        "people",
    )

    assert funnel.described() == (
        "1,000 people at seen, 200 at paid, 20 % of the first; most were lost before "
        "clicked: 750."
    )
    assert funnel.table().rows[1] == ["clicked", "250", "25 %", "25 %", ""]


def test_a_row_of_a_forest_is_filled_only_if_zero_is_out_of_the_question() -> None:
    clear, open_ = (
        Difference("a", 0.1, (0.01, 0.2)),
        Difference("b", 0.1, (-0.01, 0.2)),
    )

    assert (clear.is_clear, open_.is_clear) == (True, False)
    assert (
        Forest("t", [clear, open_])
        .described()
        .startswith("Of 2 differences, 1 have an interval without zero.")
    )


def test_an_unfinished_cohort_is_marked_with_more_than_a_shade() -> None:
    heat = Heat(
        "t",
        "month",
        "people",
        ["0", "1"],
        [HeatRow("2026-01", "10", [Cell(1.0, "100"), Cell(0.5, "50", is_open=True)])],
    )

    html = heat.html()

    assert '<td class="h9">100</td>' in html
    assert '<td class="h5 open">50<span class="open">*</span></td>' in html


def test_a_line_has_a_gap_where_nothing_is_known() -> None:
    dots = [Dot(n * DAY, None if n == 2 else 0.5) for n in range(5)]

    drawn = ET.fromstring(Lines("t", [Line("a", dots)]).svg(WIDE, name="f"))

    assert len(drawn.findall(f"{SVG}polyline")) == 2


def test_series_differ_by_more_than_their_color() -> None:
    lines = [Line(str(n), [Dot(0, n), Dot(DAY, n)]) for n in range(6)]

    drawn = ET.fromstring(Lines("t", lines).svg(WIDE, name="f"))

    dashes = {one.get("stroke-dasharray") for one in drawn.findall(f"{SVG}polyline")}
    assert len(dashes) == 6


def test_a_sparkline_says_what_it_is() -> None:
    drawn = ET.fromstring(sparkline([1, 5, 2], name="s", said="entries by week"))

    title = drawn.find(f"{SVG}title")
    assert title is not None
    assert title.text == "entries by week"


@pytest.mark.parametrize("width", [SMALL, WIDE])
@pytest.mark.parametrize("value", [-0.2, 0.2, -0.001, 0.001], ids=str)
def test_what_less_and_more_mean_is_whole_however_near_zero_is_to_an_edge(
    value: float, width: float
) -> None:
    rows = [Difference("a", value, None)]
    chart = Forest(
        "t", rows, str, less="held out bring more", more="treated bring more"
    )

    svg = chart.svg(width, name="f")

    assert "← held out bring more" in svg
    assert "treated bring more →" in svg
    assert "…" not in svg
