"""Decisions without the values of the fields that nobody said may be logged.

A decision log names rules, reasons, ids, instants and counts of our own; of what
customers are and do it says what was known and what was missing. A field is named as
conditions name it, `event.total` or `profile.tier`; `entry.total` is `event.total` too,
and a field that may be logged may be with all that is in it.

What is not known here to be harmless is taken for a value: a new detail is hidden until
somebody thinks of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Set as AbstractSet
from typing import Any

from msgspec.structs import replace

from journeykit.engine.consent import is_a_name
from journeykit.engine.ids import is_derived
from journeykit.engine.trace import TraceEntry

KNOWN = "known"
"""What stands in the place of a value."""

_HARMLESS = frozenset(
    [
        # what authors, operators and plugins named
        *("rule", "path", "so", "fields", "missing", "event", "journey", "channel"),
        *("topic", "purpose", "template", "tried", "guard", "failed", "unless"),
        *("placement", "survey", "asks"),
        # segments and stages, which authors name
        *("segment", "from", "in", "out", "stage"),
        # instants, and a step from which on something counts
        *("until", "since", "last_in", "expired_at", "expires_first", "occurred_at"),
        *("received_at", "to"),
        # ids of ours, and the kinds of others
        *("delivery_id", "by", "log_id", "kinds"),
        # numbers and marks of ours
        *("more", "limit", "active", "entries", "kept", "count", "listed", "rounds"),
        *("trigger", "done"),
        *("times", "zone_from", "known", "held", "after_end", "value_missing"),
    ]
)

_FIELDS_OF = {
    "profile": "profile.",
    "score": "trait.",
    "updated": "profile.",
    "entered": "event.",
    "held_out": "event.",
    "emitted": "event.",
    "started": "event.",
}
"""The kinds whose values have the names of fields, and what these are fields of."""

_OWN_COUNTS = frozenset(["frequency_cap", "max_entries", "no_consent"])
_OWN_KINDS = frozenset(["not_entered", "deferred", "suppressed"])


def redacted(entry: TraceEntry, loggable: AbstractSet[str]) -> TraceEntry:
    """The decision as it may be logged; the very same if there is nothing to hide.

    Args:
        entry: The decision.
        loggable: The fields whose values may be logged: `event.total`, `profile.tier`.
    """
    detail = entry.detail
    if detail.keys() <= _HARMLESS:
        return entry
    return replace(entry, detail=_Redaction(entry, loggable).of(detail))


class _Redaction:
    """One decision at work."""

    def __init__(self, entry: TraceEntry, loggable: AbstractSet[str]) -> None:
        self._entry = entry
        self._loggable = loggable

    def of(self, detail: Mapping[str, Any]) -> dict[str, Any]:
        values = detail.get("values", {})
        shown: dict[str, Any] = {}
        for name, value in detail.items():
            match name:
                case _ if name in _HARMLESS:
                    shown[name] = value
                case "why":
                    pass  # an action's own words: that it failed is said already
                case "values":
                    shown[name] = self._values(values)
                case "asked":
                    shown[name] = [self.of(each) for each in value]
                case "would_hold_if":
                    # The text holds the values that the condition saw.
                    if all(map(self._is_loggable, values)):
                        shown[name] = value
                case _:
                    shown[name] = value if self._may_show(name, detail) else KNOWN
        return shown

    def _may_show(self, name: str, detail: Mapping[str, Any]) -> bool:
        match name:
            case "value":  # of a goal: `of` says which field it was, if it was one
                return "of" not in detail or self._is_loggable(detail["of"])
            case "of":
                return True
            case "zone":
                own = detail.get("zone_from") == "profile"
                return not own or self._is_loggable("profile.zone")
            case "not_a_zone":
                return self._is_loggable("profile.zone")
            case "source":  # of a consent: whatever the event said, if it is no name
                return is_a_name(str(detail[name]))
            case "call_id":  # of a late result: whatever the event said
                return is_derived(detail[name])
            case _:
                return False

    def _values(self, values: Mapping[str, Any]) -> dict[str, Any]:
        entry = self._entry
        if entry.reason in _OWN_COUNTS and entry.kind in _OWN_KINDS:
            return dict(values)
        fields_of = _FIELDS_OF.get(entry.kind, "")
        # The arguments and results of calls are no fields that anybody could mark.
        hidden = entry.kind == "called" or (
            entry.kind == "went_on" and entry.reason == "completed"
        )
        return {
            name: value if not hidden and self._is_loggable(fields_of + name) else KNOWN
            for name, value in values.items()
        }

    def _is_loggable(self, name: str) -> bool:
        if name.startswith(("entry.", "entry[")):
            name = "event" + name.removeprefix("entry")
        return name in self._loggable or any(
            name.startswith((f"{field}.", f"{field}[")) for field in self._loggable
        )
