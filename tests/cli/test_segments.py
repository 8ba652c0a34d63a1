"""`journeykit segments`: how large they are, who is in them, and who would be."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner
from tests.cli.conftest import Shop

from journeykit.cli import group
from journeykit.engine.stimuli import Merge
from journeykit.local.embedded import wall_clock
from journeykit.model.events import instant
from journeykit.testing import make_event

TRAITS = """\
from journeykit import Count, Last, Sum, event

orders = Count("orders", "order.placed")
spent = Sum("spent", "order.placed", event.total)
last_order = Last("last_order", "order.placed")
"""
SEGMENTS = """\
- id: loyal
  when: trait.orders >= 2
  name: Those who came back
  description: Whoever came back.
- id: lapsed
  when: trait.last_order.olderThan("30d")
- id: big
  when: trait.spent >= 100
- {id: beta, listed: true}
"""
STAGES = """\
- id: awareness
- {id: conversion, when: trait.orders >= 1}
"""
HELLO = """\
from journeykit import Journey, Send, entered

hello = Journey(
    "hello",
    trigger=entered("beta"),
    purpose="transactional",
    steps=[Send("email", "hello")],
)
"""
NOON = "2026-06-01T12:00:00Z"
JULY = "2026-07-15T12:00:00Z"


@pytest.fixture
def filled(shop: Shop) -> Shop:
    """Four customers: ada and bob came back, bob and cyd spent much, dan did nothing."""
    shop.write("traits.py", TRAITS)
    shop.write("segments.yaml", SEGMENTS)
    shop.write("stages.yaml", STAGES)
    shop.write("journeys/hello.py", HELLO)
    published = shop("publish")
    assert published.exit_code == 0, published.stderr
    shop.happen(
        make_event("order.placed", "ada", at=NOON, total=10),
        make_event("order.placed", "ada", at="2026-06-02T12:00:00Z", total=20),
        make_event("order.placed", "bob", at=NOON, total=200),
        make_event("order.placed", "bob", at="2026-06-20T12:00:00Z", total=20),
        make_event("order.placed", "cyd", at=NOON, total=300),
        make_event("profile.updated", "dan", at=NOON, plan="pro"),
        until="2026-07-10T12:00:00Z",
    )
    return shop


def words(text: str) -> str:
    return " ".join(text.split())


def document(shop: Shop, *arguments: str) -> Any:
    done = shop("segments", *arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_segments_are_listed_with_size_and_share(filled: Shop) -> None:
    done = filled("segments", "list")

    lines = [words(line) for line in done.stdout.splitlines()]
    assert lines[0] == "4 customers, catalog revision 1"
    assert "loyal 2 50 % 0 0 0" in lines
    assert "beta 0 0 % 0 0 0" in lines
    assert any(line.startswith("awareness 1 25 %") for line in lines)
    assert any(line.startswith("conversion 3 75 %") for line in lines)


def test_the_list_is_the_same_as_json(filled: Shop) -> None:
    found = document(filled, "list")

    sizes = {each["segment"]: each["customers"] for each in found["segments"]}
    assert sizes == {"loyal": 2, "lapsed": 2, "big": 2, "beta": 0}
    assert found["customers"] == 4
    assert found["stages"][0] == {"stage": "awareness", "customers": 1, "share": 0.25}


def test_without_a_word_behind_it_lists_where_you_are(
    filled: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(filled.folder)

    done = CliRunner().invoke(group, ["segments"])

    assert done.stdout == filled("segments", "list").stdout


def test_who_waits_for_time_to_pass_is_counted(filled: Shop) -> None:
    # bob's last order is of June 20, so he lapses on July 20; it is later than that.
    found = document(filled, "list")

    assert (found["overdue"], found["not_judged_yet"]) == (1, 0)
    assert "1 customer may have come in or gone out" in words(
        filled("segments", "list").stdout
    )


def test_who_is_not_judged_by_what_is_published_is_counted(filled: Shop) -> None:
    filled.write("segments.yaml", SEGMENTS.replace(">= 100", ">= 250"))
    with filled.embedded() as embedded:
        embedded.publish(now=wall_clock())

    found = document(filled, "list")

    assert found["not_judged_yet"] == 4
    assert "not judged by these definitions yet" in words(
        filled("segments", "list").stdout
    )


def test_without_segments_it_is_said_where_they_belong(published: Shop) -> None:
    assert "segments.py" in published("segments", "list").stdout


def test_before_a_publish_there_is_nothing_to_list(shop: Shop) -> None:
    done = shop("segments", "list")

    assert done.exit_code == 1
    assert "journeykit" in done.stderr


def test_a_segment_is_shown_with_its_people(filled: Shop) -> None:
    done = filled("segments", "show", "loyal", "--at", JULY)

    told = words(done.stdout)
    assert "loyal · Those who came back" in told
    assert "what trait.orders >= 2" in told
    assert "means Whoever came back." in told
    assert "in it 2 of 4 customers, 50 %" in told
    assert "the first 2026-06-02 12:00 UTC" in told
    assert "trait.orders 2, everybody 1.25 (1.6 times)" in told
    assert "segment.loyal" not in told
    assert "all of them" in told
    assert "bob, since 2026-06-20 12:00 UTC" in told


def test_a_sample_is_as_large_as_is_asked(filled: Shop) -> None:
    found = document(filled, "show", "loyal", "--sample", "1", "--at", JULY)
    nobody = document(filled, "show", "loyal", "--sample", "0", "--at", JULY)

    assert len(found["sample"]) == 1
    assert found == document(filled, "show", "loyal", "--sample", "1", "--at", JULY)
    assert nobody["sample"] == []
    assert found["definition"]["when"] == "trait.orders >= 2"
    assert found["first_came_in_at"] == "2026-06-02T12:00:00Z"


def test_a_segment_without_people_is_shown_too(filled: Shop) -> None:
    told = words(filled("segments", "show", "beta").stdout)

    assert "what a list that events fill" in told
    assert "in it 0 of 4 customers, 0 %" in told


def test_a_wrong_name_says_which_was_meant(filled: Shop) -> None:
    done = filled("segments", "show", "loyl")

    assert done.exit_code == 1
    assert "did you mean 'loyal'?" in done.stderr


def test_overlaps_are_a_table_of_counts_and_jaccard(filled: Shop) -> None:
    done = filled("segments", "overlap")

    lines = [words(line) for line in done.stdout.splitlines()]
    # ada, bob and bob, cyd: one of three. ada, cyd have lapsed by July 10.
    assert "big loyal 1 50 % 50 % 0.33" in lines
    assert "lapsed loyal 1 50 % 50 % 0.33" in lines
    assert "3 pairs are apart: nobody is in both" in lines


def test_overlaps_are_all_there_as_json_and_cut_in_words(filled: Shop) -> None:
    found = document(filled, "overlap", "--most", "1")
    done = filled("segments", "overlap", "--most", "1")

    assert len(found["overlaps"]) == 6
    assert found["overlaps"][0]["both"] == 1
    assert "and 2 pairs that are less alike" in done.stdout


def test_one_segment_overlaps_nothing(shop: Shop) -> None:
    shop.write("segments.yaml", "- {id: beta, listed: true}\n")
    assert shop("publish").exit_code == 0

    assert "no two segments" in shop("segments", "overlap").stdout


# try


def test_a_condition_is_tried_on_everybody(filled: Shop) -> None:
    done = filled("segments", "try", "trait.spent > 25 && segment.loyal", "--at", JULY)

    told = words(done.stdout)
    assert "would be in 2 of 4 customers, 50 %, as of 2026-07-15 12:00 UTC" in told
    assert told.endswith("ada bob")


def test_time_counts_as_of_the_instant_that_is_tried(filled: Shop) -> None:
    condition = 'trait.last_order.olderThan("30d")'
    before = document(filled, "try", condition, "--at", "2026-07-15T00:00:00Z")
    after = document(filled, "try", condition, "--at", "2026-08-15T00:00:00Z")

    assert before["sample"] == ["ada", "cyd"]
    assert after["sample"] == ["ada", "bob", "cyd"]


def test_a_segment_is_tried_as_it_stands_in_the_workspace(filled: Shop) -> None:
    filled.write("segments.yaml", SEGMENTS.replace(">= 100", ">= 250"))

    done = filled("segments", "try", "big", "--at", JULY)

    assert "2 are in it: 0 would come in, 1 would go out" in words(done.stdout)
    assert document(filled, "list")["segments"][2]["customers"] == 2  # unchanged


def test_a_list_and_consent_may_be_asked_for(filled: Shop) -> None:
    assert filled("segments", "add", "beta", "dan").exit_code == 0

    assert document(filled, "try", "segment.beta")["sample"] == ["dan"]
    assert document(filled, "try", "has(consent.email)")["customers"] == 0


def test_a_trait_that_is_not_published_is_pointed_out(filled: Shop) -> None:
    filled.write("traits.py", TRAITS + 'seen = Count("seen", "page.viewed")\n')

    done = filled("segments", "try", "trait.seen == 0", "--at", JULY)

    assert "trait.seen isn't published" in words(done.stdout)
    assert document(filled, "try", "trait.seen == 0")["unpublished"] == ["seen"]
    assert document(filled, "try", "trait.orders > 0")["unpublished"] == []


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("loyl", "did you mean 'loyal'?"),
        ("beta", "is a list that events fill"),
        ("trait.spent >", "ends too early"),
        ("event.total > 1", "it is about the customer, whatever happens"),
        ("segment.loyl", "did you mean 'loyal'?"),
    ],
    ids=["unknown segment", "list", "syntax", "event", "unknown in condition"],
)
def test_what_can_be_no_segment_is_refused(
    filled: Shop, condition: str, said: str
) -> None:
    done = filled("segments", "try", condition)

    assert done.exit_code == 1
    assert said in done.stderr


def test_a_misspelt_trait_is_warned_of(filled: Shop) -> None:
    done = filled("segments", "try", "trait.spnt > 1")

    assert done.exit_code == 0
    assert "warning: trait.spnt: no trait is called 'spnt'" in done.stderr


# Static lists


def test_one_is_put_on_a_list_and_enters_its_segment(filled: Shop) -> None:
    done = filled("segments", "add", "beta", "ada")

    assert words(done.stdout).startswith(
        "1 customer put on beta 1 message or call waits"
    )
    assert document(filled, "show", "beta")["sample"][0]["customer"] == "ada"
    (ada,) = filled.customers("ada")
    assert [*ada.past] == ["hello"]


def test_a_file_puts_many_on_a_list_once(filled: Shop) -> None:
    people = 'ada\n{"customer": "eve"}\n\nada\n'

    first = filled("segments", "add", "beta", "--file", "-", input=people)
    again = filled("segments", "add", "beta", "--file", "-", input=people)

    assert first.stdout.startswith(
        "2 customers put on beta\n1 of whom nothing was known"
    )
    assert again.stdout.startswith("0 customers put on beta\n2 on it already\n")
    assert document(filled, "list")["customers"] == 5


def test_who_is_taken_off_has_left_the_segment(filled: Shop) -> None:
    filled("segments", "add", "beta", "ada")

    done = filled("segments", "remove", "beta", "ada")

    assert done.stdout.startswith("1 customer taken off beta\n")
    assert document(filled, "show", "beta")["customers"] == 0


def test_nobody_becomes_known_by_being_taken_off(filled: Shop) -> None:
    done = filled("segments", "remove", "beta", "--file", "-", input="eve\nada\n")

    assert done.stdout == (
        "0 customers taken off beta\n1 not on it\n1 of whom nothing is known\n"
    )
    assert document(filled, "list")["customers"] == 4


def test_who_was_merged_is_put_on_the_list_as_who_they_are(filled: Shop) -> None:
    at = instant("2026-07-11T12:00:00Z")
    filled.happen(Merge(id="m", customer="cyd", into="bob", received_at=at), until=at)

    done = filled("segments", "add", "beta", "cyd")

    assert done.stdout.startswith("1 customer put on beta\n")
    assert document(filled, "show", "beta")["sample"][0]["customer"] == "bob"


def test_a_list_may_be_filled_before_it_is_published(filled: Shop) -> None:
    filled.write("segments.yaml", SEGMENTS + "- {id: gamma, listed: true}\n")

    done = filled("segments", "add", "gamma", "ada")

    assert "1 customer put on gamma\ngamma isn't published yet" in done.stdout
    assert filled("publish").exit_code == 0
    assert document(filled, "show", "gamma")["customers"] == 1


@pytest.mark.parametrize(
    ("name", "said"),
    [("bta", "did you mean 'beta'?"), ("loyal", "is a condition")],
    ids=["unknown", "condition"],
)
def test_what_is_no_list_takes_nobody(filled: Shop, name: str, said: str) -> None:
    done = filled("segments", "add", name, "ada")

    assert done.exit_code == 1
    assert said in done.stderr
    assert filled.customers("ada")[0].lists == {}


def test_who_is_on_too_many_lists_is_refused_and_counted(filled: Shop) -> None:
    filled.happen(
        *(make_event("list.joined", "ada", at=JULY, list=f"l{n}") for n in range(200))
    )

    done = filled("segments", "add", "beta", "ada")

    assert "0 customers put on beta\n1 refused" in done.stdout
