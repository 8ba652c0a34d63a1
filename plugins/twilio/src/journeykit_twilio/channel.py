"""The channel: what Twilio is asked to send, with which settings, and what it answers."""

from __future__ import annotations

import json
import logging
from base64 import b64encode
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import replace
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal, Self
from urllib.parse import parse_qs, parse_qsl, quote, urlencode, urlsplit

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
from journeykit.credentials import Secret
from journeykit.errors import ContentError, ForgedCallback, InputError
from journeykit.media.addresses import number_of
from journeykit.media.sms import MOST_SEGMENTS, Sms, sms_of
from journeykit.network import Network
from journeykit.transport import (
    MockTransport,
    Request,
    Response,
    Transport,
    receipt_of,
    retry_after,
)
from journeykit_twilio.callbacks import is_gone, is_opted_out, reports_of
from journeykit_twilio.senders import is_sender
from journeykit_twilio.signature import is_signed

if TYPE_CHECKING:  # deciding needs no settings, and no pydantic
    from journeykit_twilio.settings import TwilioSettings

LOG = logging.getLogger("journeykit.twilio")

LONGEST = 1600
"""Characters of a text: the Messages resource, Body."""

DELIVERY = "delivery"
"""What the callback's URL calls the delivery's id."""

_FIELDS = 200

# https://www.twilio.com/docs/api/errors: too many at once (20429, 14107), the sender's or
# the account's queue is full (21611, 30001), or has sent its fill for today (63038).
_BUSY = frozenset(("20429", "14107", "21611", "30001"))
_SPENT = frozenset(("63038",))
_SPENT_SECONDS = 3600.0
# Keys and permissions, an account that is closed or unpaid; a sender that isn't there, isn't
# the account's, can't send SMS (21212, 21603, 21606, 21659) or isn't registered (30034): the
# operator's. Not so a country that is switched off (21408): it depends on the number, and is
# meant so more often than not.
_OPERATOR = frozenset(
    (
        *("20003", "20005", "20006", "20404", "30002"),
        *("21212", "21603", "21606", "21659", "30034"),
    )
)


class TwilioChannel(Channel):
    """Carries SMS over Twilio: one POST each."""

    name = "sms"
    provider = "twilio"
    address_attribute = "phone"
    medium = "sms"
    Settings = "journeykit_twilio.settings:TwilioSettings"
    settings: TwilioSettings

    def __init__(self, transport: Transport | None = None) -> None:
        """Post by a transport; None: by one that is made of the settings."""
        self._transport = transport
        self._lock = Lock()

    def configured(self, settings: Mapping[str, object]) -> Self:
        """Return a copy of this channel that has these settings."""
        channel = super().configured(settings)
        found = channel.settings
        channel.capabilities = Capabilities(
            rate=found.rate,
            daily_quota=found.daily_quota,
            on_uncertain=found.on_uncertain,
            reports_by=frozenset({"address"}) if found.callback_url else frozenset(),
        )
        return channel

    def normalize(self, address: str) -> str:
        """Return a number as E.164 has it; what is none, or lacks its country, as it is."""
        try:
            return number_of(address)
        except ContentError:
            return super().normalize(address)

    def render(self, message: Message) -> Message:
        """Return the message as a text.

        Raises:
            ContentError: It can't be one, or has more segments than may be paid for.
        """
        settings = self.settings
        body = sms_of(
            message,
            most_segments=settings.most_segments if settings else MOST_SEGMENTS,
            transliterate=settings.transliterate if settings else False,
        )
        if len(body.text) > LONGEST:
            raise ContentError(
                f"the SMS has {len(body.text)} characters; Twilio takes {LONGEST}"
            )
        if body.sender and not is_sender(body.sender):
            raise ContentError("the sender of the SMS can't be one")
        return replace(message, body=body)

    def mock(self) -> Channel:
        """Return one that makes every request, needs no token and posts nothing."""
        mock = copy(self)
        mock.provider = f"{self.provider} (mock)"
        nobody = _nobody()
        mock.settings = (self.settings or nobody).model_copy(
            update={
                "account_sid": nobody.account_sid,
                "auth_token": nobody.auth_token,
                "api_key": None,
                "api_secret": None,
            }
        )
        mock._transport = MockTransport(_accepted)
        return mock

    def send(self, messages: Sequence[Message]) -> Sequence[Receipt]:
        """Post the messages, one after the other.

        Raises:
            InputError: The environment lacks what the settings name.
        """
        return [self._sent(message) for message in messages]

    def feedback(self, callback: Callback) -> Sequence[Report]:
        """Return what Twilio says of an SMS, or what somebody answered.

        Raises:
            ForgedCallback: It isn't signed by Twilio.
            InputError: It is about no message; or the environment lacks what the settings
                name.
        """
        place = f"{self.provider}: callback"
        settings = self.settings
        if settings.callback_url is None:
            raise InputError(
                "it is not set, so what Twilio posts can't be told from what others do",
                place="settings.twilio.callback_url",
            )
        given = callback.headers.get("x-twilio-signature", "")
        if not given:
            raise ForgedCallback("there is no x-twilio-signature", place=place)
        try:
            parameters = parse_qsl(
                callback.body.decode(), keep_blank_values=True, max_num_fields=_FIELDS
            )
            query = urlsplit(callback.url).query
        except ValueError as err:
            raise InputError("it is no form", place=place) from err
        # As Twilio called it, and not as a proxy passed it on.
        url = f"{settings.callback_url}?{query}" if query else settings.callback_url
        if not is_signed(settings.auth_token.reveal(), url, parameters, given):
            raise ForgedCallback("the signature is wrong", place=place)
        found = parse_qs(query, max_num_fields=_FIELDS).get(DELIVERY, [""])
        return reports_of(
            dict(parameters), delivery_id=found[0], received_at=callback.received_at
        )

    def _sent(self, message: Message) -> Receipt:
        id = message.delivery_id
        if not isinstance(message.body, Sms):
            return Rejected(id, "it was not rendered as an SMS")
        try:
            to = number_of(message.address)
        except ContentError as err:
            return Rejected(id, str(err), says="hard_bounce")
        settings = self.settings
        sid = settings.account_sid.reveal()
        url = f"{settings.endpoint}/2010-04-01/Accounts/{quote(sid)}/Messages.json"
        body = urlencode(self._form(message, message.body, to)).encode()
        outcome = self._carrier().post(url, body, self._headers(sid))
        if isinstance(outcome, Response):
            return _receipt(id, outcome)
        return receipt_of(id, outcome)

    def _form(self, message: Message, sms: Sms, to: str) -> dict[str, str]:
        """Return what is posted: https://www.twilio.com/docs/messaging/api/message-resource.

        There is no key under which the same message would be taken once.
        """
        settings = self.settings
        form = {"To": to, "Body": sms.text}
        if sender := sms.sender or settings.sender:
            form["From"] = sender
        if settings.messaging_service:
            form["MessagingServiceSid"] = settings.messaging_service
        if settings.callback_url:
            named = urlencode({DELIVERY: message.delivery_id}, errors="replace")
            form["StatusCallback"] = f"{settings.callback_url}?{named}"
        if settings.validity:
            form["ValidityPeriod"] = str(settings.validity)
        return form

    def _headers(self, sid: str) -> dict[str, str]:
        settings = self.settings
        if settings.api_key and settings.api_secret:
            user, password = settings.api_key.reveal(), settings.api_secret.reveal()
        else:
            user, password = sid, settings.auth_token.reveal()
        login = b64encode(f"{user}:{password}".encode()).decode()
        return {
            "authorization": f"Basic {login}",
            "content-type": "application/x-www-form-urlencoded",
            "accept": "application/json",
        }

    def _carrier(self) -> Transport:
        with self._lock:
            if self._transport is None:
                proxy = self.settings.proxy
                host = urlsplit(self.settings.endpoint).hostname or ""
                self._transport = Transport(
                    timeout=self.settings.timeout,
                    network=Network((host,)),
                    proxy=proxy.reveal() if proxy else None,
                    ca_file=self.settings.ca_file,
                )
            return self._transport


def _nobody() -> TwilioSettings:
    """Settings of an account that nobody has."""
    from journeykit_twilio.settings import TwilioSettings

    return TwilioSettings(
        account_sid=Secret("AC" + "0" * 32),
        auth_token=Secret("mock"),
        sender="+15005550006",
    )


def _accepted(_: Request) -> Response:
    return Response(201, body=b'{"sid": "SMmock"}')


def _receipt(id: str, response: Response) -> Receipt:
    """Return the receipt for an answer: https://www.twilio.com/docs/usage/twilios-response."""
    answer = _object(response.body)
    if 200 <= response.status < 300:
        return Sent(id, str(answer.get("sid") or "")[:100])
    code = str(answer.get("code") or "")[:10]
    if code in _OPERATOR or response.status in (401, 402, 403):
        LOG.error(
            "Twilio refuses all SMS: HTTP %d, error %s", response.status, code or "-"
        )
        return RetryAfter(id, 0)
    if code in _SPENT:
        return RetryAfter(id, _SPENT_SECONDS)
    if code in _BUSY or response.status in (429, 503):
        return RetryAfter(id, retry_after(response))
    if response.status >= 500:
        # It may have been taken before it broke, and nobody can be asked.
        return Uncertain(id, f"HTTP {response.status}")
    receipt = receipt_of(id, response)
    if isinstance(receipt, Rejected) and code:
        return Rejected(id, f"Twilio {code}", says=_says(code))
    return receipt


def _says(code: str) -> Literal["", "hard_bounce", "unsubscribed"]:
    """Return what an error says of the number: mostly nothing."""
    if is_gone(code):
        return "hard_bounce"
    return "unsubscribed" if is_opted_out(code) else ""


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
