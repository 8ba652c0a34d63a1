"""What a stack knows of people: to be shown to them, and to be forgotten.

No function does this: an operator's own credentials do, as long as the command runs. So
nothing that is deployed may delete customers, and CloudTrail says who did.

    customers      the document, its commands of 25 hours                   deleted
    deliveries     what became of messages and calls                        the ids stay, as
                                                                            `failed: erased`
    state          REF#, INBOX#, IDENTITY#, CONFLICT                        deleted
                   CLAIM#, PLACE#                                           somebody else's,
                                                                            who is nobody
    timers         wake-ups to come                                         deleted
    dead letters   in all queues that nobody reads                          deleted

No table but the first has customers in its keys in a way that could be asked, so each is
read whole, once for as many people as are erased together. The document goes first: what
is decided afterwards is about nobody. Its commands may stand in queues, where nothing can
be looked up; each gets a row that says that it is settled, so whoever is handed it drops
it. Whoever is interrupted does the same again, and names the ids `anyway`.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import uuid4

import msgspec

from journeykit.aws.claims import DynamoClaims
from journeykit.aws.clients import client
from journeykit.aws.customers import DynamoCustomers
from journeykit.aws.dead_letters import (
    DeadLetterQueues,
    about,
    attribute_of,
    text_of,
)
from journeykit.aws.deliveries import KEPT_S, delivery_of, erased_row
from journeykit.aws.documents import unpacked_command
from journeykit.aws.failures import LostRace, translated
from journeykit.aws.identities import conflict_of
from journeykit.aws.messages import id_of
from journeykit.aws.notices import notice_of
from journeykit.aws.records import Records
from journeykit.aws.references import reference_of
from journeykit.aws.stack import Stack
from journeykit.aws.tables import delete, put, scanned
from journeykit.aws.timers import due_of
from journeykit.engine.commands import CallAction, Command, SendMessage
from journeykit.engine.customer import Customer
from journeykit.errors import DamagedDocument, NewerStore
from journeykit.ports import Holding
from journeykit.runtime.addresses import addresses_of
from journeykit.runtime.letters import mentions

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_BUFFERED_MS = 15 * 60_000  # Firehose writes what it was handed within five minutes
_CUSTOMERS = "the customers table"  # in messages
_DELIVERIES = "the deliveries table"
_STATE = "the state table"
_TIMERS = "the timers table"

Item = Mapping[str, Any]
"""An item as the low-level client has it."""


class Tables(NamedTuple):
    """The names of a stack's tables."""

    customers: str
    deliveries: str
    state: str
    timers: str


class StackPrivacy:
    """`Privacy`, with the documents and claims that go with it, over a stack's tables."""

    def __init__(
        self,
        dynamodb: DynamoDBClient,
        tables: Tables,
        letters: DeadLetterQueues,
        *,
        clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        """Join the parts.

        Args:
            dynamodb: Asks DynamoDB.
            tables: The tables.
            letters: The dead letters.
            clock: The time, milliseconds.
        """
        self._client: Any = dynamodb
        self._tables = tables
        self._letters = letters
        self._clock = clock
        # Which commits nothing here, and so logs and buries nothing.
        self._customers = DynamoCustomers(
            dynamodb, tables.customers, log=_nothing, bury=_nothing, clock=clock
        )
        self._claims = DynamoClaims(dynamodb, tables.state)

    def load(self, ids: Sequence[str]) -> Mapping[str, Customer]:
        """See `CustomerStore.load`."""
        return self._customers.load(ids)

    def scan(self, after: str, limit: int) -> Sequence[Customer]:
        """See `Scan.scan`."""
        return self._customers.scan(after, limit)

    def claim(self, key: str, holder: str, limit: int, *, at: int) -> int:
        """See `Claims.claim`."""
        return self._claims.claim(key, holder, limit, at=at)

    def release(self, key: str, holder: str, *, since: int) -> None:
        """See `Claims.release`."""
        self._claims.release(key, holder, since=since)

    # --- telling ---------------------------------------------------------------------

    def holdings(self, customers: Collection[str]) -> Sequence[Holding]:
        """Return what is kept about customers, their documents apart.

        It reads three tables whole, and all dead letters.

        Raises:
            StoreBusy: AWS is; the same again may work.
            StoreError: A table or a queue can't be read.
        """
        ids = {*customers}
        if not ids:
            return []
        found = [*self._commands_told(ids), *self._deliveries_told(ids)]
        found += map(_told, self._state_of(ids))
        known = self.load([*ids])
        for queue, letter in self._letters.find(self._about(ids, known.values())):
            body = {
                "queue": queue,
                "reason": attribute_of(letter, "reason"),
                "kind": attribute_of(letter, "kind"),
                "body": _readable(text_of(letter)),
            }
            found.append(Holding("dead_letter", body))
        return sorted(found, key=lambda one: one.part)

    def _commands_told(self, ids: Collection[str]) -> Iterator[Holding]:
        for id in sorted(ids):
            for command in self._decided(id):
                yield Holding("command", msgspec.to_builtins(command))

    def _deliveries_told(self, ids: Collection[str]) -> Iterator[Holding]:
        for row in self._scanned(self._tables.deliveries, _DELIVERIES):
            if row.get("c", {}).get("S") in ids:
                delivery = delivery_of(row)
                yield Holding("delivery", msgspec.to_builtins(delivery))

    # --- forgetting ------------------------------------------------------------------

    def erase(self, customers: Collection[str]) -> Mapping[str, int]:
        """Forget customers: their documents, and all that `holdings` returns.

        It reads three tables whole, and all dead letters.

        Raises:
            StoreBusy: AWS is; not all is forgotten.
            StoreError: A table or a queue can't be used; not all is forgotten.
        """
        ids = {*customers}
        if not ids:
            return {}
        known = self._readable([*ids])
        is_about = self._about(ids, known.values())
        erased: Counter[str] = Counter()
        for id in sorted(ids):
            # Before the document goes: what is in a queue is not to be handed over while
            # the rest of this takes its time.
            decided = {id_of(command): command for command in self._decided(id)}
            ledger = (
                [one.delivery_id for one in known[id].ledger] if id in known else []
            )
            held = (
                [it.message.delivery_id for it in known[id].held] if id in known else []
            )
            erased["delivery"] += self._settle([*decided, *ledger, *held])
            gone = self._deleted(id)
            if gone is not None:
                erased["document"] += 1
                last = {id_of(command): command for command in _commands_of(gone)}
                erased["delivery"] += self._settle(last.keys() - decided.keys())
                decided |= last
            erased["command"] += len(decided)
        erased["delivery"] += self._erase_deliveries(ids)
        erased.update(self._erase_state(ids))
        self._erase_timers(ids)
        erased["dead_letter"] = self._letters.remove(is_about)
        return {part: count for part, count in sorted(erased.items()) if count}

    def _readable(self, ids: Sequence[str]) -> Mapping[str, Customer]:
        """The documents that can be read: who has a damaged one is forgotten, too."""
        try:
            return self.load(ids)
        except DamagedDocument:
            if len(ids) == 1:
                return {}
            return {
                id: one for each in ids for id, one in self._readable([each]).items()
            }

    def _deleted(self, id: str) -> Item | None:
        """Delete a customer's item, and return it as it was; None: there was none."""
        with translated(_CUSTOMERS):
            answer = self._client.delete_item(
                TableName=self._tables.customers,
                Key={"id": {"S": id}},
                ReturnValues="ALL_OLD",
            )
        return answer.get("Attributes") or None

    def _settle(self, ids: Iterable[str]) -> int:
        """Let nobody hand over what may stand in a queue.

        Returns:
            Of how many it was known what became of them, or that somebody was at it.
        """
        count = 0
        until = self._clock() // 1000 + KEPT_S
        for id in dict.fromkeys(ids):
            with translated(_DELIVERIES):
                answer = self._client.put_item(
                    TableName=self._tables.deliveries,
                    Item=erased_row(id, until_s=until),
                    ReturnValues="ALL_OLD",
                )
            count += "c" in answer.get("Attributes", {})
        return count

    def _erase_deliveries(self, ids: Collection[str]) -> int:
        rows = self._scanned(self._tables.deliveries, _DELIVERIES, "id", "c")
        names = [row["id"]["S"] for row in rows if row.get("c", {}).get("S") in ids]
        until = self._clock() // 1000 + KEPT_S
        anew = [erased_row(id, until_s=until) for id in names]
        put(self._client, self._tables.deliveries, anew, what=_DELIVERIES)
        return len(names)

    def _erase_state(self, ids: Collection[str]) -> Counter[str]:
        erased: Counter[str] = Counter()
        going: list[Item] = []
        names = ("pk", "sk", "who", "holder", "claimant", "place", "at")
        for item in self._state_of(ids, *names):
            part = _part_of(item)
            erased[part] += 1
            if part == "claim":
                self._hand_to_nobody(item)
            else:
                going.append({"pk": item["pk"], "sk": item["sk"]})
        delete(self._client, self._tables.state, going, what=_STATE)
        return erased

    def _hand_to_nobody(self, item: Item) -> None:
        """Let a place that was claimed stay taken, by somebody who is nobody."""
        nobody = {"S": f"~{uuid4().hex}"}
        key = {"pk": item["pk"], "sk": item["sk"]}
        with suppress(LostRace), translated(_STATE):  # it was given back meanwhile
            if "holder" in item:
                self._client.update_item(
                    TableName=self._tables.state,
                    Key=key,
                    UpdateExpression="SET holder = :nobody",
                    ConditionExpression="holder = :holder",
                    ExpressionAttributeValues={
                        ":nobody": nobody,
                        ":holder": item["holder"],
                    },
                )
                return
            table = self._tables.state
            there = "attribute_exists(pk)"
            self._client.transact_write_items(
                TransactItems=[
                    {
                        "Delete": {
                            "TableName": table,
                            "Key": key,
                            "ConditionExpression": there,
                        }
                    },
                    {"Put": {"TableName": table, "Item": {**item, "sk": nobody}}},
                ]
            )

    def _erase_timers(self, ids: Collection[str]) -> None:
        """Delete wake-ups: those of today's `next_due`, and those that it was before."""
        rows = self._scanned(self._tables.timers, _TIMERS, "bucket", "due", "customer")
        keys = [
            {"bucket": row["bucket"], "due": row["due"]}
            for row in rows
            if row["bucket"]["S"] != "cursor" and due_of(row)[1] in ids
        ]
        delete(self._client, self._tables.timers, keys, what=_TIMERS)

    # --- reading ---------------------------------------------------------------------

    def _decided(self, id: str) -> list[Command]:
        """The messages and calls of the last 25 hours; some may be done."""
        with translated(_CUSTOMERS):
            answer = self._client.get_item(
                TableName=self._tables.customers,
                Key={"id": {"S": id}},
                ConsistentRead=True,
                ProjectionExpression="#out",
                ExpressionAttributeNames={"#out": "out"},
            )
        return _commands_of(answer.get("Item", {}))

    def _state_of(self, ids: Collection[str], *names: str) -> Iterator[Item]:
        for item in self._scanned(self._tables.state, _STATE, *names):
            if any(one in ids for one in _named(item)):
                yield item

    def _scanned(self, table: str, what: str, *names: str) -> Iterator[Item]:
        asked: dict[str, Any] = {"TableName": table}
        if names:
            asked["ProjectionExpression"] = ", ".join(f"#{name}" for name in names)
            asked["ExpressionAttributeNames"] = {f"#{name}": name for name in names}
        return scanned(self._client, what=what, **asked)

    def _about(
        self, ids: Collection[str], known: Iterable[Customer]
    ) -> Callable[[Mapping[str, Any]], bool]:
        documents = [*known]
        return about(
            mentions(
                ids,
                {each for one in documents for each in one.identifiers},
                {each for one in documents for each in addresses_of(one)},
            )
        )


class OfStack(NamedTuple):
    """What an operator reaches of a stack.

    Attributes:
        store: Tables and queues.
        records: The bucket of the logs.
    """

    store: StackPrivacy
    records: Records

    def cleared(
        self, *, clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000
    ) -> Callable[[Callable[[bytes], bool]], int]:
        """What removes lines of the archive: at first of all of it, then of what is new.

        Args:
            clock: The time, milliseconds.
        """
        since = [clock() - _BUFFERED_MS, 0]

        def cleared(is_meant: Callable[[bytes], bool]) -> int:
            start = since.pop() if len(since) > 1 else since[0]
            return self.records.remove(is_meant, since=start)

        return cleared


def of_stack(stack: Stack, name: str, *, wait_s: int = 1) -> OfStack:
    """Reach a stack with the credentials of whoever asks.

    Args:
        stack: The stack.
        name: Its name.
        wait_s: How long to wait for a message of a queue, seconds.

    Raises:
        InputError: There is no such stack, or it is of an earlier release.
        StoreError: AWS can't be asked.
    """
    tables = Tables(
        customers=stack.output("CustomersTable"),
        deliveries=stack.output("DeliveriesTable"),
        state=stack.output("StateTable"),
        timers=stack.output("TimersTable"),
    )
    bucket = stack.output("RecordsBucket")
    with translated("the account"):
        letters = DeadLetterQueues(client("sqs"), name, wait_s=wait_s)
        store = StackPrivacy(client("dynamodb"), tables, letters)
        return OfStack(store, Records(client("s3"), bucket))


# --- items ---------------------------------------------------------------------------


def _named(item: Item) -> Iterator[str]:
    """The customers whom an item of the state table names."""
    kind, _, rest = item["pk"]["S"].partition("#")
    match kind:
        case "REF" | "PLACE":
            yield item["sk"]["S"]
        case "INBOX":
            yield rest
        case "IDENTITY":
            yield item.get("who", {}).get("S", "")
        case "CLAIM":
            yield item.get("holder", {}).get("S", "")
        case "CONFLICT":
            yield item.get("holder", {}).get("S", "")
            yield item.get("claimant", {}).get("S", "")


_PARTS = {
    "REF": "reference",
    "PLACE": "claim",
    "INBOX": "notice",
    "IDENTITY": "identifier",
    "CLAIM": "claim",
    "CONFLICT": "conflict",
}


def _part_of(item: Item) -> str:
    return _PARTS[item["pk"]["S"].partition("#")[0]]


def _told(item: Item) -> Holding:
    """An item of the state table as what is kept about somebody."""
    kind, _, key = item["pk"]["S"].partition("#")
    place = {"key": key}
    body: Any
    match kind:
        case "REF":
            body = reference_of(key, item)
        case "INBOX":
            body = notice_of(key, item)
        case "CONFLICT":
            body = conflict_of(item)
        case "IDENTITY":
            body = {**place, "customer": item["who"]["S"], "at": int(item["at"]["N"])}
        case "CLAIM":
            body = {**place, "customer": item["holder"]["S"], "place": 1}
        case _:
            number = int(item["place"]["N"])
            body = {**place, "customer": item["sk"]["S"], "place": number}
    return Holding(_PARTS[kind], msgspec.to_builtins(body))


def _commands_of(item: Item) -> list[Command]:
    """The messages and calls that an item of the customers table holds."""
    found: list[Command] = []
    for entry in item.get("out", {}).get("M", {}).values():
        for body in entry["M"]["c"]["L"]:
            try:
                command = unpacked_command(bytes(body["B"]))
            except NewerStore:
                raise
            except ValueError:
                continue  # damaged: the relay has buried it, too
            if isinstance(command, SendMessage | CallAction):
                found.append(command)
    return found


def _readable(text: str) -> Any:
    with suppress(msgspec.DecodeError, RecursionError):
        return msgspec.json.decode(text)
    return text


def _nothing(_: object) -> None:
    pass
