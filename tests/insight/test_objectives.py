"""Objectives: each measure against a plain count, and where a figure stands."""

from __future__ import annotations

import json
import math
import random
import statistics
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.insight.recording import record

from journeykit import (
    Active,
    Arrival,
    Branch,
    Conversion,
    Event,
    Exit,
    Goal,
    Journey,
    Membership,
    MessageRate,
    Objective,
    Occurrences,
    Reach,
    Returning,
    Revenue,
    Segment,
    Send,
    Stage,
    SurveyScore,
    Total,
    Wait,
    When,
    audience_plan,
    days,
    entry,
    event,
    on,
    profile,
)
from journeykit.engine.calendar import isoformat, to_ms
from journeykit.insight.objectives import (
    ObjectiveFigures,
    objective_figures,
    objectives,
)
from journeykit.insight.sources import Logs
from journeykit.insight.stats.intervals import of_mean, wilson
from journeykit.insight.warehouse import Warehouse
from journeykit.model.measures import Measure
from journeykit.testing import make_event

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
END = BEGIN + timedelta(days=100)
LATER = date(2026, 12, 31)
IN_TIME = END - timedelta(milliseconds=1)

BASKET = Journey(
    "basket",
    trigger=on("visited"),
    reentry="always",
    objectives=["figure"],
    goal=Goal(
        on("bought"),
        id="bought",
        value=event.amount,
        within=days(5),
        on_goal="continue",
    ),
    steps=[
        Wait(days(1)),
        Branch([When(entry.amount > 30, [Exit("rich")])]),
        Send("email", "offer"),
        Send("sms", "offer"),
    ],
)
AUDIENCE = audience_plan(
    segments=[Segment("large", profile.size > 5)],
    stages=[Stage("awareness"), Stage("retention", profile.size > 2)],
)


def stories() -> list[Event]:
    draw = random.Random(31)
    found = []
    for number in range(30):
        who, at = f"c{number}", BEGIN + timedelta(days=draw.uniform(0, 40))
        while at < END:
            name = draw.choices(
                ["visited", "bought", "profile.updated", "survey.answered"],
                [5, 3, 1, 1],
            )[0]
            more: dict[str, Any] = {"amount": draw.randint(1, 60)}
            if name == "profile.updated":
                more = {"size": draw.randint(0, 9)}
            elif name == "survey.answered":
                more = {"survey": "how", "kind": "nps", "score": draw.randint(0, 10)}
                more["group"] = "passive"
                if draw.random() < 0.5:
                    more["delivery_id"] = f"{who}-{at.month}"
            found.append(
                make_event(
                    name, who, more, at=isoformat(to_ms(at)), test=number in (3, 4)
                )
            )
            at += timedelta(days=draw.expovariate(1 / 4))
    return sorted(found, key=lambda each: each.occurred_at)


EVENTS = stories()
REAL = [each for each in EVENTS if not each.test]


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Logs:
    return record(
        tmp_path_factory.mktemp("logs"),
        BASKET,
        EVENTS,
        until=END,
        audience=AUDIENCE,
        fates={"email": ["delivered", "opened after 3h"], "sms": ["bounced"]},
    )


@pytest.fixture(scope="module")
def house(logs: Logs) -> Iterator[Warehouse]:
    with Warehouse.open(logs, worth={("basket", "bought"): '$."amount"'}) as opened:
        yield opened


def figure(
    house: Warehouse, measure: Measure, *, target: float = 50, **more: Any
) -> ObjectiveFigures:
    objective = Objective(
        "figure", "what it is", target, more.pop("by", LATER), measure=measure, **more
    )
    return objective_figures(house, objective, [BASKET])


def last_of(house: Warehouse) -> datetime:
    assert house.span is not None
    return datetime.fromtimestamp(house.span[1] / 1000, tz=UTC)


def named(name: str) -> list[Event]:
    return [each for each in REAL if each.name == name]


# What each measure comes to


def entries() -> list[tuple[str, datetime, list[Event]]]:
    """Runs by hand: who entered when, and what they bought within five days of it."""
    return [
        (
            each.customer,
            each.occurred_at,
            [
                one
                for one in named("bought")
                if one.customer == each.customer
                and each.occurred_at < one.occurred_at < each.occurred_at + timedelta(5)
            ],
        )
        for each in named("visited")
    ]


def test_conversion_is_of_runs_whose_window_is_over(house: Warehouse) -> None:
    over = [each for each in entries() if each[1] + timedelta(5) <= last_of(house)]
    reached = sum(bool(bought) for _, _, bought in over)

    found = figure(house, Conversion("basket"))

    assert (found.unit, found.of) == ("percent", len(over))
    assert found.value is not None
    assert found.value == pytest.approx(100 * reached / len(over))
    assert found.interval is not None
    assert found.value in found.interval


def test_conversion_is_of_people_if_that_is_asked(house: Warehouse) -> None:
    over = [each for each in entries() if each[1] + timedelta(5) <= last_of(house)]
    people = {who for who, _, _ in over}
    reached = {who for who, _, bought in over if bought}

    found = figure(house, Conversion("basket", goal="bought", per="person"))

    assert found.value == pytest.approx(100 * len(reached) / len(people))
    interval = wilson(len(reached), len(people))
    assert found.interval is not None
    assert found.interval.low == pytest.approx(100 * interval.low)


def test_conversion_lately_is_of_runs_whose_window_ended_lately(
    house: Warehouse,
) -> None:
    last = last_of(house)
    lately = [
        each
        for each in entries()
        if last - timedelta(20) < each[1] + timedelta(5) <= last
    ]
    reached = sum(bool(bought) for _, _, bought in lately)

    found = figure(house, Conversion("basket", over=days(20)))

    assert found.of == len(lately)
    assert found.value == pytest.approx(100 * reached / len(lately))


def test_arrival_is_of_runs_that_ended(house: Warehouse) -> None:
    ended = [
        each
        for each in named("visited")
        if each.occurred_at + timedelta(1) <= last_of(house)
    ]
    poor = [each for each in ended if each.properties["amount"] <= 30]

    found = figure(house, Arrival("basket", "send-email-offer"))
    among = figure(house, Arrival("basket", "send-sms-offer", among="send-email-offer"))

    assert (found.of, among.of) == (len(ended), len(poor))
    assert found.value == pytest.approx(100 * len(poor) / len(ended))
    assert among.value == 100


@pytest.mark.parametrize("per", ["total", "goal", "run", "person"])
def test_revenue_is_what_goals_were_worth(house: Warehouse, per: str) -> None:
    runs = entries()
    worths = [bought[0].properties["amount"] for _, _, bought in runs if bought]
    by = {
        "total": 1,
        "goal": len(worths),
        "run": len(runs),
        "person": len({who for who, _, _ in runs}),
    }

    found = figure(house, Revenue("basket", per=per))  # type: ignore[arg-type]

    assert found.unit == "amount"
    assert found.value == pytest.approx(sum(worths) / by[per])
    assert (found.interval is None) == (per == "total")


def test_occurrences_are_events_or_people(house: Warehouse) -> None:
    large = on("bought", where=event.amount > 40)
    bought = [each for each in named("bought") if each.properties["amount"] > 40]

    events = figure(house, Occurrences(large))
    people = figure(house, Occurrences(large, count="people"))
    both = figure(house, Occurrences(["visited", "bought"]))

    assert events.value == len(bought)
    assert people.value == len({each.customer for each in bought})
    assert both.value == len(named("visited")) + len(named("bought"))


def test_a_condition_and_its_event_without_one_count_an_event_once(
    house: Warehouse,
) -> None:
    found = figure(
        house, Occurrences(["bought", on("bought", where=event.amount > 40)])
    )

    assert found.value == len(named("bought"))


@pytest.mark.parametrize("per", ["total", "event", "person"])
def test_a_total_adds_up_a_number_of_events(house: Warehouse, per: str) -> None:
    bought = named("bought")
    amounts = [each.properties["amount"] for each in bought]
    by = {"total": 1, "event": len(bought)}
    by["person"] = len({each.customer for each in bought})

    measure = Total("bought", event.amount, per=per)  # type: ignore[arg-type]
    found = figure(house, measure)

    assert found.value == pytest.approx(sum(amounts) / by[per])


def test_text_is_no_number_of_a_total(tmp_path: Path) -> None:
    events = [
        make_event("visited", amount=1),
        make_event("paid", amount="12"),
        make_event("paid", amount=30),
        make_event("paid", "ada", {"a/b": {"~": 5}}),
    ]

    with Warehouse.open(record(tmp_path, BASKET, events)) as house:
        assert figure(house, Total("paid", event.amount)).value == 30
        assert figure(house, Total("paid", event["a/b"]["~"])).value == 5


def test_reach_is_of_people_with_another_event(house: Warehouse) -> None:
    visitors = {each.customer for each in named("visited")}
    buyers = {
        each.customer for each in named("bought") if each.properties["amount"] > 50
    }
    large = on("bought", where=event.amount > 50)

    found = figure(house, Reach(large, among="visited"))
    anybody = figure(house, Reach(large))

    assert found.value == pytest.approx(100 * len(visitors & buyers) / len(visitors))
    everybody = {each.customer for each in REAL}
    assert anybody.value == pytest.approx(100 * len(buyers) / len(everybody))


def test_active_is_who_did_it_lately_of_all_who_ever_did(house: Warehouse) -> None:
    at = last_of(house)
    last = {each.customer: each.occurred_at for each in named("bought")}
    lately = [who for who, then in last.items() if then > at - timedelta(7)]

    found = figure(house, Active("bought", days(7)))

    assert found.of == len(last)
    assert found.value == pytest.approx(100 * len(lately) / len(last))


@pytest.mark.parametrize("after", ["each", "first"])
@pytest.mark.parametrize("back", [None, "bought"])
def test_returning_is_followed_by_another_in_time(
    house: Warehouse, after: str, back: str | None
) -> None:
    visits = named("visited")
    if after == "first":
        first = {each.customer: each for each in reversed(visits)}
        visits = [*first.values()]
    over = [
        each for each in visits if each.occurred_at + timedelta(6) <= last_of(house)
    ]
    came_back = [
        each
        for each in over
        if any(
            one.customer == each.customer
            and each.occurred_at < one.occurred_at <= each.occurred_at + timedelta(6)
            for one in named(back or "visited")
        )
    ]

    measure = Returning("visited", days(6), back=back, after=after)  # type: ignore[arg-type]
    found = figure(house, measure)

    assert found.of == len(over)
    assert found.value == pytest.approx(100 * len(came_back) / len(over))


def test_membership_is_who_is_in_a_segment_or_stage_then(house: Warehouse) -> None:
    sizes = {
        each.customer: each.properties["size"] for each in named("profile.updated")
    }
    everybody = {each.customer for each in REAL}
    large = sum(size > 5 for size in sizes.values())
    retained = sum(size > 2 for size in sizes.values())

    people = figure(house, Membership(segment="large", count="people"))
    percent = figure(house, Membership(stage="retention"))

    assert (people.value, people.unit) == (large, "count")
    assert percent.value == pytest.approx(100 * retained / len(everybody))


def test_a_survey_scores_promoters_less_detractors(house: Warehouse) -> None:
    first: dict[str, Event] = {}
    for each in named("survey.answered"):
        first.setdefault(each.properties.get("delivery_id", each.id), each)
    points = [
        100 if score >= 9 else -100 if score <= 6 else 0
        for score in (each.properties["score"] for each in first.values())
    ]
    interval = of_mean(len(points), sum(points), sum(one * one for one in points))

    found = figure(house, SurveyScore("how"))

    assert found.of == len(points) < len(named("survey.answered"))
    assert found.value == pytest.approx(statistics.fmean(points))
    assert found.interval is not None
    assert interval is not None
    assert found.interval.low == pytest.approx(interval.low)


def test_a_survey_of_another_kind_scores_nothing(house: Warehouse) -> None:
    found = figure(house, SurveyScore("how", kind="csat"))

    assert (found.value, found.status) == (None, "unknown")


def test_a_message_rate_is_of_messages_sent(house: Warehouse) -> None:
    sent = dict(
        house.rows(
            "select channel, count(*) from decisions "
            "where kind = 'sent' and not test group by channel"
        )
    )

    (opened,) = house.row(
        "select count(*) from decisions where kind = 'sent' and not test "
        "and channel = 'email' and happened_ms <= ?",
        [to_ms(END - timedelta(hours=3))],
    )

    assert sent["email"] > sent["sms"] > 0  # an address that bounced gets nothing more
    for measure, of, count in (
        (MessageRate("delivered", channel="email"), sent["email"], sent["email"]),
        (MessageRate("delivered"), sum(sent.values()), sent["email"]),
        (MessageRate("opened", template="offer"), sum(sent.values()), opened),
        (MessageRate("bounced", journey="basket", channel="sms"), *[sent["sms"]] * 2),
        (MessageRate("clicked"), sum(sent.values()), 0),
    ):
        found = figure(house, measure)

        assert found.of == of
        assert found.value == pytest.approx(100 * count / of)


# Where it stands


def growing(target: float, **more: Any) -> dict[str, Any]:
    return {"measure": Occurrences("bought"), "target": target, **more}


STANDS: list[tuple[str, Callable[[int], dict[str, Any]]]] = [
    ("met", lambda n: growing(n)),
    ("on_track", lambda n: growing(n + 1, by=date(2026, 4, 20))),
    ("behind", lambda n: growing(n * 100)),
    ("missed", lambda n: growing(n * 100, by=date(2026, 3, 1))),
    ("on_track", lambda n: growing(n * 100, aim="at_most")),
    ("behind", lambda n: growing(n, aim="at_most")),
    ("missed", lambda n: growing(n - 1, aim="at_most")),
    ("met", lambda n: growing(n * 100, aim="at_most", by=date(2026, 3, 1))),
    ("behind", lambda n: {"measure": Active("bought", days(7)), "target": 100}),
    (
        "met",
        lambda n: {
            "measure": Active("bought", days(7)),
            "target": 100,
            "aim": "at_most",
        },
    ),
]


@pytest.mark.parametrize(
    ("status", "asked"), STANDS, ids=[f"{n}-{s}" for n, (s, _) in enumerate(STANDS)]
)
def test_an_objective_stands_where_its_figure_does(
    house: Warehouse, status: str, asked: Callable[[int], dict[str, Any]]
) -> None:
    more = asked(len(named("bought")))

    assert figure(house, more.pop("measure"), **more).status == status


def test_what_adds_up_has_a_pace(house: Warehouse) -> None:
    count = len(named("bought"))
    assert house.span is not None
    begin = min(house.span[0], to_ms(REAL[0].occurred_at))
    due = to_ms(datetime(2027, 1, 1, tzinfo=UTC))

    found = figure(house, Occurrences("bought"), target=1000)

    assert found.share_of_target == pytest.approx(count / 1000)
    assert found.expected == pytest.approx(
        1000 * (house.span[1] + 1 - begin) / (due - begin)
    )


def test_a_figure_ends_on_its_date(house: Warehouse) -> None:
    until = datetime(2026, 3, 2, tzinfo=UTC)
    before = [each for each in named("bought") if each.occurred_at < until]

    found = figure(house, Occurrences("bought"), by=date(2026, 3, 1))

    assert found.value == len(before)
    assert found.at == until - timedelta(milliseconds=1)


def test_its_history_is_what_one_would_have_seen_then(house: Warehouse) -> None:
    found = figure(house, Occurrences("bought"))

    assert len(found.history) > 10
    for reading in found.history:
        seen = [each for each in named("bought") if each.occurred_at <= reading.at]
        assert reading.value == len(seen)
    assert found.history[-1].value == found.value


def test_it_says_whether_the_interval_leaves_a_doubt(house: Warehouse) -> None:
    measure = Conversion("basket")
    value = figure(house, measure).value

    assert value is not None
    assert not figure(house, measure, target=math.floor(value)).is_certain
    assert figure(house, measure, target=100).is_certain


def test_it_names_the_journeys_that_serve_it(house: Warehouse) -> None:
    assert figure(house, Conversion("basket")).journeys == ("basket",)


# Without a figure


def test_without_a_measure_there_is_no_figure(house: Warehouse) -> None:
    (found,) = objectives(house, [Objective("figure", "kpi", 1, LATER)]).objectives

    assert (found.status, found.value, found.unit) == ("unknown", None, "")
    assert "it has no measure" in found.problem


@pytest.mark.parametrize(
    ("measure", "problem"),
    [
        (Conversion("other"), "there is no journey 'other'"),
        (Conversion("basket", goal="gone"), "journey 'basket' has not got goal 'gone'"),
        (SurveyScore(kind="ces"), "nothing to count"),
    ],
    ids=["journey", "goal", "survey"],
)
def test_what_can_not_be_counted_says_why(
    house: Warehouse, measure: Measure, problem: str
) -> None:
    found = figure(house, measure)

    assert found.status == "unknown"
    assert problem in found.problem


@pytest.mark.parametrize(
    ("measure", "problem"),
    [
        (Occurrences("bought"), "there is no event archive"),
        (Membership(stage="retention"), "the log tells of no stages"),
        (MessageRate(), "no provider has reported"),
        (Revenue("basket"), "don't say what they were worth"),
    ],
    ids=["archive", "stages", "reports", "worth"],
)
def test_logs_that_lack_something_give_no_zero(
    tmp_path: Path, measure: Measure, problem: str
) -> None:
    logs = record(tmp_path, BASKET, EVENTS, until=END)

    with Warehouse.open(Logs(logs.decisions)) as house:
        found = figure(house, measure)

    assert (found.value, found.status) == (None, "unknown")
    assert problem in found.problem


def test_a_date_before_the_log_has_no_figure(house: Warehouse) -> None:
    found = figure(house, Conversion("basket"), by=date(2025, 1, 1))

    assert found.problem == "the log begins after its date"


def test_an_empty_log_is_no_error(tmp_path: Path) -> None:
    with Warehouse.open(record(tmp_path, BASKET, [], start=BEGIN)) as house:
        assert figure(house, Conversion("basket")).problem == "the log is empty"


def test_only_scores_that_can_be_given_count(tmp_path: Path) -> None:
    scores: list[object] = [10, 0, 7, 50, -1, 9.5, "NaN", None, True]
    events = [
        make_event(
            "survey.answered",
            f"c{number}",
            {"survey": "how", "kind": "nps", "score": score},
            at="2026-06-01T09:00:00Z",
        )
        for number, score in enumerate(scores)
    ]
    events.append(make_event("visited", "ada", at="2026-06-02T09:00:00Z", amount=1))

    with Warehouse.open(record(tmp_path, BASKET, events)) as house:
        found = figure(house, SurveyScore("how"))

    assert (found.value, found.of) == (0, 3)


def test_an_answer_to_a_test_message_is_test_traffic(tmp_path: Path) -> None:
    asked = make_event(
        BASKET.triggers[0].name, "t", at="2026-06-01T09:00:00Z", test=True
    )
    logs = record(tmp_path, BASKET, [asked], until="2026-06-30T09:00:00Z")
    with Warehouse.open(logs) as house:
        (delivery,) = house.row("select min(delivery) from messages where test")
    answer = {"survey": "how", "kind": "nps", "score": 0}
    with (tmp_path / "events-000000.jsonl").open("a") as archive:
        for id, properties in (
            ("a", answer | {"delivery_id": f"{delivery:016x}00000000"}),
            ("b", answer | {"score": 10}),
        ):
            line = {
                "id": id,
                "source": "",
                "name": "survey.answered",
                "customer": "t",
                "occurred_at": "2026-06-03T09:00:00Z",
                "received_at": "2026-06-03T09:00:00Z",
                "properties": properties,
            }
            archive.write(json.dumps(line) + "\n")

    with Warehouse.open(logs) as house:
        found = figure(house, SurveyScore("how"))

    assert (found.value, found.of) == (100, 1)


def test_satisfaction_is_the_percent_of_the_top_two_answers(tmp_path: Path) -> None:
    def answered(score: int) -> Event:
        return make_event(
            "survey.answered",
            f"customer-{score}",
            at=BEGIN,
            survey="till",
            kind="csat",
            score=score,
        )

    visits = [make_event("visited", f"customer-{n}", at=BEGIN) for n in range(1, 6)]
    logs = record(tmp_path, BASKET, [*visits, *map(answered, range(1, 6))])

    with Warehouse.open(logs) as house:
        found = figure(house, SurveyScore("till", kind="csat"))

    assert (found.value, found.of) == (40, 5)
