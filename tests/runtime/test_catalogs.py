"""What publishing makes of the catalog that is live."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from journeykit import (
    DefinitionError,
    Journey,
    Policies,
    Send,
    StaleCatalog,
    StoreBusy,
    Wait,
    days,
    on,
)
from journeykit.engine.calendar import to_ms
from journeykit.engine.guards import ChannelRules
from journeykit.ports import CatalogDocument
from journeykit.runtime.catalogs import (
    UNHEALTHY,
    Draft,
    LiveCatalog,
    Published,
    compiled,
    next_catalog,
    set_relay,
    set_state,
    with_relay,
    with_state,
)
from journeykit.runtime.runtime import Runtime
from journeykit.testing import MemoryStore, make_event
from journeykit.testing.factories import MONDAY

NOW = to_ms(MONDAY)
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


# Whose word a state is


def test_what_the_workspace_paused_goes_on_when_it_says_so() -> None:
    paused = published(draft(HELLO, hello="paused")).document

    live = next_catalog(paused, draft(HELLO), at=1).document

    assert paused.by_workspace == ["hello"]
    assert live.states == {}
    assert live.by_workspace == []


def test_an_operator_who_quotes_the_workspace_is_still_an_operator() -> None:
    first = published(draft(HELLO)).document
    paused = with_state(first, "hello", "paused", at=1, reason="journeykit.toml")

    after = next_catalog(paused, draft(HELLO), at=2).document

    assert after.states == {"hello": "paused"}


def test_an_operator_has_the_last_word_about_what_the_workspace_paused() -> None:
    first = published(draft(HELLO, BYE, hello="paused", bye="paused")).document
    stopped = with_state(first, "hello", "stopped", at=1, reason="wrong price")

    after = next_catalog(stopped, draft(HELLO, BYE), at=2).document

    assert stopped.by_workspace == ["bye"]
    assert after.states == {"hello": "stopped"}


def test_a_catalog_of_before_that_tells_whose_word_it_was_by_its_reason() -> None:
    first = published(draft(HELLO, BYE, hello="paused", bye="paused")).document
    named = msgspec.to_builtins(with_state(first, "bye", "stopped", at=1, reason=""))
    del named["by_workspace"]
    old = msgspec.json.decode(msgspec.json.encode(named), type=CatalogDocument)

    after = next_catalog(old, draft(HELLO, BYE), at=2).document
    resumed = with_state(old, "bye", "live", at=2, reason="")

    assert after.states == {"bye": "stopped"}
    assert next_catalog(resumed, draft(HELLO, BYE), at=3).document.states == {}


# The relay


def test_what_is_said_of_the_relay_stays_until_something_else_is_said() -> None:
    ill = with_relay(published(draft(HELLO)).document, UNHEALTHY, at=1)

    paused = with_state(ill, "hello", "paused", at=2, reason="")
    after = next_catalog(paused, draft(SLOWER), at=3).document

    assert after.relay == UNHEALTHY
    assert after.states == {"hello": "paused"}
    assert with_relay(after, "", at=4).relay == ""
    assert with_relay(after, "", at=4).revision == 5


def test_to_say_the_same_of_the_relay_again_publishes_nothing() -> None:
    store = MemoryStore()
    store.publish(published(draft(HELLO)).document)

    first = set_relay(store, UNHEALTHY, now=1)
    again = set_relay(store, UNHEALTHY, now=2)

    assert again == first == store.current()
    assert store.revision() == 2


def test_the_relay_needs_a_catalog_that_can_say_it() -> None:
    with pytest.raises(DefinitionError, match="nothing is published"):
        set_relay(MemoryStore(), UNHEALTHY, now=1)


class Busy(MemoryStore):
    """Somebody else publishes just before, so many times."""

    def __init__(self, races: int) -> None:
        super().__init__()
        self.races = races

    def publish(self, catalog: CatalogDocument) -> None:
        if self.races and catalog.revision > 1:
            self.races -= 1
            raise StaleCatalog("somebody was faster")
        super().publish(catalog)


@pytest.mark.parametrize(
    "say",
    [
        lambda store: set_relay(store, UNHEALTHY, now=1),
        lambda store: set_state(store, "hello", "paused", now=1, reason=""),
    ],
    ids=["the relay", "a journey"],
)
def test_who_is_overtaken_says_it_again_but_not_for_ever(say: Any) -> None:
    store, crowd = Busy(races=4), Busy(races=5)
    store.publish(published(draft(HELLO)).document)
    crowd.publish(published(draft(HELLO)).document)

    document = say(store)

    assert store.current() == document
    with pytest.raises(StaleCatalog, match="all the time"):
        say(crowd)


# How often the newest one is asked for


class Counted(MemoryStore):
    """Counts how often it is asked for the newest revision."""

    asked = 0

    def revision(self) -> int:
        self.asked += 1
        return super().revision()


class Clock:
    """Seconds that pass when they are told to."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


EMAIL = {"email": ChannelRules(lambda profile, id: f"{id}@example.com", str)}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def counted() -> Counted:
    store = Counted()
    store.publish(published(draft(HELLO)).document)
    return store


def test_the_newest_catalog_is_asked_for_so_often_and_no_more(
    counted: Counted, clock: Clock
) -> None:
    live = LiveCatalog(counted, channels=EMAIL, ask_every_ms=5000, clock=clock)
    live()
    set_state(counted, "hello", "paused", now=1, reason="")

    clock.now += 4.999
    before = live()
    asked = counted.asked
    clock.now += 0.001
    after = live()

    assert (before.revision, asked) == (1, 0)
    assert (after.revision, after.state_of("hello")) == (2, "paused")


def test_a_catalog_that_is_still_the_newest_is_believed_again(
    counted: Counted, clock: Clock
) -> None:
    live = LiveCatalog(counted, channels=EMAIL, ask_every_ms=5000, clock=clock)
    first = live()

    for _ in range(10):
        clock.now += 2.5
        assert live() is first

    assert counted.asked == 5


def test_a_fresh_catalog_is_asked_for_at_once(counted: Counted, clock: Clock) -> None:
    live = LiveCatalog(counted, channels=EMAIL, ask_every_ms=5000, clock=clock)
    live()
    set_state(counted, "hello", "paused", now=1, reason="")

    assert live(fresh=True).revision == 2
    assert live().revision == 2


def test_by_itself_it_is_asked_for_each_time(counted: Counted) -> None:
    live = LiveCatalog(counted, channels=EMAIL)

    assert live() is live() is live()
    assert counted.asked == 2


class Down(MemoryStore):
    """Can't be asked at times."""

    is_down = False

    def revision(self) -> int:
        if self.is_down:
            raise StoreBusy("the network is down")
        return super().revision()


def test_what_could_not_be_asked_for_is_asked_for_again(clock: Clock) -> None:
    store = Down()
    store.publish(published(draft(HELLO)).document)
    live = LiveCatalog(store, channels=EMAIL, ask_every_ms=5000, clock=clock)
    live()
    set_state(store, "hello", "paused", now=1, reason="")
    clock.now += 5

    store.is_down = True
    with pytest.raises(StoreBusy):
        live()
    store.is_down = False

    assert live().revision == 2


def test_whoever_has_seen_a_newer_catalog_is_decided_by_that_one(clock: Clock) -> None:
    store = MemoryStore()
    store.publish(published(draft(HELLO)).document)
    people = ["ada", "bob", "cyd"]
    joined = [make_event("joined", id) for id in people]
    slow = LiveCatalog(store, channels=EMAIL, ask_every_ms=5000, clock=clock)
    runtime = Runtime(store, slow)
    runtime.ingest([make_event("left", "ada")], now=NOW)
    store.publish(next_catalog(store.current(), draft(HELLO, BYE), at=1).document)
    other = Runtime(store, LiveCatalog(store, channels=EMAIL))
    other.ingest([make_event("left", "bob")], now=NOW)

    done = runtime.ingest(joined, now=NOW + 1)

    assert (done.reactions, done.dead) == (3, 0)
    seen = {id: customer.catalog for id, customer in store.load(people).items()}
    assert seen == {"ada": 1, "bob": 2, "cyd": 2}


def test_a_catalog_that_was_lost_stops_those_who_have_seen_it() -> None:
    store, restored = MemoryStore(), MemoryStore()
    first = published(draft(HELLO)).document
    restored.publish(first)
    store.publish(first)
    store.publish(next_catalog(first, draft(HELLO, BYE), at=1).document)
    joined = [make_event("joined", "ada")]
    Runtime(store, LiveCatalog(store, channels=EMAIL)).ingest(joined, now=NOW)

    with pytest.raises(StaleCatalog):
        Runtime(store, LiveCatalog(restored, channels=EMAIL)).ingest(joined, now=NOW)
