"""Numbers, money and dates are written as CLDR has it; Babel, which has all of it, agrees."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import babel.dates
import babel.numbers
import hypothesis.strategies as st
import pytest
from hypothesis import given
from tests.content.cldr import LOCALES, babel_locale

from journeykit.content import filters, formats
from journeykit.errors import ContentError

AMOUNTS = [
    "0",
    "0.5",
    "1",
    "-1.5",
    "12.345",
    "999.995",
    "1234.5",
    "-9876543.21",
    "1e20",
]
MOMENTS = [
    datetime(2026, 3, 2, 9, 5, 7, tzinfo=UTC),
    datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC),
    datetime(1999, 8, 15, 12, 0, 0, tzinfo=UTC),
]


def babels(text: str, locale: str) -> str:
    """What Babel writes, with CLDR's own minus, which it leaves out."""
    minus = babel_locale(locale).number_symbols["latn"]["minusSign"]
    return text.replace("-", minus) if "-" in text and minus not in text else text


def test_the_file_is_what_cldr_says() -> None:
    path = Path(formats.__file__).with_name("formats.json")

    # In a process of its own: Babel's data change a little by what was asked before.
    program = "import json, tests.content.cldr as c; print(json.dumps(c.all_formats()))"
    fresh = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        check=True,
        cwd=Path(__file__).parents[2],
        text=True,
    )

    assert json.loads(path.read_text("utf-8")) == json.loads(fresh.stdout)


@pytest.mark.parametrize("locale", LOCALES)
def test_numbers_are_those_of_babel(locale: str) -> None:
    own = babel_locale(locale)

    for amount in map(Decimal, AMOUNTS):
        assert filters.number(amount, locale=locale) == babels(
            babel.numbers.format_decimal(amount, locale=own), locale
        )
        assert filters.number(amount, 2, locale=locale) == babels(
            babel.numbers.format_decimal(
                amount.quantize(Decimal("0.01")) if abs(amount) < 10**15 else amount,
                format=re.sub(r"0\.#+", "0.00", own.decimal_formats[None].pattern),
                locale=own,
            ),
            locale,
        )


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("currency", ["EUR", "USD", "JPY", "KWD"])
def test_money_is_that_of_babel(locale: str, currency: str) -> None:
    own = babel_locale(locale)

    for amount in map(Decimal, AMOUNTS):
        found = filters.currency(amount, currency, locale=locale)
        wanted = babel.numbers.format_currency(amount, currency, locale=own)
        # Where letters stand beside digits, CLDR puts a space between, and Babel doesn't.
        assert found.replace("\u00a0", "") == babels(wanted, locale).replace(
            "\u00a0", ""
        )


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("style", ["short", "medium", "long", "full"])
def test_dates_are_those_of_babel(locale: str, style: str) -> None:
    own = babel_locale(locale)

    for moment in MOMENTS:
        found = filters.date(moment, style, locale=locale, zone=UTC)
        assert found == babel.dates.format_date(moment, style, locale=own)


@pytest.mark.parametrize("locale", [each for each in LOCALES if each != "zh-Hant"])
def test_times_are_those_of_babel(locale: str) -> None:
    own = babel_locale(locale)

    for moment in MOMENTS:
        for style in ("short", "medium"):
            found = filters.time(moment, style, locale=locale, zone=UTC)
            assert found == babel.dates.format_time(moment, style, locale=own)


@pytest.mark.parametrize("locale", LOCALES)
def test_plurals_are_those_of_babel(locale: str) -> None:
    plural = babel_locale(locale).plural_form
    forms = {each: each for each in ("zero", "one", "two", "few", "many", "other")}

    for count in [*range(130), 1000, 1_000_000, Decimal("1.5"), Decimal("0.1")]:
        assert filters.plural(count, forms, locale=locale) == plural(count), count


@given(
    st.decimals(
        allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12
    )
)
def test_a_number_that_was_written_can_be_read_again(value: Decimal) -> None:
    text = filters.number(value, 4, locale="de")

    read = Decimal(text.replace(".", "").replace(",", "."))
    assert abs(read - value) <= Decimal("0.00005")


def test_letters_do_not_touch_digits() -> None:
    assert filters.currency(5, "CHF", locale="en") == "CHF\u00a05.00"
    assert filters.currency("1234.5", "EUR", locale="de-CH") == "EUR\u00a01’234.50"  # noqa: RUF001
    assert filters.currency(5, "XYZ", locale="de") == "5,00\u00a0XYZ"


@pytest.mark.parametrize(
    ("locale", "text"),
    [
        ("de-LI", "02.03.2026"),  # no formats of its own: those of its language
        ("sw", "2026-03-02"),  # of a language that isn't known
        ("", "2026-03-02"),
        ("nonsense", "2026-03-02"),
    ],
)
def test_a_locale_that_is_not_known_has_something_all_the_same(
    locale: str, text: str
) -> None:
    assert filters.date(MOMENTS[0], locale=locale, zone=UTC) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("2026-03-02T23:30:00Z", "2026-03-03 00:30"),
        ("2026-03-02T23:30:00+01:00", "2026-03-02 23:30"),
        ("2026-03-02T23:30:00", "2026-03-02 23:30"),  # without an offset: local time
        ("2026-03-02", "2026-03-02 00:00"),
        (date(2026, 3, 2), "2026-03-02 00:00"),
    ],
)
def test_an_instant_is_told_by_the_zone_and_a_day_stays_that_day(
    value: object, text: str
) -> None:
    zone = ZoneInfo("Europe/Berlin")

    assert filters.date(value, "y-MM-dd HH:mm", locale="en", zone=zone) == text


def test_days_are_those_of_the_calendar_and_hours_those_of_the_clock() -> None:
    zone = ZoneInfo("Europe/Berlin")
    evening = datetime(2026, 3, 28, 12, tzinfo=zone)  # the night has 23 hours

    next_day = filters.later(evening, {"days": 1}, zone=zone)
    a_day = filters.later(evening, {"hours": 24}, zone=zone)

    assert next_day == datetime(2026, 3, 29, 12, tzinfo=zone)
    assert a_day == datetime(2026, 3, 29, 13, tzinfo=zone)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("d. MMMM", "2. März"),
        ("EEE d.M.yy", "Mo. 2.3.26"),
        ("h 'o''clock' a", "9 o'clock AM"),
        ("LLLL", "März"),
        ("'a' 'b'", "a b"),
    ],
)
def test_a_date_may_have_a_pattern_of_its_own(pattern: str, text: str) -> None:
    assert filters.date(MOMENTS[0], pattern, locale="de", zone=UTC) == text


@pytest.mark.parametrize(
    "pattern", ["yyyyyyyyyy", "Q", "d 'open", "x" * 101, "n" * 50, "'" * 3]
)
def test_a_pattern_that_is_none_is_refused(pattern: str) -> None:
    with pytest.raises(ContentError, match="date's"):
        filters.date(MOMENTS[0], pattern, locale="de", zone=UTC)


@pytest.mark.parametrize(
    "value",
    [None, True, "", "seven", "1" * 100, [], {}, float("nan"), float("inf"), 10**40],
)
def test_what_is_no_number_is_refused_and_not_quoted(value: object) -> None:
    for write in (filters.number, filters.percent):
        with pytest.raises(ContentError, match="a number is") as caught:
            write(value, locale="en")
        assert "seven" not in str(caught.value)


@pytest.mark.parametrize("value", [None, "", "soon", 5, [], "2026-13-01", "x" * 1000])
def test_what_is_no_moment_is_refused(value: object) -> None:
    with pytest.raises(ContentError, match="a date is written that is none"):
        filters.date(value, locale="en", zone=UTC)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: filters.currency(1, "EURO", locale="en"), "three letters"),
        (lambda: filters.number(1, 11, locale="en"), "10 decimals"),
        (lambda: filters.number(1, True, locale="en"), "10 decimals"),
        (lambda: filters.plural(1, {"one": "x"}, locale="en"), "needs `other`"),
        (lambda: filters.later(MOMENTS[0], {}, zone=UTC), "takes weeks"),
        (lambda: filters.later(MOMENTS[0], {"years": 1}, zone=UTC), "takes weeks"),
        (lambda: filters.later(MOMENTS[0], {"days": 1.5}, zone=UTC), "whole numbers"),
        (lambda: filters.later(MOMENTS[0], {"days": 10**9}, zone=UTC), "too far"),
        (lambda: filters.later(MOMENTS[0], {"hours": 10**12}, zone=UTC), "too far"),
    ],
    ids=[
        "code",
        "decimals",
        "boolean",
        "forms",
        "nothing",
        "years",
        "half",
        "far",
        "hours",
    ],
)
def test_what_a_filter_does_not_take_is_refused(call: object, words: str) -> None:
    with pytest.raises(ContentError, match=words):
        call()  # type: ignore[operator]


def test_a_name_can_not_turn_what_stands_around_it() -> None:
    assert filters.isolated("a\u202eb\u2069c") == "\u2068abc\u2069"


def test_the_zone_of_an_instant_may_be_any() -> None:
    zone = timezone(timedelta(hours=5, minutes=30))

    assert filters.time("2026-03-02T00:00:00Z", locale="de", zone=zone) == "05:30"
