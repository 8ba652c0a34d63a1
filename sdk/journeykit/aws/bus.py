"""The event bus: events go out to it, and rules bring in those that somebody hears.

An event on the bus is an envelope of EventBridge's. `detail-type` is its name, and the
detail holds the rest:

    {"customer": "ada", "id": "order-7", "occurred_at": "2026-06-07T12:00:00Z",
     "properties": {"sum": 12.5}, "test": false}

Only `customer` is needed. Without `id` and `occurred_at` the envelope's own are taken; a
sender who may send the same event twice gives an `id`. Without `properties` all other
fields of the detail are the properties, so that events that are on a bus already can be
heard as they are. Two sources are ours: `journeykit.http` is the HTTP door, which has
stamped and checked what it puts here, and `journeykit.journeys` are journeys that publish
events for others; no rule brings these back.

**The rules are owned by whoever publishes.** Each lists the names of events that
somebody hears, as many as a pattern holds, and its own name is made of them: a rule is
never changed, only added and removed. So an event is always brought by the old rules or
by the new ones, or for a while by both, which is harmless.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from journeykit.aws.failures import may_work_later, pauses, translated
from journeykit.aws.pattern_rules import rules_of
from journeykit.aws.queues import Unsendable, sendable
from journeykit.engine.calendar import to_datetime
from journeykit.engine.commands import PublishEvent
from journeykit.engine.matching import HeardNames, heard
from journeykit.errors import InputError, StoreBusy, StoreError
from journeykit.model.envelopes import HTTP, JOURNEYS, Envelope, event_in, unread
from journeykit.model.events import (
    CUSTOMER_ALIASED,
    INNER,
    LEARNED,
    MAX_LINE,
    PLACEMENT_REQUESTED,
    Event,
    checked,
)

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_events.type_defs import (
        PutEventsRequestEntryTypeDef,
        PutTargetsResponseTypeDef,
        RemoveTargetsResponseTypeDef,
        RuleTypeDef,
        TargetTypeDef,
    )

    from journeykit.engine.catalog import Catalog

    Entry: TypeAlias = PutEventsRequestEntryTypeDef

MAX_ENTRY = MAX_LINE
"""Bytes of one entry, as `entry_size` counts them: what every door lets in as a line."""

# Quotas of EventBridge as of November 2026.
_BATCH = 10  # entries of a request, and targets
_BATCH_BYTES = 1_000_000  # of a request: "1 MB"
_PATTERN = 2048  # characters of a pattern; the API would take 4096, the quota does not
_RULES = 100  # of the 300 that a bus may have: others have rules too

_MAX_ENVELOPE = MAX_LINE + 4096  # the entry, and what EventBridge writes around it
_ATTEMPTS = 4  # more, of what is taken in part
_SETTLED_S = 30.0
_TARGET = "events"
_WRONG_ENTRY = frozenset({"InvalidArgument", "MalformedDetail"})
_BUSY = frozenset({"InternalFailure", "InternalException"})
_OTHERS = [{"anything-but": [JOURNEYS]}]

_encode = msgspec.json.Encoder().encode
_log = logging.getLogger("journeykit.bus")


_envelopes = msgspec.json.Decoder(Envelope)


def event_of(
    envelope: str | bytes | Mapping[str, Any], received_at: datetime
) -> Event | None:
    """Read an envelope of EventBridge as an event.

    Args:
        envelope: As it stands in the queue.
        received_at: The door's stamp; our HTTP door's own one comes before it.

    Returns:
        The event; None: one of our own journeys has published it, or it is an ask of a
        place, which was decided where it came in.

    Raises:
        InputError: It is no envelope, or its event keeps not the bounds of every door.
    """
    if not isinstance(envelope, Mapping) and len(envelope) > _MAX_ENVELOPE:
        raise InputError(
            f"an event on the bus may have {_MAX_ENVELOPE} bytes, this one has more"
        )
    try:
        if isinstance(envelope, Mapping):
            read = msgspec.convert(envelope, Envelope)
        else:
            read = _envelopes.decode(envelope)
    except (ValueError, RecursionError) as error:
        raise InputError(unread(error), place="envelope") from error
    if read.source == JOURNEYS or read.name == PLACEMENT_REQUESTED:
        return None
    return checked(event_in(read, received_at, is_stamped=True), "envelope")


def entry_size(event: Event | PublishEvent) -> int:
    """How many bytes of `MAX_ENTRY` an event takes on the bus, as EventBridge counts."""
    return _size(_entry(event, ""))


class Bus:
    """One event bus."""

    def __init__(
        self,
        client: EventBridgeClient,
        name: str,
        *,
        sleep: Callable[[float], None] = time.sleep,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        """Join the parts.

        Args:
            client: Asks EventBridge.
            name: The bus's name.
            sleep: Waits, seconds.
            seconds: Tells how much time has passed.
        """
        self._client = client
        self._name = name
        self._sleep = sleep
        self._seconds = seconds
        self._wrote_at: float | None = None  # a rule, the last time

    # --- events go out ---------------------------------------------------------------

    def put(self, events: Sequence[PublishEvent | Event]) -> None:
        """Put events on the bus; one may come out more than once.

        Args:
            events: What journeys publish, and what came in at our HTTP door.

        Raises:
            StoreBusy: Not all of them went; the same again may work.
            StoreError: The bus can't be used; the message says why.
            Unsendable: Some can never be put; all others were.
        """
        refused: dict[int, str] = {}
        for batch in self._batches(events, refused):
            self._put(batch, refused)
        if refused:
            raise Unsendable(
                f"{len(refused)} of {len(events)} events can't be put on the bus: "
                f"{'; '.join(sorted(set(refused.values())))}",
                refused=refused,
            )

    def entry(self, event: PublishEvent | Event) -> bytes:
        """Write an event as `put` does, as JSON: an entry of a request of `PutEvents`."""
        return sendable(_encode(_entry(event, self._name))).encode()

    def _batches(
        self, events: Sequence[PublishEvent | Event], refused: dict[int, str]
    ) -> Iterator[dict[int, Entry]]:
        """Cut events into requests; note those that are too large for any."""
        batch: dict[int, Entry] = {}
        size = 0
        for place, event in enumerate(events):
            entry = _entry(event, self._name)
            own = _size(entry)
            if own > MAX_ENTRY:
                refused[place] = f"more than {MAX_ENTRY} bytes"
                continue
            if batch and (len(batch) == _BATCH or size + own > _BATCH_BYTES):
                yield batch
                batch, size = {}, 0
            batch[place] = entry
            size += own
        if batch:
            yield batch

    def _put(self, batch: dict[int, Entry], refused: dict[int, str]) -> None:
        """Put one batch, and the rest of it again; note what is refused for good."""
        waits = pauses(_ATTEMPTS)
        while batch:
            with translated(self._what):
                answer = self._client.put_events(Entries=list(batch.values()))
            again: dict[int, Entry] = {}
            for place, result in zip(
                tuple(batch), answer.get("Entries", ()), strict=True
            ):
                code = result.get("ErrorCode")
                if not code:
                    continue
                if code in _BUSY or may_work_later(code):
                    again[place] = batch[place]
                elif code in _WRONG_ENTRY:
                    refused[place] = code
                else:
                    raise StoreError(
                        f"{self._what} does not take events: {code}; look at its policy "
                        "and the function's role"
                    )
            batch = again
            if batch:
                self._wait(waits, f"{self._what} did not take {len(batch)} events")

    # --- rules bring events in -------------------------------------------------------

    def listen(
        self,
        names: Collection[str],
        *,
        prefix: str,
        target_arn: str,
        dead_letter_arn: str = "",
        kinds: Sequence[str] = (),
        settle_s: float = _SETTLED_S,
    ) -> list[str]:
        """Have events of these names brought to a queue, and no others.

        May be called twice, and be killed in between. Whoever publishes calls `hear`
        before, and this afterwards with the names of the newest catalog.

        Args:
            names: Of all events that mean something to anybody.
            prefix: What the names of our rules begin with: `journeykit-listen-`. Rules
                of other names are left alone.
            target_arn: The queue.
            dead_letter_arn: A queue for what the first one does not take for a day.
            kinds: Identifiers that make an event come in, whatever its name.
            settle_s: How old a rule has to be, seconds, until it is sure to match: so
                long the old ones stay, also if `hear` wrote the new one.

        Returns:
            The names of the rules.

        Raises:
            StoreBusy: Not all of it was done; the same again may work.
            StoreError: The rules can't be written; the message says why.
        """
        rules = self.hear(
            names,
            prefix=prefix,
            target_arn=target_arn,
            dead_letter_arn=dead_letter_arn,
            kinds=kinds,
        )
        stale = [name for name in self._rules(prefix) if name not in rules]
        if stale and rules:
            # If not this bus wrote the rules, somebody has who got no further.
            age = 0.0 if self._wrote_at is None else self._seconds() - self._wrote_at
            self._sleep(max(0.0, settle_s - age))
        for name in stale:
            self._remove(name)
        return rules

    def hear(
        self,
        names: Collection[str],
        *,
        prefix: str,
        target_arn: str,
        dead_letter_arn: str = "",
        kinds: Sequence[str] = (),
    ) -> list[str]:
        """Have events of these names brought as well; see `listen`."""
        target: TargetTypeDef = {"Id": _TARGET, "Arn": target_arn}
        if dead_letter_arn:
            target["DeadLetterConfig"] = {"Arn": dead_letter_arn}
        try:
            return self._written(patterns_of(names, kinds=kinds), prefix, target)
        except _NoRoomError:
            _log.warning("%s has no room for our rules: all events come in", self._what)
            return self._written([EVERYTHING], prefix, target)

    def _written(
        self, patterns: Sequence[str], prefix: str, target: TargetTypeDef
    ) -> list[str]:
        """Write the rules that are missing; return the names of all."""
        rules = {_rule_name(prefix, pattern): pattern for pattern in patterns}
        known = self._rules(prefix)
        for name, pattern in rules.items():
            if not _holds(known.get(name), pattern):
                self._write(name, pattern)
                self._wrote_at = self._seconds()
            # Also of a rule that is there: who wrote it may have come no further.
            self._aim(name, target)
        return list(rules)

    def _rules(self, prefix: str) -> Mapping[str, RuleTypeDef]:
        """Our rules that are there, by name."""
        if not prefix:
            raise ValueError("without a prefix all rules of the bus would be ours")
        pages = self._client.get_paginator("list_rules")
        with translated(f"the rules of {self._what}"):
            return {
                rule["Name"]: rule
                for page in pages.paginate(NamePrefix=prefix, EventBusName=self._name)
                for rule in page["Rules"]
            }

    def _write(self, name: str, pattern: str) -> None:
        with translated(f"the rules of {self._what}"):
            try:
                self._client.put_rule(
                    Name=name,
                    EventBusName=self._name,
                    EventPattern=pattern,
                    State="ENABLED",
                    Description="What journeys listen to; journeykit publish owns it",
                )
            except self._client.exceptions.LimitExceededException as error:
                raise _NoRoomError(
                    f"{self._what} has as many rules as it may have; remove some, or "
                    "raise the quota in Service Quotas"
                ) from error

    def _aim(self, name: str, target: TargetTypeDef) -> None:
        """Give a rule its target."""
        waits = pauses(_ATTEMPTS)
        while True:
            with translated(f"a rule of {self._what}"):
                answer = self._client.put_targets(
                    Rule=name, EventBusName=self._name, Targets=[target]
                )
            if not self._is_again(answer, waits):
                return

    def _remove(self, name: str) -> None:
        """Remove a rule that somebody else may be removing too."""
        waits = pauses(_ATTEMPTS)
        with translated(f"a rule of {self._what}"):
            try:
                while True:
                    targets = self._client.list_targets_by_rule(
                        Rule=name, EventBusName=self._name
                    )["Targets"]
                    if not targets:
                        break
                    answer = self._client.remove_targets(
                        Rule=name,
                        EventBusName=self._name,
                        Ids=[target["Id"] for target in targets],
                    )
                    if not self._is_again(answer, waits):
                        break
                self._client.delete_rule(Name=name, EventBusName=self._name)
            except self._client.exceptions.ResourceNotFoundException:
                _log.debug("rule %s is gone already", name)

    def _is_again(
        self,
        answer: PutTargetsResponseTypeDef | RemoveTargetsResponseTypeDef,
        waits: Iterator[float],
    ) -> bool:
        """Whether what was asked of a rule's targets is to be asked again, by now."""
        codes = {entry["ErrorCode"] for entry in answer.get("FailedEntries", ())}
        if not codes:
            return False
        if not all(code in _BUSY or may_work_later(code) for code in codes):
            raise StoreError(
                f"a rule of {self._what} can't have its target: {', '.join(codes)}; "
                "look at the queue's policy"
            )
        self._wait(waits, f"a rule of {self._what} is being changed by others")
        return True

    def _wait(self, waits: Iterator[float], otherwise: str) -> None:
        """Wait for the next attempt.

        Raises:
            StoreBusy: There is none any more.
        """
        pause = next(waits, None)
        if pause is None:
            raise StoreBusy(f"{otherwise}; try again")
        self._sleep(pause)

    @property
    def _what(self) -> str:
        return f"the bus {self._name!r}"


class _NoRoomError(StoreError):
    """A bus has as many rules as it may have."""


EVERYTHING = sendable(_encode({"source": _OTHERS}))
"""The pattern of all events but our own."""


def names_of(catalog: Catalog) -> frozenset[str]:
    """The names of all events that are to come in: heard, or said about a customer.

    Which identifiers let others in, too, `patterns_of` is told. Not asks, which are decided where they come in and are on the bus for the archive.
    """
    names = catalog.hears | catalog.traits.hears | LEARNED | {CUSTOMER_ALIASED}
    return heard(names - {PLACEMENT_REQUESTED} - INNER, catalog.entries.others)


def patterns_of(names: Collection[str], *, kinds: Sequence[str] = ()) -> list[str]:
    """The patterns that bring in events of these names, and no others of theirs.

    What the patterns of triggers may match comes in beside, where `names_of` knows of them.
    As few as the quota of a pattern allows; one that brings in everything if they were
    too many for a bus.

    Args:
        names: Of the events.
        kinds: An event that has an identifier of one of them is about somebody, whatever
            it is called, and who that is must not be missed.
    """
    patterns: list[str] = []
    listed: list[str] = []
    beside = tuple(kinds)  # in the first one: what two rules match comes in twice
    for name in sorted(names):
        if (listed or beside) and len(_pattern([*listed, name], beside)) > _PATTERN:
            patterns.append(_pattern(listed, beside))
            listed, beside = [], ()
        listed.append(name)
    if listed or beside:
        patterns.append(_pattern(listed, beside))
    if isinstance(names, HeardNames):
        for pattern in names.patterns:
            patterns += [sendable(_encode(rule)) for rule in rules_of(pattern)]
        patterns = list(dict.fromkeys(patterns))
        if EVERYTHING in patterns or len(max(patterns, key=len)) > _PATTERN:
            return [EVERYTHING]
    return patterns if len(patterns) <= _RULES else [EVERYTHING]


def _pattern(names: Sequence[str], kinds: Sequence[str]) -> str:
    ways: list[Mapping[str, Any]] = [{"detail-type": names}] if names else []
    # `exists` is for leaves alone: whether there are any identifiers can't be asked.
    # https://docs.aws.amazon.com/eventbridge/latest/userguide/
    #     eb-create-pattern-operators.html#eb-filtering-exists-matching
    ways += [{"detail": {"identifiers": {kind: [{"exists": True}]}}} for kind in kinds]
    asked = ways[0] if len(ways) == 1 else {"$or": ways}
    return sendable(_encode({**asked, "source": _OTHERS}))


def _rule_name(prefix: str, pattern: str) -> str:
    return prefix + hashlib.sha256(pattern.encode()).hexdigest()[:16]


def _holds(rule: RuleTypeDef | None, pattern: str) -> bool:
    """Whether a rule is there as it was written."""
    if rule is None or rule.get("State") != "ENABLED":
        return False
    try:
        return bool(
            msgspec.json.decode(rule.get("EventPattern", ""))
            == msgspec.json.decode(pattern)
        )
    except msgspec.DecodeError:
        return False


def detail_of(event: Event) -> dict[str, Any]:
    """Return the detail of an event that came in at a door of ours."""
    detail = {
        "customer": event.customer,
        "id": event.id,
        "occurred_at": event.occurred_at,
        "received_at": event.received_at,
        "source": event.source,
        "test": event.test,
        "properties": event.properties,
    }
    if event.identifiers:
        detail["identifiers"] = event.identifiers
    if event.history:
        detail["history"] = True
    return detail


def _entry(event: Event | PublishEvent, bus: str) -> Entry:
    """An event as the bus takes it."""
    if isinstance(event, PublishEvent):
        source = JOURNEYS
        detail = {
            "customer": event.customer,
            "id": event.id,
            "occurred_at": to_datetime(event.at),
            "test": event.test,
            "properties": event.properties,
        }
    else:
        source = HTTP
        detail = detail_of(event)
    return {
        "Source": source,
        "DetailType": event.name,
        "Detail": sendable(_encode(detail)),
        "EventBusName": bus,
    }


def _size(entry: Entry) -> int:
    """Bytes, as EventBridge counts them."""
    return sum(
        len(text.encode())
        for text in (
            entry.get("Source", ""),
            entry.get("DetailType", ""),
            entry.get("Detail", ""),
        )
    )
