"""The list of suppressed addresses, published like the catalog that names it."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from tests.runtime.conftest import Provider, Shop

from journeykit import Journey, Send, on
from journeykit.engine.ids import address_key
from journeykit.engine.suppressions import Suppression, SuppressionList
from journeykit.errors import DefinitionError, InputError, StaleCatalog
from journeykit.runtime.catalogs import LiveCatalog
from journeykit.runtime.suppressing import (
    Addition,
    change_list,
    checked_addition,
    listed,
    with_additions,
)
from journeykit.testing import MemoryStore

HELLO = Journey("hello", trigger=on("joined"), steps=[Send("email", "hello")])
ADA = Addition(address_key("email", "ada"), "email", "manual")
NOW = 1_780_833_600_000


def shop() -> Shop:
    return Shop(HELLO, channels=[Provider()])


def add(store: MemoryStore, *items: Addition, now: int = NOW) -> SuppressionList:
    def changed(known: SuppressionList) -> SuppressionList:
        return with_additions(known, items, now=now)

    _, after = change_list(store, store, changed, now=now)
    return after


def test_a_list_that_is_published_counts_from_the_next_decision_on() -> None:
    mine = shop()
    add(mine.store, ADA)

    mine.happens("joined", "ada")
    mine.happens("joined", "bob")
    mine.deliver()

    assert "suppressed suppression_list" in mine.said
    assert [message.customer for message in _asked(mine)] == ["bob"]


def _asked(shop: Shop) -> Any:
    provider = shop.dispatcher._channels["email"]
    assert isinstance(provider, Provider)
    return provider.asked


def test_the_same_list_again_publishes_nothing() -> None:
    store = shop().store
    add(store, ADA)
    revision = store.revision()

    add(store, ADA, now=NOW + 1000)

    assert store.revision() == revision


def test_an_empty_list_is_none() -> None:
    store = shop().store
    add(store, ADA)

    change_list(store, store, lambda known: known.without([ADA.key]), now=NOW)

    document = store.current()
    assert document is not None
    assert document.suppressions == ""


def test_what_says_no_instant_leaves_what_is_there_and_what_does_says_it_anew() -> None:
    store = shop().store
    add(store, ADA)

    add(store, ADA._replace(reason="other"), now=NOW + 5000)
    later = add(store, ADA._replace(reason="late", at=NOW + 9000))

    assert list(later) == [Suppression(ADA.key, "email", "late", NOW + 9000)]


def test_without_its_list_no_catalog_is_run() -> None:
    store = shop().store
    add(store, ADA)

    with pytest.raises(DefinitionError, match="is not there"):
        LiveCatalog(store, channels={"email": _rules()})()

    store._contents.clear()
    with pytest.raises(DefinitionError, match="is not there"):
        LiveCatalog(store, channels={"email": _rules()}, contents=store)()


def _rules() -> Any:
    from journeykit.engine.catalog import BY_CUSTOMER_ID

    return BY_CUSTOMER_ID


def test_a_damaged_list_is_not_taken_for_an_empty_one() -> None:
    store = shop().store
    add(store, ADA)
    document = store.current()
    assert document is not None
    store._contents[document.suppressions] = b"\x07damaged"

    with pytest.raises(DefinitionError, match="can't be read"):
        listed(document, store)


def test_a_lost_list_is_begun_anew_by_who_says_so() -> None:
    store = shop().store
    add(store, ADA)
    store._contents.clear()

    with pytest.raises(DefinitionError):
        add(store, ADA)
    before, after = change_list(
        store,
        store,
        lambda known: with_additions(known, [ADA], now=NOW),
        now=NOW,
        anew=True,
    )

    assert (len(before), len(after)) == (0, 1)
    assert listed(store.current(), store).get(ADA.key)


def test_nothing_is_listed_before_something_is_published() -> None:
    store = MemoryStore()

    with pytest.raises(DefinitionError, match="nothing is published"):
        add(store, ADA)


def test_who_is_overtaken_begins_again_with_what_is_there_then() -> None:
    store = shop().store
    bob = Addition(address_key("email", "bob"), "email", "manual")
    raced: list[bool] = []

    def changed(known: SuppressionList) -> SuppressionList:
        if not raced:
            raced.append(True)
            add(store, bob)
        return with_additions(known, [ADA], now=NOW)

    _, after = change_list(store, store, changed, now=NOW)

    assert {item.key for item in after} == {ADA.key, bob.key}


def test_who_is_always_overtaken_gives_up() -> None:
    store = shop().store

    def changed(known: SuppressionList) -> SuppressionList:
        document = store.current()
        assert document is not None
        store.publish(replace(document, revision=document.revision + 1))
        return with_additions(known, [ADA], now=NOW)

    with pytest.raises(StaleCatalog):
        change_list(store, store, changed, now=NOW)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"key": "x"}, "key"),
        ({"channel": "E-Mail"}, "channel"),
        ({"reason": ""}, "reason"),
    ],
    ids=["key", "channel", "reason"],
)
def test_an_addition_keeps_the_bounds(change: Any, field: str) -> None:
    with pytest.raises(InputError, match=field):
        checked_addition(ADA._replace(**change))
