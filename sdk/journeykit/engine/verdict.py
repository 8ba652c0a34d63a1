"""Asks what others have written: a channel's own rule, a plugin's guard.

They run in the middle of a reaction, which must come to its end whatever they do. One
that fails, or answers what is no answer, *refuses*: it is there to keep messages back,
and one too few does less harm than one too many. The trace says which one failed, and by
what type of error; what the error said may have somebody's data in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from journeykit.engine.asked import Asked, Refused
from journeykit.engine.customer import encoded
from journeykit.engine.draft import cut
from journeykit.engine.limits import FIELDS_SHOWN

Rule: TypeAlias = Callable[[Asked], Refused | None]
"""`Channel.rule`, or the `ask` of a guard."""


def verdict(rule: Rule, asked: Asked) -> dict[str, Any] | None:
    """Why a rule refuses a message, as the trace has it; None: it does not.

    The detail holds `rule` and `values`; of a rule that fails, `failed`: the error's type.
    """
    try:
        answer: object = rule(asked)
        if answer is None:
            return None
        return _detail(answer)
    except Exception as error:  # noqa: BLE001 - whatever others have written
        return {"failed": type(error).__name__}


def _detail(answer: object) -> dict[str, Any]:
    """A refusal within bounds.

    Raises:
        TypeError: It is none, or holds what is no JSON.
    """
    if not isinstance(answer, Refused):
        raise TypeError("a rule returns Refused or None")
    if not isinstance(answer.rule, str) or not isinstance(answer.values, Mapping):
        raise TypeError("Refused takes a text and a mapping of values")
    detail: dict[str, Any] = {"rule": cut(answer.rule)}
    if answer.values:
        names = list(answer.values)[:FIELDS_SHOWN]
        detail["values"] = {cut(str(name)): cut(answer.values[name]) for name in names}
        encoded(detail)  # what can't be written would stop the customer for good
    return detail
