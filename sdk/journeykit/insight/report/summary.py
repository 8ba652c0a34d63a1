"""The head of the report: the figures that matter most, and what is to be looked at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

from journeykit.insight.charts.numbers import amount, counted, percent, points, whole
from journeykit.insight.charts.text import safe
from journeykit.insight.map.words import reason_in_words
from journeykit.insight.report.drawing import Drawing
from journeykit.insight.report.findings import Findings, Missing
from journeykit.insight.report.page import Section, paragraph

_MOST_EXITS = 0.2  # of all runs; a reason that ends fewer is no news


class Conclusion(NamedTuple):
    """One sentence of what is found.

    Attributes:
        text: The sentence.
        state: Whether it is good news, bad news, or neither.
    """

    text: str
    state: Literal["", "good", "bad"] = ""


class Tile(NamedTuple):
    """A figure in large letters.

    Attributes:
        figure: The figure in words.
        name: What it is.
        course: By day or week, where it comes from.
    """

    figure: str
    name: str
    course: tuple[int, ...] = ()


def summary_part(found: Findings, draw: Drawing) -> Section:
    """The section."""
    tiles = "".join(
        f"<li><b>{safe(tile.figure)}</b><span>{safe(tile.name)}</span>"
        + draw.spark(tile.course, f"{tile.name} by {found.activity.per}")
        + "</li>"
        for tile in tiles_of(found)
    )
    told = "".join(
        f'<li class="{one.state}">{safe(one.text)}</li>' for one in conclusions(found)
    )
    body = f'<ul class="tiles">{tiles}</ul>'
    if told:
        body += f'<ul class="first">{told}</ul>'
    return Section(
        "summary",
        "At a glance",
        "",
        body + paragraph(found.activity.definition, kind="note"),
    )


def tiles_of(found: Findings) -> Iterator[Tile]:
    """The figures that matter most."""
    did = found.activity
    entered = tuple(map(sum, zip(*did.entered_by.values(), strict=True)))
    if not isinstance(found.objectives, Missing):
        known = [one for one in found.objectives.objectives if one.value is not None]
        met = sum(one.status == "met" for one in known)
        if known:
            yield Tile(f"{met} of {len(known)}", "objectives met")
    yield Tile(whole(did.people), "people")
    yield Tile(whole(did.entered), "entries", entered)
    yield Tile(whole(did.sent), "messages sent", tuple(did.sent_by))
    yield Tile(whole(did.goals), "goals reached", tuple(did.goals_by))


def conclusions(found: Findings) -> Iterator[Conclusion]:
    """What is to be looked at, the targets first: sentences of what was counted."""
    yield from _of_objectives(found)
    yield from _of_lift(found)
    yield from _of_flows(found)


def _of_objectives(found: Findings) -> Iterator[Conclusion]:
    if isinstance(found.objectives, Missing):
        return
    for one in found.objectives.objectives:
        if one.value is None:
            continue
        unit = " %" if one.unit == "percent" else ""
        sign = "at least" if one.aim == "at_least" else "at most"
        sure = "" if one.is_certain else ", though the interval allows both"
        yield Conclusion(
            f"{one.kpi or one.id}: {amount(one.value)}{unit}, to be {sign} "
            f"{amount(one.target)}{unit} by {one.by:%Y-%m-%d}: "
            f"{one.status.replace('_', ' ')}{sure}.",
            _STATES.get(one.status, ""),
        )


_STATES: Mapping[str, Literal["good", "bad"]] = {
    "met": "good",
    "behind": "bad",
    "missed": "bad",
}


def _of_lift(found: Findings) -> Iterator[Conclusion]:
    if isinstance(found.lift, Missing):
        return
    for experiment in found.lift.experiments:
        for one in experiment.comparisons[:1]:
            seen = one.conversion
            if seen is None or seen.interval is None:
                continue
            low, high = seen.interval.low, seen.interval.high
            where = (
                f"{experiment.name}: treated minus held out is "
                f"{points(seen.difference)} ({points(low).removesuffix(' points')} to "
                f"{points(high).removesuffix(' points')})"
            )
            if one.verdict == "open":
                yield Conclusion(f"{where}: zero is possible, so no effect is shown.")
            else:
                good = one.verdict == "higher"
                yield Conclusion(f"{where}.", "good" if good else "bad")
    for line in found.lift.baselines:
        if line.returned.share is not None:
            by_itself = " without any message" if line.natural else ""
            yield Conclusion(
                f"{percent(line.returned.share)} of those who came to "
                f"{line.journey}'s first message came back within "
                f"{line.within_days:g} days{by_itself}. No message may take the credit "
                "for them."
            )


def _of_flows(found: Findings) -> Iterator[Conclusion]:
    if isinstance(found.flows, Missing):
        return
    for one in found.flows:
        failed = sum(one.failed.values())
        if failed:
            reason, most = max(one.failed.items(), key=lambda each: each[1])
            yield Conclusion(
                f"{one.journey}: {counted(failed, 'run')} failed, "
                f"{whole(most)} of them for the reason “{reason_in_words(reason)}”.",
                "bad",
            )
        lost = sum(one.suppressed.values())
        if lost > _MOST_EXITS * (one.sent + lost):
            reason, most = max(one.suppressed.items(), key=lambda each: each[1])
            yield Conclusion(
                f"{one.journey}: {percent(lost / (one.sent + lost))} of its messages "
                f"were not sent, {'all' if most == lost else whole(most)} of them for the "
                f"reason “{reason_in_words(reason)}”."
            )
