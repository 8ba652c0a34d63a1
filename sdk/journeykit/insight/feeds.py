"""The events that a figure is made of, as a table: who, when and, if asked, how much."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeGuard

from journeykit.insight.occurrences import events_that_hold
from journeykit.insight.tables import number_at
from journeykit.insight.warehouse import Warehouse
from journeykit.model import cel
from journeykit.model.conditions import Expression, expr_of, text_of
from journeykit.model.journey import Journey
from journeykit.model.triggers import EventTrigger

_BATCH = 50_000


def feed(
    house: Warehouse,
    table: str,
    triggers: Sequence[EventTrigger],
    *,
    value: Expression | None = None,
) -> None:
    """Make a table of events: `person`, `happened_ms` and `amount`.

    Test traffic is left out. An event that several of the triggers mean is there once.

    Args:
        house: The logs.
        table: The table's name, one of ours.
        triggers: The events that count.
        value: The field whose number is `amount`; null where there is none.
    """
    house.execute(f"create or replace temp table {table}_of (event UBIGINT)")
    for trigger in triggers:
        if trigger.where is None:
            house.execute(
                f"insert into {table}_of select event from events "
                "where name = ? and not test",
                [trigger.name],
            )
            continue
        held = events_that_hold(house, trigger.name, trigger.where.text, whole=True)
        # All first: a query of ours may not run while another is read.
        found = [event for event, _, _ in held]
        for start in range(0, len(found), _BATCH):
            house.execute(
                f"insert into {table}_of select unnest(?::UBIGINT[])",
                [found[start : start + _BATCH]],
            )
    amount = "null::DOUBLE"
    parameters: dict[str, object] = {"names": sorted({one.name for one in triggers})}
    if value is not None:
        amount = number_at("$pointer")
        parameters["pointer"] = json_pointer(value)
    house.execute(
        f"""
        create or replace temp table {table} as
        select person, happened_ms, {amount} as amount
        from events
        where not test and list_contains($names, name)
            and event in (select event from {table}_of)
        """,
        parameters,
    )
    house.execute(f"drop table {table}_of")


def json_pointer(value: Expression) -> str:
    """Where a field of an event stands among its properties, as RFC 6901 says it.

    Raises:
        ValueError: It is no field of the event.
    """
    path = expr_of(value)
    if not is_field(path):
        raise ValueError(f"{text_of(value)}: it is no field of the event")
    return pointer_of(path.keys)


def pointer_of(keys: Iterable[str | int]) -> str:
    """Nested keys as a JSON pointer (RFC 6901); no key needs quotes in it."""
    told = (str(key).replace("~", "~0").replace("/", "~1") for key in keys)
    return "".join(f"/{key}" for key in told)


def worth_paths(journeys: Iterable[Journey]) -> Mapping[tuple[str, str], str]:
    """By journey and goal, where its event says what it is worth, as a JSON pointer."""
    found = {}
    for journey in journeys:
        for goal in journey.goals:
            expression = goal.value
            if not isinstance(expression, Expression):
                continue
            path = expr_of(expression)
            if is_field(path):
                found[journey.id, goal.id or ""] = pointer_of(path.keys)
    return found


def is_field(expr: cel.Expr) -> TypeGuard[cel.Path]:
    """Whether an expression is one field of the event's properties."""
    return isinstance(expr, cel.Path) and expr.root == "event" and bool(expr.keys)


def in_words(triggers: Sequence[EventTrigger]) -> str:
    """Name events as people do: `purchase`, `purchase where event.total > 3`."""
    return " or ".join(
        trigger.name
        if trigger.where is None
        else f"{trigger.name} where {trigger.where.text}"
        for trigger in triggers
    )
