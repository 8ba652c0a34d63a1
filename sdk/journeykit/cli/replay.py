"""One replay: a file of events through the journeys of a workspace."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from difflib import get_close_matches
from itertools import chain
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click
import msgspec

from journeykit.builtin.file import FileChannel
from journeykit.channels import Channel, Message
from journeykit.cli.lines import STDIN, EventLines
from journeykit.cli.terminal import Progress
from journeykit.engine.commands import Command, SendMessage
from journeykit.engine.records import line_of
from journeykit.engine.trace import TraceEntry
from journeykit.engine.words import words_of
from journeykit.errors import DefinitionError, InputError
from journeykit.model.events import Event, instant
from journeykit.model.plain_text import printable
from journeykit.model.zones import zone
from journeykit.plugins import Registry, plugin_manager
from journeykit.runtime.identities import NOBODY
from journeykit.testing import Fate, SentMessage, Simulator, Traced
from journeykit.testing.calls import Calls
from journeykit.testing.fates import Fates
from journeykit.testing.simulator import NOBODY_MEANT, occurred_by
from journeykit.workspace import Workspace
from journeykit.workspace.reading import meant

_BATCH = 1000  # messages or decisions that are written at once
_calls = msgspec.json.Decoder(dict[str, dict[str, Any] | None])


def read_instant(
    context: click.Context, option: click.Parameter, text: str | None
) -> datetime | None:
    """Read an option that is an instant with an offset; a callback for click."""
    try:
        return None if text is None else instant(text)
    except InputError as error:
        raise click.BadParameter(error.message, context, option) from error


def read_calls(
    context: click.Context, option: click.Parameter, path: str | None
) -> dict[str, dict[str, Any] | None]:
    """Read an option that is a file of what actions come to; a callback for click."""
    try:
        return _calls.decode(Path(path).read_bytes()) if path else {}
    except OSError as error:
        why = f"{path} can't be read: {error.strerror or error}"
        raise click.BadParameter(why, context, option) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        why = (
            f"{path} is no table of actions and their results ({error}); write "
            '{"voucher": {"code": "A1"}}'
        )
        raise click.BadParameter(printable(why), context, option) from error


class _Fated(msgspec.Struct, forbid_unknown_fields=True):
    """One thing that becomes of a message, where a text isn't enough."""

    what: str
    after: str = "0s"
    properties: dict[str, Any] = {}


_fates = msgspec.json.Decoder(
    dict[str, str | _Fated | list[str | _Fated] | None],
)


def read_fates(
    context: click.Context, option: click.Parameter, path: str | None
) -> Fates:
    """Read an option that is a file of what becomes of messages; a callback for click."""
    try:
        told = _fates.decode(Path(path).read_bytes()) if path else {}
        return {channel: _fated(said) for channel, said in told.items()}
    except OSError as error:
        why = f"{path} can't be read: {error.strerror or error}"
        raise click.BadParameter(why, context, option) from error
    except (ValueError, RecursionError) as error:
        why = (
            f"{path} is no table of channels and what becomes of their messages "
            f'({error}); write {{"push": "bounced", "email": "opened after 3h"}}'
        )
        raise click.BadParameter(printable(why), context, option) from error


def _fated(said: str | _Fated | list[str | _Fated] | None) -> tuple[Fate, ...]:
    several = said if isinstance(said, list) else [] if said is None else [said]
    return tuple(
        Fate.parse(one)
        if isinstance(one, str)
        else Fate(one.what, one.after, one.properties)
        for one in several
    )


def replayed(
    workspace: Workspace,
    lines: EventLines,
    *,
    profiles: Iterable[dict[str, Any]] = (),
    calls: Calls | None = None,
    fates: Fates | None = None,
    until: datetime | None = None,
    customer: str | None = None,
    explain: bool = False,
    on_event: Callable[[Event], None] | None = None,
    on_trace: Callable[[Traced], None] | None = None,
    on_command: Callable[[Command], None] | None = None,
) -> Simulator:
    """Replay the lines until an instant, else until nobody waits any more.

    Args:
        workspace: The journeys and policies.
        lines: The events. What the engine refuses becomes a dead letter as well.
        profiles: Customers that are known beforehand.
        calls: What actions come to; a run that calls another ends as `undetermined`.
        fates: What becomes of messages, by channel; nobody hears of the others.
        until: An event that occurred later is passed over, and the clock stops here; a
            year after the last event at most if not given.
        customer: Whose events to take; customers don't depend on each other.
        explain: Whether decisions hold the values that conditions saw.
        on_event: Called with each event, before what is due until then has happened.
        on_trace: Called with each decision.
        on_command: Called with each command.

    Raises:
        InputError: There is nothing to replay.
        InvalidJourney: Nobody carries a channel that a journey names, or a guard is set
            up wrongly.
    """
    events = _Wanted(lines, until, customer)
    taken = iter(events) if until is None else occurred_by(events, until)
    first = next(taken, None)
    if first is None:
        raise InputError(events.why_nothing(), place=lines.name)

    def heard() -> Iterator[Event]:
        for event in chain([first], taken):
            if on_event is not None:
                on_event(event)
            yield event

    def refused(event: Event, reason: str) -> None:
        why = NOBODY
        if reason != NOBODY_MEANT:
            why = words_of(TraceEntry("refused", 0, reason=reason))
        lines.refuse(why)

    registry = Registry.from_plugins(plugin_manager())
    channels = workspace.channels(registry)
    for name in sorted((fates or {}).keys() - channels.keys()):
        raise InputError(
            f"nobody sends over channel {name!r:.80}; {meant(name, channels)}",
            place="fates",
        )
    simulator = Simulator(
        workspace.journeys,
        start=first.occurred_at,
        policies=workspace.policies,
        profiles=profiles,
        channels=channels,
        calls=calls,
        fates=fates,
        guards=workspace.guards(registry),
        facts=workspace.facts(channels),
        states=workspace.states,
        audience=workspace.audience,
        identity=workspace.identity,
        explain=explain,
        keep=False,
        on_trace=on_trace,
        on_command=on_command,
    )
    progress = Progress()
    try:
        simulator.run(heard(), on_refused=refused, on_progress=progress)
    finally:
        progress.done()
    if until is None:
        simulator.play_out()
    else:
        simulator.advance_to(until)
    return simulator


def installed_channels(workspace: Workspace) -> dict[str, Channel]:
    """Who carries each channel that a journey names, which decides who has an address.

    Raises:
        InvalidJourney: Nobody does.
    """
    return workspace.channels(Registry.from_plugins(plugin_manager()))


class _Wanted:
    """The events about whom a replay is, and whom the others were about."""

    def __init__(
        self, lines: EventLines, until: datetime | None, customer: str | None
    ) -> None:
        self._lines = lines
        self._until = until
        self._customer = customer
        self._own = 0
        self._others: set[str] = set()

    def __iter__(self) -> Iterator[Event]:
        for event in self._lines:
            if self._customer not in (None, event.customer):
                self._others.add(event.customer)
                continue
            self._own += 1
            yield event

    def why_nothing(self) -> str:
        """What to say if there was nothing to take."""
        not_taken = self._lines.dead.in_words()
        return f"{self._nothing()}; {not_taken}" if not_taken else self._nothing()

    def _nothing(self) -> str:
        lines, customer = self._lines, self._customer
        if not lines.read:
            return "there is no event in it; an event is a line of JSON"
        if customer is not None and not self._own:
            close = get_close_matches(customer, self._others, n=3)
            close += sorted(
                id for id in self._others if customer in id and id not in close
            )
            hint = (
                f"; did you mean {' or '.join(map(repr, close[:3]))}?" if close else ""
            )
            return f"none of its {lines.read:,} events is about customer {customer!r}{hint}"
        whose = "" if customer is None else f" about {customer!r}"
        until = "" if self._until is None else self._until.isoformat()
        return f"none of its {self._own:,} events{whose} occurred by {until}"


class DecisionLog:
    """Writes decisions as lines of JSON, many at once."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        """Write with this function, which gets many lines at once."""
        self._write = write
        self._lines: list[bytes] = []
        self.count = 0

    def __call__(self, traced: Traced) -> None:
        """Take one decision."""
        self._lines.append(
            line_of(
                traced.entry,
                customer=traced.customer,
                revision=traced.revision,
                n=traced.n,
                now=traced.now_ms,
                event=traced.event,
                source=traced.source,
            )
        )
        self.count += 1
        if len(self._lines) >= _BATCH:
            self.flush()

    def flush(self) -> None:
        """Write what has come together."""
        self._write(b"".join(self._lines))
        self._lines.clear()


class MessageFile:
    """Writes messages through the file channel, as lines of JSON.

    Attributes:
        count: How many there were.
    """

    def __init__(self, path: Path) -> None:
        """Begin an empty file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
        self._channel = FileChannel(path)
        self._messages: list[Message] = []
        self.count = 0

    def __call__(self, command: Command) -> None:
        """Take a command, if it is a message."""
        if isinstance(command, SendMessage):
            self._messages.append(SentMessage.from_command(command))
            self.count += 1
            if len(self._messages) >= _BATCH:
                self.flush()

    def flush(self) -> None:
        """Write what has come together."""
        self._channel.send(self._messages)
        self._messages.clear()


def not_among(written: Iterable[Path], read: Iterable[str | None]) -> None:
    """Refuse to write over what is about to be read.

    Raises:
        InputError: One of the files that are read is to be written.
    """
    there = [path for path in written if path.exists()]
    for path in read:
        if path is None or path == STDIN or not Path(path).exists():
            continue
        if any(target.samefile(path) for target in there):
            raise InputError(
                "would be written over while it is read; give --out another folder, "
                "or the file another name",
                place=path,
            )


@contextlib.contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Make the folder if it isn't there, and say so if something can't be written.

    Raises:
        InputError: Nothing can be written there; the place is the file.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except BrokenPipeError:  # whoever reads what is printed has seen enough
        raise
    except OSError as error:
        raise InputError(
            f"can't be written: {error.strerror or error}",
            place=str(error.filename or folder),
        ) from error


def zone_of(simulator: Simulator, customer: str) -> ZoneInfo:
    """By whose clock to tell a customer's story: their own, else a journey's, else UTC."""
    document = simulator.customers.get(customer)
    own = document.profile.get("zone") if document is not None else None
    if isinstance(own, str):
        with contextlib.suppress(DefinitionError):
            return zone(own)
    visited = document.past if document is not None else {}
    plans = sorted(simulator.catalog.live.values(), key=lambda p: p.id not in visited)
    return next((plan.zone for plan in plans if plan.zone is not None), zone("UTC"))
