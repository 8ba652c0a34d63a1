"""Meta's Graph API, as WhatsApp, Messenger and Instagram have it in common.

How a callback is signed and an address for callbacks is asked for, what errors mean, and
the 24 hours after somebody's last word in which a business may write freely.

[callbacks]: https://developers.facebook.com/docs/graph-api/webhooks/getting-started
[errors]: https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes
[more errors]: https://developers.facebook.com/docs/messenger-platform/send-api-reference/errors
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from journeykit import transport
from journeykit.channels import Callback, Receipt, Rejected, RetryAfter, Sent, Uncertain
from journeykit.engine.asked import Asked, Refused
from journeykit.errors import ForgedCallback, InputError
from journeykit.transport import Outcome, Response

GRAPH = "https://graph.facebook.com"
VERSION = "v25.0"
"""The version of the API that is asked where nobody says otherwise."""

WINDOW = timedelta(hours=24)
"""How long after somebody's last word a business may write what it likes."""

TOKEN = 190
"""The access token is no good any more."""

_log = logging.getLogger(__name__)

# In seconds, by [errors] and [more errors]; 0: the caller knows better how long.
_WAIT: Mapping[int, float] = {
    2: 0,  # down, or overloaded
    4: 60,  # the app's calls
    17: 60,  # the user's calls
    32: 60,  # the page's calls
    613: 60,  # calls of this kind
    1200: 0,  # "temporary send message failure"
    80006: 60,  # Messenger's calls
    80007: 60,  # WhatsApp's calls
    130429: 1,  # messages in a second
    131016: 0,  # overloaded
    131048: 3600,  # too much of it was taken for spam
    131056: 6,  # to one person: one in six seconds
    131057: 60,  # the number is being moved or upgraded; "up to a minute"
    133004: 0,  # down
}
# "Unknown error", "something went wrong": the message may be on its way. With subcode 1357046
# the messages "are all sent successfully".
_UNKNOWN = frozenset((1, 131000))
# The account's trouble and no message's; the messages wait until it is put right.
_OPERATOR = frozenset((3, 33, 131005, 131031, 131037, 131042, 131045, 133010, TOKEN))
_OPERATOR_SECONDS = 60.0
_WORDS: Mapping[int, str] = {
    1: "something unknown went wrong",
    3: "the app lacks a permission",
    10: "outside of the window, or a permission is missing",
    33: "the sender does not exist any more",
    100: "a parameter is wrong, or nobody is at this address",
    368: "the account was blocked for a violation of policies",
    551: "this person can't be written to",
    TOKEN: "the access token was revoked, or has run out",
    130472: "left out for an experiment of Meta's",
    130497: "the account may not write to this country",
    131000: "something unknown went wrong",
    131005: "access denied",
    131008: "a parameter is missing",
    131009: "a parameter is wrong",
    131021: "sender and receiver are the same",
    131026: "not at WhatsApp, or with too old an app",
    131030: "not on the list of numbers for tests",
    131031: "the account is locked",
    131037: "the display name is not approved",
    131042: "the account can't pay",
    131045: "the sender is not registered",
    131047: "more than 24 hours since the customer's last word",
    131049: "Meta did not deliver it, so that nobody gets too much",
    131050: "stopped marketing messages",
    131051: "this kind of message is not supported",
    131052: "the customer's file could not be fetched",
    131053: "the file could not be fetched",
    132000: "the number of the template's parameters is wrong",
    132001: "there is no such template in this language",
    132005: "the template is too long in this language",
    132007: "the template violates a policy",
    132012: "a parameter of the template is of the wrong kind",
    132015: "the template is paused",
    132016: "the template is disabled",
    132068: "the flow is blocked",
    132069: "the flow is throttled",
    133010: "the sender is not registered",
}


@dataclass(frozen=True, slots=True)
class GraphError:
    """What the API says went wrong.

    Attributes:
        code: What handling is to rely on, as Meta says.
        subcode: More about it; 0: nothing.
    """

    code: int
    subcode: int = 0

    @property
    def words(self) -> str:
        """The code and what it means, in our words: theirs may quote the message."""
        code = f"{self.code}/{self.subcode}" if self.subcode else str(self.code)
        said = _WORDS.get(self.code)
        if said is None and 200 <= self.code < 300:
            said = "a permission is missing, or this person can't be written to"
        return f"Meta {code}: {said}" if said else f"Meta {code}"


def outside_window(asked: Asked) -> Refused | None:
    """Return why free words may not go; None: the customer's last word is new enough.

    A rule of the platforms, for marketing and all the rest.
    """
    last = asked.contact.replied_at
    if last is not None and asked.now - last < WINDOW:
        return None
    said = None if last is None else last.astimezone(UTC).isoformat()
    return Refused("24-hour window", {"replied_at": said})


def receipt_of(
    delivery_id: str, outcome: Outcome, provider_id: Callable[[Any], object]
) -> Receipt:
    """Return the receipt that an outcome means for the message that was posted.

    Args:
        delivery_id: The message's.
        outcome: What came of posting it.
        provider_id: Finds the id in an answer of JSON; it may raise what misses lookups
            and wrong types raise, in which case it is not known.
    """
    if not isinstance(outcome, Response):
        return transport.receipt_of(delivery_id, outcome)
    answer = _json(outcome.body)
    if 200 <= outcome.status < 300:
        try:
            id = provider_id(answer)
        except (KeyError, IndexError, TypeError, AttributeError):
            id = ""
        return Sent(delivery_id, id if isinstance(id, str) else "")
    error = error_in(answer)
    if error is None:
        return transport.receipt_of(delivery_id, outcome)
    if error.code in _UNKNOWN:
        return Uncertain(delivery_id, error.words)
    if error.code in _OPERATOR:
        _log.error("Meta refuses all messages: %s", error.words)
        return RetryAfter(delivery_id, _OPERATOR_SECONDS)
    if error.code in _WAIT:
        asked = transport.retry_after(outcome)
        return RetryAfter(delivery_id, asked or _WAIT[error.code])
    if outcome.status >= 500:
        return Uncertain(delivery_id, error.words)
    return Rejected(delivery_id, error.words)


def error_in(answer: Any) -> GraphError | None:
    """Return the error of an answer, `{"error": {"code": …}}`; None: it has none."""
    try:
        error = answer["error"]
        code, subcode = error["code"], error.get("error_subcode") or 0
    except (KeyError, TypeError, AttributeError):
        return None
    if not isinstance(code, int):
        return None
    return GraphError(code, subcode if isinstance(subcode, int) else 0)


def verified(callback: Callback, *secrets: str, place: str) -> dict[str, Any]:
    """Return the document of a callback that the app signed.

    The signature is HMAC-SHA256 over the body with the app's secret, and has no time in
    it: who has a callback can repeat it. A report of the same id counts once.

    Args:
        callback: As it came.
        secrets: The app's; two while one gives way to the other.
        place: What to call it in an error.

    Raises:
        ForgedCallback: Somebody else made it.
        InputError: It is no JSON with entries.
    """
    found = callback.headers.get("x-hub-signature-256", "")
    if not found:
        raise ForgedCallback("there is no header x-hub-signature-256", place=place)
    given = found.encode(errors="replace")
    if not any(
        hmac.compare_digest(signature(secret, callback.body).encode(), given)
        for secret in secrets
    ):
        raise ForgedCallback(
            "x-hub-signature-256 is not of this app and body", place=place
        )
    document = _json(callback.body)
    if not isinstance(document, dict) or not isinstance(document.get("entry"), list):
        raise InputError("body: must be JSON with `entry`", place=place)
    return document


def signature(secret: str, body: bytes) -> str:
    """Return what stands in `x-hub-signature-256`."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def proof(secret: str, token: str) -> str:
    """Return the `appsecret_proof` of an access token, for apps that require one."""
    return hmac.new(secret.encode(), token.encode(), hashlib.sha256).hexdigest()


def challenge(callback: Callback, token: str) -> str | None:
    """Return what to answer Meta when it asks whether an address is ours.

    It calls `GET …?hub.mode=subscribe&hub.verify_token=…&hub.challenge=…` with the token
    that was entered beside the address. None: this is no such call, or another token.
    """
    if callback.method != "GET":
        return None
    asked = parse_qs(urlsplit(callback.url).query, max_num_fields=20)
    [mode, given, answer] = [
        asked.get(f"hub.{name}", [""])[0]
        for name in ("mode", "verify_token", "challenge")
    ]
    known = hmac.compare_digest(given.encode(errors="replace"), token.encode())
    # What we repeat is theirs; they write digits, and no page of ours shall show more.
    if mode != "subscribe" or not known or not re.fullmatch(r"[\w-]{1,200}", answer):
        return None
    return answer


def instant(value: object) -> datetime | None:
    """Return the instant of a callback's timestamp; None: it is none.

    Seconds or, where it is too much for that, milliseconds since 1970; as a number or as
    digits.
    """
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value[:20])
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 1e14:
        return None
    return datetime.fromtimestamp(value / 1000 if value >= 1e11 else value, UTC)


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
