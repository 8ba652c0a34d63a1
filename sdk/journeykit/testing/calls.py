"""What actions come to in a simulation: a table of results, or functions that say so."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeAlias

from journeykit.channels import CallFailed
from journeykit.engine.commands import CallAction
from journeykit.model.events import CALL_COMPLETED, CALL_FAILED, Event, checked

Answer: TypeAlias = Mapping[str, Any] | CallFailed | None
"""The result, or that the action fails; None: none comes, and the time will be up."""

Calls: TypeAlias = Mapping[str, Answer | Callable[[Mapping[str, Any], str], Answer]]
"""Action to its answer, or to a function of the arguments and the customer's id."""


def answer_to(
    command: CallAction, calls: Mapping[str, Any], *, at: datetime, source: str
) -> Event | None:
    """The event by which a run hears what its call has come to; None: it never does.

    Of an action that is not among the calls nobody knows what it would have done: its
    run ends as `undetermined`.

    Raises:
        TypeError: What is to be the result is no mapping.
        InputError: The result is no JSON.
    """
    undetermined = command.action not in calls
    answer = calls.get(command.action)
    if callable(answer):
        answer = answer(command.arguments, command.customer)
    if answer is None and not undetermined:
        return None
    name, said = CALL_FAILED, dict[str, Any]()
    if undetermined:
        said["undetermined"] = True
    elif isinstance(answer, CallFailed):
        said["reason"] = answer.reason
    elif isinstance(answer, Mapping):
        name, said = CALL_COMPLETED, {"result": dict(answer)}
    else:
        raise TypeError(
            f"action {command.action!r} has to come to a mapping, a CallFailed or None, "
            f"not to a {type(answer).__name__}"
        )
    return checked(
        _reported(command, name, said, at=at, source=source),
        f"the result of {command.action!r}",
    )


def claimed(
    command: CallAction, holders: dict[str, str], *, at: datetime, source: str
) -> Event:
    """The answer to a journey that takes one customer of a value only.

    Args:
        command: The claim.
        holders: Who holds the place of each value; the first who claims one is kept.
        at: What time it is.
        source: Who says so.
    """
    key, holder = command.arguments["key"], command.arguments["holder"]
    granted = command.test or holders.setdefault(key, holder) == holder
    result = {"granted": granted, "place": int(granted and not command.test)}
    return _reported(command, CALL_COMPLETED, {"result": result}, at=at, source=source)


def _reported(
    command: CallAction, name: str, said: dict[str, Any], *, at: datetime, source: str
) -> Event:
    return Event(
        id=f"{command.call_id}:{name}",
        name=name,
        customer=command.customer,
        properties={
            "call_id": command.call_id,
            "enrollment": command.enrollment,
            **said,
        },
        occurred_at=at,
        received_at=at,
        source=source,
        test=command.test,
    )
