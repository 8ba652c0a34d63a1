"""The report in a real browser: wide and narrow, dark, on paper, by ear."""

from __future__ import annotations

import base64

import pytest
from tests.chromium import CONTRASTS, IN_CHROMIUM, Tab
from tests.insight.report.test_report import MADE, looked

from journeykit.insight.report.write import report

pytestmark = IN_CHROMIUM


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("reported")
    found = looked(folder)
    for name, rtl in (("ltr", False), ("rtl", True)):
        html = report(found, made_at=MADE, rtl=rtl)
        (folder / f"{name}.html").write_text(html, "utf-8")
    return folder.as_uri()


def shown(
    tab: Tab, url: str, *, width: int = 1280, dark: bool = False, paper: bool = False
) -> None:
    tab.resize(width, 900)
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    tab.call(
        "Emulation.setEmulatedMedia", media="print" if paper else "", features=[scheme]
    )
    tab.open(url)


@pytest.mark.parametrize("direction", ["ltr", "rtl"])
@pytest.mark.parametrize("width", [320, 360, 640, 820, 1280, 1920])
def test_the_page_never_scrolls_sideways_and_nobody_complains(
    tab: Tab, page: str, width: int, direction: str
) -> None:
    shown(tab, f"{page}/{direction}.html", width=width)

    assert tab.ask("document.documentElement.scrollWidth") <= width
    assert tab.complaints == []


# Words of a drawing that is shown and reach beyond it, or overlap each other.
WORDS = """(() => {
    const wrong = [];
    for (const svg of document.querySelectorAll('figure svg')) {
        const frame = svg.getBoundingClientRect();
        if (!frame.width) continue;
        const boxes = [...svg.querySelectorAll('text')].map((one) =>
            [one.firstChild.data, one.getBoundingClientRect()]);
        for (const [text, box] of boxes)
            if (box.left < frame.left - 1.5 || box.right > frame.right + 1.5)
                wrong.push('beyond: ' + text);
        for (const [n, [text, a]] of boxes.entries())
            for (const [other, b] of boxes.slice(n + 1))
                if (a.left + 1 < b.right && b.left + 1 < a.right &&
                    a.top + 4 < b.bottom && b.top + 4 < a.bottom)
                    wrong.push('over: ' + text + ' | ' + other);
    }
    return wrong;
})()"""


@pytest.mark.parametrize("direction", ["ltr", "rtl"])
@pytest.mark.parametrize("width", [360, 1280])
def test_no_words_of_a_chart_overlap_or_are_cut(
    tab: Tab, page: str, width: int, direction: str
) -> None:
    shown(tab, f"{page}/{direction}.html", width=width)

    assert tab.ask(WORDS) == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_all_words_stand_out_from_what_is_behind_them(
    tab: Tab, page: str, dark: bool
) -> None:
    shown(tab, f"{page}/ltr.html", dark=dark)
    # Of drawings the color is in `fill`; the browser says it in `color` only of HTML.
    contrasts = CONTRASTS.replace("'body *'", "'body *:not(svg *)'")

    assert tab.ask(contrasts)[0] >= 4.5


@pytest.mark.parametrize(("width", "seen"), [(360, "small"), (1280, "wide")])
def test_one_of_the_two_drawings_of_a_chart_is_shown(
    tab: Tab, page: str, width: int, seen: str
) -> None:
    shown(tab, f"{page}/ltr.html", width=width)

    counts = {
        kind: tab.ask(
            f"[...document.querySelectorAll('.draw.{kind}')]"
            ".filter((one) => one.offsetWidth).length"
        )
        for kind in ("small", "wide")
    }
    assert counts[seen] > 5
    assert counts[{"small": "wide", "wide": "small"}[seen]] == 0


def test_a_screen_reader_finds_each_chart_by_its_name_and_what_it_shows(
    tab: Tab, page: str
) -> None:
    shown(tab, f"{page}/ltr.html")

    spoken = tab.spoken()

    charts = [name for role, name in spoken if role in ("image", "img")]
    assert any("What became of runs" in name for name in charts)
    assert any(role == "main" for role, _ in spoken)
    assert ("link", "To the figures") in spoken
    assert all(name for role, name in spoken if role in ("image", "img", "region"))


def test_the_first_key_leads_past_the_contents(tab: Tab, page: str) -> None:
    shown(tab, f"{page}/ltr.html")

    tab.press("Tab")

    assert tab.ask("document.activeElement.getAttribute('href')") == "#content"
    assert tab.ask("document.activeElement.getBoundingClientRect().left") >= 0


def test_beside_the_picture_of_the_stages_its_list_is_heard_whole_and_takes_no_key(
    chromium: Tab, page: str
) -> None:
    shown(chromium, f"{page}/ltr.html", width=1280)

    folded = "#stages-list .jk-notes"
    assert chromium.ask(f"document.querySelectorAll('{folded}').length") == 1
    assert any("Friction:" in name for _, name in chromium.spoken())
    passed = []
    for _ in range(40):
        chromium.press("Tab")
        passed.append(chromium.ask("document.activeElement.closest('section')?.id"))
    assert "stages" in passed  # its picture takes one
    within = "document.activeElement.closest('#stages-list') !== null"
    chromium.ask(f"document.querySelector('{folded} summary').focus()")
    assert chromium.ask(within) is False


def test_from_right_to_left_good_and_bad_keep_their_marks(tab: Tab, page: str) -> None:
    shown(tab, f"{page}/rtl.html")
    mark = """state => {
      const list = document.createElement('ul')
      list.className = 'first'
      document.querySelector('main').append(list)
      const one = document.createElement('li')
      one.className = state
      list.append(one)
      return getComputedStyle(one, '::before').content
    }"""

    marks = [tab.ask(f"({mark})('{state}')") for state in ("good", "bad", "")]

    assert marks == ['"✓"', '"✗"', '"←"']


def test_on_paper_a_map_that_is_folded_up_is_there(tab: Tab, page: str) -> None:
    shown(tab, f"{page}/ltr.html", width=690, paper=True)
    folded = """(() => {
      const map = document.querySelector('#j-cart .jk-fit')
      const details = document.createElement('details')
      details.className = 'jk-keep'
      map.parentNode.replaceChild(details, map)
      details.append(map)
      return map.checkVisibility({contentVisibilityAuto: true})
             && map.getBoundingClientRect().height > 100
    })()"""

    assert tab.ask(folded) is True


def test_on_paper_nothing_is_wider_than_the_page(tab: Tab, page: str) -> None:
    shown(tab, f"{page}/ltr.html", width=690, paper=True)

    assert tab.ask("document.documentElement.scrollWidth") <= 690
    assert tab.ask("getComputedStyle(document.querySelector('nav')).display") == (
        "none"
    )
    assert tab.ask("getComputedStyle(document.body).backgroundColor") == (
        "rgb(255, 255, 255)"
    )
    paper = tab.call("Page.printToPDF", preferCSSPageSize=True)
    assert base64.b64decode(paper["data"]).startswith(b"%PDF")
