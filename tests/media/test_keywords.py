"""STOP, START and HELP, in the languages of those who write them."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from journeykit.media.keywords import LONGEST, WORDS, keyword_of

EVERY = [
    pytest.param(word, keyword, id=f"{keyword}-{language}-{n}")
    for keyword, languages in WORDS.items()
    for language, words in languages.items()
    for n, word in enumerate(words)
]

# https://docs.aws.amazon.com/sms-voice/latest/userguide/keywords-required.html
AWS = [
    "ARRET",
    "CANCEL",
    "END",
    "OPT-OUT",
    "OPTOUT",
    "QUIT",
    "REMOVE",
    "STOP",
    "TD",
    "UNSUBSCRIBE",
]
# https://www.twilio.com/docs/proxy/opt-out-keywords
TWILIO = [
    "STOP",
    "UNSUBSCRIBE",
    "END",
    "CANCEL",
    "QUIT",
    "STOPALL",
    "ARRETT",
    "ARRET",
    "ARRETE",
]
# 47 CFR 64.1200(a)(10)
FCC = ["stop", "quit", "end", "revoke", "opt out", "cancel", "unsubscribe"]


@pytest.mark.parametrize(("word", "keyword"), EVERY)
def test_every_word_is_understood_however_it_is_written(
    word: str, keyword: str
) -> None:
    written = {
        keyword_of(spelling)
        for spelling in (word, word.upper(), f" {word}. ", f"“{word}”!!", f"{word} 🙏")
    }

    assert written == {keyword}


@pytest.mark.parametrize("word", sorted({*AWS, *TWILIO, *FCC}))
def test_what_carriers_and_rules_ask_for_is_a_stop(word: str) -> None:
    assert keyword_of(word) == "stop"


@pytest.mark.parametrize("word", ["START", "YES", "UNSTOP"])
def test_what_carriers_take_for_a_start_is_one(word: str) -> None:
    assert keyword_of(word) == "start"


@pytest.mark.parametrize("word", ["HELP", "INFO"])
def test_what_carriers_take_for_a_call_for_help_is_one(word: str) -> None:
    assert keyword_of(word) == "help"


@pytest.mark.parametrize(
    "text",
    [
        "Please stop sending on Sundays",
        "stop it, I love it",
        "I said STOP to him",
        "STOP is what I told them yesterday, but",
        "Stop by tomorrow?",
        "yes\nI will be there",
        "Cancelling is fine",
        "STOPPING by",
        "hello\nstop",
        "When does it end?",
        "yes please, two of them",
        "",
        "   ",
        "?!",
        None,
        7,
        ["stop"],
    ],
    ids=repr,
)
def test_a_sentence_is_no_keyword(text: object) -> None:
    assert keyword_of(text) == ""


@pytest.mark.parametrize(
    "text",
    [
        "STOP texting me",
        "STOP!!!! leave me alone",
        "UNSUBSCRIBE me please",
        "“STOP” it now",
        "Stop now",
        "Unsubscribe me",
        "stop\n\nSent from my iPhone",
        "\r\n Stop. \r\n-- \r\nAda Lovelace, " + "Analytical Engines " * 20,
        "arrêt\n> Votre panier vous attend",
    ],
    ids=repr,
)
def test_a_no_is_understood_where_more_stands_around_it(text: str) -> None:
    assert keyword_of(text) == "stop"


@pytest.mark.parametrize("word", ["START", "Help"])
def test_a_signature_hides_no_keyword(word: str) -> None:
    assert keyword_of(f"{word}\n\nSent from my iPhone") == word.lower()


@given(st.text())
def test_whatever_is_written_is_read(text: str) -> None:
    assert keyword_of(text) in ("", "stop", "start", "help")


@given(st.text(min_size=LONGEST + 1))
def test_what_is_long_is_no_keyword(text: str) -> None:
    assert keyword_of(f"x{text.strip()}{'y' * LONGEST}") == ""
