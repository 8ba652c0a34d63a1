from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.cli.conftest import Shop

from journeykit.engine.calendar import to_ms
from journeykit.engine.stimuli import Merge, Recomputed, WakeUp
from journeykit.engine.traits import TraitRules
from journeykit.local.embedded import archive_lines, wall_clock
from journeykit.local.recounting import Recounted, Recounting
from journeykit.model.events import Event
from journeykit.model.zones import zone
from journeykit.testing import make_event
from journeykit.workspace import Workspace

TRAITS = """
from journeykit import Count, Last, Sum, days, event, on

orders = Count("orders", "order.placed")
spent = Sum("spent", on("order.placed", where=event.total > 0), event.total, within=days(30))
last_sku = Last("last_sku", "order.placed", event.sku)
"""
START = datetime.now(UTC).replace(microsecond=0) - timedelta(days=10)
LATER = TRAITS + 'seen = Count("seen", "page.viewed")\n'


@pytest.fixture
def counted(shop: Shop) -> Shop:
    """A workspace with traits, which is published."""
    shop.write("traits.py", TRAITS)
    result = shop("publish")
    assert result.exit_code == 0, result.stderr
    return shop


def run(shop: Shop, *events: Event) -> None:
    """Let events happen by their own clock; they are archived."""
    with shop.embedded() as embedded:
        clock = max(to_ms(event.received_at) for event in events)
        embedded.replay(events, clock=clock, archived=True)


def order(customer: str, total: float, n: int) -> Event:
    """An order so many days after one of ten days ago."""
    said = {"total": total, "sku": f"sku-{n}"}
    at = START + timedelta(days=n)
    return make_event("order.placed", customer, said, at=at, id=f"{customer}-{n}")


def said(shop: Shop, customer: str) -> dict[str, object]:
    (one,) = shop.customers(customer)
    rules = TraitRules.compile(
        trait.to_plan() for trait in Workspace.load(shop.folder).traits
    )
    return rules.values(one.traits, one.clock, zone("UTC"))


def test_traits_are_listed_with_the_room_that_they_take(counted: Shop) -> None:
    result = counted("traits", "list")

    lines = result.stdout.splitlines()
    assert lines[0].startswith("  orders      count in order.placed")
    assert "sum of event.total in order.placed where event.total > 0 for 30d" in (
        " ".join(result.stdout.split())
    )
    assert "of the 24,576 bytes" in " ".join(result.stdout.split())


def test_without_traits_the_list_says_where_they_belong(shop: Shop) -> None:
    result = shop("traits", "list")

    assert "traits.py" in result.stdout


def test_what_is_right_stays_as_it_is(counted: Shop) -> None:
    run(counted, order("ada", 10.5, 0), order("ada", 4, 3), order("bob", 7, 4))
    before = counted.customers("ada", "bob")

    result = counted("traits", "rebuild")

    assert result.exit_code == 0, result.stderr
    assert "0 customers were repaired" in result.stdout
    assert counted.customers("ada", "bob") == before


def test_a_new_trait_is_filled_in_from_the_archive(counted: Shop) -> None:
    page = make_event("page.viewed", "cyd", at=START, id="p")
    run(counted, order("ada", 10, 0), page)
    counted.write("traits.py", LATER)
    assert counted("publish").exit_code == 0

    look = counted("traits", "rebuild", "--look")
    result = counted("traits", "rebuild")

    assert "seen        1 differs" in look.stdout
    assert "1 customer would be repaired" in look.stdout
    assert "1 customer was repaired" in result.stdout
    assert said(counted, "cyd")["seen"] == 1  # of whom nothing was known until then
    assert said(counted, "ada") == {
        "orders": 1,
        "spent": 10,
        "last_sku": "sku-0",
        "seen": 0,
    }


def test_a_changed_definition_begins_anew_until_it_is_computed_again(
    counted: Shop,
) -> None:
    run(counted, order("ada", 10, 0), order("ada", 2, 1))
    counted.write("traits.py", TRAITS.replace("event.total > 0", "event.total > 5"))
    assert counted("publish").exit_code == 0
    assert said(counted, "ada")["spent"] == 0

    counted("traits", "rebuild", "--trait", "spent")

    assert said(counted, "ada")["spent"] == 10


def test_only_the_traits_that_are_named_are_computed(counted: Shop) -> None:
    run(counted, order("ada", 10, 0))
    _damage(counted, "ada")

    result = counted("traits", "rebuild", "--trait", "orders")

    assert "orders" in result.stdout
    assert "spent" not in result.stdout
    assert said(counted, "ada")["orders"] == 1
    assert said(counted, "ada")["spent"] == 0


def test_a_wrong_name_says_which_was_meant(counted: Shop) -> None:
    result = counted("traits", "rebuild", "--trait", "ordres")

    assert result.exit_code == 1
    assert "did you mean 'orders'?" in result.stderr


def test_what_came_twice_counts_once_and_test_traffic_never(counted: Shop) -> None:
    twice = order("ada", 10, 0)
    test = make_event("order.placed", "ada", at=START, id="t", test=True)
    run(counted, twice, test)
    run(counted, twice, test)

    result = counted("traits", "rebuild")

    assert "0 customers were repaired" in result.stdout
    assert said(counted, "ada")["orders"] == 1


def test_a_damaged_line_is_passed_over_and_counted(counted: Shop) -> None:
    run(counted, order("ada", 10, 0))
    archive = next(counted.folder.rglob(".journeykit/events.jsonl"))
    archive.write_bytes(b'{"id": 1}\n' + archive.read_bytes())

    result = counted("traits", "rebuild")

    assert "1 line of the archive can't be read" in " ".join(result.stdout.split())
    assert said(counted, "ada")["orders"] == 1


def test_a_large_archive_is_read_in_several_passes(counted: Shop) -> None:
    run(counted, *(order(f"c{n}", n, n % 7) for n in range(20)))
    _damage(counted, *(f"c{n}" for n in range(20)))

    with counted.embedded() as embedded:
        found = Recounting(embedded, ["orders"], pass_bytes=500).run(
            now=wall_clock(), repair=True
        )

    assert found == Recounted(20, {"orders": 20}, 20, 20, 0, to_ms(START))
    assert {said(counted, f"c{n}")["orders"] for n in range(20)} == {1}


def test_who_was_merged_counts_for_who_took_them_in(counted: Shop) -> None:
    run(counted, order("ada", 10, 0), order("bob", 20, 1), order("cyd", 30, 2))
    at = START + timedelta(days=3)
    for merge in (
        Merge(id="m1", customer="cyd", into="bob", received_at=at),
        Merge(id="m2", customer="bob", into="ada", received_at=at),
    ):
        counted.happen(merge, until=at)
        counted.happen(WakeUp("bob"), WakeUp("ada"), until=at)
    assert said(counted, "ada")["spent"] == 60

    unchanged = counted("traits", "rebuild")
    _damage(counted, "ada")
    repaired = counted("traits", "rebuild")

    assert "0 customers were repaired" in unchanged.stdout
    assert "1 customer was repaired" in repaired.stdout
    assert said(counted, "ada")["spent"] == 60


def test_what_the_schemas_refused_is_not_learned_of(counted: Shop) -> None:
    counted.write(
        "schemas.py",
        "from pydantic import BaseModel\n"
        "class Placed(BaseModel):\n"
        "    total: float\n"
        "    sku: str\n"
        'events = {"order.placed": Placed}\n',
    )
    settings = counted.folder / "journeykit.toml"
    settings.write_text(settings.read_text() + '[ingest]\nschemas = "enforce"\n')
    assert counted("publish").exit_code == 0
    wrong = make_event("order.placed", "ada", {"total": "much"}, at=START, id="w")
    run(counted, order("ada", 10, 0), wrong)
    assert said(counted, "ada")["orders"] == 1

    result = counted("traits", "rebuild")

    assert "0 customers were repaired" in result.stdout


def events_file(shop: Shop, *events: Event) -> str:
    """A file as `run` reads it."""
    path = shop.folder / "orders.jsonl"
    path.write_bytes(archive_lines(events))
    return str(path)


def archive_of(shop: Shop) -> Path:
    return shop.folder / ".journeykit/events.jsonl"


def test_what_run_took_of_a_file_is_not_lost(counted: Shop) -> None:
    path = events_file(counted, order("ada", 10, 0), order("ada", 4, 1))
    counted("run", "--events", path)
    assert said(counted, "ada")["orders"] == 2

    result = counted("traits", "rebuild")

    assert result.exit_code == 0, result.stderr
    assert "0 customers were repaired" in result.stdout
    assert said(counted, "ada")["orders"] == 2


def test_the_archive_that_is_read_again_does_not_grow(counted: Shop) -> None:
    counted("run", "--events", events_file(counted, order("ada", 10, 0)))
    before = archive_of(counted).read_bytes()

    result = counted("run", "--events", str(archive_of(counted)))

    assert result.exit_code == 0, result.stderr
    assert archive_of(counted).read_bytes() == before


def test_an_archive_without_events_empties_no_trait(counted: Shop) -> None:
    run(counted, order("ada", 10, 0))
    archive_of(counted).unlink()

    result = counted("traits", "rebuild")

    assert result.exit_code == 1
    assert "the archive has no events" in " ".join(result.stderr.split())
    assert said(counted, "ada")["orders"] == 1


def test_who_is_older_than_the_archive_stays_as_they_are(counted: Shop) -> None:
    run(counted, order("ada", 10, 0), order("eve", 1, 0))
    archive_of(counted).unlink()
    run(counted, order("ada", 4, 3), order("bob", 5, 3))
    _damage(counted, "bob")

    result = counted("traits", "rebuild")
    after = [said(counted, id)["orders"] for id in ("ada", "bob", "eve")]
    forced = counted("traits", "rebuild", "--all")

    assert "1 customer was repaired" in result.stdout
    assert "2 customers would differ, and stayed" in " ".join(result.stdout.split())
    assert after == [2, 1, 1]
    assert "2 customers were repaired" in forced.stdout
    assert [said(counted, id)["orders"] for id in ("ada", "eve")] == [1, 0]


def test_long_names_are_listed_in_columns(counted: Shop) -> None:
    counted.write("traits.py", TRAITS.replace('"orders"', '"orders_of_all_time"'))

    lines = counted("traits", "list").stdout.splitlines()

    assert lines[0].index("count") == lines[1].index("sum") > 18


def test_nobody_else_may_work_meanwhile(counted: Shop) -> None:
    with counted.embedded():
        result = counted("traits", "rebuild")

    assert result.exit_code == 1
    assert "another journeykit run or serve" in result.stderr


def _damage(shop: Shop, *customers: str) -> None:
    """Let what they have learned be lost."""
    with shop.embedded() as embedded:
        names = tuple(embedded.catalog().traits.rules)
    shop.happen(
        *(
            Recomputed(id="x", customer=id, traits={}, names=names, received_at=START)
            for id in customers
        )
    )
