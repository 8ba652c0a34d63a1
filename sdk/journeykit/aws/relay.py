"""The relay: what a change of a customer asks for is passed on, at least once.

A record of the customers table's stream holds the document's item as one write left it.
Of it the relay takes exactly what that write has decided: the commands and the lines of
the log under its own revision, and the due instant if that is new. The rest of the item is
older, and was passed on with its own record.

Everything may be passed on twice, and in any order: commands and events have ids that are
derived, a wake-up is a nudge, readers of the log know a line by its customer, revision and
number. So whatever fails is simply to come again, and what went well goes with it.

- A destination that is busy, or that nobody may use now since a right or a key is under
  repair: everything else is passed on, and the stream brings again what comes from the
  first record that is concerned.
- What can never be passed on, since it can't be read, or its channel has no queue: a dead
  letter with the reason, and nobody waits for it.
- A log that can't be written, since its stream is gone or a right is missing: its lines
  are dead letters too. Nearly every record has lines; waiting for them would bring the
  same records, and send the same commands, for a day, and nothing behind them.
- Timers that can't be used: their records are waited for, since a wake-up that is lost is
  lost in silence, and a letter wakes nobody.
"""

from __future__ import annotations

import logging
import zlib
from base64 import b64decode
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar, cast

import msgspec
from msgspec.structs import replace

from journeykit.aws.documents import unpacked_command
from journeykit.aws.messages import (
    COMMAND,
    ENTRY,
    command_parcel,
    outside_of,
    stimulus_parcel,
)
from journeykit.aws.queues import NoQueue, Parcel, Unsendable
from journeykit.engine.commands import (
    AbsorbCustomer,
    Command,
    PublishEvent,
    SendMessage,
)
from journeykit.engine.stimuli import Absorb, encoded
from journeykit.errors import NewerStore, StoreBusy, StoreError
from journeykit.ports import DeadLetter

_log = logging.getLogger("journeykit.relay")

DECISIONS = "decisions"
"""The kind of a dead letter that holds lines of the decision log."""

_LETTER_BYTES = 700 * 1024  # of lines: a message holds 1 MiB, perhaps in base64
_DOOR = "relay"
_TO_CUSTOMERS = ""  # in the place of a channel, which always has a name
_WRITTEN = ("INSERT", "MODIFY")

T = TypeVar("T")


class Sender(Protocol):
    """A queue."""

    def send(self, parcels: Sequence[Parcel]) -> None:
        """Send parcels, as `Queue.send` does."""
        ...


class Outside(Protocol):
    """The bus."""

    def put(self, events: Sequence[PublishEvent]) -> None:
        """Put events on it, as `Bus.put` does."""
        ...

    def entry(self, event: PublishEvent) -> bytes:
        """Write an event as `Bus.entry` does."""
        ...


class Alarms(Protocol):
    """The timers."""

    def arm(self, wakeups: Sequence[tuple[int, str]], *, now: int) -> None:
        """See to it that customers are woken, as `Timers.arm` does."""
        ...


class Log(Protocol):
    """The decision log."""

    def append(self, lines: bytes) -> None:
        """Append lines, as `DecisionLog.append` does."""
        ...


class Image(msgspec.Struct, frozen=True):
    """What is to be passed on of a customer's item.

    Attributes:
        customer: Whose it is.
        revision: Of the document.
        due: When the customer is to be woken, milliseconds; None: no new instant.
        commands: Packed, each with the revision that decided it.
        lines: Decisions, as lines of JSON.
    """

    customer: str
    revision: int
    due: int | None = None
    commands: tuple[tuple[int, bytes], ...] = ()
    lines: bytes = b""


class Relay:
    """Passes on what is decided. Any number of processes may, at the same time."""

    def __init__(
        self,
        *,
        queue_of: Callable[[Command], Sender],
        bus: Outside,
        timers: Alarms,
        decisions: Log,
        bury: Callable[[Sequence[DeadLetter]], None],
        clock: Callable[[], int],
    ) -> None:
        """Join the destinations.

        Args:
            queue_of: Returns the queue of a message's channel, that of the calls, or one
                of stimuli for what a customer is to take in;
                a LookupError if it knows no such channel.
            bus: Where events go that journeys publish.
            timers: Who wakes customers.
            decisions: The decision log.
            bury: Keeps what can never be passed on.
            clock: The wall clock, milliseconds.
        """
        self._queue_of = queue_of
        self._bus = bus
        self._timers = timers
        self._decisions = decisions
        self._bury = bury
        self._clock = clock

    def run(self, records: Sequence[Mapping[str, Any]]) -> list[str]:
        """Pass on what the records of the stream ask for.

        Args:
            records: Of the event that Lambda hands a function for a stream.

        Returns:
            The sequence numbers of those that are to come again, the lowest first.

        Raises:
            InputError: A setting of the function is missing; nothing was passed on.
        """
        images: list[Image | DeadLetter | None] = []
        for record in records:
            try:
                images.append(image_of(record))
            except ValueError as error:
                images.append(self._letter(str(error), "", "", _rest_of(record)))
        failed = self.pass_on(images)
        numbers = {_number_of(records[place]) for place in failed}
        return sorted(numbers, key=lambda number: (len(number), number))

    def pass_on(self, images: Sequence[Image | DeadLetter | None]) -> Collection[int]:
        """Pass on what these images ask for, and bury these letters.

        Returns:
            The places in `images` of which not everything was passed on.
        """
        turn = _Turn(self._clock())
        for place, image in enumerate(images):
            if isinstance(image, DeadLetter):
                turn.letters.append(([place], image))
            elif image is not None:
                self._sort(place, image, turn)
        for queue, commands in turn.queues.values():
            self._hand_over(queue.send, commands, _parcel, turn)
        self._hand_over(self._bus.put, turn.published, _event, turn)
        self._arm(turn)
        self._append(turn)
        self._give_up(turn)
        if turn.failed:
            _log.warning(
                "%d of %d changes are to come again: %s",
                len(turn.failed),
                len(images),
                "; ".join(sorted(turn.reasons)),
            )
        return turn.failed

    def _sort(self, place: int, image: Image, turn: _Turn) -> None:
        """Put what an image asks for to what goes the same way."""
        for revision, body in image.commands:
            try:
                command = unpacked_command(body)
            except NewerStore as error:  # the release that wrote it will read it
                turn.fail([place], error)
                continue
            except ValueError as error:
                why = f"a command can't be passed on: {error}"
                letter = self._letter(why, image.customer, "", body)
                turn.letters.append(([place], letter))
                continue
            going = _Going(place, revision, command)
            if isinstance(command, PublishEvent):
                turn.published.append(going)
                continue
            channel = command.channel if isinstance(command, SendMessage) else None
            if isinstance(command, AbsorbCustomer):
                channel = _TO_CUSTOMERS
            if channel not in turn.queues:
                try:
                    turn.queues[channel] = (self._queue_of(command), [])
                except LookupError as error:
                    why = f"its queue is not known: {error}"
                    turn.letters.append(([place], self._refused(going, why)))
                    continue
            turn.queues[channel][1].append(going)
        if image.due is not None:
            # Of several instants of one customer only the newest is still one.
            known = turn.dues.get(image.customer)
            if known is None or known[0] <= image.revision:
                turn.dues[image.customer] = (image.revision, image.due)
            turn.dues_of.append(place)
        if image.lines:
            turn.lines.append((place, image.lines))

    def _hand_over(
        self,
        send: Callable[[Sequence[T]], None],
        commands: Sequence[_Going],
        written: Callable[[_Going], T],
        turn: _Turn,
    ) -> None:
        """Send commands one way; what never goes there becomes a dead letter."""
        if not commands:
            return
        try:
            send([written(going) for going in commands])
        except Unsendable as error:  # the others were sent
            refused: Mapping[int, str] = error.refused
        except NoQueue as error:
            refused = dict.fromkeys(range(len(commands)), str(error))
        except StoreError as error:  # busy, or a right is missing: that passes
            turn.fail([going.place for going in commands], error)
            return
        else:
            return
        for place, reason in refused.items():
            going = commands[place]
            turn.letters.append(([going.place], self._refused(going, reason)))

    def _arm(self, turn: _Turn) -> None:
        if not turn.dues:
            return
        wakeups = [(due, customer) for customer, (_, due) in turn.dues.items()]
        try:
            self._timers.arm(wakeups, now=turn.now)
        except StoreError as error:
            turn.fail(turn.dues_of, error)

    def _append(self, turn: _Turn) -> None:
        if not turn.lines:
            return
        places = [place for place, _ in turn.lines]
        lines = b"".join([lines for _, lines in turn.lines])
        try:
            self._decisions.append(lines)
        except StoreBusy as error:
            turn.fail(places, error)
        except StoreError as error:  # there is no such stream, or nobody may use it
            why = f"the decision log can't be written: {error}"
            for part in _cut(lines):
                turn.letters.append((places, self._letter(why, "", DECISIONS, part)))

    def _give_up(self, turn: _Turn) -> None:
        """Bury what can never be passed on."""
        if not turn.letters:
            return
        try:
            self._bury([letter for _, letter in turn.letters])
        except Unsendable as error:  # the others were sent; it would never be
            _log.error("%d dead letters are lost: %s", len(error.refused), error)
        except StoreError as error:
            turn.fail({place for places, _ in turn.letters for place in places}, error)
            return
        _log.error(
            "%d of what was decided can't be passed on and is a dead letter now",
            len(turn.letters),
        )

    def _refused(self, going: _Going, reason: str) -> DeadLetter:
        """A command as a letter: as it would have gone, so that it still may."""
        command = going.command
        if isinstance(command, PublishEvent):  # no queue would take it
            body = self._bus.entry(command)
            return self._letter(reason, command.customer, ENTRY, body)
        if isinstance(command, AbsorbCustomer):
            kind, body = encoded(Absorb.of(command))
            return self._letter(reason, command.customer, kind, body)
        body = msgspec.json.encode(command)
        letter = self._letter(reason, command.customer, COMMAND, body)
        return replace(letter, outside=outside_of(command, going.revision))

    def _letter(self, reason: str, customer: str, kind: str, body: bytes) -> DeadLetter:
        return DeadLetter(self._clock(), _DOOR, reason, customer, kind, body)


class _Going(msgspec.Struct, frozen=True):
    """A command on its way, with the place of its image."""

    place: int
    revision: int
    command: Command


class _Turn:
    """What is to be passed on, by the way it goes; and what comes of it.

    Attributes:
        now: The clock, milliseconds.
        queues: By channel, None for calls, empty for customers: the queue, and the commands for it.
        published: The events for the bus.
        dues: Customer to the revision and the instant that count.
        dues_of: The places of the images that have one.
        lines: Decisions, each with the place of its image.
        letters: Dead letters, each with the places of the images that it is about.
        failed: The places of images that are to come again.
        reasons: Why.
    """

    def __init__(self, now: int) -> None:
        self.now = now
        self.queues: dict[str | None, tuple[Sender, list[_Going]]] = {}
        self.published: list[_Going] = []
        self.dues: dict[str, tuple[int, int]] = {}
        self.dues_of: list[int] = []
        self.lines: list[tuple[int, bytes]] = []
        self.letters: list[tuple[Sequence[int], DeadLetter]] = []
        self.failed: set[int] = set()
        self.reasons: set[str] = set()

    def fail(self, places: Collection[int], error: StoreError) -> None:
        self.failed.update(places)
        self.reasons.add(str(error))


def _parcel(going: _Going) -> Parcel:
    if isinstance(going.command, AbsorbCustomer):
        return stimulus_parcel(Absorb.of(going.command))
    return command_parcel(going.command, going.revision)


def _event(going: _Going) -> PublishEvent:
    return cast(PublishEvent, going.command)  # the others have gone another way


def _cut(lines: bytes) -> Iterator[bytes]:
    """Cut lines into parts that a dead letter holds; a longer line is one of its own."""
    start = 0
    while start < len(lines):
        end = len(lines)
        if end - start > _LETTER_BYTES:
            end = lines.rfind(b"\n", start, start + _LETTER_BYTES) + 1
            end = end or lines.find(b"\n", start) + 1 or len(lines)
        yield lines[start:end]
        start = end


# --- reading -------------------------------------------------------------------------


def image_of(record: Mapping[str, Any]) -> Image | None:
    """Read a record of the stream.

    Args:
        record: Of the event that Lambda hands a function: values with their types,
            bytes in base64.

    Returns:
        What that write has decided; None: nothing was written.

    Raises:
        ValueError: It can't be read. The message doesn't quote it.
    """
    if not isinstance(record, Mapping):
        raise ValueError("a record of the stream is an object")  # noqa: TRY004
    if record.get("eventName") not in _WRITTEN:
        return None
    try:
        item = record["dynamodb"]["NewImage"]
        revision = plain(item["r"])
        return msgspec.convert(
            {
                "customer": plain(item["id"]),
                "revision": revision,
                "due": _due(item, revision),
                "commands": [(revision, body) for body in _decided(item, revision)],
                "lines": zlib.decompress(plain(item["log"])) if "log" in item else b"",
            },
            Image,
        )
    except (LookupError, TypeError, AttributeError, ValueError, zlib.error) as error:
        # Without its words, which may quote what stood there.
        raise ValueError(
            f"this is no image of a customer's item ({type(error).__name__}); the "
            "stream has to be one of new images, of the customers table"
        ) from error


def _due(item: Mapping[str, Any], revision: int) -> object:
    """The instant that this write was the first to have, if it has one."""
    if "due" not in item or plain(item["w"]) != revision:
        return None
    return plain(item["due"])


def _decided(item: Mapping[str, Any], revision: int) -> Any:
    """The commands of this write; the older ones stay unread."""
    if "out" not in item or str(revision) not in item["out"]["M"]:
        return ()
    return plain(item["out"]["M"][str(revision)])["c"]


def plain(value: Mapping[str, Any]) -> Any:
    """A value of DynamoDB's without its types.

    Args:
        value: `{"S": "ada"}`. Bytes may be bytes, as a client has them, or text of
            base64, as Lambda hands them over.

    Raises:
        ValueError: It is none.
    """
    if not isinstance(value, Mapping) or len(value) != 1:
        raise ValueError("a value of DynamoDB's is an object with one type")
    kind, inside = next(iter(value.items()))
    match kind:
        case "S" | "BOOL":
            return inside
        case "N":
            return _number(inside)
        case "B":
            return _bytes(inside)
        case "M":
            return {name: plain(one) for name, one in inside.items()}
        case "L":
            return [plain(one) for one in inside]
        case "NULL":
            return None
        case "SS":
            return list(inside)
        case "NS":
            return [_number(one) for one in inside]
        case "BS":
            return [_bytes(one) for one in inside]
        case _:
            raise ValueError(f"{kind!r:.10} is no type of DynamoDB's")


def _number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        return float(text)


def _bytes(value: str | bytes) -> bytes:
    return b64decode(value, validate=True) if isinstance(value, str) else bytes(value)


def _number_of(record: Any) -> str:
    """A record's sequence number; empty, with which the whole batch comes again."""
    try:
        return str(record["dynamodb"]["SequenceNumber"])
    except (LookupError, TypeError):
        return ""


def _rest_of(record: Any) -> bytes:
    """A record that can't be read, for people; without the document, which is large."""
    try:
        image = record["dynamodb"]["NewImage"]
        image = {name: value for name, value in image.items() if name != "d"}
        record = {**record, "dynamodb": {**record["dynamodb"], "NewImage": image}}
    except (LookupError, TypeError, AttributeError):
        pass
    return msgspec.json.encode(record)
