"""Words in a picture: safe for HTML and XML, and not wider than there is room."""

from __future__ import annotations

from html import unescape
from xml.etree import ElementTree as ET

from hypothesis import given, strategies as st

from journeykit.insight.charts.text import in_lines, safe, shortened, width_of

SIZE = 13.0


@given(st.text())
def test_any_text_is_one_text_node_of_xml(text: str) -> None:
    parsed = ET.fromstring(f"<text title='{safe(text)}'>{safe(text)}</text>")

    assert len(parsed) == 0
    assert (parsed.text or "") == unescape(safe(text))


def test_markup_is_shown_and_never_read() -> None:
    assert safe("<script>alert('x')</script> & \"y\"") == (
        "&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt; &amp; &quot;y&quot;"
    )


def test_letters_that_turn_a_line_around_are_left_out() -> None:
    assert safe("abc\u202edef\u2066ghi") == "abcdefghi"


def test_letters_that_join_others_are_kept() -> None:
    assert safe("می\u200cر 👩\u200d🚀") == "می\u200cر 👩\u200d🚀"


@given(st.text(), st.floats(min_value=0, max_value=500))
def test_a_shortened_text_fits_or_is_an_ellipsis(text: str, room: float) -> None:
    shown = shortened(text, size=SIZE, room=room)

    assert shown == "…" or width_of(shown, size=SIZE) <= room + 1e-9


@given(st.text(alphabet="ab cd "), st.integers(1, 4))
def test_lines_are_as_many_as_allowed_and_hold_the_text_in_its_order(
    text: str, most: int
) -> None:
    lines = in_lines(text, size=SIZE, room=60, most=most)

    assert len(lines) <= most
    whole = " ".join(text.split())
    place = 0
    for line in lines:
        kept = line.removesuffix("…")
        assert whole.find(kept, place) >= place
        place = whole.find(kept, place) + len(kept)


def test_chinese_takes_more_room_than_latin() -> None:
    assert width_of("顧客旅程", size=SIZE) > width_of("abcd", size=SIZE)


def test_a_word_without_room_is_broken_behind_its_hyphens() -> None:
    lines = in_lines("Round-the-corner Rosa", size=13, room=100, most=3)

    assert lines == ["Round-the-", "corner Rosa"]
