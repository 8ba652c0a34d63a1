"""Maps as HTML: the picture, and the same to read: lists, tables, and every note in full.

One file without scripts that loads nothing. It is read on a phone, on paper, from right
to left, by keyboard, and by a screen reader, whose readers need no picture.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Container, Iterator, Mapping, Sequence

from journeykit.engine.calendar import to_datetime
from journeykit.insight.charts.canvas import COLORS
from journeykit.insight.charts.document import document_head
from journeykit.insight.charts.text import safe
from journeykit.insight.coverage import Coverage, Gap, GapKind
from journeykit.insight.flow import EdgeFlow, JourneyFlow, StepFlow
from journeykit.insight.map.cards import taken_of
from journeykit.insight.map.graph import END, HELD_OUT, Graph, Place
from journeykit.insight.map.pen import DARK, variables
from journeykit.insight.map.stage_svg import (
    NOTES,
    counts_of_met,
    kind_of_met,
    people_of,
    stage_svg,
)
from journeykit.insight.map.svg import journey_svg
from journeykit.insight.map.words import (
    KINDS,
    people_in_words,
    reason_in_words,
    share_in_words,
    time_in_words,
    triggers_in_words,
)
from journeykit.insight.stages import (
    NO_STAGE,
    Met,
    PersonaRow,
    StageColumn,
    StageJourney,
    StageMap,
)
from journeykit.model.journey import Journey

STYLE = """
.jk-scroll{overflow-x:auto;margin:0 0 1rem}
.jk-fit{min-width:min-content}
.jk-fit svg{display:block;margin-inline:auto;max-width:100%;height:auto}
.jk-wide .jk-fit svg{width:100%;max-width:68rem}
.jk-fit .jk-least.jk-least{width:auto;max-width:none;height:0}
.jk-map details{margin:0 0 1rem}
.jk-map summary{cursor:pointer;color:var(--faint);font-size:.875rem;min-height:1.5rem}
.jk-gaps{columns:2 22rem;column-gap:2.5rem}
.jk-gaps div{break-inside:avoid;margin:0 0 1rem}
.jk-gaps h4{margin:0 0 .25rem;font-size:.9375rem}
.jk-gaps ul{margin:0;padding-inline-start:1.2rem}
.jk-table{border-collapse:collapse;font-size:.875rem;min-width:100%;
font-variant-numeric:tabular-nums}
.jk-table caption{text-align:start;font-weight:600;padding:0 0 .4rem}
.jk-table th,.jk-table td{padding:.35rem .6rem;border-bottom:1px solid var(--rule);
text-align:start;vertical-align:top}
.jk-table thead th{color:var(--faint);border-bottom:1px solid var(--faint)}
.jk-table .jk-n{text-align:end;white-space:nowrap}
.jk-table{overflow-wrap:normal}
.jk-table ul{list-style:none;margin:0;padding:0}
.jk-table td li{margin:0 0 .15rem}
.jk-faint{color:var(--faint);font-size:.875rem}
.jk-unseen{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
.jk-bad{color:var(--bad);font-weight:600}
.jk-doubts{border:1px solid var(--bad);border-inline-start-width:.35rem;border-radius:.25rem;
padding:.6rem .9rem;margin:0 0 1rem}
.jk-doubts p{margin:0;font-weight:600;color:var(--bad)}
.jk-doubts ul{margin:.25rem 0 0;padding-inline-start:1.2rem}
.jk-sums{display:flex;flex-wrap:wrap;gap:.4rem 1.5rem;margin:0 0 1rem;padding:0;list-style:none}
.jk-sums b{font-variant-numeric:tabular-nums}
.jk-stages{display:grid;gap:1rem;list-style:none;margin:0 0 1rem;padding:0;
grid-template-columns:repeat(auto-fit,minmax(min(100%,14rem),1fr))}
.jk-stages>li{border:1px solid var(--rule);border-radius:.5rem;padding:.9rem 1rem;
border-top:.3rem solid var(--ink);break-inside:avoid}
.jk-stages h3{margin:0;font-size:1.1rem}
.jk-stages h4{margin:.9rem 0 .2rem;font-size:.875rem;color:var(--faint);font-weight:600}
.jk-stages ul{margin:0;padding-inline-start:1.1rem}
.jk-stages li li{margin:0 0 .35rem}
.jk-stages .jk-notes{margin:0}.jk-notes p{margin:0 0 .15rem}
@media screen and (max-width:44rem){.jk-wide{display:none}
.jk-steps,.jk-steps :is(tbody,tr,th,td,caption){display:block}
.jk-steps thead{position:absolute;clip-path:inset(50%);width:1px;height:1px;overflow:hidden}
.jk-steps tr{border:1px solid var(--rule);border-radius:.5rem;padding:.6rem .8rem;
margin:0 0 .75rem}
.jk-steps :is(th,td){border:0;padding:.1rem 0;overflow-wrap:anywhere}
.jk-steps td:empty{display:none}
.jk-steps td[data-head]::before{content:attr(data-head) ": ";color:var(--faint)}
.jk-steps .jk-n{text-align:start}
.jk-flat td{display:inline-block;margin-inline-end:1rem}
.jk-table th,.jk-table td{padding-inline:.35rem}}
@media print{.jk-least{display:none}.jk-fit{min-width:0}.jk-scroll{overflow:visible}
.jk-fit svg{max-height:240mm;width:auto}.jk-fit.jk-tall svg{max-height:none}.jk-sums{break-after:avoid}
.jk-stages{display:block;columns:2;column-gap:1.5rem}.jk-stages>li{margin:0 0 1rem}
.jk-keep::details-content{content-visibility:visible;display:block}
.jk-notes::details-content{content-visibility:visible;display:block}
.jk-map .jk-notes{display:block}.jk-notes>summary{display:none}
.jk-keep{display:block}.jk-keep>summary{display:none}
.jk-gaps{columns:1}}
.jk-map svg a{text-decoration:none}
.jk-map svg a:focus-visible{outline:3px solid var(--series-1);outline-offset:3px}
"""
"""CSS of the sections; its variables are those of `journeykit.insight.charts.canvas`."""

_PAGE = f"""
:root{{color-scheme:light dark;{variables(COLORS)}}}
@media(prefers-color-scheme:dark){{:root{{{variables(DARK)}}}}}
@media print{{:root{{color-scheme:light;{variables(COLORS)}}}}}
*{{box-sizing:border-box}}
html{{-webkit-text-size-adjust:100%;text-size-adjust:100%}}
body{{margin:0 auto;padding:1.5rem 1.25rem 4rem;max-width:82rem;background:var(--paper);
color:var(--ink);font:1rem/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",Arial,sans-serif;
overflow-wrap:anywhere}}
h1{{font-size:1.8rem;line-height:1.2;margin:0 0 .3rem}}
h2{{font-size:1.4rem;line-height:1.25;margin:0 0 .5rem}}
p{{margin:0 0 .75rem}}
a{{color:inherit;text-underline-offset:.2em}}
nav ul{{display:flex;flex-wrap:wrap;gap:.2rem 1.2rem;list-style:none;margin:0 0 1.5rem;padding:0}}
nav a{{display:inline-block;padding:.3rem 0}}
section{{border-top:2px solid var(--ink);padding-top:1rem;margin:0 0 2.5rem}}
:focus-visible{{outline:3px solid var(--series-1);outline-offset:2px}}
.jk-skip{{position:absolute;inset-inline-start:-999rem}}
.jk-skip:focus{{position:static;display:inline-block;padding:.5rem}}
:target{{outline:2px solid var(--series-1);outline-offset:4px}}
@media print{{@page{{margin:12mm}}body{{padding:0;max-width:none;font-size:10pt}}
nav,.jk-skip{{display:none}}h2,h3,h4,caption{{break-after:avoid}}tr{{break-inside:avoid}}
.jk-fit:not(.jk-tall) svg{{max-height:205mm}}
thead,section>p{{break-after:avoid}}
section{{break-before:page}}section:first-of-type{{break-before:auto}}}}
@media(forced-colors:active){{svg{{forced-color-adjust:none;{variables(COLORS)};background:#fff}}}}
{STYLE}
""".strip()


_NUMBER = ' class="jk-n"'


def page(
    sections: Sequence[tuple[str, str, str]],
    *,
    title: str,
    subtitle: str,
    doubts: Sequence[str] = (),
    rtl: bool = False,
    language: str = "en",
) -> str:
    """Return a whole page.

    Args:
        sections: Of each its anchor, its name, and its HTML.
        title: The heading; plain text.
        subtitle: What it covers; plain text.
        doubts: What is to be known before any count is believed; plain text.
        rtl: Whether it runs from right to left.
        language: Of its texts, as HTML names languages.
    """
    digest = base64.b64encode(hashlib.sha256(_PAGE.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    links = "".join(
        f'<li><a href="#{safe(anchor)}">{_text(name)}</a></li>'
        for anchor, name, _ in sections
    )
    nav = f'<nav aria-label="Maps"><ul>{links}</ul></nav>' if len(sections) > 1 else ""
    head = document_head(title, _PAGE, policy=policy, rtl=rtl, language=language)
    return f"""{head}<body>
<a class="jk-skip" href="#maps">To the maps</a>
<header><h1>{_text(title)}</h1><p class="jk-faint">{_text(subtitle)}</p>{_doubts(doubts)}</header>
{nav}<main id="maps">
{"".join(html for _, _, html in sections)}</main>
</body>
</html>
"""


# --- one journey ------------------------------------------------------------------------


def journey_section(
    journey: Journey,
    flow: JourneyFlow | None = None,
    *,
    rtl: bool = False,
    heading: int = 2,
    folded: bool = False,
    closed: bool = False,
) -> str:
    """One journey: the picture, the sums, and each step as a row that the picture leads to.

    Args:
        journey: Which.
        flow: Its counts; None: only what is defined.
        rtl: Whether the page runs from right to left.
        heading: Of which level its heading is; 0: the page has one already.
        folded: Whether what the picture tells is folded up below it as a list.
        closed: Whether the picture is folded up as well; paper has it all the same.
    """
    graph = Graph.of(journey)
    places = list(graph.places)
    name = safe(f"j-{journey.id}")

    def anchor(place: str) -> str:
        return f"#{name}-{places.index(place)}"

    title = journey.name or journey.id
    picture = journey_svg(
        journey, flow, name=f"{name}-m", rtl=rtl, alone=False, anchor=anchor
    )
    head = f"<h{heading}>{_text(title)}</h{heading}>" if heading else ""
    parts = [
        f'<section class="jk-map" id="{name}" aria-label="{safe(title)}">{head}',
        f'<p class="jk-faint">{_text(_about(journey))}</p>',
        *([_sums(flow), _doubts(flow.doubts)] if flow is not None else []),
        *(
            [f'<details class="jk-keep"><summary>{_text(f"Map of {title}")}</summary>']
            if closed
            else []
        ),
        (
            f'<a class="jk-skip" href="#{name}-steps">Skip the picture of {_text(title)}; '
            "the steps follow as a table</a>"
        ),
        _picture(picture, f"Picture of {title}"),
        _fold(_steps(graph, flow, title, name), folded),
        f'<p class="jk-faint">{_text(flow.definition)}</p>' if flow is not None else "",
        "</details>" if closed else "",
        "</section>\n",
    ]
    return "".join(parts)


_SIZE = re.compile(r' width="([\d.]+)" height="([\d.]+)"')
_LEAST = 10 / 12  # letters of 12 pixels are never smaller than 10
_TALL = 1600.0  # what is taller would be too small to read on one sheet


def _picture(svg: str, label: str, *, kind: str = "") -> str:
    """A picture as wide as there is room for; where letters would get too small, scrolled.

    A line without height holds it open: a page with a strict policy has no style of its own
    for each picture.
    """
    found = _SIZE.search(svg)
    wide, tall = (float(each) for each in found.groups()) if found else (0.0, 0.0)
    kinds = " ".join(["jk-scroll", *([kind] if kind else [])])
    fit = "jk-fit jk-tall" if tall > _TALL else "jk-fit"
    return (
        f'<div class="{kinds}" role="region" tabindex="0" aria-label="{safe(label)}">'
        f'<div class="{fit}"><svg class="jk-least" width="{wide * _LEAST:.0f}" height="0" '
        f'aria-hidden="true"></svg>{svg}</div></div>'
    )


def _about(journey: Journey) -> str:
    goals = ", ".join(goal.id or "" for goal in journey.goals)
    said = [
        journey.id,
        f"starts by {triggers_in_words(journey)}",
        *([f"stage {journey.stage}"] if journey.stage else []),
        *([f"goal {goals}"] if goals else []),
    ]
    return " · ".join(said)


def _sums(flow: JourneyFlow) -> str:
    ends = [
        ("entered", flow.entered, None),
        ("held out", flow.held_out, None),
        ("waiting", flow.waiting, None),
        ("completed", flow.completed, None),
        ("exited", sum(flow.exited.values()), flow.exited),
        ("failed", sum(flow.failed.values()), flow.failed),
        ("messages sent", flow.sent, None),
        ("not sent", sum(flow.suppressed.values()), flow.suppressed),
        *((f"reached {goal.goal}", goal.reached, None) for goal in flow.goals),
    ]
    items = "".join(
        f"<li><bdi>{safe(name)} <b>{count:,}</b>{_reasons(reasons)}</bdi></li>"
        for name, count, reasons in ends
    )
    return f'<ul class="jk-sums">{items}</ul>'


def _reasons(reasons: Mapping[str, int] | None) -> str:
    if not reasons:
        return ""
    named = ", ".join(f"{reason_in_words(name)} {n:,}" for name, n in reasons.items())
    return f' <span class="jk-faint">({_text(named)})</span>'


def _steps(graph: Graph, flow: JourneyFlow | None, title: str, name: str) -> str:
    counted = flow is not None
    heads = ["Step", "What it does", *(["Arrived"] if counted else []), "Goes on to"]
    heads += ["What happened"] if counted else []
    rows = []
    numbers = {id: number for number, id in enumerate(graph.places)}
    for id, place in graph.places.items():
        ways = _list(_ways(graph, place, flow, name, numbers))
        cells = [_cell(_text(_does(place)))]
        if flow is not None:
            cells.append(_cell(_arrived(place, flow), head="Arrived", is_number=True))
        cells.append(_cell(ways, head="Goes on to"))
        if flow is not None:
            cells.append(_cell(_list(_happened(place, flow)), head="What happened"))
        rows.append(_row(_called(place), cells, id=f"{name}-{numbers[id]}"))
    if flow is not None:
        rows += [_other(step, flow) for step in flow.steps if not step.known]
    caption = f"Steps of {title}"
    return _cards(caption, heads, rows, numbers={"Arrived"}, id=f"{name}-steps")


def _cards(
    caption: str,
    heads: Sequence[str],
    rows: Sequence[str],
    *,
    numbers: Container[str],
    kind: str = "",
    id: str = "",
) -> str:
    """A table that a phone shows as a card for each row."""
    columns = "".join(
        f'<th scope="col" role="columnheader"{_NUMBER if head in numbers else ""}>'
        f"{_text(head)}</th>"
        for head in heads
    )
    anchor = f' id="{id}"' if id else ""
    kinds = " ".join(["jk-table jk-steps", *([kind] if kind else [])])
    # Roles are said, since a table that a phone shows as cards is none to some browsers.
    return (
        f'<div class="jk-scroll" role="region" tabindex="0"{anchor} '
        f'aria-label="{safe(caption)}"><table class="{kinds}" role="table">'
        f"<caption>{_text(caption)}</caption>"
        f'<thead role="rowgroup"><tr role="row">{columns}</tr></thead>'
        f'<tbody role="rowgroup">{"".join(rows)}</tbody></table></div>'
    )


def _row(name: str, cells: Sequence[str], *, id: str = "") -> str:
    anchor = f' id="{id}"' if id else ""
    return (
        f'<tr role="row"{anchor}><th scope="row" role="rowheader">{_text(name)}</th>'
        f"{''.join(cells)}</tr>"
    )


def _cell(html: str, *, head: str = "", is_number: bool = False) -> str:
    """A cell; on a phone its column's head stands before it."""
    said = f' data-head="{safe(head)}"' if head and html else ""
    return f'<td role="cell"{said}{_NUMBER if is_number else ""}>{html}</td>'


def _called(place: Place) -> str:
    return (
        KINDS.get(place.kind, place.kind) if place.id.startswith("\x00") else place.id
    )


def _does(place: Place) -> str:
    kind = "" if place.id.startswith("\x00") else KINDS.get(place.kind, place.kind)
    said = [kind, place.about if place.about != place.id else ""]
    text = ": ".join(filter(None, said))
    return f"{text} (touchpoint {place.touchpoint})" if place.touchpoint else text


def _arrived(place: Place, flow: JourneyFlow) -> str:
    if place.id == END:
        return f"{flow.completed:,}"
    if place.id == HELD_OUT:
        return f"{flow.held_out:,}"
    if place.kind == "start":
        return f"{flow.entered:,}"
    return f"{flow.step(place.id).arrived:,}"


def _ways(
    graph: Graph,
    place: Place,
    flow: JourneyFlow | None,
    name: str,
    numbers: Mapping[str, int],
) -> Iterator[str]:
    for edge in graph.on(place.id):
        target = _called(graph.places[edge.target])
        label = f" {_text(edge.label)}" if edge.label else ""
        count = ""
        if flow is not None:
            taken, share = taken_of(edge.source, edge.target, flow)
            part = f", {share_in_words(share)}" if share is not None else ""
            count = f": {taken:,}{part}"
        link = f'<a href="#{name}-{numbers[edge.target]}">{_text(target)}</a>'
        yield f"{link}{label}{count}"
    if flow is not None:
        for way in flow.edges:
            if way.step == place.id and not way.known:
                yield _other_way(way)


def _other_way(way: EdgeFlow) -> str:
    return (
        f"{_text(way.next_step)}: {way.count:,}, {share_in_words(way.share)} "
        '<span class="jk-bad">not in this version</span>'
    )


def _happened(place: Place, flow: JourneyFlow) -> Iterator[str]:
    if place.kind == "start":
        if flow.unbegun:
            yield f"{flow.unbegun:,} took no step yet, or never"
        for reason, count in flow.refused.items():
            yield f"not entered: {_text(reason_in_words(reason))} {count:,}"
        return
    if place.id.startswith("\x00"):
        return
    yield from _told(flow.step(place.id), place)


def _told(step: StepFlow, place: Place) -> Iterator[str]:
    if step.sent or place.kind in ("send", "survey"):
        yield f"sent {step.sent:,}"
    for reason, count in step.suppressed.items():
        yield f"not sent: {_text(reason_in_words(reason))} {count:,}"
    if step.undelivered:
        yield f'<span class="jk-bad">did not arrive {step.undelivered:,}</span>'
    if step.waiting:
        yield f"waiting here {step.waiting:,}"
    if step.completed:
        yield f"completed {step.completed:,}"
    for reason, count in step.exited.items():
        yield f"left here: {_text(reason_in_words(reason))} {count:,}"
    for reason, count in step.failed.items():
        yield f'<span class="jk-bad">failed: {_text(reason_in_words(reason))} {count:,}</span>'
    if step.median_ms and step.late_ms is not None:
        yield (
            f"median time {time_in_words(step.median_ms)}, the slowest tenth "
            f"{time_in_words(step.late_ms)} and more"
        )
    if step.missing:
        yield f'<span class="jk-bad">{abs(step.missing):,} don\'t add up</span>'


def _other(step: StepFlow, flow: JourneyFlow) -> str:
    """A step that this version doesn't have."""
    place = Place(step.step, "other")
    ways = (_other_way(edge) for edge in flow.edges if edge.step == step.step)
    return _row(
        step.step,
        [
            _cell('<span class="jk-bad">not in this version</span>'),
            _cell(f"{step.arrived:,}", head="Arrived", is_number=True),
            _cell(_list(ways), head="Goes on to"),
            _cell(_list(_told(step, place)), head="What happened"),
        ],
    )


# --- the stages -------------------------------------------------------------------------


def stage_section(
    map: StageMap,
    coverage: Coverage | None = None,
    *,
    rtl: bool = False,
    heading: int = 2,
    folded: bool = False,
) -> str:
    """The whole customer journey: the picture, and each stage to read.

    Args:
        map: What to show.
        coverage: What it lacks; None: left out.
        rtl: Whether the page runs from right to left.
        heading: Of which level its heading is; 0: the page has one already.
        folded: Whether tables of what the picture tells are folded up below it.
    """
    head = f"<h{heading}>The customer journey</h{heading}>" if heading else ""
    picture = stage_svg(map, name="stages-m", rtl=rtl, alone=False)
    return "".join(
        (
            f'<section class="jk-map" id="stages" aria-label="The customer journey">{head}',
            _persona(map.persona) if map.persona is not None else "",
            _doubts(map.doubts),
            (
                '<a class="jk-skip" href="#stages-list">Skip the picture; the stages follow '
                "as a list</a>"
            ),
            # A phone shows the list in its place.
            _picture(picture, "Picture of the stages", kind="jk-wide"),
            (
                f'<ol class="jk-stages" id="stages-list">'
                f"{''.join(_stage(column, map) for column in map.columns)}</ol>"
            ),
            _fold(
                f"{_moves(map)}{_personas(map)}",
                folded,
                "Moves between stages, and personas, in numbers",
            ),
            _gaps(coverage) if coverage is not None else "",
            f'<p class="jk-faint">{_text(map.definition)}</p></section>\n',
        )
    )


def _stage(column: StageColumn, map: StageMap) -> str:
    people = people_of(column, map)
    parts = [f"<h3>{_text(column.name)}</h3>"]
    if people:
        parts.append(f"<p>{_text(people)}</p>")
    parts += [f'<p class="jk-faint">{_text(line)}</p>' for line in column.description]
    parts.append(_titled("Journeys", [_journey(each) for each in column.journeys]))
    parts.append(_titled("Touchpoints", [_met(each) for each in column.touchpoints]))
    return f"<li>{''.join(parts)}</li>"


def _journey(journey: StageJourney) -> str:
    said = []
    if journey.entered is not None:
        said += [f"{journey.entered:,} entered", f"{journey.waiting:,} under way"]
    if journey.reached is not None:
        said.append(f"{journey.reached:,} reached a goal")
    counts = f"<br>{', '.join(said)}" if said else ""
    return f"<bdi><b>{_text(journey.name)}</b>{counts}</bdi>"


def _met(met: Met) -> str:
    lines = [f"<b>{_text(met.id)}</b>", _text(f"{met.channel}, {kind_of_met(met)}")]
    if counts := counts_of_met(met):
        lines.append(_text(counts))
    notes = [*_noted(met)]
    folded = (
        f'<details class="jk-notes"><summary>{_NOTED} <span class="jk-unseen">at '
        f"{_text(met.id)}</span></summary>{''.join(notes)}</details>"
        if notes
        else ""
    )
    return f"<bdi>{'<br>'.join(lines)}</bdi>{folded}"


_NOTED = "What is noted"


def _noted(met: Met) -> Iterator[str]:
    for what, title in NOTES:
        mark = ' class="jk-bad"' if what == "friction" else ""
        for note in getattr(met, what):
            yield f"<p><span{mark}>{title}:</span> {_text(note)}</p>"
    if met.owner:
        yield f'<p><span class="jk-faint">Owner:</span> {_text(met.owner)}</p>'


def _moves(map: StageMap) -> str:
    if not map.moves:
        return ""
    names = {column.id: column.name for column in map.columns} | {NO_STAGE: "none"}
    rows = "".join(
        f"<tr><td>{_text(names.get(move.source, move.source))}</td>"
        f"<td>{_text(names.get(move.target, move.target))}</td>"
        f'<td class="jk-n">{move.count:,}</td><td class="jk-n">{move.people:,}</td></tr>'
        for move in map.moves
    )
    return _table(
        "Moves between stages", ("From", "To", "Moves", "People"), rows, numbers=2
    )


def _personas(map: StageMap) -> str:
    if not map.personas:
        return ""
    heads = ["People", *(column.name for column in map.columns)]
    rows = []
    for row in map.personas:
        counts = [row.people, *(row.stages.get(each.id, 0) for each in map.columns)]
        cells = [
            _cell("" if row.people is None else f"{n:,}", head=head, is_number=True)
            for head, n in zip(heads, counts, strict=True)
        ]
        rows.append(_row(row.name, cells))
    title = "Personas, and in which stage they are"
    return _cards(title, ["Persona", *heads], rows, numbers=heads, kind="jk-flat")


def _persona(row: PersonaRow) -> str:
    parts = [f"<p><bdi>Counted are people of <b>{_text(row.name)}</b> only.</bdi></p>"]
    notes = (
        ("Who they are", row.story),
        ("Motivation", row.motivation),
        ("Questions", row.questions),
        ("Friction", row.friction),
    )
    parts += [
        f"<p><b>{title}:</b> {_text(' '.join(lines))}</p>"
        for title, lines in notes
        if lines
    ]
    return "".join(parts)


def _gaps(coverage: Coverage) -> str:
    if not coverage.gaps:
        said = "<p>Nothing is lacking.</p>"
    else:
        groups = ((title, coverage.of(*kinds)) for title, kinds in _LACKING)
        said = "".join(
            f"<div><h4>{title}</h4><ul>{''.join(map(_gap, gaps))}</ul></div>"
            for title, gaps in groups
            if gaps
        )
        said = f'<div class="jk-gaps">{said}</div>'
    return f'<h3>What the map lacks</h3>{said}<p class="jk-faint">{_text(coverage.definition)}</p>'


_LACKING: Sequence[tuple[str, Sequence[GapKind]]] = (
    ("Stages", ("stage_without_touchpoints", "stage_without_journeys")),
    ("Personas without journeys", ("persona_without_journeys",)),
    ("Friction that nobody addresses", ("friction",)),
    ("Touchpoints", ("touchpoint_of_nobody", "touchpoint_not_met")),
    ("Journeys and objectives", ("off_the_map", "objective_of_nobody")),
)


def _gap(gap: Gap) -> str:
    return f"<li>{_text(gap.says)}{_concerned(gap.people)}</li>"


def _concerned(people: int | None) -> str:
    return (
        f' <span class="jk-faint">({people_in_words(people)})</span>' if people else ""
    )


# --- parts ------------------------------------------------------------------------------


def period(span: tuple[int, int] | None) -> str:
    """From when to when a log is, by days, UTC."""
    if span is None:
        return "The log is empty."
    first, last = (to_datetime(at) for at in span)
    return f"{first:%Y-%m-%d} to {last:%Y-%m-%d}, UTC"


def _fold(html: str, folded: bool, title: str = "The same as a list") -> str:
    if not folded or not html:
        return html
    return f"<details><summary>{title}</summary>{html}</details>"


def _text(text: str) -> str:
    """Text whose direction is its own, whatever the page's is."""
    return f"<bdi>{safe(text)}</bdi>"


def _list(items: Iterator[str]) -> str:
    found = "".join(f"<li><bdi>{item}</bdi></li>" for item in items)
    return f"<ul>{found}</ul>" if found else ""


def _titled(title: str, items: Sequence[str]) -> str:
    found = "".join(f"<li>{item}</li>" for item in items)
    return f"<h4>{title}</h4>" + (f"<ul>{found}</ul>" if found else "<p>none</p>")


def _table(caption: str, heads: Sequence[str], rows: str, *, numbers: int) -> str:
    columns = "".join(
        f'<th scope="col"{_NUMBER if place >= len(heads) - numbers else ""}>'
        f"{_text(head)}</th>"
        for place, head in enumerate(heads)
    )
    return (
        f'<div class="jk-scroll" role="region" tabindex="0" aria-label="{safe(caption)}">'
        f'<table class="jk-table"><caption>{_text(caption)}</caption>'
        f"<thead><tr>{columns}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _doubts(doubts: Sequence[str]) -> str:
    if not doubts:
        return ""
    items = "".join(f"<li>{_text(doubt)}</li>" for doubt in doubts)
    return (
        '<div class="jk-doubts" role="note"><p>Before you trust the counts</p>'
        f"<ul>{items}</ul></div>"
    )
