"""Maps as SVG and Mermaid: whole, well formed, and with nothing in them that commands."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from tests import strategies
from tests.insight.recording import record

from journeykit import Branch, Journey, Send, Touchpoint, Wait, When, days, entry, on
from journeykit.insight.flow import flow
from journeykit.insight.map.graph import Graph
from journeykit.insight.map.mermaid import journey_mermaid, quoted, stage_mermaid
from journeykit.insight.map.stage_svg import stage_svg
from journeykit.insight.map.svg import journey_svg
from journeykit.insight.stages import StageColumn, StageMap, stage_map
from journeykit.insight.warehouse import Warehouse
from journeykit.testing import make_event
from journeykit.workspace import Workspace

SVG = "{http://www.w3.org/2000/svg}"
NASTY = (
    '</text><script>alert("1")</script> "]; click p1 href "x" \x1b[31m\u202e&lt; é 漢'
)

MANY = Journey(
    "many",
    name=NASTY,
    trigger=on("x"),
    steps=[
        Branch([When(entry.kind == "a", [Send("email", "a", touchpoint="door")])]),
        Wait(days(1)),
        Send("email", "b"),
    ],
)


def texts(svg: str) -> list[str]:
    return [
        "".join(each.itertext())
        for each in ElementTree.fromstring(svg).iter(f"{SVG}text")
    ]


def test_the_picture_tells_every_step_and_way() -> None:
    svg = journey_svg(MANY)

    said = " ".join(texts(svg))
    for id in Graph.of(MANY).steps:
        assert id in said
    assert 'entry.kind == "a"' in said
    assert "otherwise" in said
    assert "touchpoint door" in said


def test_the_picture_tells_the_counts(tmp_path: Path) -> None:
    events = [
        make_event("x", f"c{n}", at="2026-06-01T12:00:00Z", kind="a" if n < 3 else "b")
        for n in range(10)
    ]
    with Warehouse.open(record(tmp_path, MANY, events)) as house:
        svg = journey_svg(MANY, flow(house, MANY))

    said = texts(svg)
    assert "10 entered" in said
    assert "3 · 30 %" in said
    assert "7 · 70 %" in said
    assert "sent 3" in said
    assert "median time 1 d" in said


@given(strategies.journeys())
def test_any_journey_is_drawn_well_formed(journey: Journey) -> None:
    for rtl in (False, True):
        root = ElementTree.fromstring(journey_svg(journey, rtl=rtl))

        assert root.tag == f"{SVG}svg"
        assert not list(root.iter(f"{SVG}script"))


@pytest.mark.parametrize("rtl", [False, True], ids=["ltr", "rtl"])
def test_what_authors_write_stays_text(rtl: bool) -> None:
    for svg in (journey_svg(MANY, rtl=rtl), stage_svg(nasty_map(), rtl=rtl)):
        root = ElementTree.fromstring(svg)

        names = {each.tag.removeprefix(SVG) for each in root.iter()}
        assert names <= {
            *("svg", "title", "desc", "style", "g", "rect", "path", "polygon", "text"),
        }
        assert "\x1b" not in svg
        assert "\u202e" not in svg


@pytest.mark.parametrize("rtl", [False, True], ids=["ltr", "rtl"])
def test_many_people_in_a_stage_cost_a_word_and_never_their_share(rtl: bool) -> None:
    columns = (
        StageColumn(id="few", name="Few", people=31),
        StageColumn(id="many", name="Many", people=1_497),
        StageColumn(id="most", name="Most", people=2_345_678),
    )
    whole = sum(column.people or 0 for column in columns)
    map = StageMap(
        title="shop", definition="", counted=True, columns=columns, people=whole
    )

    said = texts(stage_svg(map, rtl=rtl))

    assert "31 people · <1 %" in said
    assert "1,497 · <1 %" in said
    assert "2,345,678 · >99 %" in said


def test_a_picture_on_a_page_has_links_and_no_style() -> None:
    svg = journey_svg(MANY, alone=False, anchor=lambda place: f"#{len(place)}")

    root = ElementTree.fromstring(svg)
    assert root.get("role") == "group"
    assert not list(root.iter(f"{SVG}style"))
    links = list(root.iter(f"{SVG}a"))
    assert len(links) == len(Graph.of(MANY).places)
    assert all(link.get("aria-label") for link in links)


def test_right_to_left_the_start_of_each_card_is_at_its_right() -> None:
    plain, turned = (ElementTree.fromstring(journey_svg(MANY, rtl=r)) for r in (0, 1))

    def named(root: ElementTree.Element) -> ElementTree.Element:
        return next(
            each
            for each in root.iter(f"{SVG}text")
            if "".join(each.itertext()) == "wait-1d"
        )

    width = float(plain.get("width") or 0)
    assert named(plain).get("text-anchor") is None
    assert named(turned).get("text-anchor") == "end"
    assert float(named(turned).get("x") or 0) == pytest.approx(
        width - float(named(plain).get("x") or 0), abs=0.2
    )


# Mermaid: each line is one of these, and between quotes nothing ends the quotes

PLACE = re.compile(
    r'  p\d+(\(\[|\{\{|\(|\[)"[^"\n`<>]*(<br/>[^"\n`<>]*)*"(\]\)|\}\}|\)|\])'
)
WAY = re.compile(r'  p\d+ -->(\|"[^"\n`<>]*(<br/>[^"\n`<>]*)*"\|)? p\d+')
HEAD = re.compile(r"flowchart TD|  accTitle: [\w .-]*")


@given(strategies.journeys())
def test_any_journey_is_mermaid(journey: Journey) -> None:
    lines = journey_mermaid(journey).splitlines()

    assert lines[0] == "flowchart TD"
    for line in lines:
        assert any(each.fullmatch(line) for each in (PLACE, WAY, HEAD)), line
    graph = Graph.of(journey)
    assert sum(bool(PLACE.fullmatch(line)) for line in lines) == len(graph.places)
    assert sum(bool(WAY.fullmatch(line)) for line in lines) == len(graph.edges)


@given(strategies.texts())
def test_quoted_text_is_read_back_as_it_was(text: str) -> None:
    said = quoted(text)

    assert not set(said) & set('"<>[]{}|`&\n\\')
    read = re.sub(r"#(\d+);", lambda code: chr(int(code[1])), said)
    wanted = "".join(each for each in " ".join(text.split()) if each.isprintable())
    assert read == wanted or read.endswith("…")


def test_the_stages_are_frames() -> None:
    text = stage_mermaid(nasty_map())

    assert text.count("  subgraph s") == 5
    assert text.count("\n  end\n") == 5
    assert "<script" not in text


def nasty_map() -> StageMap:
    workspace = Workspace(
        path=Path("shop"),
        name=NASTY,
        journeys=[MANY],
        touchpoints=[
            Touchpoint(
                "door",
                stage="awareness",
                channel="email",
                actions=NASTY,
                motivation=NASTY,
                questions=[NASTY, NASTY * 5],
                friction=NASTY,
                owner=NASTY,
            )
        ],
    )
    return stage_map(workspace)
