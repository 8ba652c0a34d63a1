"""The answer page: GET asks and records nothing, POST answers, once a message."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, strategies as st
from tests.chromium import CONTRASTS, FOCUSED, IN_CHROMIUM, Tab
from tests.http.test_pages import LINKS, NOON, SECRET, URL, Desk, Site, message

from journeykit.content.composer import survey_links
from journeykit.errors import StoreFull
from journeykit.http.door import Busy
from journeykit.http.preferences import Offers, offers_of
from journeykit.http.surveys import WORDS, in_language
from journeykit.http.wording import WORDING
from journeykit.links import LinkSettings
from journeykit.local.door import Door
from journeykit.local.http_server import DoorServer
from journeykit.model.surveys import MAX_TEXT, SURVEY_KINDS

NPS = {"survey": "checkout", "asks": "nps"}


def path(**more: Any) -> str:
    return LINKS.of(message(**{**NPS, **more}))["survey"].removeprefix(URL)


def ask(site: Site, query: str = "", **more: Any) -> str:
    from journeykit.http.messages import Request

    where = path(**more)
    answer = site.door.answer(
        Request(method="GET", path=where, url=f"{URL}{where}{query}")
    )
    assert answer.status == 200
    return answer.body.decode()


def said(answer: Any) -> str:
    return str(answer.body.decode())


# --- asking ------------------------------------------------------------------------------


def test_whoever_follows_a_link_is_asked_and_nothing_is_recorded() -> None:
    site = Site()

    page = ask(site, "?score=9")

    assert "How likely are you to recommend us to a friend?" in page
    assert page.count('type="radio"') == 11
    assert 'value="9" required checked' in page
    assert page.count("checked>") == 1
    assert site.taken == []


@pytest.mark.parametrize("query", ["", "?score=", "?score=11", "?score=<b>", "?a" * 99])
def test_a_link_without_a_score_of_the_scale_chooses_none(query: str) -> None:
    page = ask(Site(), query)

    assert "checked>" not in page
    assert "<b>" not in page


@pytest.mark.parametrize(
    ("kind", "scores"), [("nps", 11), ("csat", 5), ("ces", 7), ("text", 0)]
)
def test_each_kind_has_its_scale(kind: str, scores: int) -> None:
    page = ask(Site(), asks=kind)

    assert page.count('type="radio"') == scores
    assert page.count("<textarea") == 1
    assert ("required>\n</textarea>" in page) == (kind == "text")


def test_the_page_asks_the_authors_own_question() -> None:
    own = {"": "How was it?", "de": "Wie war's <heute>?", "pt-br": "Como foi?"}
    site = Site(Desk(offers=Offers(questions={("checkout", "nps"): own})))

    assert '<h1 dir="auto">How was it?</h1>' in ask(site)
    assert '<h1 dir="auto">Wie war&#x27;s &lt;heute&gt;?</h1>' in ask(
        site, locale="de-CH"
    )
    assert '<h1 dir="auto">Como foi?</h1>' in ask(site, locale="pt-BR")
    assert '<h1 dir="auto">How was it?</h1>' in ask(site, locale="fr")


def test_a_link_of_an_earlier_version_does_not_ask_the_new_question() -> None:
    site = Site(Desk(offers=Offers(questions={("checkout", "csat"): "Happy?"})))

    page = ask(site)

    assert "Happy?" not in page
    assert "<h1>How likely are you to recommend us to a friend?</h1>" in page


def test_a_question_is_found_whether_or_not_customers_can_be_looked_up() -> None:
    desk = Desk()
    desk.unread = StoreFull("the store can't be read")

    assert "How likely" in ask(Site(desk))


def test_questions_are_those_of_the_published_surveys() -> None:
    from journeykit import Branch, Journey, Policies, Survey, When, on
    from journeykit.ports import CatalogDocument

    deep = Survey(
        "sms", "x", kind="text", survey="exit-poll", question={"de": "Warum?"}
    )
    made = Journey(
        "checkout",
        trigger=on("bought"),
        steps=[
            Survey("email", "x", kind="nps", question="Well?"),
            Branch([When("profile.a == 1", [deep])]),
        ],
    )
    document = CatalogDocument(
        revision=1,
        at=0,
        release="",
        journeys=[made.to_plan()],
        policies=Policies().to_plan(),
    )

    offers = offers_of(document, ())

    assert offers.questions == {
        ("checkout", "nps"): "Well?",
        ("exit-poll", "text"): {"de": "Warum?"},
    }
    assert set(offers.channels) == {"email", "sms"}


def test_every_language_of_the_pages_can_ask() -> None:
    assert WORDS.keys() == WORDING.keys()
    for own in WORDS.values():
        assert all(own.questions[kind] for kind in SURVEY_KINDS)
        assert all(own.low[kind] and own.high[kind] for kind in ("nps", "csat", "ces"))
        assert all(own[3:])


def test_texts_are_found_by_locale() -> None:
    assert in_language("Well?", "de", "de") == "Well?"
    assert in_language({"de": "Na?"}, "fr", "fr") == ""
    assert in_language({"de": "Na?"}, "", "de") == "Na?"


# --- answering ---------------------------------------------------------------------------


def test_an_answer_becomes_an_event() -> None:
    site = Site()

    answer = site.post(path(), {"do": "answer", "score": "9", "text": " great \r\n"})

    assert answer.status == 200
    assert "Thank you" in said(answer)
    [event] = site.taken
    assert (event.name, event.customer, event.test) == ("survey.answered", "ada", False)
    assert event.properties == {
        "survey": "checkout",
        "kind": "nps",
        "score": 9,
        "group": "promoter",
        "text": "great",
        "delivery_id": "d" * 24,
        "channel": "email",
        "topic": "news",
    }


def test_the_same_message_answered_again_is_the_same_event() -> None:
    site = Site()

    site.post(path(), {"do": "answer", "score": "9"})
    site.now += timedelta(days=60)
    site.post(path(), {"do": "answer", "score": "0"})

    first, second = site.taken
    assert (first.id, first.source) == (second.id, second.source)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"do": "answer"},
        {"do": "answer", "score": "11"},
        {"do": "answer", "score": "nine"},
        {"score": "9"},
        {"List-Unsubscribe": "One-Click"},
    ],
    ids=["nothing", "no-score", "too-high", "words", "no-button", "mailbox"],
)
def test_without_a_score_the_page_asks_again(fields: dict[str, str]) -> None:
    site = Site()

    answer = site.post(path(), {**fields, "text": "so <b>so</b>"})

    assert answer.status == 400
    assert 'role="alert"' in said(answer)
    assert "<b>" not in said(answer)
    assert site.taken == []


def test_what_was_written_is_still_there_when_the_page_asks_again() -> None:
    answer = Site().post(path(), {"do": "answer", "text": "so & so"})

    assert ">\nso &amp; so</textarea>" in said(answer)


def test_words_alone_answer_a_survey_in_words() -> None:
    site = Site()

    assert site.post(path(asks="text"), {"do": "answer", "text": " "}).status == 400
    site.post(path(asks="text"), {"do": "answer", "text": "fine"})

    [event] = site.taken
    assert event.properties["text"] == "fine"
    assert "score" not in event.properties


@given(text=st.text(max_size=MAX_TEXT * 2), score=st.integers(0, 10))
def test_any_words_are_kept_within_bounds(text: str, score: int) -> None:
    site = Site()

    fields = {"do": "answer", "score": str(score), "text": text}
    encodable = {k: v.encode("utf-8", "replace").decode() for k, v in fields.items()}
    site.post(path(), encodable)

    [event] = site.taken
    assert len(event.properties.get("text", "")) <= MAX_TEXT


def test_test_traffic_answers_as_test_traffic() -> None:
    site = Site()

    site.post(path(test=True), {"do": "answer", "score": "9"})

    assert site.taken[0].test


def test_an_answer_that_cannot_be_kept_is_not_thanked_for() -> None:
    desk = Desk()
    desk.error = Busy("too much")

    answer = Site(desk).post(path(), {"do": "answer", "score": "9"})

    assert answer.status == 503
    assert answer.headers["Retry-After"]


def test_a_link_ends_after_90_days() -> None:
    site = Site()
    site.now = NOON + timedelta(days=90)

    assert site.get(path()).status == 410
    assert site.post(path(), {"do": "answer", "score": "9"}).status == 410
    assert site.taken == []


def test_no_other_link_serves_for_an_answer() -> None:
    token = LINKS.of(message())["unsubscribe"].rpartition("/")[2]

    assert Site().get(f"/s/{token}").status == 404


def test_only_a_surveys_message_has_the_link() -> None:
    assert "survey" not in LINKS.of(message())
    assert "survey" in LINKS.of(message(**NPS))


def test_a_template_has_a_link_for_each_score() -> None:
    made = message(**NPS)
    url = LINKS.of(made)["survey"]

    survey = survey_links(made, url)

    links = survey["links"]
    assert isinstance(links, list)
    assert [each["url"] for each in links] == [f"{url}?score={n}" for n in range(11)]
    assert [each["group"] for each in links][6:8] == ["detractor", "passive"]
    assert survey_links(message(survey="x", asks="text"), url)["links"] == []


# --- in a browser ------------------------------------------------------------------------


class Served:
    """A door on a socket."""

    def __init__(self, desk: Desk, url: str) -> None:
        self.desk = desk
        self.url = url

    def page(self, query: str = "", **more: Any) -> str:
        return f"{self.url}{path(**more)}{query}"


@pytest.fixture
def served() -> Iterator[Served]:
    desk = Desk()
    settings = LinkSettings(url="http://127.0.0.1", secret=SECRET, brand="Ada & Co")
    door = Door(desk, clock=lambda: NOON, links=settings, workspace="shop")
    with DoorServer(door, port=0) as server:
        yield Served(desk, f"http://127.0.0.1:{server.port}")


def marked(test: Any) -> Any:
    for mark in IN_CHROMIUM:
        test = mark(test)
    return test


@marked
def test_somebody_answers_by_the_keyboard_alone(tab: Tab, served: Served) -> None:
    tab.open(served.page("?score=8"))

    found = []
    for _ in range(3):
        tab.press("Tab")
        found.append(tab.ask(FOCUSED))
    assert [found[0], found[2]] == ["8", "answer"]  # the score chosen, then the words
    tab.press("Enter")
    tab.until("Page.loadEventFired")

    assert tab.ask("document.title") == "Thank you"
    [event] = served.desk.taken
    assert event.properties["score"] == 8
    assert tab.complaints == []


@marked
def test_the_browser_itself_asks_for_a_score(tab: Tab, served: Served) -> None:
    tab.open(served.page())

    tab.ask("document.querySelector('button').click()")

    assert tab.ask("document.querySelectorAll(':invalid').length") > 0
    assert served.desk.taken == []


@marked
def test_scores_are_named_for_a_screen_reader(tab: Tab, served: Served) -> None:
    tab.open(served.page())

    spoken = tab.spoken()

    assert ("heading", "How likely are you to recommend us to a friend?") in spoken
    assert ("group", "Your score") in [(r, n) for r, n in spoken if r == "group"]
    radios = [name for role, name in spoken if role == "radio"]
    assert radios == [str(n) for n in range(11)]
    boxes = [name for role, name in spoken if role == "textbox"]
    assert boxes == ["Would you like to tell us why? (optional)"]


@marked
@pytest.mark.parametrize("language", ["en", "de", "ar", "pl"])
@pytest.mark.parametrize("kind", SURVEY_KINDS)
def test_nothing_of_it_is_cut_off_on_a_narrow_screen(
    tab: Tab, served: Served, kind: str, language: str
) -> None:
    tab.resize(320, 256, scale=4)
    tab.open(served.page(asks=kind, locale=language))

    assert tab.ask("document.documentElement.scrollWidth") <= 320
    small = "[...document.querySelectorAll('button,.scores label')].map(b => b.offsetHeight)"
    assert min(tab.ask(small)) >= 44  # a thumb's
    wanted = "rtl" if language == "ar" else "ltr"
    assert tab.ask("getComputedStyle(document.body).direction") == wanted


@marked
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_its_text_stands_out(tab: Tab, served: Served, scheme: str) -> None:
    tab.call(
        "Emulation.setEmulatedMedia",
        features=[{"name": "prefers-color-scheme", "value": scheme}],
    )
    tab.open(served.page("?score=3"))

    found = tab.ask(CONTRASTS)

    assert len(found) >= 15
    assert found[0] >= 4.5
    assert tab.complaints == []
