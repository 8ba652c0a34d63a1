"""What publishing makes of the catalog that is live."""

from __future__ import annotations

import pytest

from journeykit import DefinitionError, Journey, Policies, Send, Wait, days, on
from journeykit.ports import CatalogDocument
from journeykit.runtime.catalogs import (
    Draft,
    LiveCatalog,
    Published,
    compiled,
    next_catalog,
    with_state,
)
from journeykit.testing import MemoryStore

HELLO = Journey("hello", trigger=on("joined"), steps=[Send("email", "hello")])
SLOWER = Journey(
    "hello", trigger=on("joined"), steps=[Wait(days(1)), Send("email", "hello")]
)
BYE = Journey("bye", trigger=on("left"), steps=[Send("email", "bye")])


def draft(*journeys: Journey, **states: str) -> Draft:
    return Draft(
        {journey.id: journey.to_plan() for journey in journeys},
        {journey.id: journey.fingerprint for journey in journeys},
        Policies().to_plan(),
        states,
    )


def published(*steps: Draft) -> Published:
    current, last = None, None
    for step in steps:
        last = next_catalog(current, step, at=0)
        current = last.document
    assert last is not None
    return last


def versions(document: CatalogDocument) -> list[tuple[str, int]]:
    return [(plan["id"], plan["version"]) for plan in document.journeys]


def test_the_first_catalog_has_revision_1() -> None:
    first = published(draft(HELLO))

    assert first.document.revision == 1
    assert first.added == {"hello": 1}
    assert first.is_new


def test_the_same_again_is_nothing_new() -> None:
    again = published(draft(HELLO), draft(HELLO))

    assert not again.is_new


def test_a_changed_journey_gets_the_next_version_and_the_old_one_stays() -> None:
    changed = published(draft(HELLO), draft(SLOWER))

    assert changed.changed == {"hello": 2}
    assert versions(changed.document) == [("hello", 1), ("hello", 2)]


def test_whoever_enters_then_enters_the_new_version() -> None:
    document = published(draft(HELLO), draft(SLOWER)).document

    catalog = compiled(document, channels={})

    assert catalog.live["hello"].version == 2
    assert catalog.plans["hello", 1].first == "send-email-hello"


def test_an_authors_own_version_counts_if_it_is_higher() -> None:
    seventh = Journey("hello", trigger=on("joined"), steps=[Wait(days(2))], version=7)

    changed = published(draft(HELLO), draft(seventh))

    assert changed.changed == {"hello": 7}


def test_going_back_to_an_earlier_text_is_a_version_too() -> None:
    back = published(draft(HELLO), draft(SLOWER), draft(HELLO))

    assert back.changed == {"hello": 3}


def test_a_journey_that_is_gone_is_closed_and_its_runs_go_on() -> None:
    gone = published(draft(HELLO, BYE), draft(HELLO))

    assert gone.closed == ["bye"]
    assert gone.document.states == {"bye": "closed"}
    assert ("bye", 1) in versions(gone.document)


def test_a_journey_that_comes_back_is_live_again() -> None:
    back = published(draft(HELLO, BYE), draft(HELLO), draft(HELLO, BYE))

    assert back.document.states == {}
    assert back.states == {"bye": "live"}
    assert not back.changed


def test_what_an_operator_has_paused_stays_paused_when_published() -> None:
    first = published(draft(HELLO)).document
    paused = with_state(first, "hello", "paused", at=1, reason="wrong price")

    after = next_catalog(paused, draft(SLOWER), at=2).document

    assert after.states == {"hello": "paused"}
    assert after.reasons == {"hello": "wrong price"}


def test_the_workspace_may_say_that_a_journey_is_a_draft_and_later_not() -> None:
    first = published(draft(HELLO, hello="draft"))
    then = next_catalog(first.document, draft(HELLO), at=1)

    assert first.document.states == {"hello": "draft"}
    assert then.document.states == {}
    assert then.states == {"hello": "live"}


def test_a_resumed_journey_is_simply_live() -> None:
    first = published(draft(HELLO)).document
    paused = with_state(first, "hello", "paused", at=1, reason="")

    resumed = with_state(paused, "hello", "live", at=2, reason="")

    assert resumed.states == {}
    assert resumed.revision == 3


def test_a_closed_journey_can_not_be_resumed() -> None:
    document = published(draft(HELLO, BYE), draft(HELLO)).document

    with pytest.raises(DefinitionError, match="publish one that does"):
        with_state(document, "bye", "live", at=1, reason="")


def test_a_state_is_refused_for_a_journey_that_is_not_there() -> None:
    document = published(draft(HELLO)).document

    with pytest.raises(DefinitionError, match="there are 'hello'"):
        with_state(document, "helo", "paused", at=1, reason="")


def test_a_state_that_this_release_does_not_know_is_refused() -> None:
    document = published(draft(HELLO)).document
    strange = with_state(document, "hello", "paused", at=1, reason="")
    strange.states["hello"] = "dreaming"

    with pytest.raises(DefinitionError, match="doesn't know"):
        compiled(strange, channels={})


def test_a_version_that_nobody_runs_on_is_left_out_of_the_next_catalog() -> None:
    second = published(draft(HELLO), draft(SLOWER)).document

    third = next_catalog(second, draft(HELLO), at=1, in_use=set()).document

    assert versions(third) == [("hello", 2), ("hello", 3)]


def test_a_version_that_somebody_runs_on_stays() -> None:
    second = published(draft(HELLO), draft(SLOWER)).document

    third = next_catalog(second, draft(HELLO), at=1, in_use={("hello", 1)}).document

    assert versions(third) == [("hello", 1), ("hello", 2), ("hello", 3)]


def test_who_carries_a_closed_journey_does_not_matter_any_more() -> None:
    closed = published(draft(HELLO, BYE), draft()).document
    store = MemoryStore()
    store.publish(published(draft(HELLO, BYE)).document)
    store.publish(closed)

    catalog = LiveCatalog(store, channels={})()

    assert catalog.state_of("bye") == "closed"


def test_a_live_journey_needs_somebody_to_carry_its_channel() -> None:
    store = MemoryStore()
    store.publish(published(draft(HELLO)).document)

    with pytest.raises(
        DefinitionError, match=r"nobody carries channel 'email'.*console"
    ):
        LiveCatalog(store, channels={})()
