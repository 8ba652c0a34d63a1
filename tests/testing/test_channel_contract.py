"""The contract of channels finds what is wrong with one, and nothing with a right one."""

from __future__ import annotations

import hmac
import logging
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import count
from threading import Barrier
from typing import Any, ClassVar, Literal, Self

import pytest

from journeykit.channels import (
    Callback,
    Capabilities,
    Channel,
    Message,
    Receipt,
    Rejected,
    Report,
    RetryAfter,
    Sent,
    Uncertain,
)
from journeykit.errors import InputError
from journeykit.testing import ChannelContract

Trouble = Literal["busy", "refusing", "silent", "unreachable"]
NOBODY = "nobody@example.com"
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


class Gateway:
    """A double of a provider of text messages; it takes each key once."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.trouble: Trouble | None = None

    def take(self, key: str, address: str) -> int:
        trouble, self.trouble = self.trouble, None
        if trouble == "unreachable":
            raise ConnectionRefusedError
        if trouble == "busy":
            return 503
        if trouble == "refusing" or address == NOBODY:
            return 422
        if key not in self.keys:
            self.keys.append(key)
        if trouble == "silent":
            raise TimeoutError
        return 200


@dataclass(frozen=True)
class Settings:
    __pydantic_config__: ClassVar = {"extra": "forbid"}

    token: str

    def __repr__(self) -> str:
        return "Settings()"


class Pager(Channel):
    """A channel as it should be; the broken ones below differ in one thing each."""

    name = "sms"
    provider = "pager"
    address_attribute = "phone"
    capabilities = Capabilities(batch_size=10, idempotent=True)
    Settings = Settings
    settings: Settings

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    def send(self, messages: Sequence[Message]) -> Sequence[Receipt]:
        return [self.sent(message) for message in messages]

    def key(self, message: Message) -> str:
        return message.delivery_id

    def sent(self, message: Message) -> Receipt:
        try:
            status = self.gateway.take(self.key(message), message.address)
        except ConnectionRefusedError:
            return self.unreachable(message)
        except TimeoutError:
            return self.unanswered(message)
        return self.answered(message, status)

    def unreachable(self, message: Message) -> Receipt:
        return RetryAfter(message.delivery_id, 0)

    def unanswered(self, message: Message) -> Receipt:
        return Uncertain(message.delivery_id, "timed out")

    def answered(self, message: Message, status: int) -> Receipt:
        if status == 503:
            return RetryAfter(message.delivery_id, 30)
        if status == 422:
            return Rejected(message.delivery_id, "refused")
        return Sent(message.delivery_id)

    def feedback(self, callback: Callback) -> Sequence[Report]:
        self.verify(callback)
        return [self.report(callback)]

    def verify(self, callback: Callback) -> None:
        given = callback.headers.get("signature", "")
        if not hmac.compare_digest(given, signature_of(callback.body)):
            raise InputError("the signature is wrong", place="pager: callback")

    def report(self, callback: Callback) -> Report:
        id = callback.headers["signature"]
        return Report(callback.body.decode(), "message.delivered", id, NOON)


def signature_of(body: bytes) -> str:
    return hmac.new(b"t0p-secret", body, "sha256").hexdigest()


class PagerContract(ChannelContract):
    bad_settings = ({}, {"token": "t0p-secret", "tokn": "x"})
    secrets = ("t0p-secret",)
    kind: type[Pager] = Pager

    def setup_method(self) -> None:
        self.gateway = Gateway()

    def channel(self) -> Channel:
        return self.kind(self.gateway).configured({"token": "t0p-secret"})

    def accepted(self) -> Sequence[str]:
        return self.gateway.keys

    def troubled(self, trouble: Trouble) -> Channel | None:
        self.gateway.trouble = trouble
        return self.channel()

    def bad_message(self) -> Message | None:
        return self.message(9, address=NOBODY)

    def callback(self, delivery_id: str) -> Callback | None:
        body = delivery_id.encode()
        headers = {"signature": signature_of(body)}
        return Callback(body=body, headers=headers, received_at=NOON)


class TestPager(PagerContract):
    pass


class Nameless(Pager):
    name = " "


class Short(Pager):
    def send(self, messages: Sequence[Message]) -> Sequence[Receipt]:
        return super().send(messages)[:1]


class Talkative(Pager):
    def send(self, messages: Sequence[Message]) -> Sequence[Receipt]:
        return super().send(messages) or [Sent("nothing")]


class Confused(Pager):
    def send(self, messages: Sequence[Message]) -> Sequence[Receipt]:
        return [replace(r, delivery_id="x") for r in super().send(messages)]


class AllOrNothing(Pager):
    def send(self, messages: Sequence[Message]) -> Sequence[Receipt]:
        receipts = super().send(messages)
        refused = [r.reason for r in receipts if isinstance(r, Rejected)]
        return (
            [Rejected(r.delivery_id, refused[0]) for r in receipts]
            if refused
            else receipts
        )


class Repeating(Pager):
    """Gives the provider a key of its own, and not the delivery's."""

    numbers = count()

    def key(self, message: Message) -> str:
        return f"{message.delivery_id}-{next(self.numbers)}"


class Hasty(Pager):
    def answered(self, message: Message, status: int) -> Receipt:
        if status == 503:
            return Rejected(message.delivery_id, "busy")
        return super().answered(message, status)


class Stubborn(Pager):
    def answered(self, message: Message, status: int) -> Receipt:
        if status == 422:
            return RetryAfter(message.delivery_id, 1)
        return super().answered(message, status)


class Speechless(Pager):
    def answered(self, message: Message, status: int) -> Receipt:
        if status == 422:
            return Rejected(message.delivery_id, "")
        return super().answered(message, status)


class Resigned(Pager):
    def unreachable(self, message: Message) -> Receipt:
        return Rejected(message.delivery_id, "unreachable")


class Confident(Pager):
    def unanswered(self, message: Message) -> Receipt:
        return Sent(message.delivery_id)


class Fragile(Pager):
    def sent(self, message: Message) -> Receipt:
        "".join(map(str, message.variables.values())).encode()
        return super().sent(message)


class Narrow(Pager):
    def sent(self, message: Message) -> Receipt:
        if len(str(message.variables)) > 10_000:
            raise ValueError("too large")
        return super().sent(message)


class RealMock(Pager):
    def mock(self) -> Channel:
        return self


class Forgetful(Pager):
    """Keeps the message at hand where all threads see it."""

    def __init__(self, gateway: Gateway) -> None:
        super().__init__(gateway)
        self.two_at_once = Barrier(2, timeout=0.5)

    def sent(self, message: Message) -> Receipt:
        self.at_hand = message
        self.two_at_once.wait()
        return super().sent(self.at_hand)


class Trusting(Pager):
    def address(self, profile: Mapping[str, object], customer_id: str) -> str | None:
        return profile["phone"].strip()  # type: ignore[attr-defined, no-any-return]


class Blank(Pager):
    def address(self, profile: Mapping[str, object], customer_id: str) -> str | None:
        found = profile.get("phone", "")
        return found if isinstance(found, str) else None


class Moody(Pager):
    numbers = count()

    def address(self, profile: Mapping[str, object], customer_id: str) -> str | None:
        return f"{customer_id}-{next(self.numbers)}"


class Growing(Pager):
    def normalize(self, address: str) -> str:
        return f"+{address}"


class Believing(Pager):
    def verify(self, callback: Callback) -> None:
        pass


class Counting(Pager):
    numbers = count()

    def report(self, callback: Callback) -> Report:
        return replace(super().report(callback), id=str(next(self.numbers)))


class Mute(Pager):
    def feedback(self, callback: Callback) -> Sequence[Report]:
        return []


class Telling(Pager):
    def verify(self, callback: Callback) -> None:
        if callback.headers.get("signature") != signature_of(callback.body):
            raise InputError(f"not signed with {self.settings.token}")


class Unchecked(Pager):
    def configured(self, settings: Mapping[str, object]) -> Self:
        done = copy(self)
        done.settings = Settings(str(settings.get("token")))
        return done


class Gossiping(Pager):
    def answered(self, message: Message, status: int) -> Receipt:
        if status == 422:
            reason = f"refused {self.settings.token}"
            return Rejected(message.delivery_id, reason)
        return super().answered(message, status)


class Logging(Pager):
    def sent(self, message: Message) -> Receipt:
        logging.getLogger("pager").debug("to %s", message.address)
        return super().sent(message)


class Raising(Pager):
    def unreachable(self, message: Message) -> Receipt:
        raise ConnectionError(f"for {message.address}")


def contract(kind: type[Pager]) -> PagerContract:
    found = PagerContract()
    found.kind = kind
    found.setup_method()
    return found


BROKEN: Sequence[tuple[type[Pager], Callable[..., Any]]] = [
    (Nameless, PagerContract.test_it_says_what_it_carries),
    (
        Short,
        PagerContract.test_each_message_of_a_full_batch_gets_one_receipt_of_its_own,
    ),
    (
        Confused,
        PagerContract.test_each_message_of_a_full_batch_gets_one_receipt_of_its_own,
    ),
    (Talkative, PagerContract.test_no_messages_get_no_receipts),
    (
        AllOrNothing,
        PagerContract.test_a_message_that_is_refused_does_not_hold_up_the_others,
    ),
    (Repeating, PagerContract.test_one_delivery_arrives_once),
    (Repeating, PagerContract.test_a_lost_answer_leaves_it_uncertain),
    (Confident, PagerContract.test_a_lost_answer_leaves_it_uncertain),
    (Hasty, PagerContract.test_a_busy_provider_is_asked_again),
    (Stubborn, PagerContract.test_a_refusal_is_final),
    (Speechless, PagerContract.test_a_refusal_is_final),
    (Resigned, PagerContract.test_a_provider_out_of_reach_is_asked_again),
    (Narrow, PagerContract.test_a_message_that_is_too_large_is_rejected_if_anything),
    (RealMock, PagerContract.test_the_mock_reaches_nobody),
    (Forgetful, PagerContract.test_it_can_send_from_several_threads),
    (Unchecked, PagerContract.test_settings_are_checked),
    (Believing, PagerContract.test_a_forged_callback_is_refused),
    (Counting, PagerContract.test_the_same_callback_again_is_the_same_reports),
    (Mute, PagerContract.test_a_callback_says_what_became_of_messages),
]


@pytest.mark.parametrize(("kind", "promise"), BROKEN)
def test_what_breaks_a_promise_fails_the_test_of_it(
    kind: type[Pager], promise: Callable[[PagerContract], None]
) -> None:
    with pytest.raises((Exception, pytest.fail.Exception)):
        promise(contract(kind))


def test_a_channel_that_reads_callbacks_has_to_show_one() -> None:
    class Untold(PagerContract):
        def callback(self, delivery_id: str) -> Callback | None:
            return None

    untold = Untold()
    untold.setup_method()

    with pytest.raises(AssertionError, match="override `callback`"):
        untold.test_a_forged_callback_is_refused()


def test_a_channel_that_chokes_on_a_text_fails() -> None:
    with pytest.raises(UnicodeEncodeError):
        contract(Fragile).test_whatever_a_message_holds_it_gets_a_receipt("\ud800")


@pytest.mark.parametrize("kind", [Trusting, Blank, Moody])
def test_an_address_that_is_not_pure_or_not_total_fails(kind: type[Pager]) -> None:
    with pytest.raises((AssertionError, LookupError)):
        contract(kind).test_an_address_is_found_or_not_but_never_fails("")


def test_a_normal_form_that_is_not_final_fails() -> None:
    with pytest.raises(AssertionError):
        contract(Growing).test_an_address_in_its_normal_form_stays_as_it_is("x")


@pytest.mark.parametrize(
    ("kind", "seen"),
    [
        (Gossiping, "t0p-secret"),
        (Logging, "person-1"),
        (Raising, "person-1"),
        (Telling, "t0p-secret"),
    ],
)
def test_a_secret_or_an_address_that_can_be_seen_fails_the_test_of_it(
    kind: type[Pager], seen: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(AssertionError, match=seen):
        contract(kind).test_secrets_and_addresses_stay_secret(caplog)


def test_a_channel_that_asks_nobody_needs_no_provider() -> None:
    class Alone(PagerContract):
        def troubled(self, trouble: Trouble) -> Channel | None:
            return None

    alone = Alone()
    alone.setup_method()

    with pytest.raises(pytest.skip.Exception, match="nobody is behind it"):
        alone.test_a_busy_provider_is_asked_again()


def test_a_contract_that_names_no_channel_says_what_is_missing() -> None:
    with pytest.raises(NotImplementedError, match="say in your subclass"):
        ChannelContract().test_no_messages_get_no_receipts()
