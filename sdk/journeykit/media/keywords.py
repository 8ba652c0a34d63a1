"""The words with which people stop and start messages, or ask for help.

A word counts if it is all that somebody wrote; case, accents, punctuation and spaces around
and within it don't matter. A no is more than that: a word for stop counts also alone on the
first line, above a signature or a quoted message, and STOP or UNSUBSCRIBE in capitals where
they begin a text of five words at most. Whoever is stopped by mistake says START; whoever
isn't stopped complains. "Please stop sending on Sundays" is no keyword all the same: what it
means is for a person to say.

The English ones are those that US rules name as examples (47 CFR 64.1200(a)(10): stop,
quit, end, revoke, opt out, cancel, unsubscribe), with what AWS requires
(https://docs.aws.amazon.com/sms-voice/latest/userguide/keywords-required.html: ARRET,
CANCEL, END, OPT-OUT, OPTOUT, QUIT, REMOVE, STOP, TD, UNSUBSCRIBE) and what Twilio handles by
default (https://www.twilio.com/docs/proxy/opt-out-keywords: STOPALL, ARRETE, ARRETT;
START, YES, UNSTOP; HELP, INFO). Carriers act on theirs whatever we do. STOP and HELP are
understood in all languages, and so the languages are not told apart.
"""

# ruff: noqa: RUF001 - other languages have other letters

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Literal

Keyword = Literal["stop", "start", "help"]

LONGEST = 40
"""Characters of a text that can be a keyword: more is a message, which nobody folds."""

_FEW = 5  # words
_LOUD = ("STOP", "UNSUBSCRIBE")

WORDS: Mapping[Keyword, Mapping[str, Sequence[str]]] = {
    "stop": {
        "en": [
            *("stop", "stop all", "stopall", "unsubscribe", "cancel", "end", "quit"),
            *("revoke", "opt out", "optout", "remove", "remove me", "td", "no more"),
            *("stop please", "please stop", "unsub", "unsubscribe me", "stop now"),
            *("stop texting", "stop texting me", "stop messaging me", "stop emails"),
        ],
        "de": ["stopp", "abmelden", "abbestellen", "austragen", "beenden", "kündigen"],
        "fr": [
            "arrêt",
            "arrêter",
            "arrêtez",
            "arrette",
            "arrett",
            "arrete",
            "désabonner",
        ],
        "es": ["alto", "baja", "cancelar", "parar", "detener", "no más"],
        "pt": ["parar", "pare", "sair", "cancelar", "remover", "descadastrar"],
        "it": ["ferma", "fermare", "basta", "cancella", "annulla", "disiscrivi"],
        "nl": ["afmelden", "uitschrijven", "stoppen", "stop maar"],
        "sv": ["stopp", "avsluta", "avregistrera", "sluta"],
        "da": ["stop", "afmeld", "frameld"],
        "no": ["stopp", "avslutt", "meld av"],
        "fi": ["lopeta", "peruuta", "lopettaa"],
        "pl": ["stop", "rezygnuję", "wypisz", "anuluj"],
        "cs": ["stop", "odhlásit", "zrušit"],
        "tr": ["durdur", "iptal", "ret", "çık"],
        "el": ["διακοπή", "στοπ"],
        "ru": ["стоп", "отписаться", "отмена"],
        "uk": ["стоп", "відписатися"],
        "ar": ["توقف", "إيقاف", "قف", "إلغاء"],
        "he": ["הסר", "הסירו", "עצור", "הפסק"],
        "hi": ["रोकें", "बंद"],
        "ja": ["停止", "配信停止", "ストップ"],
        "zh": ["停止", "退订", "退訂", "取消"],
        "ko": ["중지", "수신거부", "그만"],
        "id": ["berhenti", "batal"],
        "vi": ["dừng", "hủy", "từ chối"],
        "th": ["หยุด", "ยกเลิก"],
    },
    "start": {
        "en": [
            *("start", "unstop", "yes", "y", "subscribe", "resume", "opt in", "optin"),
            "continue",
        ],
        "de": ["start", "ja", "anmelden", "weiter"],
        "fr": ["oui", "reprendre", "abonner", "commencer"],
        "es": ["sí", "empezar", "iniciar", "alta"],
        "pt": ["sim", "iniciar", "começar"],
        "it": ["sì", "inizia", "iscrivi"],
        "nl": ["ja", "aanmelden", "starten"],
        "sv": ["ja", "starta"],
        "da": ["ja", "tilmeld"],
        "no": ["ja", "meld på"],
        "fi": ["kyllä", "aloita"],
        "pl": ["tak", "zapisz"],
        "cs": ["ano", "přihlásit"],
        "tr": ["evet", "başla", "onay"],
        "el": ["ναι", "έναρξη"],
        "ru": ["да", "старт"],
        "uk": ["так", "старт"],
        "ar": ["نعم", "ابدأ"],
        "he": ["כן", "התחל"],
        "hi": ["हाँ", "शुरू"],
        "ja": ["はい", "再開", "開始"],
        "zh": ["是", "开始", "開始", "订阅", "訂閱"],
        "ko": ["네", "예", "시작"],
        "id": ["ya", "mulai"],
        "vi": ["có", "bắt đầu"],
        "th": ["ใช่", "เริ่ม"],
    },
    "help": {
        "en": ["help", "info", "support"],
        "de": ["hilfe"],
        "fr": ["aide"],
        "es": ["ayuda"],
        "pt": ["ajuda"],
        "it": ["aiuto"],
        "nl": ["hulp"],
        "sv": ["hjälp"],
        "da": ["hjælp"],
        "no": ["hjelp"],
        "fi": ["apua", "ohje"],
        "pl": ["pomoc"],
        "cs": ["pomoc"],
        "tr": ["yardım"],
        "el": ["βοήθεια"],
        "ru": ["помощь"],
        "uk": ["допомога"],
        "ar": ["مساعدة"],
        "he": ["עזרה"],
        "hi": ["मदद"],
        "ja": ["ヘルプ", "助けて"],
        "zh": ["帮助", "幫助"],
        "ko": ["도움말"],
        "id": ["bantuan"],
        "vi": ["trợ giúp"],
        "th": ["ช่วยเหลือ"],
    },
}
"""The words by what they are for and by language (ISO 639-1), as people write them."""


def keyword_of(text: object) -> Keyword | Literal[""]:
    """Return what somebody asks for who wrote this; empty: it is no keyword.

    Args:
        text: What they wrote, in plain text.
    """
    if not isinstance(text, str):
        return ""
    text = text[: 4 * LONGEST + 1].strip()
    if len(text) <= LONGEST and (found := _FOLDED.get(_folded(text))):
        return found
    first = text.partition("\n")[0].strip()
    if len(first) <= LONGEST and (
        _FOLDED.get(_folded(first)) == "stop" or _begins_with_stop(first, text)
    ):
        return "stop"
    return keyword_of_tap(first)


def _begins_with_stop(first: str, text: str) -> bool:
    """Whether a short text begins with a word that nobody writes so by chance."""
    words = first.split(maxsplit=_FEW)
    if not words or len(text) > LONGEST or len(text.split()) > _FEW:
        return False
    return words[0].strip("\"'“”!.,:;-*") in _LOUD


def keyword_of_tap(value: object) -> Keyword | Literal[""]:
    """Return what somebody asks for who tapped a button of ours; empty: it is no keyword.

    Only what the button reports counts, and only as `STOP`, `START` or `HELP`: "Yes" and
    "Cancel" on a button answer the question above it, whoever wrote that.
    """
    return _TAPS.get(value.strip().lower(), "") if isinstance(value, str) else ""


def _folded(text: str) -> str:
    """The letters and digits alone, without case and accents."""
    apart = unicodedata.normalize("NFKD", text).casefold().replace("ı", "i")
    # Vowel signs of Indic scripts that take space are marks (Mc), and no accents.
    return "".join(
        c for c in apart if c.isalnum() or unicodedata.category(c) in ("Mc", "Lm")
    )


_TAPS: Mapping[str, Keyword] = {"stop": "stop", "start": "start", "help": "help"}
_FOLDED: Mapping[str, Keyword] = {
    _folded(word): keyword
    for keyword, languages in WORDS.items()
    for words in languages.values()
    for word in words
}
