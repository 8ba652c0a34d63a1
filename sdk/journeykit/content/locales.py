"""Locales: which one to fall back to, and in which direction its text runs.

Tags are BCP 47 (https://www.rfc-editor.org/rfc/rfc5646): `de-CH`, `zh-Hant-TW`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Literal

Direction = Literal["ltr", "rtl"]

_TAG = re.compile(r"[a-z]{2,3}(?:-[a-z]{4})?(?:-(?:[a-z]{2}|\d{3}))?", re.IGNORECASE)
# Of https://www.unicode.org/Public/UCD/latest/ucd/Scripts.txt those of bidi class R or AL
# that are written today.
_RTL_SCRIPTS = frozenset(
    [
        "Adlm",
        "Arab",
        "Aran",
        "Hebr",
        "Mand",
        "Nkoo",
        "Rohg",
        "Samr",
        "Syrc",
        "Thaa",
        "Yezi",
    ]
)
# Languages whose likely script (CLDR, likelySubtags) is one of these.
_RTL_LANGUAGES = frozenset(
    [
        "acm",
        "aeb",
        "apc",
        "ar",
        "arc",
        "ars",
        "ary",
        "arz",
        "azb",
        "bal",
        "bgn",
        "bqi",
        "ckb",
        "dv",
        "fa",
        "glk",
        "he",
        "iw",
        "ji",
        "khw",
        "ks",
        "lrc",
        "luz",
        "mzn",
        "nqo",
        "pnb",
        "prs",
        "ps",
        "rhg",
        "sd",
        "sdh",
        "skr",
        "syr",
        "trw",
        "ug",
        "ur",
        "yi",
        "zdj",
    ]
)
_RTL_PLACES = frozenset({"pa-PK", "uz-AF", "az-IR", "tk-IR", "kk-CN", "ha-CM"})
# Where a tag has no script, its place says it: CLDR's likelySubtags again.
_TRADITIONAL = frozenset({"TW", "HK", "MO"})
# Spanish of the Americas has a parent of its own: CLDR's parentLocales.
_LATIN_AMERICA = frozenset(
    [
        "AR",
        "BO",
        "BR",
        "BZ",
        "CL",
        "CO",
        "CR",
        "CU",
        "DO",
        "EC",
        "GT",
        "HN",
        "MX",
        "NI",
        "PA",
        "PE",
        "PR",
        "PY",
        "SV",
        "US",
        "UY",
        "VE",
    ]
)
_SAME = {"no": "nb", "nb": "no", "iw": "he", "he": "iw", "in": "id", "id": "in"}


def tag(text: str) -> str:
    """Return a locale as tags are written: `de_ch` is `de-CH`; empty if it is none.

    What follows language, script and region is left out: variants, extensions, and
    `.UTF-8` as machines have it.
    """
    match = _TAG.match(text.strip().replace("_", "-")[:64])
    if match is None or text.strip()[match.end() : match.end() + 1].isalnum():
        return ""
    language, *others = match[0].split("-")
    parts = [part.title() if len(part) == 4 else part.upper() for part in others]
    return "-".join([language.lower(), *parts])


def language(locale: str) -> str:
    """Return the language of a tag: `de` of `de-CH`."""
    return locale.partition("-")[0]


@lru_cache(maxsize=1024)
def fallbacks(locale: str) -> Sequence[str]:
    """Return a locale and what to look for where there is nothing of it, best first.

    `de-CH` falls back to `de`, `zh-TW` to `zh-Hant` and then `zh`, `es-MX` to `es-419`
    and then `es`. It never falls back to another language.
    """
    locale = tag(locale)
    if not locale:
        return ()
    language, *others = locale.split("-")
    script = next((part for part in others if len(part) == 4), "")
    place = next((part for part in others if len(part) < 4), "")
    if language == "zh" and not script and place in _TRADITIONAL:
        script = "Hant"
    found = [locale]
    if script:
        found += [f"{language}-{script}-{place}"] if place else []
        found.append(f"{language}-{script}")
    if language == "es" and place in _LATIN_AMERICA:
        found.append("es-419")
    found.append(language)
    if same := _SAME.get(language):
        found.append(same)
    return tuple(dict.fromkeys(found))


def siblings(locale: str, known: Iterable[str]) -> Sequence[str]:
    """Return which of some locales are of the same language and script, elsewhere.

    Somebody in Portugal reads what is written for Brazil sooner than English.
    """
    own = fallbacks(locale)
    if not own:
        return ()
    return sorted(
        each
        for each in known
        if each not in own
        and language(each) == language(own[0])
        and _script(each) == _script(own[0])
    )


def _script(locale: str) -> str:
    """The script of a tag; of Chinese the one that its place has."""
    found = (part for each in fallbacks(locale) for part in each.split("-")[1:])
    return next((part for part in found if len(part) == 4), "")


def direction(locale: str) -> Direction:
    """Return in which direction text of a locale runs; of an unknown one, left to right."""
    locale = tag(locale)
    language, *others = locale.split("-")
    script = next((part for part in others if len(part) == 4), "")
    if script:
        return "rtl" if script in _RTL_SCRIPTS else "ltr"
    is_rtl = language in _RTL_LANGUAGES or locale in _RTL_PLACES
    return "rtl" if is_rtl else "ltr"
