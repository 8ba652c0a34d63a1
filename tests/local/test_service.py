"""What `serve` runs: whoever brings events waits until they are stored."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
import urllib.request
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from journeykit import Event, Journey, Send, Wait, api, hours, on
from journeykit.channels import (
    Capabilities,
    Channel,
    Message,
    Receipt,
    Report,
    Sent,
)
from journeykit.engine.calendar import to_ms
from journeykit.errors import StoreError
from journeykit.http.door import Busy
from journeykit.local.door import Door
from journeykit.local.embedded import Embedded
from journeykit.local.http_server import DoorServer
from journeykit.local.logs import log_lines
from journeykit.local.service import Service
from journeykit.local.sqlite import SQLiteStore
from journeykit.observers import Observers
from journeykit.plugins import Registry
from journeykit.ports import NOTHING, Along, Change, Job
from journeykit.runtime.catalogs import set_state
from journeykit.workspace import Workspace

T0 = datetime(2026, 6, 1, 12, tzinfo=UTC)
ENOUGH = 30.0  # seconds until a test that hangs is a test that fails
HELLO = Journey("hello", trigger=on("joined"), steps=[Send("email", "hello")])
LATER = Journey(
    "later", trigger=on("joined"), steps=[Wait(hours(1)), Send("email", "later")]
)
POISON = "ada\ud800"  # no UTF-8, so no store takes it; the door refuses it before


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = to_ms(T0)

    def __call__(self) -> int:
        return self.now


class Provider(Channel):
    """Carries e-mail, and remembers by which thread it was asked."""

    name = "email"
    provider = "test"
    capabilities = Capabilities(batch_size=10)

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.delivered: list[str] = []
        self.by: set[str] = set()

    def send(self, messages: Sequence[Message]) -> Sequence[Receipt]:
        self.by.add(threading.current_thread().name)
        self.asked += [(m.customer, m.template) for m in messages]
        self.delivered += [m.delivery_id for m in messages]
        return [Sent(m.delivery_id) for m in messages]


class CountingStore(SQLiteStore):
    """Counts its commits."""

    commits = 0

    def commit(
        self, changes: Sequence[Change], *, along: Along = NOTHING
    ) -> Collection[str]:
        self.commits += 1
        return super().commit(changes, along=along)


class Shop:
    """A workspace with its database and a service, which isn't started yet."""

    def __init__(self, folder: Path, *journeys: Journey) -> None:
        self.database = folder / "journeykit.db"
        self.clock = Clock()
        self.provider = Provider()
        self.store = CountingStore.open(self.database, busy_timeout_ms=50)
        self.embedded = Embedded(
            Workspace(path=folder, name="shop", journeys=journeys),
            Registry(
                {("email", "test"): self.provider}, {}, {}, {}, {}, Observers(), ()
            ),
            self.store,
            folder,
            relays=False,  # only the service writes the log
        )
        self.embedded.publish(now=self.clock())
        self.service = Service(
            self.embedded, clock=self.clock, metrics=lambda: "taken_total 1\n"
        )

    def accept(self, *customers: str) -> None:
        """They join, in one request."""
        self.service.accept([joined(one) for one in customers], timeout=ENOUGH)

    def stored(self, customer: str) -> Any:
        """What another process would find."""
        with closing(SQLiteStore.open(self.database)) as other:
            return other.load([customer]).get(customer)

    @contextmanager
    def running(self) -> Iterator[None]:
        self.service.start()
        try:
            yield
        finally:
            self.service.stop()

    @contextmanager
    def waiting(self, *requests: Sequence[str]) -> Iterator[list[Future[None]]]:
        """Requests that stand in the queue, each brought by a thread of its own."""
        with ThreadPoolExecutor(len(requests)) as pool:
            futures: list[Future[None]] = []
            for customers in requests:
                futures.append(pool.submit(self.accept, *customers))
                self.until_queued(sum(map(len, requests[: len(futures)])))
            yield futures

    def until_queued(self, count: int) -> None:
        until(lambda: self.service.health()["queued"] == count)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Callable[..., Shop]]:
    """Make a shop: `shop(journey, …)`."""
    shops: list[Shop] = []

    def make(*journeys: Journey) -> Shop:
        shops.append(Shop(tmp_path, *journeys))
        return shops[-1]

    yield make
    for one in shops:
        one.embedded.close()


def joined(customer: str) -> Event:
    return Event(
        id=f"joined-{customer}",
        name="joined",
        customer=customer,
        occurred_at=T0,
        received_at=T0,
    )


def until(holds: Callable[[], bool]) -> None:
    """Wait for what other threads do."""
    end = time.monotonic() + ENOUGH
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.005)


# The door


def test_what_is_accepted_is_stored(shop: Callable[..., Shop]) -> None:
    here = shop(LATER)
    with here.running():
        here.accept("ada", "ben")

        assert here.stored("ada").active
        assert here.stored("ben").active


def test_what_is_accepted_is_archived_and_its_decisions_are_logged(
    shop: Callable[..., Shop],
) -> None:
    here = shop(LATER)
    with here.running():
        here.accept("ada")

    archived = [
        json.loads(line)["id"] for line in log_lines(here.embedded.archive.path)
    ]
    decided = [json.loads(line) for line in log_lines(here.embedded.decisions.path)]
    assert archived == ["joined-ada"]
    assert {line["event"] for line in decided} == {"joined-ada"}


def test_many_requests_are_one_commit(shop: Callable[..., Shop]) -> None:
    here = shop(LATER)
    names = [f"customer-{n}" for n in range(40)]
    with here.waiting(*([name] for name in names)) as requests, here.running():
        for request in requests:
            request.result(ENOUGH)

        assert here.store.commits == 1
    assert all(here.stored(name).active for name in names)


def test_nobody_waits_in_a_full_queue(
    shop: Callable[..., Shop], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("journeykit.local.service.WAITING", 3)
    here = shop(LATER)
    with pytest.raises(Busy, match="not stored within"):
        here.service.accept([joined("ada")] * 3, timeout=0.0)

    with pytest.raises(Busy, match="too much is waiting"):
        here.accept("ben")

    with here.running():
        here.until_queued(0)
        here.accept("ben")  # there is room again
    assert here.stored("ada").active  # though nobody waited any more
    assert here.stored("ben").active


def test_who_comes_when_it_stops_is_sent_away(shop: Callable[..., Shop]) -> None:
    here = shop(LATER)
    with here.running():
        pass

    with pytest.raises(Busy, match="too much is waiting"):
        here.accept("ada")


def test_nothing_needs_no_thread(shop: Callable[..., Shop]) -> None:
    shop(LATER).service.accept([], timeout=0.0)


# What fails


def test_who_cant_be_stored_is_told_and_it_goes_on(shop: Callable[..., Shop]) -> None:
    here = shop(LATER)
    with here.running():
        with closing(sqlite3.connect(here.database, isolation_level=None)) as other:
            other.execute("begin immediate")

            def fails() -> bool:
                with pytest.raises(StoreError, match="locked by another process"):
                    here.accept("ada")
                return here.service.health()["status"] == "failing"

            until(fails)
            other.execute("rollback")

        here.accept("ben")
        until(lambda: here.service.health()["status"] == "ok")
    assert here.stored("ada") is None
    assert here.stored("ben").active


def test_what_cant_be_handled_hurts_no_other_request(
    shop: Callable[..., Shop],
) -> None:
    here = shop(LATER)
    requests = (["ada"], ["ben", POISON], ["cem"])
    with here.waiting(*requests) as (first, poisoned, last), here.running():
        first.result(ENOUGH)
        last.result(ENOUGH)
        with pytest.raises(UnicodeEncodeError):
            poisoned.result(ENOUGH)

        assert here.service.health()["status"] == "ok"
    assert here.stored("ada").active
    assert here.stored("ben") is None
    assert here.stored("cem").active


def test_when_the_store_fails_within_them_the_rest_is_told(
    shop: Callable[..., Shop],
) -> None:
    here = shop(LATER)
    with closing(sqlite3.connect(here.database, isolation_level=None)) as other:
        other.execute("begin immediate")
        with here.waiting([POISON], ["ada"], ["ben"]) as requests, here.running():
            poisoned, *rest = [request.exception(ENOUGH) for request in requests]
            other.execute("rollback")

    assert isinstance(poisoned, UnicodeEncodeError)
    assert [type(error) for error in rest] == [StoreError, StoreError]


def test_a_store_that_cant_be_read_is_said_in_the_health(
    shop: Callable[..., Shop],
) -> None:
    here = shop(LATER)
    here.store.close()

    health = here.service.health()

    assert health["status"] == "failing"
    assert "store" in health["failures"]  # type: ignore[operator]


def test_what_a_provider_says_is_archived_before_it_is_believed(
    shop: Callable[..., Shop],
) -> None:
    here = shop(HELLO)
    with here.running():
        here.accept("ada")
        until(lambda: here.store.backlog()["waiting"] == 0)
        [row] = here.provider.asked
        [id] = here.provider.delivered
        for _ in range(2):
            here.service.report(
                "email",
                [
                    Report(id, "message.complained", "r1", T0),
                    Report(
                        "of nobody", "message.opened", "r2", T0 - timedelta(hours=1)
                    ),
                ],
                timeout=ENOUGH,
            )

    assert row == ("ada", "hello")
    archived = [json.loads(line) for line in log_lines(here.embedded.archive.path)]
    said = [line for line in archived if line["name"] == "message.complained"]
    assert [line["customer"] for line in said] == ["ada", "ada"]  # at least once
    assert {line["id"] for line in said} == {"r1"}
    assert said[0]["properties"]["journey"] == "hello"
    assert {line["name"] for line in archived} == {"joined", "message.complained"}


def test_a_report_waits_for_a_message_that_is_just_being_handed_over(
    shop: Callable[..., Shop],
) -> None:
    here = shop(HELLO)
    told: list[Future[None]] = []
    send = here.provider.send
    with ThreadPoolExecutor(1) as pool:

        def faster(messages: Sequence[Message]) -> Sequence[Receipt]:
            """The provider tells of a bounce before it says that it has it."""
            [message] = messages
            hard = {"bounce": "hard"}
            report = Report(message.delivery_id, "message.bounced", "r1", T0, hard)
            told.append(
                pool.submit(here.service.report, "email", [report], timeout=ENOUGH)
            )
            until(lambda: bool(here.service._early))
            return send(messages)

        here.provider.send = faster  # type: ignore[method-assign]
        with here.running():
            here.accept("ada")
            until(lambda: bool(told))
            told[0].result(ENOUGH)

    [address] = here.stored("ada").addresses.values()
    assert address.suppressed == "hard_bounce"


def test_a_report_of_a_message_that_never_comes_is_to_be_said_again(
    shop: Callable[..., Shop],
) -> None:
    here = shop(HELLO)
    report = Report("ab12" * 6, "message.opened", "r1", T0)

    with here.running(), pytest.raises(StoreError, match="faster than the store"):
        here.service.report("email", [report], timeout=1.0)

    assert here.service._early == []


def test_what_is_handled_one_by_one_is_archived_once(
    shop: Callable[..., Shop], monkeypatch: pytest.MonkeyPatch
) -> None:
    here = shop(LATER)
    commit = here.store.commit

    def fragile(changes: Sequence[Change], *, along: Along = NOTHING) -> Any:
        if any(change.after.id == "ben" for change in changes):
            raise ZeroDivisionError
        return commit(changes, along=along)

    monkeypatch.setattr(here.store, "commit", fragile)
    with here.waiting(["ada"], ["ben"], ["cem"]) as requests, here.running():
        errors = [request.exception(ENOUGH) for request in requests]

    archived = [
        json.loads(line)["customer"] for line in log_lines(here.embedded.archive.path)
    ]
    assert [type(error) for error in errors] == [
        type(None),
        ZeroDivisionError,
        type(None),
    ]
    assert sorted(archived) == ["ada", "ben", "cem"]


def test_what_fails_is_logged_without_what_it_quotes(
    shop: Callable[..., Shop],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    here = shop(LATER)

    def fails() -> int:
        raise ValueError("ada@example.com")

    with monkeypatch.context() as patched, here.running():
        patched.setattr(here.embedded, "relay", fails)
        until(lambda: here.service.health()["status"] == "failing")
        failures = here.service.health()["failures"]

    assert failures == {"decide": "ValueError"}
    assert "ValueError" in caplog.text
    assert "in fails" in caplog.text
    assert "ada@example.com" not in caplog.text


def test_a_job_that_somebody_left_behind_is_done_in_a_minute(
    shop: Callable[..., Shop],
) -> None:
    here = shop(Journey("vip", trigger=api(), steps=[Send("email", "vip")]))
    with here.running():
        here.store.save(Job(0, "enroll", "vip", people=b"ada\nben\n"))
        here.clock.now += 61_000
        until(lambda: not here.store.unfinished())

    assert sorted(here.provider.asked) == [("ada", "vip"), ("ben", "vip")]


# Time, and handing over


def test_a_wait_ends_by_the_clock(shop: Callable[..., Shop]) -> None:
    here = shop(LATER)
    with here.running():
        here.accept("ada")
        before = list(here.provider.asked)
        here.clock.now += 3_600_000
        until(lambda: bool(here.provider.asked))

    assert before == []
    assert here.provider.asked == [("ada", "later")]


def test_messages_are_handed_over_by_a_thread_of_their_own(
    shop: Callable[..., Shop],
) -> None:
    here = shop(HELLO)
    with here.running():
        here.accept("ada")
        until(lambda: bool(here.provider.asked))

    assert here.provider.asked == [("ada", "hello")]
    assert here.provider.by == {"journeykit-deliver"}


def test_a_provider_that_takes_its_time_lets_nobody_wait(
    shop: Callable[..., Shop], monkeypatch: pytest.MonkeyPatch
) -> None:
    here = shop(HELLO)
    gate = threading.Event()
    send = here.provider.send

    def slow(messages: Sequence[Message]) -> Sequence[Receipt]:
        assert gate.wait(ENOUGH)
        return send(messages)

    monkeypatch.setattr(here.provider, "send", slow)
    with here.running():
        here.accept("ada")
        here.accept("ben")  # while it is busy with the first
        asked = list(here.provider.asked)
        gate.set()

    assert asked == []
    assert sorted(here.provider.asked) == [("ada", "hello"), ("ben", "hello")]


def test_stopping_finishes_what_was_accepted(shop: Callable[..., Shop]) -> None:
    here = shop(HELLO)
    names = [f"customer-{n}" for n in range(5)]
    with here.waiting(*([name] for name in names)) as requests:
        here.service.start()
        here.service.stop()

        assert [request.result(ENOUGH) for request in requests] == [None] * 5
    assert sorted(here.provider.asked) == [(name, "hello") for name in names]
    assert here.store.journal(1) == []


def test_a_pause_that_another_process_publishes_holds_from_the_next_event_on(
    shop: Callable[..., Shop],
) -> None:
    here = shop(LATER)
    with here.running():
        here.accept("ada")
        with closing(SQLiteStore.open(here.database)) as other:
            set_state(other, "later", "paused", now=here.clock(), reason="test")
        here.accept("ben")

    lines = [json.loads(line) for line in log_lines(here.embedded.decisions.path)]
    assert [(line["event"], line["kind"]) for line in lines][-1] == (
        "joined-ben",
        "not_entered",
    )
    assert lines[-1]["reason"] == "paused"
    assert here.stored("ada").active
    assert here.stored("ben") is None


# How it goes


def test_the_door_tells_how_it_goes(shop: Callable[..., Shop]) -> None:
    here = shop(LATER)
    with here.running(), DoorServer(Door(here.service), port=0) as server:
        here.accept("ada")

        def got(path: str) -> str:
            url = f"http://127.0.0.1:{server.port}{path}"
            with urllib.request.urlopen(url, timeout=ENOUGH) as answer:
                return str(answer.read().decode())

        health = json.loads(got("/health"))
        metrics = got("/metrics")

    assert (health["status"], health["catalog"], health["queued"]) == ("ok", 1, 0)
    assert health["waiting"] == 0
    assert metrics == "taken_total 1\n"


# Feedback, and what pages ask


def known(site: Shop) -> list[str]:
    """The deliveries that another process would find."""
    with closing(sqlite3.connect(site.database)) as database:
        return [id.hex() for (id,) in database.execute("select id from delivery")]


def test_what_a_provider_says_is_decided_by_the_thread_that_decides(
    shop: Callable[..., Shop],
) -> None:
    site = shop(HELLO)
    with site.running():
        site.accept("ada")
        until(lambda: bool(site.provider.asked))
        until(lambda: len(known(site)) == 1)
        [id] = known(site)
        report = Report(id, "message.unsubscribed", "r1", T0, {"topic": ""})

        site.service.report("email", [report], timeout=ENOUGH)

        said = site.service.permissions("ada")
    assert [(word.granted, word.channel) for word in said.consents] == [
        (False, "email")
    ]
    assert said.offers.channels == ("email",)


def test_nobody_is_known_who_never_came(shop: Callable[..., Shop]) -> None:
    site = shop(HELLO)

    assert site.service.permissions("zoe").consents == ()


def test_a_report_that_cant_be_stored_is_told_and_the_others_are(
    shop: Callable[..., Shop],
) -> None:
    site = shop(HELLO)
    early = Report("", "message.opened", "r1", T0, provider_id="p-1")
    with site.running():
        with pytest.raises(StoreError):
            site.service.report("email", [early], timeout=ENOUGH)
        site.accept("ada")

    assert site.stored("ada") is not None
