"""Makes `formats.json` of CLDR's data as Babel carries it, which is not needed to use it.

    python -m tests.content.cldr > sdk/journeykit/content/formats.json

CLDR is © Unicode, Inc., under the Unicode License v3 (https://www.unicode.org/license.txt).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

from babel import Locale
from babel.numbers import get_currency_precision, get_currency_symbol

from journeykit.content.locales import fallbacks

LOCALES = [
    "ar",
    "ar-EG",
    "ar-MA",
    "bg",
    "bn",
    "ca",
    "cs",
    "da",
    "de",
    "de-AT",
    "de-CH",
    "el",
    "en",
    "en-AU",
    "en-CA",
    "en-GB",
    "en-IE",
    "en-IN",
    "en-NZ",
    "en-ZA",
    "es",
    "es-419",
    "es-AR",
    "es-CL",
    "es-CO",
    "es-MX",
    "et",
    "fa",
    "fi",
    "fr",
    "fr-BE",
    "fr-CA",
    "fr-CH",
    "he",
    "hi",
    "hr",
    "hu",
    "id",
    "is",
    "it",
    "it-CH",
    "ja",
    "ko",
    "lt",
    "lv",
    "ms",
    "nb",
    "nl",
    "nl-BE",
    "pl",
    "pt",
    "pt-PT",
    "ro",
    "ru",
    "sk",
    "sl",
    "sr",
    "sv",
    "ta",
    "th",
    "tr",
    "uk",
    "ur",
    "vi",
    "zh",
    "zh-Hant",
]
CURRENCIES = [
    "AED",
    "ARS",
    "AUD",
    "BGN",
    "BRL",
    "CAD",
    "CHF",
    "CLP",
    "CNY",
    "COP",
    "CZK",
    "DKK",
    "EGP",
    "EUR",
    "GBP",
    "HKD",
    "HUF",
    "IDR",
    "ILS",
    "INR",
    "ISK",
    "JPY",
    "KRW",
    "KWD",
    "MAD",
    "MXN",
    "MYR",
    "NOK",
    "NZD",
    "PEN",
    "PHP",
    "PKR",
    "PLN",
    "RON",
    "RSD",
    "RUB",
    "SAR",
    "SEK",
    "SGD",
    "THB",
    "TRY",
    "TWD",
    "UAH",
    "USD",
    "VND",
    "ZAR",
]


def babel_locale(locale: str) -> Locale:
    return Locale.parse(locale, sep="-")


def whole(locale: str) -> dict[str, Any]:
    """What `formats.json` would say of a locale that nobody else shares anything with."""
    own = babel_locale(locale)
    symbols = own.number_symbols["latn"]
    number = own.decimal_formats[None]

    def signed(pattern: Any) -> list[str]:
        found = [
            f"{pattern.prefix[n]}#{pattern.suffix[n]}".replace("'", "") for n in (0, 1)
        ]
        return [
            each.replace("-", symbols["minusSign"]).replace("%", symbols["percentSign"])
            for each in found
        ]

    return {
        "decimal": symbols["decimal"],
        "group": symbols["group"],
        "grouping": list(number.grouping),
        "number": signed(number),
        "percent": signed(own.percent_formats[None]),
        "currency": signed(own.currency_formats["standard"]),
        "symbols": {
            code: get_currency_symbol(code, own)
            for code in CURRENCIES
            if get_currency_symbol(code, own) != code
        },
        "months": [own.months["format"]["wide"][n] for n in range(1, 13)],
        "months_short": [own.months["format"]["abbreviated"][n] for n in range(1, 13)],
        "months_alone": [own.months["stand-alone"]["wide"][n] for n in range(1, 13)],
        "days": [own.days["format"]["wide"][n] for n in range(7)],
        "days_alone": [own.days["stand-alone"]["wide"][n] for n in range(7)],
        "days_short": [own.days["format"]["abbreviated"][n] for n in range(7)],
        "halves": [own.day_periods["format"]["abbreviated"][n] for n in ("am", "pm")],
        "era": own.eras["abbreviated"][1],
        "dates": {style: format.pattern for style, format in own.date_formats.items()},
        "times": {
            style: own.time_formats[style].pattern for style in ("short", "medium")
        },
        "plurals": dict(own.plural_form.rules),
    }


def all_formats() -> dict[str, dict[str, Any]]:
    """What `formats.json` says: of each locale what its parent doesn't."""
    found = {locale: whole(locale) for locale in LOCALES}
    written: dict[str, dict[str, Any]] = {}
    for locale, own in found.items():
        parents = [each for each in fallbacks(locale)[1:] if each in found]
        above: Mapping[str, Any] = found[parents[0]] if parents else {}
        written[locale] = {k: v for k, v in own.items() if above.get(k) != v}
    digits = {code: get_currency_precision(code) for code in ALL_CODES}
    return {**written, "": {"digits": {c: d for c, d in digits.items() if d != 2}}}


ALL_CODES = sorted(babel_locale("en").currencies)


if __name__ == "__main__":
    lines = [
        f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False, sort_keys=True)}"
        for key, value in sorted(all_formats().items())
    ]
    sys.stdout.write("{\n" + ",\n".join(lines) + "\n}\n")
