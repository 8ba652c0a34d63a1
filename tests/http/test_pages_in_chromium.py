"""The pages in a real browser: by keyboard alone, without scripts, small, large, in the dark."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.chromium import CONTRASTS, FOCUSED, IN_CHROMIUM, Tab
from tests.http.test_pages import LINKS, NOON, OFFERS, SECRET, Desk, message

from journeykit.links import LinkSettings
from journeykit.local.door import Door
from journeykit.local.http_server import DoorServer

pytestmark = IN_CHROMIUM

KINDS = ("unsubscribe", "preferences", "confirm")


class Site:
    """A door on a socket."""

    def __init__(self, desk: Desk, url: str) -> None:
        self.desk = desk
        self.url = url

    def page(self, kind: str, **more: object) -> str:
        made = LINKS.of(message(**more))[kind]
        return made.replace(LINKS.url, self.url)


@pytest.fixture
def site() -> Iterator[Site]:
    desk = Desk(offers=OFFERS)
    settings = LinkSettings(url="http://127.0.0.1", secret=SECRET, brand="Ada & Co")
    door = Door(desk, clock=lambda: NOON, links=settings, workspace="shop")
    with DoorServer(door, port=0) as server:
        yield Site(desk, f"http://127.0.0.1:{server.port}")


def tabbed(tab: Tab, count: int) -> list[str]:
    found = []
    for _ in range(count):
        tab.press("Tab")
        found.append(tab.ask(FOCUSED))
    return found


def test_somebody_leaves_by_the_keyboard_alone(tab: Tab, site: Site) -> None:
    tab.open(site.page("unsubscribe"))

    assert tabbed(tab, 2) == ["this", "everything"]
    tab.open(site.page("unsubscribe"))
    assert tabbed(tab, 1) == ["this"]
    tab.press("Enter")
    tab.until("Page.loadEventFired")

    assert tab.ask("document.title") == "You are unsubscribed"
    assert [event.name for event in site.desk.taken] == ["message.unsubscribed"]
    assert ("status", "") in [(role, "") for role, _ in tab.spoken()]
    assert tab.complaints == []


def test_preferences_are_chosen_by_the_keyboard_alone(tab: Tab, site: Site) -> None:
    tab.open(site.page("preferences"))

    boxes = ["email:news", "sms:news", "email:offers", "sms:offers"]
    assert tabbed(tab, 6) == [*boxes, "save", "everything"]
    tab.open(site.page("preferences"))
    tabbed(tab, 2)
    tab.press(" ")
    tabbed(tab, 3)
    tab.press("Enter")
    tab.until("Page.loadEventFired")

    [event] = site.desk.taken
    said = event.properties
    assert (said["granted"], said["channel"], said["topic"]) == (False, "sms", "news")
    assert tab.ask("document.title").startswith("Your preferences are saved.")
    state = "[...document.querySelectorAll('[type=checkbox]')].map(b => b.checked)"
    assert tab.ask(state) == [True, False, True, True]
    assert tab.complaints == []


def test_everything_is_named_for_a_screen_reader(tab: Tab, site: Site) -> None:
    tab.open(site.page("preferences"))

    spoken = tab.spoken()

    assert ("heading", "Your preferences") in spoken
    assert [name for role, name in spoken if role == "group"] == ["Our news", "offers"]
    boxes = [name for role, name in spoken if role == "checkbox"]
    assert boxes == ["E-mail", "SMS"] * 2
    buttons = [name for role, name in spoken if role == "button"]
    assert buttons == ["Save", "Unsubscribe from everything"]


@pytest.mark.parametrize("language", ["en", "de", "ar", "pl"])
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_cut_off_on_a_narrow_screen(
    tab: Tab, site: Site, kind: str, language: str
) -> None:
    # 1280 pixels at 400 % are 320 (WCAG 2.2, 1.4.10).
    tab.resize(320, 256, scale=4)
    tab.open(site.page(kind, locale=language))

    assert tab.ask("document.documentElement.scrollWidth") <= 320
    small = "[...document.querySelectorAll('button,label')].map(b => b.offsetHeight)"
    assert min(tab.ask(small), default=44) >= 44  # a thumb's
    wanted = "rtl" if language == "ar" else "ltr"
    assert tab.ask("getComputedStyle(document.body).direction") == wanted


def test_a_font_twice_as_large_has_its_place(tab: Tab, site: Site) -> None:
    tab.resize(320, 480)
    tab.open(site.page("preferences", locale="de"))

    tab.ask("document.documentElement.style.fontSize = '200%'")

    assert tab.ask("document.documentElement.scrollWidth") <= 320


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("kind", KINDS)
def test_text_stands_out(tab: Tab, site: Site, kind: str, scheme: str) -> None:
    tab.call(
        "Emulation.setEmulatedMedia",
        features=[{"name": "prefers-color-scheme", "value": scheme}],
    )
    tab.open(site.page(kind))

    found = tab.ask(CONTRASTS)

    assert len(found) >= 4
    assert found[0] >= 4.5
    assert tab.complaints == []
