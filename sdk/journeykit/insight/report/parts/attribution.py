"""Attribution: which messages came before the goals, and how they share the credit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from journeykit.insight.attribution import Attribution, Credit
from journeykit.insight.charts.bars import Stack, Stacks
from journeykit.insight.charts.chart import Table
from journeykit.insight.charts.numbers import amount, percent, whole
from journeykit.insight.report.drawing import Drawing
from journeykit.insight.report.page import Section, badge, quiet

_LEAD = (
    "Which messages came before what people did. A message that came before did not "
    "have to bring it about: that is what lift is for."
)
_SHOWN = 8  # messages of one goal


def attribution_part(found: Sequence[Attribution], draw: Drawing) -> Section:
    """The section."""
    notes = [*dict.fromkeys(note for one in found for note in one.notes)]
    told = [one for one in found if one.conversions]
    body = "".join(
        each
        for place, one in enumerate(told)
        for each in _goal(one, draw, is_first=place == 0)
    )
    if body:
        body = badge(notes) + body
    return Section(
        "attribution",
        "Attribution",
        _LEAD,
        body
        or quiet(
            "no journey has a goal that was reached, so there is no credit to share",
            "journeykit measure attribution shares it for any event.",
        ),
    )


def _goal(one: Attribution, draw: Drawing, *, is_first: bool) -> Iterator[str]:
    shown = one.credits[:_SHOWN]
    names = [_name(credit) for credit in shown]
    rest = "other messages" if len(one.credits) > _SHOWN else ""
    without = one.conversions - one.credited.count
    yield draw.figure(
        Stacks(
            f"{one.conversion}: {percent(one.credited.share)} of "
            f"{whole(one.conversions)} had a message before them",
            [
                *names[:_SERIES],
                *(["the others"] if len(names) > _SERIES or rest else []),
                "no message",
            ],
            [
                Stack(rule, [*_parts(one, rule, len(names)), float(without)])
                for rule in ("last", "first", "linear")
            ],
            "conversions",
        ),
        note=one.definition if is_first else "",
        about="" if is_first else one.definition,
    )
    title = "The credit of each message, of all conversions"
    credits = draw.table(
        Table(
            ["message", "sent", "before", "last", "first", "linear", "worth by last"],
            [
                [
                    _name(credit),
                    whole(credit.touches),
                    whole(credit.before),
                    percent(credit.last.share),
                    percent(credit.first.share),
                    percent(credit.linear.share),
                    amount(credit.last.worth),
                ]
                for credit in shown
            ],
        ),
        caption=title,
    )
    yield draw.folded(credits, title=title)


_SERIES = 4  # messages with a color of their own; the others are one


def _parts(one: Attribution, rule: str, names: int) -> list[float]:
    credits = [getattr(credit, rule).conversions for credit in one.credits]
    parts = [float(each) for each in credits[:_SERIES]]
    if names > _SERIES or len(one.credits) > _SHOWN:
        parts.append(float(sum(credits[_SERIES:])))
    return parts


def _name(credit: Credit) -> str:
    return f"{credit.journey}/{credit.step} ({credit.channel or 'any channel'})"
