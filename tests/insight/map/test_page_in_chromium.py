"""The page of maps in a real browser: small, large, on paper, by keyboard, in the dark."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path

import pytest
from tests.chromium import CONTRASTS, IN_CHROMIUM, Tab
from tests.insight.map.test_pictures import MANY, nasty_map
from tests.insight.recording import record

from journeykit.insight.coverage import Coverage, Gap
from journeykit.insight.flow import flow
from journeykit.insight.map.page import journey_section, page, stage_section
from journeykit.insight.stages import PersonaRow, StageMove
from journeykit.insight.warehouse import Warehouse
from journeykit.testing import make_event

pytestmark = IN_CHROMIUM


@pytest.fixture(scope="module", params=[False, True], ids=["ltr", "rtl"])
def url(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> str:
    folder = tmp_path_factory.mktemp("page")
    events = [
        make_event("x", f"c{n}", at="2026-06-01T12:00:00Z", kind="a" if n < 3 else "b")
        for n in range(10)
    ]
    lacks = Coverage(
        definition="A gap.", gaps=(Gap(kind="friction", subject="x", says="It lacks."),)
    )
    with Warehouse.open(record(folder, MANY, events)) as house:
        counts = flow(house, MANY)
    sections = [
        ("stages", "Stages", stage_section(nasty_map(), lacks, rtl=request.param)),
        ("j-many", "Many", journey_section(MANY, counts, rtl=request.param)),
    ]
    html = page(
        sections, title="Maps", subtitle="of tests", doubts=["Mind."], rtl=request.param
    )
    path = Path(folder / "map.html")
    path.write_text(html, "utf-8")
    return path.as_uri()


def test_the_browser_has_nothing_to_complain_of(tab: Tab, url: str) -> None:
    tab.open(url)

    assert tab.complaints == []
    assert tab.ask("document.scripts.length") == 0


@pytest.mark.parametrize("width", [320, 390, 768, 1280], ids=str)
def test_it_is_never_wider_than_the_screen(width: int, tab: Tab, url: str) -> None:
    tab.resize(width, 800)
    tab.open(url)

    assert tab.ask("document.documentElement.scrollWidth") <= width


def test_on_a_phone_the_table_is_cards_and_the_stages_a_list(
    tab: Tab, url: str
) -> None:
    tab.resize(390, 800)
    tab.open(url)

    row = "getComputedStyle(document.querySelector('.jk-steps tbody tr')).display"
    assert tab.ask(row) == "block"
    wide = "getComputedStyle(document.querySelector('.jk-wide')).display"
    assert tab.ask(wide) == "none"
    assert tab.ask("document.querySelectorAll('.jk-stages > li').length") == 5


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_stand_out_from_the_ground(scheme: str, tab: Tab, url: str) -> None:
    tab.call(
        "Emulation.setEmulatedMedia",
        features=[{"name": "prefers-color-scheme", "value": scheme}],
    )
    tab.open(url)

    # Those of SVG have no background of their own; their colors are the same ones.
    outside = CONTRASTS.replace("'body *'", "'body *:not(svg, svg *)'")
    assert tab.ask(outside)[0] >= 4.5


def test_a_screen_reader_finds_the_table_on_a_phone_as_well(tab: Tab, url: str) -> None:
    tab.resize(390, 800)
    tab.open(url)

    spoken = tab.spoken()

    roles = [role for role, _ in spoken]
    assert "table" in roles
    assert roles.count("rowheader") >= 6
    assert ("heading", "The customer journey") in spoken
    assert any(
        role == "group" and "Map of the journey" in name for role, name in spoken
    )


def test_by_keyboard_a_card_leads_to_its_row(tab: Tab, url: str) -> None:
    tab.open(url)
    found = "document.activeElement.closest('svg a') !== null"
    for _ in range(30):
        tab.press("Tab")
        if tab.ask(found):
            break
    assert tab.ask(found)
    target = tab.ask("document.activeElement.getAttribute('href')")

    tab.press("Enter")

    assert tab.ask("location.hash") == target
    assert tab.ask("document.querySelector(':target').tagName") == "TR"


def test_words_in_cards_have_the_room_that_they_need(tab: Tab, url: str) -> None:
    tab.open(url)

    beyond = """[...document.querySelectorAll('.jk-map svg a')].flatMap((card) => {
        const box = card.querySelector('rect, polygon').getBoundingClientRect();
        return [...card.querySelectorAll('text')].filter((text) => {
            const at = text.getBoundingClientRect();
            return at.left < box.left - 1 || at.right > box.right + 1;
        }).map((text) => text.textContent);
    })"""
    assert tab.ask(beyond) == []


def test_it_prints_light_on_paper_that_is_as_wide(tab: Tab, url: str) -> None:
    tab.call(
        "Emulation.setEmulatedMedia",
        media="print",
        features=[{"name": "prefers-color-scheme", "value": "dark"}],
    )
    tab.resize(718, 1000)  # A4 between margins of 10 mm, in CSS pixels
    tab.open(url)

    assert tab.ask("getComputedStyle(document.body).backgroundColor") == (
        "rgb(255, 255, 255)"
    )
    assert tab.ask("document.documentElement.scrollWidth") <= 718
    printed = tab.call("Page.printToPDF", preferCSSPageSize=True)["data"]
    assert base64.b64decode(printed).startswith(b"%PDF")


# How small the letters of the first picture are, and how much of it is out of sight.
SHRUNK = """(() => {
  const map = document.querySelector('.jk-fit>svg:not(.jk-least)')
  const scroll = map.closest('.jk-scroll')
  return [12 * map.getBoundingClientRect().width / map.viewBox.baseVal.width,
          scroll.scrollWidth - scroll.clientWidth]
})()"""


@pytest.mark.parametrize("width", [1280, 1100])
def test_the_stages_shrink_to_their_column_while_letters_can_be_read(
    width: int, tab: Tab, url: str
) -> None:
    tab.resize(width, 900)
    tab.open(url)

    letters, beyond = tab.ask(SHRUNK)
    assert letters >= 10
    assert beyond <= 1


def test_where_letters_would_be_too_small_the_stages_are_scrolled(
    tab: Tab, url: str
) -> None:
    tab.resize(710, 900)
    tab.open(url)

    letters, beyond = tab.ask(SHRUNK)
    assert letters == pytest.approx(10, abs=0.1)
    assert beyond > 30


def test_on_paper_no_picture_is_cut(tab: Tab, url: str) -> None:
    tab.call("Emulation.setEmulatedMedia", media="print", features=[])
    tab.resize(718, 1000)
    tab.open(url)

    letters, beyond = tab.ask(SHRUNK)
    assert beyond <= 0
    assert letters > 9  # CSS pixels: seven points


def test_notes_of_a_touchpoint_unfold_by_key_and_are_always_on_paper(
    tab: Tab, url: str
) -> None:
    tab.resize(390, 800)
    tab.open(url)
    shown = "document.querySelector('.jk-notes p').checkVisibility()"
    assert tab.ask(shown) is False

    tab.ask("document.querySelector('.jk-notes summary').focus()")
    tab.press("Enter")
    assert tab.ask(shown) is True

    tab.press("Enter")
    tab.call("Emulation.setEmulatedMedia", media="print", features=[])
    assert tab.ask(shown) is True


def test_on_a_phone_no_table_of_the_stages_is_scrolled_sideways(
    tab: Tab, tmp_path: Path
) -> None:
    moved = replace(
        nasty_map(),
        moves=(
            StageMove(
                source="consideration", target="conversion", count=12_345, people=6_789
            ),
        ),
        personas=(
            PersonaRow(
                id="nia",
                name="New-in-town Nia",
                segment="new",
                people=9_876,
                stages={"consideration": 9_000, "conversion": 876},
            ),
        ),
    )
    sections = [("stages", "Stages", stage_section(moved))]
    path = tmp_path / "map.html"
    path.write_text(page(sections, title="Maps", subtitle="of tests"), "utf-8")

    tab.resize(390, 800)
    tab.open(path.as_uri())

    beyond = """[...document.querySelectorAll('.jk-scroll:has(table)')].map(
        (one) => one.scrollWidth - one.clientWidth)"""
    assert tab.ask(beyond) == [0, 0]
    head = "document.querySelectorAll('.jk-flat td')[2].dataset.head"
    assert tab.ask(head) == "consideration"
