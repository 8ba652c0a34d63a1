"""Behaviours that any journey engine is held to, through the whole runtime."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import pytest
from msgspec.structs import replace
from tests.runtime.conftest import Provider, Shop

from journeykit import (
    Call,
    Cap,
    Exit,
    Journey,
    Policies,
    QuietHours,
    Send,
    Wait,
    WaitFor,
    When,
    Window,
    days,
    event,
    hours,
    on,
)
from journeykit.channels import (
    Action,
    ActionCall,
    CallAgain,
    CallOutcome,
    Message,
    Receipt,
    Rejected,
    RetryAfter,
    Sent,
)
from journeykit.runtime.retries import MINUTE_MS

HELLO = Journey("hello", trigger=on("joined"), steps=[Send("email", "hello")])


# A wait parks only its owner


def test_who_waits_for_days_keeps_nobody_else_waiting(provider: Provider) -> None:
    shop = Shop(
        Journey(
            "patient",
            trigger=on("joined", where=event.patient == True),
            steps=[Wait(days(3)), Send("email", "later")],
        ),
        Journey(
            "hasty",
            trigger=on("joined", where=event.patient == False),
            steps=[Wait(hours(1)), Send("email", "soon")],
        ),
        channels=[provider],
    )
    shop.happens("joined", "ada", patient=True)
    shop.happens("joined", "bob", patient=False)

    shop.passes("+1h")

    assert [(m.customer, m.template) for m in provider.asked] == [("bob", "soon")]
    assert len(shop.customer("ada").active) == 1


class Fragile(Provider):
    """A plugin with a mistake: one address is too much for it."""

    broken = True

    def address(self, profile: Mapping[str, object], customer_id: str) -> str | None:
        if self.broken and customer_id == "customer-7":
            raise ZeroDivisionError("a mistake of the plugin")
        return customer_id


def test_whoever_can_not_be_decided_on_is_skipped_with_the_reason() -> None:
    provider = Fragile()
    shop = Shop(HELLO, channels=[provider])

    done = shop.ingest(*(shop.event("joined", f"customer-{n}") for n in range(20)))
    shop.deliver()

    (letter,) = shop.store.dead(0, 10)
    assert (letter.customer, letter.kind) == ("customer-7", "event")
    assert letter.reason == "ZeroDivisionError: a mistake of the plugin"
    assert (done.dead, done.changed) == (1, 19)
    assert len(provider.asked) == 19


def test_whoever_can_not_be_woken_is_skipped_and_goes_on_when_it_is_mended() -> None:
    provider = Fragile()
    steps = [Wait(hours(1)), Send("email", "later")]
    shop = Shop(
        Journey("later", trigger=on("joined"), steps=steps), channels=[provider]
    )
    shop.ingest(*(shop.event("joined", f"customer-{n}") for n in range(20)))

    shop.passes("+1h")
    skipped = len(provider.asked)
    provider.broken = False
    shop.passes("+2h")

    (letter,) = shop.store.dead(0, 10)
    assert (letter.customer, letter.door) == ("customer-7", "timer")
    assert skipped == 19
    assert len(provider.asked) == 20


def test_by_the_event_clock_whoever_can_not_be_woken_does_not_stop_it() -> None:
    provider = Fragile()
    steps = [Wait(hours(1)), Send("email", "later")]
    shop = Shop(
        Journey("later", trigger=on("joined"), steps=steps), channels=[provider]
    )
    batch = [shop.event("joined", f"customer-{n}") for n in range(20)]
    shop.runtime.ingest(batch, now=None)

    shop.runtime.tick(shop.ms("+90d"), virtual=True)
    shop.deliver("+90d")

    assert Counter(shop.said)["sent"] == 19
    assert {letter.customer for letter in shop.store.dead(0, 10)} == {"customer-7"}


def test_whoever_rests_because_of_one_wait_is_woken_for_the_next_one() -> None:
    provider = Fragile()
    steps = [
        WaitFor(
            [When(on("went.on"), [Wait(hours(1)), Exit("done")])], timeout=hours(1)
        ),
        Send("email", "later"),
    ]
    shop = Shop(
        Journey("later", trigger=on("joined"), steps=steps), channels=[provider]
    )
    shop.happens("joined", "customer-7")
    for minutes in range(60, 600, 10):  # it rests for hours by now
        shop.passes(f"+{minutes}m")

    shop.ingest(shop.event("went.on", "customer-7", "+55m"))  # it stood in a queue
    before = len(shop.store.dead(0, 100))
    shop.passes("+600m")

    assert before < 10
    assert shop.customer("customer-7").active == []


# A wake-up carries a name and nothing else, so a stale one does nothing

CART = Journey(
    "cart",
    trigger=on("cart.added"),
    steps=[
        WaitFor(
            [When(on("order.placed"), [WaitFor([When(on("order.sent"))])])],
            timeout=hours(4),
            otherwise=[Send("email", "reminder")],
        )
    ],
)


def test_a_wake_up_for_whom_an_event_has_moved_does_nothing() -> None:
    shop = Shop(CART)
    shop.happens("cart.added")
    shop.now = shop.ms("+3h")
    shop.happens("order.placed")
    before = shop.customer()

    done = shop.runtime.wake(["ada"], now=shop.ms("+4h"))

    assert (done.changed, done.dead) == (0, 0)
    assert shop.customer() == before
    assert shop.runtime.tick(shop.ms("+4h")) == 0


def test_a_wake_up_for_whom_nothing_is_due_yet_does_nothing() -> None:
    shop = Shop(CART)
    shop.happens("cart.added")
    before = shop.customer()

    shop.runtime.wake(["ada"], now=shop.ms("+3h"))

    assert shop.customer() == before


def test_a_wake_up_for_whose_version_is_gone_does_nothing_and_ends() -> None:
    shop = Shop(CART)
    shop.happens("cart.added")
    document = shop.store.current()
    shop.store.publish(
        replace(document, revision=document.revision + 1, journeys=[HELLO.to_plan()])
    )

    count = shop.runtime.tick(shop.ms("+5h"), most=10)

    assert count < 10
    assert len(shop.customer().active) == 1


# Too late to matter


@pytest.mark.parametrize(
    ("choice", "ends"), [("skip", ["hello"]), ("exit", [])], ids=["go on", "exit"]
)
def test_a_message_that_is_reached_hours_too_late_is_not_sent(
    provider: Provider, choice: str, ends: list[str]
) -> None:
    steps = [
        Wait(hours(1)),
        Send("email", "flash-sale", expires_after=hours(1), on_expired=choice),
        Send("email", "hello"),
    ]
    shop = Shop(Journey("sale", trigger=on("joined"), steps=steps), channels=[provider])
    shop.happens("joined")

    shop.passes("+4h")  # nobody was there to wake them

    assert "suppressed expired" in shop.said
    assert [m.template for m in provider.asked] == ends


def test_who_is_resumed_after_the_due_time_goes_on_without_what_has_expired(
    provider: Provider,
) -> None:
    steps = [
        Wait(hours(1)),
        Send("email", "flash-sale", expires_after=hours(1)),
        Send("email", "hello", expires_after="never"),
    ]
    shop = Shop(Journey("sale", trigger=on("joined"), steps=steps), channels=[provider])
    shop.happens("joined")
    shop.state("sale", "paused")
    shop.passes("+2h")
    during = [*provider.asked]

    shop.now = shop.ms("+5h")
    shop.state("sale", "live")
    shop.runtime.wake(["ada"], now=shop.now)
    shop.passes("+5h")

    assert during == []
    assert [m.template for m in provider.asked] == ["hello"]
    assert [line["reason"] for line in shop.log if line["kind"] == "suppressed"] == [
        "expired"
    ]
    assert shop.customer().active == []


# Retries


class Hook(Action):
    """A webhook that answers as it is told."""

    name = "hook"

    def __init__(self) -> None:
        self.calls = 0
        self.broken = True

    def run(self, calls: Sequence[ActionCall]) -> Sequence[CallOutcome]:
        self.calls += len(calls)
        if self.broken:
            raise ConnectionError("500")
        return [CallAgain(call.call_id) for call in calls]


def instants_of(shop: Shop) -> list[float]:
    """Let everything happen that is to be tried, and say after how many minutes each."""
    start, instants = shop.now, []
    while shop.store.backlog()["waiting"]:
        shop.now = max(shop.now, shop.store.backlog()["due"])
        instants.append((shop.now - start) / MINUTE_MS)
        shop.deliver()
    return instants


@pytest.mark.parametrize("broken", [True, False], ids=["raises", "says again"])
def test_a_webhook_is_called_once_more_for_each_retry_and_then_the_run_goes_on(
    provider: Provider, *, broken: bool
) -> None:
    hook = Hook()
    hook.broken = broken
    steps = [Call("hook", retries=1), Send("email", "sorry")]
    shop = Shop(
        Journey("hooked", trigger=on("joined"), steps=steps),
        channels=[provider],
        actions=[hook],
    )
    shop.happens("joined")

    instants_of(shop)

    assert hook.calls == 2
    assert "went_on failed" in shop.said
    assert [m.template for m in provider.asked] == ["sorry"]


def delays(instants: Sequence[float]) -> list[float]:
    return [after - before for before, after in itertools.pairwise(instants)]


def about(minutes: float, wanted: float) -> bool:
    return wanted <= minutes <= 1.1 * wanted


def test_a_call_is_tried_again_after_one_two_and_four_minutes_and_has_failed_then() -> (
    None
):
    hook = Hook()
    steps = [Call("hook", retries=3)]
    shop = Shop(Journey("hooked", trigger=on("joined"), steps=steps), actions=[hook])
    shop.happens("joined")

    instants = instants_of(shop)

    assert hook.calls == 4
    assert all(map(about, delays(instants), [1, 2, 4]))
    (delivery,) = shop.store.find([call_of(shop)]).values()
    assert (delivery.outcome, delivery.reason) == ("failed", "gave_up")


def call_of(shop: Shop) -> str:
    (called,) = [line for line in shop.log if line["kind"] == "called"]
    return str(called["detail"]["call_id"])


def test_a_message_is_tried_again_after_one_two_four_and_eight_minutes(
    provider: Provider,
) -> None:
    provider.answer = lambda m: RetryAfter(m.delivery_id, 0)  # a 500 says no more
    shop = Shop(HELLO, channels=[provider])
    shop.happens("joined")

    instants = instants_of(shop)

    assert all(map(about, delays(instants), [1, 2, 4, 8]))
    assert len(provider.asked) == len(instants)


def test_one_bad_event_of_a_batch_is_put_aside_and_the_same_again_loses_nothing() -> (
    None
):
    shop = Shop(HELLO)
    bad = shop.event("profile.updated", "customer-3", text="x" * 20_000)
    batch = [*(shop.event("joined", f"customer-{n}") for n in range(10)), bad]

    first = shop.ingest(*batch)
    again = shop.ingest(*batch)

    assert (first.dead, again.dead) == (1, 1)
    assert {letter.customer for letter in shop.store.dead(0, 10)} == {"customer-3"}
    assert Counter(shop.said)["sent"] == 10


# The breaker of a journey


def failing_for(people: int) -> Callable[[Message], Receipt]:
    """A provider that knows no address of the first few."""
    unknown = {f"customer-{n}" for n in range(people)}
    return lambda m: (
        Rejected(m.delivery_id, "unknown")
        if m.customer in unknown
        else Sent(m.delivery_id)
    )


@pytest.mark.parametrize(("failures", "paused"), [(9, False), (10, True)])
def test_ten_of_a_hundred_failures_pause_a_journey_and_somebody_is_told(
    caplog: pytest.LogCaptureFixture, failures: int, *, paused: bool
) -> None:
    provider = Provider(batch_size=100)
    provider.answer = failing_for(failures)
    shop = Shop(HELLO, channels=[provider])

    shop.ingest(*(shop.event("joined", f"customer-{n}") for n in range(100)))
    shop.deliver()

    told = [r.getMessage() for r in caplog.records if r.levelname == "ERROR"]
    reason = "breaker: 10 of 100 deliveries failed"
    assert told == ([f"journey 'hello' is paused by its {reason}"] if paused else [])
    assert shop.store.current().reasons == ({"hello": reason} if paused else {})


def test_a_pause_forgets_no_failure_and_a_resume_forgets_all() -> None:
    provider = Provider(batch_size=100)
    provider.answer = failing_for(9)
    shop = Shop(HELLO, channels=[provider])
    shop.ingest(*(shop.event("joined", f"customer-{n}") for n in range(9)))
    shop.deliver()

    shop.state("hello", "paused")
    while_paused = shop.store.tallies()
    shop.state("hello", "live")

    assert while_paused == {"hello": (0, 9)}
    assert shop.store.tallies() == {}


def test_test_traffic_pauses_nothing() -> None:
    provider = Provider()
    provider.mock = lambda: provider  # type: ignore[method-assign]
    provider.answer = lambda m: Rejected(m.delivery_id, "unknown")
    shop = Shop(HELLO, channels=[provider])

    shop.ingest(*(shop.event("joined", f"c-{n}", test=True) for n in range(20)))
    shop.deliver()

    assert len(provider.asked) == 20
    assert shop.store.current().states == {}


# The end of quiet hours

AT_NIGHT = QuietHours(Window("11:00", "14:00"))  # it is noon


@pytest.mark.parametrize("whose", ["journey", "channel"])
def test_the_pace_holds_for_the_burst_at_the_end_of_quiet_hours(whose: str) -> None:
    provider = Provider(batch_size=100)
    pace = {whose: "60/h"}
    shop = Shop(
        Journey(
            "hello",
            trigger=on("joined"),
            steps=[Send("email", "hello")],
            pace=pace.get("journey"),
        ),
        channels=[provider],
        policies=Policies(
            quiet_hours=[AT_NIGHT],
            pace={"email": pace["channel"]} if "channel" in pace else {},
        ),
    )
    shop.ingest(*(shop.event("joined", f"customer-{n}") for n in range(30)))
    counts = []

    for minute in range(119, 155):
        shop.passes(f"+{minute}m")
        counts.append(len(provider.asked))

    assert counts[:17] == [*range(17)]
    assert all(after - before <= 1 for before, after in itertools.pairwise(counts))
    assert counts[-1] == 30
    assert len({m.customer for m in provider.asked}) == 30


def test_a_cap_is_asked_when_quiet_hours_end_and_not_when_they_hold() -> None:
    mail, text = Provider(), Provider("sms")
    shop = Shop(
        HELLO,
        Journey("alarm", trigger=on("moved"), steps=[Send("sms", "alarm")]),
        channels=[mail, text],
        policies=Policies(
            caps=[Cap(1, within=hours(24))],
            quiet_hours=[QuietHours(Window("11:00", "14:00"), channel="email")],
        ),
    )
    shop.happens("joined")
    shop.now = shop.ms("+1h")
    shop.happens("moved")

    shop.passes("+2h")

    assert [m.template for m in [*mail.asked, *text.asked]] == ["alarm"]
    assert shop.said[-2:] == ["suppressed frequency_cap", "completed"]


# A provider that has taken the message and can't say so


class Deaf(Provider):
    """It takes messages, one of each id if it promises that, and its answer gets lost."""

    def __init__(self, **capabilities: object) -> None:
        super().__init__(**capabilities)
        self.taken: list[str] = []

    def send(self, messages: Sequence[Message]) -> Sequence[Receipt]:
        for message in messages:
            known = message.delivery_id in self.taken
            if not (known and self.capabilities.idempotent):
                self.taken.append(message.delivery_id)
        return super().send(messages)


@pytest.mark.parametrize(
    ("idempotent", "choice", "taken", "outcome"),
    [
        (True, "hold", 1, "sent"),
        (False, "hold", 1, "uncertain"),
        (False, "resend", 2, "sent"),  # the second one is what was chosen
    ],
)
def test_a_message_whose_answer_is_lost_goes_once_or_is_marked_uncertain(
    idempotent: bool,
    choice: str,
    taken: int,
    outcome: str,
) -> None:
    provider = Deaf(idempotent=idempotent, on_uncertain=choice)
    provider.fails = TimeoutError("after twenty seconds")
    shop = Shop(HELLO, channels=[provider])
    shop.happens("joined")
    shop.deliver()

    provider.fails = None
    instants_of(shop)

    assert len(provider.taken) == taken
    assert len(set(provider.taken)) == 1
    assert shop.delivery(provider.asked[0]).outcome == outcome
