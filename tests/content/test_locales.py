"""Which locale stands in for which, and which way its text runs."""

from __future__ import annotations

import pytest
from babel import Locale
from babel.localedata import locale_identifiers

from journeykit.content.locales import direction, fallbacks, siblings, tag


@pytest.mark.parametrize(
    ("locale", "found"),
    [
        ("de-CH", ["de-CH", "de"]),
        ("de_ch", ["de-CH", "de"]),
        ("de_DE.UTF-8", ["de-DE", "de"]),
        ("zh-TW", ["zh-TW", "zh-Hant-TW", "zh-Hant", "zh"]),
        ("zh-Hans-SG", ["zh-Hans-SG", "zh-Hans", "zh"]),
        ("es-MX", ["es-MX", "es-419", "es"]),
        ("es-ES", ["es-ES", "es"]),
        ("nb", ["nb", "no"]),
        ("sr-Latn-RS", ["sr-Latn-RS", "sr-Latn", "sr"]),
        ("en-US-u-ca-buddhist", ["en-US", "en"]),
        ("", []),
        ("germany", []),
        ("../../etc", []),
        ("d" * 10_000, []),
    ],
)
def test_a_locale_falls_back_within_its_language(locale: str, found: list[str]) -> None:
    assert [*fallbacks(locale)] == found


@pytest.mark.parametrize(
    ("locale", "runs"),
    [
        *(
            (locale, "rtl")
            for locale in ("ar", "ar-EG", "he", "iw", "fa-IR", "ur", "ps")
        ),
        *((locale, "rtl") for locale in ("ckb", "yi", "dv", "ug", "az-Arab", "pa-PK")),
        *(
            (locale, "ltr")
            for locale in ("en", "de-CH", "zh-Hant", "ar-Latn", "uz", "ku")
        ),
        *((locale, "ltr") for locale in ("", "nonsense")),
    ],
)
def test_text_runs_as_its_script_does(locale: str, runs: str) -> None:
    assert direction(locale) == runs


def test_every_locale_of_cldr_runs_as_cldr_says() -> None:
    wrong = {}
    for name in locale_identifiers():
        locale = Locale.parse(name)
        if locale.text_direction == "ttb":  # Mongolian, which no message is written in
            continue
        written = "-".join(
            filter(None, [locale.language, locale.script, locale.territory])
        )
        if tag(written) == written and direction(written) != locale.text_direction:
            wrong[written] = locale.text_direction

    assert wrong == {}


@pytest.mark.parametrize(
    ("locale", "known", "found"),
    [
        ("pt-PT", ["pt-BR", "es", ""], ["pt-BR"]),
        ("pt", ["pt-BR", "pt-PT", "pt"], ["pt-BR", "pt-PT"]),
        ("zh-TW", ["zh-HK", "zh-CN"], ["zh-HK"]),
        ("zh", ["zh-Hant"], []),
        ("", ["de"], []),
    ],
)
def test_another_place_of_the_same_language_will_do(
    locale: str, known: list[str], found: list[str]
) -> None:
    assert [*siblings(locale, known)] == found
