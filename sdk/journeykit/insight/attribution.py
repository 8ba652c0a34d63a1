"""Attribution: which messages came before what people did, and share the credit for it.

The credit of each conversion goes to the messages that the person got within a window
before it: all to the last, all to the first, or the same part to each. It says what came
before, never what caused it; `journeykit lift` compares with people who got nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from journeykit.errors import DefinitionError, InputError
from journeykit.insight.feeds import pointer_of
from journeykit.insight.funnels import in_ms
from journeykit.insight.occurrences import (
    create,
    events_that_hold,
    fill,
    nothing_like,
)
from journeykit.insight.points import EventPoint, Point, RunPoint, StayPoint, point
from journeykit.insight.stats.intervals import Share
from journeykit.insight.tables import number_at
from journeykit.insight.warehouse import Warehouse
from journeykit.model import cel
from journeykit.model.durations import Duration, days

Touch = Literal["sent", "delivered", "opened", "clicked"]
"""What of a message counts as a touch."""

TOUCHES: tuple[Touch, ...] = get_args(Touch)

WITHIN = days(7)
"""How long before a conversion a message may lie if nobody says."""


@dataclass(frozen=True, slots=True)
class Credited:
    """What one rule gives a message.

    Attributes:
        conversions: How many conversions, or parts of such.
        worth: What these are worth.
        share: Of all conversions, those without any message among them; 0 to 1.
    """

    conversions: float
    worth: float
    share: float


@dataclass(frozen=True, slots=True)
class Credit:
    """The messages of one step on one channel.

    Attributes:
        journey: Whose step.
        step: Which step.
        channel: By which channel.
        template: Made from which template.
        touches: How many of these messages touched somebody, before a conversion or not.
        before: How many conversions they came before, in the window.
        last: The credit if all goes to the last message before a conversion.
        first: The credit if all goes to the first in the window.
        linear: The credit if each in the window gets the same part.
    """

    journey: str
    step: str
    channel: str
    template: str
    touches: int
    before: int
    last: Credited
    first: Credited
    linear: Credited


@dataclass(frozen=True, slots=True)
class Attribution:
    """The credit for one kind of conversion.

    Attributes:
        conversion: What counts as one, as it was written.
        touch: What of a message counts.
        within: How long before it, at most: `7d`.
        conversions: How many there were.
        people: Of how many people.
        worth: What they are worth together; those of which that is not known count 0.
        worth_unknown: Of how many that is not known.
        credited: Those with a message before them.
        uncredited_worth: What the others are worth.
        credits: The most credited by the last message first.
        notes: What to bear in mind, a sentence each.
        definition: What is counted, over whom, in which window.
    """

    conversion: str
    touch: Touch
    within: str
    conversions: int
    people: int
    worth: float
    worth_unknown: int
    credited: Share
    uncredited_worth: float
    credits: Sequence[Credit]
    notes: Sequence[str]
    definition: str


def attribution(
    house: Warehouse,
    conversion: str | Point,
    *,
    value: str | None = None,
    within: Duration | str = WITHIN,
    touch: Touch = "delivered",
    own: bool = False,
) -> Attribution:
    """Share the credit for conversions among the messages before them.

    Args:
        house: The logs.
        conversion: A goal, `cart@goal:order`, or an event, `order.placed`, or any other
            point.
        value: What an event is worth, `event.amount`; a goal says it itself.
        within: How long before the conversion a message counts. Of calendar days each has
            24 hours.
        touch: What of a message counts. Where a channel doesn't report deliveries,
            `delivered` is sent and not known to have failed.
        own: Only messages of the goal's own run.

    Raises:
        InputError: The conversion is no point, the value no field of the event, or `own`
            is asked of what is no journey's.
    """
    read = conversion if not isinstance(conversion, str) else point(conversion)
    if touch not in TOUCHES:
        raise InputError(f"{touch!r} is no touch; write one of {', '.join(TOUCHES)}")
    length = Duration.parse(within)
    window = in_ms(length)
    if not window:
        raise InputError("the window before a conversion is longer than nothing")
    path = None if value is None else _path(value)
    if path is not None and not isinstance(read, EventPoint):
        raise InputError(f"{read} is no event, so it has no {value}")
    _conversions(house, read, path)
    if own and isinstance(read, EventPoint | StayPoint):
        raise InputError(f"{read} belongs to no run, so no message is its own")
    _touches(house, touch)
    count, people, worth, unknown = house.row(
        "select count(*), count(distinct person), coalesce(sum(worth), 0), "
        "count(*) - count(worth) from conversions"
    )
    notes = [] if count else [nothing_like(house, read)]
    house.execute(
        f"""
        create or replace temp table credited as
        select c.number, coalesce(c.worth, 0) as worth, t.journey, t.step, t.channel,
            t."template",
            row_number() over (partition by c.number order by t.at_ms, t.delivery)
                as nth,
            count(*) over (partition by c.number) as many
        from conversions c join touches t on c.person = t.person
            and t.at_ms < c.at_ms and t.at_ms + $window > c.at_ms
            {"and t.run = c.run" if own else ""}
        """,
        {"window": window},
    )
    touched, touched_worth = house.row(
        "select count(*), coalesce(sum(worth), 0) from credited where nth = 1"
    )
    credits = [
        Credit(
            journey,
            step,
            channel,
            template,
            touches,
            before,
            *(
                Credited(n, w, n / count)
                for n, w in zip(amounts[::2], amounts[1::2], strict=True)
            ),
        )
        for journey, step, channel, template, touches, before, *amounts in house.rows(
            """
            with reached as (
                select journey, step, channel, "template", count(*) as touches
                from touches group by all
            )
            select c.journey, c.step, c.channel, c."template", any_value(r.touches),
                count(distinct c.number),
                count(*) filter (c.nth = c.many)::DOUBLE as lasts,
                coalesce(sum(c.worth) filter (c.nth = c.many), 0),
                count(*) filter (c.nth = 1)::DOUBLE,
                coalesce(sum(c.worth) filter (c.nth = 1), 0),
                sum(1 / c.many), sum(c.worth / c.many)
            from credited c join reached r using (journey, step, channel, "template")
            group by c.journey, c.step, c.channel, c."template"
            order by lasts desc, 1, 2, 3, 4
            """
        )
    ]
    # A goal without a value is worth nothing that could be missing.
    notes += _notes(house, read, unknown if path or unknown < count else 0)
    for table in ("conversions", "touches", "credited"):
        house.execute(f"drop table {table}")
    of_whom = "of the goal's own run" if own else "of any journey"
    return Attribution(
        str(read),
        touch,
        length.short,
        count,
        people,
        worth,
        unknown,
        Share.from_counts(touched, count),
        worth - touched_worth,
        credits,
        notes,
        f"Each time of {read}, and the messages {of_whom} that were {touch} to the same "
        f"person in the {length.short} before it. The last of them, the first, or each of "
        "them in equal parts is credited; that says what came before, not what caused "
        "it. Left out: test traffic, and goals of runs that were held out.",
    )


def _path(value: str) -> str:
    """The JSON pointer of what an event is worth."""
    try:
        expression = cel.parse(value)
    except DefinitionError as error:
        raise InputError(f"value {value!r}: {error}") from error
    keys = expression.keys if isinstance(expression, cel.Path) else ()
    if not isinstance(expression, cel.Path) or expression.root != "event" or not keys:
        raise InputError(f"value {value!r} is no field of the event, like event.amount")
    if str(keys[0]).startswith("$"):
        raise InputError(f"value {value!r}: what an event is worth can't be called so")
    return pointer_of(keys)


def _conversions(house: Warehouse, read: Point, path: str | None) -> None:
    """Make the table of conversions: number, person, run, instant, worth."""
    house.execute(
        """
        create or replace temp table conversions (
            number BIGINT, person UBIGINT, run UBIGINT, at_ms BIGINT, worth DOUBLE
        )
        """
    )
    if isinstance(read, RunPoint) and read.mark == "goal":
        house.execute(
            """
            insert into conversions
            select row_number() over (), person, run, reached_ms, worth from goals
            where journey = $journey and not test and not held_out
                and ($goal = '' or goal = $goal)
            """,
            {"journey": read.journey, "goal": read.detail},
        )
        return
    if isinstance(read, EventPoint):
        found = None
        if read.where is not None:
            found = [
                one for one, _, _ in events_that_hold(house, read.name, read.where)
            ]
        house.execute(
            f"""
            insert into conversions
            select row_number() over (), person, null, happened_ms,
                case when $path is not null then {number_at("coalesce($path, '')")} end
            from events
            where name = $name and not test
                and ($since is null or happened_ms >= $since)
                and ($found is null
                    or event in (select unnest($found::UBIGINT[])))
            """,
            {
                "path": path,
                "name": read.name,
                "since": house.scope.since,
                "found": found,
            },
        )
        return
    create(house, "happened")
    fill(house, "happened", 0, read)
    house.execute(
        "insert into conversions "
        "select row_number() over (), person, run, at_ms, null from happened"
    )
    house.execute("drop table happened")


def _touches(house: Warehouse, touch: Touch) -> None:
    """Make the table of messages that touched somebody, and when."""
    at = {
        "sent": "m.sent_ms",
        "delivered": "coalesce(m.delivered_ms, case when not c.tells "
        "and m.undelivered is null and m.bounced_ms is null then m.sent_ms end)",
        "opened": "m.opened_ms",
        "clicked": "m.clicked_ms",
    }[touch]
    house.execute(
        f"""
        create or replace temp table touches as
        with told as (
            select distinct
                TRY_CAST('0x' || substr(properties->>'$.delivery_id', 1, 16) AS UBIGINT)
                    as delivery
            from events where name = 'message.delivered'
        ),
        channels as (
            select coalesce(channel, '') as channel,
                bool_or(t.delivery is not null) as tells
            from messages m left join told t using (delivery) group by 1
        )
        select m.delivery, m.person, m.run, m.journey, m.step, c.channel,
            coalesce(m."template", '') as "template", {at} as at_ms
        from messages m join channels c on coalesce(m.channel, '') = c.channel
        where not m.test and at_ms is not null
        """
    )


def _notes(house: Warehouse, read: Point, unknown: int) -> list[str]:
    notes = []
    if isinstance(read, EventPoint):
        (strangers,) = house.row(
            """
            select count(*) from events
            where name = $name and not test and not customer_known
                and ($since is null or happened_ms >= $since)
            """,
            {"name": read.name, "since": house.scope.since},
        )
        if strangers:
            notes.append(
                f"{strangers:,} of them are about people of whom no decision is known, "
                "who were sent nothing"
            )
    if unknown:
        notes.append(f"of {unknown:,} conversions it is not known what they are worth")
    return notes
