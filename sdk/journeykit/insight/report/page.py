"""The page of a report: one file, no script, nothing loaded, on any screen and on paper.

It can be mailed and opened from an attachment: all it needs is inside, and its policy
forbids the rest. It holds at 320 pixels and at 400 % zoom (WCAG 2.2, 1.4.10), in the
dark, in print, in black and white, by keyboard, and from right to left.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from journeykit.insight.charts.canvas import COLORS
from journeykit.insight.charts.document import document_head
from journeykit.insight.charts.figure import STYLE as FIGURES
from journeykit.insight.charts.text import safe
from journeykit.insight.map.page import STYLE as MAPS

_DARK = {
    "ink": "#e9edf4",
    "faint": "#a9b3c3",
    "rule": "#3a4354",
    "paper": "#151a23",
    "wash": "#222a38",
    "good": "#6fcf97",
    "bad": "#ff8a80",
    "series-1": "#6ea8ea",
    "series-2": "#f0a45c",
    "series-3": "#63c98f",
    "series-4": "#c09be6",
    "series-5": "#9aa5b6",
    "series-6": "#ee85b9",
}


def _variables(colors: Iterable[tuple[str, str]]) -> str:
    return ";".join(f"--{name}:{value}" for name, value in colors)


_STYLE = f"""
:root{{color-scheme:light dark;{_variables(COLORS.items())};--odd:#7a4a00;
--odd-ground:#fff4dc}}
@media(prefers-color-scheme:dark){{:root{{{_variables(_DARK.items())};--odd:#ffd591;
--odd-ground:#3a2c10}}}}
@media print{{:root{{color-scheme:light;{_variables(COLORS.items())};--odd:#7a4a00;
--odd-ground:#fff}}}}
*{{box-sizing:border-box}}
html{{-webkit-text-size-adjust:100%;text-size-adjust:100%}}
body{{margin:0;background:var(--paper);color:var(--ink);
font:1rem/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",Arial,sans-serif;
overflow-wrap:anywhere}}
.frame{{max-width:78rem;margin:0 auto;padding:0 1.25rem 4rem;display:grid;
grid-template-columns:12rem minmax(0,60rem);column-gap:2.5rem;justify-content:center}}
header{{grid-column:1/-1;padding:2.5rem 0 1.25rem;border-bottom:2px solid var(--ink);
margin-bottom:1.5rem}}
h1{{font-size:2rem;line-height:1.15;margin:0 0 .4rem;letter-spacing:-.01em}}
h2{{font-size:1.5rem;line-height:1.25;margin:0 0 .35rem}}
h3{{font-size:1.1rem;line-height:1.3;margin:1.75rem 0 .5rem}}
p{{margin:0 0 .75rem}}ul{{margin:0 0 .75rem;padding-inline-start:1.2rem}}
li{{margin:0 0 .3rem}}
.lead{{color:var(--faint);margin:0 0 1rem}}
nav{{font-size:.9375rem}}
nav ul{{list-style:none;margin:0;padding:0;position:sticky;top:1.25rem}}
nav a{{display:block;padding:.3rem 0;color:var(--ink);text-decoration:none}}
nav a:hover{{text-decoration:underline}}
main{{min-width:0}}
main>section{{margin:0 0 3rem;padding-top:.25rem}}
main>section>:is(figure:not(.broad),p,.badge,.quiet,.first){{max-width:46rem}}
main>section>details{{margin:-1rem 0 1.75rem}}main>section>.note{{margin-bottom:1.25rem}}
main>section+section{{border-top:1px solid var(--rule);padding-top:1.75rem}}
a{{color:inherit;text-underline-offset:.2em}}
:focus-visible{{outline:3px solid var(--series-1);outline-offset:2px}}
.skip{{position:absolute;inset-inline-start:-999rem}}
.skip:focus{{position:static;display:block;padding:.75rem}}
.tiles{{display:grid;grid-template-columns:repeat(auto-fill,minmax(8.5rem,1fr));
gap:.75rem;margin:0 0 1.25rem;padding:0;list-style:none}}
.tiles li{{border:1px solid var(--rule);border-radius:.5rem;padding:.7rem .8rem .6rem;
margin:0;break-inside:avoid}}
.tiles b{{display:block;font-size:1.5rem;line-height:1.2;
font-variant-numeric:tabular-nums}}
.tiles span{{color:var(--faint);font-size:.875rem}}
.tiles svg{{display:block;margin-top:.4rem;width:100%;height:auto;max-height:2rem}}
.first{{list-style:none;padding:0}}
.first li{{padding:.1rem 0 .1rem 1.8rem;position:relative;margin-bottom:.45rem}}
[dir=rtl] .first li{{padding:.1rem 1.8rem .1rem 0}}
.first li::before{{content:"→";position:absolute;inset-inline-start:.2rem;
font-weight:700}}
[dir=rtl] .first li:not(.good,.bad)::before{{content:"←"}}
.first .good::before{{content:"✓";color:var(--good)}}
.first .bad::before{{content:"✗";color:var(--bad)}}
.badge{{border-inline-start:.3rem solid var(--odd);background:var(--odd-ground);
color:var(--odd);padding:.6rem .9rem;margin:0 0 1rem;border-radius:.25rem}}
.badge ul{{margin:.25rem 0 0}}.badge li{{margin:0}}
.quiet+.quiet,.badge+.quiet,figure+.quiet{{margin-top:.75rem}}
.quiet{{margin:0 0 1rem;border:1px dashed var(--faint);border-radius:.5rem;padding:.8rem 1rem;
color:var(--faint)}}
.quiet p:last-child{{margin:0}}
code{{font:.875em ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}}
.state{{white-space:nowrap;font-weight:600}}
.state.good{{color:var(--good)}}.state.bad{{color:var(--bad)}}
dl.defined dt{{font-weight:600;margin-top:.6rem}}dl.defined dd{{margin:0;
color:var(--faint)}}
.jk-map{{margin:0 0 2rem}}
.jk-skip{{position:absolute;inset-inline-start:-999rem}}
.jk-skip:focus{{position:static;display:inline-block;padding:.5rem}}
footer{{grid-column:1/-1;border-top:1px solid var(--rule);color:var(--faint);
font-size:.875rem;padding-top:1rem}}
[dir=rtl] :is(p,li,h1,h2,h3,dd,dt,figcaption,summary,caption,td,th,b,span){{
unicode-bidi:plaintext}}
[dir=rtl] :is(p,li,h1,h2,h3,dd,dt,figcaption,summary,caption,b,span,th:first-child,
.words td){{text-align:right}}
[dir=rtl] td{{text-align:left}}[dir=rtl] .heat td[class]{{text-align:center}}
@media screen and (min-width:60.01rem){{#stages-list{{position:absolute;width:1px;height:1px;
overflow:hidden;clip-path:inset(50%)}}
#stages-list summary{{display:none}}
.jk-notes::details-content{{content-visibility:visible;display:block}}}}
@media(max-width:60rem){{.frame{{display:block;padding:0 1rem 3rem}}
header{{padding-top:1.5rem}}
nav ul{{position:static;display:flex;flex-wrap:wrap;gap:.1rem 1.1rem;
margin-bottom:1.5rem}}nav a{{text-decoration:underline;min-height:1.75rem}}}}
@media(max-width:30rem){{h1{{font-size:1.6rem}}.tiles{{grid-template-columns:1fr 1fr}}
th,td{{padding:.3rem .4rem}}}}
@media print{{@page{{margin:14mm 13mm}}
.frame{{display:block;max-width:none;padding:0}}nav,.skip,.jk-skip,details:not(.jk-keep){{display:none}}
.tiles{{grid-template-columns:repeat(5,1fr)}}.quiet,.badge{{break-inside:avoid}}
.lead,.lead+.badge,.jk-map>p,thead{{break-after:avoid}}#map{{break-before:page}}
.jk-fit:not(.jk-tall) svg{{max-height:205mm}}
#stages-list{{display:none}}body{{font-size:10.5pt}}table,.jk-table{{font-size:8.5pt}}
th,td,.jk-table th,.jk-table td{{padding:.2rem .4rem}}header{{padding-top:0}}
h2,h3,h4{{break-after:avoid}}.badge{{border:1px solid var(--odd);
border-inline-start-width:.3rem}}
main>section{{margin-bottom:1.5rem}}a{{text-decoration:none}}}}
@media(forced-colors:active){{svg{{forced-color-adjust:none;background:#fff;
color-scheme:light;{_variables(COLORS.items())}}}}}
{FIGURES}
{MAPS}
""".strip()

POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'"
)


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page.

    Attributes:
        id: By which it is linked to.
        title: Its heading.
        lead: What it is about, in a sentence; plain text.
        body: The rest, as HTML.
    """

    id: str
    title: str
    lead: str
    body: str


def page(
    sections: Sequence[Section],
    *,
    title: str,
    subtitle: str,
    notices: Sequence[str],
    footer: str,
    rtl: bool = False,
) -> str:
    """Return the page.

    Args:
        sections: Its parts, in their order.
        title: Its heading.
        subtitle: What it covers; plain text.
        notices: What stands above all: what the logs can't tell; plain text.
        footer: How it was made; plain text.
        rtl: Whether it runs from right to left.
    """
    links = "".join(
        f'<li><a href="#{safe(each.id)}">{safe(each.title)}</a></li>'
        for each in sections
    )
    parts = "".join(map(_section, sections))
    head = document_head(title, _STYLE, policy=POLICY, rtl=rtl)
    return f"""{head}<body>
<a class="skip" href="#content">To the figures</a>
<div class="frame">
<header><h1>{safe(title)}</h1><p class="lead">{safe(subtitle)}</p>{badge(notices, head="Before you read the figures:")}</header>
<nav aria-label="Parts of the report"><ul>{links}</ul></nav>
<main id="content">
{parts}</main>
<footer><p>{safe(footer)}</p></footer>
</div>
</body>
</html>
"""


def _section(section: Section) -> str:
    lead = f'<p class="lead">{safe(section.lead)}</p>' if section.lead else ""
    return (
        f'<section id="{safe(section.id)}" aria-labelledby="{safe(section.id)}-h">'
        f'<h2 id="{safe(section.id)}-h">{safe(section.title)}</h2>{lead}'
        f"{section.body}</section>\n"
    )


def badge(notices: Sequence[str], *, head: str = "") -> str:
    """What is to be known before a figure is believed; nothing if there is nothing.

    Args:
        notices: A sentence each; plain text.
        head: What stands above several.
    """
    if not notices:
        return ""
    if len(notices) == 1:
        return f'<p class="badge" role="note">{safe(_sentence(notices[0]))}</p>'
    items = "".join(f"<li>{safe(_sentence(each))}</li>" for each in notices)
    return f'<div class="badge" role="note">{safe(head)}<ul>{items}</ul></div>'


def _sentence(text: str) -> str:
    """A problem as a sentence: with a capital, unless it begins with an id, and an end."""
    first = text.split(" ", 1)[0]
    if first.isalpha():
        text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."


def quiet(why: str, way_out: str = "") -> str:
    """What stands where there is nothing to show: why, and how to get it."""
    more = f"<p>{safe(_sentence(way_out))}</p>" if way_out else ""
    return f'<div class="quiet"><p>{safe(_sentence(why))}</p>{more}</div>'


def paragraph(text: str, *, kind: str = "") -> str:
    """A paragraph of plain text."""
    return f'<p class="{kind}">{safe(text)}</p>' if kind else f"<p>{safe(text)}</p>"


def heading(text: str) -> str:
    """A heading within a section."""
    return f"<h3>{safe(text)}</h3>"
