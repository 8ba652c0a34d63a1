"""Contracts: what everything of a kind keeps, as tests to subclass.

A failing test names the promise, and its docstring says why it is one.
"""

from __future__ import annotations

import html
import json
import logging
import math
import traceback
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Literal, TypeAlias, get_args

import pytest

from journeykit.channels import (
    Action,
    ActionCall,
    CallAgain,
    Callback,
    CallFailed,
    CallOutcome,
    Capabilities,
    Channel,
    Completed,
    Content,
    Message,
    Receipt,
    Rejected,
    Report,
    RetryAfter,
    Sent,
    Uncertain,
)
from journeykit.errors import ContentError, InputError

_RESULT_BYTES = 2048  # what a customer's document keeps of a result

Trouble: TypeAlias = Literal["busy", "refusing", "silent"]
"""What a provider can do wrong: ask to be left alone for now, say no for good, or do what
it was asked and lose the answer."""

# What people type and machines send: all of it is JSON, and some of it no UTF-8.
_ODD_TEXTS = (
    *("", " ", "x", "Zoë@EXAMPLE.com", "İstanbul", "ﬁ", "名前", "👩‍👩‍👧", "\u202e"),
    *("\x00", "\x1b[2J", "\ud800", "a\r\nBcc: b", "../../etc", "${x}{{x}}%s", "'\"<&"),
)
_NO_TEXTS: Sequence[object] = (
    None,
    True,
    0,
    -1,
    1.5,
    10**400,
    [],
    ["a"],
    {},
    {"a": {"b": [None]}},
)

# What a template comes to, by its medium and the ending of its file.
_PARTS: Mapping[str, Callable[[str], Mapping[str, str]]] = {
    "email": lambda text: {"html": f"<p>{html.escape(text)}</p>", "txt": text},
    "sms": lambda text: {"txt": text},
    "push": lambda text: {"json": json.dumps({"title": "News", "body": text})},
    "inapp": lambda text: {"json": json.dumps({"title": "News", "body": text})},
    "whatsapp": lambda text: {"json": json.dumps({"text": text})},
    "chat": lambda text: {"json": json.dumps({"text": text})},
}

# The front matter that a medium can't do without.
_MATTER: Mapping[str, Mapping[str, object]] = {
    "email": {"subject": "Hello", "from": "Shop <shop@example.com>"}
}


class ActionContract:
    """What every action keeps.

        class TestVouchers(ActionContract):
            arguments = {"campaign": "spring"}
            bad_arguments = ({}, {"campaign": "no such"})

            def action(self) -> Action:
                return VoucherAction().configured({...})

    An action that asks a provider is given a double of it, which each test gets anew in
    `setup_method`, and then overrides `effects` and `troubled` as well.

    Attributes:
        arguments: What a call may look like that is right.
        bad_arguments: What fails for good.
        bad_settings: What `configured` refuses.
        secrets: What must never be seen in outcomes, logs or errors.
    """

    arguments: ClassVar[Mapping[str, object]] = {}
    bad_arguments: ClassVar[Sequence[Mapping[str, object]]] = ()
    bad_settings: ClassVar[Sequence[Mapping[str, object]]] = ({"no_such_setting": 1},)
    secrets: ClassVar[Collection[str]] = ()

    def action(self) -> Action:
        """Return the action, set up, as a process that has just started would."""
        raise NotImplementedError("say in your subclass which action is to be tested")

    def effects(self) -> object:
        """Return what the world has come to, such as a list of what the double did."""
        return None

    def troubled(self, trouble: Trouble) -> Action | None:
        """Return the action with a provider in trouble; None: it asks nobody."""
        return None

    def call(
        self,
        id: str = "call-1",
        arguments: Mapping[str, object] | None = None,
        *,
        test: bool = False,
    ) -> ActionCall:
        """Return a call, right unless told otherwise."""
        return ActionCall(
            call_id=id,
            customer="customer-1",
            arguments=self.arguments if arguments is None else arguments,
            at=datetime(2026, 3, 2, 9, tzinfo=UTC),
            journey="journey-1",
            step="call",
            test=test,
        )

    def test_it_says_what_it_is_called_and_what_it_takes(self) -> None:
        """Whoever hands it calls keeps to this."""
        action = self.action()

        assert action.name.strip()
        assert action.batch_size >= 1
        assert action.rate is None or action.rate > 0

    def test_a_call_that_is_right_completes(self) -> None:
        """The result is kept with the customer and branched on, so it is small JSON."""
        outcome = self._outcome(self.action(), self.call())

        assert isinstance(outcome, Completed), outcome
        text = json.dumps(outcome.result, allow_nan=False, ensure_ascii=False)
        assert json.loads(text) == outcome.result
        assert len(text.encode()) <= _RESULT_BYTES

    def test_each_call_of_a_batch_gets_one_outcome_of_its_own(self) -> None:
        """A call that is wrong says so itself, and the others go on."""
        action = self.action()
        wrong = self.bad_arguments[:1]
        calls = [
            self.call("right-1"),
            *[self.call("wrong", arguments) for arguments in wrong],
            self.call("right-2"),
        ][: action.batch_size]

        outcomes = action.run(calls)

        answered = [outcome.call_id for outcome in outcomes]
        assert sorted(answered) == sorted(call.call_id for call in calls)
        for outcome in outcomes:
            kind = CallFailed if outcome.call_id == "wrong" else Completed
            assert isinstance(outcome, kind), outcome

    def test_no_calls_get_no_outcomes(self) -> None:
        """What was filtered to nothing is nothing, and no reason to ask anybody."""
        assert list(self.action().run([])) == []

    def test_the_same_call_twice_is_done_once(self) -> None:
        """A process may die between doing and saying so; the next one is asked again."""
        first = self._outcome(self.action(), self.call())
        once = deepcopy(self.effects())

        second = self._outcome(self.action(), self.call())

        assert second == first
        assert self.effects() == once

    def test_bad_arguments_fail_for_good_with_a_reason(self) -> None:
        """They are the author's mistake, who reads the reason; the same again is no use."""
        before = deepcopy(self.effects())

        for arguments in self.bad_arguments:
            outcome = self._outcome(self.action(), self.call(arguments=arguments))

            assert isinstance(outcome, CallFailed), f"{arguments} gave {outcome}"
            assert outcome.reason.strip(), arguments
        assert self.effects() == before

    @pytest.mark.parametrize("value", [*_ODD_TEXTS, *_NO_TEXTS], ids=ascii)
    def test_whatever_the_arguments_hold_there_is_an_outcome(
        self, value: object
    ) -> None:
        """Some come from customers. What can't be done fails for good; nothing raises."""
        for name in self.arguments:
            odd = self.call(arguments={**self.arguments, name: value})

            outcome = self._outcome(self.action(), odd)

            assert isinstance(outcome, Completed | CallFailed), outcome

    def test_a_busy_provider_is_asked_again(self) -> None:
        """What passes must not cost the customer the action."""
        outcome = self._outcome(self._troubled("busy"), self.call())

        assert isinstance(outcome, CallAgain), outcome
        assert 0 <= outcome.seconds < math.inf

    def test_a_refusal_is_final(self) -> None:
        """Who was told no, and asks again and again, will be shut out."""
        outcome = self._outcome(self._troubled("refusing"), self.call())

        assert isinstance(outcome, CallFailed), outcome
        assert outcome.reason.strip()

    def test_a_lost_answer_does_not_do_it_twice(self) -> None:
        """The call's id goes to the provider, who then knows it when it comes again."""
        silent = self._troubled("silent")
        outcomes: Sequence[CallOutcome] = ()
        with suppress(Exception):  # raising is another way to say: try it again
            outcomes = silent.run([self.call()])
        assert all(isinstance(outcome, CallAgain) for outcome in outcomes), outcomes
        once = deepcopy(self.effects())

        again = self._outcome(self.action(), self.call())

        assert isinstance(again, Completed), again
        assert self.effects() == once

    def test_the_mock_completes_and_changes_nothing(self) -> None:
        """Test traffic and dry runs walk the same path, and nobody notices."""
        before = deepcopy(self.effects())
        mock = self.action().mock()

        assert mock is not None, "there is no mock: test calls would fail"
        for test in (False, True):
            outcome = self._outcome(mock, self.call(test=test))
            assert isinstance(outcome, Completed), outcome

        assert self.effects() == before

    def test_it_can_be_run_from_several_threads(self) -> None:
        """One action serves all workers of a process."""
        action = self.action()
        calls = [self.call(f"call-{n}") for n in range(32)]

        with ThreadPoolExecutor(8) as pool:
            outcomes = [*pool.map(lambda call: self._outcome(action, call), calls)]
        once = deepcopy(self.effects())

        assert outcomes == [self._outcome(action, call) for call in calls]
        assert self.effects() == once

    def test_settings_are_checked(self) -> None:
        """A misspelt setting is found at the start, and not by the first customer."""
        for settings in self.bad_settings:
            with pytest.raises(InputError) as caught:
                self.action().configured(settings)

            assert caught.value.place.startswith(f"{self.action().name}."), settings

    def test_secrets_stay_secret(self, caplog: pytest.LogCaptureFixture) -> None:
        """Outcomes are stored, logs are read by many, and errors end up in tickets."""
        seen = []
        troubles: Sequence[Trouble | None] = (None, *get_args(Trouble))
        with caplog.at_level(logging.DEBUG):
            for trouble in troubles:
                action = self.troubled(trouble) if trouble else self.action()
                if action is None:
                    continue
                seen += [repr(action), repr(action.settings)]
                try:
                    seen.append(repr(action.run([self.call()])))
                except Exception as error:  # noqa: BLE001 - whatever it says is looked at
                    seen += traceback.format_exception(error)
        for settings in self.bad_settings:
            with pytest.raises(InputError) as caught:
                self.action().configured(settings)
            seen.append(str(caught.value))
        told = "\n".join([*seen, caplog.text])

        assert [secret for secret in self.secrets if secret in told] == []

    def _outcome(self, action: Action, call: ActionCall) -> CallOutcome:
        [outcome] = action.run([call])
        assert outcome.call_id == call.call_id
        return outcome

    def _troubled(self, trouble: Trouble) -> Action:
        action = self.troubled(trouble)
        if action is None:
            pytest.skip("it asks nobody who could be in trouble")
        return action


class ChannelContract:
    """What every channel keeps.

        class TestShout(ChannelContract):
            def channel(self) -> Channel:
                return Shout().configured({...})

    A channel that asks a provider is given a double of it, which each test gets anew in
    `setup_method`, and then overrides `accepted`, `troubled` and `bad_message` as well;
    if the provider calls back, also `callback`, and `forgeries` where it signs in a way
    of its own. One with a medium is handed messages that were rendered: override `too_long`
    as well, and `content` if its medium is none of journeykit's.

    Attributes:
        bad_settings: What `configured` refuses.
        secrets: What must never be seen in receipts, logs or errors.
    """

    bad_settings: ClassVar[Sequence[Mapping[str, object]]] = ({"no_such_setting": 1},)
    secrets: ClassVar[Collection[str]] = ()

    def channel(self) -> Channel:
        """Return the channel, set up, as a process that has just started would."""
        raise NotImplementedError("say in your subclass which channel is to be tested")

    def accepted(self) -> Sequence[str] | None:
        """Return the delivery ids that the provider's double passed on to people.

        One of a message that arrived twice stands there twice. None: nobody counts.
        """
        return None

    def troubled(self, trouble: Trouble | Literal["unreachable"]) -> Channel | None:
        """Return the channel with a provider in trouble; None: it can't come to that."""
        return None

    def bad_message(self) -> Message | None:
        """Return a message that the provider refuses, as for its address; None: none."""
        return None

    def callback(self, delivery_id: str) -> Callback | None:
        """Return what the provider calls back with about a message; None: it doesn't."""
        return None

    def forgeries(self, callback: Callback) -> Iterator[Callback]:
        """Yield what somebody else could make of a callback.

        Override it if your provider's signature stands in the body, or covers less.
        """
        [report, *_] = self.channel().feedback(callback)
        named = report.delivery_id or report.provider_id or report.address
        other = named[::-1].swapcase() or "x"
        told = callback.body.replace(named.encode(), other.encode())
        yield replace(callback, body=told)
        yield replace(callback, body=callback.body + b" ")
        yield replace(callback, headers={})

    def message(self, n: int = 1, **changes: Any) -> Message:
        """Return the n-th message, right unless told otherwise."""
        message = Message(
            delivery_id=f"delivery-{n}",
            customer=f"customer-{n}",
            channel="email",
            address=f"person-{n}@example.com",
            template="welcome",
            variables={"name": "Zoë", "total": 120},
            at=datetime(2026, 3, 2, 9, tzinfo=UTC),
            journey="journey-1",
            step="send",
            purpose="marketing",
        )
        return replace(message, **changes)

    def content(self, medium: str, text: str = "Hello Zoë") -> Content | None:
        """Return what a template of the medium may come to; None: it has no templates.

        Override it if your medium is none of journeykit's, or your provider needs more.
        """
        if not medium:
            return None
        assert medium in _PARTS, (
            f"override `content`: {medium!r} is a medium of your own"
        )
        return Content(
            parts=_PARTS[medium](text),
            settings=_MATTER.get(medium, {}),
            links={
                "unsubscribe": "https://example.com/u/token",
                "preferences": "https://example.com/p/token",
            },
        )

    def too_long(self) -> Content | None:
        """Return what is longer than the medium takes; None: nothing is too long for it."""
        return None

    def rendered(self, channel: Channel, message: Message) -> Message:
        """Return a message as `send` gets it."""
        if message.content is None:
            message = replace(message, content=self.content(channel.medium))
        return channel.render(message)

    def test_it_says_what_it_carries(self) -> None:
        """Journeys name it, and whoever hands it messages keeps to what it can do."""
        channel = self.channel()

        assert channel.name.strip()
        assert channel.provider == channel.provider.strip()
        assert isinstance(channel.capabilities, Capabilities)
        assert channel.mock().medium == channel.medium

    def test_rendering_is_pure(self) -> None:
        """Whoever previews a message renders it as well, and sees what will be sent."""
        channel = self.channel()
        message = replace(self.message(), content=self.content(channel.medium))
        before = deepcopy(message)

        first, again = channel.render(message), self.channel().render(message)

        assert first == again
        assert message == before
        assert replace(first, body=None) == message, "only the body may change"
        assert (first.body is not None) == bool(channel.medium)

    def test_what_was_not_rendered_is_not_sent(self) -> None:
        """A template that is missing must not become an empty message."""
        if not (channel := self.channel()).medium:
            return

        with pytest.raises(ContentError):
            channel.render(self.message())

        [receipt] = channel.send([self.message()])
        assert isinstance(receipt, Rejected), receipt
        self._assert_accepted([])

    def test_what_is_too_long_for_the_medium_is_refused_before_it_is_sent(self) -> None:
        """The author learns it from a preview, and not from a provider's bill."""
        channel, content = self.channel(), self.too_long()
        if content is None:
            if channel.medium:
                pytest.skip("nothing is too long for it: see `too_long`")
            return

        with pytest.raises(ContentError) as refused:
            channel.render(replace(self.message(), content=content))

        assert str(refused.value).strip()

    @pytest.mark.parametrize("text", [t for t in _ODD_TEXTS if t.strip()], ids=ascii)
    def test_whatever_a_template_comes_to_is_sent_or_refused(self, text: str) -> None:
        """Names come from customers. What can't be sent has words that don't repeat it."""
        channel = self.channel()
        message = replace(self.message(), content=self.content(channel.medium, text))

        try:
            message = channel.render(message)
        except ContentError as refused:
            assert len(text) < 5 or text not in str(refused)  # noqa: PT017
            return
        [receipt] = self._handed(channel, [message])

        assert isinstance(receipt, Sent | Rejected), receipt

    def test_facts_are_small_json(self) -> None:
        """They are kept with the catalog, which every function reads."""
        facts = self.channel().facts({"welcome": {"subject": "Hello"}})

        assert json.loads(json.dumps(facts)) == facts
        assert len(json.dumps(facts)) < 10_000

    def test_each_message_of_a_full_batch_gets_one_receipt_of_its_own(self) -> None:
        """A message without a receipt would be neither sent again nor given up."""
        channel = self.channel()
        batch = [self.message(n) for n in range(channel.capabilities.batch_size)]

        receipts = self._handed(channel, batch)

        for receipt in receipts:
            assert isinstance(receipt, Sent), receipt
        self._assert_accepted(batch)

    def test_no_messages_get_no_receipts(self) -> None:
        """What was filtered to nothing is nothing, and no reason to call a provider."""
        assert list(self.channel().send([])) == []

    def test_a_message_that_is_refused_does_not_hold_up_the_others(self) -> None:
        """Each receipt is about one message, whatever becomes of its neighbors."""
        channel, bad = self.channel(), self.bad_message()
        if bad is None:
            pytest.skip("no message of it is refused: see `bad_message`")
        good = [self.message(1), self.message(2)]

        receipts = self._handed_in_batches(channel, [good[0], bad, good[1]])

        for receipt in receipts:
            kind = Rejected if receipt.delivery_id == bad.delivery_id else Sent
            assert isinstance(receipt, kind), receipt
        self._assert_accepted(good)

    def test_one_delivery_arrives_once(self) -> None:
        """A process may die after sending; the next one can't know, and sends again."""
        if not self.channel().capabilities.idempotent:
            pytest.skip("it doesn't say that it is idempotent")

        for _ in range(2):
            [receipt] = self._handed(self.channel(), [self.message()])
            assert isinstance(receipt, Sent), receipt

        self._assert_accepted([self.message()])

    def test_a_busy_provider_is_asked_again(self) -> None:
        """What passes must not cost the customer the message."""
        [receipt] = self._handed(self._troubled("busy"), [self.message()])

        assert isinstance(receipt, RetryAfter), receipt
        assert 0 <= receipt.seconds < math.inf
        self._assert_accepted([])

    def test_a_refusal_is_final(self) -> None:
        """Who was told no, and asks again and again, will be shut out."""
        [receipt] = self._handed(self._troubled("refusing"), [self.message()])

        assert isinstance(receipt, Rejected), receipt
        assert receipt.reason.strip()
        self._assert_accepted([])

    def test_a_provider_out_of_reach_is_asked_again(self) -> None:
        """Nothing has gone out: to give up would lose messages for a loose cable.

        Raising is allowed here, but then nobody knows that nothing went out.
        """
        channel = self._troubled("unreachable")

        message = self.rendered(channel, self.message())
        receipts: Sequence[Receipt] = ()
        with suppress(Exception):
            receipts = channel.send([message])

        for receipt in receipts:
            assert isinstance(receipt, RetryAfter), receipt
        self._assert_accepted([])

    def test_a_lost_answer_leaves_it_uncertain(self) -> None:
        """It may have arrived. Sent would be a guess, and so would be not sent."""
        channel = self._troubled("silent")
        message = self.rendered(channel, self.message())
        receipts: Sequence[Receipt] = ()
        with suppress(Exception):  # raising is another way to say: nobody knows
            receipts = channel.send([message])
        for receipt in receipts:
            assert isinstance(receipt, Uncertain), receipt

        if self.channel().capabilities.idempotent:  # so it is simply sent again
            [again] = self._handed(self.channel(), [self.message()])
            assert isinstance(again, Sent), again
            self._assert_accepted([self.message()])

    @pytest.mark.parametrize("text", _ODD_TEXTS, ids=ascii)
    def test_whatever_a_message_holds_it_gets_a_receipt(self, text: str) -> None:
        """Texts come from customers. One that can't be sent is rejected; none raises."""
        odd = self.message(address=text or "?", variables={"name": text, text: 1})

        [receipt] = self._handed(self.channel(), [odd])

        assert isinstance(receipt, Sent | Rejected), receipt

    def test_a_message_that_is_too_large_is_rejected_if_anything(self) -> None:
        """It would be too large the next time as well."""
        large = self.message(variables={"text": "x" * 1_000_000})

        [receipt] = self._handed(self.channel(), [large])

        assert isinstance(receipt, Sent | Rejected), receipt

    def test_the_mock_reaches_nobody(self) -> None:
        """Test traffic and dry runs walk the same path, and no person notices."""
        mock = self.channel().mock()
        messages = [self.message(n, test=n % 2 == 0) for n in range(4)]

        receipts = self._handed_in_batches(mock, messages)

        assert mock.name == self.channel().name
        for receipt in receipts:
            assert isinstance(receipt, Sent), receipt
        self._assert_accepted([])

    def test_it_can_send_from_several_threads(self) -> None:
        """One channel serves all workers of a process."""
        channel = self.channel()
        messages = [self.message(n) for n in range(32)]

        with ThreadPoolExecutor(8) as pool:
            receipts = [*pool.map(lambda m: self._handed(channel, [m])[0], messages)]

        for receipt in receipts:
            assert isinstance(receipt, Sent), receipt
        self._assert_accepted(messages)

    def test_a_callback_says_what_became_of_messages(self) -> None:
        """Waits for a fate, suppressed addresses and caps all live from it."""
        if (callback := self._callback()) is None:
            return

        reports = self.channel().feedback(callback)

        assert reports
        for report in reports:
            assert isinstance(report, Report), report
            if report.delivery_id:
                assert report.delivery_id == self.message().delivery_id
            else:
                assert report.provider_id or report.address, "it is about nobody"
            assert report.name.startswith("message."), report.name
            assert report.id.strip()
            assert json.loads(json.dumps(report.properties)) == report.properties

    def test_the_same_callback_again_is_the_same_reports(self) -> None:
        """A provider that got no answer repeats itself; nothing is to count twice."""
        if (callback := self._callback()) is None:
            return

        first = self.channel().feedback(callback)
        later = callback.received_at + timedelta(seconds=30)
        again = self.channel().feedback(replace(callback, received_at=later))

        assert [report.id for report in again] == [report.id for report in first]
        assert len({report.id for report in first}) == len(first)

    def test_a_forged_callback_is_refused(self) -> None:
        """Else anybody could suppress an address, or say that a message arrived."""
        if (callback := self._callback()) is None:
            return

        for forged in self.forgeries(callback):
            assert forged != callback
            with pytest.raises(InputError):
                self.channel().feedback(forged)

    def test_a_callback_that_cannot_be_read_is_refused(self) -> None:
        """The door takes what comes; here is the first who looks at it."""
        if (callback := self._callback()) is None:
            return

        for body in (b"", b"{}", b"[]", b"null", b"\xff\x00", b"[" * 9_999):
            with pytest.raises(InputError):
                self.channel().feedback(replace(callback, body=body))

    @pytest.mark.parametrize("value", [*_ODD_TEXTS, *_NO_TEXTS], ids=ascii)
    def test_an_address_is_found_or_not_but_never_fails(self, value: object) -> None:
        """It is asked while deciding, so it depends on nothing but its arguments.

        A profile is whatever JSON somebody sent.
        """
        channel = self.channel()
        nothing: Mapping[str, object] = {}
        for profile in (nothing, _Everywhere(value)):
            address = channel.address(profile, "customer-1")

            assert address == channel.address(profile, "customer-1")
            assert address is None or (isinstance(address, str) and address), address

    @pytest.mark.parametrize("text", _ODD_TEXTS, ids=ascii)
    def test_an_address_in_its_normal_form_stays_as_it_is(self, text: str) -> None:
        """Else one address on a suppression list would not equal itself."""
        channel = self.channel()

        normal = channel.normalize(text)

        assert normal == channel.normalize(text) == channel.normalize(normal)

    def test_settings_are_checked(self) -> None:
        """A misspelt setting is found at the start, and not by the first customer."""
        channel = self.channel()
        for settings in self.bad_settings:
            with pytest.raises(InputError) as caught:
                channel.configured(settings)

            place = f"{channel.provider or channel.name}."
            assert caught.value.place.startswith(place), settings

    def test_secrets_and_addresses_stay_secret(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Receipts are stored, logs are read by many, and errors end up in tickets."""
        told = []
        ways: Sequence[Callable[[], Channel | None]] = (
            self.channel,
            lambda: self.troubled("busy"),
            lambda: self.troubled("refusing"),
            lambda: self.troubled("silent"),
            lambda: self.troubled("unreachable"),
        )
        with caplog.at_level(logging.DEBUG):
            for way in ways:
                if (channel := way()) is None:
                    continue
                told += [repr(channel), repr(channel.settings)]
                try:
                    message = self.rendered(channel, self.message())
                    told += [repr(channel.send([message]))]
                except Exception as error:  # noqa: BLE001 - whatever it says is looked at
                    told += traceback.format_exception(error)
            if (callback := self.callback(self.message().delivery_id)) is not None:
                for forged in self.forgeries(callback):
                    with pytest.raises(InputError) as refused:
                        self.channel().feedback(forged)
                    told.append(str(refused.value))
        for settings in self.bad_settings:
            with pytest.raises(InputError) as caught:
                self.channel().configured(settings)
            told.append(str(caught.value))
        told.append(caplog.text)

        hidden = [*self.secrets, self.message().address]
        assert [text for text in hidden if text in "\n".join(told)] == []

    def _handed(
        self, channel: Channel, messages: Sequence[Message]
    ) -> Sequence[Receipt]:
        messages = [
            message if message.body is not None else self.rendered(channel, message)
            for message in messages
        ]
        receipts = list(channel.send(messages))
        answered = sorted(receipt.delivery_id for receipt in receipts)
        assert answered == sorted(message.delivery_id for message in messages)
        return receipts

    def _handed_in_batches(
        self, channel: Channel, messages: Sequence[Message]
    ) -> Sequence[Receipt]:
        size = channel.capabilities.batch_size
        return [
            receipt
            for start in range(0, len(messages), size)
            for receipt in self._handed(channel, messages[start : start + size])
        ]

    def _callback(self) -> Callback | None:
        """What is to be read; None: nothing ever is, so there is nothing to keep."""
        callback = self.callback(self.message().delivery_id)
        if callback is None:
            reads = type(self.channel()).feedback is not Channel.feedback
            assert not reads, "it reads callbacks: override `callback` with one"
        return callback

    def _assert_accepted(self, messages: Sequence[Message]) -> None:
        accepted = self.accepted()
        if accepted is not None:
            assert sorted(accepted) == sorted(m.delivery_id for m in messages)

    def _troubled(self, trouble: Trouble | Literal["unreachable"]) -> Channel:
        channel = self.troubled(trouble)
        if channel is None:
            pytest.skip("nobody is behind it who could be in trouble: see `troubled`")
        return channel


class _Everywhere(Mapping[str, object]):
    """A profile that has one value under whatever name a channel may look."""

    def __init__(self, value: object) -> None:
        self._value = value

    def __getitem__(self, name: str) -> object:
        return self._value

    def __iter__(self) -> Iterator[str]:
        return iter(("email", "phone"))

    def __len__(self) -> int:
        return 2
