"""A page as HTML: one column, forms, and no script.

It is laid out in one narrow column, in lengths that grow with the reader's font, so it
holds at 320 pixels and at 400 % zoom (WCAG 2.2, 1.4.10), in the dark, with colors of the
reader's own, and from right to left.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from html import escape
from typing import NamedTuple

from journeykit.http.messages import Answer
from journeykit.http.wording import RIGHT_TO_LEFT
from journeykit.links import origin_of

HTML = "text/html; charset=utf-8"

_DEFAULT_COLOR = "#1a4f8b"

_STYLE = """
:root{color-scheme:light dark;--ink:#1b1f24;--paper:#fff;--soft:#57606a;--line:#8a929b;
--good:#e6f4ea;--accent:ACCENT;--on:ON;--ring:#1a4f8b}
@media(prefers-color-scheme:dark){:root{--ink:#eceff3;--paper:#14171b;--soft:#b3bcc6;
--line:#78828d;--good:#14331f;--ring:#9ac7ff}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:1rem/1.5 system-ui,sans-serif}
main{max-width:36rem;margin:0 auto;padding:1.5rem 1rem 3rem;overflow-wrap:anywhere}
.brand{margin:0 0 1.5rem;font-weight:600}
.brand img{max-height:3rem;max-width:100%;display:block}
h1{font-size:1.6rem;line-height:1.25;margin:0 0 1rem}
p,ul,dl{margin:0 0 1rem}
dt{color:var(--soft)}
dd{margin:0 0 .5rem;font-weight:600}
ul{padding-inline-start:1.25rem}
fieldset{margin:0 0 1rem;padding:.5rem 1rem;border:1px solid var(--line);border-radius:.5rem}
legend{font-weight:600;padding:0 .25rem}
label{display:flex;align-items:center;gap:.75rem;min-height:2.75rem}
label small{color:var(--soft);font-size:.875rem}
input{flex:none;width:1.5rem;height:1.5rem;margin:0;accent-color:var(--ring)}
button{display:block;width:100%;min-height:2.75rem;margin:0 0 .75rem;padding:.6rem 1rem;
font:inherit;font-weight:600;border-radius:.5rem;border:2px solid var(--line);
background:transparent;color:inherit;cursor:pointer}
button.first{background:var(--accent);color:var(--on);border-color:var(--accent)}
a{color:inherit;text-underline-offset:.2em}
:focus-visible{outline:3px solid var(--ring);outline-offset:3px}
.said{padding:.75rem 1rem;border-radius:.5rem;background:var(--good);
border-inline-start:.3rem solid currentcolor}
.soft{color:var(--soft)}
.wrong{padding:.75rem 1rem;border-radius:.5rem;border:2px solid currentcolor}
.scores{display:flex;flex-wrap:wrap;gap:.25rem;margin-bottom:.5rem}
.scores label{flex:1 1 2.5rem;max-width:4.5rem;flex-direction:column;justify-content:center;
gap:.25rem;padding:.4rem .25rem;border:1px solid var(--line);border-radius:.5rem;font-weight:600}
.scores label:has(:checked){border-color:var(--ring);outline:2px solid var(--ring)}
.ends{display:flex;flex-wrap:wrap;justify-content:space-between;gap:0 1.5rem;margin:.5rem 0}
label.words{display:block;min-height:0;margin:0 0 .25rem;font-weight:600}
textarea{display:block;width:100%;min-height:8rem;margin:0 0 1rem;padding:.6rem .75rem;
font:inherit;color:inherit;background:transparent;border:2px solid var(--line);
border-radius:.5rem}
form+form{margin-top:2rem}
@media(forced-colors:active){button.first{border-color:ButtonText}}
"""


class Brand(NamedTuple):
    """Whose pages they are.

    Attributes:
        name: Stands on top; empty: nothing does.
        color: Of the first button, `#rrggbb`; empty: a blue.
        logo: The address of a picture, which stands in the name's place.
    """

    name: str = ""
    color: str = ""
    logo: str = ""


class Look:
    """What all pages of a brand have: their style, and what browsers are told of them."""

    def __init__(self, brand: Brand) -> None:
        """Take the brand."""
        color = brand.color or _DEFAULT_COLOR
        ink = "#fff" if _is_dark(color) else "#000"
        self.style = _STYLE.replace("ACCENT", color).replace("--on:ON", f"--on:{ink}")
        digest = hashlib.sha256(self.style.encode()).digest()
        # `data:` for the icon: browsers ask for one, and this one is empty.
        pictures = f"data: {origin_of(brand.logo)}".strip()
        self.headers = {
            "Content-Type": HTML,
            # Nothing is loaded and nothing runs; a page in a frame could trick somebody
            # into a click.
            "Content-Security-Policy": (
                "default-src 'none'; "
                f"style-src 'sha256-{base64.b64encode(digest).decode()}'; "
                f"img-src {pictures}; "
                "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
            ),
            "X-Frame-Options": "DENY",  # for what is older than frame-ancestors
            # The address is the permission: nobody else is to learn it.
            "Referrer-Policy": "no-referrer",
            "X-Robots-Tag": "noindex, nofollow, noarchive",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
        }
        self._brand = _head_of(brand)

    def page(
        self,
        title: str,
        body: Iterable[str],
        *,
        language: str,
        status: int = 200,
        window: str = "",
        is_own: bool = False,
    ) -> Answer:
        """Return a page.

        Args:
            title: The heading.
            body: What stands below it, as HTML.
            language: Of all its texts.
            status: The status code.
            window: The window's title, which screen readers say first; the heading if
                it is empty.
            is_own: Whether the author wrote the heading, maybe in another language: then
                it has a direction of its own.
        """
        heading = '<h1 dir="auto">' if is_own else "<h1>"
        direction = "rtl" if language in RIGHT_TO_LEFT else "ltr"
        html = (
            f'<!doctype html>\n<html lang="{language}" dir="{direction}">\n<head>\n'
            '<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            '<meta name="robots" content="noindex">\n'
            '<link rel="icon" href="data:,">\n'
            f"<title>{escape(window or title)}</title>\n<style>{self.style}</style>\n</head>\n"
            f"<body>\n<main>\n{self._brand}{heading}{escape(title)}</h1>\n"
            f"{''.join(body)}</main>\n</body>\n</html>\n"
        )
        return Answer(status=status, body=html.encode(), headers=self.headers)


def paragraph(text: str, *, kind: str = "") -> str:
    """A paragraph of plain text."""
    return f"<p{_class(kind)}>{escape(text)}</p>\n"


def said(text: str) -> str:
    """What came of it, which screen readers are to say by themselves."""
    return f'<p class="said" role="status">{escape(text)}</p>\n'


def described(pairs: Iterable[tuple[str, str]]) -> str:
    """Names and what they stand for, line by line."""
    lines = [
        f'<dt>{escape(name)}</dt><dd><span dir="auto">{escape(text)}</span></dd>\n'
        for name, text in pairs
    ]
    return f"<dl>\n{''.join(lines)}</dl>\n" if lines else ""


def link(text: str, address: str) -> str:
    """A link that stands alone."""
    return f'<p><a href="{escape(address)}">{escape(text)}</a></p>\n'


def form(*parts: str) -> str:
    """A form that is posted to the page's own address."""
    return f'<form method="post">\n{"".join(parts)}</form>\n'


def button(text: str, *, value: str, first: bool = False) -> str:
    """A button, and what the form says if it is pressed: `do=VALUE`."""
    return (
        f'<button type="submit" name="do" value="{escape(value)}"'
        f"{_class('first' if first else '')}>{escape(text)}</button>\n"
    )


def hidden(name: str, value: str) -> str:
    """What the form says as well, and nobody sees."""
    return f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">\n'


def choices(legend: str, boxes: Iterable[str]) -> str:
    """Boxes that belong together."""
    return (
        f'<fieldset>\n<legend dir="auto">{escape(legend)}</legend>\n'
        f"{''.join(boxes)}</fieldset>\n"
    )


def box(text: str, *, value: str, ticked: bool, note: str = "") -> str:
    """A box to tick, named `choice`."""
    checked = " checked" if ticked else ""
    small = f" <small>({escape(note)})</small>" if note else ""
    return (
        f'<label><input type="checkbox" name="choice" value="{escape(value)}"{checked}>'
        f"<span>{escape(text)}{small}</span></label>\n"
    )


def scores(
    legend: str, values: Iterable[int], *, chosen: int | None, low: str, high: str
) -> str:
    """Scores to choose one of, named `score`; `low` and `high` say what the ends mean."""
    numbers = [*values]
    each = "".join(
        f'<label><input type="radio" name="score" value="{n}" required'
        f"{' checked' if n == chosen else ''}><span>{n}</span></label>\n"
        for n in numbers
    )
    ends = (
        f"<span>{numbers[0]} = {escape(low)}</span>"
        f"<span>{numbers[-1]} = {escape(high)}</span>"
    )
    return (
        '<fieldset aria-describedby="ends">\n'
        f'<legend dir="auto">{escape(legend)}</legend>\n'
        f'<p class="ends soft" id="ends">{ends}</p>\n'
        f'<div class="scores">\n{each}</div>\n</fieldset>\n'
    )


def words(label: str, *, text: str = "", most: int, needed: bool = False) -> str:
    """A field for words, named `text`, of at most so many characters."""
    required = " required" if needed else ""
    return (
        f'<label class="words" for="text">{escape(label)}</label>\n'
        f'<textarea id="text" name="text" dir="auto" maxlength="{most}"{required}>\n'
        f"{escape(text)}</textarea>\n"
    )


def wrong(text: str) -> str:
    """What is missing, which screen readers are to say at once."""
    return f'<p class="wrong" role="alert">{escape(text)}</p>\n'


def _head_of(brand: Brand) -> str:
    if not (brand.name or brand.logo):
        return ""
    name = escape(brand.name)
    if brand.logo:
        name = f'<img src="{escape(brand.logo)}" alt="{name}">'
    return f'<p class="brand"><span dir="auto">{name}</span></p>\n'


def _class(kind: str) -> str:
    return f' class="{kind}"' if kind else ""


def _is_dark(color: str) -> bool:
    """Whether white stands out from a color more than black (WCAG 2.2, 1.4.3).

    One of the two always has a contrast of 4.5 and more.
    """
    red, green, blue = (int(color[at : at + 2], 16) / 255 for at in (1, 3, 5))
    light = 0.2126 * _linear(red) + 0.7152 * _linear(green) + 0.0722 * _linear(blue)
    return 1.05 / (light + 0.05) >= (light + 0.05) / 0.05


def _linear(part: float) -> float:
    """A part of an sRGB color as light (WCAG 2.2, relative luminance)."""
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
