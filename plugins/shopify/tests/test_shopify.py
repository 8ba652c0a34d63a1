"""Bodies have the shape of the samples at https://shopify.dev/docs/api/webhooks/latest."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

import pytest

from journeykit import Event, ForgedCallback, InputError
from journeykit.channels import Callback
from journeykit.sources import Source
from journeykit.testing import SourceContract
from journeykit_shopify.source import Shopify, ShopifySettings

NOW = datetime(2026, 6, 7, 12, tzinfo=UTC)
SECRET = "shpss-of-the-tests"
SHOP = "johns-apparel.myshopify.com"

CUSTOMER = {
    "id": 115310627314723954,
    "email": "John@Example.com",
    "created_at": None,
    "updated_at": "2026-06-01T09:00:00-04:00",
    "first_name": "John",
    "last_name": "Smith",
    "state": "disabled",
    "note": None,
    "verified_email": True,
    "phone": None,
    "tags": "vip, newsletter",
    "currency": "USD",
    "default_address": {
        "city": "Ottawa",
        "country_code": "CA",
        "phone": "123-123-1234",
    },
}
ORDER = {
    "id": 820982911946154508,
    "admin_graphql_api_id": "gid://shopify/Order/820982911946154508",
    "name": "#1001",
    "email": "jon@example.com",
    "created_at": "2026-06-07T07:58:00-04:00",
    "updated_at": "2026-06-07T07:59:00-04:00",
    "cancelled_at": None,
    "cart_token": None,
    "checkout_token": "c1a2b3",
    "currency": "USD",
    "financial_status": "paid",
    "total_price": "403.00",
    "subtotal_price": "393.00",
    "total_discounts": "5.00",
    "discount_codes": [{"code": "SPRING", "amount": "5.00", "type": "fixed_amount"}],
    "line_items": [
        {
            "id": 866550311766439020,
            "product_id": 632910392,
            "sku": "IPOD2008PINK",
            "title": "IPod Nano - 8GB",
            "quantity": 1,
            "price": "199.00",
        }
    ],
    "customer": CUSTOMER,
    "test": False,
}
CONSENT = {
    "customer_id": 706405506930370084,
    "email_address": "bob@biller.com",
    "email_marketing_consent": {
        "state": "subscribed",
        "opt_in_level": "confirmed_opt_in",
        "consent_updated_at": "2026-06-05T12:00:00-04:00",
    },
}


def webhook(
    topic: str,
    content: object,
    *,
    secret: str = SECRET,
    shop: str = SHOP,
    headers: Mapping[str, str] = {},
) -> Callback:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    signature = hmac.digest(secret.encode(), body, "sha256")
    return Callback(
        body=body,
        headers={
            "x-shopify-topic": topic,
            "x-shopify-hmac-sha256": base64.b64encode(signature).decode(),
            "x-shopify-shop-domain": shop,
            "x-shopify-webhook-id": "b54557e4-bdd9-4b37-8a5f-bf7d70bcd043",
            **headers,
        },
        received_at=NOW,
    )


def shopify(**settings: object) -> Source:
    return Shopify().configured({"secret": SECRET, **settings})


def read(topic: str, content: object, **settings: object) -> Event:
    [event] = shopify(**settings).events(webhook(topic, content))
    return event


class TestShopify(SourceContract):
    posted: ClassVar[Mapping[str, Callback]] = {
        "an order": webhook("orders/create", ORDER),
        "a customer": webhook("customers/update", CUSTOMER),
        "a consent": webhook("customers_email_marketing_consent/update", CONSENT),
        "an anonymous checkout": webhook(
            "checkouts/update", {"id": 1, "checkout_token": "t", "updated_at": None}
        ),
    }
    ignored: ClassVar[Mapping[str, Callback]] = {
        "another topic": webhook("products/update", {"id": 788032119674292922}),
        "an order of nobody": webhook("orders/create", {"id": 1}),
    }
    bad_settings = (
        {"customer": "phone"},
        {"secrets": "x"},
        {"secret": 7},
        {"secret": ""},  # by which anybody could sign
        {"former_secret": ""},
    )

    def source(self) -> Source:
        return shopify()


def test_an_order_says_what_was_bought_and_by_whom() -> None:
    event = read("orders/create", ORDER)

    assert (event.name, event.customer) == ("order.placed", "115310627314723954")
    assert event.occurred_at == datetime(2026, 6, 7, 11, 58, tzinfo=UTC)
    assert event.identifiers == {
        "shopify": "115310627314723954",
        "email": "john@example.com",
        "checkout": "c1a2b3",
    }
    assert event.properties == {
        "order_id": "820982911946154508",
        "number": "#1001",
        "amount": 403.0,
        "subtotal": 393.0,
        "discount": 5.0,
        "currency": "USD",
        "paid": "paid",
        "items": [
            {
                "product_id": "632910392",
                "sku": "IPOD2008PINK",
                "title": "IPod Nano - 8GB",
                "quantity": 1,
                "price": 199.0,
            }
        ],
        "coupons": ["SPRING"],
    }


@pytest.mark.parametrize(
    ("topic", "name"),
    [
        ("orders/paid", "order.paid"),
        ("orders/fulfilled", "order.fulfilled"),
        ("orders/cancelled", "order.canceled"),
        ("orders/updated", "order.updated"),
        ("checkouts/create", "checkout.started"),
    ],
)
def test_each_topic_has_an_event(topic: str, name: str) -> None:
    assert read(topic, ORDER).name == name


def test_a_customer_is_known_by_their_address_if_that_is_wanted() -> None:
    assert read("orders/create", ORDER, customer="email").customer == "john@example.com"


def test_a_customers_attributes_are_written_to_the_profile() -> None:
    event = read("customers/create", CUSTOMER)

    assert event.name == "profile.updated"
    assert event.properties == {
        "email": "John@Example.com",
        "first_name": "John",
        "last_name": "Smith",
        "city": "Ottawa",
        "country": "CA",
        "tags": ["vip", "newsletter"],
        "currency": "USD",
    }


@pytest.mark.parametrize(
    ("state", "name", "granted"),
    [
        ("subscribed", "consent.changed", True),
        ("unsubscribed", "consent.changed", False),
        ("redacted", "consent.changed", False),
        ("pending", "consent.requested", None),
    ],
)
def test_a_word_about_marketing_is_taken(
    state: str, name: str, granted: bool | None
) -> None:
    consent = {**CONSENT["email_marketing_consent"], "state": state}  # type: ignore[dict-item]

    event = read(
        "customers_email_marketing_consent/update",
        {**CONSENT, "email_marketing_consent": consent},
    )

    assert (event.name, event.customer) == (name, "706405506930370084")
    assert event.properties.get("granted") is granted
    assert event.properties["channel"] == "email"


def test_what_privacy_law_asks_for_is_an_event_that_somebody_may_hear() -> None:
    said = {
        "shop_id": 954889,
        "shop_domain": SHOP,
        "customer": {
            "id": 191167,
            "email": "john@example.com",
            "phone": "555-625-1199",
        },
        "orders_to_redact": [299938, 280263, 220458],
    }

    event = read("customers/redact", said)

    assert (event.name, event.customer) == ("privacy.erasure_requested", "191167")


def test_a_replay_with_other_headers_is_the_same_event() -> None:
    one = webhook("orders/create", ORDER)
    other = webhook("orders/create", ORDER, headers={"x-shopify-webhook-id": "another"})

    assert [*shopify().events(one)] == [*shopify().events(other)]


@pytest.mark.parametrize(
    ("callback", "place"),
    [
        (webhook("orders/create", ORDER, secret="theirs"), "x-shopify-hmac-sha256"),
        (
            webhook("orders/create", ORDER, headers={"x-shopify-hmac-sha256": "%"}),
            "x-shopify-hmac-sha256",
        ),
        (
            webhook("orders/create", ORDER, shop="evil.myshopify.com"),
            "x-shopify-shop-domain",
        ),
    ],
    ids=["secret", "no-base64", "shop"],
)
def test_what_is_not_of_the_shop_is_refused(callback: Callback, place: str) -> None:
    with pytest.raises(ForgedCallback) as error:
        list(shopify(shop=SHOP).events(callback))

    assert error.value.place == place


def test_the_secret_may_be_changed_without_a_gap() -> None:
    old = webhook("orders/create", ORDER, secret="the old one")

    assert [*shopify(former_secret="the old one").events(old)]


def test_a_secret_that_is_not_there_yet_is_ours_to_put(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("SHOPIFY_CLIENT_SECRET", raising=False)

    with pytest.raises(InputError) as error:
        list(Shopify().events(webhook("orders/create", ORDER)))

    assert error.value.place == "environment: SHOPIFY_CLIENT_SECRET"
    assert ShopifySettings().customer == "id"


def test_what_changes_after_an_order_was_canceled_is_no_repetition() -> None:
    canceled = {
        **ORDER,
        "cancelled_at": "2026-06-07T07:59:30-04:00",
        "updated_at": "2026-06-07T08:00:00-04:00",
    }
    refunded = {
        **canceled,
        "updated_at": "2026-06-07T08:30:00-04:00",
        "financial_status": "refunded",
    }

    first, then = read("orders/updated", canceled), read("orders/updated", refunded)
    cancelation = read("orders/cancelled", canceled)

    assert first.id != then.id
    assert then.occurred_at == datetime(2026, 6, 7, 12, 30, tzinfo=UTC)
    assert cancelation.occurred_at == datetime(2026, 6, 7, 11, 59, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b"\xff", b'{"id": "\xff"}', b'{"a":' * 5_000]
)
def test_a_body_that_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(InputError, match="is no JSON object"):
        list(shopify().events(webhook("orders/create", body)))


@pytest.mark.parametrize(
    "said",
    [
        {"id": 1, "customer": [], "line_items": 7, "email": 3},
        {
            "id": 1,
            "email": "a@example.com",
            "updated_at": "soon",
            "total_price": "much",
        },
        {"id": {}, "customer": {"id": None, "email": None}, "discount_codes": [1]},
        {"id": 1, "default_address": ["Ottawa"], "tags": 7, "updated_at": []},
    ],
)
@pytest.mark.parametrize("topic", ["orders/create", "customers/update"])
def test_odd_values_are_left_out(topic: str, said: dict[str, Any]) -> None:
    for event in shopify().events(webhook(topic, said)):
        assert "amount" not in event.properties
        assert "city" not in event.properties
