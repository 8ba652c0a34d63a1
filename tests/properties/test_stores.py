"""Whatever is done to them, the store in memory and the one in a file show the same."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import settings, strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
)
from msgspec.structs import replace

from journeykit.engine.commands import CallAction, Command, SendMessage
from journeykit.engine.customer import created
from journeykit.engine.stimuli import WakeUp
from journeykit.errors import StaleCatalog
from journeykit.local.sqlite import SQLiteStore
from journeykit.ports import (
    Along,
    CatalogDocument,
    Change,
    DeadLetter,
    Job,
    Settled,
    Store,
    Task,
)
from journeykit.testing import MemoryStore

NAMES = ("ada", "bob", "Zoë", "名前", "x'y", "🙂")
JOURNEYS = ("welcome", "vouchers")
names = st.sampled_from(NAMES)
instants = st.integers(0, 40)
values = st.one_of(st.integers(), st.text(max_size=5), st.none(), st.booleans())
profiles = st.dictionaries(st.sampled_from("abc"), values, max_size=3)


def message(customer: str, n: int, at: int, journey: str, test: bool) -> Command:
    named: dict[str, Any] = {"customer": customer, "at": at, "journey": journey}
    named |= {"version": 1, "step": "s", "enrollment": f"e{n}", "test": test}
    if n % 3 == 0:
        return CallAction(
            call_id=f"c{n % 7}",
            action="a",
            arguments={},
            retries=0,
            expires_at=9,
            **named,
        )
    return SendMessage(
        delivery_id=f"{n % 7:024x}",
        channel="email",
        address="a",
        template=f"t{n % 2}",
        variables={"n": n},
        purpose="marketing",
        **named,
    )


class TwoStores(RuleBasedStateMachine):
    """Each rule does one thing to both, and what they return is the same."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "journeykit.db"
        self.stores: tuple[Store, Store] = (MemoryStore(), SQLiteStore.open(self.path))
        self.tasks: tuple[list[Task], list[Task]] = ([], [])
        self.revision = 0
        self.count = 0

    def teardown(self) -> None:
        for store in self.stores:
            store.close()
        self.folder.cleanup()

    @rule()
    def reopen(self) -> None:
        self.stores[1].close()
        self.stores = (self.stores[0], SQLiteStore.open(self.path))

    @rule(
        changes=st.dictionaries(
            names,
            st.tuples(
                profiles, st.none() | instants, st.integers(0, 2), st.integers(-1, 5)
            ),
            max_size=4,
        ),
        handled=st.integers(0, 2),
        bookmark=st.none() | st.text(max_size=3),
        lines=st.binary(max_size=3),
        at=instants,
        journey=st.sampled_from(JOURNEYS),
        test=st.booleans(),
    )
    def commit(
        self,
        changes: dict[str, tuple[dict[str, Any], int | None, int, int]],
        handled: int,
        bookmark: str | None,
        lines: bytes,
        at: int,
        journey: str,
        test: bool,
    ) -> None:
        refused = []
        for store in self.stores:
            stored = store.load(NAMES)
            made = []
            for name, (profile, due, count, behind) in changes.items():
                before = stored.get(name)
                if behind == 0 and before is not None:  # from a revision that is gone
                    before = replace(before, revision=before.revision - 1)
                elif behind == -1:  # as if there were nobody, or somebody
                    before = None if before is not None else created(name, 0)
                after = replace(
                    before or created(name, 0),
                    revision=before.revision + 1 if before else 1,
                    profile=profile,
                    next_due=due,
                )
                commands = tuple(
                    message(name, self.count + n, at, journey, test)
                    for n in range(count)
                )
                made.append(Change(before, after, commands, name.encode()))
            along = Along(
                handled=tuple(number for number, _ in store.pending(handled)),
                dead=(DeadLetter(at, "http", "why", "ada", "", lines),)
                if handled
                else (),
                bookmark=None if bookmark is None else ("r", bookmark),
                lines=lines,
            )
            refused.append(set(store.commit(made, along=along)))
        self.count += 2
        assert refused[0] == refused[1]

    @rule(people=st.lists(names, max_size=3))
    def put(self, people: list[str]) -> None:
        for store in self.stores:
            store.put([WakeUp(name) for name in people])

    @rule(now=instants, limit=st.integers(1, 5), lease=st.integers(0, 20))
    def take(self, now: int, limit: int, lease: int) -> None:
        found = [
            list(store.take(now, limit, lease_until=now + lease))
            for store in self.stores
        ]
        assert [replace(t, id=0) for t in found[0]] == [
            replace(t, id=0) for t in found[1]
        ]
        for tasks, new in zip(self.tasks, found, strict=True):
            tasks += new

    @precondition(lambda self: self.tasks[0])
    @rule(data=st.data(), at=instants, attempts=st.integers(0, 3))
    def settle(self, data: st.DataObject, at: int, attempts: int) -> None:
        last = len(self.tasks[0]) - 1
        picked = data.draw(
            st.lists(st.integers(0, last), min_size=1, max_size=4, unique=True)
        )
        outcome = data.draw(
            st.sampled_from(["sent", "failed", "uncertain", "returned", "again"])
        )
        for store, tasks in zip(self.stores, self.tasks, strict=True):
            store.settle(
                [
                    Settled(tasks[n].id, outcome, at, attempts, "why", "p", at % 2 == 0)
                    for n in picked
                ],
                reports=[WakeUp("ada")] * (attempts // 3),
            )

    @rule(letters=st.integers(0, 2))
    def revive(self, letters: int) -> None:
        for store in self.stores:
            ids = [letter.id for letter in store.dead(0, letters)]
            store.revive(ids, into=[WakeUp("bob") for _ in ids])

    @rule(key=st.sampled_from("kl"), holder=names, limit=st.integers(0, 4))
    def claim(self, key: str, holder: str, limit: int) -> None:
        one, two = (store.claim(key, holder, limit, at=0) for store in self.stores)
        assert one == two

    @rule(
        slots=st.integers(1, 5),
        interval=st.integers(1, 9),
        burst=st.integers(1, 4),
        now=st.integers(0, 200),
    )
    def reserve(self, slots: int, interval: int, burst: int, now: int) -> None:
        one, two = (
            store.reserve("sms", slots, interval_us=interval, burst=burst, now_us=now)
            for store in self.stores
        )
        assert one == two

    @rule(ahead=st.integers(0, 2))
    def publish(self, ahead: int) -> None:
        catalog = CatalogDocument(self.revision + ahead, 0, "0.1.0", [], {})
        took = []
        for store in self.stores:
            try:
                store.publish(catalog)
            except StaleCatalog:
                took.append(False)
            else:
                took.append(True)
        assert took == [ahead == 1] * 2
        self.revision += ahead == 1

    @rule(blocks=st.integers(0, 2))
    def forget(self, blocks: int) -> None:
        for store in self.stores:
            for number, _ in store.journal(blocks):
                store.forget(number)

    @rule(journey=st.sampled_from(JOURNEYS))
    def reset(self, journey: str) -> None:
        for store in self.stores:
            store.reset_tallies([journey])

    @rule(cursor=st.none() | st.text(max_size=3), done=st.booleans())
    def save(self, cursor: str | None, done: bool) -> None:
        for store in self.stores:
            jobs = store.unfinished()
            if cursor is None or not jobs:
                store.save(Job(0, "stop", "welcome", people=b"x"))
            else:
                store.save(replace(jobs[0], cursor=cursor, visited=7, done=done))

    @invariant()
    def both_show_the_same(self) -> None:
        memory, file = map(shown, self.stores)
        assert memory == file


def shown(store: Store) -> dict[str, Any]:
    """All that a store lets be seen, but for the numbers it gives."""
    deliveries = [f"{n:024x}" for n in range(7)] + [f"c{n}" for n in range(7)]
    return {
        "documents": store.load(NAMES),
        "due": list(store.due(20, 3)),
        "scan": list(store.scan("b", 2)),
        "pending": [stimulus for _, stimulus in store.pending(9)],
        "backlog": store.backlog(),
        "deliveries": store.find(deliveries),
        "tallies": store.tallies(),
        "revision": store.revision(),
        "catalog": store.current(),
        "dead": [replace(letter, id=0) for letter in store.dead(0, 9)],
        "journal": [lines for _, lines in store.journal(9)],
        "jobs": [replace(job, id=0) for job in store.unfinished()],
        "bookmark": store.bookmark("r"),
    }


TestStores = TwoStores.TestCase
TestStores.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
