"""Readings of objectives: taken once, kept, and read no further back than they need."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

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
    Send,
    SurveyScore,
    Total,
    Wait,
    When,
    days,
    entry,
    event,
    months,
    on,
)
from journeykit.engine.calendar import isoformat, to_datetime, to_ms
from journeykit.errors import InputError, StoreError
from journeykit.insight.declared import Declared, declared, encoded, read_declared
from journeykit.insight.feeds import worth_paths
from journeykit.insight.lookback import lookback
from journeykit.insight.objectives import objective_figures
from journeykit.insight.readings import WEEKS, Bounds, Readings
from journeykit.insight.sources import Logs, logs_in
from journeykit.insight.warehouse import Scope, Warehouse
from journeykit.insight.watching import MemoryShelf, Shelf
from journeykit.model.measures import Measure
from journeykit.model.watching import WatchRule, WatchSettings
from journeykit.testing import make_event

BEGIN = datetime(2026, 1, 5, tzinfo=UTC)  # a Monday
DAY = date(2026, 3, 11)  # a Wednesday, of the tenth week
END = to_ms(datetime(2026, 3, 12, tzinfo=UTC))
LATER = date(2026, 12, 31)

BASKET = Journey(
    "basket",
    trigger=on("visited"),
    reentry="always",
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
    ],
)
BOUNDED: list[Measure] = [
    Conversion("basket", over=days(14)),
    Conversion("basket", per="person", over=months(1)),
    Revenue("basket", over=days(14)),
    Revenue(per="goal", over=days(10)),
    Revenue("basket", per="run", over=days(14)),
    Occurrences("bought", over=days(7)),
    Occurrences("bought", over=days(7), count="people"),
    Total("bought", value=event.amount, over=days(9)),
    Reach("bought", among="visited", over=days(21)),
    Reach("bought", over=days(21)),
    Returning("bought", within=days(7), over=days(14)),
    SurveyScore("how", over=days(28)),
    MessageRate("opened", over=days(14)),
]
UNBOUNDED: list[Measure] = [
    Conversion("basket"),
    Arrival("basket", "send-email-offer", over=days(14)),
    Revenue(),
    Active("bought", within=days(7)),
    Returning("bought", within=days(7), over=days(14), after="first"),
    Membership(segment="large"),
]


def named(measure: Measure) -> str:
    return f"{measure.type}-{[*BOUNDED, *UNBOUNDED].index(measure)}".replace("_", "-")


def stories() -> list[Event]:
    draw = random.Random(7)
    found = []
    for number in range(20):
        who, at = f"c{number}", BEGIN + timedelta(days=draw.uniform(0, 20))
        while at < to_datetime(END):
            name = draw.choices(["visited", "bought", "survey.answered"], [5, 3, 1])[0]
            more: dict[str, object] = {"amount": draw.randint(1, 60)}
            if name == "survey.answered":
                more = {"survey": "how", "kind": "nps", "score": draw.randint(0, 10)}
            found.append(
                make_event(name, who, more, at=isoformat(to_ms(at)), test=number == 3)
            )
            at += timedelta(days=draw.expovariate(1 / 3))
    return sorted(found, key=lambda each: each.occurred_at)


@pytest.fixture(scope="module")
def by_day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The logs of a journey as they are in S3: a folder a day, by when they were written."""
    folder = tmp_path_factory.mktemp("logs")
    logs = record(
        folder / "whole",
        BASKET,
        stories(),
        until=to_datetime(END),
        fates={"email": ["delivered", "opened after 3h"]},
    )
    for name, partitions, field in (
        ("decisions", logs.decisions, "now"),
        ("events", logs.events, "received_at"),
    ):
        days_of: dict[str, list[bytes]] = {}
        for partition in partitions:
            with partition.fetch() as paths:
                for line in b"".join(path.read_bytes() for path in paths).splitlines(
                    True
                ):
                    days_of.setdefault(json.loads(line)[field][:10], []).append(line)
        for day, lines in days_of.items():
            place = folder / "daily" / name / f"day={day}"
            place.mkdir(parents=True)
            (place / "one.gz").write_bytes(gzip.compress(b"".join(lines)))
    return folder / "daily"


class Asked:
    """Logs by day that take down from when on they are asked for."""

    def __init__(self, folder: Path, *, size: int = 1) -> None:
        self.folder = folder
        self.size = size  # of a day
        self.since: list[date | None] = []

    @contextmanager
    def __call__(self, since: int | None, until: int) -> Iterator[Logs]:
        self.since.append(None if since is None else to_datetime(since).date())
        logs = logs_in(self.folder, since=since, until=until)
        yield Logs(
            [replace(one, size=self.size) for one in logs.decisions],
            [replace(one, size=0) for one in logs.events],
        )


def objective(measure: Measure | None, id: str = "figure", **more: object) -> Objective:
    by = more.pop("by", LATER)
    return Objective(id, "what it is", 50, by, measure=measure, **more)  # type: ignore[arg-type]


def readings(
    asked: Asked,
    *objectives: Objective,
    shelf: Shelf | None = None,
    bounds: Bounds | None = None,
) -> Readings:
    return Readings(
        Declared(objectives, [BASKET]), shelf or MemoryShelf(), asked, bounds=bounds
    )


def sundays(last: date, count: int) -> list[int]:
    """The last milliseconds of so many weeks that were over on a day."""
    monday = last - timedelta(days=last.weekday())
    return [
        to_ms(datetime(one.year, one.month, one.day, tzinfo=UTC)) - 1
        for one in (monday - timedelta(weeks=ago) for ago in range(count - 1, -1, -1))
    ]


# --- what is read ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def shelved(by_day: Path) -> bytes:
    """What is on the shelf behind a first watch of all measures."""
    shelf = MemoryShelf()
    readings(Asked(by_day), *map(objective, BOUNDED, map(named, BOUNDED)), shelf=shelf)(
        DAY
    )
    return shelf.get("objectives.json") or b""


@pytest.fixture(scope="module")
def whole(by_day: Path) -> Iterator[Warehouse]:
    """All of the logs."""
    worth = worth_paths([BASKET])
    with Warehouse.open(logs_in(by_day), scope=Scope(until=END), worth=worth) as house:
        yield house


@pytest.mark.parametrize("measure", BOUNDED, ids=[*map(named, BOUNDED)])
def test_a_figure_needs_the_log_no_further_back_than_it_is_read(
    by_day: Path, whole: Warehouse, shelved: bytes, measure: Measure
) -> None:
    asked, shelf = Asked(by_day), MemoryShelf()
    shelf.put("objectives.json", shelved)
    the_one = objective(measure, named(measure))

    [figures] = readings(asked, the_one, shelf=shelf)(DAY).figures

    expected = objective_figures(whole, the_one, [BASKET])
    assert expected.value is not None
    assert figures.value == pytest.approx(expected.value)
    assert figures.of == expected.of
    since = lookback(measure, END - 1, [BASKET])
    assert since is not None
    assert asked.since == [to_datetime(since).date()]


@pytest.mark.parametrize("measure", UNBOUNDED, ids=[*map(named, UNBOUNDED)])
def test_what_began_nobody_knows_when_needs_all_of_the_log(measure: Measure) -> None:
    assert lookback(measure, END, [BASKET]) is None


def test_worth_without_a_window_of_the_goal_needs_all_of_the_log() -> None:
    endless = replace(BASKET, goal=Goal(on("bought"), id="bought"))

    assert lookback(Revenue("basket", over=days(7)), END, [endless]) is None
    assert lookback(Revenue("other", over=days(7)), END, [endless]) is None
    assert lookback(Conversion("basket", over=days(7)), END, [endless]) is not None


# --- what is kept ---------------------------------------------------------------------


def test_a_history_is_the_figure_at_the_ends_of_weeks(shelved: bytes) -> None:
    measure = Occurrences("bought", over=days(7))
    bought = [one for one in stories() if one.name == "bought" and not one.test]

    kept = json.loads(shelved)["objectives"][named(measure)]["readings"]

    assert [int(at) for at in kept] == sundays(DAY, WEEKS)
    told = {int(at): value for at, value in kept.items() if value is not None}
    assert [*told] == sundays(DAY, 9)  # the log has no more
    for at, value in told.items():
        week = 7 * 86_400_000
        assert value == sum(at - week < to_ms(one.occurred_at) <= at for one in bought)


def test_a_reading_is_taken_once(by_day: Path) -> None:
    shelf, asked = MemoryShelf(), Asked(by_day)
    ours = readings(asked, objective(Occurrences("bought", over=days(7))), shelf=shelf)

    first = ours(DAY)
    second = ours(DAY)
    ours(DAY + timedelta(days=5))  # a Monday

    assert first == second
    assert [to_ms(one.at) for one in first.figures[0].history if one.value] == (
        sundays(DAY, 9)
    )
    assert asked.since[1:] == [date(2026, 3, 4), date(2026, 3, 8)]


def test_another_measure_begins_anew_and_another_target_does_not(by_day: Path) -> None:
    shelf, asked = MemoryShelf(), Asked(by_day)
    measure = Occurrences("bought", over=days(7))
    readings(asked, objective(measure), shelf=shelf)(DAY)

    readings(asked, replace(objective(measure), target=9.0), shelf=shelf)(DAY)
    other = Occurrences("bought", over=days(6))
    readings(asked, objective(other), shelf=shelf)(DAY)

    first, same, anew = asked.since
    assert (first, same) == (date(2025, 9, 7), date(2026, 3, 4))
    assert anew == date(2025, 9, 8)


def test_a_dry_run_keeps_nothing(by_day: Path) -> None:
    shelf = MemoryShelf()

    readings(Asked(by_day), objective(Revenue(over=days(7))), shelf=shelf)(
        DAY, dry_run=True
    )

    assert shelf.get("objectives.json") is None


def test_damaged_readings_are_taken_anew(by_day: Path) -> None:
    shelf = MemoryShelf()
    shelf.put("objectives.json", b'{"objectives": 3}')
    ours = readings(
        Asked(by_day), objective(Occurrences("bought", over=days(7))), shelf=shelf
    )

    [figures] = ours(DAY).figures

    assert len([one for one in figures.history if one.value]) == 9


def test_an_objective_whose_date_is_over_is_read_once_more(by_day: Path) -> None:
    shelf, asked = MemoryShelf(), Asked(by_day)
    measure = Occurrences("bought", over=days(7))
    ended = objective(measure, by=date(2026, 3, 2))
    ours = readings(asked, ended, shelf=shelf)

    first = ours(DAY)
    again = ours(DAY + timedelta(days=1))

    assert asked.since == [date(2026, 2, 23)]
    [before], [after] = first.figures, again.figures
    assert before.value is not None
    assert (after.value, after.status) == (before.value, before.status)
    assert after.at == datetime(2026, 3, 2, 23, 59, 59, 999_000, tzinfo=UTC)


# --- what there is room for -----------------------------------------------------------


def test_where_little_fits_history_is_given_up_before_figures(by_day: Path) -> None:
    shelf, asked = MemoryShelf(), Asked(by_day, size=10)
    week, month = (
        Occurrences("bought", over=days(7)),
        Occurrences("bought", over=days(28)),
    )
    ours = readings(
        *(asked, objective(week, "week"), objective(month, "month")),
        shelf=shelf,
        bounds=Bounds(lines=450),
    )

    found = ours(DAY)

    assert found.left_out == []
    assert [one.id for one in found.figures] == ["week", "month"]
    for one in found.figures:
        assert one.value is not None
        assert 0 < len(one.history) < 10


def test_an_objective_for_which_there_is_no_room_is_left_out_and_named(
    by_day: Path,
) -> None:
    asked = Asked(by_day, size=1024**3)
    ours = readings(
        asked,
        objective(Occurrences("bought"), "ever"),
        objective(Occurrences("bought", over=days(60)), "long"),
        objective(Occurrences("bought", over=days(3)), "short"),
        bounds=Bounds(lines=12 * 1024**3),
    )

    found = ours(DAY)

    assert [one.id for one in found.figures] == ["short"]
    ever, long = found.left_out
    assert ever.startswith("objective 'ever' is left out: the logs that it needs have")
    assert long.startswith("objective 'long' is left out")
    assert "12.0 GB are read at most" in ever


def test_a_try_that_was_ended_is_not_made_again_on_the_day(by_day: Path) -> None:
    class EndedError(BaseException):
        """Nothing of ours catches it."""

    def ended(since: int | None, until: int) -> Iterator[Logs]:
        raise EndedError
        yield

    class Dying(MemoryShelf):
        """A process that is ended notes nothing more."""

        def put(self, name: str, content: bytes) -> None:
            if self.get(name) is None:
                super().put(name, content)

    dying = Dying()
    the_one = objective(Occurrences("bought", over=days(7)))
    bounds = Bounds(lines=1000)
    with pytest.raises(EndedError):
        Readings(Declared([the_one], []), dying, contextmanager(ended), bounds=bounds)(
            DAY
        )
    shelf = MemoryShelf(dying)

    again = readings(Asked(by_day), the_one, shelf=shelf, bounds=bounds)(DAY)
    tomorrow = readings(Asked(by_day), the_one, shelf=shelf, bounds=bounds)(
        DAY + timedelta(days=1)
    )

    assert again.figures == []
    assert "the try before this one was ended" in again.left_out[0]
    assert [one.id for one in tomorrow.figures] == ["figure"]


def test_reading_stops_while_there_is_time_for_the_rest(by_day: Path) -> None:
    left = iter(range(300, 0, -10))
    ours = readings(
        Asked(by_day),
        objective(Occurrences("bought", over=days(28))),
        bounds=Bounds(lines=10**9),
    )

    found = ours(DAY, time_left=lambda: next(left))

    assert found.figures == []
    assert "there was no time to read all of the log" in found.left_out[0]


@pytest.mark.parametrize("bounds", [None, Bounds(lines=10**9)], ids=["any", "bounded"])
def test_a_database_that_fails_is_told(
    by_day: Path, monkeypatch: pytest.MonkeyPatch, bounds: Bounds | None
) -> None:
    import duckdb

    def full(*_: object, **__: object) -> None:
        raise duckdb.OutOfMemoryException("no memory\nmore of it")

    monkeypatch.setattr(Warehouse, "open", full)
    ours = readings(
        Asked(by_day), objective(Occurrences("bought", over=days(7))), bounds=bounds
    )

    if bounds is None:
        with pytest.raises(StoreError, match=r"the database fails: no memory$"):
            ours(DAY)
    else:
        [sentence] = ours(DAY).left_out
        assert sentence.endswith("are left out: the database fails: no memory")


# --- what is declared -----------------------------------------------------------------


def test_what_is_declared_is_read_as_it_was_written(tmp_path: Path) -> None:
    ours = declared(
        [objective(one, f"o{place}") for place, one in enumerate(BOUNDED + UNBOUNDED)],
        [BASKET],
        WatchSettings(),
    )
    assert ours is not None
    path = tmp_path / "objectives.json"
    path.write_bytes(encoded(ours))

    found = read_declared(path)

    assert found is not None
    assert [*found.objectives] == [*ours.objectives]
    assert [one.goals for one in found.journeys] == [BASKET.goals]
    assert worth_paths(found.journeys) == worth_paths([BASKET])
    assert encoded(found) == encoded(ours)


def test_of_a_journey_nothing_but_its_goals_is_written() -> None:
    ours = declared([objective(BOUNDED[0])], [BASKET], WatchSettings())

    assert ours is not None
    [journey] = json.loads(encoded(ours))["journeys"]
    assert journey.keys() == {"id", "goal"}


@pytest.mark.parametrize(
    ("objectives", "settings"),
    [
        ([], WatchSettings()),
        ([objective(None)], WatchSettings()),
        ([objective(BOUNDED[0])], WatchSettings(rule=WatchRule(figures=("entries",)))),
    ],
    ids=["none", "no-measure", "not-watched"],
)
def test_where_nothing_is_to_be_looked_at_nothing_is_declared(
    objectives: Sequence[Objective], settings: WatchSettings
) -> None:
    assert declared(objectives, [BASKET], settings) is None


@pytest.mark.parametrize("text", ["{", '{"objectives": [{"id": 3}], "journeys": []}'])
def test_a_damaged_declaration_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "objectives.json"
    assert read_declared(path) is None
    path.write_text(text, "utf-8")

    with pytest.raises(InputError, match="build the bundle again"):
        read_declared(path)
