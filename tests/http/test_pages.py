"""The pages behind signed links: GET asks, POST does, and each is an event at the door."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, strategies as st

from journeykit.channels import Message
from journeykit.credentials import Secret
from journeykit.engine.consent import MARKETING, with_word
from journeykit.engine.customer import Consent
from journeykit.engine.stimuli import Stimulus
from journeykit.errors import StoreFull
from journeykit.http.door import MAX_FORM, Busy
from journeykit.http.messages import Answer, Request
from journeykit.http.page import Brand, Look
from journeykit.http.preferences import Offers, Permissions, Topic
from journeykit.http.wording import WORDING, Wording, language_for
from journeykit.links import Link, Links, LinkSettings
from journeykit.local.door import Door
from journeykit.model.events import Event, checked

NOON = datetime(2026, 6, 7, 12, tzinfo=UTC)
SECRET = "s3cret-of-the-shop-" + "x" * 32
URL = "https://post.example.com"
SETTINGS = LinkSettings(url=URL, secret=SECRET, track_opens=True, brand="Ada & Co")
LINKS = Links(URL, Secret(SECRET), workspace="shop", track_opens=True)
FORM = {"content-type": "application/x-www-form-urlencoded"}
BROWSER = {
    "user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "accept": "text/html",
    "accept-language": "en-GB,en;q=0.8",
}
OFFERS = Offers(("email", "sms"), (Topic("news", "Our news"), Topic("offers")))


class Desk:
    """Keeps what it is handed, and knows by itself what was said before."""

    def __init__(self, *said: Consent, offers: Offers = OFFERS) -> None:
        self.taken: list[Event] = []
        self.said = list(said)
        self.offers = offers
        self.error: Exception | None = None
        self.unread: Exception | None = None

    def accept(self, stimuli: Sequence[Stimulus], *, timeout: float) -> None:
        if self.error:
            raise self.error
        for event in stimuli:
            assert isinstance(event, Event)
            self.taken.append(checked(event))

    def permissions(self, customer: str) -> Permissions:
        if self.unread:
            raise self.unread
        return Permissions(self.said if customer == "ada" else (), self.offers)

    def health(self) -> Mapping[str, object]:
        return {"status": "ok"}

    def metrics(self) -> str:
        return ""

    def report(self, channel: str, reports: object, *, timeout: float) -> None:
        raise AssertionError("nobody posts callbacks here")

    def believe(self) -> None:
        """Take what was handed over for said, as the engine does."""
        for event in self.taken:
            told = event.properties
            self.said = with_word(
                self.said,
                Consent(
                    told.get("granted", False),
                    int(event.occurred_at.timestamp() * 1000),
                    told.get("channel", ""),
                    told.get("topic", ""),
                    told.get("purpose", MARKETING),
                ),
            )


class Site:
    """A door with its pages, and those who come to it."""

    def __init__(
        self, desk: Desk | None = None, settings: LinkSettings = SETTINGS
    ) -> None:
        self.desk = desk or Desk()
        self.now = NOON
        self.door = Door(
            self.desk, clock=lambda: self.now, links=settings, workspace="shop"
        )

    def get(
        self, path: str, headers: Mapping[str, str] = BROWSER, *, method: str = "GET"
    ) -> Answer:
        return self.door.answer(Request(method=method, path=path, headers=headers))

    def post(
        self, path: str, body: object = "", headers: Mapping[str, str] = BROWSER
    ) -> Answer:
        if isinstance(body, Mapping):
            body = urlencode(body, doseq=True)
        data = body if isinstance(body, bytes) else str(body).encode()
        return self.door.answer(
            Request(method="POST", path=path, headers={**headers, **FORM}, body=data)
        )

    @property
    def taken(self) -> list[Event]:
        return self.desk.taken


def message(**more: Any) -> Message:
    known: dict[str, Any] = {
        "delivery_id": "d" * 24,
        "customer": "ada",
        "channel": "email",
        "address": "ada@example.com",
        "template": "hello",
        "variables": {},
        "at": NOON - timedelta(hours=1),
        "journey": "welcome",
        "step": "hello",
        "purpose": "marketing",
        "topic": "news",
        "locale": "",
    }
    return Message(**{**known, **more})


def path(kind: str, **more: Any) -> str:
    if kind == "click":
        url = LINKS.tracked(message(**more), "https://shop.example.com/cart?id=7")
    else:
        url = LINKS.of(message(**more))[kind]
    return url.removeprefix(URL)


class _Text(HTMLParser):
    """What somebody reads, and what may be pressed, ticked and followed."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self._quiet = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        self._quiet = tag == "style"

    def handle_endtag(self, tag: str) -> None:
        self._quiet = False

    def handle_data(self, data: str) -> None:
        if not self._quiet:
            self.text += data

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]


def read(answer: Answer) -> _Text:
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    page = _Text()
    page.feed(answer.body.decode())
    page.close()
    return page


def ticked(answer: Answer) -> set[str]:
    boxes = [box for box in read(answer).all("input") if box["type"] == "checkbox"]
    return {box["value"] for box in boxes if "checked" in box}


def form_of(answer: Answer, *choices: str) -> dict[str, object]:
    """What a browser sends when a page is saved with these choices."""
    hidden = [box for box in read(answer).all("input") if box["type"] == "hidden"]
    return {
        **{box["name"]: box["value"] for box in hidden},
        "choice": choices,
        "do": "save",
    }


# Unsubscribing


def test_get_asks_and_does_nothing() -> None:
    site = Site()

    answer = site.get(path("unsubscribe"))

    page = read(answer)
    assert answer.status == 200
    assert [button["value"] for button in page.all("button")] == ["this", "everything"]
    assert "Our news" in page.text
    assert "E-mail" in page.text
    assert "Ada & Co" in page.text
    assert site.taken == []


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_scanners_may_look_as_often_as_they_like(method: str) -> None:
    site = Site()

    for kind in ("unsubscribe", "preferences", "confirm"):
        for _ in range(3):
            assert site.get(path(kind), method=method).status == 200

    assert site.taken == []


ONE_CLICK = "List-Unsubscribe=One-Click"
# RFC 8058 §3.2: a mail receiver may send either of the two.
MULTIPART = (
    b'--b1\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\n'
    b"One-Click\r\n--b1--\r\n"
)


@pytest.mark.parametrize(
    "body", [ONE_CLICK, MULTIPART, ""], ids=["form", "parts", "none"]
)
def test_one_click_unsubscribes_at_once(body: str | bytes) -> None:
    site = Site()

    answer = site.post(path("unsubscribe"), body, headers={"user-agent": "Mail"})

    [event] = site.taken
    assert answer.status == 200
    assert not {"Location", "Set-Cookie"} & set(answer.headers)
    assert (event.name, event.customer) == ("message.unsubscribed", "ada")
    assert event.properties == {
        "delivery_id": "d" * 24,
        "channel": "email",
        "topic": "news",
        "source": "one_click",
    }
    assert event.occurred_at == event.received_at == NOON


def test_a_message_without_a_topic_unsubscribes_from_its_channel() -> None:
    site = Site()

    site.post(path("unsubscribe", topic=None), ONE_CLICK)

    [event] = site.taken
    assert event.properties == {
        "delivery_id": "d" * 24,
        "channel": "email",
        "source": "one_click",
    }


def test_the_page_says_what_was_done() -> None:
    site = Site()

    answer = site.post(path("unsubscribe"), {"do": "this"})

    page = read(answer)
    assert "You are unsubscribed" in page.text
    assert "Our news" in page.text
    assert {"class": "said", "role": "status"} in page.all("p")
    [event] = site.taken
    assert event.properties["source"] == "unsubscribe_page"


def test_the_page_offers_to_leave_altogether() -> None:
    site = Site()

    site.post(path("unsubscribe"), {"do": "everything"})

    [event] = site.taken
    assert event.properties == {
        "delivery_id": "d" * 24,
        "source": "unsubscribe_page",
    }


def test_a_replay_answers_the_same_and_is_no_second_event() -> None:
    site = Site()
    first = site.post(path("unsubscribe"), ONE_CLICK)

    again = site.post(path("unsubscribe"), ONE_CLICK)  # it isn't known here yet
    site.desk.believe()
    later = site.post(path("unsubscribe"), ONE_CLICK)

    assert again.body == later.body == first.body
    assert len({event.id for event in site.taken}) == 1


def test_who_came_back_can_leave_again_by_the_same_link() -> None:
    site = Site()
    site.post(path("unsubscribe"), ONE_CLICK)
    site.desk.believe()
    site.desk.said = [Consent(True, 7, "email", "news", MARKETING)]

    site.post(path("unsubscribe"), ONE_CLICK)

    assert len({event.id for event in site.taken}) == 2


def test_different_messages_are_different_events() -> None:
    site = Site()

    site.post(path("unsubscribe"), ONE_CLICK)
    site.post(path("unsubscribe", delivery_id="e" * 24), ONE_CLICK)

    assert len({event.id for event in site.taken}) == 2


def test_who_leaves_is_let_go_while_nobody_can_be_looked_up() -> None:
    site = Site()
    site.desk.unread = StoreFull("full")

    answer = site.post(path("unsubscribe"), ONE_CLICK)

    assert answer.status == 200
    assert [event.name for event in site.taken] == ["message.unsubscribed"]


def test_test_traffic_stays_test_traffic() -> None:
    site = Site()

    site.post(path("unsubscribe", test=True), ONE_CLICK)

    assert [event.test for event in site.taken] == [True]


@pytest.mark.parametrize("error", [Busy("full"), StoreFull("full")])
def test_what_isnt_durable_is_no_success(error: Exception) -> None:
    site = Site()
    site.desk.error = error

    answer = site.post(path("unsubscribe"), ONE_CLICK)

    assert answer.status == 503  # so that a mailbox provider comes again
    assert answer.headers["Retry-After"] == "60"
    assert "Nothing was changed" in read(answer).text


# Links that are none


@pytest.mark.parametrize(
    "kind", ["unsubscribe", "preferences", "confirm", "click", "open"]
)
def test_an_altered_link_does_nothing_and_says_so(kind: str) -> None:
    site = Site()
    whole = path(kind)
    other = "A" if whole[-1] != "A" else "B"

    for altered in (whole[:-1], whole[:-1] + other, whole[:4], whole + "x"):
        answer = site.get(altered)
        assert answer.status == 404
        assert "This link does not work" in read(answer).text

    assert site.taken == []


def test_an_altered_link_is_posted_in_vain() -> None:
    site = Site()

    assert site.post(path("unsubscribe")[:-1], ONE_CLICK).status == 404
    assert site.taken == []


@pytest.mark.parametrize("kind", ["preferences", "confirm"])
def test_an_old_link_says_that_it_is_old(kind: str) -> None:
    site = Site()
    site.now += timedelta(days=91)

    answer = site.post(path(kind), {"do": "save"})

    assert answer.status == 410
    assert "too old" in read(answer).text
    assert site.taken == []


def test_a_link_of_one_kind_opens_no_other_page() -> None:
    site = Site()
    token = path("unsubscribe").removeprefix("/u/")

    for start in ("/p/", "/c/", "/l/", "/o/"):
        assert site.get(start + token).status == 404


def test_without_links_there_are_no_pages() -> None:
    site = Site(settings=LinkSettings())

    assert site.get(path("unsubscribe")).status == 404
    assert site.door.route("/u/x") is None


def test_a_secret_that_isnt_there_is_our_trouble(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("NO_SUCH_SECRET", raising=False)
    site = Site(settings=LinkSettings(url=URL, secret="$NO_SUCH_SECRET"))

    answer = site.get(path("unsubscribe"))

    assert answer.status == 503
    assert "NO_SUCH_SECRET" in caplog.text
    assert "NO_SUCH_SECRET" not in answer.body.decode()


def test_a_form_has_its_bounds() -> None:
    site = Site()

    assert site.post(path("preferences"), b"x" * (MAX_FORM + 1)).status == 413
    many = "&".join(["choice=email:news"] * 1_000)
    assert site.post(path("preferences"), many).status == 400
    assert site.get(path("unsubscribe"), method="PUT").status == 405
    assert site.post(path("click")).status == 405


@given(st.binary(max_size=300))
def test_whatever_is_posted_gets_an_answer(body: bytes) -> None:
    site = Site()

    # RFC 8058: whatever comes for an unsubscription is one.
    assert site.post(path("unsubscribe"), body).status == 200
    before = list(site.taken)
    for kind in ("preferences", "confirm"):
        assert site.post(path(kind), body).status == 400
    assert site.taken == before


def test_pages_open_by_whatever_name_this_machine_has() -> None:
    # Without API keys the rest of the door is for localhost only.
    site = Site()
    elsewhere = {**BROWSER, "host": "post.example.com"}

    assert site.get(path("unsubscribe"), elsewhere).status == 200
    assert site.get("/metrics", elsewhere).status == 421


# Preferences


def test_the_page_shows_what_was_said() -> None:
    site = Site(Desk(Consent(False, 1, "sms", "", MARKETING)))

    answer = site.get(path("preferences"))

    page = read(answer)
    assert ticked(answer) == {"email:news", "email:offers"}
    assert len(page.all("fieldset")) == 2
    assert len(page.all("legend")) == 2
    assert len(page.all("label")) == 4
    assert {button["value"] for button in page.all("button")} == {"save", "everything"}


def test_what_is_chosen_is_said() -> None:
    site = Site()
    form = form_of(
        site.get(path("preferences")), "email:news", "sms:news", "sms:offers"
    )

    answer = site.post(path("preferences"), form)

    [event] = site.taken
    assert event.name == "consent.changed"
    assert event.properties == {
        "granted": False,
        "channel": "email",
        "topic": "offers",
        "purpose": "marketing",
        "source": "preferences",
        "delivery_id": "d" * 24,
    }
    assert ticked(answer) == {"email:news", "sms:news", "sms:offers"}
    assert "Your preferences are saved." in read(answer).text
    assert b"<title>Your preferences are saved." in answer.body


def test_saving_what_is_there_says_nothing() -> None:
    site = Site()
    answer = site.get(path("preferences"))

    site.post(path("preferences"), form_of(answer, *sorted(ticked(answer))))

    assert site.taken == []


def test_pressed_twice_it_is_said_once() -> None:
    site = Site()
    form = form_of(site.get(path("preferences")), "email:news")

    site.post(path("preferences"), form)
    site.post(path("preferences"), form)

    assert len(site.taken) == 6
    assert len({event.id for event in site.taken}) == 3


def test_a_change_of_mind_counts_before_the_first_is_known_here() -> None:
    site = Site()
    first = site.post(
        path("preferences"),
        form_of(site.get(path("preferences")), "email:news", "sms:news", "sms:offers"),
    )
    site.now += timedelta(seconds=1)

    every = ("email:news", "email:offers", "sms:news", "sms:offers")
    site.post(path("preferences"), form_of(first, *every))

    site.desk.believe()
    assert site.desk.permissions("ada").granted() == set(OFFERS.choices())


def test_everything_can_be_turned_off_and_on_again() -> None:
    site = Site()

    off = site.post(path("preferences"), {"do": "everything"})

    [event] = site.taken
    assert event.name == "message.unsubscribed"
    assert event.properties == {"delivery_id": "d" * 24, "source": "preferences"}
    assert ticked(off) == set()
    assert "unsubscribed from everything" in read(off).text

    site.desk.believe()
    shown = site.get(path("preferences"))
    assert "unsubscribed from everything" in read(shown).text
    site.now += timedelta(minutes=1)
    site.post(path("preferences"), form_of(shown, "email:news"))
    site.desk.believe()
    assert site.desk.permissions("ada").granted() == {("email", "news")}


def test_there_and_back_and_there_within_a_second_ends_there() -> None:
    site = Site()
    none = form_of(site.get(path("preferences")))
    all_of = {**none, "choice": [f"{c}:{t}" for c, t in OFFERS.choices()]}

    for form in (none, {**all_of, "shown": ""}, none):
        site.post(path("preferences"), form)
        site.desk.believe()
        site.now += timedelta(milliseconds=300)

    assert len({event.id for event in site.taken}) == len(site.taken)
    page = site.get(path("preferences"))
    assert ticked(page) == set()


def test_nobody_chooses_what_isnt_offered() -> None:
    site = Site()
    form = form_of(
        site.get(path("preferences")), "letter:news", "email", "::", "email:x y"
    )

    site.post(path("preferences"), form)

    said = {
        (event.properties.get("channel"), event.properties.get("topic"))
        for event in site.taken
    }
    assert said == set(OFFERS.choices())  # a no to each of those


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("", id="empty"),
        pytest.param("List-Unsubscribe=One-Click", id="one-click"),
        pytest.param("x=y", id="another-form"),
        pytest.param("do=save&choice=email:news", id="cut-off"),
        pytest.param("do=save&shown=&choice=é".encode(), id="not-ascii"),
        pytest.param("do=save&shown=" + "&choice=email:news" * 300, id="too-many"),
        pytest.param(
            '--x\r\nContent-Disposition: form-data; name="do"', id="multipart"
        ),
    ],
)
def test_what_is_no_form_of_ours_withdraws_nothing(body: object) -> None:
    site = Site()

    answer = site.post(path("preferences"), body)

    assert answer.status == 400
    assert ticked(answer) == {f"{c}:{t}" for c, t in OFFERS.choices()}
    assert "saved" not in read(answer).text
    assert site.taken == []


def test_whoever_unticks_all_there_is_has_said_so() -> None:
    site = Site()

    answer = site.post(path("preferences"), form_of(site.get(path("preferences"))))

    assert answer.status == 200
    assert "Your preferences are saved." in read(answer).text
    assert [event.properties["granted"] for event in site.taken] == [False] * 4


def test_whoever_had_nothing_may_tick_something() -> None:
    site = Site(Desk(Consent(False, 1)))

    shown = form_of(site.get(path("preferences")), "email:news")
    answer = site.post(path("preferences"), shown)

    assert shown["shown"] == ""
    assert answer.status == 200
    assert site.taken[0].properties["granted"] is True


def test_what_isnt_confirmed_yet_is_marked() -> None:
    rules = Permissions().offers.rules.__class__(
        [{"default": "refuse", "channel": None, "topic": None, "purpose": "all"}]
    )
    asked = Consent(False, 1, "email", "news", MARKETING, pending=True)
    site = Site(Desk(asked, offers=OFFERS._replace(rules=rules)))

    answer = site.get(path("preferences"))

    assert ticked(answer) == set()
    assert read(answer).text.count("not confirmed yet") == 1


def test_who_cant_be_looked_up_is_not_shown_a_guess() -> None:
    site = Site()
    site.desk.unread = StoreFull("full")

    assert site.get(path("preferences")).status == 503
    assert site.post(path("preferences"), {"do": "save"}).status == 503
    assert site.taken == []


def test_preferences_are_offered_for_as_long_as_the_message_offers_them() -> None:
    site = Site()

    answer = site.post(path("unsubscribe"), ONE_CLICK)

    [anchor] = read(answer).all("a")
    assert anchor["href"].startswith("../p/")
    assert site.get(anchor["href"].removeprefix("..")).status == 200
    site.now += timedelta(days=90)
    assert read(site.post(path("unsubscribe"), ONE_CLICK)).all("a") == []


# Confirming


ASKED = Consent(False, 1_000, "email", "news", MARKETING, pending=True)
YES = {"do": "confirm"}


def test_a_button_confirms() -> None:
    site = Site(Desk(ASKED))

    asked = site.get(path("confirm"))
    done = site.post(path("confirm"), YES)
    site.post(path("confirm"), YES)

    assert "Please confirm" in read(asked).text
    assert "that is confirmed" in read(done).text
    first, second = site.taken
    assert first.id == second.id
    assert first.name == "consent.confirmed"
    assert first.properties == {
        "delivery_id": "d" * 24,
        "channel": "email",
        "topic": "news",
        "source": "confirmation",
    }


def test_what_was_confirmed_before_is_confirmed() -> None:
    site = Site(Desk(Consent(True, 1_000, "email", "news", MARKETING)))

    done = site.post(path("confirm"), YES)

    assert "that is confirmed" in read(done).text
    assert site.taken == []


@pytest.mark.parametrize(
    "said",
    [
        pytest.param([], id="nobody-asked"),
        pytest.param(
            [Consent(False, 2_000, "email", "news", MARKETING)], id="unsubscribed"
        ),
        pytest.param(
            [ASKED, Consent(False, 2_000, "email", "news", MARKETING)],
            id="unsubscribed-since",
        ),
        pytest.param(
            [Consent(False, 1_000, "sms", "news", MARKETING, pending=True)],
            id="for-another-channel",
        ),
    ],
)
def test_nobody_is_told_of_a_consent_that_there_is_not(said: list[Consent]) -> None:
    site = Site(Desk(*said))

    done = site.post(path("confirm"), YES)

    page = read(done)
    assert "There is nothing to confirm" in page.text
    assert "is confirmed" not in page.text
    assert [anchor["href"][:5] for anchor in page.all("a")] == ["../p/"]
    assert site.taken == []


def test_a_later_request_can_be_confirmed_by_the_same_link() -> None:
    site = Site(Desk(ASKED))
    site.post(path("confirm"), YES)

    site.desk.said = [Consent(False, 5_000, "email", "", MARKETING, pending=True)]
    site.post(path("confirm"), YES)

    first, second = site.taken
    assert first.id != second.id


def test_nothing_is_confirmed_while_nobody_can_be_looked_up() -> None:
    site = Site(Desk(ASKED))
    site.desk.unread = StoreFull("full")

    assert site.get(path("confirm")).status == 200
    assert site.post(path("confirm"), YES).status == 503
    assert site.taken == []


# Clicks and opens


def test_a_click_leads_on_and_is_counted() -> None:
    site = Site()

    answer = site.get(path("click"))

    assert answer.status == 302
    assert answer.headers["Location"] == "https://shop.example.com/cart?id=7"
    [event] = site.taken
    assert event.name == "message.clicked"
    assert event.properties == {
        "delivery_id": "d" * 24,
        "channel": "email",
        "topic": "news",
        "link": "https://shop.example.com/cart?id=7",
    }


def test_it_leads_nowhere_else() -> None:
    site = Site()

    answer = site.door.answer(
        Request(
            method="GET",
            path=path("click"),
            headers={**BROWSER, "host": "evil.example", "x-forwarded-host": "evil"},
            url=f"http://evil.example{path('click')}?url=https://evil.example",
        )
    )

    assert answer.headers["Location"] == "https://shop.example.com/cart?id=7"


def test_a_look_at_the_head_is_no_click() -> None:
    site = Site()

    assert site.get(path("click"), method="HEAD").status == 302
    assert site.get(path("open"), method="HEAD").status == 200
    assert site.taken == []


@pytest.mark.parametrize(
    ("headers", "ago"),
    [
        ({"user-agent": "Barracuda Sentinel (EE)"}, timedelta(hours=1)),
        ({"user-agent": "python-requests/2.32"}, timedelta(hours=1)),
        (BROWSER, timedelta(0)),
        ({**BROWSER, "sec-purpose": "prefetch"}, timedelta(hours=1)),
    ],
    ids=["scanner", "program", "too fast", "ahead"],
)
def test_what_a_machine_follows_is_marked(
    headers: Mapping[str, str], ago: timedelta
) -> None:
    site = Site()

    answer = site.get(path("click", at=NOON - ago), headers)

    assert answer.status == 302
    [event] = site.taken
    assert event.properties["automated"] is True
    assert event.properties["machine"]


def test_a_link_counts_once_a_minute() -> None:
    site = Site()

    for _ in range(5):
        site.get(path("click"))
    site.now += timedelta(minutes=1)
    site.get(path("click"))
    site.get(path("click", delivery_id="e" * 24))

    assert len(site.taken) == len({event.id for event in site.taken}) == 3


def test_who_clicks_is_led_on_although_it_cant_be_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    site = Site()
    site.desk.error = Busy("full")

    assert site.get(path("click")).status == 302
    assert "not counted" in caplog.text

    site.desk.error = None
    site.get(path("click"))
    assert len(site.taken) == 1


def test_a_picture_tells_that_a_message_was_opened() -> None:
    site = Site()

    answer = site.get(path("open"))

    assert answer.headers["Content-Type"] == "image/gif"
    assert answer.body.startswith(b"GIF89a")
    [event] = site.taken
    assert event.name == "message.opened"
    assert "automated" not in event.properties


# What browsers are told


@pytest.mark.parametrize("kind", ["unsubscribe", "preferences", "confirm"])
def test_a_page_loads_nothing_runs_nothing_and_tells_nobody(kind: str) -> None:
    answer = Site().get(path(kind))

    policy = dict(
        part.strip().split(" ", 1)
        for part in answer.headers["Content-Security-Policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert policy["form-action"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert re.fullmatch(r"'sha256-[A-Za-z0-9+/]{43}='", policy["style-src"])
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert "noindex" in answer.headers["X-Robots-Tag"]
    page = read(answer)
    assert page.all("script") == []
    assert not any("style" in attributes for _, attributes in page.tags)
    assert not any(name.startswith("on") for _, found in page.tags for name in found)
    assert all(form == {"method": "post"} for form in page.all("form"))


def test_names_are_no_html() -> None:
    evil = "<script>alert(1)</script>\"'&"
    offers = Offers(("email", "<b>"), (Topic("news", evil),))
    site = Site(
        Desk(offers=offers),
        LinkSettings(
            url=URL, secret=SECRET, brand=evil, logo="https://x.example/<>.png"
        ),
    )

    for kind in ("unsubscribe", "preferences", "confirm"):
        page = read(site.get(path(kind)))
        assert page.all("script") == []
        assert page.all("b") == []
        assert evil in page.text


def test_a_logo_is_loaded_from_its_own_place_only() -> None:
    site = Site(
        settings=LinkSettings(url=URL, secret=SECRET, logo="https://x.example/a.png")
    )

    answer = site.get(path("unsubscribe"))

    assert (
        "img-src data: https://x.example;" in answer.headers["Content-Security-Policy"]
    )
    assert read(answer).all("img") == [{"src": "https://x.example/a.png", "alt": ""}]


@given(st.integers(0, 0xFFFFFF))
def test_the_text_on_a_button_stands_out_from_any_color(number: int) -> None:
    def light(hex: str) -> float:
        found = []
        for at in (0, 2, 4):
            part = int(hex[at : at + 2], 16) / 255
            found.append(
                part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
            )
        return 0.2126 * found[0] + 0.7152 * found[1] + 0.0722 * found[2]

    style = Look(Brand(color=f"#{number:06x}")).style

    accent = re.findall("--accent:#([0-9a-f]{6});", style)[0]
    ink = {"fff": "ffffff", "000": "000000"}[re.findall("--on:#([0-9a-f]+);", style)[0]]
    high, low = sorted([light(accent), light(ink)], reverse=True)
    assert (high + 0.05) / (low + 0.05) >= 4.5


# Languages


@pytest.mark.parametrize("language", sorted(WORDING))
def test_a_page_is_in_the_language_of_the_message(language: str) -> None:
    site = Site()

    answer = site.get(path("preferences", locale=f"{language}-XX"))

    page = read(answer)
    [html] = page.all("html")
    assert html == {"lang": language, "dir": "rtl" if language == "ar" else "ltr"}
    assert WORDING[language].preferences in page.text


@pytest.mark.parametrize("language", sorted(WORDING))
def test_every_language_says_everything(language: str) -> None:
    words, english = WORDING[language], WORDING["en"]

    for name in Wording._fields:
        said = getattr(words, name)
        assert said, name
        if language != "en" and name != "channels" and len(english.save) < len(said):
            assert said != getattr(english, name)
    assert set(words.channels) == set(english.channels)


@pytest.mark.parametrize(
    ("locale", "header", "language"),
    [
        ("de-CH", "fr", "de"),
        ("de_AT", "", "de"),
        ("tlh", "fr-CA,en;q=0.5", "fr"),
        ("", "en;q=0.1, pt-BR;q=0.9", "pt"),
        ("", "xx, *;q=0.5", "en"),
        ("", "de;q=0, nl;q=0.1", "nl"),
        ("", "de;q=much", "en"),
        ("", "", "en"),
    ],
)
def test_the_best_language_is_found(locale: str, header: str, language: str) -> None:
    assert language_for(locale, header) == language


@given(st.text(max_size=50), st.text(max_size=700))
def test_any_header_gets_a_language(locale: str, header: str) -> None:
    assert language_for(locale, header) in WORDING


# Logs


def test_no_token_and_no_customer_stands_in_the_log() -> None:
    site = Site()

    for kind in ("unsubscribe", "preferences", "confirm", "click", "open"):
        assert site.door.shown(path(kind)) == path(kind)[:3] + "-"
        assert site.door.shown(path(kind) + "/more") == "-"
    assert site.door.shown("/metrics") == "/metrics"


def test_what_goes_wrong_is_logged_without_a_token(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    site = Site()
    site.desk.error = Busy("full")
    site.desk.unread = StoreFull("full")

    for kind in ("unsubscribe", "preferences", "confirm", "click"):
        whole = path(kind)
        site.get(whole)
        site.post(whole, ONE_CLICK)
        site.get(whole[:-1])

        assert whole[3:30] not in caplog.text
    assert "ada" not in caplog.text


def test_a_token_may_be_as_long_as_one_gets() -> None:
    site = Site()
    long = LINKS.tracked(message(), "https://shop.example.com/" + "x" * 2_000)

    assert long.startswith(f"{URL}/l/")
    assert site.get(long.removeprefix(URL)).status == 302


def test_a_customer_of_any_name_can_leave() -> None:
    site = Site()
    token = LINKS.token(Link(kind="unsubscribe", customer="Zoë 7/8\u202e", at=NOON))

    assert site.post(f"/u/{token}", ONE_CLICK).status == 200
    assert [event.customer for event in site.taken] == ["Zoë 7/8\u202e"]
