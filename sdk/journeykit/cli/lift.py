"""`journeykit lift`: what journeys change, against the people they hold out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from journeykit.cli.insight import LogChoice, over_logs, warehouse
from journeykit.cli.options import with_json
from journeykit.cli.story import rule
from journeykit.cli.terminal import faint, row, strong, wrapped
from journeykit.engine.calendar import isoformat
from journeykit.errors import DefinitionError, InputError
from journeykit.insight.comparisons import TEN_YEARS, Arm, Comparison
from journeykit.insight.lapses import RETURN_DAYS, Baseline
from journeykit.insight.lift import EventOutcome, Experiment, Lift, lift
from journeykit.insight.periods import days_of
from journeykit.insight.stats.intervals import Interval
from journeykit.model.durations import Duration
from journeykit.model.plain_text import printable
from journeykit.workspace.reading import SETTINGS

_ANSWERS = {
    "higher": "More of the treated reach it.",
    "lower": "Fewer of the treated reach it.",
    "open": "No difference can be told from chance.",
}


@click.command("lift")
@click.argument("journey", metavar="[JOURNEY]", required=False)
@over_logs
@click.option("--event", metavar="NAME", help="Compare by this event of the archive.")
@click.option(
    "--within",
    metavar="DURATION",
    help="For how long after the first entry the event counts, such as 30d.",
)
@click.option(
    "--value", metavar="PROPERTY", help="The event's property that says its worth."
)
@click.option(
    "--smallest",
    type=float,
    metavar="POINTS",
    help="Plan for this difference, in percentage points; a tenth of the held-out's "
    "share if not given.",
)
@click.option(
    "--returning",
    metavar="DURATION",
    default="14d",
    show_default=True,
    help="Within how long somebody who was silent counts as returned.",
)
@with_json
def command(
    *,
    journey: str | None,
    workspace: Path,
    choice: LogChoice,
    event: str | None,
    within: str | None,
    value: str | None,
    smallest: float | None,
    returning: str,
    as_json: bool,
) -> None:
    """Compare those whom journeys treat with those they hold out.

    Of JOURNEY, or of all that have a holdout, and of all together that share one. The
    intervals hold however often one looks. A workspace's folder may stand in the place of
    JOURNEY.
    """
    if journey is not None and (folder := Path(journey) / SETTINGS).is_file():
        journey, workspace = None, folder.parent
    outcome = _outcome(event, within, value)
    days = days_said(returning, "returning") if returning else RETURN_DAYS
    with warehouse(workspace, choice) as (there, house):
        if journey is not None:
            there.journey(journey)
        found = lift(
            house,
            there.journeys,
            only=journey,
            event=outcome,
            smallest=None if smallest is None else smallest / 100,
            return_days=days,
        )
        problems = list(house.problems)
    if as_json:
        document = document_of(found)
        document["problems"] = problems
        click.echo(json.dumps(document, ensure_ascii=False, indent=2))
        return
    for line in told(found, problems=problems):
        click.echo(line)


def _outcome(
    event: str | None, within: str | None, value: str | None
) -> EventOutcome | None:
    if event is None:
        if within or value:
            raise click.UsageError("--within and --value say more of an --event")
        return None
    if within is None:
        raise click.UsageError("--event needs --within, such as --within 30d")
    return EventOutcome(event, days_said(within, "within"), value)


def days_said(text: str, option: str) -> float:
    """A duration in days.

    Raises:
        InputError: It is none.
    """
    try:
        return days_of(Duration.parse(text))
    except DefinitionError as error:
        raise InputError(str(error), place=f"--{option}") from error


def document_of(found: Lift) -> dict[str, Any]:
    """All of it as JSON values; instants as RFC 3339."""
    document = asdict(found)
    for experiment in document["experiments"]:
        for comparison in experiment["comparisons"]:
            for look in comparison["looks"]:
                look["at"] = isoformat(look.pop("at_ms"))
    return document


# In words


def told(found: Lift, *, problems: list[str]) -> Iterator[str]:
    """Tell what was found, for a terminal."""
    if found.recorded:
        yield from wrapped(found.recorded)
        yield ""
    for experiment in found.experiments:
        yield from _experiment(experiment)
        yield ""
    if not found.experiments:
        yield from wrapped(
            "No journey holds anybody out, so what they change can't be told: give one "
            "a `holdout`."
        )
        yield ""
    for baseline in found.baselines:
        yield from _baseline(baseline)
        yield ""
    if found.without and found.experiments:
        yield from row("no holdout", ", ".join(found.without))
    for problem in problems:
        yield from row("note", problem)


def _experiment(experiment: Experiment) -> Iterator[str]:
    title = experiment.name
    if experiment.is_global:
        title += f" · global holdout of {', '.join(experiment.journeys)}"
    yield rule(f"{title} · {experiment.share * 100:g} % held out")
    people = f"{experiment.people:,} entered"
    if experiment.too_early:
        people += f", {experiment.too_early:,} of them too late to count yet"
    if experiment.switched:
        people += f"; {experiment.switched:,} were in the other group later"
    yield from row("people", people)
    if (ratio := experiment.sample_ratio) is not None:
        text = (
            f"{ratio.held_out:,} of {ratio.of:,} held out, {ratio.expected:,.0f} "
            f"expected (p {_chance(ratio.p_value)})"
        )
        yield from row("assignment", text)
        if ratio.mismatch:
            yield from row(
                "", "That is no chance. Find out why before any figure is believed."
            )
    for comparison in experiment.comparisons:
        yield ""
        yield from _comparison(comparison, experiment)
    for problem in experiment.problems:
        yield from row("note", problem)


def _comparison(comparison: Comparison, experiment: Experiment) -> Iterator[str]:
    outcome = comparison.outcome
    title = f"{outcome.name} within {outcome.within_days:g} days"
    yield f"  {strong(printable(title))}"
    yield from row("treated", _arm(comparison.treated))
    yield from row("held out", _arm(comparison.held_out))
    if (conversion := comparison.conversion) is not None:
        text = _points(conversion.difference)
        if conversion.interval is not None:
            text += f" ({_between(conversion.interval)})"
        if comparison.relative is not None:
            text += f", {comparison.relative:+.1%} relative"
        yield from row("difference", text)
    if (value := comparison.value) is not None:
        text = f"{value.difference:+,.2f} a person"
        if value.interval is not None:
            text += f" ({value.interval.low:+,.2f} to {value.interval.high:+,.2f})"
        yield from row("value", text)
    yield from row("answer", _answer(comparison))
    yield from row("needed", _needed(comparison))
    yield from (faint(line) for line in row("", comparison.definition))


def _answer(comparison: Comparison) -> str:
    if comparison.verdict == "too_few":
        fewer = min(comparison.treated.people, comparison.held_out.people)
        return f"There is none yet: the smaller group has {fewer:,} people of 50."
    answer = _ANSWERS[comparison.verdict]
    if comparison.verdict == "open" and comparison.detectable is not None:
        answer += (
            f" One of {comparison.detectable * 100:.1f} points would have shown, four "
            "times of five."
        )
    return answer


def _needed(comparison: Comparison) -> str:
    needed = comparison.needed
    if needed is None:
        return ""
    text = (
        f"{needed.people:,} people, {needed.held_out:,} of them held out, to see "
        f"{abs(needed.effect) * 100:.2g} points four times of five"
    )
    left = comparison.days_left
    if left == 0:
        return f"{text}; there are so many"
    if left is not None and left > TEN_YEARS:
        return f"{text}; at this pace that takes more than ten years"
    return f"{text}; {left:,} more days at this pace" if left else text


def _arm(arm: Arm) -> str:
    share = arm.reached.share
    text = f"{arm.reached.count:,} of {arm.people:,}"
    if share is not None:
        text += f", {share:.1%}"
    if arm.value_per_person is not None:
        text += f"; {arm.value_per_person:,.2f} a person"
    return text


def _baseline(baseline: Baseline) -> Iterator[str]:
    yield rule(f"{baseline.journey} · who comes back by themselves")
    returned = baseline.returned
    text = "nobody came to the first message yet"
    if returned.share is not None and returned.interval is not None:
        low, high = returned.interval.low, returned.interval.high
        text = (
            f"{returned.share:.1%} within {baseline.within_days:g} days "
            f"({low:.1%} to {high:.1%}; {returned.count:,} of {returned.of:,})"
        )
    yield from row("returned", text)
    yield from (faint(line) for line in row("", baseline.definition))


def _points(difference: float) -> str:
    return f"{difference * 100:+.1f} points"


def _between(interval: Interval) -> str:
    return f"{interval.low * 100:+.1f} to {interval.high * 100:+.1f}"


def _chance(p_value: float) -> str:
    return f"{p_value:.2f}" if p_value >= 0.01 else f"{p_value:.1g}"
