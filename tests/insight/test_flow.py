"""What a map counts, against plain Python over the same decisions."""

from __future__ import annotations

import json
import statistics
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from tests.insight.recording import record, written
from tests.journeys.test_golden import FILES, Story

from journeykit import (
    Branch,
    Cap,
    Event,
    Exit,
    Goal,
    Goto,
    Journey,
    Policies,
    Send,
    Until,
    Wait,
    WaitFor,
    When,
    Window,
    days,
    entry,
    event,
    hours,
    on,
    react,
)
from journeykit.engine.calendar import to_ms
from journeykit.engine.ids import log_id
from journeykit.engine.records import line_of
from journeykit.engine.redaction import redacted
from journeykit.engine.stimuli import Stimulus
from journeykit.insight.flow import JourneyFlow, flow
from journeykit.insight.sources import Logs, files
from journeykit.insight.warehouse import Warehouse
from journeykit.model.documents import from_json
from journeykit.model.formats import decode_event
from journeykit.testing import make_event, simulate

CART = Journey(
    "cart",
    trigger=on("cart.updated"),
    goal=Goal(on("order.placed"), id="order", value=event.amount, within=days(7)),
    holdout=20,
    steps=[
        Wait(days(1)),
        Send("email", "reminder"),
        Branch(
            [When(entry.total >= 50, [Send("sms", "nudge")])],
            otherwise=[Exit("too-small")],
        ),
        WaitFor([When(on("message.opened"), [])], timeout=days(2)),
        Send("email", "last"),
    ],
)


def happened(name: str, customer: str, day: int, **more: Any) -> Event:
    return make_event(name, customer, at=f"2026-06-{day:02}T09:00:00Z", **more)


def story() -> Iterator[Event]:
    for number in range(60):
        who = f"customer-{number}"
        yield happened("cart.updated", who, 1 + number % 9, total=10 + number)
    for number in range(0, 60, 7):
        yield happened("order.placed", f"customer-{number}", 10, amount=5)


@pytest.fixture(scope="module")
def simulated() -> Any:
    events = sorted(story(), key=lambda each: each.occurred_at)
    policies = Policies(caps=[Cap(1, within=days(30), channel="sms")])
    return simulate(
        CART, events, until="2026-06-12T12:00:00Z", policies=policies, explain=False
    )


@pytest.fixture(scope="module")
def counted(simulated: Any, tmp_path_factory: pytest.TempPathFactory) -> JourneyFlow:
    logs = written(tmp_path_factory.mktemp("logs"), simulated)
    with Warehouse.open(logs) as house:
        return flow(house, CART)


def decided(simulated: Any) -> list[Any]:
    return [traced for traced in simulated.trace if traced.entry.journey == "cart"]


def test_entries_and_ends_are_those_of_the_trace(
    simulated: Any, counted: JourneyFlow
) -> None:
    kinds = Counter(traced.entry.kind for traced in decided(simulated))
    exits = Counter(t.entry.reason for t in decided(simulated) if t.kind == "exited")

    assert counted.held_out == kinds["held_out"] > 0
    assert counted.entered == kinds["entered"] + kinds["held_out"] == 60
    assert counted.completed == kinds["completed"] > 0
    assert counted.exited == exits
    assert set(exits) == {"goal_reached", "too-small"}
    assert counted.failed == {}
    assert counted.waiting == counted.treated - counted.completed - sum(exits.values())
    assert counted.doubts == ()


def test_messages_are_counted_where_they_were_decided(
    simulated: Any, counted: JourneyFlow
) -> None:
    sent = Counter(t.entry.step for t in decided(simulated) if t.kind == "sent")
    kept = Counter(
        (t.entry.step, t.entry.reason)
        for t in decided(simulated)
        if t.kind == "suppressed"
    )

    assert {step.step: step.sent for step in counted.steps if step.sent} == sent
    found = {
        (step.step, reason): count
        for step in counted.steps
        for reason, count in step.suppressed.items()
    }
    assert found == kept
    assert counted.sent == sum(sent.values())


def test_the_time_in_a_step_is_the_median_of_those_who_went_on(
    simulated: Any, counted: JourneyFlow
) -> None:
    arrived: dict[str, int] = {}
    took = []
    for traced in decided(simulated):
        entry_ = traced.entry
        if (entry_.kind, entry_.step) == ("waiting", "wait-1d"):
            arrived[traced.customer] = entry_.at
        elif (entry_.kind, entry_.step) == ("went_on", "wait-1d"):
            took.append(entry_.at - arrived[traced.customer])

    assert counted.step("wait-1d").median_ms == statistics.median(took)
    assert counted.step("wait-1d").went_on == len(took)


def test_the_shares_of_a_branch_are_of_those_who_came_to_it(
    simulated: Any, counted: JourneyFlow
) -> None:
    paths = Counter(t.entry.reason for t in decided(simulated) if t.kind == "branched")
    every = sum(paths.values())

    nudge = counted.edge("branch", "send-sms-nudge")
    small = counted.edge("branch", "exit-too-small")

    assert nudge is not None
    assert small is not None
    assert (nudge.count, small.count) == (paths["path"], paths["otherwise"])
    assert nudge.share == pytest.approx(paths["path"] / every)
    assert nudge.known
    assert small.known


def test_goals_of_the_held_out_stand_apart(
    simulated: Any, counted: JourneyFlow
) -> None:
    held = {t.entry.enrollment for t in decided(simulated) if t.kind == "held_out"}
    reached = [t.entry.enrollment for t in decided(simulated) if t.kind == "goal"]

    (goal,) = counted.goals

    assert goal.goal == "order"
    assert goal.held_out == sum(run in held for run in reached)
    assert goal.reached == len(reached) - goal.held_out


def test_test_traffic_counts_nowhere(tmp_path: Path) -> None:
    events = [
        happened("cart.updated", "ada", 1, total=60),
        decode_event(
            b'{"id": "seed-1", "name": "cart.updated", "customer": "seed", "test": true,'
            b' "occurred_at": "2026-06-01T09:00:00Z"}'
        ),
    ]
    treated = Journey(
        "cart", trigger=on("cart.updated"), steps=[Send("email", "hello")]
    )
    logs = record(tmp_path, treated, events)

    with Warehouse.open(logs) as house:
        found = flow(house, treated)

    assert found.entered == found.sent == found.step("send-email-hello").arrived == 1


def test_a_lost_line_is_a_doubt(tmp_path: Path) -> None:
    journey = Journey(
        "cart",
        trigger=on("cart.updated"),
        steps=[Wait(hours(1)), Send("email", "hello")],
    )
    record(tmp_path, journey, [happened("cart.updated", "ada", 1)])
    path = next(tmp_path.glob("decisions*"))
    lines = path.read_text().splitlines(keepends=True)
    kept = [
        line for line in lines if '"waiting"' not in line and '"went_on"' not in line
    ]
    path.write_text("".join(kept))

    with Warehouse.open(Logs(files([path]))) as house:
        found = flow(house, journey)

    assert found.step("wait-1h").arrived == 0
    assert len(kept) == len(lines) - 2
    assert found.begun_elsewhere == {"send-email-hello": 1}
    (doubt,) = found.doubts
    assert doubt.startswith("1 run's first known step is not the journey's first")


def test_a_wait_that_is_over_at_once_is_passed_all_the_same(tmp_path: Path) -> None:
    journey = Journey(
        "party",
        trigger=on("invited"),
        steps=[
            Wait(Until(window=Window("08:00", "10:00")), id="awake"),
            Send("email", "hello"),
        ],
    )
    events = [
        happened("invited", "ada", 1),
        make_event("invited", "ben", at="2026-06-01T12:00:00Z"),
    ]
    logs = record(tmp_path, journey, events)

    with Warehouse.open(logs) as house:
        found = flow(house, journey)

    awake = found.step("awake")
    assert (awake.arrived, awake.went_on, found.step("send-email-hello").sent) == (
        2,
        2,
        2,
    )
    assert awake.median_ms == 20 * 3_600_000  # of the one who stayed
    assert found.doubts == ()


def test_runs_whose_entry_is_lost_are_a_doubt(tmp_path: Path) -> None:
    journey = Journey(
        "cart", trigger=on("cart.updated"), steps=[Send("email", "hello")]
    )
    events = [happened("cart.updated", who, 1) for who in ("ada", "ben")]
    logs = record(tmp_path, journey, events)
    path = next(tmp_path.glob("decisions*"))
    lines = path.read_text().splitlines(keepends=True)
    first = next(line for line in lines if '"entered"' in line)
    path.write_text("".join(line for line in lines if line != first))

    with Warehouse.open(logs) as house:
        found = flow(house, journey)

    assert (found.entered, found.completed) == (1, 1)
    assert (
        "2 decisions are about runs whose entry is not in this log" in found.doubts[0]
    )


def test_steps_of_another_version_are_told_apart(tmp_path: Path) -> None:
    old = Journey("cart", trigger=on("cart.updated"), steps=[Send("email", "old")])
    new = Journey(
        "cart", trigger=on("cart.updated"), version=2, steps=[Send("email", "new")]
    )
    logs = record(tmp_path, old, [happened("cart.updated", "ada", 1)])

    with Warehouse.open(logs) as house:
        found = flow(house, new)

    assert [(s.step, s.known, s.arrived) for s in found.steps] == [
        ("send-email-new", True, 0),
        ("send-email-old", False, 1),
    ]
    assert "1 arrival at steps that this version doesn't have" in found.doubts[0]


def test_an_empty_log_counts_nothing(tmp_path: Path) -> None:
    with Warehouse.open(Logs([])) as house:
        found = flow(house, CART)

    assert (found.entered, found.waiting, found.edges, found.doubts) == (0, 0, (), ())
    assert [step.arrived for step in found.steps] == [0] * len(found.steps)


def test_a_step_that_comes_round_again_is_arrived_at_again(tmp_path: Path) -> None:
    journey = Journey(
        "pay",
        trigger=on("invoice.sent"),
        steps=[
            Send("email", "ask", id="ask"),
            WaitFor(
                [When(on("invoice.paid"), [Exit("paid")])], id="paid", timeout=days(7)
            ),
            Goto("ask"),
        ],
    )
    events = [happened("invoice.sent", "ada", 1), happened("invoice.paid", "ada", 20)]
    logs = record(tmp_path, journey, events)

    with Warehouse.open(logs) as house:
        found = flow(house, journey)

    back = found.edge("paid", "ask")
    assert back is not None
    assert (back.count, back.known) == (2, True)
    assert found.step("ask").arrived == 3
    assert found.doubts == ()


# Every golden journey, as its decisions would be logged


class Logged(Story):
    """A golden story that writes down what a decision log would hold of it."""

    def __init__(self, document: Any) -> None:
        super().__init__(document, through_json=False)
        self.lines: list[bytes] = []

    def _react(self, stimulus: Stimulus, now: datetime) -> list[str]:
        before = self.customers.get(stimulus.customer)
        reaction = react(before, stimulus, catalog=self.catalog, now=now)
        revision = reaction.customer.revision
        is_new = before is None or revision != before.revision
        for n, entry_ in enumerate(reaction.trace):
            self.lines.append(
                line_of(
                    redacted(entry_, frozenset()),
                    customer=log_id(stimulus.customer, "salt"),
                    revision=revision,
                    n=n if is_new else -1 - n,
                    now=to_ms(now),
                    event=getattr(stimulus, "id", ""),
                )
            )
        return super()._react(stimulus, now)


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_the_counts_of_golden_journeys_add_up(file: Path, tmp_path: Path) -> None:
    told = Logged(json.loads(file.read_text("utf-8")))
    counts = told.tell()["counts"]
    log = tmp_path / "decisions.jsonl"
    log.write_bytes(b"".join(line.rstrip(b"\n") + b"\n" for line in told.lines))
    journeys = [from_json(json.dumps(each), Journey) for each in told._journeys]

    with Warehouse.open(Logs(files([log]))) as house:
        found = [flow(house, journey) for journey in journeys]

    for each in found:
        ended = each.completed + sum(each.exited.values()) + sum(each.failed.values())
        assert each.entered == each.held_out + each.waiting + ended
        for step in each.steps:
            assert step.missing == 0
            ways = sum(edge.count for edge in each.edges if edge.step == step.step)
            assert ways == step.went_on
    assert sum(each.entered for each in found) == counts.get("entered", 0)
    assert sum(each.held_out for each in found) == counts.get("held_out", 0)
    assert sum(each.waiting for each in found) == counts.get("waiting", 0)
    assert sum(each.completed for each in found) == counts.get("completed", 0)
    assert sum(sum(e.exited.values()) for e in found) == counts.get("exited", 0)
    assert sum(sum(e.failed.values()) for e in found) == counts.get("failed", 0)
    if "publish" not in json.dumps(told.document["stimuli"]):
        assert [doubt for each in found for doubt in each.doubts] == []
