from __future__ import annotations

import json

import msgspec
from tests.cli.conftest import Shop

from journeykit.ports import Job
from journeykit.runtime.visits import Person
from journeykit.testing import make_event


def test_one_customer_enters(published: Shop) -> None:
    result = published("enroll", "cart", "ada", "--entry", '{"total": 12}')

    assert result.stdout.splitlines() == [
        "1 called to enroll:",
        "  1           entered",
    ]
    (ada,) = published.customers("ada")
    assert [run.journey for run in ada.active] == ["cart"]


def test_what_becomes_of_many_is_counted_by_reason(shop: Shop) -> None:
    path = shop.folder / "journeys/cart.py"
    path.write_text(path.read_text().replace('"always"', '"never"'))
    shop("publish")
    shop.happen(make_event("cart.updated", "bob"))
    shop.write("who.txt", 'ada\nbob\n\n{"customer": "cyd", "entry": {"x": 1}}\n')

    result = shop("enroll", "cart", "--file", str(shop.folder / "who.txt"))

    assert result.stdout.splitlines()[:3] == [
        "3 called to enroll:",
        "  2           entered",
        "  1           did not enter: once only",
    ]


def test_people_come_from_the_standard_input(published: Shop) -> None:
    result = published("enroll", "cart", "--file", "-", input="ada\nbob\n")

    assert "2 called to enroll" in result.stdout


def test_an_entry_holds_for_all_who_have_none_of_their_own(shop: Shop) -> None:
    path = shop.folder / "journeys/cart.py"
    text = path.read_text().replace('{"code": "X"}', '{"code": entry.code}')
    path.write_text(text.replace("import Goal", "import entry, Goal"))
    shop("publish")
    lines = 'ada\n{"customer": "bob", "entry": {"code": "B"}}\n'

    shop("enroll", "cart", "--file", "-", "--entry", '{"code": "A"}', input=lines)

    ada, bob = shop.customers("ada", "bob")
    assert [ada.active[0].entry, bob.active[0].entry] == [{"code": "A"}, {"code": "B"}]


def test_messages_that_follow_wait_for_who_delivers(shop: Shop) -> None:
    path = shop.folder / "journeys/cart.py"
    path.write_text(path.read_text().replace("Wait(hours(1)), ", ""))
    shop("publish")

    result = shop("enroll", "cart", "ada")

    assert "1 message or call waits for `journeykit serve`" in result.stdout


def test_a_journey_that_takes_no_calls_is_refused_with_the_way_out(
    published: Shop,
) -> None:
    result = published("enroll", "news", "ada")

    assert result.exit_code == 1
    assert "journey 'news' takes nobody who is called: add api()" in result.stderr


def test_a_journey_that_is_not_live_is_refused_with_the_way_out(
    published: Shop,
) -> None:
    published("pause", "cart")

    result = published("enroll", "cart", "ada")

    assert result.exit_code == 1
    assert "is paused, so nobody would enter; journeykit resume cart" in result.stderr


def test_an_unknown_journey_is_an_error_with_a_hint(published: Shop) -> None:
    for command in ("enroll", "remove"):
        result = published(command, "carts", "ada")

        assert result.exit_code == 1
        assert "did you mean 'cart'?" in result.stderr


def test_a_file_that_was_interrupted_goes_on_and_calls_nobody_twice(
    published: Shop,
) -> None:
    who = b"\n".join(msgspec.json.encode(Person(name)) for name in ("ada", "bob"))
    with published.embedded() as embedded:
        job = embedded.store.save(
            Job(0, "enroll", "cart", started_at=1_800_000_000_000, people=who)
        )
        embedded.store.save(msgspec.structs.replace(job, cursor="1", visited=1))

    published("enroll", "cart", "--file", "-", input="ada\nbob\n")

    with published.embedded() as embedded:
        assert [*embedded.store.load(["ada", "bob"])] == ["bob"]
        assert embedded.store.unfinished() == []


def test_a_line_that_names_nobody_calls_nobody(published: Shop) -> None:
    result = published("enroll", "cart", "--file", "-", input='ada\n{"custmer": "b"}\n')

    assert result.exit_code == 1
    assert "<stdin>:2: names nobody" in result.stderr
    with published.embedded() as embedded:
        assert embedded.store.load(["ada"]) == {}


def test_an_empty_file_is_an_error(published: Shop) -> None:
    result = published("enroll", "cart", "--file", "-", input="\n")

    assert result.exit_code == 1
    assert "<stdin>: names nobody" in result.stderr


def test_a_bad_entry_is_wrong_usage(published: Shop) -> None:
    for entry in ("{", "[]", "1"):
        assert published("enroll", "cart", "ada", "--entry", entry).exit_code == 2


def test_nobody_named_is_wrong_usage(published: Shop) -> None:
    runner = published("enroll", "cart", "ada", "bob")

    assert runner.exit_code == 2
    assert "name one customer, or give --file" in runner.stderr


def test_who_is_removed_leaves_and_no_trigger_brings_them_back(
    published: Shop,
) -> None:
    published.happen(make_event("cart.updated", "ada"))

    result = published("remove", "cart", "ada")

    assert "1 called to remove:" in result.stdout
    (ada,) = published.customers("ada")
    assert ada.active == []
    assert "was removed" in words(published("customer", "ada").stdout)


def test_many_are_removed_by_a_file(published: Shop) -> None:
    published.happen(
        make_event("cart.updated", "ada"), make_event("cart.updated", "bob")
    )
    lines = "".join(json.dumps({"customer": name}) + "\n" for name in ("ada", "bob"))

    published("remove", "cart", "--file", "-", input=lines)

    assert [c.active for c in published.customers("ada", "bob")] == [[], []]


def words(text: str) -> str:
    return " ".join(text.split())
