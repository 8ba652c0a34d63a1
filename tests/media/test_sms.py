"""SMS: every text is counted as a phone network would, and nothing is torn in two."""

import unicodedata
from itertools import pairwise

import pytest
from hypothesis import given, strategies as st
from tests.media.messages import message

from journeykit.errors import ContentError
from journeykit.media.sms import (
    GSM,
    GSM_EXTENSION,
    encoding_of,
    not_gsm,
    segmented,
    sms_of,
    transliterated,
    units_of,
)

gsm_text = st.text(st.sampled_from(GSM + GSM_EXTENSION), min_size=1, max_size=700)
any_text = st.text(
    st.one_of(st.sampled_from(GSM + GSM_EXTENSION), st.characters(codec="utf-8")),
    min_size=1,
    max_size=400,
)


def test_the_alphabets_are_those_of_the_standard() -> None:
    # 3GPP TS 23.038 §6.2.1: 128 places, of which one is the escape; ten more behind it.
    assert len(set(GSM)) == 127
    assert len(set(GSM_EXTENSION)) == 10
    assert GSM[0x0A] == "\n"
    assert GSM[0x1B:0x1F] == "ÆæßÉ"  # the escape, 0x1B, is left out
    assert GSM[-1] == "à"


@pytest.mark.parametrize(
    ("text", "encoding", "segments"),
    [
        pytest.param("a" * 160, "gsm", 1, id="a full septet message"),
        pytest.param("a" * 161, "gsm", 2, id="one septet more"),
        pytest.param("a" * 306, "gsm", 2, id="two full parts"),
        pytest.param("a" * 307, "gsm", 3, id="a third part"),
        pytest.param("€" * 80, "gsm", 1, id="escaped characters are two septets"),
        pytest.param("€" * 81, "gsm", 2, id="escaped characters overflow"),
        pytest.param("a" * 152 + "€" + "a" * 7, "gsm", 2, id="an escape at the seam"),
        pytest.param("я" * 70, "ucs2", 1, id="a full 16-bit message"),
        pytest.param("я" * 71, "ucs2", 2, id="one unit more"),
        pytest.param("я" * 134, "ucs2", 2, id="two full 16-bit parts"),
        pytest.param("😀" * 35, "ucs2", 1, id="emoji are two units"),
        pytest.param("😀" * 67, "ucs2", 3, id="33 emoji fit into 67 units"),
    ],
)
def test_segments_are_counted(text: str, encoding: str, segments: int) -> None:
    sms = sms_of(message("sms", {"txt": text}))

    assert (sms.encoding, sms.segments) == (encoding, segments)


def test_an_escape_that_would_be_torn_goes_to_the_next_part() -> None:
    first, second = segmented("a" * 152 + "€" + "a" * 10)

    assert first == "a" * 152
    assert second == "€" + "a" * 10


@given(any_text)
def test_parts_are_the_text_and_each_fits(text: str) -> None:
    parts = segmented(text)
    encoding = encoding_of(text)
    alone, shared = (160, 153) if encoding == "gsm" else (70, 67)

    assert "".join(parts) == text
    assert all(
        units_of(p, encoding) <= (alone if len(parts) == 1 else shared) for p in parts
    )


@given(any_text)
def test_no_surrogate_pair_is_parted(text: str) -> None:
    if encoding_of(text) == "ucs2":
        for part in segmented(text):
            units = part.encode("utf-16-be")
            assert units.decode("utf-16-be") == part
            assert len(units) // 2 == units_of(part, "ucs2")


@given(any_text)
def test_no_fewer_parts_would_do(text: str) -> None:
    parts, encoding = segmented(text), encoding_of(text)
    shared = 153 if encoding == "gsm" else 67

    for part, following in pairwise(parts):
        assert units_of(part + following[0], encoding) > shared


@given(gsm_text)
def test_transliterating_leaves_the_alphabet_alone(text: str) -> None:
    kept = text.replace("`", "'")  # not in GSM anyway

    assert transliterated(kept) == kept


def test_typography_is_replaced_where_that_is_asked_for() -> None:
    text = "“Tom\u2019s” \u2013 20\u00a0€…" + "a" * 60

    plain = sms_of(message("sms", {"txt": text}))
    replaced = sms_of(message("sms", {"txt": text}, {"transliterate": "true"}))

    assert plain.encoding == "ucs2"
    assert plain.text == text
    assert plain.warnings == (
        "typography makes it 2 segments; `transliterate: true` makes it 1 segment",
    )
    assert replaced.encoding == "gsm"
    assert replaced.text == '"Tom\'s" - 20 €...' + "a" * 60
    assert replaced.warnings == ()


def test_a_name_is_not_rewritten() -> None:
    sms = sms_of(message("sms", {"txt": "Dzień dobry, Łukasz"}), transliterate=True)

    assert sms.text == "Dzień dobry, Łukasz"
    assert not_gsm(sms.text) == ("ń", "Ł")


def test_a_letter_and_its_mark_are_the_letter_of_the_alphabet() -> None:
    sms = sms_of(
        message("sms", {"txt": unicodedata.normalize("NFD", "Café für Zoë? é")})
    )

    assert "Café für" in sms.text
    assert sms.encoding == "ucs2"  # ë is not in it, é and ü are
    assert not_gsm(sms.text) == ("ë",)


def test_line_breaks_and_control_characters_are_put_right() -> None:
    sms = sms_of(message("sms", {"txt": "\r\nHi\x00 there  \r\nbye\x1b\n\n"}))

    assert sms.text == "Hi there\nbye"


def test_more_segments_than_allowed_are_refused() -> None:
    assert sms_of(message("sms", {"txt": "a" * 1530})).segments == 10
    with pytest.raises(ContentError, match="11 segments; 10 are the most"):
        sms_of(message("sms", {"txt": "a" * 1531}))
    with pytest.raises(ContentError, match="2 segments; 1 are the most"):
        sms_of(message("sms", {"txt": "a" * 161}), most_segments=1)


@pytest.mark.parametrize("text", ["", " \n ", "\x00"], ids=["empty", "blank", "nul"])
def test_an_empty_one_is_refused(text: str) -> None:
    with pytest.raises(ContentError, match="empty"):
        sms_of(message("sms", {"txt": text}))


def test_the_template_says_who_it_is_from() -> None:
    by_template = sms_of(
        message("sms", {"txt": "Hi"}, {"from": "SHOP"}), sender="OTHER"
    )
    by_channel = sms_of(message("sms", {"txt": "Hi"}), sender="OTHER")

    assert (by_template.sender, by_channel.sender) == ("SHOP", "OTHER")


def test_what_was_not_rendered_is_no_sms() -> None:
    with pytest.raises(ContentError, match="nothing was rendered for sms"):
        sms_of(message("sms", None))
