"""Identifiers: by which other names than the customer's id a sender knows somebody.

An identifier is a kind and a value, `email` and `ada@example.com`. Which kinds count, and
what they are good for, is said once in `journeykit.toml`:

    [identity]
    kinds = ["crm", "email", "phone", "anonymous"]   # the strongest first
    anonymous = ["anonymous"]                        # these name a device, no person
    attributes = {email = "email"}                   # what `profile.updated` says, too
    blocked = ["kiosk-7"]                            # values that are nobody's
    aliases = true                                   # `customer` may join two known people

Nothing here asks who is meant: `journeykit.runtime.identities` does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from journeykit.errors import InputError
from journeykit.model.events import (
    CUSTOMER_ALIASED,
    MAX_ID,
    PROFILE_UPDATED,
    Event,
)
from journeykit.model.misread import explained
from journeykit.model.rules import ID, ID_LENGTH

ALIAS = "customer"
"""The kind whose value is another id of the same customer: what Segment calls an alias."""

MAX_KINDS = 16
"""Kinds of a workspace."""

MADE = "~"
"""What the ids begin with that are made up for somebody of whom no sender said one."""

_BLOCKED = frozenset(
    {
        *("null", "nil", "none", "undefined", "unknown", "anonymous", "guest", "test"),
        *("n/a", "na", "nan", "true", "false", "id", "user", "email", "example"),
    }
)
_NOTHING = re.compile(r"[0\-\s]*|-1")  # zeros and dashes, as of an empty UUID
_IN_PHONES = re.compile(r"[\s().\-/]")
_is_kind = re.compile(ID).fullmatch
_is_made = re.compile(MADE + "[0-9a-f]{24}").fullmatch


class IdentityRules(msgspec.Struct, frozen=True, omit_defaults=True):
    """`[identity]` of a workspace.

    Attributes:
        kinds: The kinds that count, the strongest first: where the identifiers of an
            event name two people and no customer is given, the first one decides.
        anonymous: Which of them name a device or a visit. Who is known by these alone is
            nobody in particular yet, and becomes part of whoever they turn out to be.
        attributes: Kind to the attribute of `profile.updated` that is one, too.
        blocked: Values that say nothing, beside `null` and its like.
        aliases: Whether `{"customer": "an-old-id"}` joins two customers who are both
            known. Without it that is a conflict like any other.
    """

    kinds: tuple[str, ...] = ("email", "phone", "anonymous")
    anonymous: tuple[str, ...] = ("anonymous",)
    attributes: dict[str, str] = {}
    blocked: tuple[str, ...] = ()
    aliases: bool = False

    def concerns(self, event: Event) -> bool:
        """Whether it has to be looked up whom an event is about."""
        if event.identifiers or not event.customer:
            return True
        if event.name == CUSTOMER_ALIASED:
            return True
        return bool(self.attributes) and event.name == PROFILE_UPDATED

    def named(self, event: Event) -> dict[str, str]:
        """The identifiers of an event that count, the strongest first, spelled alike."""
        given = dict(event.identifiers)
        if self.attributes and event.name == PROFILE_UPDATED:
            for kind, attribute in self.attributes.items():
                value = event.properties.get(attribute)
                if isinstance(value, str) and 0 < len(value) <= MAX_ID:
                    given.setdefault(kind, value)
        found: dict[str, str] = {}
        for kind in self.kinds:
            if kind in given:
                value = spelled(kind, given[kind])
                if value and value.isprintable() and not self._is_blocked(value):
                    found[kind] = value
        return found

    def earlier_id(self, event: Event) -> str:
        """Another customer's id that an event says is the same customer; empty: none."""
        value: object = event.identifiers.get(ALIAS, "")
        if not value and event.name == CUSTOMER_ALIASED:
            value = event.properties.get("previous_id")
        usable = isinstance(value, str) and 0 < len(value) <= MAX_ID
        return str(value) if usable and value != event.customer else ""

    def _is_blocked(self, value: str) -> bool:
        folded = value.casefold()
        return (
            folded in _BLOCKED
            or value in self.blocked
            or _NOTHING.fullmatch(value) is not None
        )

    def names_somebody(self, identifier: str) -> bool:
        """Whether an identifier, `kind:value`, names a person and not a device."""
        return identifier.partition(":")[0] not in self.anonymous


DEFAULT = IdentityRules()
"""What holds without `[identity]`."""


def spelled(kind: str, value: str) -> str:
    """A value as it is compared: an `email` in small letters, a `phone` without spaces."""
    value = value.strip()
    if kind == "email":
        return value.casefold()
    if kind == "phone":
        return _IN_PHONES.sub("", value)
    return value


def is_made(customer: str) -> bool:
    """Whether an id was made up for somebody of whom no sender has said one."""
    return _is_made(customer) is not None


def rules_of(settings: Mapping[str, Any]) -> IdentityRules:
    """Read `[identity]`.

    Raises:
        InputError: It is wrong; the message names the key, `identity.kinds`.
    """
    try:
        rules = msgspec.convert(settings, _Written).rules()
    except msgspec.ValidationError as error:
        known = [field.name for field in msgspec.structs.fields(_Written)]
        there = f"there is {', '.join(map(repr, known))}"
        said = explained(b"", error, fields=known, of="[identity]", else_=there)
        raise InputError(f"identity: {said}") from error
    if not rules.kinds or len(rules.kinds) > MAX_KINDS:
        raise InputError(f"identity.kinds: lists 1 to {MAX_KINDS} kinds")
    for kind in rules.kinds:
        if not _is_kind(kind) or len(kind) > ID_LENGTH or kind == ALIAS:
            raise InputError(
                f"identity.kinds: {kind!r:.80} can't be a kind; write small letters, "
                f"digits and hyphens, and not {ALIAS!r}"
            )
    if len({*rules.kinds}) < len(rules.kinds):
        raise InputError("identity.kinds: lists a kind twice")
    for key, named in (
        ("anonymous", rules.anonymous),
        ("attributes", tuple(rules.attributes)),
    ):
        for kind in named:
            if kind not in rules.kinds:
                raise InputError(
                    f"identity.{key}: {kind!r:.80} is not among identity.kinds; add it "
                    "there, in its place"
                )
    return rules


class _Written(msgspec.Struct, forbid_unknown_fields=True):
    """`[identity]` as it stands in the file."""

    kinds: tuple[str, ...] = DEFAULT.kinds
    anonymous: tuple[str, ...] | None = None
    attributes: dict[str, str] = {}
    blocked: tuple[str, ...] = ()
    aliases: bool = False

    def rules(self) -> IdentityRules:
        anonymous = self.anonymous
        if anonymous is None:
            anonymous = tuple(it for it in DEFAULT.anonymous if it in self.kinds)
        return IdentityRules(
            self.kinds, anonymous, self.attributes, self.blocked, self.aliases
        )
