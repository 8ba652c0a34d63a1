"""What goes with leaving, against plain Python over the same runs."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from tests.insight.recording import record
from tests.insight.test_lift import DAY, START, entry, goal, short

from journeykit import (
    Event,
    Goal,
    Journey,
    Send,
    Touchpoint,
    Wait,
    WaitFor,
    When,
    days,
    on,
)
from journeykit.engine.calendar import isoformat
from journeykit.errors import InputError
from journeykit.insight.causes import Causes, Churn, Factor, causes
from journeykit.insight.sources import Logs, files
from journeykit.insight.warehouse import Warehouse
from journeykit.model.segments import Persona
from journeykit.testing import make_event

CART = Journey(
    id="cart",
    trigger=on("cart.updated"),
    goal=Goal(on("order.placed"), id="order", within=days(7), on_goal="continue"),
    reentry="always",
    steps=[
        WaitFor([When(on("never"))], timeout=days(1)),
        Send("email", "reminder", touchpoint="nudge"),
        Wait(days(1)),
    ],
)
NUDGE = Touchpoint("nudge", "conversion", "email", friction=["long forms"])


class Log:
    """Decisions and events by hand."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._decisions: list[dict[str, Any]] = []
        self._events: list[dict[str, Any]] = []

    def run(
        self,
        person: object,
        day: float,
        *,
        is_left: bool,
        properties: dict[str, Any] | None = None,
        **more: Any,
    ) -> dict[str, Any]:
        """A run that is over on the next day, and reached its goal or didn't."""
        entered = entry(person, day, is_held=False, **more)
        end = isoformat(START + int((day + 1) * DAY))
        self._decisions.append(entered)
        if not is_left:
            self._decisions.append(goal(entered, day + 0.5))
        self._decisions.append(
            entered
            | {"kind": "completed", "at": end, "now": end}
            | {"revision": entered["revision"] + 900, "step": "wait-1d"}
        )
        self._events.append(
            {
                "id": entered["event"],
                "name": "cart.updated",
                "customer": f"customer {person}",
                "occurred_at": entered["at"],
                "received_at": entered["at"],
                "properties": properties or {},
            }
        )
        return entered

    def said(self, entered: dict[str, Any], later: float, **more: Any) -> None:
        """Another decision about a run, so many days after its entry."""
        at = datetime.fromisoformat(entered["at"]).timestamp() * 1000 + later * DAY
        instant = {"at": isoformat(int(at)), "now": isoformat(int(at))}
        revision = {"revision": entered["revision"] + int(later * 900)}
        self._decisions.append(entered | instant | revision | more)

    def logs(self) -> Logs:
        self.run("the last", 60, is_left=True)
        paths = []
        for name, lines in (("decisions", self._decisions), ("events", self._events)):
            path = self._folder / f"{name}.jsonl"
            path.write_text("".join(json.dumps(x) + "\n" for x in lines), "utf-8")
            paths.append(path)
        return Logs(files(paths[:1]), files(paths[1:]))


def found_in(logs: Logs, journey: Journey = CART, **options: Any) -> Causes:
    with Warehouse.open(logs) as house:
        return causes(house, journey, touchpoints=[NUDGE], **options)


def factor(found: Causes, kind: str, name: str = "", level: str = "") -> Factor:
    (only,) = [
        each
        for each in found.factors
        if (each.kind, each.name, each.level) == (kind, name, level)
    ]
    return only


def test_what_goes_with_leaving_is_found_among_what_does_not(tmp_path: Path) -> None:
    drawn, log = random.Random(11), Log(tmp_path)
    runs = []
    for person in range(900):
        plan = drawn.choice(["free", "pro", "team"])
        properties = {
            "plan": plan,
            "amount": drawn.randrange(1, 500),
            "source": drawn.choice(["ad", "mail"]),
            "beta": drawn.random() < 0.5,
            "note": f"private words of {person}",
        }
        is_left = drawn.random() < (0.7 if plan == "free" else 0.4)
        runs.append((properties, is_left))
        log.run(person, person / 30, is_left=is_left, properties=properties)

    found = found_in(log.logs())

    associated, *rest = found.associated
    assert {each.name for each in rest} <= {"plan"}  # the others' plans, the other way
    assert all(each.difference < 0 for each in rest)
    assert associated.words == "entered with plan free"
    assert associated.points_to == "the entry"
    free = [is_left for properties, is_left in runs if properties["plan"] == "free"]
    others = [is_left for properties, is_left in runs if properties["plan"] != "free"]
    assert (associated.group.count, associated.group.of) == (sum(free), len(free))
    assert (associated.others.count, associated.others.of) == (sum(others), len(others))
    assert 0.3 in associated.interval
    assert (found.left.count, found.left.of) == (sum(left for _, left in runs), 900)
    assert found.undecided == 1
    assert found.leaving == "no_goal"
    bins = [each for each in found.factors if each.name == "amount"]
    assert len(bins) == 4
    assert sum(each.group.of for each in bins) == 900
    # One of two levels says the same as the other; words that few share say who it is.
    assert len([each for each in found.factors if each.name in ("source", "beta")]) == 2
    assert not [each for each in found.factors if each.name == "note"]


def test_runs_of_one_person_do_not_pass_for_many_people(tmp_path: Path) -> None:
    drawn, log = random.Random(12), Log(tmp_path)
    for person in range(40):
        always = drawn.random() < 0.5  # they all do, or none of them
        plan = "free" if person % 2 else "pro"
        for n in range(20):
            log.run(
                person, 10 + n + person / 100, is_left=always, properties={"plan": plan}
            )

    found = found_in(log.logs())

    (only,) = [each for each in found.factors if each.name == "plan"]
    naive = found_in_naively(only)
    assert not only.associated
    assert only.interval.width > 3 * naive


def found_in_naively(each: Factor) -> float:
    from journeykit.insight.stats.intervals import newcombe

    return newcombe(
        each.group.count, each.group.of, each.others.count, each.others.of
    ).width


def test_by_chance_hardly_anything_is_associated(tmp_path: Path) -> None:
    drawn, log = random.Random(13), Log(tmp_path)
    for person in range(600):
        properties = {f"p{n}": drawn.choice(["a", "b", "c"]) for n in range(25)}
        log.run(
            person, person / 20, is_left=drawn.random() < 0.5, properties=properties
        )

    found = found_in(log.logs())

    assert found.looked_at >= 75
    assert len(found.associated) <= 1
    assert sum(each.interval.low > 0 for each in found.factors) >= 1  # uncorrected


def test_what_was_sent_late_or_not_points_to_its_step(tmp_path: Path) -> None:
    drawn, log = random.Random(14), Log(tmp_path)
    late = []
    for person in range(400):
        is_late, is_left = person % 2 == 0, drawn.random() < 0.3
        is_left = is_left or (is_late and drawn.random() < 0.5)
        late.append((is_late, is_left))
        run = log.run(person, person / 20, is_left=is_left)
        step = {"step": "send-email-reminder"}
        if is_late:
            log.said(run, 0.2, kind="deferred", reason="quiet_hours", **step)
        if person % 5 == 0:
            log.said(run, 0.3, kind="suppressed", reason="frequency_cap", **step)
            continue
        detail = {"delivery_id": short(run["enrollment"]), "channel": "email"}
        log.said(run, 0.6 if is_late else 0.2001, kind="sent", detail=detail, **step)

    found = found_in(log.logs())

    held_back = factor(found, "deferral", "send-email-reminder", "quiet_hours")
    assert held_back.group.of == 200
    assert held_back.group.count == sum(left for is_late, left in late if is_late)
    assert held_back.associated
    assert held_back.points_to == "step send-email-reminder, touchpoint nudge"
    assert held_back.friction == ("long forms",)
    capped = factor(found, "suppression", "send-email-reminder", "frequency_cap")
    assert capped.group.of == 80
    assert capped.words == "not sent at send-email-reminder: frequency_cap"
    slow = factor(found, "delay", "", "within 12 hours")
    assert (slow.group.of, slow.others.of) == (160, 160)


def test_where_runs_end_early_is_counted_by_step(tmp_path: Path) -> None:
    journey = Journey(
        id="cart",
        trigger=on("cart.updated"),
        exit_rules=[on("left.angry")],
        steps=[
            Wait(days(1)),
            Send("email", "reminder", touchpoint="nudge"),
            Wait(days(9)),
        ],
    )
    events: list[Event] = []
    for n in range(60):
        events.append(make_event("cart.updated", f"c{n}", at="2026-01-01T08:00:00Z"))
        if n % 3 == 0:
            day = "01" if n % 2 else "05"
            events.append(
                make_event("left.angry", f"c{n}", at=f"2026-01-{day}T09:00:00Z")
            )
    events.sort(key=lambda each: each.occurred_at)
    logs = record(tmp_path, journey, events, until="2026-02-01T00:00:00Z")

    found = found_in(logs, journey)

    assert found.leaving == "ended_early"
    assert [(p.step, p.left.count, p.left.of) for p in found.places] == [
        ("wait-1d", 10, 60),
        ("send-email-reminder", 0, 50),
        ("wait-9d", 10, 50),
    ]
    assert found.places[1].friction == ("long forms",)


@pytest.mark.parametrize("is_silence", [False, True], ids=["event", "silence"])
def test_an_event_or_its_absence_tells_who_left(
    tmp_path: Path, is_silence: bool
) -> None:
    events = []
    for n in range(90):
        customer = f"c{n}"
        events.append(
            make_event(
                "cart.updated", customer, at="2026-01-01T08:00:00Z", plan="ab"[n % 2]
            )
        )
        if n % 3 == 0:
            events.append(make_event("canceled", customer, at="2026-01-10T09:00:00Z"))
        if n % 9 == 1:
            events.append(make_event("canceled", customer, at="2026-01-25T09:00:00Z"))
    events.append(make_event("cart.updated", "last", at="2026-02-20T08:00:00Z"))
    events.sort(key=lambda each: each.occurred_at)
    logs = record(tmp_path, CART, events)

    found = found_in(logs, churn=Churn("canceled", 14, is_silence=is_silence))

    assert found.left.of == 90
    assert found.left.count == (60 if is_silence else 30)
    assert ("no event" in found.definition) == is_silence
    assert found.undecided == 1


def test_hours_are_those_of_the_zone(tmp_path: Path) -> None:
    log = Log(tmp_path)
    zone = ZoneInfo("America/New_York")
    expected: dict[str, int] = {}
    for person in range(400):
        day = 40 + person / 7.3
        log.run(person, day, is_left=person % 3 == 0)
        local = datetime.fromtimestamp((START + int(day * DAY)) / 1000, UTC)
        name = local.astimezone(zone).strftime("%A")
        expected[name] = expected.get(name, 0) + 1
    log.run("at the end", 140, is_left=True)

    found = found_in(log.logs(), zone="America/New_York")

    counts = {
        each.level: each.group.of for each in found.factors if each.kind == "weekday"
    }
    log_end = 141 - 7
    assert max(40 + 399 / 7.3, 60) < log_end  # all of them are decided
    assert {day: counts[day] - expected[day] for day in expected} == {
        day: int(day == added_day(60, zone)) for day in expected
    }


def added_day(day: float, zone: ZoneInfo) -> str:
    """On which weekday the run was entered that every log ends with."""
    at = datetime.fromtimestamp((START + int(day * DAY)) / 1000, UTC)
    return at.astimezone(zone).strftime("%A")


def test_arms_and_versions_are_looked_at(tmp_path: Path) -> None:
    log = Log(tmp_path)
    for person in range(200):
        run = log.run(
            person, person / 10, is_left=person % 4 == 0, version=1 + person % 2
        )
        arm = "a" if person < 80 else "b"
        log.said(run, 0.1, kind="split", reason=arm, step="test")

    found = found_in(log.logs())

    assert factor(found, "arm", "test", "a" if _more_left(80) else "b").step == "test"
    assert [each for each in found.factors if each.kind == "version"]


def _more_left(first: int) -> bool:
    left = [person % 4 == 0 for person in range(200)]
    return sum(left[:first]) / first >= sum(left[first:]) / (200 - first)


def test_personas_are_their_segments(tmp_path: Path) -> None:
    log = Log(tmp_path)
    for person in range(120):
        run = log.run(person, 5 + person / 10, is_left=person % 2 == 0)
        if person % 3 == 0:
            log.said(
                run,
                -1,
                kind="segment",
                reason="entered",
                journey="",
                enrollment=None,
                detail={"segment": "hurried"},
            )

    found = found_in(
        log.logs(), personas=[Persona("hanna", segment="hurried", name="Hanna")]
    )

    persona = factor(found, "persona", "Hanna")
    assert persona.words == "in persona Hanna at the entry"
    assert persona.group.of == 40
    assert persona.also == ("in segment hurried at the entry",)


def test_test_traffic_and_held_out_people_are_left_out(tmp_path: Path) -> None:
    log = Log(tmp_path)
    for person in range(40):
        log.run(person, 1, is_left=True)
        log.run(f"test {person}", 1, is_left=True, test=True)
        log.run(f"held {person}", 1, is_left=True, kind="held_out")

    found = found_in(log.logs())

    assert found.left.of == 40
    assert found.people == 40


def test_many_runs_are_looked_at_by_a_sample_of_the_people(tmp_path: Path) -> None:
    log = Log(tmp_path)
    for person in range(400):
        log.run(person, person / 10, is_left=True)

    found = found_in(log.logs(), most_runs=100)

    assert 40 < found.left.of < 140
    assert any("one in 5 people" in said for said in found.problems)


def test_where_nobody_left_nothing_goes_with_it(tmp_path: Path) -> None:
    log = Log(tmp_path)
    for person in range(200):
        log.run(
            person, person / 10, is_left=False, properties={"plan": "ab"[person % 2]}
        )

    found = found_in(log.logs())

    assert found.left.count == 0
    assert found.factors == ()
    assert found.looked_at == 0


def test_properties_that_tell_the_same_runs_are_one_factor(tmp_path: Path) -> None:
    log = Log(tmp_path)
    for person in range(300):
        properties = {"campaign": "abc"[person % 3], "until": "uvw"[person % 3]}
        log.run(
            person,
            person / 10,
            is_left=person % 3 == 0 or person % 5 == 0,
            properties=properties,
        )

    found = found_in(log.logs())

    first = found.associated[0]
    assert first.words == "entered with campaign a"
    assert first.also == ("entered with until u",)
    assert not [each for each in found.factors if each.name == "until"]


def test_nobody_at_all_has_no_causes(tmp_path: Path) -> None:
    found = found_in(Log(tmp_path).logs())

    assert found.left.share is None
    assert found.factors == ()
    assert found.places == ()


def test_a_window_of_no_length_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="churn is looked for"):
        found_in(Log(tmp_path).logs(), churn=Churn("canceled", 0))
