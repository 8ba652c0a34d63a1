"""The repair: what an operator runs after the stream was lost.

The customers table knows what the relay may have failed to pass on: the commands of the
last 25 hours, and when each customer is due. A repair goes through the table and passes
it all on again, the way the relay does. What was handed over before is not handed over
again, since each delivery is claimed once; a wake-up too many finds nothing due.

It costs a read of the whole table, and a write for everybody who waits. While the catalog
says that the relay is unhealthy no command is dropped from the table, so an outage of more
than a day is repaired with `everything`.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from journeykit.aws.failures import translated
from journeykit.aws.relay import Image, Relay, plain

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_log = logging.getLogger("journeykit.repair")

KEPT_MS = 25 * 60 * 60_000
"""Commands that are older were dropped from the table, or will be by the next commit."""

_LAGGING_MS = 5 * 60_000  # who is due for so long was not woken, or is about to be
_PAGE = 200  # customers: what has to be passed on again if a page fails
_ENOUGH_MS = 30_000  # for a page, whatever AWS does
_NAMES = {"#id": "id", "#r": "r", "#due": "due", "#out": "out"}


class Repaired(msgspec.Struct, frozen=True, kw_only=True):
    """How far a repair has come.

    Attributes:
        cursor: The last customer that is done; the next run goes on behind. Empty: all
            are, or none is.
        done: Whether it is through.
        customers: How many were looked at.
        commands: How many commands were passed on again.
        timers: How many wake-ups were armed again.
        lagging: How many customers should have been woken minutes ago.
        failed: How many customers of the next page were not passed on: a destination
            is busy, and the log says which. The next run begins with that page.
        unreadable: How many items were passed over, since they can't be read.
    """

    cursor: str = ""
    done: bool = False
    customers: int = 0
    commands: int = 0
    timers: int = 0
    lagging: int = 0
    failed: int = 0
    unreadable: int = 0


class Repair:
    """Passes on again what a relay may have lost. May be run twice, and at any time."""

    def __init__(
        self,
        client: DynamoDBClient,
        table: str,
        relay: Relay,
    ) -> None:
        """Join the parts.

        Args:
            client: Of DynamoDB.
            table: The customers table.
            relay: Who passes on.
        """
        self._client = client
        self._table = table
        self._relay = relay

    def run(
        self,
        *,
        now: int,
        cursor: str = "",
        everything: bool = False,
        looking: bool = False,
        time_left: Callable[[], int] = lambda: sys.maxsize,
    ) -> Repaired:
        """Go through the table from where the last run stopped, as far as time allows.

        Args:
            now: The clock, milliseconds.
            cursor: Where the last run stopped; empty: begin.
            everything: Whether to pass on commands of any age.
            looking: Whether only to count what would be passed on.
            time_left: Milliseconds until it has to be over; one page is always done.

        Returns:
            How far it came, and what this run has done.

        Raises:
            StoreError: The table can't be read; the same again may work.
        """
        since = 0 if everything else now - KEPT_MS
        so_far = Repaired(cursor=cursor)
        for page, last in self._pages(cursor):
            images = [*self._images(page, since)]
            failed = () if looking else self._relay.pass_on(images)
            if failed:
                return replace(so_far, failed=len(failed))
            dues = [image.due for image in images if image.due is not None]
            so_far = Repaired(
                cursor=last,
                done=not last,
                customers=so_far.customers + len(page),
                commands=so_far.commands + sum(len(one.commands) for one in images),
                timers=so_far.timers + len(dues),
                lagging=so_far.lagging + sum(due < now - _LAGGING_MS for due in dues),
                unreadable=so_far.unreadable + len(page) - len(images),
            )
            if time_left() < _ENOUGH_MS:
                break
        return so_far

    def _pages(self, cursor: str) -> Iterator[tuple[list[Mapping[str, Any]], str]]:
        """Yield items page by page, each with where it ends; empty: there are no more."""
        scan: dict[str, Any] = {
            "TableName": self._table,
            "Limit": _PAGE,
            "ProjectionExpression": ", ".join(_NAMES),
            "ExpressionAttributeNames": _NAMES,
        }
        if cursor:
            scan["ExclusiveStartKey"] = {"id": {"S": cursor}}
        while True:
            with translated("the customers table"):
                answer: Any = self._client.scan(**scan)
            key = answer.get("LastEvaluatedKey")
            yield answer["Items"], key["id"]["S"] if key else ""
            if not key:
                return
            scan["ExclusiveStartKey"] = key

    def _images(self, items: list[Mapping[str, Any]], since: int) -> Iterator[Image]:
        """Yield what is to be passed on of items; what can't be read is passed over."""
        for item in items:
            try:
                yield _image(item, since)
            except (LookupError, TypeError, AttributeError, ValueError) as error:
                _log.error(
                    "an item of the customers table is passed over, it can't be read: %s",
                    type(error).__name__,
                )


def _image(item: Mapping[str, Any], since: int) -> Image:
    """What an item says that is to be passed on: the commands, and when it is due."""
    out: Mapping[str, Any] = plain(item["out"]) if "out" in item else {}
    return msgspec.convert(
        {
            "customer": plain(item["id"]),
            "revision": plain(item["r"]),
            "due": plain(item["due"]) if "due" in item else None,
            "commands": [
                (int(revision), body)
                for revision, decided in sorted(out.items(), key=lambda it: int(it[0]))
                if decided["at"] >= since
                for body in decided["c"]
            ],
        },
        Image,
    )
