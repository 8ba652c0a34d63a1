"""What templates write numbers, money, dates and names with, in any engine.

The formats are CLDR's for the locales that `formats.json` has; another locale has those of
its language, or else plain ones: 1,234.5 and 2026-03-02. Digits are 0 to 9, the calendar is
the Gregorian one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date as Date, datetime, time as Time, timedelta, tzinfo
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation

from journeykit.content.formats import Formats, formats
from journeykit.errors import ContentError

MOST_DECIMALS = 10
_DIGITS = 30  # before the point; nobody has more money

_FSI, _PDI = "\u2068", "\u2069"
# The marks that turn the direction of what follows: UAX #9, sections 2.1 to 2.5.
_MARKS = dict.fromkeys(
    map(ord, "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
)


def number(value: object, decimals: int | None = None, *, locale: str) -> str:
    """Write a number: `1.234,5` in German.

    Args:
        value: A number, or text that is one.
        decimals: How many; None: as many as it has, three at most.
        locale: Whose way of writing it.

    Raises:
        ContentError: It is no number.
    """
    form = formats(locale)
    return _signed(form, form.number, _decimal(value), decimals, (0, 3))


def percent(value: object, decimals: int = 0, *, locale: str) -> str:
    """Write a share of one in percent: 0.25 is `25 %`.

    Raises:
        ContentError: It is no number.
    """
    form = formats(locale)
    return _signed(form, form.percent, _decimal(value) * 100, decimals, (0, 0))


def currency(
    value: object, code: str, decimals: int | None = None, *, locale: str
) -> str:
    """Write an amount of money: `€1,234.50`, `1.234,50 €`.

    Args:
        value: A number, or text that is one.
        code: Of the currency, ISO 4217: `EUR`.
        decimals: How many; None: as many as the currency has.
        locale: Whose way of writing it.

    Raises:
        ContentError: It is no number, or no such code.
    """
    code = str(code).upper()
    if not re.fullmatch(r"[A-Z]{3}", code):
        raise ContentError("a currency is a code of three letters, such as EUR")
    form = formats(locale)
    digits = form.digits_of(code)
    amount = _signed(form, form.currency, _decimal(value), decimals, (digits, digits))
    symbol = form.symbol_of(code)
    # CLDR's currencySpacing: letters don't touch digits.
    amount = re.sub(
        r"¤(?=\d)", f"{symbol}\u00a0" if symbol[-1].isalpha() else "¤", amount
    )
    amount = re.sub(
        r"(?<=\d)¤", f"\u00a0{symbol}" if symbol[0].isalpha() else "¤", amount
    )
    return amount.replace("¤", symbol)


def date(
    value: object, style: str = "medium", *, locale: str, zone: tzinfo | None
) -> str:
    """Write a day: `02.03.2026`.

    Args:
        value: A moment, a day, or text that is one as ISO 8601 writes it; of a moment the
            day that it is in the zone.
        style: `short`, `medium`, `long`, `full`, or a pattern of CLDR: `d. MMMM`.
        locale: Whose way of writing it.
        zone: The template's.

    Raises:
        ContentError: It is no such thing.
    """
    form = formats(locale)
    return form.written(_moment(value, zone), form.dates.get(style, style))


def time(
    value: object, style: str = "short", *, locale: str, zone: tzinfo | None
) -> str:
    """Write a time of day: `14:30`, `2:30 PM`.

    Raises:
        ContentError: It is no moment.
    """
    form = formats(locale)
    return form.written(_moment(value, zone), form.times.get(style, style))


def later(
    value: object, units: Mapping[str, object], *, zone: tzinfo | None
) -> datetime | Date:
    """Return a moment some days, hours or minutes later; earlier, if they are negative.

    Days and weeks are those of the calendar: the local time stays the same.

    Raises:
        ContentError: It is no moment, or too far away.
    """
    moment = _moment(value, zone)
    known = {"weeks", "days", "hours", "minutes"}
    if not units or not units.keys() <= known:
        raise ContentError(
            "`later` takes weeks, days, hours and minutes: later(days=3)"
        )
    amounts = {}
    for unit, amount in units.items():
        if isinstance(amount, bool) or not isinstance(amount, int):
            raise ContentError("`later` takes whole numbers: later(days=3)")
        amounts[unit] = amount
    calendar = {k: v for k, v in amounts.items() if k in ("weeks", "days")}
    elapsed = {k: v for k, v in amounts.items() if k not in calendar}
    try:
        moment += timedelta(**calendar)
        if elapsed:
            moved = moment.astimezone(UTC) + timedelta(**elapsed)
            moment = moved.astimezone(moment.tzinfo)
    except OverflowError:
        raise ContentError("a moment is too far away") from None
    return moment


def plural(count: object, forms: Mapping[str, object], *, locale: str) -> str:
    """Return the form that a count asks for: `plural(one="item", other="items")`.

    The forms are CLDR's: zero, one, two, few, many, other; a language has some of them.
    Whatever is not given is `other`.

    Raises:
        ContentError: It is no number, or there is no such form.
    """
    known = ("zero", "one", "two", "few", "many", "other")
    if "other" not in forms or not set(forms) <= set(known):
        raise ContentError(f"`plural` takes {', '.join(known)}, and needs `other`")
    wanted = formats(locale).plural(_decimal(count))
    return str(forms.get(wanted, forms["other"]))


def isolated(text: str) -> str:
    """Return plain text that turns nothing around it, such as a name in another script.

    It stands between U+2068 and U+2069 (UAX #9, https://www.unicode.org/reports/tr9/).
    """
    return f"{_FSI}{without_marks(text)}{_PDI}"


def without_marks(text: str) -> str:
    """Return a text without the invisible marks that turn its direction."""
    return text.translate(_MARKS)


def _decimal(value: object) -> Decimal:
    if isinstance(value, str) and len(value) <= 64:
        value = value.strip()
    elif isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise ContentError("a number is written that is none")
    try:
        found = Decimal(str(value))
    except (InvalidOperation, ValueError):
        raise ContentError("a number is written that is none") from None
    if not found.is_finite() or (found and found.adjusted() > _DIGITS):
        raise ContentError("a number is too large to be written")
    return found


def _signed(
    form: Formats,
    patterns: tuple[str, str],
    value: Decimal,
    decimals: int | None,
    between: tuple[int, int],
) -> str:
    """Fill in a pattern, `#` standing for the digits: `¤#`, `#\u00a0%`."""
    least, most = between if decimals is None else (decimals, decimals)
    if isinstance(decimals, bool) or not 0 <= most <= MOST_DECIMALS:
        raise ContentError(f"a number has {MOST_DECIMALS} decimals at most")
    rounded = abs(value).quantize(Decimal(1).scaleb(-most), ROUND_HALF_EVEN)
    whole, _, fraction = f"{rounded:f}".partition(".")
    fraction = fraction.rstrip("0").ljust(least, "0") if most > least else fraction
    digits = form.grouped(whole) + (f"{form.decimal}{fraction}" if fraction else "")
    return patterns[value < 0].replace("#", digits)


def _moment(value: object, zone: tzinfo | None) -> datetime:
    """Return a moment by the template's clock; a day is its midnight."""
    zone = zone or UTC
    if isinstance(value, str) and len(value) <= 40:
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            raise ContentError(_NO_MOMENT) from None
    if isinstance(value, Date) and not isinstance(value, datetime):
        value = datetime.combine(value, Time())
    if not isinstance(value, datetime):
        raise ContentError(_NO_MOMENT)
    try:
        return (
            value.replace(tzinfo=zone)
            if value.tzinfo is None
            else value.astimezone(zone)
        )
    except OverflowError:
        raise ContentError("a moment is too far away") from None


_NO_MOMENT = (
    "a date is written that is none; write it as 2026-03-02 or 2026-03-02T09:00:00Z"
)

Filter = Callable[..., str]
