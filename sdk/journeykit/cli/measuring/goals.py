"""`journeykit measure goals`: who reached the goals, how soon, what it was worth."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from journeykit.cli.figures import (
    NONE,
    about_logs,
    amount,
    bar,
    between,
    meaning,
    percent,
    print_json,
    took,
)
from journeykit.cli.insight import LogChoice, over_logs, warehouse
from journeykit.cli.options import with_json
from journeykit.cli.story import rule
from journeykit.cli.terminal import counted, faint, row
from journeykit.insight.goals import (
    GoalFigures,
    JourneyFigures,
    Performance,
    Reached,
    TimeToConvert,
    Worth,
    performance,
)
from journeykit.model.plain_text import printable

_NAME = 28  # columns for a journey and its goal
_CURVE = (0.25, 0.5, 0.75, 1.0)  # of the longest time, where the curve is shown


@click.command("goals")
@over_logs
@click.option("--journey", metavar="ID", help="Only this journey, and all of it.")
@with_json
def command(
    *, workspace: Path, choice: LogChoice, journey: str | None, as_json: bool
) -> None:
    """Say who reached the goals, how soon, and what it was worth.

    A row for each journey and goal; with --journey everything that is known of it.
    """
    with warehouse(workspace, choice, journey=journey) as sight:
        found = performance(sight.house, sight.workspace.journeys, journey=journey)
        if as_json:
            print_json(found, sight.house)
            return
        lines = _overview(found) if journey is None else _alone(found)
        for line in [*lines, *about_logs(sight.house)]:
            click.echo(line)


# All of them


def _overview(found: Performance) -> Iterator[str]:
    if found.since_at is None or found.until_at is None:
        yield "the log is empty"
        return
    span = f"{found.since_at:%Y-%m-%d} to {found.until_at:%Y-%m-%d}"
    yield rule(f"goals · {span}")
    yield (
        f"{'journey / goal':<{_NAME}}  {'runs':>8}  {'reached':>7}  {'share':>7}"
        f"  {'in half':>9}  {'worth':>10}"
    )
    for journey in found.journeys:
        yield from _journey(journey)
    yield ""
    yield from meaning(
        "In a goal's row runs are those whose window is over, held-out people left out; "
        "in half is the median time, and worth the sum, of all that reached it so far, "
        "those whose window is still open among them. What exactly each goal counts "
        "says --journey ID."
    )
    yield from meaning(found.definition)


def _journey(journey: JourneyFigures) -> Iterator[str]:
    yield _named(journey.journey, f"  {journey.entered:>8,}")
    for goal in journey.goals:
        treated = goal.treated
        worth = amount(goal.worth.total) if goal.worth and goal.worth.known else NONE
        yield _named(
            f"  {goal.goal}",
            f"  {treated.counted:>8,}  {treated.reached:>7,}  "
            f"{percent(treated.share):>7}  {took(goal.time.median_ms):>9}  {worth:>10}",
        )
    if not journey.goals:
        yield faint("  no goal")


def _named(name: str, figures: str) -> str:
    name = printable(name)
    if len(name) > _NAME:
        return f"{name}\n{'':<{_NAME}}{figures}"
    return f"{name:<{_NAME}}{figures}"


# One of them


def _alone(found: Performance) -> Iterator[str]:
    if found.since_at is None:
        yield "the log is empty"
    for journey in found.journeys:
        title = (
            f"{journey.journey} · {journey.name}" if journey.name else journey.journey
        )
        yield rule(title)
        people = "1 person" if journey.people == 1 else f"{journey.people:,} people"
        yield from row("entered", f"{counted(journey.entered, 'run')} of {people}")
        parts = [
            (journey.held_out, "held out"),
            (journey.waiting, "under way"),
            (journey.completed, "completed"),
            (journey.exited, "exited"),
            (journey.failed, "failed"),
        ]
        told = ", ".join(f"{count:,} {what}" for count, what in parts if count)
        yield from row("of these", told)
        sent = (
            f"{counted(journey.sent, 'message')} sent, {journey.suppressed:,} not sent"
        )
        yield from row("messages", sent)
        yield from meaning(found.definition)
        if not journey.goals:
            yield ""
            yield "it has no goal, so nothing says whether it works; give it one"
        for goal in journey.goals:
            yield ""
            yield from _goal(goal)


def _goal(goal: GoalFigures) -> Iterator[str]:
    within = f" within {goal.within}" if goal.within else ""
    yield rule(f"goal {goal.goal}{within}")
    treated = goal.treated
    yield from row("reached", _reached(treated))
    yield from row(
        "people",
        f"{treated.reached_people:,} of {treated.counted_people:,}, "
        f"{percent(treated.share_of_people)} ({between(treated.interval_of_people)})"
        if treated.counted_people
        else "",
    )
    if treated.open or treated.reached_early:
        early = f"; {treated.reached_early:,} reached it already"
        yield from row(
            "still open",
            f"{counted(treated.open, 'run')}{early if treated.reached_early else ''}",
        )
    if goal.held_out is not None:
        yield from row("held out", f"{_reached(goal.held_out)}: see journeykit lift")
    if goal.worth is not None:
        yield from row("worth", _worth(goal.worth))
    if goal.time.reached:
        yield from row("time", _time(goal.time))
        yield from row("by then", _curve(goal.time))
    if goal.trend:
        yield ""
        head = f"{goal.per} of entry"
        yield faint(f"  {head:<15}{'entered':>8}  {'reached':>7}  {'share':>7}")
        for span in goal.trend:
            mark = " ·" if span.is_partial else ""
            share = f"{span.reached:>7,}  {percent(span.share):>7}"
            shown = share if span.counted else f"{NONE:>7}  {NONE:>7}"
            yield (
                f"  {span.starts_at:%Y-%m-%d}     {span.entered:>8,}  {shown}  "
                f"{bar(span.share)}{mark}"
            )
        if any(span.is_partial for span in goal.trend):
            yield from meaning(
                f"· the {goal.per} is not whole: the log has a part of it, or some of "
                "its runs may still reach the goal, and do not count yet"
            )
    yield from meaning(goal.definition)


def _reached(reached: Reached) -> str:
    if not reached.entered:
        return "nobody has entered"
    if not reached.counted:
        return "nobody's window is over yet"
    return (
        f"{reached.reached:,} of {counted(reached.counted, 'run')}, "
        f"{percent(reached.share)} ({between(reached.interval)})"
    )


def _worth(worth: Worth) -> str:
    if not worth.known:
        return "not known: the log has no value of it, nor has the archive"
    per = between(worth.interval, scale=1, unit="")
    least = "at least " if worth.unknown else ""
    entry = f"{least}{amount(worth.per_entry)} a run that entered" + (
        f" ({per})" if per else ""
    )
    unknown = f"; of {worth.unknown:,} goals it is not known" if worth.unknown else ""
    return (
        f"{amount(worth.total)} in all; median {amount(worth.median)}, "
        f"mean {amount(worth.per_goal)} a goal; {entry}{unknown}"
    )


def _time(time: TimeToConvert) -> str:
    half = (
        f"; half of all runs had reached it after {took(time.half_ms)}"
        if time.half_ms is not None
        else "; fewer than half of all runs ever reach it"
    )
    return (
        f"median {took(time.median_ms)}, a quarter within {took(time.quarter_ms)}, three "
        f"quarters within {took(time.three_quarters_ms)}, the longest "
        f"{took(time.longest_ms)}{half}"
    )


def _curve(time: TimeToConvert) -> str:
    longest = time.longest_ms or 0
    if not longest:
        return ""
    return ", ".join(
        f"{percent(time.curve.share_at(part * longest))} after {took(part * longest)}"
        for part in _CURVE
    )
