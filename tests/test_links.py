"""Links: one token for each meaning, and none that somebody else has made."""

from __future__ import annotations

import base64
import hmac
import string
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest
from hypothesis import assume, given, strategies as st

from journeykit import links as module
from journeykit.channels import Message
from journeykit.credentials import Secret
from journeykit.errors import InputError
from journeykit.links import (
    LIFETIMES,
    MAX_TOKEN,
    MAX_URL,
    ONE_CLICK,
    PATHS,
    Kind,
    Link,
    LinkExpired,
    Links,
    LinkSettings,
    is_web,
    list_unsubscribe,
    origin_of,
    settings_of,
)

NOON = datetime(2026, 6, 7, 12, tzinfo=UTC)
SECRET = "s3cret-of-the-shop-" + "x" * 32
OTHER = "s3cret-of-somebody-" + "y" * 32
URL = "https://post.example.com"
LINKS = Links(URL, Secret(SECRET), workspace="shop")
KINDS: tuple[Kind, ...] = (
    "unsubscribe",
    "preferences",
    "confirm",
    "click",
    "open",
    "inbox",
)


def message(**more: Any) -> Message:
    known: dict[str, Any] = {
        "delivery_id": "d" * 24,
        "customer": "ada",
        "channel": "email",
        "address": "ada@example.com",
        "template": "hello",
        "variables": {},
        "at": NOON,
        "journey": "welcome",
        "step": "hello",
        "purpose": "marketing",
        "topic": "news",
        "locale": "de-CH",
    }
    return Message(**{**known, **more})


def token_in(url: str) -> str:
    return url.rpartition("/")[2]


texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=60)
instants = st.datetimes(
    min_value=datetime(2000, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
    max_value=datetime(2200, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
).map(lambda at: at.replace(microsecond=0))
found = st.builds(
    Link,
    kind=st.sampled_from(KINDS),
    customer=texts,
    channel=texts,
    topic=texts,
    delivery_id=texts,
    url=texts,
    locale=texts,
    at=instants,
    test=st.booleans(),
)


# What a link says


def test_a_message_has_its_own_links() -> None:
    made = LINKS.of(message())

    assert set(made) == {"unsubscribe", "preferences", "confirm"}
    for name, url in made.items():
        assert url.startswith(URL + PATHS[name])  # type: ignore[index]
        link = LINKS.read(token_in(url), kind=name, now=NOON)  # type: ignore[arg-type]
        assert (link.customer, link.channel, link.topic) == ("ada", "email", "news")
        assert (link.delivery_id, link.locale, link.at) == ("d" * 24, "de-CH", NOON)
        assert not link.test


def test_equal_messages_get_equal_links() -> None:
    assert LINKS.of(message()) == LINKS.of(message())
    assert LINKS.of(message()) != LINKS.of(message(delivery_id="e" * 24))


def test_test_traffic_is_known_by_its_links() -> None:
    url = LINKS.of(message(test=True))["unsubscribe"]

    assert LINKS.read(token_in(url), kind="unsubscribe", now=NOON).test


def test_a_picture_counts_opens_only_if_that_is_wanted() -> None:
    counting = Links(URL, Secret(SECRET), track_opens=True)

    url = counting.of(message())["open"]

    assert url.startswith(f"{URL}/o/")
    assert counting.read(token_in(url), kind="open", now=NOON).delivery_id == "d" * 24


def test_pages_may_lie_below_a_path() -> None:
    below = Links(f"{URL}/mail/", Secret(SECRET))

    assert below.of(message())["unsubscribe"].startswith(f"{URL}/mail/u/")


@given(found)
def test_what_a_link_says_is_read_again(link: Link) -> None:
    token = LINKS.token(link)
    assume(len(token) <= MAX_TOKEN)

    assert LINKS.read(token, kind=link.kind, now=link.at) == link


def test_a_token_is_plain_in_an_address_and_ends_in_a_letter_or_digit() -> None:
    for n in range(40):
        token = token_in(LINKS.of(message(customer="x" * n))["unsubscribe"])
        assert set(token) <= set(string.ascii_letters + string.digits + "-_.")
        assert token[-1].isalnum()  # else a mail program may leave it out
        assert token.count(".") == 1


# Whom it is refused


def refused(token: str, *, kind: Kind = "unsubscribe", by: Links = LINKS) -> bool:
    try:
        by.read(token, kind=kind, now=NOON)
    except InputError as error:
        return str(error) == "link: is not one of ours, or not whole"
    return False


UNSUBSCRIBE = token_in(LINKS.of(message())["unsubscribe"])


@given(st.integers(0, len(UNSUBSCRIBE) - 1), st.characters(codec="utf-8"))
def test_an_altered_token_is_refused(at: int, letter: str) -> None:
    altered = UNSUBSCRIBE[:at] + letter + UNSUBSCRIBE[at + 1 :]
    assume(altered != UNSUBSCRIBE)

    assert refused(altered)


@given(st.integers(0, len(UNSUBSCRIBE) - 1))
def test_a_token_that_was_cut_off_is_refused(end: int) -> None:
    assert refused(UNSUBSCRIBE[:end])


@given(st.text(max_size=200))
def test_what_is_no_token_is_refused(text: str) -> None:
    assert refused(text)
    assert refused(UNSUBSCRIBE + text) == (text != "")


@pytest.mark.parametrize("more", ["=", "==", "A", " ", "\n", "%20", "."])
def test_a_token_is_written_in_one_way_only(more: str) -> None:
    assert refused(UNSUBSCRIBE + more)
    assert refused(more + UNSUBSCRIBE)


def test_the_bits_that_base64_leaves_over_are_no_second_way_to_write_it() -> None:
    alphabet = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
    mac, body = UNSUBSCRIBE.split(".")

    taken = [
        other
        for part in (f"{mac[:-1]}%s.{body}", f"{mac}.{body[:-1]}%s")
        for other in (part % letter for letter in alphabet)
        if not refused(other)
    ]

    assert taken == [UNSUBSCRIBE, UNSUBSCRIBE]


@pytest.mark.parametrize("kind", KINDS)
def test_a_link_serves_for_one_purpose(kind: Kind) -> None:
    token = LINKS.token(Link(kind=kind, customer="ada", at=NOON))

    assert [other for other in KINDS if not refused(token, kind=other)] == [kind]


def test_a_link_of_another_workspace_is_refused() -> None:
    assert refused(UNSUBSCRIBE, by=Links(URL, Secret(SECRET), workspace="other"))
    assert refused(UNSUBSCRIBE, by=Links(URL, Secret(OTHER), workspace="shop"))


def test_claims_that_say_the_same_in_another_way_are_refused_although_signed() -> None:
    claims = {"c": "ada", "k": "u", "a": int(NOON.timestamp()), "n": ""}
    body = base64.urlsafe_b64encode(msgspec.json.encode(claims)).rstrip(b"=").decode()
    said = f"journeykit link 1\x1fshop\x1f{body}".encode()
    mac = hmac.digest(SECRET.encode(), said, "sha256")[:16]
    token = f"{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}.{body}"

    assert refused(token)


def test_a_token_that_is_too_long_is_refused_before_it_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    token = LINKS.token(Link(kind="unsubscribe", customer="x" * 4_000, at=NOON))
    assert len(token) > MAX_TOKEN

    monkeypatch.setattr(module, "_claims", None)

    assert refused(token)


def test_the_secret_before_the_last_one_is_still_good() -> None:
    changed = Links(URL, Secret(OTHER), Secret(SECRET), workspace="shop")

    assert not refused(UNSUBSCRIBE, by=changed)
    # … and is used for nothing new.
    assert refused(token_in(changed.of(message())["unsubscribe"]))


@pytest.mark.parametrize(
    ("kind", "days"), [("preferences", 90), ("confirm", 30), ("inbox", 1)]
)
def test_a_link_has_its_time(kind: Kind, days: int) -> None:
    assert LIFETIMES[kind] == timedelta(days=days)
    token = (
        LINKS.inbox("ada", now=NOON)
        if kind == "inbox"
        else token_in(LINKS.of(message())[kind])
    )

    last = NOON + timedelta(days=days, seconds=-1)
    assert LINKS.read(token, kind=kind, now=last).customer == "ada"
    with pytest.raises(LinkExpired, match="link: is of no use any more"):
        LINKS.read(token, kind=kind, now=last + timedelta(seconds=1))


def test_a_click_is_led_on_for_a_year_and_no_longer() -> None:
    token = token_in(LINKS.tracked(message(), "https://shop.example/"))

    last = NOON + timedelta(days=400, seconds=-1)
    assert LINKS.read(token, kind="click", now=last).url == "https://shop.example/"
    with pytest.raises(LinkExpired):
        LINKS.read(token, kind="click", now=last + timedelta(seconds=1))


def test_who_wants_to_unsubscribe_never_comes_too_late() -> None:
    late = datetime(2090, 1, 1, tzinfo=UTC)

    assert LINKS.read(UNSUBSCRIBE, kind="unsubscribe", now=late).expires_at is None


# Clicks


def test_a_tracked_link_leads_to_what_was_meant() -> None:
    url = LINKS.tracked(message(), "https://shop.example.com/cart?id=1&x=ä#top")

    assert url.startswith(f"{URL}/l/")
    link = LINKS.read(token_in(url), kind="click", now=NOON)
    assert link.url == "https://shop.example.com/cart?id=1&x=%C3%A4#top"
    assert link.locale == ""  # nothing is shown, so it need not be longer


@pytest.mark.parametrize(
    "url",
    [
        "mailto:help@example.com",
        "tel:+4930123456",
        "javascript:alert(1)",
        "data:text/html,x",
        "//evil.example.com",
        "/cart",
        "#top",
        "",
        "https://",
        "https://shop.example.com/a b",
        "https://shop.example.com/\r\nSet-Cookie: a=b",
        'https://shop.example.com/"onclick="',
        "https://[broken/",
        "https://ümläut.example/",
        "https://shop.example.com/" + "x" * MAX_URL,
        "https://shop.example.com/?q=" + "ä" * 800,
        f"{URL}/u/abc",
        f"{URL}/p/abc",
    ],
)
def test_what_cant_be_led_on_to_stays_as_it_is(url: str) -> None:
    assert LINKS.tracked(message(), url) == url


@given(st.text(max_size=300).map(lambda text: f"https://shop.example.com/{text}"))
def test_whatever_is_tracked_is_an_address_of_plain_ascii(url: str) -> None:
    made = LINKS.tracked(message(), url)

    assume(made != url)
    link = LINKS.read(token_in(made), kind="click", now=NOON)
    assert link.url.isascii()
    assert link.url.isprintable()
    assert " " not in link.url
    assert urlsplit(link.url).hostname == "shop.example.com"


# Headers


def test_mailbox_providers_are_told_how_to_unsubscribe() -> None:
    url = LINKS.of(message())["unsubscribe"]

    assert list_unsubscribe(url) == {
        "List-Unsubscribe": f"<{url}>",
        "List-Unsubscribe-Post": ONE_CLICK,
    }


def test_one_click_needs_https() -> None:
    assert list_unsubscribe("http://localhost/u/x") == {
        "List-Unsubscribe": "<http://localhost/u/x>"
    }
    assert list_unsubscribe("") == {}


# Settings

GOOD = {"url": URL, "secret": "$JOURNEYKIT_LINK_SECRET"}


def test_nothing_set_means_no_links() -> None:
    assert settings_of({}) == LinkSettings()
    assert settings_of({}).links("shop") is None


def test_the_settings_make_links() -> None:
    settings = settings_of(
        {**GOOD, "secret": SECRET, "previous_secret": OTHER, "track": True}
    )

    assert settings.links("shop") == Links(
        URL, Secret(SECRET), Secret(OTHER), track=True, workspace="shop"
    )


@pytest.mark.parametrize(
    ("wrong", "place", "why"),
    [
        ({"secret": SECRET}, "links.url", "is missing"),
        ({"url": URL}, "links.secret", "is missing"),
        ({**GOOD, "url": "http://post.example.com"}, "links.url", "https"),
        ({**GOOD, "url": "post.example.com"}, "links.url", "address"),
        ({**GOOD, "url": f"{URL}?a=b"}, "links.url", "address"),
        ({**GOOD, "url": "https://me:pw@x.example"}, "links.url", "address"),
        ({**GOOD, "secret": "short"}, "links.secret", "32"),
        ({**GOOD, "previous_secret": "short"}, "links.previous_secret", "32"),
        ({**GOOD, "origins": ["https://x.example/"]}, "links.origins", "browsers"),
        ({**GOOD, "origins": ["*"]}, "links.origins", "browsers"),
        ({**GOOD, "logo": "http://x.example/a.png"}, "links.logo", "https"),
        ({**GOOD, "color": "red"}, "links.color", "#rrggbb"),
        ({**GOOD, "color": "#12345g"}, "links.color", "#rrggbb"),
        ({**GOOD, "trac": True}, "links.trac", "did you mean 'track'"),
        ({**GOOD, "x": 1, "track": "yes"}, "links.x", "it takes url, secret"),
        ({**GOOD, "track": "yes"}, "links", "track"),
    ],
)
def test_what_cant_be_set_is_named(wrong: dict[str, Any], place: str, why: str) -> None:
    with pytest.raises(InputError, match=why) as caught:
        settings_of(wrong)

    assert caught.value.place == place
    assert "short" not in str(caught.value)


def test_whether_links_can_be_signed_is_seen_beforehand(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    links = Links(URL, Secret("$SHOP_LINKS"))
    monkeypatch.setenv("SHOP_LINKS", SECRET)
    links.check()

    monkeypatch.setenv("SHOP_LINKS", "short")
    with pytest.raises(InputError, match="needs 32"):
        links.check()


def test_on_this_machine_http_will_do() -> None:
    for host in ("localhost:8080", "127.0.0.1", "[::1]:80"):
        assert settings_of({**GOOD, "url": f"http://{host}"}).url


def test_a_secret_of_the_environment_may_be_missing_until_it_is_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    links = Links(URL, Secret("$JOURNEYKIT_LINK_SECRET"))
    monkeypatch.delenv("JOURNEYKIT_LINK_SECRET", raising=False)

    with pytest.raises(InputError, match="JOURNEYKIT_LINK_SECRET"):
        links.of(message())
    monkeypatch.setenv("JOURNEYKIT_LINK_SECRET", "too-short")
    with pytest.raises(
        InputError, match=r"links.secret: has 9 characters and needs 32"
    ):
        links.of(message())


def test_nobody_reads_the_secret_off_a_value() -> None:
    assert SECRET not in repr(LINKS)


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://Shop.example.com/a", "https://shop.example.com"),
        ("https://shop.example.com:443", "https://shop.example.com"),
        ("http://localhost:3000/", "http://localhost:3000"),
        ("http://[::1]:3000", "http://[::1]:3000"),
        ("https://shop.example.com:99999", ""),
        ("ftp://shop.example.com", ""),
    ],
)
def test_an_origin_is_as_browsers_write_it(url: str, origin: str) -> None:
    assert origin_of(url) == origin


def test_an_address_of_the_web_is_told_from_what_is_none() -> None:
    assert is_web("https://shop.example.com/a?b=c#d")
    assert not is_web("https:shop")
