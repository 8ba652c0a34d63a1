"""The deliveries table: one row for each message and call, its claim and its fate.

    id    the delivery's id, or the call's                      partition key
    s     its state                                             see below
    rev   the revision of the customer's document that released it
    by    who claimed it last: a token of one message in one invocation
    was   the state before that claim
    due   when a lease ends, or a wait                          milliseconds
    n     how often it was handed over, `res`: whether it keeps its slot of the pace
    rep   reports that may not have been sent yet
    c ch j v st e t at why pid tst ad                           see `ports.Delivery`;
          written with the claim, since a provider may report before it is settled
    ttl   30 days later                                         seconds

SQS may bring a command more than once, and to several functions at the same time; this
table is what lets one of them hand it over. A row whose `ttl` has passed is not there,
though DynamoDB may take days to remove it.

    a command comes, and the row is              so
    not there                                    claimed
    waiting,  due                                claimed
    waiting,  not due                            a delayed copy of the command
    claimed,  under its lease                    a delayed copy
    claimed,  its lease is over                  claimed, and lapsed: it may have been sent
    returned, of an earlier revision             claimed: its customer released it again
    returned, of its own revision                dropped; what is in `rep` is sent
    sent, failed, uncertain                      dropped; what is in `rep` is sent
    waiting or claimed, of a later revision      dropped: the later one has replaced it

    it is settled, and the row is                so
    claimed by whoever settles: `again`          waiting
    claimed by others by now: `again`            nothing: it is theirs
    claimed or waiting, of its revision: final   sent, failed, uncertain or returned
    anything else: final                         nothing: the first word counts

Each of these is one conditional UpdateItem. If its answer gets lost, botocore asks again,
and the condition fails because of ourselves; the row's `by` says so.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from journeykit.aws.failures import LostRace, pauses, translated
from journeykit.engine.commands import (
    AbsorbCustomer,
    CallAction,
    Command,
    PublishEvent,
)
from journeykit.errors import StoreBusy
from journeykit.ports import Delivery, Settled

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from journeykit.aws.tallies import DynamoTallies

KEPT_S = 30 * 24 * 60 * 60
MAX_KEY = 2048
"""Bytes of an id, which is the key: at least 1, and so many at most."""

FINAL = frozenset({"sent", "failed", "uncertain", "returned"})

_WHAT = "the deliveries table"
_KEYS = 100  # of one BatchGetItem
_ATTEMPTS = 5  # more, of keys that were left over

_CLAIM = (
    "#was = if_not_exists(#s, :new), #s = :claimed, #due = :lease, #rev = :rev, "
    "#by = :by, #ttl = :ttl"
)
_CLAIMABLE = (
    "attribute_not_exists(#id) OR #ttl <= :seconds "
    "OR (#s IN (:claimed, :waiting) AND #due <= :now AND #rev <= :rev) "
    "OR (#s = :returned AND #rev < :rev)"
)
_OWN = "#s = :claimed AND #by = :by"
_OPEN = "#s IN (:claimed, :waiting) AND #rev = :rev"
_NAME = re.compile(r"#\w+")  # all of them, since DynamoDB reserves 573 words

Row = Mapping[str, Any]
"""An item as the low-level client has it: name to type and value."""


class Claim(NamedTuple):
    """A row that is ours now.

    Attributes:
        attempts: How often it was handed over before.
        lapsed: Whether somebody claimed it before and never said what came of it.
        reserved: Whether it keeps its slot of the pace.
    """

    attempts: int
    lapsed: bool
    reserved: bool


class Obstacle(NamedTuple):
    """Why a row can't be claimed.

    Attributes:
        until: When it may be, milliseconds; None: never by this command.
        reports: What may not have been reported yet; empty: all of it was.
    """

    until: int | None
    reports: bytes


class Rows:
    """The conditional writes; each may be called again after an error."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        """Take the table's name."""
        self._client = client
        self._table = table

    def claim(
        self,
        command: Command,
        id: str,
        revision: int,
        *,
        by: str,
        now: int,
        lease_until: int,
    ) -> Claim | Obstacle:
        """Claim a row for a command of a revision, if nobody else has it."""
        fields = _described(command, now)
        gone = {"rep", "why", "pid", "ad", "tst"} - fields.keys()
        values = {
            ":new": _text("new"),
            ":claimed": _text("claimed"),
            ":waiting": _text("waiting"),
            ":returned": _text("returned"),
            ":lease": _number(lease_until),
            ":now": _number(now),
            ":seconds": _number(now // 1000),
            ":rev": _number(revision),
            ":by": _text(by),
            ":ttl": _number(now // 1000 + KEPT_S),
        }
        try:
            row = self._write(
                id, fields, gone, _CLAIMABLE, values, first=_CLAIM, wanted="ALL_NEW"
            )
        except LostRace as lost:
            row = lost.item
            if _said(row, "by") != by or _said(row, "s") != "claimed":
                return _obstacle(row, revision)
        lapsed = _said(row, "was") == "claimed"
        reserved = bool(row.get("res", {}).get("BOOL"))
        return Claim(_counted(row, "n"), lapsed, reserved)

    def wait(self, id: str, settled: Settled, *, by: str) -> bool:
        """Let a claimed row wait; False: it is claimed by somebody else by now."""
        fields: dict[str, Any] = {
            "s": _text("waiting"),
            "due": _number(settled.at),
            "n": _number(settled.attempts),
            "ttl": _number(settled.at // 1000 + KEPT_S),
        }
        if settled.reserved:
            fields["res"] = {"BOOL": True}
        gone = {"was"} if settled.reserved else {"was", "res"}
        values = {":claimed": _text("claimed"), ":by": _text(by)}
        try:
            self._write(id, fields, gone, _OWN, values)
        except LostRace as lost:
            return _said(lost.item, "by") == by and _said(lost.item, "s") == "waiting"
        return True

    def end(
        self,
        command: Command,
        id: str,
        revision: int,
        settled: Settled,
        *,
        by: str,
        reports: bytes,
    ) -> bool:
        """Write down what came of it; False: somebody else's word came first."""
        fields = {
            "s": _text(settled.outcome),
            "by": _text(by),
            "ttl": _number(settled.at // 1000 + KEPT_S),
            **_described(command, settled.at),
        }
        told = {
            "why": settled.reason,
            "pid": settled.provider_id,
            "ad": settled.address,
        }
        fields.update({name: _text(value) for name, value in told.items() if value})
        if reports:
            fields["rep"] = {"B": reports}
        gone = {
            "was",
            "due",
            "n",
            "res",
            "why",
            "pid",
            "ad",
            "tst",
            "rep",
        } - fields.keys()
        values = {
            ":claimed": _text("claimed"),
            ":waiting": _text("waiting"),
            ":rev": _number(revision),
        }
        try:
            self._write(id, fields, gone, _OPEN, values)
        except LostRace as lost:
            was = _said(lost.item, "s")
            return _said(lost.item, "by") == by and was == settled.outcome
        return True

    def reported(self, id: str, reports: bytes) -> None:
        """Remove reports that were sent, if they are still those."""
        try:
            self._update(id, "REMOVE #rep", "#rep = :rep", {":rep": {"B": reports}})
        except LostRace:
            return

    def _write(
        self,
        id: str,
        fields: Mapping[str, Any],
        gone: Collection[str],
        condition: str,
        values: Mapping[str, Any],
        *,
        first: str = "",
        wanted: Literal["NONE", "ALL_NEW"] = "NONE",
    ) -> Row:
        """Set fields, after what is set `first`, and remove others, under a condition."""
        sets = [first] if first else []
        sets += [f"#{name} = :new_{name}" for name in fields]
        update = "SET " + ", ".join(sets)
        if gone:
            update += " REMOVE " + ", ".join(f"#{name}" for name in sorted(gone))
        new = {f":new_{name}": value for name, value in fields.items()}
        return self._update(id, update, condition, {**new, **values}, wanted=wanted)

    def _update(
        self,
        id: str,
        update: str,
        condition: str,
        values: Mapping[str, Any],
        *,
        wanted: Literal["NONE", "ALL_NEW"] = "NONE",
    ) -> Row:
        with translated(_WHAT):
            answer = self._client.update_item(
                TableName=self._table,
                Key={"id": _text(id)},
                UpdateExpression=update,
                ConditionExpression=condition,
                ExpressionAttributeNames={
                    name: name[1:] for name in _NAME.findall(f"{update} {condition}")
                },
                ExpressionAttributeValues=values,
                ReturnValues=wanted,
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        return answer.get("Attributes", {})


class DynamoDeliveries:
    """What became of messages and calls: `Deliveries` over the table."""

    def __init__(
        self,
        client: DynamoDBClient,
        table: str,
        tallies: DynamoTallies,
        *,
        clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Join the parts.

        Args:
            client: Asks DynamoDB.
            table: The table's name.
            tallies: Counts for the breakers.
            clock: The time, milliseconds: older rows are not there any more.
            sleep: Waits, seconds.
        """
        self._client = client
        self._table = table
        self._tallies = tallies
        self._clock = clock
        self._sleep = sleep

    def find(
        self, ids: Sequence[str], *, unsettled: bool = False
    ) -> Mapping[str, Delivery]:
        """Return the deliveries that are known, by id.

        Args:
            ids: Of deliveries and calls.
            unsettled: Whether those are wanted too that are `claimed` or `waiting`, which
                is their outcome then. A provider may report what became of a message
                before whoever handed it over has written down that it did.
        """
        found: dict[str, Delivery] = {}
        asked = iter(dict.fromkeys(id for id in ids if is_key(id)))
        while keys := [{"id": _text(id)} for id in islice(asked, _KEYS)]:
            for row in self._rows(keys):
                if not (unsettled or _said(row, "s") in FINAL):
                    continue
                if (delivery := self._delivery(row)) is not None:
                    found[delivery.id] = delivery
        return found

    def tallies(self) -> Mapping[str, tuple[int, int]]:
        """Return how many deliveries of each journey succeeded and failed."""
        return self._tallies.tallies()

    def reset_tallies(self, journeys: Collection[str]) -> None:
        """Count from 0 again."""
        self._tallies.reset_tallies(journeys)

    def _rows(self, keys: Sequence[Mapping[str, Any]]) -> Iterator[Row]:
        """Yield the rows of up to 100 keys, as of now."""
        waits = pauses(_ATTEMPTS)
        while keys:
            with translated(_WHAT):
                answer = self._client.batch_get_item(
                    RequestItems={self._table: {"Keys": keys, "ConsistentRead": True}}
                )
            yield from answer["Responses"].get(self._table, ())
            left = answer.get("UnprocessedKeys", {}).get(self._table)
            keys = left["Keys"] if left else ()
            if keys:
                pause = next(waits, None)
                if pause is None:
                    raise StoreBusy(
                        f"{_WHAT}: DynamoDB left {len(keys)} keys over, again and "
                        "again; try again later"
                    )
                self._sleep(pause)

    def _delivery(self, row: Row) -> Delivery | None:
        """A row as a delivery; None: it is no longer kept, or nobody's to tell."""
        if _counted(row, "ttl") * 1000 <= self._clock():
            return None
        return delivery_of(row)


def delivery_of(row: Row) -> Delivery | None:
    """Read a row; None: it is of an event, or of somebody who was erased."""
    if "j" not in row:
        return None
    return Delivery(
        id=_said(row, "id"),
        customer=_said(row, "c"),
        channel=_said(row, "ch"),
        journey=_said(row, "j"),
        version=_counted(row, "v"),
        step=_said(row, "st"),
        enrollment=_said(row, "e"),
        template=_said(row, "t"),
        outcome=_said(row, "s"),
        at=_counted(row, "at"),
        reason=_said(row, "why"),
        provider_id=_said(row, "pid"),
        test=bool(row.get("tst", {}).get("BOOL")),
        address=_said(row, "ad"),
    )


def erased_row(id: str, *, until_s: int) -> dict[str, Any]:
    """What stays of a message or call of somebody who was erased: that it is settled.

    It names nobody, and lets no copy of the command, which may stand in a queue yet, be
    handed over.

    Args:
        id: The delivery's, or the call's.
        until_s: For how long it stays, seconds since 1970.
    """
    return {
        "id": _text(id),
        "s": _text("failed"),
        "why": _text("erased"),
        "by": _text("erased"),
        "rev": _number(0),
        "ttl": _number(until_s),
    }


def is_key(id: str) -> bool:
    """Whether an id can stand in the table: ours always do."""
    return 0 < len(id.encode("utf-8", "replace")) <= MAX_KEY


def _obstacle(row: Row, revision: int) -> Obstacle:
    """Why a row that is there can't be claimed for a command of a revision."""
    is_over = _said(row, "s") in FINAL
    if is_over or _counted(row, "rev") > revision:
        reports = row.get("rep", {}).get("B", b"") if is_over else b""
        return Obstacle(None, bytes(reports))
    return Obstacle(_counted(row, "due"), b"")


def _described(command: Command, at: int) -> dict[str, Any]:
    """What a row says about a command; nothing about what has no fate."""
    if isinstance(command, PublishEvent | AbsorbCustomer):
        return {}
    if isinstance(command, CallAction):
        channel, template = command.action, ""
    else:
        channel, template = command.channel, command.template
    fields: dict[str, Any] = {
        "c": _text(command.customer),
        "ch": _text(channel),
        "j": _text(command.journey),
        "v": _number(command.version),
        "st": _text(command.step),
        "e": _text(command.enrollment),
        "t": _text(template),
        "at": _number(at),
    }
    if command.test:
        fields["tst"] = {"BOOL": True}
    return fields


def _text(value: str) -> dict[str, str]:
    return {"S": value}


def _number(value: int) -> dict[str, str]:
    return {"N": str(value)}


def _said(row: Row, name: str) -> str:
    value: str = row.get(name, {}).get("S", "")
    return value


def _counted(row: Row, name: str) -> int:
    return int(row.get(name, {}).get("N", 0))
