"""What becomes of a message between its decision and its delivery."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, strategies as st
from tests.runtime.conftest import Provider, Shop

from journeykit import (
    Call,
    Cap,
    Journey,
    Policies,
    QuietHours,
    Secret,
    Send,
    WaitFor,
    When,
    Window,
    hours,
    on,
)
from journeykit.channels import (
    Action,
    ActionCall,
    CallFailed,
    Completed,
    Message,
    Rejected,
    RetryAfter,
    Sent,
    Uncertain,
)
from journeykit.engine.stimuli import Stimulus
from journeykit.happened import Delivered
from journeykit.observers import Observer, Observers
from journeykit.ports import Reference, Settled
from journeykit.runtime.dispatcher import LEASE_MS
from journeykit.runtime.retries import ATTEMPTS, HORIZON_MS
from journeykit.testing import MemoryStore

HELLO = Journey("hello", trigger=on("joined"), steps=[Send("email", "hello")])


def joined(provider: Provider, **more: object) -> Shop:
    shop = Shop(HELLO, channels=[provider], **more)  # type: ignore[arg-type]
    shop.happens("joined")
    return shop


def test_a_decided_message_is_handed_over_once(provider: Provider) -> None:
    shop = joined(provider)

    shop.deliver()
    shop.deliver()

    (message,) = provider.asked
    assert (message.template, message.address, message.step) == (
        "hello",
        "ada",
        "send-email-hello",
    )
    assert shop.delivery(message).outcome == "sent"


def test_nothing_is_handed_over_before_it_is_stored(provider: Provider) -> None:
    shop = joined(provider)

    assert provider.asked == []
    assert shop.store.backlog()["waiting"] == 1


def test_a_batch_is_as_large_as_the_provider_takes() -> None:
    provider = Provider(batch_size=4)
    shop = Shop(HELLO, channels=[provider])
    for n in range(10):
        shop.happens("joined", f"customer-{n}")

    shop.deliver()

    assert [len(batch) for batch in provider.batches] == [4, 4, 2]


def test_many_batches_may_go_at_the_same_time() -> None:
    provider = Provider(batch_size=1, idempotent=True)
    shop = Shop(HELLO, channels=[provider], workers=8)
    for n in range(100):
        shop.happens("joined", f"customer-{n}")

    shop.deliver()

    assert sorted(m.customer for m in provider.asked) == sorted(
        f"customer-{n}" for n in range(100)
    )
    assert shop.store.backlog()["waiting"] == 0


def test_a_provider_that_is_busy_is_asked_again_when_it_says(
    provider: Provider,
) -> None:
    shop = joined(provider)
    provider.answer = lambda m: RetryAfter(m.delivery_id, 90)
    shop.deliver()

    early = shop.deliver("+89s")
    late = shop.deliver("+90s")

    assert (early, late) == (0, 1)
    assert len({m.delivery_id for m in provider.asked}) == 1


def test_delays_grow_when_a_provider_stays_busy(provider: Provider) -> None:
    shop = joined(provider)
    provider.answer = lambda m: RetryAfter(m.delivery_id, 1)

    shop.deliver()
    assert shop.deliver("+1s") == 1
    assert shop.deliver("+60s") == 0  # the second delay is two minutes
    assert shop.deliver("+3m") == 1


def test_a_message_is_given_up_after_some_attempts(provider: Provider) -> None:
    shop = joined(provider)
    provider.answer = lambda m: RetryAfter(m.delivery_id, 60)

    shop.passes("+0h")
    for minutes in range(10, 24 * 60, 10):
        shop.passes(f"+{minutes}m")

    assert len(provider.asked) == ATTEMPTS
    delivery = shop.delivery(provider.asked[0])
    assert (delivery.outcome, delivery.reason) == ("failed", "gave_up")


def test_a_rejected_message_is_not_tried_again_and_the_caps_get_it_back(
    provider: Provider,
) -> None:
    policies = Policies(caps=[Cap(1, within=hours(24))])
    shop = Shop(
        HELLO,
        Journey("bye", trigger=on("left"), steps=[Send("email", "bye")]),
        channels=[provider],
        policies=policies,
    )
    provider.answer = lambda m: Rejected(m.delivery_id, "no such mailbox")
    shop.happens("joined")
    shop.deliver()

    shop.happens("left")
    shop.deliver("+1m")

    assert [m.template for m in provider.asked] == ["hello", "bye"]
    assert shop.delivery(provider.asked[0]).reason == "no such mailbox"


def test_a_journey_can_wait_for_a_failure() -> None:
    provider = Provider()
    text = Provider("sms")
    shop = Shop(
        Journey(
            "hello",
            trigger=on("joined"),
            steps=[
                Send("email", "hello"),
                WaitFor(
                    [When(on("message.failed"), [Send("sms", "hello")])],
                    timeout=hours(1),
                ),
            ],
        ),
        channels=[provider, text],
    )
    provider.answer = lambda m: Rejected(m.delivery_id, "no")
    shop.happens("joined")

    shop.deliver()
    shop.deliver()

    assert [m.channel for m in text.asked] == ["sms"]


@pytest.mark.parametrize(
    ("idempotent", "choice", "outcome", "asked"),
    [
        (True, "hold", "sent", 2),
        (False, "resend", "sent", 2),
        (False, "hold", "uncertain", 1),
    ],
)
def test_an_uncertain_answer_follows_the_channels_choice(
    idempotent: bool, choice: str, outcome: str, asked: int
) -> None:
    provider = Provider(idempotent=idempotent, on_uncertain=choice)
    shop = joined(provider)
    provider.answer = lambda m: Uncertain(m.delivery_id, "timed out")
    shop.deliver()

    provider.answer = Provider().answer
    shop.deliver("+2m")

    assert len(provider.asked) == asked
    assert shop.delivery(provider.asked[0]).outcome == outcome


@pytest.mark.parametrize(
    ("idempotent", "choice", "outcome", "asked"),
    [
        (True, "hold", "sent", 1),
        (False, "resend", "sent", 1),
        (False, "hold", "uncertain", 0),
    ],
)
def test_a_claim_that_lapsed_follows_the_channels_choice(
    idempotent: bool, choice: str, outcome: str, asked: int
) -> None:
    provider = Provider(idempotent=idempotent, on_uncertain=choice)
    shop = joined(provider)
    (task,) = shop.store.take(shop.now, 1, lease_until=shop.now + LEASE_MS)

    during = shop.deliver("+9m")
    shop.deliver("+10m")

    assert during == 0
    assert len(provider.asked) == asked
    (delivery,) = shop.store.find([task.command.delivery_id]).values()
    assert delivery.outcome == outcome


def test_in_an_outage_nothing_more_is_handed_over_and_all_of_it_goes_later() -> None:
    provider = Provider(batch_size=1, idempotent=True)
    provider.fails = ConnectionError("down")
    shop = Shop(HELLO, channels=[provider])
    for n in range(10):
        shop.happens("joined", f"customer-{n}")

    shop.deliver()
    down = len(provider.asked)
    provider.fails = None
    for minute in range(1, 15):
        shop.deliver(f"+{minute}m")

    assert down == 5
    assert shop.store.backlog()["waiting"] == 0
    assert len({m.delivery_id for m in provider.asked}) == 10


def test_a_channel_that_is_down_is_probed_with_one_batch() -> None:
    provider = Provider(batch_size=2, idempotent=True)
    provider.fails = ConnectionError("down")
    shop = Shop(HELLO, channels=[provider])
    for n in range(6):
        shop.happens("joined", f"customer-{n}")
    shop.deliver()

    assert shop.dispatcher.open_breakers == ["email"]
    provider.batches.clear()
    shop.deliver("+2m")

    assert len(provider.batches) == 1


def test_a_message_that_can_not_go_for_long_returns_to_its_customer(
    provider: Provider,
) -> None:
    shop = joined(provider)
    provider.answer = lambda m: RetryAfter(m.delivery_id, HORIZON_MS / 1000 + 1)

    shop.deliver()

    assert [one.message.attempts for one in shop.customer().held] == [1]
    assert shop.said[-1] == "deferred retry"
    provider.answer = Provider().answer
    shop.passes("+16m")
    assert shop.delivery(provider.asked[-1]).outcome == "sent"
    assert shop.customer().held == []


def test_a_message_of_a_paused_journey_returns_and_goes_on_resume(
    provider: Provider,
) -> None:
    shop = joined(provider)
    shop.state("hello", "paused")
    shop.deliver()

    assert provider.asked == []
    shop.state("hello", "live")
    shop.runtime.wake(["ada"], now=shop.now)
    shop.passes("+1m")
    assert [m.template for m in provider.asked] == ["hello"]


def test_a_message_of_a_stopped_journey_is_never_sent(provider: Provider) -> None:
    shop = Shop(
        Journey(
            "hello",
            trigger=on("joined"),
            steps=[Send("email", "hello"), WaitFor([When(on("never"))])],
        ),
        channels=[provider],
    )
    shop.happens("joined")
    shop.state("hello", "stopped")

    shop.deliver()
    shop.runtime.wake(["ada"], now=shop.now)
    shop.passes("+24h")

    assert provider.asked == []


def test_a_message_that_has_expired_is_not_sent(provider: Provider) -> None:
    shop = joined(provider)

    shop.deliver("+25h")

    assert provider.asked == []
    assert shop.said[-1] == "suppressed expired"


def test_test_traffic_reaches_the_mock_only(provider: Provider) -> None:
    shop = Shop(HELLO, channels=[provider])

    shop.ingest(shop.event("joined", test=True))
    shop.deliver()

    assert provider.asked == []
    assert shop.store.backlog()["waiting"] == 0


def test_a_channel_that_is_not_installed_any_more_keeps_its_messages_waiting(
    provider: Provider,
) -> None:
    shop = joined(provider)
    carriers = dict(shop.channels)
    shop.channels.pop("email")  # type: ignore[attr-defined]

    shop.deliver()
    shop.channels.update(carriers)  # type: ignore[attr-defined]
    shop.passes("+20m")

    assert [m.template for m in provider.asked] == ["hello"]


# Pace


def paced(n: int, pace: str, provider: Provider) -> Shop:
    journey = Journey(
        "hello", trigger=on("joined"), steps=[Send("email", "hello")], pace=pace
    )
    shop = Shop(journey, channels=[provider])
    shop.ingest(*(shop.event("joined", f"customer-{i}") for i in range(n)))
    return shop


def test_a_journey_keeps_its_pace() -> None:
    provider = Provider(batch_size=100)
    shop = paced(10, "60/h", provider)
    counts = []

    for minute in range(11):
        shop.deliver(f"+{minute}m")
        counts.append(len(provider.asked))

    assert counts == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10]


def test_a_channel_keeps_its_pace_over_all_journeys(provider: Provider) -> None:
    other = Journey("bye", trigger=on("joined"), steps=[Send("email", "bye")])
    shop = Shop(
        HELLO, other, channels=[provider], policies=Policies(pace={"email": "60/h"})
    )
    shop.ingest(*(shop.event("joined", f"customer-{i}") for i in range(3)))

    shop.deliver()
    shop.deliver("+3m")

    assert len(provider.asked) == 4


def test_a_provider_is_never_asked_faster_than_it_says() -> None:
    provider = Provider(rate=0.5)
    shop = Shop(HELLO, channels=[provider])
    shop.ingest(*(shop.event("joined", f"customer-{i}") for i in range(5)))
    counts = []

    for second in range(0, 10, 2):
        shop.deliver(f"+{second}s")
        counts.append(len(provider.asked))

    assert counts == [1, 2, 3, 4, 5]


def test_what_finds_no_slot_in_a_quarter_of_an_hour_is_held_and_goes_later() -> None:
    provider = Provider(batch_size=100)
    shop = paced(40, "60/h", provider)

    shop.deliver()
    held = sum(len(customer.held) for customer in shop.store.scan("", 100))
    for minute in range(1, 61):
        shop.passes(f"+{minute}m")

    assert held >= 20
    assert len({m.delivery_id for m in provider.asked}) == 40
    assert len(provider.asked) == 40


def test_quiet_hours_hold_what_the_pace_has_put_off() -> None:
    provider = Provider(batch_size=100)
    journey = Journey(
        "hello", trigger=on("joined"), steps=[Send("email", "hello")], pace="60/h"
    )
    shop = Shop(
        journey,
        channels=[provider],
        policies=Policies(quiet_hours=[QuietHours(Window("12:05", "13:00"))]),
    )
    shop.ingest(*(shop.event("joined", f"customer-{i}") for i in range(10)))

    for minute in range(59):
        shop.passes(f"+{minute}m")
    before = len(provider.asked)
    for minute in range(60, 80):
        shop.passes(f"+{minute}m")

    assert before == 5
    assert len(provider.asked) == 10


# The breaker of a journey


def test_a_journey_of_which_too_many_messages_fail_is_paused() -> None:
    provider = Provider(batch_size=1000)
    provider.answer = lambda m: Rejected(m.delivery_id, "no")
    shop = Shop(HELLO, channels=[provider])

    shop.ingest(*(shop.event("joined", f"customer-{i}") for i in range(10)))
    shop.deliver()

    document = shop.store.current()
    assert document.states == {"hello": "paused"}
    assert document.reasons["hello"] == "breaker: 10 of 10 deliveries failed"
    shop.happens("joined", "somebody-else")
    assert shop.said[-1] == "not_entered paused"


def test_a_resume_counts_from_nothing_again() -> None:
    provider = Provider(batch_size=1000)
    provider.answer = lambda m: Rejected(m.delivery_id, "no")
    shop = Shop(HELLO, channels=[provider])
    shop.ingest(*(shop.event("joined", f"customer-{i}") for i in range(10)))
    shop.deliver()

    shop.state("hello", "live")
    shop.happens("joined", "somebody-else")
    shop.deliver()

    assert shop.store.current().states == {}


def test_a_switched_off_breaker_pauses_nothing() -> None:
    provider = Provider(batch_size=1000)
    provider.answer = lambda m: Rejected(m.delivery_id, "no")
    shop = Shop(HELLO, channels=[provider], policies=Policies(breaker=None))

    shop.ingest(*(shop.event("joined", f"customer-{i}") for i in range(50)))
    shop.deliver()

    assert shop.store.current().states == {}


def test_no_more_is_claimed_than_is_handed_over_where_a_death_makes_it_uncertain() -> (
    None
):
    careful = Provider(batch_size=3)
    shop = Shop(HELLO, channels=[careful], workers=2)
    shop.ingest(*(shop.event("joined", f"customer-{i}") for i in range(20)))

    claimed = shop.dispatcher.deliver(shop.now)

    assert claimed == 6


def test_where_a_message_is_known_again_many_are_claimed_at_once() -> None:
    sure = Provider(batch_size=3, idempotent=True)
    shop = Shop(HELLO, channels=[sure])
    shop.ingest(*(shop.event("joined", f"customer-{i}") for i in range(20)))

    assert shop.dispatcher.deliver(shop.now) == 20


# What plugins may answer


class Talker(Provider):
    """A channel that answers a batch with anything."""

    def __init__(self, says: Callable[[Sequence[Message]], Any], **able: Any) -> None:
        super().__init__(**able)
        self.says = says

    def send(self, messages: Sequence[Message]) -> Any:
        super().send(messages)
        return self.says(messages)


class Prickly:
    """A value that can't even be looked at."""

    def __str__(self) -> str:
        raise ZeroDivisionError


NO_RECEIPTS: dict[str, Callable[[Sequence[Message]], Any]] = {
    "nothing": lambda ms: None,
    "a number": lambda ms: 7,
    "a text": lambda ms: "sent",
    "a dict": lambda ms: {m.delivery_id: "sent" for m in ms},
    "nothing each": lambda ms: [None for _ in ms],
    "a dict each": lambda ms: [{"delivery_id": m.delivery_id} for m in ms],
    "an outcome of a call": lambda ms: [Completed(m.delivery_id) for m in ms],
    "somebody else's": lambda ms: [Sent("somebody-else") for _ in ms],
    "a list for an id": lambda ms: [Sent([m.delivery_id]) for m in ms],  # type: ignore[arg-type]
    "what raises": lambda ms: [Sent(m.delivery_id, Prickly()) for m in ms],  # type: ignore[arg-type]
    "two each": lambda ms: [Sent(m.delivery_id) for m in ms for _ in range(2)],
}


@pytest.mark.parametrize("answer", NO_RECEIPTS.values(), ids=NO_RECEIPTS)
def test_what_is_no_receipt_of_its_message_leaves_it_uncertain(
    answer: Callable[[Sequence[Message]], Any],
) -> None:
    provider = Talker(answer)
    shop = joined(provider)

    shop.deliver()

    delivery = shop.delivery(provider.asked[0])
    assert (delivery.outcome, delivery.reason) == ("uncertain", "bad_receipt")


def test_one_bad_receipt_spoils_no_other() -> None:
    provider = Talker(lambda ms: [Sent(ms[0].delivery_id), None, Sent("x"), *ms[3:]])
    shop = Shop(HELLO, channels=[provider])
    shop.ingest(*(shop.event("joined", f"customer-{n}") for n in range(3)))

    shop.deliver()

    outcomes = [shop.delivery(message).outcome for message in provider.asked]
    assert outcomes == ["sent", "uncertain", "uncertain"]


def test_a_forgotten_message_is_uncertain() -> None:
    provider = Talker(lambda ms: (Sent(m.delivery_id) for m in ms[1:]))
    shop = Shop(HELLO, channels=[provider])
    shop.ingest(*(shop.event("joined", f"customer-{n}") for n in range(2)))

    shop.deliver()

    first, second = [shop.delivery(message) for message in provider.asked]
    assert (first.outcome, first.reason) == ("uncertain", "no_receipt")
    assert second.outcome == "sent"


def test_a_channel_that_fails_while_its_receipts_are_read_is_out_of_reach() -> None:
    def receipts(messages: Sequence[Message]) -> Any:
        yield Sent(messages[0].delivery_id)
        raise ConnectionError("gone")

    provider = Talker(receipts)
    shop = joined(provider)

    shop.deliver()

    assert shop.delivery(provider.asked[0]).reason == "no_receipt"


def test_without_its_secret_a_channel_has_sent_nothing_and_is_asked_again(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def receipts(messages: Sequence[Message]) -> Any:
        Secret("$PAGER_KEY").reveal()
        return [Sent(message.delivery_id) for message in messages]

    monkeypatch.delenv("PAGER_KEY", raising=False)
    shop = joined(provider := Talker(receipts))

    shop.deliver()
    monkeypatch.setenv("PAGER_KEY", "k")
    shop.passes("+16m")

    assert shop.delivery(provider.asked[-1]).outcome == "sent"
    assert len(provider.asked) == 2
    assert "'email' can't send: environment: PAGER_KEY: is not set" in caplog.text


def test_what_a_provider_says_is_kept_as_short_text(provider: Provider) -> None:
    shop = joined(provider)
    provider.answer = lambda m: Rejected(m.delivery_id, "\ud800" + "x" * 1000)

    shop.deliver()

    assert shop.delivery(provider.asked[0]).reason == "?" + "x" * 199


@pytest.mark.parametrize(("given", "kept"), [(17, "17"), (None, ""), ("\udfff", "?")])
def test_a_providers_id_is_kept_as_text(
    provider: Provider, given: Any, kept: str
) -> None:
    shop = joined(provider)
    provider.answer = lambda m: Sent(m.delivery_id, given)

    shop.deliver()

    assert shop.delivery(provider.asked[0]).provider_id == kept


@pytest.mark.parametrize("seconds", [math.nan, math.inf, -5, 1e9, 10**400, "9", None])
def test_a_delay_that_is_none_is_ours_to_choose(
    provider: Provider, seconds: Any
) -> None:
    shop = joined(provider)
    provider.answer = lambda m: RetryAfter(m.delivery_id, seconds)

    shop.deliver()
    early, late = shop.deliver("+59s"), shop.deliver("+2m")

    assert (early, late) == (0, 1)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(anything, anything, anything)
def test_whatever_a_plugin_answers_the_round_ends_and_each_task_is_settled(
    answer: Any, id: Any, result: Any
) -> None:
    provider = Talker(lambda ms: answer)
    kinds = [Sent, RetryAfter, Rejected, Uncertain]
    odd = Talker(lambda ms: [kinds[n % 4](m.delivery_id, id) for n, m in enumerate(ms)])
    odd.name = "sms"
    steps = [Send("email", "hello"), Send("sms", "hello"), Call("gift")]
    shop = Shop(
        Journey("hello", trigger=on("joined"), steps=steps),
        channels=[provider, odd],
        actions=[Gift(lambda calls: [Completed(c.call_id, result) for c in calls])],
    )
    shop.ingest(*(shop.event("joined", f"customer-{n}") for n in range(4)))

    shop.deliver()

    later = shop.now + 2 * LEASE_MS
    waiting = shop.store.take(later, 1000, lease_until=later)
    assert not [task for task in waiting if task.lapsed]
    assert len(provider.asked) == 4


class Gift(Action):
    """An action that answers with anything."""

    name = "gift"
    batch_size = 10

    def __init__(self, says: Callable[[Sequence[ActionCall]], Any]) -> None:
        self.says = says
        self.ran: list[ActionCall] = []

    def run(self, calls: Sequence[ActionCall]) -> Any:
        self.ran += calls
        return self.says(calls)


def called(gift: Gift, **more: Any) -> Shop:
    steps = [Call("gift", retries=1), Send("email", "hello")]
    shop = Shop(
        Journey("gift", trigger=on("joined"), steps=steps), actions=[gift], **more
    )
    shop.happens("joined")
    return shop


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        (None, "bad_result"),
        (["a", "list"], "bad_result"),
        ({"what": object()}, "bad_result"),
        ({"text": "\ud800"}, "bad_result"),
        ({"number": 10**30}, "bad_result"),
        ({"text": "x" * 2048}, "result_too_large"),
    ],
    ids=["none", "list", "object", "surrogate", "number", "large"],
)
def test_a_result_that_can_not_be_kept_fails_the_call(result: Any, reason: str) -> None:
    gift = Gift(lambda calls: [Completed(c.call_id, result) for c in calls])
    shop = called(gift)

    shop.deliver()

    (delivery,) = shop.store.find([gift.ran[0].call_id]).values()
    assert (delivery.outcome, delivery.reason) == ("failed", reason)


def test_a_result_is_kept_as_plain_json() -> None:
    result = {"code": "A1", "sizes": (1, 2), "at": {1: math.nan}}
    shop = called(Gift(lambda calls: [Completed(c.call_id, result) for c in calls]))

    shop.dispatcher.deliver(shop.now)

    ((_, told),) = shop.store.pending(1)
    assert told.properties["result"] == {  # type: ignore[union-attr]
        "code": "A1",
        "sizes": [1, 2],
        "at": {"1": None},
    }


@pytest.mark.parametrize("answer", [None, [None], ["done"], [Sent("x")], 3])
def test_what_is_no_outcome_of_its_call_is_tried_again(answer: Any) -> None:
    gift = Gift(lambda calls: answer)
    shop = called(gift)

    shop.deliver()
    gift.says = lambda calls: [Completed(c.call_id) for c in calls]
    shop.deliver("+2m")

    assert len(gift.ran) == 2
    (delivery,) = shop.store.find([gift.ran[0].call_id]).values()
    assert delivery.outcome == "sent"


def test_a_failed_call_says_why_in_short() -> None:
    gift = Gift(lambda calls: [CallFailed(c.call_id, "\ud800" * 999) for c in calls])
    shop = called(gift)

    shop.deliver()

    (delivery,) = shop.store.find([gift.ran[0].call_id]).values()
    assert delivery.reason == "?" * 200


# A pause in the middle of a round


def test_a_pause_holds_for_what_is_claimed_and_not_yet_handed_over() -> None:
    provider = Provider(batch_size=1, idempotent=True)
    shop = Shop(HELLO, channels=[provider])
    shop.ingest(*(shop.event("joined", f"customer-{n}") for n in range(5)))

    def pauses(message: Message) -> Sent:
        if len(provider.asked) == 2:
            shop.state("hello", "paused")
        return Sent(message.delivery_id)

    provider.answer = pauses
    claimed = shop.deliver()

    assert (claimed, len(provider.asked)) == (5, 2)
    assert shop.said.count("deferred paused") == 3


def test_a_pause_of_one_journey_keeps_no_other_from_the_same_batch() -> None:
    text = Provider("email", batch_size=2, idempotent=True)
    bye = Journey("bye", trigger=on("joined"), steps=[Send("email", "bye")])
    shop = Shop(HELLO, bye, channels=[text])
    shop.ingest(*(shop.event("joined", f"customer-{n}") for n in range(3)))

    def pauses(message: Message) -> Sent:
        if len(text.batches) == 1:
            shop.state("hello", "paused")
        return Sent(message.delivery_id)

    text.answer = pauses
    shop.deliver()

    assert [m.template for m in text.asked].count("bye") == 3
    assert "hello" not in [m.template for batch in text.batches[1:] for m in batch]


def test_calls_of_a_stopped_journey_fail_and_those_of_a_paused_one_run() -> None:
    stopped = Gift(lambda calls: [Completed(c.call_id) for c in calls])
    paused = Gift(lambda calls: [Completed(c.call_id) for c in calls])
    one, two = called(stopped), called(paused)
    one.state("gift", "stopped")
    two.state("gift", "paused")
    (task,) = one.store.take(one.now, 1, lease_until=one.now)

    one.deliver()
    two.deliver()

    (delivery,) = one.store.find([task.command.call_id]).values()
    assert (delivery.outcome, delivery.reason) == ("failed", "stopped")
    assert (len(stopped.ran), len(paused.ran)) == (0, 1)


def test_no_call_is_handed_over_when_its_lease_is_half_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = [0.0]

    def slowly(calls: Sequence[ActionCall]) -> Any:
        clock[0] += LEASE_MS / 1000
        return [Completed(call.call_id) for call in calls]

    monkeypatch.setattr(
        "journeykit.runtime.dispatcher.time.monotonic", lambda: clock[0]
    )
    gift = Gift(slowly)
    gift.batch_size = 1
    shop = called(gift)
    shop.ingest(shop.event("joined", "bob"))

    shop.deliver()
    assert len(gift.ran) == 1

    shop.deliver()
    assert [call.customer for call in gift.ran] == ["ada", "bob"]


@pytest.mark.parametrize("batch_size", [1, 2])
def test_what_was_handed_over_is_stored_before_the_time_is_up(
    monkeypatch: pytest.MonkeyPatch, batch_size: int
) -> None:
    clock = [0.0]

    def slowly(message: Message) -> Sent:
        clock[0] += 7
        return Sent(message.delivery_id)

    monkeypatch.setattr(
        "journeykit.runtime.dispatcher.time.monotonic", lambda: clock[0]
    )
    provider = Provider(batch_size=batch_size, idempotent=True)
    provider.answer = slowly
    shop = Shop(HELLO, channels=[provider])
    shop.ingest(*(shop.event("joined", f"customer-{n}") for n in range(20)))

    shop.dispatcher.deliver(shop.now, seconds=27)

    found = shop.store.find([message.delivery_id for message in provider.asked])
    assert len(provider.asked) == len(found) == 4
    again = shop.store.take(shop.now, 100, lease_until=shop.now + LEASE_MS)
    assert [task.lapsed for task in again] == [False] * 16


@pytest.mark.parametrize("kind", ["messages", "calls"])
def test_a_death_in_a_long_round_makes_little_unknown(
    monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    asked: list[str] = []
    clock, known = [0.0], 0

    def asks(id: str) -> None:
        nonlocal known
        asked.append(id)
        clock[0] += 3
        if len(asked) == 9:
            known = len(shop.store.find(asked))
            raise SystemExit  # the process ends

    def sent(message: Message) -> Sent:
        asks(message.delivery_id)
        return Sent(message.delivery_id)

    def done(calls: Sequence[ActionCall]) -> Sequence[Completed]:
        asks(calls[0].call_id)
        return [Completed(calls[0].call_id)]

    monkeypatch.setattr(
        "journeykit.runtime.dispatcher.time.monotonic", lambda: clock[0]
    )
    provider, gift = Provider(batch_size=1, idempotent=True), Gift(done)
    gift.batch_size, provider.answer = 1, sent
    step = Send("email", "hello") if kind == "messages" else Call("gift")
    journey = Journey("hello", trigger=on("joined"), steps=[step])
    shop = Shop(journey, channels=[provider], actions=[gift])
    shop.ingest(*(shop.event("joined", f"customer-{n}") for n in range(20)))

    with pytest.raises(SystemExit):
        shop.dispatcher.deliver(shop.now)

    assert (len(asked), known) == (9, 8)


class Forgetful(MemoryStore):
    """A store that fails when it is told to."""

    revision_fails = False
    refuses = ""  # an outcome that it can't store

    def revision(self) -> int:
        if self.revision_fails:
            raise OSError("gone")
        return super().revision()

    def settle(
        self,
        settled: Sequence[Settled],
        *,
        reports: Sequence[Stimulus] = (),
        references: Sequence[Reference] = (),
    ) -> None:
        if any(one.outcome == self.refuses for one in settled):
            raise OSError("gone")
        super().settle(settled, reports=reports, references=references)


def test_what_can_not_be_looked_up_is_not_handed_over_and_goes_later() -> None:
    provider = Provider(batch_size=1, idempotent=True)
    store = Forgetful()
    shop = Shop(HELLO, channels=[provider], store=store)
    shop.ingest(*(shop.event("joined", f"customer-{n}") for n in range(3)))

    def fails(message: Message) -> Sent:
        store.revision_fails = len(provider.asked) == 1
        return Sent(message.delivery_id)

    provider.answer = fails
    shop.dispatcher.deliver(shop.now)
    first = len(provider.asked)
    store.revision_fails = False
    shop.deliver()

    assert first == 1
    assert len({m.delivery_id for m in provider.asked}) == len(provider.asked) == 3


def test_what_nobody_was_asked_about_is_let_go_even_if_the_rest_can_not_be_stored() -> (
    None
):
    provider, store = Provider(batch_size=1), Forgetful()
    shop = Shop(HELLO, channels=[provider], store=store)
    shop.ingest(*(shop.event("joined", f"customer-{n}") for n in range(3)))
    store.refuses = "sent"

    with pytest.raises(OSError, match="gone"):
        shop.deliver()

    waiting = store.take(shop.now, 10, lease_until=shop.now + LEASE_MS)
    assert [task.lapsed for task in waiting] == [False, False]


# Claims that lapsed


def test_a_lapsed_message_of_a_paused_journey_is_not_sent_again() -> None:
    provider = Provider(on_uncertain="resend")
    shop = joined(provider)
    shop.store.take(shop.now, 1, lease_until=shop.now)
    shop.state("hello", "paused")

    shop.deliver()

    assert provider.asked == []
    assert shop.said[-1] == "deferred paused"


def test_an_idempotent_provider_that_kills_the_process_is_not_asked_for_ever() -> None:
    provider = Provider(idempotent=True)
    shop = joined(provider)
    provider.answer = lambda m: RetryAfter(m.delivery_id, 60)

    for minutes in range(0, 24 * 60, 10):
        now = shop.ms(f"+{minutes}m")
        shop.store.take(now, 1, lease_until=now)  # whoever took it is gone
        shop.passes(f"+{minutes}m")

    assert 1 < len(provider.asked) < ATTEMPTS
    assert shop.store.backlog()["waiting"] == 0


def test_a_lapsed_last_attempt_is_not_followed_by_another_one() -> None:
    provider = Provider(idempotent=True)
    shop = joined(provider)
    (task,) = shop.store.take(shop.now, 1, lease_until=shop.now)
    again = Settled(task.id, "again", shop.now, ATTEMPTS - 1)
    shop.store.settle([again])
    shop.store.take(shop.now, 1, lease_until=shop.now)

    shop.deliver()

    (delivery,) = shop.store.find([task.command.delivery_id]).values()
    assert provider.asked == []
    assert (delivery.outcome, delivery.reason) == ("uncertain", "lapsed")


# Observers


def test_observers_are_told_once_it_is_stored() -> None:
    store = Forgetful()
    told: list[tuple[str, str]] = []

    def tell(what: Delivered) -> None:
        (delivery,) = store.find([what.delivery_id]).values()
        told.append((what.outcome, delivery.outcome))

    shop = joined(
        Provider(),
        store=store,
        observers=Observers(deliveries=[Observer("one", "after_delivery", tell)]),
    )

    shop.deliver()

    assert told == [("sent", "sent")]


def test_observers_hear_nothing_of_what_could_not_be_stored() -> None:
    store, told = Forgetful(), list[Delivered]()
    shop = joined(
        Provider(),
        store=store,
        observers=Observers(
            deliveries=[Observer("one", "after_delivery", told.append)]
        ),
    )
    store.refuses = "sent"

    with pytest.raises(OSError, match="gone"):
        shop.deliver()

    assert told == []
