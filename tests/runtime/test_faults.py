"""A store that fails at any call, before or after its work: the same comes of it all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import pytest
from tests.runtime.conftest import Provider, Shop

from journeykit import (
    Cap,
    Emit,
    Exit,
    Journey,
    Policies,
    Send,
    WaitFor,
    When,
    hours,
    on,
)
from journeykit.channels import Rejected, Report
from journeykit.engine.customer import Customer
from journeykit.errors import StoreBusy, StoreError, StoreFull
from journeykit.testing import MemoryStore

CART = Journey(
    "cart",
    trigger=on("cart.added"),
    steps=[
        Send("email", "hello"),
        WaitFor(
            [When(on("order.placed"), [Exit("converted")])],
            timeout=hours(4),
            otherwise=[
                Emit("cart.left", public=True),
                Send("email", "reminder"),
                WaitFor([When(on("message.opened"))], timeout=hours(20)),
                Send("sms", "last-call"),
            ],
        ),
    ],
    pace="120/h",
)
PEOPLE = [f"customer-{n}" for n in range(6)]


class Faulty:
    """A store of which one call fails.

    Attributes:
        armed: Whether it counts, and may fail.
        calls: How often each method was called so far.
        failed: Whether it has failed.
    """

    def __init__(
        self,
        method: str = "",
        n: int = 0,
        error: StoreError | None = None,
        *,
        after: bool = False,
    ) -> None:
        self._store = MemoryStore()
        self._method = method
        self._n = n
        self._error = error
        self._after = after
        self.armed = False
        self.calls: Counter[str] = Counter()
        self.failed = False

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method: Callable[..., Any] = getattr(self._store, name)

        def called(*args: Any, **kwargs: Any) -> Any:
            if not self.armed:
                return method(*args, **kwargs)
            self.calls[name] += 1
            fails = (name, self.calls[name]) == (self._method, self._n)
            self.failed = self.failed or fails
            if fails and not self._after and self._error:
                raise self._error
            result = method(*args, **kwargs)
            if fails and self._error:
                raise self._error
            return result

        return called


class Ended(NamedTuple):
    """What came of it all.

    Attributes:
        customers: The documents.
        decisions: What was decided, each as often as it counts.
        asked: How often the providers were asked about each delivery.
        outcomes: What became of each delivery.
        published: What was published, by id.
        left: What is left to do.
        calls: How often the store was asked.
    """

    customers: Mapping[str, Customer]
    decisions: Counter[str]
    asked: Counter[str]
    outcomes: Mapping[str, str]
    published: Counter[str]
    left: Mapping[str, int]
    calls: Mapping[str, int]

    @property
    def essence(self) -> tuple[object, ...]:
        """Who ended how, and what they got: what no delay may change."""
        ends = {id: one.past["cart"].outcome for id, one in self.customers.items()}
        kinds = Counter(
            line.partition(" ")[0]
            for line in self.decisions.elements()
            if not line.startswith("deferred")
        )
        return ends, kinds, self.asked.keys(), self.published.keys()


def a_day(store: Any, **capabilities: Any) -> Ended:
    """A day with orders, failures, openings and time that passes, come what may."""
    mail = Provider(batch_size=2, **capabilities)
    text = Provider("sms", batch_size=2, **capabilities)
    mail.answer = lambda m: (
        Rejected(m.delivery_id, "unknown")
        if m.customer == "customer-5"
        else Provider().answer(m)
    )
    published: Counter[str] = Counter()
    shop = Shop(
        CART,
        policies=Policies(caps=[Cap(3, within=hours(24))]),
        channels=[mail, text],
        publish=lambda events: published.update(event.id for event in events),
        store=store,
    )
    store.armed = True
    persist = persistently
    carts = [shop.event("cart.added", who) for who in PEOPLE]
    orders = [shop.event("order.placed", who, "+1h") for who in PEOPLE[:2]]
    persist(lambda: shop.ingest(*carts))
    step_by_step(shop, 0, 60)
    persist(lambda: shop.ingest(*orders))
    step_by_step(shop, 60, 300)
    opened = [m for m in mail.asked if m.customer == "customer-2"][-1]
    report = Report(opened.delivery_id, "message.opened", "r1", shop.instant(None))
    persist(lambda: shop.runtime.feedback([report], now=shop.now))
    persist(lambda: shop.store.put([shop.event("cart.added", "late", id="late")]))
    step_by_step(shop, 300, 30 * 60)
    store.armed = False
    asked = Counter(m.delivery_id for m in [*mail.asked, *text.asked])
    sent = {
        line["detail"]["delivery_id"] for line in shop.log if line["kind"] == "sent"
    }
    return Ended(
        {one.id: one for one in store.scan("", 100)},
        Counter(
            f"{line['kind']} {line['customer']} {line['revision']} {line['n']} "
            f"{line['at']} {line.get('reason')} {line.get('step')} {line.get('detail')}"
            for line in shop.log
            if line["n"] >= 0
        ),
        asked,
        {id: one.outcome for id, one in store.find(sorted(sent)).items()},
        published,
        store.backlog(),
        dict(store.calls),
    )


def persistently(work: Callable[[], object]) -> None:
    """Do it again if the store fails: a request comes again, a loop goes on."""
    try:
        work()
    except StoreError:
        work()


def step_by_step(shop: Shop, start: int, end: int) -> None:
    """Let time pass in steps of five minutes, a lease's half."""

    def works() -> None:
        now = shop.now
        while (
            shop.runtime.tick(now)
            + shop.dispatcher.deliver(now)
            + shop.runtime.drain(now)
        ):
            pass

    for minute in range(start, end + 1, 5):
        shop.now = shop.ms(f"+{minute}m")
        persistently(works)


METHODS = ["load", "commit", "due", "pending", "put", "take", "settle", "find"]
METHODS += ["tallies", "reserve", "revision", "current"]


@pytest.fixture(scope="module")
def undisturbed() -> Ended:
    return a_day(Faulty(), idempotent=True)


def test_the_undisturbed_day_is_eventful(undisturbed: Ended) -> None:
    ended = a_day(Faulty(), idempotent=True)

    assert ended == undisturbed
    assert ended.calls.keys() >= {*METHODS}
    ends = Counter(one.past["cart"].outcome for one in ended.customers.values())
    assert ends == {"exited:converted": 2, "completed": 5}
    assert Counter(ended.outcomes.values()) == {"sent": 15, "failed": 2}
    assert len(ended.published) == 5
    assert ended.left["waiting"] == 0


def faults(calls: int, most: int) -> Sequence[int]:
    """At which calls it fails: the first ones, and some of the others."""
    return [*range(1, min(calls, most) + 1), *range(most + 1, calls, 1 + calls // most)]


EVERY = 10_000
some_or_all = pytest.mark.parametrize(
    "most", [3, pytest.param(EVERY, marks=pytest.mark.slow)], ids=["some", "all"]
)

LATE = {("take", True), ("reserve", True)}
"""Where time is lost: a claim that nobody knows of must lapse, a slot is gone."""


@some_or_all
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("method", METHODS)
def test_a_failing_store_changes_nothing_with_a_provider_that_knows_its_messages(
    undisturbed: Ended, method: str, most: int, *, after: bool
) -> None:
    for n in faults(undisturbed.calls[method], most):
        store = Faulty(method, n, StoreBusy("locked"), after=after)

        ended = a_day(store, idempotent=True)

        assert store.failed
        assert ended.outcomes == undisturbed.outcomes
        assert ended.left["waiting"] == 0
        assert ended.essence == undisturbed.essence
        if (method, after) not in LATE:
            assert ended.customers == undisturbed.customers
            assert ended.decisions == undisturbed.decisions
            assert ended.asked == undisturbed.asked


@some_or_all
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("method", METHODS)
def test_a_failing_store_sends_nothing_twice_by_a_provider_that_can_not_tell(
    undisturbed: Ended, method: str, most: int, *, after: bool
) -> None:
    for n in faults(undisturbed.calls[method], most):
        store = Faulty(method, n, StoreFull("no space left"), after=after)

        ended = a_day(store)

        uncertain = {id for id, what in ended.outcomes.items() if what == "uncertain"}
        assert store.failed
        assert set(ended.asked.values()) == {1}
        assert ended.left["waiting"] == 0
        assert ended.asked.keys() | uncertain == ended.outcomes.keys()
        # Nobody knows whether what was claimed was handed over: one batch at most.
        assert len(uncertain) <= (2 if (method, after) == ("take", True) else 0)
        if not uncertain:
            assert ended.outcomes == undisturbed.outcomes
