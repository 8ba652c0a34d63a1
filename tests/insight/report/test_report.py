"""The report of a small shop: everything in one file, and nothing that must not be in it."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from tests.insight.recording import record

from journeykit import (
    Event,
    Goal,
    Journey,
    Objective,
    Send,
    Touchpoint,
    Wait,
    days,
    event,
    on,
)
from journeykit.insight.lift import Lift
from journeykit.insight.report.findings import PARTS, Findings, Missing, findings
from journeykit.insight.report.page import POLICY
from journeykit.insight.report.summary import conclusions, tiles_of
from journeykit.insight.report.write import RECORDED, report
from journeykit.insight.sources import Logs
from journeykit.insight.stats.power import Needed
from journeykit.insight.warehouse import Warehouse
from journeykit.testing import make_event
from journeykit.workspace import Workspace

MADE = datetime(2026, 9, 1, tzinfo=UTC)
NASTY = "<script>alert('x')</script> & \"more\""
CUSTOMERS = [f"customer-{n:03}@example.org" for n in range(60)]

CART = Journey(
    "cart",
    name=NASTY,
    stage="conversion",
    trigger=on("cart.updated"),
    goal=Goal(on("order.placed"), id="order", value=event.amount, within=days(7)),
    objectives=["orders"],
    holdout=30,
    steps=[
        Wait(days(1)),
        Send("email", "reminder", touchpoint="reminder"),
        Wait(days(2)),
        Send("email", "last-call"),
    ],
)


def workspace(folder: Path) -> Workspace:
    return Workspace(
        path=folder,
        name="A shop & more",
        journeys=[CART],
        touchpoints=[
            Touchpoint("reminder", stage="conversion", channel="email", friction=NASTY)
        ],
        objectives=[Objective("orders", kpi=NASTY, target=10, by=date(2026, 12, 31))],
    )


def story() -> Iterator[Event]:
    """Sixty people put something into their cart; every fourth buys two days later."""
    for n, customer in enumerate(CUSTOMERS):
        day = n % 28 + 1
        yield make_event(
            "cart.updated", customer, at=f"2026-06-{day:02}T09:00:00Z", color=NASTY
        )
        if n % 4 == 0:
            yield make_event(
                "order.placed",
                customer,
                at=f"2026-06-{min(day + 2, 30):02}T10:00:00Z",
                amount=20 + n,
            )


def logged(folder: Path, *, replayed: bool = False) -> Logs:
    events = sorted(story(), key=lambda one: one.occurred_at)
    return record(
        folder,
        CART,
        events,
        fates={"email": ["delivered", "opened after 3h"]},
        replayed=replayed,
    )


def looked(folder: Path, *, replayed: bool = False, archive: bool = True) -> Findings:
    logs = logged(folder, replayed=replayed)
    if not archive:
        logs = Logs(logs.decisions, (), replayed, ["there is no event archive here"])
    with Warehouse.open(logs, worth={("cart", "order"): '$."amount"'}) as house:
        return findings(house, workspace(folder))


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Findings:
    return looked(tmp_path_factory.mktemp("logs"))


@pytest.fixture(scope="module")
def html(found: Findings) -> str:
    return report(found, made_at=MADE)


class Reader(HTMLParser):
    """Collects what a browser would act on, and complains of what is left open."""

    VOID = frozenset({"meta", "link", "br", "hr", "img", "input"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.names: set[str] = set()
        self.labels: list[str] = []
        self.headings: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.note(attrs)
        if tag in ("h1", "h2", "h3", "h4"):
            self.headings.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.note(attrs)

    def note(self, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            self.names.add(name)
            if name == "id":
                self.ids.append(value or "")
            if name in ("href", "src", "xlink:href"):
                self.links.append(value or "")
            if name in ("aria-labelledby", "aria-describedby"):
                self.labels += (value or "").split()

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag


def test_one_part_at_a_time_tells_the_same_as_two(tmp_path: Path) -> None:
    logs = logged(tmp_path)
    with Warehouse.open(logs, worth={("cart", "order"): '$."amount"'}) as house:
        two_at_once = findings(house, workspace(tmp_path))
        house.is_small = False
        done: list[int] = []
        one_by_one = findings(house, workspace(tmp_path), progress=done.append)

    assert one_by_one == two_at_once
    assert done == list(range(1, PARTS + 1))


def test_the_report_is_one_file_that_loads_and_runs_nothing(html: str) -> None:
    reader = Reader(html)

    assert not reader.tags & {"script", "img", "iframe", "object", "embed", "form"}
    assert not [name for name in reader.names if name.startswith("on")]
    assert all(link.startswith("#") or link == "data:," for link in reader.links)
    assert "default-src 'none'" in POLICY
    assert POLICY.replace("'", "&#x27;") in html
    assert not re.search(r"@import|url\((?!#)", html)


def test_every_element_is_closed_and_every_link_and_label_leads_somewhere(
    html: str,
) -> None:
    reader = Reader(html)

    assert reader.open == []
    assert len(reader.ids) == len(set(reader.ids))
    assert {link[1:] for link in reader.links if link.startswith("#")} <= set(
        reader.ids
    )
    assert set(reader.labels) <= set(reader.ids)


def test_headings_go_down_one_level_at_a_time(html: str) -> None:
    levels = [int(tag[1]) for tag in Reader(html).headings]

    assert levels[0] == 1
    assert levels.count(1) == 1
    for before, after in pairwise(levels):
        assert after <= before + 1


def test_what_people_wrote_is_shown_and_never_read_as_markup(html: str) -> None:
    assert "&lt;script&gt;alert" in html
    assert "<script" not in html


def test_no_customer_is_in_the_report(html: str) -> None:
    for customer in CUSTOMERS:
        assert customer not in html
    assert "example.org" not in html


def test_the_figures_at_the_head_are_those_of_the_story(found: Findings) -> None:
    figures = {tile.name: tile.figure for tile in tiles_of(found)}

    assert figures["people"] == "60"
    assert figures["entries"] == "60"
    assert found.activity.sent == found.performance.journeys[0].sent  # type: ignore[union-attr]
    bought = {c for n, c in enumerate(CUSTOMERS) if n % 4 == 0}
    assert found.activity.goals <= len(bought)
    counts = {one.name: (one.count, one.people) for one in found.activity.events}
    assert counts["cart.updated"] == (60, 60)
    assert counts["order.placed"] == (15, 15)


def test_days_of_a_short_log_add_up_to_its_entries(found: Findings) -> None:
    assert found.activity.per == "day"
    first = found.span[0] if found.span else 0
    whole_days = [at for at in found.activity.starts if at >= first]
    assert len(whole_days) == len(found.activity.starts)
    # The first day began before the log did, so its three entries are in no whole day.
    assert sum(found.activity.entered_by["cart"]) == 60 - 3


def test_every_part_has_a_section_and_a_place_in_the_contents(html: str) -> None:
    ids = re.findall(r'<li><a href="#([a-z-]+)">', html.split("</nav>")[0])

    assert ids == [
        "summary",
        "objectives",
        "map",
        "journeys",
        "funnels",
        "lift",
        "retention",
        "messages",
        "surveys",
        "causes",
        "attribution",
        "journey-maps",
        "paths",
    ]


def test_a_part_that_can_not_be_told_says_why_and_the_rest_is_told(
    tmp_path: Path,
) -> None:
    found = looked(tmp_path, archive=False)

    html = report(found, made_at=MADE)

    assert isinstance(found.retention, Missing)
    assert "There is no event archive" in html
    assert "nobody was asked" in html.casefold()
    assert "60" in {tile.figure for tile in tiles_of(found)}


def test_recorded_events_are_said_to_be_recorded(tmp_path: Path) -> None:
    found = looked(tmp_path, replayed=True)

    html = report(found, made_at=MADE)

    assert RECORDED.split(":")[0] in html
    assert not any("caused" in one.text for one in conclusions(found))


def test_an_empty_log_makes_a_report_that_says_so(tmp_path: Path) -> None:
    with Warehouse.open(Logs([])) as house:
        found = findings(house, workspace(tmp_path))

    html = report(found, made_at=MADE)

    assert "The log is empty." in html
    assert Reader(html).open == []


def test_from_right_to_left_the_page_says_so(found: Findings) -> None:
    html = report(found, made_at=MADE, rtl=True)

    assert '<html lang="en" dir="rtl">' in html
    assert Reader(html).open == []


def test_a_title_of_ones_own_stands_on_top(found: Findings) -> None:
    html = report(found, made_at=MADE, title="Q2 <2026>")

    assert "<h1>Q2 &lt;2026&gt;</h1>" in html


def test_the_same_findings_make_the_same_report(found: Findings, html: str) -> None:
    assert report(found, made_at=MADE) == html


def test_journeys_that_nobody_entered_are_named_and_not_drawn(tmp_path: Path) -> None:
    idle = [
        Journey(f"idle-{n}", trigger=on("never"), steps=[Send("email", f"unsent-{n}")])
        for n in range(3)
    ]
    space = dataclasses.replace(workspace(tmp_path), journeys=[CART, *idle])
    with Warehouse.open(logged(tmp_path)) as house:
        html = report(findings(house, space), made_at=MADE)

    assert "Nobody entered idle-0, idle-1, idle-2" in html
    assert "unsent-1" not in html
    assert 'id="j-cart"' in html


def test_only_the_first_map_of_a_journey_is_open(tmp_path: Path) -> None:
    twin = dataclasses.replace(CART, id="twin", name="Twin")
    events = sorted(story(), key=lambda one: one.occurred_at)
    space = dataclasses.replace(workspace(tmp_path), journeys=[CART, twin])
    with Warehouse.open(record(tmp_path, [CART, twin], events)) as house:
        html = report(findings(house, space), made_at=MADE)

    first, second = html.split('id="j-twin"')
    assert "jk-keep" not in first.split('id="j-cart"')[1]
    assert '<details class="jk-keep"><summary><bdi>Map of Twin</bdi>' in second
    assert second.index("entered <b>60</b>") < second.index("<details")


def test_reasons_of_ours_are_said_in_words(found: Findings) -> None:
    assert not isinstance(found.flows, Missing)
    capped = [
        dataclasses.replace(
            flow,
            steps=[
                dataclasses.replace(step, sent=1, suppressed={"frequency_cap": 9})
                for step in flow.steps
            ],
        )
        for flow in found.flows
    ]

    said = [one.text for one in conclusions(dataclasses.replace(found, flows=capped))]

    assert said[-1].endswith("all of them for the reason “frequency cap”.")


def test_the_course_of_what_is_rare_is_said_and_not_drawn(found: Findings) -> None:
    assert not isinstance(found.performance, Missing)
    ((journey,), (goal,)) = (
        found.performance.journeys,
        found.performance.journeys[0].goals,
    )
    month = next(each for each in goal.trend)
    months = [
        dataclasses.replace(
            month, starts_at=datetime(2026, n, 1, tzinfo=UTC), is_partial=False
        )
        for n in range(1, 6)
    ]

    def told(reached: int) -> str:
        treated = dataclasses.replace(goal.treated, reached=reached)
        changed = dataclasses.replace(
            journey, goals=[dataclasses.replace(goal, trend=months, treated=treated)]
        )
        performance = dataclasses.replace(found.performance, journeys=[changed])
        return report(dataclasses.replace(found, performance=performance), made_at=MADE)

    assert "cart: order was reached 14 times" in told(14)
    assert f"by the {goal.per} of entry" not in told(14)
    assert f"by the {goal.per} of entry" in told(15)


def test_runs_of_journeys_that_are_gone_are_said_to_be_counted(
    tmp_path: Path,
) -> None:
    space = dataclasses.replace(workspace(tmp_path), journeys=[])
    with Warehouse.open(logged(tmp_path)) as house:
        html = report(findings(house, space), made_at=MADE)

    assert "runs of journeys that are not in the workspace: cart." in html


def test_journeys_of_the_workspace_are_no_strangers(html: str) -> None:
    assert "not in the workspace" not in html


def test_what_takes_longer_than_ten_years_is_not_told_to_the_day(
    found: Findings,
) -> None:
    lift = found.lift
    assert isinstance(lift, Lift)
    first = lift.experiments[0]
    needed = Needed(people=90_000, held_out=9_000, effect=0.01, power=0.8)

    def told(days_left: int) -> str:
        one = dataclasses.replace(
            first.comparisons[0],
            verdict="open",
            smallest=0.01,
            needed=needed,
            days_left=days_left,
        )
        of_one = dataclasses.replace(first, comparisons=(one,))
        anew = dataclasses.replace(lift, experiments=(of_one,))
        return report(dataclasses.replace(found, lift=anew), made_at=MADE)

    assert "more than ten years at this pace" in told(200_000)
    assert "at this pace" in told(20)
    assert "in about 20 days at this pace" in told(20)
