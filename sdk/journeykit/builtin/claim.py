"""The action `claim`: the first N, once per address, unique by attribute."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from copy import copy
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, Self

from journeykit.channels import (
    Action,
    ActionCall,
    CallFailed,
    CallOutcome,
    Completed,
)
from journeykit.hookspecs import hookimpl

_LONGEST = 256  # characters of a key or holder, which the store keeps for ever
_MOST = 1_000_000_000  # places of a key; more is no limit, and hardly meant
_NO_UTF8 = re.compile("[\ud800-\udfff]")  # half a character, which no store keeps
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _Wanted(NamedTuple):
    """The arguments of one call."""

    key: str
    holder: str
    limit: int

    @classmethod
    def of(cls, call: ActionCall) -> Self:
        """Read the arguments.

        Raises:
            ValueError: They are not what `claim` takes. The message doesn't quote them:
                a key may be somebody's address.
        """
        given = dict(call.arguments)
        key = _name("key", given.pop("key", None))
        holder = _name("holder", given.pop("holder", call.customer))
        limit = _whole(given.pop("limit", None))
        if not isinstance(limit, int) or not 1 <= limit <= _MOST:
            raise ValueError(f"limit must be a whole number from 1 to {_MOST}")
        if given:
            raise ValueError(
                f"there is no argument {min(given)!r}; there are key, limit and holder"
            )
        return cls(key, holder, limit)


def _whole(value: object) -> object:
    """The value, a number without fraction as an int, and a truth as nothing."""
    if isinstance(value, bool):
        return None
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _name(argument: str, value: object) -> str:
    """What a text or a number names; 5 and 5.0 name the same."""
    value = _whole(value)
    if isinstance(value, str | int | float):
        name = str(value)
        if 0 < len(name) <= _LONGEST and not _NO_UTF8.search(name):
            return name
    raise ValueError(
        f"{argument} must be a text or a number, of 1 to {_LONGEST} characters"
    )


class ClaimAction(Action):
    """Claims one of so many places, exactly, however many customers ask at once.

    Arguments are `key`, which names what there are places of; `limit`, how many there
    are; and `holder`, who gets one (the customer's id if not given). The result has
    `granted` and `place`, from 1; 0 if there was none left. The same holder again gets
    the same place.

    A mock, and a call of test traffic, grants place 0: the journey goes on as for most
    people, and nobody's place is gone.
    """

    name = "claim"
    batch_size = 100  # a write each; together they wait for one answer
    _mocked = False

    def mock(self) -> Self:
        """Return one that says yes and claims nothing."""
        mock = copy(self)
        mock._mocked = True
        return mock

    def run(self, calls: Sequence[ActionCall]) -> Sequence[CallOutcome]:
        """Claim a place for each call."""
        return [self._claimed(call) for call in calls]

    def _claimed(self, call: ActionCall) -> CallOutcome:
        try:
            key, holder, limit = _Wanted.of(call)
        except ValueError as error:
            return CallFailed(call.call_id, str(error))
        if self._mocked or call.test:
            return Completed(call.call_id, {"granted": True, "place": 0})
        if self.claims is None:
            raise RuntimeError("set `claims` before `run`: places are in the store")
        at = (call.at - _EPOCH) // timedelta(milliseconds=1)
        place = self.claims.claim(key, holder, limit, at=at)
        return Completed(call.call_id, {"granted": place > 0, "place": place})


@hookimpl
def journeykit_actions() -> Iterable[Action]:
    """Yield the action `claim`."""
    yield ClaimAction()
