"""History out of a file into a stack, decided on the operator's machine.

A queue may hand the same message over twice, and history is not known by its ids: it would
count twice. So no function is asked. The engine runs where the file is, on the customers
table itself, and each row is learned once, by file and place in it, whatever kills the
process in between:

    state table      pk IMPORT   sk <hash of the import's name>
                     name S, place S   what it is called, and how far it was read
                     ahead N           the last line of the batch that is under way
    customers table  imported S        the batch that this item has last learned from

Before a batch is decided on, `ahead` says where it ends; after it, `place` moves there.
Each customer's item says in the very write that learns from it which batch that was, and
that write is refused if it says so already. Who is cut off begins with the same batch.
While a batch of one file is under way no other file is begun, since that would overwrite
what the items say.

Lines for the archive, and decisions that changed nobody, are objects of their own beside
those of Firehose. Functions go on meanwhile: whoever comes second to a customer's item
looks again, as always, and the table's stream shows the relay what is to be passed on.
"""

from __future__ import annotations

import gzip
import secrets
import time
from collections.abc import Collection, Sequence
from functools import cached_property
from hashlib import blake2b
from typing import Any, NamedTuple

from msgspec.structs import replace

from journeykit.aws.archive import envelope_lines
from journeykit.aws.clients import client
from journeykit.aws.customers import DynamoCustomers
from journeykit.aws.failures import LostRace, translated
from journeykit.aws.parts import Parts, wall_clock
from journeykit.aws.records import DECISIONS, EVENTS
from journeykit.aws.settings import Settings
from journeykit.aws.stack import Stack
from journeykit.aws.tables import rows
from journeykit.engine.calendar import to_datetime
from journeykit.errors import InputError, StoreBusy
from journeykit.manifest import Manifest
from journeykit.model.events import Event
from journeykit.ports import NOTHING, Along, Change, DeadLetter

DOOR = "import"
"""Where dead letters of an import came in."""

_MARK = "imported"
_PARTITION = "IMPORT"
_WHAT = "the imports in the state table"


class Begun(NamedTuple):
    """How far an import has come.

    Attributes:
        place: What was said of the last line that counts; empty: nothing was read.
        ahead: The last line of a batch that was begun, and perhaps not ended; 0: none.
    """

    place: str = ""
    ahead: int = 0


class Bookmarks:
    """How far each file was read."""

    def __init__(self, dynamodb: Any, table: str) -> None:
        """Take the state table's name."""
        self._client = dynamodb
        self._table = table

    def begun(self, name: str) -> Begun:
        """Return how far an import has come.

        Raises:
            InputError: A batch of another one is under way.
            StoreError: The table can't be used.
        """
        own = Begun()
        for item in rows(
            self._client,
            what=_WHAT,
            TableName=self._table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": _PARTITION}},
        ):
            ahead = int(item.get("ahead", {}).get("N", "0"))
            if item["sk"]["S"] == digest_of(name):
                own = Begun(item["place"]["S"], ahead)
            elif ahead:
                raise InputError(
                    f"{item['name']['S']} is being imported, or was interrupted in the "
                    "middle of a batch; the same command ends that. If nobody can give "
                    f"it, delete {item['sk']['S']} of the partition {_PARTITION} in the "
                    "state table: then that batch may count twice when it comes again"
                )
        return own

    def begin(self, name: str, before: str, ahead: int) -> None:
        """Say where the batch ends that is to be learned now.

        Raises:
            StoreBusy: Somebody else imports the same.
            StoreError: The table can't be used.
        """
        self._moved(
            name,
            "SET #name = :name, place = :before, ahead = :ahead",
            "attribute_not_exists(pk) OR place = :before",
            {":name": {"S": name}, ":before": {"S": before}, ":ahead": _number(ahead)},
            {"#name": "name"},
        )

    def end(self, name: str, before: str, after: str, ahead: int) -> None:
        """Say that the batch was learned.

        Raises:
            StoreBusy: Somebody else imports the same.
            StoreError: The table can't be used.
        """
        self._moved(
            name,
            "SET place = :after REMOVE ahead",
            "place = :before AND ahead = :ahead",
            {
                ":before": {"S": before},
                ":after": {"S": after},
                ":ahead": _number(ahead),
            },
        )

    def _moved(
        self,
        name: str,
        update: str,
        condition: str,
        values: dict[str, Any],
        names: dict[str, str] | None = None,
    ) -> None:
        asked = {"ExpressionAttributeNames": names} if names else {}
        try:
            with translated(_WHAT):
                self._client.update_item(
                    TableName=self._table,
                    Key={"pk": {"S": _PARTITION}, "sk": {"S": digest_of(name)}},
                    UpdateExpression=update,
                    ConditionExpression=condition,
                    ExpressionAttributeValues=values,
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                    **asked,
                )
        except LostRace as race:
            after = values.get(":after")
            if race.repeated and after and race.item.get("place") == after:
                return  # the answer to the first try got lost
            raise StoreBusy(
                f"somebody else imports {name} at this moment; let one of them go on"
            ) from race


class Learning(DynamoCustomers):
    """The customers, of whom each learns once from a batch.

    Attributes:
        batch: What the batch is called.
    """

    batch = ""

    def commit(
        self, changes: Sequence[Change], *, along: Along = NOTHING
    ) -> Collection[str]:
        """See `DynamoCustomers.commit`; with a bookmark the changes are a batch's.

        What goes before it, such as a merge, says only what is so, and is not marked.
        """
        if along.bookmark is None:
            return super().commit(changes, along=along)
        self._besides = {_MARK: {"S": self.batch}}
        try:
            return super().commit(changes, along=replace(along, bookmark=None))
        finally:
            self._besides = {}


class Import(Parts):
    """What learns from a file, over the resources of a stack."""

    def __init__(
        self, settings: Settings, manifest: Manifest, *, name: str, **asked: Any
    ) -> None:
        """Make nothing yet.

        Args:
            settings: The names of the resources.
            manifest: What the stack's bundle holds.
            name: The import's, by which it is known how far it has come.
            asked: What else `Parts` takes.
        """
        super().__init__(settings, **asked)
        self._own_manifest = manifest
        self._name = name
        self._batch = ""

    @cached_property
    def manifest(self) -> Manifest:
        """What the stack's bundle holds, as this workspace says it."""
        return self._own_manifest

    @cached_property
    def customers(self) -> Learning:
        """The customers' documents."""
        return Learning(
            self._dynamodb,
            self._settings.required("customers_table"),
            log=lambda lines: self._put(DECISIONS, lines, secrets.token_hex(4)),
            bury=self.bury,
            clock=self._clock,
            keeps_all=self._relay_is_down,
            sleep=self._sleep,
        )

    @cached_property
    def bookmarks(self) -> Bookmarks:
        """How far each file was read."""
        return Bookmarks(self._dynamodb, self._settings.required("state_table"))

    def begun(self) -> Begun:
        """Return how far this import has come. See `Bookmarks.begun`."""
        return self.bookmarks.begun(self._name)

    def learn(
        self,
        events: Sequence[Event],
        dead: Sequence[DeadLetter],
        *,
        before: Begun,
        end: int,
        place: str,
    ) -> int:
        """Learn from a batch; return how many events could not be taken.

        Args:
            events: What its rows tell.
            dead: The rows that tell nothing.
            before: How far the import had come.
            end: The last line of the batch.
            place: What is to be said of that line.

        Raises:
            StoreBusy: AWS is, or somebody else imports the same; the same command goes on.
            StoreError: AWS can't be used.
        """
        self.bookmarks.begin(self._name, before.place, end)
        self._batch = f"{digest_of(self._name)}-{end:012}"
        # First, so that nothing is decided that the archive doesn't know.
        if events:
            self._put(EVENTS, envelope_lines(events), "")
        self.customers.batch = self._batch
        done = self.runtime.ingest(
            events,
            now=self._clock(),
            along=Along(dead=tuple(dead), bookmark=(self._name, place)),
            door=DOOR,
        )
        self.bookmarks.end(self._name, before.place, place, end)
        return done.dead

    def _put(self, folder: str, lines: bytes, token: str) -> None:
        """Write lines beside what Firehose writes."""
        day = to_datetime(self._clock()).date().isoformat()
        name = f"import-{self._batch}{token and '-'}{token}.gz"
        with translated("the bucket of records"):
            self._s3.put_object(
                Bucket=self._settings.required("records_bucket"),
                Key=f"{folder}day={day}/{name}",
                Body=gzip.compress(lines, mtime=0),
            )


def of_stack(stack: Stack, manifest: Manifest, *, name: str) -> Import:
    """Reach a stack with the credentials of whoever asks.

    Args:
        stack: The stack.
        manifest: What its bundle holds.
        name: The import's.

    Raises:
        InputError: There is no such stack, or it is of an earlier release.
        StoreError: AWS can't be asked.
    """
    settings = Settings(
        customers_table=stack.output("CustomersTable"),
        deliveries_table=stack.output("DeliveriesTable"),
        state_table=stack.output("StateTable"),
        dead_letter_queue=stack.output("DeadLetterQueue"),
        records_bucket=stack.output("RecordsBucket"),
    )
    with translated("the account"):
        client("dynamodb")  # says at once if there are no credentials
    return Import(settings, manifest, name=name, clock=wall_clock, sleep=time.sleep)


def digest_of(name: str) -> str:
    """Return by what an import is known where its name would be too long."""
    return blake2b(name.encode(), digest_size=12).hexdigest()


def _number(value: int) -> dict[str, str]:
    return {"N": str(value)}
