"""What is looked after every day, whom to tell, what may be paused: `[watch]`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias, get_args

import msgspec

from journeykit.errors import InputError
from journeykit.model.rules import is_id

Sensitivity: TypeAlias = Literal["low", "medium", "high"]
Figure: TypeAlias = Literal[
    "entries",
    "conversion",
    "failures",
    "suppressions",
    "undelivered",
    "objectives",
    "silence",
]
"""What is held against its own history."""

FIGURES: tuple[Figure, ...] = get_args(Figure)
PAUSABLE: tuple[Figure, ...] = (
    "entries",
    "conversion",
    "failures",
    "suppressions",
    "undelivered",
)
"""What is one journey's, so that it may pause that one."""

SENSITIVITIES: tuple[Sensitivity, ...] = get_args(Sensitivity)
_MOST = 50  # of whom to tell
_CONTACT = re.compile(r"(?P<channel>[a-z][a-z0-9_-]{0,29}):(?P<address>\S.{0,319})")
_CLOCK = re.compile(r"(?P<hour>[01]\d|2[0-3]):(?P<minute>[0-5]\d)")


class Contact(msgspec.Struct, frozen=True):
    """Whom to tell.

    Attributes:
        channel: By which channel, as journeys name it.
        address: Where.
    """

    channel: str
    address: str


class WatchRule(msgspec.Struct, frozen=True, kw_only=True):
    """How a journey is watched.

    Attributes:
        sensitivity: How soon something counts as unusual.
        figures: What is looked at.
        tell: Whom to tell.
        pause: Findings about these pause the journey, if they are for the worse.
    """

    sensitivity: Sensitivity = "medium"
    figures: tuple[Figure, ...] = FIGURES
    tell: tuple[Contact, ...] = ()
    pause: tuple[Figure, ...] = ()


class WatchSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What is looked after every day.

    Attributes:
        rule: For all journeys that have no rule of their own, and for what is no
            journey's.
        journeys: Rules of single journeys, by id.
        at_minute: When `serve` looks at the day before: minutes after midnight, UTC;
            None: it doesn't.
    """

    rule: WatchRule = WatchRule()
    journeys: Mapping[str, WatchRule] = {}
    at_minute: int | None = None

    @property
    def contacts(self) -> frozenset[Contact]:
        """Everybody who may be told of something."""
        rules = (self.rule, *self.journeys.values())
        return frozenset(contact for rule in rules for contact in rule.tell)

    def of(self, journey: str) -> WatchRule:
        """Return the rule for a journey; empty: for what is no journey's."""
        return self.journeys.get(journey, self.rule)


def watching_of(table: Mapping[str, object]) -> WatchSettings:
    """Read `[watch]`.

    Raises:
        InputError: It says what it can't; the place is the key.
    """
    own = {key: value for key, value in table.items() if key not in ("at", "journeys")}
    rule = _rule("watch", own, WatchRule(), more="at, journeys")
    journeys = table.get("journeys", {})
    if not isinstance(journeys, dict):
        raise InputError("is a table by journey", place="watch.journeys")
    rules = {}
    for journey, said in journeys.items():
        place = f"watch.journeys.{journey}"
        if not is_id(journey):
            raise InputError("is no journey's id", place=place)
        if not isinstance(said, dict):
            raise InputError("is a table", place=place)
        rules[journey] = _rule(place, said, rule)
    return WatchSettings(rule=rule, journeys=rules, at_minute=_minute(table.get("at")))


def _rule(
    place: str, table: Mapping[str, object], default: WatchRule, *, more: str = ""
) -> WatchRule:
    known = ", ".join([*_KEYS, *([more] if more else [])])
    said: dict[str, Any] = {}
    for key, value in table.items():
        if key not in _KEYS:
            raise InputError(f"is not a key; there are {known}", place=f"{place}.{key}")
        said[key] = _KEYS[key](f"{place}.{key}", value)
    rule = msgspec.structs.replace(default, **said)
    if unseen := [one for one in rule.pause if one not in rule.figures]:
        named = ", ".join(unseen)
        where = "pause" if "pause" in said else "figures"
        raise InputError(
            f"{named} is to pause and is not looked at: name it in figures",
            place=f"{place}.{where}",
        )
    return rule


def _sensitivity(place: str, value: object) -> Sensitivity:
    for known in SENSITIVITIES:
        if value == known:
            return known
    raise InputError(f"is one of {', '.join(SENSITIVITIES)}", place=place)


def _some(*allowed: Figure) -> Callable[[str, object], tuple[Figure, ...]]:
    def read(place: str, value: object) -> tuple[Figure, ...]:
        if not isinstance(value, list) or not all(one in allowed for one in value):
            raise InputError(f"is a list of some of {', '.join(allowed)}", place=place)
        return tuple(dict.fromkeys(value))

    return read


def _contacts(place: str, value: object) -> tuple[Contact, ...]:
    if not isinstance(value, list) or len(value) > _MOST:
        raise InputError(f"is a list of {_MOST} at most", place=place)
    found = []
    for one in value:
        match = _CONTACT.fullmatch(one) if isinstance(one, str) else None
        if match is None:
            raise InputError(
                'is a list of channels with addresses, such as "email:ops@example.com"',
                place=place,
            )
        found.append(Contact(match["channel"], match["address"].strip()))
    return tuple(dict.fromkeys(found))


def _minute(value: object) -> int | None:
    if value is None:
        return None
    match = _CLOCK.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise InputError('is a time of day in UTC, such as "06:00"', place="watch.at")
    return 60 * int(match["hour"]) + int(match["minute"])


_KEYS: Mapping[str, Callable[[str, object], object]] = {
    "sensitivity": _sensitivity,
    "figures": _some(*FIGURES),
    "tell": _contacts,
    "pause": _some(*PAUSABLE),
}
