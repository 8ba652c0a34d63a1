"""One thing goes wrong in the cloud path: the same is decided, and the same is sent.

Each request to AWS in turn fails, is throttled, or times out after it was done; each
function in turn is killed before or after it. What comes again comes by itself: by the
queue, the stream, the next tick, or the operator who is told that it didn't work.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any
from unittest import mock

import pytest
from botocore.client import BaseClient
from botocore.endpoint import Endpoint
from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    ReadTimeoutError,
)
from tests.aws.beside_sqlite import salt

from journeykit import (
    Branch,
    Call,
    Count,
    Emit,
    Event,
    Goal,
    Journey,
    Last,
    Policies,
    Segment,
    Send,
    Wait,
    WaitFor,
    When,
    days,
    entered,
    entry,
    event,
    every,
    hours,
    minutes,
    older_than,
    on,
    seconds,
    step,
    trait,
)
from journeykit.channels import (
    Action,
    ActionCall,
    Callback,
    CallOutcome,
    Capabilities,
    Completed,
    Message,
    Receipt,
    Report,
)
from journeykit.errors import JourneyKitError
from journeykit.testing import RecordingChannel
from journeykit.testing.aws import AwsEmulator, FunctionError, Killed
from journeykit.testing.aws.functions import Function
from journeykit.workspace import Workspace

START = "2026-06-01T09:00:00Z"

OFFER = Journey(
    "offer",
    trigger=on("cart.updated"),
    goal=Goal(on("order.placed"), value=event.amount),
    steps=[
        Call("voucher", arguments={"total": entry.total}, on_error="exit", retries=5),
        Wait(hours(4)),
        Branch(
            [
                When(
                    entry.total >= 100,
                    [
                        Send(
                            "email",
                            "large",
                            variables={"code": step("call-voucher").result.code},
                        )
                    ],
                )
            ],
            otherwise=[Send("email", "small")],
        ),
        WaitFor([When(on("message.sent"))], timeout=hours(6)),
        Emit("offer.made", public=True),
        Wait(days(2)),
        Send("sms", "last-call"),
    ],
)
FOLLOWED = Journey(
    "followed",
    trigger=on("offer.made"),
    steps=[Wait(hours(1)), Send("email", "rate-us")],
)
COOLED = Journey(
    "cooled", trigger=entered("cooling"), steps=[Send("email", "come-back")]
)
# Hours after the order, which comes at 30: an event that was to be tried again must not be
# overtaken by what time brings about.
UNDECIDED = Journey(
    "undecided",
    trigger=on("cart.updated").without(on("order.placed"), within=hours(34)),
    steps=[Send("sms", "any-questions")],
)
DAILY = Journey(
    "daily",
    trigger=every("day", at="21:30", segment="busy"),
    reentry="always",
    steps=[Send("sms", "daily")],
)
TRAITS = (
    Last("last_cart", "cart.updated"),
    Count("lately", "cart.updated", within=hours(34)),
)
SEGMENTS = (
    Segment("cooling", older_than(trait.last_cart, days(1))),
    Segment("busy", trait.lately >= 1),
)
"""What time alone brings about, by the traits of everybody's carts."""


class Voucher(Action):
    """Answers at once, and notes each call."""

    name = "voucher"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def run(self, calls: Sequence[ActionCall]) -> Sequence[CallOutcome]:
        self.asked += [call.call_id for call in calls]
        return [
            Completed(call.call_id, {"code": f"C{call.customer}"}) for call in calls
        ]


class Sender(RecordingChannel):
    """A provider that honors the delivery id: the same one again is the same message."""

    capabilities = Capabilities(batch_size=10, idempotent=True)


class Told(dict[str, Any]):
    """What came of the story, in a form in which it does not matter when."""


class Shop:
    """The story of three customers, in an account in which things go wrong."""

    def __init__(self, *, disorder: Random | None = None) -> None:
        self.sender = Sender()
        self.voucher = Voucher()
        self.aws = AwsEmulator(
            Workspace(
                path=Path(),
                name="shop",
                journeys=(OFFER, FOLLOWED, COOLED, UNDECIDED, DAILY),
                traits=TRAITS,
                segments=SEGMENTS,
            ),
            start=START,
            channels={"email": self.sender, "sms": self.sender},
            actions=[self.voucher],
            salt=salt,
            disorder=disorder,
        )

    def happens(self) -> Told:
        """Three carts, a visitor who signs in, a pause, a resume, an order."""
        aws = self.aws
        operated(aws.publish)
        aws.event("cart.updated", "ada", total=120)
        aws.event("cart.updated", "ben", total=50)
        aws.put_events([self.browsed("cart.updated", total=70)])
        aws.advance(hours(2))
        aws.put_events([self.browsed("profile.updated", "cyd", city="Turin")])
        operated(lambda: aws.pause("offer"))
        aws.advance(hours(4))  # the first wait has ended while nobody moves on
        operated(lambda: aws.resume("offer"))
        aws.advance(days(1))
        aws.event("order.placed", "ben", amount=40)
        aws.advance(days(4))
        return self.told()

    def browsed(self, name: str, customer: str = "", **properties: Any) -> Event:
        """What a browser tells, which is somebody's as soon as they have signed in."""
        return Event(
            id=name,
            name=name,
            customer=customer,
            occurred_at=self.aws.now,
            received_at=self.aws.now,
            properties=properties,
            identifiers={"anonymous": "a-17"},
        )

    def told(self) -> Told:
        """Who was decided what, in order; what was sent, and how often it was decided."""
        people = self.aws.customers
        return Told(
            decided=decided(self.aws),
            sent=sorted({(m.delivery_id, m.template) for m in self.sender.messages}),
            variables=sorted({str(dict(m.variables)) for m in self.sender.messages}),
            called=sorted({*self.voucher.asked}),
            waiting={id: len(one.active) for id, one in people.items()},
            held={id: len(one.held) for id, one in people.items()},
            past={
                id: {j: (p.count, p.outcome) for j, p in one.past.items()}
                for id, one in people.items()
            },
            segments={id: one.segments for id, one in people.items()},
            dues={id: (one.next_due, one.flips_at) for id, one in people.items()},
            merged={id: one.merged_into for id, one in people.items()},
        )


AT_LEAST_ONCE = ("ignored",)  # that something came twice is written down


def decided(aws: AwsEmulator) -> dict[str, list[Any]]:
    """Who was decided what, in order."""
    lines: dict[str, list[Any]] = {}
    for line in sorted(aws.decisions, key=lambda one: (one["revision"], one["n"])):
        if line["kind"] not in AT_LEAST_ONCE:
            said = [line.get(name, "") for name in ("journey", "step", "reason")]
            lines.setdefault(line["customer"], []).append((line["kind"], *said))
    return lines


def operated(act: Callable[[], object]) -> None:
    """What an operator does: it is said again until it works."""
    for _ in range(3):
        try:
            act()
        except (FunctionError, JourneyKitError):
            continue
        return
    raise AssertionError("an operator has tried three times")


# --- what goes wrong ---------------------------------------------------------------------


class Fault:
    """Lets one request fail, by its number; requests of functions alone are counted.

    `of` says which are: `function operation`; all if empty.
    """

    def __init__(self, number: int | None, kind: str, *, of: str = "") -> None:
        self.number = number
        self.kind = kind
        self.of = of
        self.count = 0
        self.what = ""
        self._is_dead = False

    @contextmanager
    def strikes(self, aws: AwsEmulator) -> Iterator[None]:
        call, send = BaseClient._make_api_call, Endpoint._get_response
        invoke = Function.__call__

        def invoked(function: Function, event: Any) -> Any:
            self._is_dead = False
            return invoke(function, event)

        def make_api_call(client: Any, operation: str, arguments: Any) -> Any:
            if self._is_dead and aws.running:
                raise Killed  # whatever would tidy up is dead as well
            if self.kind == "answer lost" or not self._is_hit(aws, operation):
                return call(client, operation, arguments)
            self._before(operation)
            answer = call(client, operation, arguments)
            self._after()
            return answer

        def get_response(endpoint: Any, request: Any, model: Any, context: Any) -> Any:
            answer = send(endpoint, request, model, context)
            if self.kind == "answer lost" and self._is_hit(aws, model.name):
                return None, ReadTimeoutError(endpoint_url="emulated")
            return answer

        with (
            mock.patch.object(BaseClient, "_make_api_call", make_api_call),
            mock.patch.object(Endpoint, "_get_response", get_response),
            mock.patch.object(Function, "__call__", invoked),
        ):
            yield

    def _is_hit(self, aws: AwsEmulator, operation: str) -> bool:
        if not aws.running or self.of not in ("", f"{aws.running} {operation}"):
            return False
        self.count += 1
        if self.count - 1 != self.number:
            return False
        self.what = f"{aws.running} {operation}"
        return True

    def _before(self, operation: str) -> None:
        match self.kind:
            case "failed":
                raise EndpointConnectionError(endpoint_url="emulated")
            case "throttled":
                raise ClientError(
                    {"Error": {"Code": "ThrottlingException", "Message": "slow down"}},
                    operation,
                )
            case "killed before":
                self._is_dead = True
                raise Killed

    def _after(self) -> None:
        match self.kind:
            case "timed out":
                raise ReadTimeoutError(endpoint_url="emulated")
            case "killed after":
                self._is_dead = True
                raise Killed


KINDS = (
    "failed",
    "throttled",
    "timed out",
    "answer lost",
    "killed before",
    "killed after",
)


@pytest.fixture(scope="module")
def undisturbed() -> tuple[Told, int]:
    """What the story comes to when nothing goes wrong, and how many requests it takes."""
    shop, fault = Shop(), Fault(None, "failed")

    with shop.aws as aws, fault.strikes(aws):
        told = shop.happens()
        assert not aws.failures
        assert not aws.dead_letters

    return told, fault.count


def test_the_story_has_all_that_can_go_wrong(undisturbed: tuple[Told, int]) -> None:
    told, requests = undisturbed

    kinds = Counter(line[0] for lines in told["decided"].values() for line in lines)
    assert {"entered", "called", "parked", "sent", "emitted", "goal"} <= kinds.keys()
    assert {"segment", "identity"} <= kinds.keys()
    assert sum(map(bool, told["merged"].values())) == 1
    sent = {template for _, template in told["sent"]}
    assert {"come-back", "any-questions", "daily"} <= sent
    assert [template for _, template in told["sent"]]
    assert requests > 100


def holds(number: int, kind: str, undisturbed: Told) -> Fault:
    """Let one request fail in this way; nothing else is any different for it."""
    shop, fault = Shop(), Fault(number, kind)
    with shop.aws as aws, fault.strikes(aws):
        told = shop.happens()
        assert told == undisturbed, f"request {number} ({fault.what}) {kind}"
        assert not aws.dead_letters, fault.what
    return fault


@pytest.mark.parametrize(
    ("number", "kind"), [(43, "timed out"), (60, "answer lost"), (94, "killed after")]
)
def test_one_of_the_requests_goes_wrong(
    number: int, kind: str, undisturbed: tuple[Told, int]
) -> None:
    fault = holds(number, kind, undisturbed[0])

    assert fault.what


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_any_of_the_requests_goes_wrong(
    kind: str, undisturbed: tuple[Told, int]
) -> None:
    told, requests = undisturbed

    struck = {holds(number, kind, told).what for number in sample(requests, kind)}

    assert len(struck) > 6  # functions and what they ask for


SAMPLE = 16  # requests of each story for each kind: all of them would take half an hour


def sample(requests: int, kind: str) -> range:
    """So many requests of a story, evenly; other ones for each kind."""
    step = -(-requests // SAMPLE)
    return range(KINDS.index(kind) * step // len(KINDS), requests, step)


# --- what comes twice, in another order, or too late -------------------------------------


@pytest.mark.parametrize(
    "seed",
    [1, *(pytest.param(n, marks=pytest.mark.slow) for n in range(2, 40))],
)
def test_messages_come_twice_and_in_any_order(
    seed: int, undisturbed: tuple[Told, int]
) -> None:
    shop = Shop(disorder=Random(seed))

    with shop.aws as aws:
        told = shop.happens()

        assert told == undisturbed[0]
        assert not aws.failures
        assert not aws.dead_letters
        assert [line for line in aws.decisions if line["kind"] == "ignored"]


def test_the_stream_comes_once_more_from_its_beginning(
    undisturbed: tuple[Told, int],
) -> None:
    shop = Shop()

    with shop.aws as aws:
        shop.happens()
        aws.replay_stream()
        aws.advance(hours(1))

        assert shop.told() == undisturbed[0]
        assert len(shop.sender.messages) == len(undisturbed[0]["sent"])
        assert not aws.dead_letters


@pytest.mark.slow
def test_all_functions_start_anew_in_between(undisturbed: tuple[Told, int]) -> None:
    shop = Shop()

    with shop.aws as aws:
        put_events = aws.put_events

        def put_events_to_new_ones(events: Any) -> None:
            aws.restart()
            put_events(events)

        aws.put_events = put_events_to_new_ones  # type: ignore[method-assign]

        assert shop.happens() == undisturbed[0]
        assert not aws.failures


def test_a_function_with_an_old_catalog_asks_for_the_new_one() -> None:
    email = Bouncing("email")
    cart = Journey(
        "cart", trigger=on("cart.updated"), steps=[Send("email", "hi"), Wait(days(1))]
    )

    with AwsEmulator(cart, start=START, channels={"email": email}) as aws:
        aws.publish()
        aws.event("cart.updated", "ada")
        delivery = email.messages[0].delivery_id
        aws.advance(minutes(10))
        says(aws, delivery, "message.delivered")  # now feedback knows the catalog
        aws.advance(seconds(1))
        aws.pause("cart")
        aws.event("profile.updated", "ada", city="Turin")  # and ada a newer one
        aws.advance(seconds(1))
        says(aws, delivery, "message.bounced", bounce="hard")

        assert aws.customer("ada").catalog == 2
        assert [s.suppressed for s in aws.customer("ada").addresses.values()] == [
            "hard_bounce"
        ]
        assert not aws.failures
        assert not aws.dead_letters


class Bouncing(RecordingChannel):
    """A provider that reports, in JSON."""

    def feedback(self, callback: Callback) -> Sequence[Report]:
        said = json.loads(callback.body)
        return [Report(**said, id=said["name"], occurred_at=callback.received_at)]


def says(aws: AwsEmulator, delivery: str, name: str, **properties: Any) -> None:
    body = {"delivery_id": delivery, "name": name, "properties": properties}
    assert aws.post("/v1/feedback/email", body).status in (200, 202)


# --- the window in which nobody can know -------------------------------------------------


class Mortal(RecordingChannel):
    """Takes the process with it when it has handed something over, once."""

    def __init__(self, **capabilities: Any) -> None:
        super().__init__("email")
        self.capabilities = Capabilities(**capabilities)

    def send(self, messages: Sequence[Message]) -> Sequence[Receipt]:
        receipts = super().send(messages)
        if len(self.messages) == len(messages):
            raise Killed
        return receipts


@pytest.mark.parametrize(
    ("capabilities", "handed_over", "outcome"),
    [
        pytest.param({"on_uncertain": "hold"}, 1, "uncertain", id="is held"),
        pytest.param({"on_uncertain": "resend"}, 2, "sent", id="is sent again"),
        pytest.param(
            {"idempotent": True},
            *(2, "sent"),
            id="is asked about once more",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_message_of_a_process_that_died_is_uncertain(
    capabilities: dict[str, Any], handed_over: int, outcome: str
) -> None:
    email = Mortal(**capabilities)
    cart = Journey("cart", trigger=on("cart.updated"), steps=[Send("email", "hi")])

    with AwsEmulator(cart, start=START, channels={"email": email}) as aws:
        aws.publish()
        aws.event("cart.updated", "ada")
        aws.advance(hours(2))

        said = [json.loads(text) for _, text in aws.logs if '"delivered"' in text]
        assert [one["outcome"] for one in said] == [outcome]
        assert len(email.messages) == handed_over
        assert len({message.delivery_id for message in email.messages}) == 1
        assert [failure.function for failure in aws.failures] == [
            "journeykit-deliver-email"
        ]
        assert not aws.dead_letters


# --- a second story: pace, a pause by publish, a bounce, a channel that can't ask twice --

NEWS = Journey(
    "news",
    trigger=on("signed.up"),
    steps=[
        Wait(hours(4)),
        Send("email", "welcome"),
        WaitFor(
            [When(on("message.bounced"), [Send("letter", "by-post")])],
            timeout=days(1),
            otherwise=[Send("letter", "all-is-well")],
        ),
    ],
)


class Emails(Bouncing):
    """A provider that honors the delivery id, and reports."""

    capabilities = Capabilities(batch_size=10, idempotent=True)

    def __init__(self) -> None:
        super().__init__("email")
        self.at: list[float] = []

    def send(self, messages: Sequence[Message]) -> Sequence[Receipt]:
        self.at += [time.time()] * len(messages)
        return super().send(messages)


class Letters(RecordingChannel):
    """Whatever is handed over once more is printed once more."""

    capabilities = Capabilities(batch_size=10, on_uncertain="hold")


class Newsletter:
    """The story of two customers whose journey a publish pauses, and another resumes."""

    def __init__(self) -> None:
        self.emails, self.letters = Emails(), Letters("letter")
        self.live = Workspace(
            path=Path(),
            name="news",
            journeys=(NEWS,),
            states={"news": "live"},
            policies=Policies(pace={"email": "60/h"}),
        )
        self.aws = AwsEmulator(
            self.live,
            start=START,
            channels={"email": self.emails, "letter": self.letters},
            salt=salt,
        )

    def happens(self) -> Told:
        """Two sign up, wait out a pause, get a message a minute; one is out of reach."""
        aws = self.aws
        operated(aws.publish)
        aws.event("signed.up", "ada")
        aws.event("signed.up", "ben")
        aws.advance("2026-06-01T12:00:00Z")
        operated(lambda: aws.publish(replace(self.live, states={"news": "paused"})))
        aws.advance("2026-06-01T16:00:00Z")  # the wait has ended, nobody moves on
        operated(lambda: aws.publish(self.live))
        aws.advance("2026-06-01T16:05:00Z")
        self.bounces("ada")
        aws.advance("2026-06-04T16:00:00Z")
        return self.told()

    def bounces(self, customer: str) -> None:
        """The provider reports as soon as it has the message, until it is taken."""
        for _ in range(12):
            found = [m for m in self.emails.messages if m.customer == customer]
            if found:
                break
            self.aws.advance(minutes(10))
        assert found, "no email has gone out for two hours"
        for _ in range(3):
            try:
                says(self.aws, found[0].delivery_id, "message.bounced", bounce="hard")
            except (FunctionError, AssertionError):  # killed, or it answers 5xx
                continue
            return
        raise AssertionError("a provider has tried three times")

    def told(self) -> Told:
        """Who was decided what, in order, and what was sent."""
        people = self.aws.customers
        return Told(
            decided=decided(self.aws),
            sent=sorted({(m.delivery_id, m.template) for m in self.emails.messages}),
            waiting={id: len(one.active) for id, one in people.items()},
            held={id: len(one.held) for id, one in people.items()},
            suppressed={
                id: sorted((a, s.suppressed) for a, s in one.addresses.items())
                for id, one in people.items()
            },
        )

    def fates(self) -> dict[str, str]:
        """What is known of each letter, by its delivery id."""
        table = self.aws.settings.deliveries_table
        rows = self.aws.client("dynamodb").scan(TableName=table)["Items"]
        return {
            row["id"]["S"]: row["s"]["S"] for row in rows if row["ch"]["S"] == "letter"
        }


@pytest.fixture(scope="module")
def well() -> tuple[Told, int]:
    """What the second story comes to when nothing goes wrong, and its requests."""
    news, fault = Newsletter(), Fault(None, "failed")

    with news.aws as aws, fault.strikes(aws):
        told = news.happens()
        assert not aws.failures
        assert not aws.dead_letters
        assert [*news.fates().values()] == ["sent", "sent"]

    first, second = news.emails.at
    assert second - first >= 60
    return told, fault.count


def test_the_second_story_has_all_that_can_go_wrong(well: tuple[Told, int]) -> None:
    told, requests = well

    assert [template for _, template in told["sent"]] == ["welcome", "welcome"]
    assert [*told["suppressed"].values()].count([]) <= 1
    kinds = Counter(line[0] for lines in told["decided"].values() for line in lines)
    assert {"entered", "parked", "sent", "completed"} <= kinds.keys()
    assert not any(told["held"].values())
    assert requests > 80


def survives(fault: Fault, well: Told) -> Fault:
    """Nothing else is decided for it; a letter is sent once, or known to be uncertain."""
    news = Newsletter()
    with news.aws as aws, fault.strikes(aws):
        told = news.happens()
        fates = news.fates()
        assert told == well, f"{fault.what} {fault.kind}"
        assert not aws.dead_letters, fault.what
    printed = Counter(message.delivery_id for message in news.letters.messages)
    assert not [id for id, count in printed.items() if count > 1], fault.what
    assert len(fates) == 2
    assert {*fates.values()} <= {"sent", "uncertain"}, fault.what
    assert {id for id, fate in fates.items() if fate == "sent"} <= printed.keys()
    if "deliver-letter" not in fault.what:
        assert "uncertain" not in fates.values(), fault.what
    return fault


@pytest.mark.parametrize(
    ("number", "kind", "of"),
    [
        pytest.param(
            *(4, "killed before", "journeykit-deliver-email UpdateItem"),
            id="a bounce comes before it is settled that the message was sent",
        ),
        pytest.param(
            *(5, "killed before", "journeykit-publish PutTargets"),
            id="a publish dies when its catalog is live",
        ),
        pytest.param(
            *(1, "killed before", "journeykit-deliver-letter UpdateItem"),
            id="nobody knows whether a letter is printed",
        ),
    ],
)
def test_the_second_story_survives_what_is_most_delicate(
    number: int, kind: str, of: str, well: tuple[Told, int]
) -> None:
    fault = survives(Fault(number, kind, of=of), well[0])

    assert fault.what == of


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_the_second_story_survives_any_request(
    kind: str, well: tuple[Told, int]
) -> None:
    told, requests = well

    struck = {
        survives(Fault(number, kind), told).what for number in sample(requests, kind)
    }

    assert len(struck) > 6
