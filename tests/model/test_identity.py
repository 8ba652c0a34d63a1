"""Which identifiers count, and how they are compared."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest

from journeykit.engine.ids import made_id
from journeykit.errors import InputError
from journeykit.model.events import CUSTOMER_ALIASED, PROFILE_UPDATED, Event
from journeykit.model.identity import (
    DEFAULT,
    IdentityRules,
    is_made,
    rules_of,
    spelled,
)


def event(name: str = "x", customer: str = "ada", **more: Any) -> Event:
    at = datetime(2026, 6, 1, tzinfo=UTC)
    return Event(
        id="1", name=name, customer=customer, occurred_at=at, received_at=at, **more
    )


def test_without_a_table_the_usual_kinds_count() -> None:
    assert rules_of({}) == DEFAULT


def test_a_table_says_which_kinds_count() -> None:
    rules = rules_of(
        {
            "kinds": ["crm", "device"],
            "anonymous": ["device"],
            "attributes": {"crm": "crm_id"},
            "blocked": ["kiosk"],
            "aliases": True,
        }
    )

    assert rules == IdentityRules(
        ("crm", "device"), ("device",), {"crm": "crm_id"}, ("kiosk",), True
    )


def test_without_the_usual_anonymous_kind_every_kind_names_a_person() -> None:
    assert rules_of({"kinds": ["email"]}).anonymous == ()


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"kinds": []}, "identity.kinds: lists 1 to 16 kinds"),
        ({"kinds": [f"k{n}" for n in range(17)]}, "lists 1 to 16 kinds"),
        ({"kinds": ["E mail"]}, "can't be a kind"),
        ({"kinds": ["customer"]}, "can't be a kind"),
        ({"kinds": ["email", "email"]}, "lists a kind twice"),
        ({"kinds": ["email"], "anonymous": ["device"]}, "identity.anonymous: 'device'"),
        ({"attributes": {"crm": "id"}}, "identity.attributes: 'crm'"),
        ({"kinds": "email"}, "identity: kinds: is of type str, needs array"),
        ({"kind": ["email"]}, "did you mean 'kinds'?"),
    ],
)
def test_a_wrong_table_says_what_is_wrong(settings: Any, why: str) -> None:
    with pytest.raises(InputError, match=re.escape(why)):
        rules_of(settings)


@pytest.mark.parametrize(
    ("kind", "value", "alike"),
    [
        ("email", " Ada@Example.COM ", "ada@example.com"),
        ("phone", "+1 (555) 010-0", "+15550100"),
        ("anonymous", " A-1 ", "A-1"),
    ],
)
def test_values_are_spelled_alike(kind: str, value: str, alike: str) -> None:
    assert spelled(kind, value) == alike


def test_identifiers_come_in_the_order_of_their_strength() -> None:
    given = {"anonymous": "a", "other": "x", "email": "A@b.c"}

    named = DEFAULT.named(event(identifiers=given))

    assert list(named.items()) == [("email", "a@b.c"), ("anonymous", "a")]


@pytest.mark.parametrize(
    "value", ["", "null", "None", "0", "000-000", "-1", "kiosk", "a\x00b", "guest"]
)
def test_what_says_nothing_names_nobody(value: str) -> None:
    rules = IdentityRules(blocked=("kiosk",))

    assert rules.named(event(identifiers={"anonymous": value})) == {}


def test_an_attribute_counts_where_it_is_told_and_nowhere_else() -> None:
    rules = IdentityRules(attributes={"email": "mail"})
    known = {"mail": "a@b.c"}

    assert rules.named(event(PROFILE_UPDATED, properties=known)) == {"email": "a@b.c"}
    assert rules.named(event("order.placed", properties=known)) == {}
    assert rules.named(event(PROFILE_UPDATED, properties={"mail": 7})) == {}


@pytest.mark.parametrize(
    ("one", "concerned"),
    [
        (event(), False),
        (event(customer=""), True),
        (event(identifiers={"email": "a@b.c"}), True),
        (event(CUSTOMER_ALIASED), True),
        (event(PROFILE_UPDATED), False),
    ],
    ids=["customer", "nobody", "identifiers", "alias", "profile"],
)
def test_who_has_a_customer_alone_is_not_looked_up(one: Event, concerned: bool) -> None:
    assert DEFAULT.concerns(one) is concerned


def test_an_alias_names_another_id() -> None:
    aliased = event(CUSTOMER_ALIASED, properties={"previous_id": "old"})

    assert DEFAULT.earlier_id(aliased) == "old"
    assert DEFAULT.earlier_id(event(identifiers={"customer": "old"})) == "old"
    assert DEFAULT.earlier_id(event(identifiers={"customer": "ada"})) == ""
    assert DEFAULT.earlier_id(event()) == ""


def test_made_ids_are_told_from_those_of_senders() -> None:
    assert is_made(made_id("anonymous", "a"))
    assert not is_made("ada")
    assert not is_made("~ada")


def test_a_misspelt_key_says_which_was_meant() -> None:
    with pytest.raises(InputError) as caught:
        rules_of({"kindz": ["email"]})

    assert caught.value.message == (
        "identity: 'kindz' is no field of [identity]; did you mean 'kinds'?"
    )
