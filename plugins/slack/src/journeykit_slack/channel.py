"""The channel: what Slack is asked, and what its answer means."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import replace
from threading import Lock
from typing import TYPE_CHECKING, Any, Self

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
from journeykit.errors import ContentError, ForgedCallback
from journeykit.media.chat import Chat, chat_of
from journeykit.transport import (
    MockTransport,
    Outcome,
    Response,
    Transport,
    receipt_of,
    retry_after,
)
from journeykit_slack.blocks import parts_of
from journeykit_slack.reports import document_of, reports_in

if TYPE_CHECKING:  # deciding needs no settings, and no pydantic
    from journeykit_slack.settings import SlackSettings

URL = "https://slack.com/api/chat.postMessage"

# https://docs.slack.dev/reference/methods/chat.postMessage#errors
_BUSY: Mapping[str, float] = {
    "message_limit_exceeded": 60,
    "rate_limited": 1,
    "ratelimited": 1,
    "request_timeout": 0,  # what we posted was cut off
    "service_unavailable": 60,
    "team_added_to_org": 60,
}
# "It's possible some aspect of the operation succeeded before the error was raised."
_UNKNOWN = frozenset(("fatal_error", "internal_error"))
# About the app and its token, and no message: right again once they are.
_OPERATOR = frozenset(
    (
        *("access_denied", "accesslimited", "account_inactive", "ekm_access_denied"),
        *("enterprise_is_restricted", "invalid_auth", "missing_scope", "not_authed"),
        *("no_permission", "not_allowed_token_type", "org_login_required"),
        *("token_expired", "token_revoked", "two_factor_setup_required"),
    )
)
_OPERATOR_SECONDS = 60.0

_ADDRESS = re.compile(r"[CDGUW][A-Z0-9]{5,30}")
_ERROR = re.compile(r"[a-z_]{1,60}")
_CHALLENGE = re.compile(r"[\w-]{1,200}")

_log = logging.getLogger(__name__)


class SlackChannel(Channel):
    """Carries `slack`: to a person, or to a channel that the bot is in."""

    name = "slack"
    medium = "chat"
    address_attribute = "slack_id"
    Settings = "journeykit_slack.settings:SlackSettings"
    settings: SlackSettings

    def __init__(self, transport: Transport | None = None) -> None:
        """Ask by a transport; None: by one that is made of the settings."""
        self._transport = transport
        self._lock = Lock()

    def configured(self, settings: Mapping[str, object]) -> Self:
        """Return a copy of this channel that has these settings."""
        channel = super().configured(settings)
        channel._lock = Lock()
        channel.capabilities = Capabilities(
            rate=channel.settings.rate,
            on_uncertain=channel.settings.on_uncertain,
            reports_by=frozenset(("provider_id", "address")),
        )
        return channel

    def address(self, profile: Mapping[str, object], customer_id: str) -> str | None:
        """Return the id of a person or a channel: `U012AB3CD`."""
        found = profile.get("slack_id")
        known = isinstance(found, str) and _ADDRESS.fullmatch(found)
        return str(found) if known else None

    def normalize(self, address: str) -> str:
        """Return the id as it is."""
        return address

    def render(self, message: Message) -> Message:
        """Return the message with a chat message as its body."""
        return replace(message, body=chat_of(message))

    def mock(self) -> Channel:
        """Return one that makes every request, needs no token and asks nobody."""
        from journeykit_slack.settings import SlackSettings

        mock = copy(self)
        mock.provider = f"{self.provider or self.name} (mock)"
        mock.settings = SlackSettings(token=Secret("mock"))
        mock._transport = MockTransport(lambda _: Response(200, body=b'{"ok":true}'))
        return mock

    def send(self, messages: Sequence[Message]) -> Sequence[Receipt]:
        """Post the messages, one after the other.

        Raises:
            InputError: The environment lacks what the settings name.
        """
        return [self._sent(message) for message in messages]

    def feedback(self, callback: Callback) -> Sequence[Report]:
        """Return what people wrote, and which buttons they tapped.

        Raises:
            ForgedCallback: Somebody else made it, or it is too old.
            InputError: It is unreadable; or the environment lacks what the settings name.
        """
        document = document_of(callback, self.settings.signing_secret.reveal())
        return [*reports_in(document)]

    def handshake(self, callback: Callback) -> str | None:
        """Return the challenge with which Slack tries an address, if Slack signed it.

        https://docs.slack.dev/reference/events/url_verification
        """
        if callback.method != "POST" or b"url_verification" not in callback.body:
            return None
        try:
            document = document_of(callback, self.settings.signing_secret.reveal())
        except ForgedCallback:
            return None
        challenge = document.get("challenge")
        is_one = isinstance(challenge, str) and _CHALLENGE.fullmatch(challenge)
        asks = document["type"] == "url_verification"
        return str(challenge) if asks and is_one else None

    def _sent(self, message: Message) -> Receipt:
        id = message.delivery_id
        if not _ADDRESS.fullmatch(message.address):
            return Rejected(id, "the address is no id of a person or a channel")
        try:
            chat = message.body if isinstance(message.body, Chat) else chat_of(message)
        except ContentError as err:
            return Rejected(id, str(err))
        request: dict[str, Any] = {
            "channel": message.address,
            **parts_of(chat),
            "unfurl_links": self.settings.unfurl,
            "unfurl_media": self.settings.unfurl,
            # For people who look a message up by Slack's own means.
            "metadata": {
                "event_type": "journeykit_message",
                "event_payload": {"delivery_id": id},
            },
        }
        outcome = self._carrier().post(
            URL,
            json.dumps(request, separators=(",", ":")).encode(),
            {
                "authorization": f"Bearer {self.settings.token.reveal()}",
                "content-type": "application/json; charset=utf-8",
            },
        )
        return _receipt(id, outcome)

    def _carrier(self) -> Transport:
        with self._lock:
            if self._transport is None:
                proxy = self.settings.proxy
                self._transport = Transport(
                    timeout=self.settings.timeout,
                    proxy=proxy.reveal() if proxy else None,
                    ca_file=self.settings.ca_file,
                )
            return self._transport


def _receipt(id: str, outcome: Outcome) -> Receipt:
    """Return the receipt for an answer: Slack says 200 to refusals as well."""
    if not isinstance(outcome, Response) or not 200 <= outcome.status < 300:
        return receipt_of(id, outcome)
    try:
        answer = json.loads(outcome.body)
    except (ValueError, RecursionError):
        # Cut off, most likely: an answer repeats the message. What it began with is lost.
        return Uncertain(id, "Slack's answer can't be read")
    if not isinstance(answer, dict) or not isinstance(answer.get("ok"), bool):
        return Uncertain(id, "Slack's answer can't be read")
    if answer["ok"]:
        channel, stamp = answer.get("channel"), answer.get("ts")
        known = isinstance(channel, str) and isinstance(stamp, str)
        return Sent(id, f"{channel}:{stamp}" if known else "")
    said = answer.get("error")
    error = said if isinstance(said, str) and _ERROR.fullmatch(said) else "unknown"
    if error in _BUSY:
        return RetryAfter(id, retry_after(outcome) or _BUSY[error])
    if error in _OPERATOR:
        _log.error("Slack refuses the app: %s", error)
        return RetryAfter(id, _OPERATOR_SECONDS)
    if error in _UNKNOWN:
        return Uncertain(id, f"Slack: {error}")
    return Rejected(id, f"Slack: {error}")
