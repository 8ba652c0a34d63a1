"""Words and links as they leave: readable, and nowhere dangerous."""

import unicodedata

import pytest
from hypothesis import given, strategies as st

from journeykit.errors import ContentError
from journeykit.media.destinations import LONGEST, link_of
from journeykit.media.wording import cut, lines_of, one_line


@pytest.mark.parametrize(
    ("text", "most", "found"),
    [
        pytest.param("short", 5, "short", id="it fits"),
        pytest.param("a long word", 8, "a long…", id="between words"),
        pytest.param("abcdefghij", 5, "abcd…", id="within a word"),
        pytest.param("ab👨‍👩‍👧cd", 5, "ab…", id="a family is one"),
        pytest.param("abe\u0301x", 4, "ab…", id="a letter and its mark"),
        pytest.param("ab👍🏽x", 4, "ab…", id="a hand and its skin"),
        pytest.param("abc", 0, "", id="nothing"),
    ],
)
def test_text_is_cut_where_a_reader_would(text: str, most: int, found: str) -> None:
    assert cut(text, most) == found


@given(st.text(), st.integers(0, 40))
def test_it_is_never_longer_than_allowed(text: str, most: int) -> None:
    found = cut(text, most)

    assert len(found) <= most
    assert found == text or found.endswith("…") or not found


@given(st.text(st.characters()))
def test_what_leaves_has_no_control_characters(text: str) -> None:
    found = lines_of(text)

    categories = {unicodedata.category(c) for c in found if c not in "\n\t"}
    assert not categories & {"Cc", "Cs"}
    assert "\n" not in one_line(text)
    found.encode()  # no half of a pair is left


@pytest.mark.parametrize(
    "url",
    [
        "https://shop.example",
        "HTTPS://shop.example:8443/a?b=c&d#e",
        "shop://cart",
        "com.shop.app:/cart",
        "tel:+4917012345678",
    ],
)
def test_a_link_may_lead_to_the_web_or_into_an_app(url: str) -> None:
    assert link_of(f" {url} ", what="link", apps=True) == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "shop",
        "//shop.example",
        "http://shop.example",
        "https://",
        "https:///path",
        "https://[::1",
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        "java\tscript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "intent://x#Intent;end",
        "https://shop.example/ x",
        'https://shop.example/"onclick',
        "https://shop.example/" + "a" * LONGEST,
    ],
    ids=lambda url: url[:24],
)
def test_it_leads_nowhere_else(url: str) -> None:
    with pytest.raises(ContentError, match="the link"):
        link_of(url, what="link", apps=True)
