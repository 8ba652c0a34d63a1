"""Whom an event is about, and who turns out to be one person: in memory and in SQLite."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from journeykit import Journey, Send, Wait, days, hours, on
from journeykit.engine.calendar import to_datetime, to_ms
from journeykit.engine.catalog import Catalog
from journeykit.engine.commands import AbsorbCustomer
from journeykit.engine.ids import identity_key, made_id
from journeykit.engine.limits import IDENTIFIERS, IDENTIFIERS_BYTES
from journeykit.engine.merging import merged_id
from journeykit.engine.stimuli import Absorb, Enroll, Merge, Stimulus
from journeykit.local.sqlite import SQLiteStore
from journeykit.model.events import (
    CONSENT_CHANGED,
    CUSTOMER_ALIASED,
    PROFILE_UPDATED,
    Event,
)
from journeykit.model.identity import IdentityRules
from journeykit.model.policies import Policies
from journeykit.ports import Conflict, Store
from journeykit.runtime.dispatcher import Dispatcher
from journeykit.runtime.identities import NOBODY, survivor_of
from journeykit.runtime.runtime import Ingested, Runtime
from journeykit.testing.memory import MemoryStore

NOW = to_ms(datetime.fromisoformat("2026-06-01T12:00:00Z"))
HOUR, DAY = 3_600_000, 86_400_000

welcome = Journey(
    id="welcome",
    trigger=on("signed.up"),
    steps=[Wait(days(1)), Send("email", "one"), Wait(hours(1)), Send("email", "two")],
)
CATALOG = Catalog.compile([welcome], policies=Policies())


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    kept: Store = (
        MemoryStore()
        if request.param == "memory"
        else SQLiteStore.open(tmp_path / "j.db")
    )
    yield kept
    kept.close()


def make_runtime(store: Store, **more: Any) -> Runtime:
    return Runtime(
        store,
        lambda fresh=False: CATALOG,
        inbox=store,
        salt=lambda: "salt",
        back_off=lambda lost: None,
        **more,
    )


def event(
    name: str,
    customer: str = "",
    /,
    *,
    id: str = "",
    at: int = NOW,
    properties: dict[str, Any] | None = None,
    **identifiers: str,
) -> Event:
    when = to_datetime(at)
    return Event(
        id=id or f"{name}/{customer}/{identifiers}/{at}",
        name=name,
        customer=customer,
        occurred_at=when,
        received_at=when,
        properties=properties or {},
        identifiers=identifiers,
    )


def everybody(store: Store) -> dict[str, Any]:
    return {one.id: one for one in store.scan("", 1000)}


def living(store: Store) -> dict[str, Any]:
    return {id: one for id, one in everybody(store).items() if not one.merged_into}


# --- whom it is about ----------------------------------------------------------------


def test_an_event_without_a_customer_makes_one(store: Store) -> None:
    runtime = make_runtime(store)

    runtime.ingest([event("page.viewed", anonymous="a")], now=NOW)
    runtime.ingest([event("signed.up", anonymous="a")], now=NOW)

    [customer] = living(store).values()
    assert customer.id == made_id("anonymous", "a")
    assert customer.identifiers == ["anonymous:a"]
    assert [run.journey for run in customer.active] == ["welcome"]


def test_a_known_identifier_leads_to_its_customer(store: Store) -> None:
    runtime = make_runtime(store)
    runtime.ingest([event("page.viewed", "ada", email="Ada@Example.com ")], now=NOW)

    runtime.ingest([event("signed.up", email="ada@example.com")], now=NOW)

    assert list(everybody(store)) == ["ada"]
    assert store.owners([identity_key("email", "ada@example.com")]) == {
        identity_key("email", "ada@example.com"): "ada"
    }


def test_a_visitor_who_signs_in_becomes_part_of_the_customer(store: Store) -> None:
    runtime = make_runtime(store)
    runtime.ingest([event("signed.up", anonymous="a")], now=NOW)

    runtime.ingest([event("page.viewed", "ada", anonymous="a")], now=NOW + HOUR)

    ada, visitor = everybody(store)["ada"], everybody(store)[made_id("anonymous", "a")]
    assert visitor.merged_into == "ada"
    assert [merged_id(mark) for mark in ada.absorbed] == [visitor.id]
    assert [run.journey for run in ada.active] == ["welcome"]
    assert store.due(NOW + DAY, 9) == [(NOW + DAY, "ada")], "one timer"
    key = identity_key("anonymous", "a")
    assert store.owners([key]) == {key: "ada"}


def test_two_browsers_of_one_mailbox_are_one_person(store: Store) -> None:
    """Case 40: the profile holds both, and the earlier consent."""
    runtime = make_runtime(store)
    agreed = {"mkt_agree": True}
    runtime.ingest([event(PROFILE_UPDATED, anonymous="a1", properties=agreed)], now=NOW)
    runtime.ingest(
        [event(PROFILE_UPDATED, anonymous="a2", properties={"city": "Bonn"})], now=NOW
    )
    viewed = event("signed.up", id="e-1", anonymous="a1")
    runtime.ingest([viewed], now=NOW)

    for browser in ("a1", "a2"):
        login = event("signed.in", anonymous=browser, email="ada@example.com")
        runtime.ingest([login], now=NOW + 1)

    [ada] = living(store).values()
    assert ada.profile == {"mkt_agree": True, "city": "Bonn"}
    assert sorted(ada.identifiers) == [
        "anonymous:a1",
        "anonymous:a2",
        "email:ada@example.com",
    ]

    runtime.ingest([event("signed.up", id="e-1", anonymous="a2")], now=NOW + 2)

    [again] = living(store).values()
    assert len(again.active) == 1, "the same event under another name adds nothing"


def test_a_merge_during_a_wait_sends_once_and_leaves_one_timer(store: Store) -> None:
    """Case 40: the survivor keeps one run, and the other's timer finds nothing."""
    runtime = make_runtime(store)
    runtime.ingest([event("signed.up", anonymous="a")], now=NOW)
    runtime.ingest([event("signed.up", "ada", at=NOW + HOUR)], now=NOW + HOUR)

    login = event("signed.in", "ada", anonymous="a", at=NOW + 2 * HOUR)
    runtime.ingest([login], now=NOW + 2 * HOUR)
    runtime.wake([made_id("anonymous", "a")], now=NOW + DAY)
    runtime.tick(NOW + DAY)
    runtime.tick(NOW + DAY + 2 * HOUR)

    tasks = store.take(NOW + 9 * DAY, 99, lease_until=NOW + 10 * DAY)
    sent = [t.command for t in tasks if not isinstance(t.command, AbsorbCustomer)]
    assert [(one.customer, one.template) for one in sent] == [  # type: ignore[union-attr]
        ("ada", "one"),
        ("ada", "two"),
    ]
    assert living(store)["ada"].active == []


def test_somebody_elses_identifier_merges_nobody(store: Store) -> None:
    runtime = make_runtime(store)
    first = event("signed.up", "ada", id="a", email="family@example.com")
    runtime.ingest([first], now=NOW)

    for n in range(3):
        other = event("signed.up", "bob", id=f"b{n}", email="family@example.com")
        runtime.ingest([other], now=NOW + n)

    assert living(store).keys() == {"ada", "bob"}
    assert living(store)["bob"].identifiers == []
    key = identity_key("email", "family@example.com")
    assert list(store.contested(9)) == [Conflict(key, "email", "ada", "bob", NOW)]
    lines = b"".join(block for _, block in store.journal(99))
    assert lines.count(b'"reason":"conflict"') == 1, "it is said once"
    assert b"family" not in lines


def test_a_visitor_of_two_people_stays_with_the_first(store: Store) -> None:
    runtime = make_runtime(store)
    runtime.ingest([event("page.viewed", "ada", anonymous="a")], now=NOW)
    runtime.ingest([event("signed.up", "bob", anonymous="a")], now=NOW)

    runtime.ingest([event("signed.up", anonymous="a")], now=NOW)

    assert len(living(store)["ada"].active) == 1
    assert living(store).keys() == {"ada", "bob"}


def test_of_two_identifiers_the_stronger_kind_decides(store: Store) -> None:
    runtime = make_runtime(store)
    runtime.ingest([event("page.viewed", "ada", phone="+1 555 0100")], now=NOW)
    runtime.ingest([event("page.viewed", "bob", email="bob@example.com")], now=NOW)

    both = event("signed.up", phone="+15550100", email="bob@example.com")
    runtime.ingest([both], now=NOW)

    assert len(living(store)["bob"].active) == 1
    assert [one.claimant for one in store.contested(9)] == ["bob"]


@pytest.mark.parametrize(
    "value", ["null", "UNDEFINED", "00000000-0000-0000-0000-000000000000", "-1", " "]
)
def test_a_value_that_says_nothing_is_nobodys(store: Store, value: str) -> None:
    runtime = make_runtime(store)

    done = runtime.ingest([event("signed.up", anonymous=value)], now=NOW)

    assert done.dead == 1
    assert everybody(store) == {}
    [letter] = store.dead(0, 9)
    assert letter.reason == NOBODY


def test_an_undeclared_kind_counts_for_nothing(store: Store) -> None:
    runtime = make_runtime(store, identity=IdentityRules(kinds=("crm",), anonymous=()))

    done = runtime.ingest(
        [event("signed.up", email="a@b.c"), event("signed.up", "ada", email="a@b.c")],
        now=NOW,
    )

    assert done.dead == 1
    assert living(store)["ada"].identifiers == []


def test_an_attribute_may_be_an_identifier(store: Store) -> None:
    rules = IdentityRules(attributes={"email": "mail"})
    runtime = make_runtime(store, identity=rules)
    known = {"mail": "Ada@example.com"}
    runtime.ingest([event(PROFILE_UPDATED, "ada", properties=known)], now=NOW)

    runtime.ingest([event("signed.up", email="ada@example.com")], now=NOW)

    assert len(living(store)["ada"].active) == 1


def test_who_has_too_many_names_gets_no_more(store: Store) -> None:
    runtime = make_runtime(store)
    for n in range(IDENTIFIERS):
        runtime.ingest([event("page.viewed", "ada", anonymous=f"a{n}")], now=NOW)

    runtime.ingest([event("signed.up", "ada", anonymous="one-more")], now=NOW)

    assert len(living(store)["ada"].identifiers) == IDENTIFIERS
    assert store.owners([identity_key("anonymous", "one-more")]) == {}
    assert len(living(store)["ada"].active) == 1, "and everything else goes on"


# --- aliases, and merges that somebody asks for --------------------------------------


@pytest.mark.parametrize("allowed", [True, False], ids=["allowed", "not-allowed"])
def test_an_alias_joins_two_who_are_known_if_that_is_wanted(
    store: Store, allowed: bool
) -> None:
    runtime = make_runtime(store, identity=IdentityRules(aliases=allowed))
    runtime.ingest([event("signed.up", "old-ada"), event("x", "ada")], now=NOW)

    alias = event(CUSTOMER_ALIASED, "ada", properties={"previous_id": "old-ada"})
    runtime.ingest([alias], now=NOW)

    merged = everybody(store)["old-ada"].merged_into
    assert merged == ("ada" if allowed else "")
    assert [one.kind for one in store.contested(9)] == ([] if allowed else ["customer"])


@pytest.mark.parametrize("cut", [0, 1, 2], ids=["at-once", "after-one", "after-two"])
def test_an_alias_of_two_who_are_known_is_a_conflict_however_the_stream_is_cut(
    store: Store, cut: int
) -> None:
    runtime = make_runtime(store)
    alias = event(CUSTOMER_ALIASED, "ada", properties={"previous_id": "old-ada"})
    stream = [event("signed.up", "old-ada"), event("signed.up", "ada"), alias]

    runtime.ingest(stream[:cut], now=NOW)
    runtime.ingest(stream[cut:], now=NOW)

    [conflict] = store.contested(9)
    assert (conflict.holder, conflict.claimant) == ("old-ada", "ada")
    assert {*living(store)} == {"ada", "old-ada"}


@pytest.mark.parametrize("customer", ["", "ada"], ids=["visitor", "known"])
def test_an_alias_joins_two_browsers(store: Store, customer: str) -> None:
    runtime = make_runtime(store)
    runtime.ingest([event("signed.up", anonymous="a-98")], now=NOW)
    before = store.owners([identity_key("anonymous", "a-98")])

    alias = event(
        CUSTOMER_ALIASED, customer, properties={"previous_id": "a-98"}, anonymous="a-99"
    )
    runtime.ingest([alias], now=NOW)
    runtime.ingest([event("x", anonymous=name) for name in ("a-98", "a-99")], now=NOW)

    keys = [identity_key("anonymous", name) for name in ("a-98", "a-99")]
    owners = store.owners(keys)
    people = {survivor_of(owners[key], store.load, {}) for key in keys}
    assert before
    assert len(people) == 1
    assert people == {customer} or not customer
    assert sum(not one.merged_into for one in everybody(store).values()) == 1


def test_whatever_comes_for_a_tombstone_is_the_survivors(store: Store) -> None:
    runtime = make_runtime(store)
    merge = Merge(id="m", customer="bob", into="ada", received_at=to_datetime(NOW))
    runtime.ingest([event("signed.up", "ada"), event("x", "bob"), merge], now=NOW)

    runtime.ingest(
        [
            event(CONSENT_CHANGED, "bob", properties={"granted": False}),
            Enroll(
                id="e", journey="welcome", customer="bob", received_at=to_datetime(NOW)
            ),
        ],
        now=NOW + 1,
    )

    assert [word.granted for word in living(store)["ada"].consents] == [False]
    assert everybody(store)["bob"].merged_into == "ada"


def test_what_stands_behind_a_merge_in_a_batch_is_the_survivors(store: Store) -> None:
    runtime = make_runtime(store)
    merge = Merge(id="m", customer="bob", into="ada", received_at=to_datetime(NOW))

    runtime.ingest([event("x", "bob"), merge, event("signed.up", "bob")], now=NOW)

    assert everybody(store)["bob"].merged_into == "ada"
    assert len(living(store)["ada"].active) == 1


def test_a_chain_of_merges_ends_at_its_end(store: Store) -> None:
    runtime = make_runtime(store)
    for loser, into in (("c", "b"), ("b", "a")):
        at = to_datetime(NOW)
        runtime.ingest(
            [
                event("x", loser, properties={}),
                Merge(id=loser, customer=loser, into=into, received_at=at),
            ],
            now=NOW,
        )

    runtime.ingest([event("signed.up", "c")], now=NOW)

    assert living(store).keys() == {"a"}
    assert {merged_id(mark) for mark in living(store)["a"].absorbed} == {"b", "c"}


def test_two_who_were_merged_into_each_other_meet_in_the_first(store: Store) -> None:
    ours, theirs = make_runtime(store), make_runtime(store)
    at = to_datetime(NOW)
    for name in ("ada", "bob"):
        profile = {f"of_{name}": 1}
        ours.ingest([event(PROFILE_UPDATED, name, properties=profile)], now=NOW)
    # Both documents become tombstones before either snapshot has arrived.
    _loses_snapshots(ours)
    _loses_snapshots(theirs)
    ours.ingest([Merge(id="1", customer="ada", into="bob", received_at=at)], now=NOW)
    theirs.ingest([Merge(id="2", customer="bob", into="ada", received_at=at)], now=NOW)
    assert living(store) == {}

    late = make_runtime(store)
    late.ingest([event("signed.up", "bob")], now=NOW + 1)
    tasks = store.take(NOW + 2, 99, lease_until=NOW + DAY)
    snapshots = [t.command for t in tasks if isinstance(t.command, AbsorbCustomer)]
    late.ingest([Absorb.of(command) for command in snapshots], now=NOW + 2)

    [ada] = living(store).values()
    assert ada.id == "ada"
    assert ada.profile == {"of_ada": 1, "of_bob": 1}
    assert len(ada.active) == 1


def _loses_snapshots(runtime: Runtime) -> None:
    """Let it die right after the commit that makes a tombstone."""
    runtime._absorbed = lambda turns, now: Ingested()  # type: ignore[method-assign]


def merges(runtime: Runtime, customer: str, into: str) -> None:
    """Make a tombstone, and die before the survivor has taken anything in."""
    _loses_snapshots(runtime)
    at = to_datetime(NOW)
    runtime.ingest(
        [Merge(id="m", customer=customer, into=into, received_at=at)], now=NOW
    )


# --- crashes and order ---------------------------------------------------------------


def test_a_snapshot_that_was_lost_on_the_way_comes_by_the_inbox(store: Store) -> None:
    runtime = make_runtime(store)
    runtime.ingest([event("signed.up", anonymous="a")], now=NOW)
    runtime.ingest([event("x", "ada")], now=NOW)
    merges(runtime, made_id("anonymous", "a"), "ada")
    assert "ada" not in living(store)

    restarted = make_runtime(store)
    restarted.drain(NOW + 1)

    assert len(living(store)["ada"].active) == 1
    assert store.backlog()["waiting"] == 0


def test_nothing_is_decided_without_what_a_tombstone_has_left(store: Store) -> None:
    runtime, visitor = make_runtime(store), made_id("anonymous", "a")
    before = event("signed.up", anonymous="a")
    runtime.ingest([before, event("page.viewed", "ada")], now=NOW)
    merges(runtime, visitor, "ada")

    # The queue brings it once more, before the snapshot has come.
    make_runtime(store).ingest([before], now=NOW + 1)

    ada = living(store)["ada"]
    assert [run.journey for run in ada.active] == ["welcome"]
    assert ada.past["welcome"].count == 1, "it was the visitor's entry"
    assert [merged_id(mark) for mark in ada.absorbed] == [visitor]


def test_who_signs_in_during_a_merge_brings_the_visitor_along(store: Store) -> None:
    runtime, visitor = make_runtime(store), made_id("anonymous", "a")
    runtime.ingest(
        [event("signed.up", anonymous="a"), event("page.viewed", "ada")], now=NOW
    )
    merges(runtime, visitor, "ada")

    again = event("signed.up", "ada", anonymous="a", at=NOW + 1)
    make_runtime(store).ingest([again], now=NOW + 1)

    ada = living(store)["ada"]
    assert ada.past["welcome"].count == 1, "nobody is let in twice: both are one"
    assert len(ada.active) == 1
    assert [merged_id(mark) for mark in ada.absorbed] == [visitor]


def test_a_chain_of_tombstones_comes_whole(store: Store) -> None:
    runtime = make_runtime(store)
    for name in ("a", "b", "c"):
        said = event(PROFILE_UPDATED, name, properties={f"of_{name}": 1})
        runtime.ingest([said], now=NOW)
    merges(runtime, "a", "b")
    merges(runtime, "b", "c")

    make_runtime(store).ingest([event("signed.up", "a")], now=NOW + 1)

    assert living(store)["c"].profile == {"of_a": 1, "of_b": 1, "of_c": 1}
    assert [*living(store)] == ["c"]


def test_who_was_taken_in_already_is_not_looked_for(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = make_runtime(store)
    runtime.ingest([event("page.viewed", anonymous="a")], now=NOW)
    runtime.ingest([event("page.viewed", "ada", anonymous="a")], now=NOW + 1)
    monkeypatch.delattr(type(store), "handovers")

    runtime.ingest([event("signed.up", made_id("anonymous", "a"))], now=NOW + 2)

    assert len(living(store)["ada"].active) == 1


def test_an_identifier_of_an_event_that_is_refused_is_given_to_nobody(
    store: Store,
) -> None:
    old = event("page.viewed", at=NOW - 5 * DAY, anonymous="old", email="x@y.z")

    done = make_runtime(store).ingest([old], now=NOW)

    assert done.dead == 1
    assert everybody(store) == {}
    assert not store.owners([identity_key("anonymous", "old")])
    assert not store.owners([identity_key("email", "x@y.z")])


def test_identifiers_without_room_are_nobodys_after_a_merge(store: Store) -> None:
    runtime = make_runtime(store)
    for n in range(IDENTIFIERS):
        runtime.ingest([event("x", "ada", anonymous=f"a{n}", id=f"{n}")], now=NOW)
    runtime.ingest([event("x", "bob", anonymous="late")], now=NOW)
    at = to_datetime(NOW)

    runtime.ingest([Merge(id="m", customer="bob", into="ada", received_at=at)], now=NOW)

    assert "anonymous:late" not in living(store)["ada"].identifiers
    assert not store.owners([identity_key("anonymous", "late")])


def test_long_names_fill_a_document_no_more_than_short_ones(store: Store) -> None:
    runtime = make_runtime(store)
    for n in range(30):
        long = f"{n}" + "\U00020000" * 250
        runtime.ingest([event("x", "ada", anonymous=long, id=f"{n}")], now=NOW)

    identifiers = living(store)["ada"].identifiers
    assert sum(len(each.encode()) for each in identifiers) <= IDENTIFIERS_BYTES
    held = {each.partition(":")[2] for each in identifiers}
    for n in range(30):
        long = f"{n}" + "\U00020000" * 250
        key = identity_key("anonymous", long)
        assert (key in store.owners([key])) == (long in held)


def test_who_is_meant_is_asked_once_for_a_batch(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = make_runtime(store)
    events = [event("page.viewed", anonymous=f"a{n}", at=NOW + n) for n in range(20)]
    runtime.ingest(events, now=NOW)
    asked: list[int] = []
    owners = store.owners

    def counted(keys: Sequence[str]) -> Any:
        asked.append(len(keys))
        return owners(keys)

    monkeypatch.setattr(store, "owners", counted)

    again = [event("signed.up", anonymous=f"a{n}", at=NOW + n) for n in range(20)]
    runtime.ingest(again, now=NOW)

    assert asked == [20]
    assert all(len(one.active) == 1 for one in living(store).values())


def test_two_of_one_instant_reach_the_survivor_in_the_order_they_stand(
    store: Store,
) -> None:
    runtime = make_runtime(store)
    at = to_datetime(NOW)
    runtime.ingest([event("x", "bob"), event("x", "ada")], now=None)
    runtime.ingest([Merge(id="1", customer="bob", into="ada", received_at=at)], now=NOW)

    runtime.ingest(
        [
            event("x", "ada"),
            event(PROFILE_UPDATED, "bob", id="first", properties={"plan": "free"}),
            event(PROFILE_UPDATED, "ada", id="second", properties={"plan": "pro"}),
        ],
        now=None,
    )

    assert living(store)["ada"].profile["plan"] == "pro"


def test_history_and_how_far_it_was_read_are_one_commit(store: Store) -> None:
    from msgspec.structs import replace

    from journeykit.ports import Along

    runtime = make_runtime(store)
    past = [
        replace(event("page.viewed", anonymous="a"), history=True),
        replace(event("page.viewed", "ada", anonymous="a"), history=True),
    ]

    runtime.ingest(past, now=NOW, along=Along(bookmark=("import", "2")))

    assert store.bookmark("import") == "2"
    assert living(store).keys() == {"ada"}


_BROWSERS, _MAILS, _IDS = ("a", "b", "c"), ("x@y.z", "u@v.w"), ("ada", "bob")
_names = st.fixed_dictionaries(
    {},
    optional={
        "anonymous": st.sampled_from(_BROWSERS),
        "email": st.sampled_from(_MAILS),
    },
)
_whom = st.tuples(st.sampled_from(("", "", *_IDS)), _names).filter(
    lambda pair: bool(pair[0] or pair[1])
)


def _events(whom: Sequence[tuple[str, dict[str, str]]]) -> list[Stimulus]:
    return [
        event(
            "signed.up" if n % 3 == 0 else PROFILE_UPDATED,
            customer,
            id=f"e{n}",
            at=NOW + n * 60_000,
            properties={f"p{n}": n},
            **names,
        )
        for n, (customer, names) in enumerate(whom)
    ]


def _check(store: Store, events: Sequence[Stimulus]) -> None:
    """Nothing is lost, nobody leads to nowhere, and every identifier is one person's."""
    documents = everybody(store)
    alive = {id for id, one in documents.items() if not one.merged_into}
    assert alive, "somebody survives"
    heirs = {id: survivor_of(id, store.load, {}) for id in documents}
    assert set(heirs.values()) <= alive
    assert set(_IDS) & documents.keys() <= alive, "who is known is merged by nobody"
    held: dict[str, str] = {}
    for id in alive:
        for identifier in documents[id].identifiers:
            assert held.setdefault(identifier, id) == id, "one person each"
    written = {name for id in alive for name in documents[id].profile}
    updates = {f"p{n}" for n, one in enumerate(events) if n % 3}
    assert written == updates, "what anybody said is known of somebody alive"
    for id in alive:
        runs = [run.journey for run in documents[id].active]
        assert len(runs) <= 1, "of a journey that lets in once there is one run"


@given(st.lists(_whom, min_size=1, max_size=12), st.data())
@settings(max_examples=60, deadline=None)
def test_batches_don_t_matter(whom: Any, data: st.DataObject) -> None:
    events = _events(whom)
    one, cut = MemoryStore(), MemoryStore()
    make_runtime(one).ingest(events, now=None)
    runtime, left = make_runtime(cut), list(events)
    while left:
        size = data.draw(st.integers(1, len(left)))
        runtime.ingest(left[:size], now=None)
        left = left[size:]

    _check(one, events)
    assert everybody(one) == everybody(cut)


@given(st.lists(_whom, min_size=1, max_size=14), st.integers(2, 4))
@settings(max_examples=25, deadline=None)
def test_many_at_once_lose_nothing_in_memory(whom: Any, threads: int) -> None:
    store = MemoryStore()

    _at_once(store, _events(whom), threads)

    _check(store, _events(whom))


@pytest.mark.parametrize("seed", range(6))
def test_many_at_once_lose_nothing_in_sqlite(tmp_path: Path, seed: int) -> None:
    import random

    draw = random.Random(seed)
    whom = []
    for _ in range(24):
        names = {}
        if draw.random() < 0.8:
            names["anonymous"] = draw.choice(_BROWSERS)
        if draw.random() < 0.4 or not names:
            names["email"] = draw.choice(_MAILS)
        whom.append((draw.choice(("", "", "", *_IDS)), names))
    store = SQLiteStore.open(tmp_path / "j.db")

    _at_once(store, _events(whom), 4)

    _check(store, _events(whom))
    store.close()


def _at_once(store: Store, events: Sequence[Stimulus], threads: int) -> None:
    """Several processes take what comes, each an event at a time, twice."""

    def work(n: int) -> None:
        runtime = make_runtime(store)
        for one in [*events[n::threads], *events[n::threads]]:
            runtime.ingest([one], now=NOW + DAY // 2)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, range(threads)))
    last = make_runtime(store)
    Dispatcher(store, lambda: CATALOG, channels={}).deliver(NOW + DAY // 2 + 1)
    last.drain(NOW + DAY // 2 + 1)
