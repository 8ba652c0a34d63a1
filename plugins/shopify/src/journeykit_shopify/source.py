"""Webhooks of Shopify as events: orders, checkouts and customers.

    https://shopify.dev/docs/apps/build/webhooks/subscribe/https
    https://shopify.dev/docs/api/webhooks/latest
    https://shopify.dev/docs/apps/build/privacy-law-compliance

Shopify signs a request's body: `X-Shopify-Hmac-Sha256` is its HMAC-SHA256 by the app's client
secret, in base64. Headers aren't signed, so no id is made of them: whoever had one signed
body could have it counted many times. An event's id is made of the topic, and of what the
body says it is about and when that changed; Shopify posts again what it got no answer for,
and that is the same event then.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Literal, NamedTuple, TypeAlias

import msgspec

from journeykit import Event, ForgedCallback, InputError, Secret
from journeykit.channels import Callback
from journeykit.hookspecs import hookimpl
from journeykit.sources import Source

_NAME = "shopify"
_SHOP = "x-shopify-shop-domain"
_TOPIC = "x-shopify-topic"
_SIGNATURE = "x-shopify-hmac-sha256"

_Body: TypeAlias = Mapping[str, Any]
_body = msgspec.json.Decoder(dict[str, Any])


class ShopifySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an operator may set.

    Attributes:
        secret: The app's client secret, by which Shopify signs.
        former_secret: The one before it, for the hour that a change takes.
        shop: The shop's domain, `example.myshopify.com`; others are refused. Empty: any
            that signs with this secret.
        customer: Who a customer is: `id`, Shopify's own number; or `email`, in lower case.
    """

    secret: Secret = Secret("$SHOPIFY_CLIENT_SECRET")
    former_secret: Secret | None = None
    shop: str = ""
    customer: Literal["id", "email"] = "id"


class Shopify(Source):
    """What happens in a shop."""

    name = _NAME
    Settings = ShopifySettings
    settings: ShopifySettings = ShopifySettings()

    def events(self, callback: Callback) -> Iterable[Event]:
        """Read a webhook; topics that mean nothing here are thanked for and dropped.

        Raises:
            ForgedCallback: It isn't signed with the secret, or is of another shop.
            InputError: It is no webhook of Shopify's.
        """
        self._verify(callback)
        read = _TOPICS.get(callback.headers.get(_TOPIC, ""))
        if read is None:
            return
        try:
            said = _body.decode(callback.body)
        except (ValueError, RecursionError) as error:  # also what isn't UTF-8
            raise InputError("is no JSON object", place="body") from error
        found = read(said)
        who, identifiers = self._who(found.person, said)
        if not who and not identifiers:
            return  # a checkout of which nobody knows whose it is
        about = found.about
        changed = _instant(about, "updated_at", "created_at")
        which = (
            changed.isoformat()
            if changed
            else hashlib.sha256(callback.body).hexdigest()[:16]
        )
        at = _instant(about, *_OCCURRED.get(found.name, ())) or changed
        at = at or callback.received_at
        yield Event(
            id=f"{found.name}:{_text(about.get('id'))[:64]}:{which}",
            name=found.name,
            customer=who,
            occurred_at=at,
            received_at=callback.received_at,
            properties=found.properties,
            identifiers=identifiers,
            test=said.get("test") is True,
        )

    def _verify(self, callback: Callback) -> None:
        try:
            given = base64.b64decode(
                callback.headers.get(_SIGNATURE, ""), validate=True
            )
        except (binascii.Error, ValueError) as error:
            raise ForgedCallback("is no signature", place=_SIGNATURE) from error
        former = self.settings.former_secret
        secrets = [self.settings.secret, *([former] if former else [])]
        signed = [
            hmac.digest(secret.reveal().encode(), callback.body, "sha256")
            for secret in secrets
        ]
        if not any(hmac.compare_digest(given, each) for each in signed):
            raise ForgedCallback("does not fit the body", place=_SIGNATURE)
        shop = self.settings.shop
        if shop and callback.headers.get(_SHOP, "").lower() != shop.lower():
            raise ForgedCallback("is another shop", place=_SHOP)

    def _who(self, person: _Body, said: _Body) -> tuple[str, dict[str, str]]:
        """Whom it is about, and by which other names they are known."""
        id = _text(person.get("id"))
        email = _text(person.get("email") or said.get("email")).strip().lower()
        identifiers = {
            _NAME: id,
            "email": email,
            "phone": _text(person.get("phone") or said.get("phone")),
            "checkout": _text(said.get("checkout_token")),
        }
        who = id if self.settings.customer == "id" else email
        return who, {kind: it[:256] for kind, it in identifiers.items() if it}


class _Read(NamedTuple):
    """What a body says.

    Attributes:
        name: The event's.
        about: What it is about: its `id`, and when it changed.
        person: Whom it is about.
        properties: What else is known.
    """

    name: str
    about: _Body
    person: _Body
    properties: dict[str, Any]


_Reader: TypeAlias = Callable[[_Body], _Read]


def _order(name: str) -> _Reader:
    """What reads a topic whose body is an order, or a checkout on its way to be one."""
    return lambda said: _Read(name, said, _part(said), _bought(said))


def _bought(said: _Body) -> dict[str, Any]:
    """What an order or a checkout says of what was bought."""
    found = {
        "order_id": _text(said.get("id")),
        "number": said.get("name"),
        "amount": _money(said.get("total_price")),
        "subtotal": _money(said.get("subtotal_price")),
        "discount": _money(said.get("total_discounts")),
        "currency": said.get("currency"),
        "items": _items(said.get("line_items")),
        "coupons": [code.get("code") for code in _list(said.get("discount_codes"))],
        "paid": said.get("financial_status"),
        "fulfilled": said.get("fulfillment_status"),
        "reason": said.get("cancel_reason"),
        "recovery_url": said.get("abandoned_checkout_url"),
    }
    return {name: value for name, value in found.items() if value not in (None, "", [])}


def _person(said: _Body) -> _Read:
    """A customer: what of them belongs to a profile, and nothing else."""
    address = _part(said, "default_address")
    found = {
        "email": said.get("email"),
        "phone": said.get("phone"),
        "first_name": said.get("first_name"),
        "last_name": said.get("last_name"),
        "city": address.get("city"),
        "country": address.get("country_code"),
        "tags": [tag.strip() for tag in str(said.get("tags") or "").split(",") if tag],
        "currency": said.get("currency"),
    }
    known = {name: value for name, value in found.items() if value not in (None, "")}
    return _Read("profile.updated", said, said, known)


def _consent(channel: str, key: str) -> _Reader:
    """What reads a topic about marketing on a channel.

    `subscribed` is a yes; `pending` waits to be confirmed; all else is a no.
    """

    def read(said: _Body) -> _Read:
        consent = said.get(key)
        consent = consent if isinstance(consent, dict) else {}
        person = {
            "id": said.get("customer_id") or said.get("id"),
            "email": said.get("email_address") or said.get("email"),
            "phone": said.get("phone_number") or said.get("phone"),
        }
        about = {"id": person["id"], "updated_at": consent.get("consent_updated_at")}
        words: dict[str, Any] = {"channel": channel, "source": _NAME}
        state = consent.get("state")
        if state == "pending":
            return _Read("consent.requested", about, person, words)
        words |= {"purpose": "marketing", "granted": state == "subscribed"}
        return _Read("consent.changed", about, person, words)

    return read


def _privacy(name: str) -> _Reader:
    """What reads a topic that privacy law asks for: somebody is to act on it."""

    def read(said: _Body) -> _Read:
        person = _part(said)
        about = {"id": person.get("id")}
        return _Read(name, about, person, {"shop": said.get("shop_domain")})

    return read


_TOPICS: Mapping[str, _Reader] = {
    "orders/create": _order("order.placed"),
    "orders/paid": _order("order.paid"),
    "orders/fulfilled": _order("order.fulfilled"),
    "orders/cancelled": _order("order.canceled"),
    "orders/updated": _order("order.updated"),
    "checkouts/create": _order("checkout.started"),
    "checkouts/update": _order("checkout.updated"),
    "customers/create": _person,
    "customers/update": _person,
    "customers_email_marketing_consent/update": _consent(
        "email", "email_marketing_consent"
    ),
    "customers_marketing_consent/update": _consent("sms", "sms_marketing_consent"),
    "customers/data_request": _privacy("privacy.data_requested"),
    "customers/redact": _privacy("privacy.erasure_requested"),
}


def _part(said: _Body, name: str = "customer") -> _Body:
    found = said.get(name)
    return found if isinstance(found, dict) else {}


_OCCURRED = {
    "order.placed": ("processed_at", "created_at"),
    "order.canceled": ("cancelled_at",),
}
"""Which fields say when something occurred, where it isn't when the thing changed last."""


def _instant(said: _Body, *keys: str) -> datetime | None:
    """The first instant that is there."""
    for key in keys:
        value = said.get(key)
        if isinstance(value, str):
            try:
                found = datetime.fromisoformat(value)
            except ValueError:
                continue
            if found.tzinfo is not None:
                return found
    return None


def _items(lines: object) -> list[dict[str, Any]]:
    return [
        {
            "product_id": _text(line.get("product_id")),
            "sku": line.get("sku"),
            "title": line.get("title"),
            "quantity": line.get("quantity"),
            "price": _money(line.get("price")),
        }
        for line in _list(lines)
    ]


def _list(value: object) -> list[dict[str, Any]]:
    return (
        [part for part in value if isinstance(part, dict)]
        if isinstance(value, list)
        else []
    )


def _money(value: object) -> float | None:
    """An amount; Shopify writes it as text."""
    try:
        return None if value is None else float(str(value))
    except ValueError:
        return None


def _text(value: object) -> str:
    return "" if value is None else str(value)


@hookimpl
def journeykit_sources() -> Iterable[Source]:
    """Yield the source."""
    yield Shopify()
