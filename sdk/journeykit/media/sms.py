"""SMS: the text, its encoding, and how many segments it is paid for.

The alphabet is GSM 7 bit with its extension table, [3GPP TS 23.038] §6.2.1; how many
characters fit beside the header of a part, [3GPP TS 23.040] §9.2.3.24.1: 140 octets are 160
septets or 70 UCS-2 units, less 6 octets a part: 153 or 67.

[3GPP TS 23.038]: https://www.3gpp.org/dynareport/23038.htm
[3GPP TS 23.040]: https://www.3gpp.org/dynareport/23040.htm
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Literal

from journeykit.channels import Message
from journeykit.errors import ContentError
from journeykit.media.document import TemplateError, content_of
from journeykit.media.wording import line_of, lines_of, written

Encoding = Literal["gsm", "ucs2"]

GSM = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
"""The GSM 7 bit default alphabet, in its order but for the escape; one septet each."""

GSM_EXTENSION = "\f^{}\\[~]|€"
"""What the extension table adds; two septets each, of which the first is an escape."""

MOST_SEGMENTS = 10
"""How many segments a message has at most where nobody says otherwise."""

SETTINGS = frozenset({"from", "transliterate"})
"""What front matter may say to an SMS."""

_SEPTETS = dict.fromkeys(GSM, 1) | dict.fromkeys(GSM_EXTENSION, 2)
# A message alone, and a part of several: what fits into 140 octets, in units.
_ROOM: dict[Encoding, tuple[int, int]] = {"gsm": (160, 153), "ucs2": (70, 67)}

# Typography that the GSM alphabet lacks, and what says the same. Letters of languages are
# not among them: a name is not rewritten.
_TYPOGRAPHY = str.maketrans(
    {
        # single and double quotation marks, primes, accents that stand alone
        **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u02bc\u0060\u00b4", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb", '"'),
        "\u2039": "<",
        "\u203a": ">",
        # hyphens, dashes, the minus sign, bullets
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u2043", "-"),
        **dict.fromkeys("\u2022\u00b7\u2219\u2023", "-"),
        "\u2026": "...",
        # spaces of other widths; and what has none at all
        **dict.fromkeys("\t\u00a0\u202f\u205f\u3000", " "),
        **dict.fromkeys(map(chr, range(0x2000, 0x200B)), " "),
        **dict.fromkeys("\u00ad\u200b\u200c\u200e\u200f\u2060\ufeff", ""),
        "\u00d7": "x",
        "\u2044": "/",
        "\u2236": ":",
        "\u2122": "(TM)",
        "\u00a9": "(C)",
        "\u00ae": "(R)",
    }
)


@dataclass(frozen=True, slots=True)
class Sms:
    r"""A text message as it is handed over.

    Attributes:
        text: What it says; lines end with `\n`.
        encoding: `gsm`: seven bits a character. `ucs2`: sixteen, because at least one
            character is not in that alphabet.
        units: How long it is: septets, or 16-bit units.
        segments: How many parts it goes as; each is paid for.
        sender: Who it is from, if the template says so: a number or a name.
        warnings: What an author should know.
    """

    text: str
    encoding: Encoding
    units: int
    segments: int
    sender: str = ""
    warnings: tuple[str, ...] = ()


def sms_of(
    message: Message,
    *,
    most_segments: int = MOST_SEGMENTS,
    transliterate: bool = False,
    sender: str = "",
) -> Sms:
    """Return what a message is as an SMS.

    Args:
        message: With its content; its `txt` part is the text. Front matter may set `from`
            and `transliterate`, which go before the arguments.
        most_segments: More is an error, not a bill.
        transliterate: Whether quotation marks, dashes, dots and spaces of typography become
            those of the GSM alphabet: one “ would more than halve what fits.
        sender: Who it is from where the template doesn't say so.

    Raises:
        ContentError: It is empty, too long, or its sender can't be one.
    """
    content = content_of(message, "sms")
    settings = content.settings
    if "txt" not in content.parts:
        raise TemplateError("the template has no file for sms that ends in .txt")
    text = unicodedata.normalize("NFC", lines_of(content.parts["txt"])).strip()
    if _truth(settings.get("transliterate", transliterate)):
        text = transliterated(text)
    if not text:
        raise ContentError("the SMS is empty")
    encoding, parts = encoding_of(text), segmented(text)
    if len(parts) > most_segments:
        raise ContentError(
            f"the SMS has {len(parts)} segments; {most_segments} are the most"
        )
    warnings = list(content.warnings)
    fewer = len(segmented(transliterated(text)))
    if fewer < len(parts):
        warnings.append(
            f"typography makes it {_counted(len(parts))}; "
            f"`transliterate: true` makes it {_counted(fewer)}"
        )
    own = line_of(written(settings.get("from")), what="sender") or sender
    return Sms(
        text=text,
        encoding=encoding,
        units=units_of(text, encoding),
        segments=len(parts),
        sender=own,
        warnings=tuple(warnings),
    )


def encoding_of(text: str) -> Encoding:
    """Return how a text is encoded: one character that GSM lacks, and all is UCS-2."""
    return "gsm" if all(character in _SEPTETS for character in text) else "ucs2"


def not_gsm(text: str) -> tuple[str, ...]:
    """Return the characters that the GSM alphabet lacks, each once, as they come."""
    return tuple(dict.fromkeys(c for c in text if c not in _SEPTETS))


def transliterated(text: str) -> str:
    """Return a text with the typography that GSM lacks replaced by what says the same."""
    return text.translate(_TYPOGRAPHY)


def units_of(text: str, encoding: Encoding) -> int:
    """Return how long a text is: septets for `gsm`, 16-bit units for `ucs2`.

    A character beyond the basic plane, as emoji are, is two units.
    """
    return sum(_width(character, encoding) for character in text)


def segmented(text: str) -> tuple[str, ...]:
    """Return the parts that a text goes as, one after the other.

    Neither an escape and what it escapes nor the two units of one character are parted, so
    a part may have a unit to spare.
    """
    encoding = encoding_of(text)
    alone, shared = _ROOM[encoding]
    if units_of(text, encoding) <= alone:
        return (text,) if text else ()
    parts, start, used = [], 0, 0
    for place, character in enumerate(text):
        width = _width(character, encoding)
        if used + width > shared:
            parts.append(text[start:place])
            start, used = place, 0
        used += width
    return (*parts, text[start:])


def _width(character: str, encoding: Encoding) -> int:
    if encoding == "gsm":
        return _SEPTETS[character]
    return 1 if character <= "\uffff" else 2


def _truth(value: object) -> bool:
    """A setting that may have been rendered to text."""
    return str(value).strip().lower() in ("true", "yes", "on", "1")


def _counted(segments: int) -> str:
    return f"{segments} segment{'' if segments == 1 else 's'}"
