"""What AWS says of messages, whichever way it comes: SNS over HTTP, a queue, EventBridge.

    told = Notifications(topics=["arn:aws:sns:eu-west-1:123456789012:mail"])
    if (notification := told.read(callback)) is not None:
        event = json.loads(notification.body)

Over HTTP anybody can post, so SNS signs each message, and anybody can have a topic of
their own, so the topic must be one of the operator's. What comes from a queue came past the
queue's policy; the function that reads it has marked it with headers that no door lets in.

https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from journeykit.channels import Callback
from journeykit.errors import ForgedCallback, InputError
from journeykit.network import Network
from journeykit.transport import Response, Transport

if TYPE_CHECKING:  # cryptography is an extra
    from cryptography.x509 import Certificate

LONGEST = timedelta(days=1)
"""How old a message may be, or a clock wrong. SNS gives up posting after an hour, and a
replay within the day changes nothing: reports count once by their id, for two days."""

CERTIFICATES = 8
"""So many are kept: SNS has one at a time for each region, and changes it in years."""

# The path, as AWS's own validators have it. Who may choose the host may sign, so that is the
# topic's region's and no other: `sns.s3-us-west-2.amazonaws.com` is somebody's bucket.
_CERTIFICATE = re.compile(r"/SimpleNotificationService-[A-Za-z0-9]{1,128}\.pem")
_QUERY = re.compile(r"/\?[\x21-\x7e]{1,2000}")

# What is signed, in this order, of each type:
# https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message-verify-message-signature.html
_NOTIFICATION = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_CONFIRMATION = (
    *("Message", "MessageId", "SubscribeURL"),
    *("Timestamp", "Token", "TopicArn", "Type"),
)
_SIGNED = {
    "Notification": _NOTIFICATION,
    "SubscriptionConfirmation": _CONFIRMATION,
    "UnsubscribeConfirmation": _CONFIRMATION,
}


@dataclass(frozen=True, slots=True)
class Notification:
    """What a service in AWS says, without what it came in.

    Attributes:
        id: Of the notification; the same again when it is repeated.
        body: What the service wrote: JSON, mostly.
        topic: The ARN of the topic that it came by; empty if it came by EventBridge.
        source: The service, such as `aws.ses`, if it came by EventBridge; else empty.
    """

    id: str
    body: bytes
    topic: str = ""
    source: str = ""


class Notifications:
    """Reads what services in AWS say; from any thread.

    Args:
        topics: ARNs of the topics that are believed. Over HTTP there must be one; what a
            queue's policy has let in is believed from any topic if there are none.
        sources: Services that are believed over EventBridge, such as `aws.ses`.
        confirm: Whether to confirm a subscription of such a topic when SNS asks, by
            calling the address that it gives.
        place: What an error's place begins with, such as the provider's name.
        transport: Fetches certificates; None: one that reaches SNS.
    """

    def __init__(
        self,
        topics: Collection[str] = (),
        *,
        sources: Collection[str] = (),
        confirm: bool = False,
        place: str = "sns",
        transport: Transport | None = None,
    ) -> None:
        """Fetch nothing yet."""
        self.topics = frozenset(topics)
        self.sources = frozenset(sources)
        self.confirm = confirm
        self._place = f"{place}: callback"
        self._transport = transport
        self._certificates: dict[str, Certificate] = {}
        self._lock = Lock()

    def read(self, callback: Callback) -> Notification | None:
        """Return what a callback says; None: it was about the subscription itself.

        Raises:
            ForgedCallback: It is not signed by SNS, too old, or of a topic that is not ours.
            InputError: It is nothing that AWS sends.
            ConnectionError: It can't be verified now; the same again may be.
        """
        # A door says which URL was called; a queue has none.
        if not callback.url and (id := callback.headers.get("x-amz-sns-message-id")):
            topic = callback.headers.get("x-amz-sns-topic-arn", "")
            if self.topics and topic not in self.topics:
                raise self._forged("it is of a topic that is not in `topics`")
            return Notification(id, callback.body, topic=topic)
        message = self._object(callback.body)
        if not callback.url and "x-amz-eventbridge-source" in callback.headers:
            return self._of_bridge(message, callback)
        return self._posted(message, callback.received_at)

    def _of_bridge(
        self, message: Mapping[str, Any], callback: Callback
    ) -> Notification:
        id, detail = message.get("id"), message.get("detail")
        if not isinstance(id, str) or not id or not isinstance(detail, dict):
            raise self._wrong("EventBridge has sent an event without id or detail")
        source = callback.headers["x-amz-eventbridge-source"]
        if source not in self.sources:
            raise self._forged("EventBridge has sent an event of another service")
        return Notification(id, json.dumps(detail).encode(), source=source)

    def _posted(
        self, message: Mapping[str, Any], received_at: datetime
    ) -> Notification | None:
        names = _SIGNED.get(str(message.get("Type")))
        if names is None:
            raise self._wrong("it is nothing that SNS sends")
        signed = {name: message[name] for name in names if name in message}
        if not all(isinstance(value, str) for value in signed.values()):
            raise self._wrong("it is nothing that SNS sends")
        topic, id = signed.get("TopicArn", ""), signed.get("MessageId", "")
        if not (topic and id):
            raise self._wrong("it is nothing that SNS sends")
        if topic not in self.topics:
            raise self._forged("it is of a topic that is not in `topics`")
        self._check_time(signed.get("Timestamp", ""), received_at)
        text = _string_of(signed, names)
        self._check_signature(message, text, topic, received_at)
        if signed["Type"] == "Notification":
            return Notification(id, signed.get("Message", "").encode(), topic=topic)
        if signed["Type"] == "SubscriptionConfirmation":
            self._confirm(signed.get("SubscribeURL", ""), topic)
        return None

    def _check_time(self, stamp: str, received_at: datetime) -> None:
        try:
            at = datetime.fromisoformat(stamp)
        except ValueError as err:
            raise self._forged("its Timestamp is none") from err
        if at.tzinfo is None or abs(received_at - at) > LONGEST:
            raise self._forged("its Timestamp is more than a day away from now")

    def _check_signature(
        self, message: Mapping[str, Any], text: bytes, topic: str, received_at: datetime
    ) -> None:
        from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

        algorithms: Mapping[object, Callable[[], hashes.HashAlgorithm]] = {
            "1": hashes.SHA1,
            "2": hashes.SHA256,
        }
        algorithm = algorithms.get(str(message.get("SignatureVersion")))
        if algorithm is None:
            raise self._forged("its SignatureVersion is neither 1 nor 2")
        try:
            signature = base64.b64decode(str(message.get("Signature")), validate=True)
        except (binascii.Error, ValueError) as err:
            raise self._forged("its Signature is none") from err
        certificate = self._certificate(str(message.get("SigningCertURL", "")), topic)
        key = certificate.public_key()
        began = certificate.not_valid_before_utc
        if not began <= received_at <= certificate.not_valid_after_utc:
            raise self._forged("it is signed with a certificate that has run out")
        if not isinstance(key, RSAPublicKey):
            raise self._forged("it is signed with a key of another kind than SNS has")
        try:
            key.verify(signature, text, PKCS1v15(), algorithm())
        except (InvalidSignature, UnsupportedAlgorithm) as err:
            raise self._forged("the signature is wrong") from err

    def _certificate(self, url: str, topic: str) -> Certificate:
        from cryptography.x509 import load_pem_x509_certificate

        if not _CERTIFICATE.fullmatch(_at_sns(url, topic)):
            raise self._forged("its certificate is not at an address of SNS")
        with self._lock:
            if (known := self._certificates.get(url)) is not None:
                return known
        outcome = self._carrier().get(url)
        if not isinstance(outcome, Response) or outcome.status != 200:
            raise ConnectionError("the certificate of SNS can't be fetched now")
        try:
            certificate = load_pem_x509_certificate(outcome.body)
        except ValueError as err:
            raise self._wrong(
                "what SNS has at its certificate's address is none"
            ) from err
        with self._lock:
            while len(self._certificates) >= CERTIFICATES:
                self._certificates.pop(next(iter(self._certificates)))
            self._certificates[url] = certificate
        return certificate

    def _confirm(self, url: str, topic: str) -> None:
        if not self.confirm:
            raise self._wrong(
                "SNS asks to confirm a subscription: set `confirm_subscription`, or "
                "confirm it yourself"
            )
        place = _at_sns(url, topic)
        if not _QUERY.fullmatch(place):
            raise self._wrong("its SubscribeURL is no address of SNS")
        asked = dict(parse_qsl(place[2:], max_num_fields=20))
        if (
            asked.get("Action") != "ConfirmSubscription"
            or asked.get("TopicArn") != topic
        ):
            raise self._wrong("its SubscribeURL asks for something else")
        outcome = self._carrier().get(url)
        if not isinstance(outcome, Response) or outcome.status != 200:
            raise ConnectionError("the subscription can't be confirmed now")

    def _carrier(self) -> Transport:
        with self._lock:
            if self._transport is None:
                self._transport = Transport(timeout=10, network=Network(ports=(443,)))
            return self._transport

    def _object(self, body: bytes) -> Mapping[str, Any]:
        try:
            message = json.loads(body)
        except (ValueError, RecursionError) as err:
            raise self._wrong("it is no JSON") from err
        if not isinstance(message, dict):
            raise self._wrong("it is nothing that AWS sends")
        return message

    def _wrong(self, message: str) -> InputError:
        return InputError(message, place=self._place)

    def _forged(self, message: str) -> ForgedCallback:
        return ForgedCallback(message, place=self._place)


def _at_sns(url: str, topic: str) -> str:
    """The path and query of an address at SNS in the topic's region; empty: it is none."""
    _, partition, _, region, *_ = topic.split(":")
    suffix = ".cn" if partition == "aws-cn" else ""
    place = f"https://sns.{region}.amazonaws.com{suffix}"
    return url.removeprefix(place) if url.startswith(f"{place}/") else ""


def _string_of(signed: Mapping[str, str], names: tuple[str, ...]) -> bytes:
    """Return what was signed: name and value of each field, a line each."""
    lines = [f"{name}\n{signed[name]}\n" for name in names if name in signed]
    # A lone surrogate can't come of what SNS signs.
    return "".join(lines).encode(errors="replace")


def instant_of(stamp: object) -> datetime | None:
    """Read an instant as services in AWS write it: ISO 8601, or milliseconds; else None."""
    try:
        if isinstance(stamp, str):
            at = datetime.fromisoformat(stamp)
            return at if at.tzinfo else at.replace(tzinfo=UTC)
        if isinstance(stamp, int) and not isinstance(stamp, bool):
            return datetime.fromtimestamp(stamp / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return None


def is_topic(text: str) -> bool:
    """Whether a text is the ARN of a topic."""
    return bool(
        re.fullmatch(
            r"arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[\w-]{1,256}(\.fifo)?", text
        )
    )
