"""A workspace with its database: what operators and files do to it."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from journeykit import (
    Cap,
    Emit,
    Event,
    Journey,
    Policies,
    Send,
    Wait,
    WaitFor,
    When,
    api,
    days,
    hours,
    on,
)
from journeykit.builtin.jinja import JinjaEngine
from journeykit.channels import (
    Capabilities,
    Channel,
    Message,
    Receipt,
    Rejected,
    RetryAfter,
    Sent,
)
from journeykit.content.templates import Library
from journeykit.engine.calendar import to_ms
from journeykit.errors import InvalidJourney, StaleCatalog, StoreBusy, StoreError
from journeykit.local.embedded import Embedded
from journeykit.local.logs import log_lines
from journeykit.local.sqlite import SQLiteStore
from journeykit.observers import Observers
from journeykit.plugins import Registry
from journeykit.ports import Along, Job
from journeykit.runtime.catalogs import set_state
from journeykit.workspace import Workspace

T0 = datetime(2026, 6, 1, 12, tzinfo=UTC)
NOW = to_ms(T0)
HOUR = 3_600_000
QUIET = Journey("quiet", trigger=on("joined"), steps=[Wait(hours(1))])
HELLO = Journey("hello", trigger=on("joined"), steps=[Send("email", "hello")])


def later(template: str) -> Journey:
    steps = [Wait(hours(1)), Send("email", template)]
    return Journey("later", trigger=on("joined"), steps=steps)


class Provider(Channel):
    """Carries e-mail, and answers as a test says."""

    name = "email"
    provider = "test"
    capabilities = Capabilities(batch_size=10)

    def __init__(self) -> None:
        self.asked: list[Message] = []
        self.answer: Callable[[Message], Receipt] = lambda m: Sent(m.delivery_id)

    def send(self, messages: Sequence[Message]) -> Sequence[Receipt]:
        self.asked += messages
        return [self.answer(message) for message in messages]

    @property
    def templates(self) -> list[str]:
        return [message.template for message in self.asked]


Open = Callable[..., Embedded]


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
def opened(tmp_path: Path, provider: Provider) -> Iterator[Open]:
    """Open the one database with these journeys: `opened(journey, …)`."""
    with ExitStack() as stack:

        def make(*journeys: Journey, **more: Any) -> Embedded:
            store = SQLiteStore.open(tmp_path / "journeykit.db", busy_timeout_ms=50)
            stack.callback(store.close)
            embedded = Embedded(
                Workspace(path=tmp_path, name="shop", journeys=journeys, **more),
                Registry(
                    {("email", "test"): provider}, {}, {}, {}, {}, Observers(), ()
                ),
                store,
                tmp_path,
            )
            stack.enter_context(embedded)
            return embedded

        yield make


@pytest.fixture
def shop(opened: Open) -> Callable[..., Embedded]:
    """The same, published."""

    def make(*journeys: Journey, **more: Any) -> Embedded:
        embedded = opened(*journeys, **more)
        embedded.publish(now=NOW)
        return embedded

    return make


def event(name: str, customer: str = "ada", after: timedelta = timedelta()) -> Event:
    at = T0 + after
    return Event(
        id=f"{name}-{customer}-{after}",
        name=name,
        customer=customer,
        occurred_at=at,
        received_at=at,
    )


def decisions(embedded: Embedded) -> list[str]:
    """What the decision log says."""
    lines = map(json.loads, log_lines(embedded.decisions.path))
    return [f"{line['kind']} {line.get('reason', '')}".rstrip() for line in lines]


# By the event clock


def test_a_batch_is_decided_handed_over_and_logged(
    shop: Open, provider: Provider
) -> None:
    embedded = shop(HELLO)

    embedded.replay([event("joined")], clock=NOW + 1)

    assert provider.templates == ["hello"]
    assert decisions(embedded) == ["entered", "sent", "completed"]
    assert embedded.store.journal(10) == []


def test_what_the_events_of_one_instant_lead_to_is_left_for_the_next_batch(
    shop: Open, provider: Provider
) -> None:
    embedded = shop(HELLO)

    embedded.replay([event("joined")], clock=NOW)
    before = provider.templates
    embedded.settle(NOW)

    assert before == []
    assert provider.templates == ["hello"]


def test_waits_end_when_the_clock_has_come_to_them(
    shop: Open, provider: Provider
) -> None:
    embedded = shop(later("hello"))
    embedded.replay([event("joined")], clock=NOW)

    embedded.settle(NOW + HOUR - 1)
    early = provider.templates
    embedded.settle(NOW + HOUR)

    assert early == []
    assert [message.at for message in provider.asked] == [T0 + timedelta(hours=1)]


def test_what_dispatchers_report_is_decided_before_it_returns(
    shop: Open, provider: Provider
) -> None:
    steps = [
        Send("email", "hello"),
        WaitFor([When(on("message.failed"), [Send("email", "again")])]),
    ]
    embedded = shop(Journey("hello", trigger=on("joined"), steps=steps))
    provider.answer = lambda m: (
        Rejected(m.delivery_id, "no") if m.template == "hello" else Sent(m.delivery_id)
    )

    embedded.replay([event("joined")], clock=NOW + 1)

    assert provider.templates == ["hello", "again"]


def test_published_events_are_written_down(shop: Open, tmp_path: Path) -> None:
    steps = [Emit("vip.found", {"tier": "gold"}, public=True)]
    embedded = shop(Journey("vip", trigger=on("joined"), steps=steps))

    embedded.replay([event("joined")], clock=NOW + 1)

    (line,) = log_lines(tmp_path / "published.jsonl")
    published = json.loads(line)
    assert (published["name"], published["customer"]) == ("vip.found", "ada")
    assert published["properties"] == {"tier": "gold"}
    assert published["occurred_at"] == "2026-06-01T12:00:00Z"


def test_only_what_comes_by_a_pipe_is_archived(shop: Open) -> None:
    embedded = shop(HELLO)

    embedded.replay([event("joined", "ada")], clock=NOW, archived=True)
    embedded.replay([event("joined", "bob")], clock=NOW)

    archived = [
        json.loads(line)["customer"] for line in log_lines(embedded.archive.path)
    ]
    assert archived == ["ada"]


def test_a_batch_that_can_not_be_stored_moves_no_bookmark(
    shop: Open, provider: Provider, tmp_path: Path
) -> None:
    embedded = shop(HELLO)
    batch = [event("joined", f"customer-{n}") for n in range(5)]
    along = Along(bookmark=("file", "5"))
    with closing(sqlite3.connect(tmp_path / "journeykit.db")) as other:
        other.execute("begin immediate")

        with pytest.raises(StoreBusy, match="is locked by another process; try again"):
            embedded.replay(batch, clock=NOW + 1, along=along)
        other.rollback()
    before = embedded.store.bookmark("file"), embedded.store.scan("", 10)
    embedded.replay(batch, clock=NOW + 1, along=along)

    assert before == (None, [])
    assert embedded.store.bookmark("file") == "5"
    assert len(provider.asked) == 5


def test_a_lock_while_it_delivers_loses_nothing_and_sends_nothing_twice(
    shop: Open, provider: Provider, tmp_path: Path
) -> None:
    embedded = shop(HELLO)
    embedded.replay([event("joined", f"c-{n}") for n in range(25)], clock=NOW)
    with closing(sqlite3.connect(tmp_path / "journeykit.db")) as other:

        def lock(message: Message) -> Receipt:
            if len(provider.asked) >= 10 and not other.in_transaction:
                other.execute("begin immediate")
            return Sent(message.delivery_id)

        provider.answer = lock
        with pytest.raises(StoreBusy):
            embedded.settle(NOW)
        other.rollback()
        provider.answer = lambda m: Sent(m.delivery_id)
        embedded.settle(NOW)
        embedded.finish(NOW)

    assert len(provider.asked) == 25
    assert len({message.delivery_id for message in provider.asked}) == 25
    found = embedded.store.find([message.delivery_id for message in provider.asked])
    outcomes = [one.outcome for one in found.values()]
    assert outcomes.count("uncertain") == 10  # the batch on its way, which was sent
    assert outcomes.count("sent") == 15


def test_logs_that_can_not_be_written_are_written_later(
    shop: Open, tmp_path: Path
) -> None:
    embedded = shop(HELLO)
    (tmp_path / "decisions.jsonl").mkdir()

    with pytest.raises(StoreError, match=r"decisions\.jsonl can't be written"):
        embedded.replay([event("joined")], clock=NOW + 1)
    (tmp_path / "decisions.jsonl").rmdir()
    embedded.relay()

    assert decisions(embedded) == ["entered", "sent", "completed"]


# The end


def test_at_the_end_nothing_is_left_that_waits_for_a_moment_only(
    shop: Open, provider: Provider
) -> None:
    embedded = shop(
        Journey(
            "hello", trigger=on("joined"), steps=[Send("email", "hello")], pace="60/h"
        )
    )
    embedded.replay([event("joined", f"c-{n}") for n in range(10)], clock=NOW)
    embedded.settle(NOW)
    paced = len(provider.asked)

    embedded.finish(NOW)

    assert paced == 1
    assert len(provider.asked) == 10


def test_at_the_end_what_failed_is_tried_once_more(
    shop: Open, provider: Provider
) -> None:
    embedded = shop(HELLO)
    answers = iter([RetryAfter("", 60), None])
    provider.answer = lambda m: (
        RetryAfter(m.delivery_id, 60) if next(answers) else Sent(m.delivery_id)
    )
    embedded.replay([event("joined")], clock=NOW)

    embedded.settle(NOW)
    embedded.finish(NOW)

    assert provider.templates == ["hello", "hello"]
    assert embedded.store.backlog()["waiting"] == 0


def test_at_the_end_waits_go_on_waiting(shop: Open, provider: Provider) -> None:
    embedded = shop(later("hello"))
    embedded.replay([event("joined")], clock=NOW)

    embedded.finish(NOW)

    assert provider.asked == []
    assert embedded.store.due(NOW + HOUR, 10) == [(NOW + HOUR, "ada")]


# Publishing


def test_who_is_in_flight_goes_on_with_what_they_entered(
    shop: Open, opened: Open, provider: Provider
) -> None:
    before = shop(later("old"))
    before.replay([event("joined", "ada")], clock=NOW)
    after = opened(later("new"))

    differs = after.differs()
    published = after.publish(now=NOW)
    after.replay([event("joined", "bob")], clock=NOW)
    after.settle(NOW + HOUR)

    assert differs
    assert published.changed == {"later": 2}
    assert not after.differs()
    assert {m.customer: m.template for m in provider.asked} == {
        "ada": "old",
        "bob": "new",
    }


def test_a_publish_on_something_else_is_refused_and_nothing_changes(
    shop: Open, opened: Open
) -> None:
    shop(later("old"))
    stale = opened(later("new"))

    with pytest.raises(StaleCatalog, match="catalog revision 1 is live, and not 0"):
        stale.publish(now=NOW, expected=0)

    assert stale.store.revision() == 1
    assert stale.differs()


def test_what_nobody_can_carry_is_never_published(opened: Open) -> None:
    with pytest.raises(InvalidJourney, match="nobody carries channel 'pigeon'"):
        opened(Journey("pigeon", trigger=on("joined"), steps=[Send("pigeon", "coo")]))


def test_a_publish_that_changes_nothing_writes_nothing(shop: Open) -> None:
    embedded = shop(HELLO)

    again = embedded.publish(now=NOW)

    assert not again.is_new
    assert embedded.store.revision() == 1


def test_a_new_version_is_counted_from_nothing_and_the_others_go_on(
    shop: Open, opened: Open, provider: Provider
) -> None:
    before = shop(HELLO, later("old"))
    provider.answer = lambda m: Rejected(m.delivery_id, "no")
    before.replay([event("joined", f"c-{n}") for n in range(5)], clock=NOW)
    before.settle(NOW + HOUR)
    counts = before.store.tallies()

    after = opened(HELLO, later("new"))
    after.publish(now=NOW)

    assert counts == {"hello": (0, 5), "later": (0, 5)}
    assert after.store.tallies() == {"hello": (0, 5)}


def test_a_pause_counts_on_and_a_resume_from_nothing(
    shop: Open, provider: Provider
) -> None:
    embedded = shop(HELLO)
    provider.answer = lambda m: Rejected(m.delivery_id, "no")
    embedded.replay([event("joined", f"c-{n}") for n in range(5)], clock=NOW + 1)

    set_state(embedded.store, "hello", "paused", now=NOW, reason="test")
    paused = embedded.store.tallies()
    set_state(embedded.store, "hello", "live", now=NOW, reason="test")

    assert paused == {"hello": (0, 5)}
    assert embedded.store.tallies() == {}


def test_a_resume_reaches_who_is_parked_and_what_has_expired_is_not_sent(
    shop: Open, provider: Provider
) -> None:
    steps = [
        Wait(hours(1)),
        Send("email", "sale", expires_after=hours(1)),
        Send("email", "hello", expires_after=days(30)),
    ]
    embedded = shop(Journey("sale", trigger=on("joined"), steps=steps))
    embedded.replay([event("joined", f"c-{n}") for n in range(3)], clock=NOW)
    set_state(embedded.store, "sale", "paused", now=NOW, reason="test")
    embedded.settle(NOW + 2 * HOUR)

    set_state(embedded.store, "sale", "live", now=NOW, reason="test")
    job = embedded.visit("resume", "sale", now=NOW + 24 * HOUR)
    embedded.settle(NOW + 24 * HOUR)

    assert (job.done, job.visited) == (True, 3)
    assert provider.templates == ["hello"] * 3
    assert decisions(embedded).count("suppressed expired") == 3


def test_people_of_a_file_are_enrolled_once_however_often_the_job_runs(
    shop: Open, provider: Provider
) -> None:
    embedded = shop(Journey("vip", trigger=api(), steps=[Send("email", "vip")]))
    job = embedded.visits.run(
        Job(0, "enroll", "vip", people=b'ada\n{"customer": "bob"}\n'), now=NOW
    )

    embedded.visits.run(Job(job.id, "enroll", "vip", people=b"ada\nbob\n"), now=NOW)
    embedded.settle(NOW)

    assert sorted(m.customer for m in provider.asked) == ["ada", "bob"]
    assert embedded.store.unfinished() == []


# Other processes


def test_two_on_one_database_obey_the_same_catalog(
    shop: Open, opened: Open, provider: Provider
) -> None:
    one = shop(HELLO)
    two = opened(HELLO)
    set_state(one.store, "hello", "paused", now=NOW, reason="test")

    two.replay([event("joined")], clock=NOW + 1)

    assert provider.asked == []
    assert decisions(two) == ["not_entered paused"]


def test_caps_hold_for_policies_of_the_workspace(
    shop: Open, provider: Provider
) -> None:
    embedded = shop(HELLO, policies=Policies(caps=[Cap(0, within=hours(24))]))

    embedded.replay([event("joined")], clock=NOW + 1)

    assert provider.asked == []


# What is damaged, and what must be safe


def test_a_damaged_document_holds_up_neither_timers_nor_jobs(
    shop: Callable[..., Embedded], provider: Provider, tmp_path: Path
) -> None:
    here = shop(later("later"))
    names = ["ada", "bob", "cyd", "dan", "eve"]
    here.runtime.ingest([event("joined", name) for name in names], now=NOW)
    with closing(sqlite3.connect(tmp_path / "journeykit.db")) as db, db:
        db.execute("update customer set document = x'00' where name = 'cyd'")

    job = here.visit("resume", "later", now=NOW)
    here.runtime.tick(NOW + HOUR)
    here.runtime.tick(NOW + HOUR)
    here.dispatcher.deliver(NOW + HOUR)

    assert (job.done, job.visited) == (True, 4)
    assert sorted(message.customer for message in provider.asked) == [
        "ada",
        "bob",
        "dan",
        "eve",
    ]
    (letter,) = here.store.dead(0, 9)
    assert (letter.customer, letter.kind) == ("cyd", "wake_up")
    assert "row 3 can't be read" in letter.reason


@pytest.mark.parametrize(("synchronous", "synced"), [("NORMAL", False), ("FULL", True)])
def test_what_leaves_the_database_is_as_safe_in_the_logs(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    synchronous: Any,
    synced: bool,
) -> None:
    calls: list[int] = []
    fsync = os.fsync

    def synced_to_disk(number: int) -> None:
        calls.append(number)
        fsync(number)

    monkeypatch.setattr(os, "fsync", synced_to_disk)
    workspace = Workspace(path=tmp_path, name="shop", journeys=(QUIET,))
    registry = Registry({}, {}, {}, {}, {}, Observers(), ())
    joined = Event(
        id="1", name="joined", customer="ada", occurred_at=T0, received_at=T0
    )
    with Embedded.open(workspace, registry, synchronous=synchronous) as embedded:
        embedded.publish(now=NOW)

        embedded.replay([joined], clock=NOW, archived=True)

        assert list(log_lines(embedded.archive.path))
        assert list(log_lines(embedded.decisions.path))
    assert bool(calls) == synced


# Templates


class Letters(Provider):
    """A provider of what templates come to."""

    medium = "email"

    def __init__(self) -> None:
        super().__init__()
        self.bodies: list[str] = []

    def facts(self, templates: Mapping[str, Mapping[str, object]]) -> Mapping[str, Any]:
        return {"names": sorted(templates)}

    def render(self, message: Message) -> Message:
        assert message.content is not None
        return replace(message, body=message.content.parts["txt"])

    def send(self, messages: Sequence[Message]) -> Sequence[Receipt]:
        self.bodies += [message.body for message in messages]
        return super().send(messages)


@pytest.fixture
def letters(tmp_path: Path) -> Iterator[Callable[[str], tuple[Embedded, Letters]]]:
    """Open the one workspace with this template: `letters("Hello!")`."""
    with ExitStack() as stack:

        def make(text: str) -> tuple[Embedded, Letters]:
            folder = tmp_path / "templates"
            folder.mkdir(exist_ok=True)
            (folder / "hello.email.txt").write_text(text, "utf-8")
            store = SQLiteStore.open(tmp_path / "journeykit.db")
            carrier = Letters()
            embedded = Embedded(
                Workspace(
                    path=tmp_path,
                    name="shop",
                    journeys=[HELLO],
                    _library=Library.read(folder),
                ),
                Registry(
                    channels={("email", "test"): carrier},
                    actions={},
                    guards={},
                    engines={"jinja": JinjaEngine()},
                    commands={},
                    observers=Observers(),
                    plugins=(),
                ),
                store,
                tmp_path,
            )
            stack.enter_context(embedded)
            return embedded, carrier

        yield make


def test_a_message_is_made_of_the_published_template(
    letters: Callable[[str], tuple[Embedded, Letters]],
) -> None:
    embedded, carrier = letters("Hello, it is {{ now.year }}.")
    embedded.publish(now=NOW)

    embedded.replay([event("joined")], clock=NOW)
    embedded.settle(NOW)

    assert carrier.bodies == ["Hello, it is 2026."]


def test_what_is_written_counts_from_the_publish_on(
    letters: Callable[[str], tuple[Embedded, Letters]],
) -> None:
    letters("one")[0].publish(now=NOW)
    embedded, carrier = letters("two")
    unpublished = embedded.differs()
    embedded.replay([event("joined", "ada")], clock=NOW)
    embedded.settle(NOW)

    published = embedded.publish(now=NOW)
    embedded.replay([event("joined", "bob")], clock=NOW)
    embedded.settle(NOW)

    assert carrier.bodies == ["one", "two"]
    assert unpublished
    assert (published.templates, published.changed) == (True, {})
    assert not embedded.differs()


def test_what_channels_say_about_templates_is_published(
    letters: Callable[[str], tuple[Embedded, Letters]],
) -> None:
    embedded, _ = letters("one")

    embedded.publish(now=NOW)

    live = embedded.store.current()
    assert live is not None
    assert live.facts == {"email": {"names": ["hello"]}}
