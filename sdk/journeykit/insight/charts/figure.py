"""A chart on a page: in two widths, of which the page shows one, and as a table."""

from __future__ import annotations

from journeykit.insight.charts.chart import Chart, Table
from journeykit.insight.charts.heat import Heat
from journeykit.insight.charts.text import safe

WIDE = 720.0
"""For screens and paper; drawn at this width, words have their usual size."""

SMALL = 326.0
"""For phones: what 360 pixels leave between the margins."""

STYLE = """
figure{margin:0 0 1.5rem}
figcaption{font-weight:600;margin:0 0 .5rem}
.note{color:var(--faint);font-size:.875rem;margin:.4rem 0 0}
.draw svg{display:block;max-width:100%;height:auto}
.draw.small{display:none}
.scroll{overflow-x:auto}
.scroll svg.broad{max-width:none}
details{margin:.4rem 0 0}
summary{cursor:pointer;color:var(--faint);font-size:.875rem;min-height:1.5rem}
table{border-collapse:collapse;font-size:.875rem;font-variant-numeric:tabular-nums}
caption{text-align:start;font-weight:600;padding:0 0 .5rem}
th,td{padding:.3rem .6rem;border-bottom:1px solid var(--rule);text-align:end;
vertical-align:top}
th{font-weight:600}
th,td{overflow-wrap:break-word}td,thead th{white-space:nowrap}
.words td,tbody th{white-space:normal}tbody th{min-width:7rem}
th:first-child,td:first-child,.words td,.words th{text-align:start}
thead th{color:var(--faint);border-bottom-color:var(--faint)}
.heat th,.heat td{white-space:nowrap;padding:.3rem .45rem}
.heat td[class]{text-align:center}.heat thead th{text-align:center}
.heat td[class]{border:1px solid var(--paper);-webkit-print-color-adjust:exact;
print-color-adjust:exact}
.heat td.open{font-style:italic}
.h0{background:#f3f7fc;color:#1d2433}.h1{background:#e2ecf7;color:#1d2433}
.h2{background:#d0e0f2;color:#1d2433}.h3{background:#bcd3ec;color:#1d2433}
.h4{background:#a5c4e5;color:#1d2433}.h5{background:#8db4dd;color:#10192b}
.h6{background:#2f6fb3;color:#fff}.h7{background:#275f9c;color:#fff}
.h8{background:#1f4f85;color:#fff}.h9{background:#173f6d;color:#fff}
.several{display:grid;gap:0 1.5rem;
grid-template-columns:repeat(auto-fill,minmax(min(100%,17rem),1fr))}
.several .note{font-size:.8125rem}
@media(max-width:640px){.draw.wide{display:none}.draw.small{display:block}}
@media print{.draw.wide{display:block}.draw.small{display:none}
td,thead th{white-space:normal}figure,tr{break-inside:avoid}figcaption{break-after:avoid}.scroll{overflow:visible}.scroll svg.broad{max-width:100%}}
.several .draw.wide{display:none}.several .draw.small{display:block}
.several .scroll svg.broad{max-width:100%}
""".strip()


def figure(
    chart: Chart | Heat,
    *,
    name: str,
    rtl: bool = False,
    note: str = "",
    about: str = "",
    id: str = "",
) -> str:
    """A chart as HTML.

    Args:
        chart: What to show.
        name: Unique on the page, of letters, digits and hyphens.
        rtl: Whether the page runs from right to left.
        note: What stands below it: the definition of what is shown.
        about: What stands with its numbers: a definition that is known from above.
        id: By which the page links to it.
    """
    anchor = f' id="{safe(id)}"' if id else ""
    below = f'<p class="note">{safe(note)}</p>' if note else ""
    if isinstance(chart, Heat):
        return (
            f'<figure{anchor}><div class="scroll" tabindex="0" role="region" '
            f'aria-label="{safe(chart.title)}">{chart.html()}</div>{below}</figure>'
        )
    wide, is_broad = _drawn(chart, WIDE, name=f"{name}-w", rtl=rtl)
    small, _ = _drawn(chart, SMALL, name=f"{name}-s", rtl=rtl)
    scrolled = f'<div class="scroll" tabindex="0" role="region" aria-label="{safe(chart.title)}">'
    return (
        f"<figure{anchor}{' class=broad' if is_broad else ''}>"
        f"<figcaption>{safe(chart.title)}</figcaption>"
        f'<div class="draw wide">{f"{scrolled}{wide}</div>" if is_broad else wide}</div>'
        f'<div class="draw small">{scrolled}{small}</div></div>'
        f"{below}<details><summary>The numbers"
        f"{' and what they are' if about else ''}</summary>"
        f"{f'<p class=note>{safe(about)}</p>' if about else ''}"
        f'<div class="scroll" tabindex="0" role="region" '
        f'aria-label="{safe(chart.title)}">'
        f"{table(chart.table())}</div></details></figure>"
    )


def _drawn(chart: Chart, width: float, *, name: str, rtl: bool) -> tuple[str, bool]:
    """A drawing, and whether it takes more than the width, so that it is scrolled."""
    drawn = chart.svg(width, name=name, rtl=rtl)
    if f'viewBox="0 0 {width:.0f} ' in drawn:
        return drawn, False
    return drawn.replace("<svg ", '<svg class="broad" ', 1), True


def table(data: Table, *, caption: str = "", words: bool = False) -> str:
    """A table as HTML; the first column names the rows.

    Args:
        data: Its cells.
        caption: What it is.
        words: Whether its cells are words and not numbers.
    """
    title = f"<caption>{safe(caption)}</caption>" if caption else ""
    head = "".join(f'<th scope="col">{safe(cell)}</th>' for cell in data.head)
    body = "".join(
        "<tr>"
        + "".join(
            f'<th scope="row">{safe(cell)}</th>'
            if place == 0
            else f"<td>{safe(cell)}</td>"
            for place, cell in enumerate(row)
        )
        + "</tr>"
        for row in data.rows
    )
    kind = ' class="words"' if words else ""
    return (
        f"<table{kind}>{title}<thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table>"
    )
