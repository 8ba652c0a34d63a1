"""Many at the same time on one store: everything happens once."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

import pytest
from tests.runtime.conftest import Provider, Shop

from journeykit import (
    Branch,
    Call,
    Cap,
    Journey,
    Policies,
    Send,
    Wait,
    When,
    hours,
    on,
    step,
)
from journeykit.builtin.claim import ClaimAction
from journeykit.local.sqlite import SQLiteStore
from journeykit.ports import Job, Store
from journeykit.runtime.runtime import Runtime
from journeykit.runtime.visits import Visits
from journeykit.testing import MemoryStore

T = TypeVar("T")

WORKERS = 10
HELLO = Journey("hello", trigger=on("joined"), steps=[Send("email", "hello")])
LATER = Journey(
    "later", trigger=on("joined"), steps=[Wait(hours(1)), Send("email", "later")]
)
OFFER = Journey(
    "offer",
    trigger=on("joined"),
    steps=[
        Call("claim", {"key": "offer", "limit": 3}),
        Branch(
            [When(step("call-claim").result.granted == True, [Send("email", "won")])],
            otherwise=[Send("email", "too-late")],
        ),
    ],
)


@pytest.fixture(autouse=True)
def _threads_take_turns_all_the_time() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


@pytest.fixture(params=["memory", "sqlite"])
def store(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Callable[..., Store]]:
    """Open the one store once more, as another process does: `store()`."""
    if request.param == "memory":
        memory = MemoryStore()
        yield lambda: memory
        return
    with ExitStack() as stack:

        def opened() -> Store:
            found = SQLiteStore.open(tmp_path / "journeykit.db")
            stack.callback(found.close)
            return found

        yield opened


def at_once(work: Callable[[int], T], *, workers: int = WORKERS) -> list[T]:
    """Let all do it in the same moment, and return what each of them says."""
    barrier = threading.Barrier(workers)

    def wait_and_work(n: int) -> T:
        barrier.wait()
        return work(n)

    with ThreadPoolExecutor(workers) as pool:
        return [*pool.map(wait_and_work, range(workers))]


def test_ten_who_wake_the_same_customer_move_them_once(
    store: Callable[[], Store],
) -> None:
    provider = Provider()
    shops = [Shop(LATER, store=store(), channels=[provider]) for _ in range(WORKERS)]
    first = shops[0]
    first.happens("joined")
    before = first.customer().revision
    due = first.ms("+1h")

    at_once(lambda n: shops[n].runtime.tick(due))
    waiting = first.store.backlog()["waiting"]
    at_once(lambda n: shops[n].dispatcher.deliver(due))

    assert first.customer().revision == before + 1
    assert first.said == ["entered", "waiting", "went_on due", "sent", "completed"]
    assert waiting == 1
    assert len(provider.asked) == 1


def test_an_event_that_comes_in_at_ten_doors_happens_once(
    store: Callable[[], Store],
) -> None:
    shops = [Shop(HELLO, store=store()) for _ in range(WORKERS)]
    joined = shops[0].event("joined", id="the-same")

    at_once(lambda n: shops[n].ingest(joined))

    said = Counter(shops[0].said)
    assert said["entered"] == said["sent"] == 1
    assert said["ignored duplicate"] == WORKERS - 1
    assert shops[0].store.backlog()["waiting"] == 1


def test_nothing_is_lost_when_all_change_the_same_customers(
    store: Callable[[], Store],
) -> None:
    people = [f"customer-{n}" for n in range(5)]
    shops = [Shop(HELLO, store=store()) for _ in range(WORKERS)]
    batches = [
        [
            shop.event("profile.updated", who, id=f"{n}-{who}", **{f"by_{n}": n})
            for who in people
        ]
        for n, shop in enumerate(shops)
    ]

    at_once(lambda n: shops[n].ingest(*batches[n]))

    for who in people:
        customer = shops[0].customer(who)
        assert customer.profile == {f"by_{n}": n for n in range(WORKERS)}
        assert customer.revision == WORKERS


def test_a_cap_is_exact_however_many_decide_at_once(
    store: Callable[[], Store],
) -> None:
    journeys = [
        Journey(f"hello-{n}", trigger=on(f"joined-{n}"), steps=[Send("email", "hello")])
        for n in range(WORKERS)
    ]
    policies = Policies(caps=[Cap(3, within=hours(24))])
    shops = [Shop(*journeys, store=store(), policies=policies) for _ in range(WORKERS)]
    events = [shop.event(f"joined-{n}", id=f"e{n}") for n, shop in enumerate(shops)]

    at_once(lambda n: shops[n].ingest(events[n]))

    said = Counter(shops[0].said)
    assert said["sent"] == 3
    assert said["suppressed frequency_cap"] == WORKERS - 3


def test_dispatchers_hand_each_message_over_once(store: Callable[[], Store]) -> None:
    provider = Provider(batch_size=3)
    shops = [Shop(HELLO, store=store(), channels=[provider]) for _ in range(4)]
    first = shops[0]
    first.ingest(*(first.event("joined", f"customer-{n}") for n in range(100)))

    def deliver(n: int) -> int:
        total = 0
        while count := shops[n].dispatcher.deliver(first.now, limit=7):
            total += count
        return total

    counts = at_once(deliver, workers=len(shops))

    assert sum(counts) == 100
    assert len(provider.asked) == 100
    assert len({message.delivery_id for message in provider.asked}) == 100
    assert first.store.backlog()["waiting"] == 0
    assert first.store.tallies() == {"hello": (100, 0)}


def test_the_first_three_of_twenty_get_a_place_however_many_give_them_away(
    store: Callable[[], Store],
) -> None:
    provider = Provider()
    shops = [
        Shop(OFFER, store=store(), channels=[provider], actions=[ClaimAction()])
        for _ in range(4)
    ]
    first = shops[0]
    events = [first.event("joined", f"customer-{n}") for n in range(20)]

    def takes_part(n: int) -> None:
        shop = shops[n]
        shop.ingest(*events[n :: len(shops)])
        for _ in range(3):  # the call, its result, the message
            while shop.dispatcher.deliver(shop.now, limit=2):
                pass
            shop.runtime.drain(shop.now)

    at_once(takes_part, workers=len(shops))
    while sum(shop.deliver() for shop in shops):
        pass

    templates = Counter(message.template for message in provider.asked)
    assert templates == {"won": 3, "too-late": 17}
    assert len({message.customer for message in provider.asked}) == 20


def test_whoever_publishes_in_between_is_not_undone(store: Callable[[], Store]) -> None:
    shops = [Shop(HELLO, LATER, store=store()) for _ in range(4)]
    before = shops[0].store.revision()
    wanted = [("hello", "paused"), ("later", "stopped")] * 2

    at_once(lambda n: shops[n].state(*wanted[n]), workers=4)

    document = shops[0].store.current()
    assert document.states == {"hello": "paused", "later": "stopped"}
    assert document.revision == before + 2


def test_a_resume_is_not_undone_by_who_parks_at_the_same_moment() -> None:
    provider = Provider()
    journey = Journey(
        "hello",
        trigger=on("joined"),
        steps=[Wait(hours(1)), Send("email", "hello")],
    )
    shop = Shop(journey, channels=[provider])
    shop.happens("joined")
    shop.state("hello", "paused")
    earlier, commit = shop.ms("+59m"), shop.store.commit

    def resumed_meanwhile(changes: Any, **along: Any) -> Any:
        if changes and shop.store.commit is not commit:
            shop.store.commit = commit
            shop.state("hello", "live")
            other = Runtime(shop.store, shop.catalog, inbox=shop.store)
            visits = Visits(shop.store, shop.store, other)
            visits.run(Job(0, "resume", "hello"), now=earlier)
        return commit(changes, **along)

    shop.store.commit = resumed_meanwhile
    shop.passes("+1h")
    shop.passes("+2h")

    assert [message.template for message in provider.asked] == ["hello"]
