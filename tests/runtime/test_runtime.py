"""A batch: loaded at once, decided customer by customer, stored at once."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, strategies as st
from msgspec.structs import replace
from tests.runtime.conftest import T0, Provider, Shop

from journeykit import (
    Emit,
    Exit,
    Journey,
    Send,
    Wait,
    WaitFor,
    When,
    api,
    event,
    hours,
    on,
)
from journeykit.channels import Report
from journeykit.engine.calendar import to_datetime
from journeykit.engine.ids import log_id
from journeykit.engine.stimuli import Enroll, Remove, WakeUp
from journeykit.errors import DamagedDocument, StoreBusy, StoreError, StoreFull
from journeykit.happened import Reacted
from journeykit.observers import Observer, Observers
from journeykit.ports import NOTHING, Along, Change, DeadLetter
from journeykit.runtime.runtime import back_off
from journeykit.testing import MemoryStore

HELLO = Journey("hello", trigger=on("joined"), steps=[Send("email", "hello")])
CART = Journey(
    "cart",
    trigger=on("cart.added"),
    steps=[
        WaitFor(
            [When(on("order.placed"), [Exit("converted")])],
            timeout=hours(4),
            otherwise=[Send("email", "reminder")],
        )
    ],
)


class Stubborn(MemoryStore):
    """A store in which somebody else is sometimes faster, or something breaks."""

    def __init__(self) -> None:
        super().__init__()
        self.others: list[Any] = []
        self.breaks: list[Exception] = []
        self.inside = False

    def commit(
        self, changes: Sequence[Change], *, along: Along = NOTHING
    ) -> Collection[str]:
        if self.breaks:
            raise self.breaks.pop()
        if self.others and not self.inside:
            self.inside = True
            self.others.pop()()
            self.inside = False
        return super().commit(changes, along=along)


def test_one_customers_events_are_handled_in_their_order() -> None:
    shop = Shop(CART)

    shop.ingest(shop.event("cart.added"), shop.event("order.placed"))

    assert shop.said == ["entered", "waiting", "went_on event", "exited converted"]


def test_a_customer_is_stored_once_a_batch() -> None:
    shop = Shop(CART)

    done = shop.ingest(shop.event("cart.added"), shop.event("order.placed"))

    assert (done.reactions, done.changed) == (2, 1)
    assert shop.customer().revision == 2


def test_an_event_that_means_nothing_to_anybody_stores_nothing() -> None:
    shop = Shop(CART)

    done = shop.ingest(shop.event("page.seen"))

    assert (done.reactions, done.changed) == (1, 0)
    assert shop.store.load(["ada"]) == {}


def test_the_same_event_again_changes_nothing() -> None:
    shop = Shop(HELLO)
    joined = shop.event("joined")
    shop.ingest(joined)

    again = shop.ingest(joined)

    assert again.commands == 0
    assert shop.said[-1] == "ignored duplicate"


def test_whoever_was_changed_by_somebody_else_is_decided_again() -> None:
    store = Stubborn()
    shop, other = Shop(CART, store=store), Shop(CART, store=store)
    shop.happens("cart.added")
    order = other.event("order.placed", id="the-order")
    store.others = [lambda: other.ingest(order)]

    done = shop.ingest(
        shop.event("order.placed", id="the-order"), shop.event("cart.added", "bob")
    )

    assert done.changed == 1  # of Ada's, the other had decided everything
    assert shop.said.count("exited converted") == 1
    assert shop.customer("bob").revision == 1
    assert shop.said.count("ignored duplicate") == 1


def test_losing_all_the_time_is_an_error_and_nothing_is_stored() -> None:
    store, lost = Stubborn(), list[int]()
    shop = Shop(CART, store=store, back_off=lost.append)
    other = Shop(CART, store=store)
    shop.happens("cart.added")
    store.others = [
        lambda n=n: other.ingest(  # type: ignore[misc]
            other.event("profile.updated", id=f"other-{n}", n=n)
        )
        for n in range(100)
    ]

    with pytest.raises(StoreBusy):
        shop.ingest(shop.event("order.placed"))

    assert "exited converted" not in shop.said
    assert lost == [*range(1, 20)]  # it waited before each further attempt


def test_who_loses_a_few_races_does_not_wait_and_then_ever_longer() -> None:
    paused: list[float] = []

    for lost in range(1, 20):
        back_off(lost, sleep=paused.append, draw=lambda: 1.0)

    assert paused[:6] == [0.02, 0.04, 0.08, 0.16, 0.32, 0.5]
    assert paused[6:] == [0.5] * 8  # and 5 times not at all


@given(lost=st.integers(1, 20), at_once=st.integers(0, 5))
def test_two_who_lost_together_do_not_come_back_together(
    lost: int, at_once: int
) -> None:
    paused: list[float] = []

    for drawn in (0.0, 0.25, 1.0):
        back_off(lost, at_once=at_once, sleep=paused.append, draw=lambda d=drawn: d)  # type: ignore[misc]

    if lost <= at_once:
        assert paused == []
    else:
        assert 0 == paused[0] < paused[1] == paused[2] / 4 <= 0.5 / 4


def test_a_store_that_fails_keeps_nothing_of_the_batch_and_the_same_works_later() -> (
    None
):
    store = Stubborn()
    shop = Shop(CART, store=store)
    batch = [shop.event("cart.added"), shop.event("cart.added", "bob")]
    store.breaks = [StoreFull("no space left")]

    with pytest.raises(StoreFull):
        shop.ingest(*batch)
    nothing = shop.store.load(["ada", "bob"])
    shop.ingest(*batch)

    assert nothing == {}
    assert shop.said == ["entered", "waiting"] * 2


def test_a_catalog_that_is_published_in_between_is_loaded() -> None:
    shop = Shop(CART)
    other = Shop(CART, store=shop.store)
    other.state("cart", "paused")
    other.happens("cart.added", "bob")

    shop.happens("cart.added", "bob")

    assert shop.said == ["not_entered paused"] * 2


def test_what_the_engine_refuses_is_a_dead_letter_and_the_rest_proceeds() -> None:
    shop = Shop(HELLO)
    huge = shop.event("profile.updated", text="x" * 20_000)

    done = shop.ingest(huge, shop.event("joined"), shop.event("joined", "bob"))

    assert done.dead == 1
    (letter,) = shop.store.dead(0, 10)
    assert (letter.customer, letter.kind, letter.door) == ("ada", "event", "inbox")
    assert "profile" in letter.reason
    assert shop.said.count("sent") == 2


def test_a_reaction_that_fails_takes_nobody_with_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from journeykit.runtime import runtime

    def fragile(customer: Any, stimulus: Any, **more: Any) -> Any:
        if stimulus.customer == "poison" and stimulus.id == "bad":
            raise ZeroDivisionError("a bug of ours")
        return decide(customer, stimulus, **more)

    decide = runtime.react
    monkeypatch.setattr(runtime, "react", fragile)
    shop = Shop(HELLO)

    done = shop.ingest(
        shop.event("joined", "poison", id="bad"),
        shop.event("joined", "poison"),
        shop.event("joined", "bob"),
    )

    assert (done.dead, done.changed) == (1, 2)
    (letter,) = shop.store.dead(0, 10)
    assert letter.reason == "ZeroDivisionError: a bug of ours"
    assert "in fragile" in caplog.text
    assert "a bug of ours" not in caplog.text  # a message may quote the customer's data


def test_a_customer_whose_wake_up_fails_does_not_stop_the_clock_for_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from journeykit.runtime import runtime

    def fragile(customer: Any, stimulus: Any, **more: Any) -> Any:
        if stimulus == WakeUp("poison"):
            raise ZeroDivisionError("a bug of ours")
        return decide(customer, stimulus, **more)

    decide = runtime.react
    shop = Shop(CART)
    shop.ingest(*(shop.event("cart.added", who) for who in ("poison", "ada", "bob")))
    monkeypatch.setattr(runtime, "react", fragile)

    shop.passes("+4h")
    shop.passes("+4h")

    assert shop.said.count("sent") == 2
    assert len(shop.store.dead(0, 10)) == 1
    monkeypatch.setattr(runtime, "react", decide)
    shop.passes("+5h")
    assert shop.said.count("sent") == 3


class Damaged(MemoryStore):
    """A store in which some documents can't be read, or none."""

    def __init__(self) -> None:
        super().__init__()
        self.damaged: set[str] = set()
        self.closed = False

    def load(self, ids: Sequence[str]) -> Any:
        if self.closed:
            raise StoreError("gone")
        if self.damaged & set(ids):
            raise DamagedDocument("can't be read")
        return super().load(ids)


def test_a_document_that_cant_be_read_stops_nobody_else() -> None:
    store = Damaged()
    shop = Shop(CART, store=store)
    names = ["ada", "bob", "cyd", "dan", "eve"]
    shop.ingest(*(shop.event("cart.added", who) for who in names))
    store.damaged = {"cyd"}

    shop.passes("+4h")
    shop.passes("+5h")  # it has rested, and is tried again, without another letter
    done = shop.ingest(shop.event("order.placed", "cyd"), shop.event("cart.added"))

    assert shop.said.count("sent") == 4
    assert (done.dead, done.changed) == (1, 1)
    wake_up, order = store.dead(0, 10)
    assert (wake_up.kind, wake_up.customer) == ("wake_up", "cyd")
    assert (order.kind, order.reason) == ("event", "can't be read")


def test_who_can_be_read_again_is_woken_again() -> None:
    store = Damaged()
    shop = Shop(CART, store=store)
    shop.happens("cart.added")
    store.damaged = {"ada"}
    shop.passes("+4h")
    store.damaged = set()

    asleep = shop.runtime.tick(shop.ms("+4h"))
    shop.ingest(shop.event("page.seen"))
    shop.passes("+4h")

    assert asleep == 0
    assert shop.said.count("sent") == 1


def test_a_store_that_cant_be_read_at_all_buries_nothing() -> None:
    store = Damaged()
    shop = Shop(CART, store=store)
    shop.happens("cart.added")
    store.closed = True

    with pytest.raises(StoreError):
        shop.runtime.tick(shop.ms("+4h"))

    assert list(store.dead(0, 10)) == []


def test_who_is_due_longest_is_woken_first() -> None:
    shop = Shop(CART)
    shop.ingest(shop.event("cart.added", "zoe"))
    shop.now = shop.ms("+1m")
    shop.ingest(*(shop.event("cart.added", who) for who in ("ada", "bob")))

    woken = shop.runtime.tick(shop.ms("+5h"), most=1)

    assert woken == 1
    assert shop.customer("zoe").next_due is None
    assert shop.customer("ada").next_due is not None


def test_what_rested_long_ago_is_forgotten() -> None:
    store = Damaged()
    shop = Shop(CART, store=store)
    shop.happens("cart.added")
    store.damaged = {"ada"}
    shop.passes("+4h")
    due, store.due = store.due, lambda before, limit: []  # type: ignore[method-assign]

    shop.passes("+100h")  # for days nobody asked for it
    store.due = due  # type: ignore[method-assign]
    shop.passes("+100h")

    assert len(store.dead(0, 10)) == 2  # as if it were new


def test_a_wake_up_for_somebody_unknown_does_nothing() -> None:
    shop = Shop(CART)

    done = shop.runtime.wake(["nobody"], now=shop.now)

    assert (done.changed, done.dead) == (0, 0)


def test_what_is_due_happens_when_time_passes() -> None:
    shop = Shop(CART)
    shop.happens("cart.added")

    early = shop.runtime.tick(shop.ms("+4h") - 1)
    woken = shop.runtime.tick(shop.ms("+4h"))

    assert (early, woken) == (0, 1)
    assert shop.said[-2:] == ["sent", "completed"]


def test_by_the_event_clock_everything_happens_at_its_own_instant() -> None:
    steps = [Wait(hours(1)), Emit("first"), Wait(hours(1)), Emit("second")]
    shop = Shop(Journey("slow", trigger=on("joined"), steps=steps))
    shop.runtime.ingest([shop.event("joined")], now=None)

    shop.runtime.ingest([shop.event("page.seen", "ada", "+9h")], now=None)

    emitted = [line for line in shop.log if line["kind"] == "emitted"]
    assert [line["now"] for line in emitted] == [
        "2026-06-01T13:00:00Z",
        "2026-06-01T14:00:00Z",
    ]


def test_how_a_stream_is_cut_does_not_matter_by_the_event_clock() -> None:
    def shop_after(size: int) -> Shop:
        shop = Shop(CART, HELLO)
        names = ["joined", "cart.added", "page.seen", "order.placed", "joined"]
        events = [
            shop.event(names[n % 5], f"customer-{n % 3}", f"+{n}h") for n in range(60)
        ]
        for start in range(0, 60, size):
            batch = events[start : start + size]
            shop.runtime.ingest(batch, now=None)
        shop.runtime.tick(shop.ms("+90h"), virtual=True)
        return shop

    whole, pieces = shop_after(60), shop_after(1)

    by_customer = ("customer", "revision", "n")
    key = lambda line: [line[name] for name in by_customer]
    assert sorted(whole.log, key=key) == sorted(pieces.log, key=key)
    assert list(whole.store.scan("", 10)) == list(pieces.store.scan("", 10))


def test_a_call_enrolls_and_a_call_removes() -> None:
    shop = Shop(
        Journey("vip", trigger=api(), steps=[Wait(hours(1)), Send("email", "vip")])
    )
    shop.ingest(Enroll(id="c1", journey="vip", customer="ada", received_at=T0))

    shop.ingest(Remove(id="c2", journey="vip", customer="ada", received_at=T0))

    assert shop.said == ["entered", "waiting", "removed", "exited removed"]


def test_a_report_is_about_the_run_that_sent_the_message(provider: Provider) -> None:
    shop = Shop(
        Journey(
            "hello",
            trigger=on("joined"),
            steps=[
                Send("email", "hello"),
                WaitFor([When(on("message.opened"), [Emit("won")])]),
            ],
        ),
        channels=[provider],
    )
    shop.happens("joined")
    shop.deliver()

    shop.report(provider.asked[0].delivery_id, "message.opened")

    assert "emitted won" in shop.said


def test_a_report_about_an_unknown_message_counts_nowhere(
    caplog: pytest.LogCaptureFixture,
) -> None:
    shop = Shop(HELLO)

    done = shop.report("f" * 24, "message.delivered")

    assert done.reactions == 0
    assert "not known here" in caplog.text


def test_a_report_beyond_every_bound_is_a_dead_letter_and_the_rest_proceeds(
    provider: Provider,
) -> None:
    shop = Shop(
        HELLO,
        Journey("thanks", trigger=on("message.opened"), steps=[Emit("thanked")]),
        channels=[provider],
    )
    shop.happens("joined")
    shop.deliver()
    deep: dict[str, object] = {}
    for _ in range(99):
        deep = {"deeper": deep}
    id = provider.asked[0].delivery_id
    reports = [
        Report(id, "message.clicked", "r1", T0, {"deep": deep}),
        Report(id, "message.opened", "r2", T0),
    ]

    done = shop.runtime.feedback(reports, now=shop.now)

    assert (done.reactions, shop.said.count("emitted thanked")) == (1, 1)
    (letter,) = shop.store.dead(0, 10)
    assert (letter.door, letter.customer) == ("feedback", "ada")
    assert "nests deeper" in letter.reason
    assert letter.kind == "report"
    assert msgspec.json.decode(letter.body, type=Report) == reports[0]


def test_the_same_report_again_is_the_same_report(provider: Provider) -> None:
    shop = Shop(
        HELLO,
        Journey("thanks", trigger=on("message.opened"), steps=[Emit("thanked")]),
        channels=[provider],
    )
    shop.happens("joined")
    shop.deliver()
    report = Report(provider.asked[0].delivery_id, "message.opened", "r1", T0)

    shop.runtime.feedback([report], now=shop.now)
    shop.runtime.feedback([report], now=shop.now)

    assert shop.said.count("emitted thanked") == 1


# Logs and observers


def test_the_log_names_a_customer_by_a_name_that_only_the_document_can_tell() -> None:
    shop = Shop(HELLO)

    shop.happens("joined", "ada@example.com")

    assert {line["customer"] for line in shop.log} == {
        log_id("ada@example.com", "salt")
    }
    text = str(shop.log)
    assert "ada@example.com" not in text


def test_what_changes_nothing_is_in_the_log_and_told_apart_by_its_event() -> None:
    shop = Shop(CART)
    shop.state("cart", "paused")

    shop.ingest(shop.event("cart.added", id="e1"))
    shop.ingest(shop.event("cart.added", id="e2"))

    lines = [(line["event"], line["revision"], line["n"]) for line in shop.log]
    assert lines == [("e1", 0, -1), ("e2", 0, -1)]


def test_a_decision_names_the_source_of_its_event_and_of_nothing_else() -> None:
    journey = Journey("vip", trigger=api(), steps=[Wait(hours(1))])
    shop = Shop(CART, journey)
    call = Enroll(
        id="o-1", journey="vip", customer="cleo", received_at=to_datetime(shop.now)
    )
    added = shop.event("cart.added", "ada", id="o-1")

    shop.ingest(replace(added, source="shop"), replace(added, customer="ben"), call)
    shop.passes("+2h")

    named = {
        (line["customer"], line.get("event"), line.get("source")) for line in shop.log
    }
    ada, ben, cleo = (log_id(name, "salt") for name in ("ada", "ben", "cleo"))
    assert named >= {(ada, "o-1", "shop"), (ben, "o-1", ""), (cleo, "o-1", None)}
    assert {source for _, event, source in named if event is None} == {None}
    assert (cleo, None, None) in named


def test_values_are_logged_only_of_fields_that_are_loggable() -> None:
    journey = Journey(
        "cart",
        trigger=on("cart.added", where=(event.total > 10) & (event.owner != "x")),
        steps=[Exit("done")],
    )
    shop = Shop(journey, loggable=["event.total"])

    shop.happens("cart.added", total=7, owner="ada@example.com")

    (line,) = shop.log
    assert line["kind"] == "unmatched"
    assert line["detail"]["values"]["event.total"] == 7
    assert "ada@example.com" not in str(line)


def test_observers_are_told_of_what_is_committed() -> None:
    told: list[Reacted] = []
    observer = Observer("test", "journeykit_after_reaction", told.append)
    store = Stubborn()
    shop = Shop(HELLO, store=store, observers=Observers(reactions=[observer]))
    store.breaks = [StoreFull("no space left")]

    with pytest.raises(StoreFull):
        shop.happens("joined")
    before = list(told)
    shop.happens("joined")

    assert before == []
    (reacted,) = told
    assert (reacted.stimulus, reacted.revision, reacted.commands) == ("joined", 1, 1)
    assert [entry.kind for entry in reacted.trace] == ["entered", "sent", "completed"]
    assert reacted.log_id == log_id("ada", "salt")


# What is stored with a batch


def test_the_inbox_is_handled_with_the_commit() -> None:
    shop = Shop(HELLO)
    shop.store.put([shop.event("joined"), shop.event("joined", "bob")])

    count = shop.runtime.drain(shop.now)

    assert count == 2
    assert shop.store.pending(10) == []
    assert shop.said.count("sent") == 2


def test_a_bookmark_and_dead_letters_are_stored_with_the_batch() -> None:
    store = Stubborn()
    shop = Shop(HELLO, store=store)
    letter = DeadLetter(0, "run", "not a line of JSON", "", "", b"{")
    along = Along(dead=(letter,), bookmark=("run:events", "17"))
    store.breaks = [StoreFull("no space left")]

    with pytest.raises(StoreFull):
        shop.runtime.ingest([shop.event("joined")], now=shop.now, along=along)
    before = (store.bookmark("run:events"), store.dead(0, 10))
    shop.runtime.ingest([shop.event("joined")], now=shop.now, along=along)

    assert before == (None, [])
    assert store.bookmark("run:events") == "17"
    assert [found.body for found in store.dead(0, 10)] == [b"{"]


def test_a_batch_of_nothing_still_moves_the_bookmark() -> None:
    shop = Shop(HELLO)

    shop.runtime.ingest([], now=None, along=Along(bookmark=("run:events", "3")))

    assert shop.store.bookmark("run:events") == "3"


def test_events_in_the_past_of_the_wall_clock_are_released_by_the_clock() -> None:
    shop = Shop(HELLO)
    late = shop.event("joined")
    shop.now = shop.ms("+25h")

    shop.ingest(late)

    (sent,) = [line for line in shop.log if line["kind"] == "suppressed"]
    assert sent["reason"] == "expired"
    assert sent["at"] == "2026-06-01T12:00:00Z"
    assert T0 + timedelta(hours=25) == shop.instant(None)


def test_what_is_told_of_an_event_that_nobody_hears_depends_on_no_batch() -> None:
    told = []
    for cuts in ([0, 1, 2], [0, 2]):
        shop = Shop(CART)
        events = [
            shop.event("cart.added", id="one"),
            shop.event("page.seen", id="one"),  # as if it had come before
        ]
        for start, end in itertools.pairwise([*cuts, len(events)]):
            shop.runtime.ingest(events[start:end], now=None)
        told.append(shop.said)

    assert told[0] == told[1]
