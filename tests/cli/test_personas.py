"""`journeykit personas`: who the customers are, and groups that nobody has named yet."""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from typing import Any

import pytest
from click.testing import CliRunner
from tests.cli.conftest import Shop
from tests.cli.test_segments import words

from journeykit.cli import group
from journeykit.model.events import Event, instant
from journeykit.testing import make_event
from journeykit.workspace import Workspace

TRAITS = """\
from journeykit import Count, FavoriteChannel, FavoriteHour, Last, Sum, event

orders = Count("orders", "order.placed")
spent = Sum("spent", "order.placed", event.total)
last_order = Last("last_order", "order.placed")
hour = FavoriteHour("hour", "order.placed")
channel = FavoriteChannel("channel")
"""
SEGMENTS = "- {id: loyal, when: trait.orders >= 3}\n- {id: odd, listed: true}\n"
STAGES = "- id: awareness\n- {id: conversion, when: trait.orders >= 1}\n"
PERSONAS = """\
- id: hanna
  segment: loyal
  name: Hurried Hanna
  story: Two children, one hour a week for shopping.
  motivation: Not to have to think about it again.
  questions: ["Will it come before Friday?", "Can I change the address?"]
  friction: Has to type her address each time.
  owner: team-crm
- {id: odile, segment: odd}
"""
START = instant("2026-06-01T09:00:00Z")
JULY = "2026-07-01T00:00:00Z"


def shopping() -> list[Event]:
    """Thirty customers: every third orders five times and much, the others once."""
    events = []
    for n in range(30):
        for k in range(5 if n % 3 == 0 else 1):
            at = START + timedelta(days=5 * k, minutes=n)
            said = {"total": 10 + n + (100 if n % 3 == 0 else 0)}
            name = f"c{n:02}"
            events.append(
                make_event("order.placed", name, said, at=at, id=f"{name}-{k}")
            )
    events.append(make_event("page.viewed", "zoe", at=START))
    return sorted(events, key=lambda event: event.received_at)


@pytest.fixture
def filled(shop: Shop) -> Shop:
    """A workspace with personas, published, in which people have shopped."""
    shop.write("traits.py", TRAITS)
    shop.write("segments.yaml", SEGMENTS)
    shop.write("stages.yaml", STAGES)
    shop.write("personas.yaml", PERSONAS)
    done = shop("publish")
    assert done.exit_code == 0, done.stderr
    shop.happen(*shopping())
    return shop


def document(shop: Shop, *arguments: str) -> Any:
    done = shop("personas", *arguments, "--json", "--at", JULY)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_a_persona_is_told_with_the_people_behind_it(filled: Shop) -> None:
    done = filled("personas", "list", "--persona", "hanna", "--at", JULY)

    told = words(done.stdout)
    assert "Hurried Hanna ─" in told
    assert "segment loyal: 10 of 31 customers, 32 %" in told
    assert "motivation Not to have to think about it again." in told
    assert "questions Will it come before Friday? Can I change the address?" in told
    assert "friction Has to type her address each time." in told
    assert "owner team-crm" in told
    assert "hour 9:00 (100 %)" in told
    assert "conversion 10 100 %" in told
    assert "trait.orders 5, everybody 2.26 (2.21 times)" in told
    assert "Odile" not in told
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_the_same_as_json(filled: Shop) -> None:
    found = document(filled, "list")

    hanna, odile = found["personas"]
    assert found["everybody"] == 31
    assert (hanna["id"], hanna["customers"]) == ("hanna", 10)
    assert hanna["stages"] == {"conversion": {"customers": 10, "share": 1.0}}
    assert hanna["favorites"] == {"trait.hour": {"9:00": 10}}
    assert {each["field"] for each in hanna["typical"]} >= {
        "trait.orders",
        "trait.spent",
    }
    assert (odile["customers"], odile["typical"]) == (0, [])


def test_without_a_word_behind_it_all_are_told(
    filled: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(filled.folder)

    done = CliRunner().invoke(group, ["personas"])

    assert "Hurried Hanna" in done.stdout
    assert "odile" in done.stdout


def test_before_a_publish_the_story_is_told_and_why_nobody_is_counted(
    shop: Shop,
) -> None:
    shop.write("segments.yaml", SEGMENTS)
    shop.write("personas.yaml", PERSONAS)

    done = shop("personas", "list")

    assert "Two children" in done.stdout
    assert "how many they are is not known" in done.stdout


def test_a_segment_that_is_not_published_is_said_to_be_missing(filled: Shop) -> None:
    filled.write("segments.yaml", f"{SEGMENTS}- {{id: new, listed: true}}\n")
    filled.write("personas.yaml", "- {id: nora, segment: new}\n")

    assert "new, which isn't published" in filled("personas", "list").stdout
    assert document(filled, "list")["personas"][0]["customers"] is None


def test_without_personas_it_is_said_where_they_come_from(published: Shop) -> None:
    assert "journeykit personas discover" in published("personas", "list").stdout


def test_a_wrong_name_says_which_was_meant(filled: Shop) -> None:
    done = filled("personas", "list", "--persona", "hana")

    assert done.exit_code == 1
    assert "did you mean 'hanna'?" in done.stderr


# discover


def test_rfm_groups_are_told_with_their_profile(filled: Shop) -> None:
    done = filled("personas", "discover", "--at", JULY)

    told = words(done.stdout)
    assert (
        "31 customers, in 4 groups by trait.last_order, trait.orders, trait.s" in told
    )
    assert "(never bought) 1 3 %" in told
    assert "rfm-champions · 9 customers" in told
    assert "they bought just now, often and much" in told
    assert "mean 9.61 days ago, 5 times, " in told
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_rfm_groups_add_up_as_json(filled: Shop) -> None:
    found = document(filled, "discover")

    assert sum(g["customers"] for g in found["groups"]) + found["in_none"] == 31
    assert all(g["precision"] == g["recall"] == 1 for g in found["groups"])
    assert found["detail"]["recency"] == "last_order"
    assert len(found["detail"]["cuts"]["hours"]) == 4


@pytest.mark.parametrize("by", ["rfm", "clusters"])
def test_what_is_defined_can_be_pasted_and_published_and_finds_them(
    filled: Shop, by: str
) -> None:
    discover = ("discover", "--by", by)
    groups = {g["id"]: g["found"] for g in document(filled, *discover)["groups"]}
    define = ("personas", *discover, "--at", JULY, "--define")
    segments = filled(*define, "segments").stdout
    personas = filled(*define, "personas").stdout

    filled.write("segments.yaml", SEGMENTS + segments)
    filled.write("personas.yaml", PERSONAS + personas)

    loaded = Workspace.load(filled.folder)
    assert [s.id for s in loaded.segments[2:]] == [*groups]
    assert [p.segment for p in loaded.personas[2:]] == [*groups]
    checked = filled("check")
    assert checked.exit_code == 0, checked.stdout
    for id, count in groups.items():
        tried = filled("segments", "try", id, "--at", JULY, "--json")
        assert json.loads(tried.stdout)["customers"] == count


def test_clusters_are_told_with_how_well_their_condition_finds_them(
    filled: Shop,
) -> None:
    done = filled("personas", "discover", "--by", "clusters", "--at", JULY)

    told = words(done.stdout)
    assert "silhouette" in told
    assert "it finds 100 % of them" in told
    found = document(filled, "discover", "--by", "clusters")
    assert sum(g["customers"] for g in found["groups"]) == 31


def test_features_and_the_number_of_clusters_can_be_chosen(filled: Shop) -> None:
    chosen = ("--feature", "trait.orders", "--feature", "trait.last_order")
    found = document(filled, "discover", "--by", "clusters", "--groups", "3", *chosen)

    assert len(found["groups"]) == 3
    assert found["detail"]["features"] == [
        "trait.orders",
        "days since trait.last_order",
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--recency", "orders_"), "no trait 'orders_' is published"),
        (("--by", "clusters", "--feature", "orders"), "write trait.NAME"),
        (
            ("--by", "clusters", "--groups", "8"),
            "8 groups of 31 customers are too many",
        ),
    ],
    ids=["unknown trait", "no field", "too many"],
)
def test_what_cannot_be_done_is_said(
    filled: Shop, arguments: tuple[str, ...], said: str
) -> None:
    done = filled("personas", "discover", *arguments)

    assert done.exit_code == 1
    assert said in done.stderr


def test_without_traits_it_is_said_what_to_declare(published: Shop) -> None:
    done = published("personas", "discover")

    assert done.exit_code == 1
    assert "no trait says the recency: declare a Last and publish it" in done.stderr


def test_without_scikit_learn_it_is_said_what_to_install(
    filled: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "journeykit.runtime.clusters", raising=False)
    monkeypatch.setitem(sys.modules, "sklearn.cluster", None)

    clusters = filled("personas", "discover", "--by", "clusters")
    rfm = filled("personas", "discover")

    assert clusters.exit_code == 1
    assert "pip install 'journeykit[discover]'" in clusters.stderr
    assert rfm.exit_code == 0
