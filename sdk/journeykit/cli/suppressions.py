"""`journeykit suppressions`: addresses to which nothing goes, whoever has them."""

from __future__ import annotations

import contextlib
import csv
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from journeykit.channels import Channel
from journeykit.cli.operating import customers, in_workspace, looking, storing
from journeykit.cli.stack import on_a_stack, stack_named
from journeykit.cli.suppression_lines import (
    COLUMNS,
    Speller,
    lines_of,
    reason_of,
)
from journeykit.cli.terminal import row, wrapped
from journeykit.engine.calendar import isoformat, to_datetime
from journeykit.engine.customer import Customer
from journeykit.engine.facts import MANUAL
from journeykit.engine.ids import address_key, derived
from journeykit.engine.suppressions import Suppression, SuppressionList
from journeykit.errors import InputError
from journeykit.local.embedded import wall_clock
from journeykit.local.sqlite import SQLiteStore
from journeykit.model.events import ADDRESS_RESTORED, Event, checked
from journeykit.model.plain_text import printable
from journeykit.plugins import Registry, plugin_manager
from journeykit.runtime.suppressing import (
    Addition,
    change_list,
    listed,
    with_additions,
)
from journeykit.workspace import Workspace

if TYPE_CHECKING:
    from journeykit.aws.stack import Stack

_AT_ONCE = (
    40_000  # addresses in one request to a stack: 3 MB of the 6 that Lambda takes
)
_SHOWN = 10  # lines of a file that are wrong, before the rest are only counted
_PUT = 1000  # events that are handed over at once

Command = TypeVar("Command", bound=Callable[..., Any])


@click.group("suppressions")
def command() -> None:
    """Import, export and change the addresses to which nothing goes.

    It holds for whoever has such an address, now or later, and for every journey.
    """


def _of_a_channel(command: Command) -> Command:
    channel = click.option(
        "--channel", metavar="NAME", default="", help="Whose addresses they are."
    )
    return channel(command)


def _with_reason(command: Command) -> Command:
    reason = click.option(
        "--reason",
        metavar="NAME",
        default=MANUAL,
        show_default=True,
        help="Why, for whoever asks: hard_bounce, complaint, …",
    )
    return reason(command)


# --- import --------------------------------------------------------------------------


@command.command("import")
@click.argument("file")
@in_workspace
@on_a_stack
@_of_a_channel
@_with_reason
@click.option(
    "--columns",
    metavar="NAMES",
    default="",
    help="What a line says, if the file has no header: address,reason,at.",
)
@click.option("--replace", is_flag=True, help="Let the file be the whole list.")
def import_(
    *,
    file: str,
    workspace: Path,
    data: Path | None,
    stack: str | None,
    function: str,
    channel: str,
    reason: str,
    columns: str,
    replace: bool,
) -> None:
    """Add the addresses of FILE: CSV, or an address a line; - is the standard input.

    The columns are address, channel, reason and at, as a header names them, else in this
    order. The same file again changes nothing.
    """
    names = [name.strip() for name in columns.split(",")] if columns else []
    if unknown := set(names) - {*COLUMNS, ""}:
        raise click.UsageError(
            f"--columns: {', '.join(sorted(unknown))}: there are {', '.join(COLUMNS)}"
        )
    wrong = _Wrong()
    lines = [
        *lines_of(
            file,
            Speller(_carriers(workspace)),
            channel=channel,
            reason=reason,
            columns=names,
            refused=wrong,
        )
    ]
    if not lines and wrong.count:
        raise InputError(
            f"nothing is changed: none of {wrong.count:,} lines can be read"
        )
    place = _place(workspace, data, stack, function)
    _tell(place.change(lines, (), anew=replace))
    if wrong.count:
        click.echo(f"{wrong.count:,} lines were left out", err=True)
        raise SystemExit(1)


class _Wrong:
    """Says what is wrong with the first lines, and counts them all."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, what: str) -> None:
        self.count += 1
        if self.count <= _SHOWN:
            click.echo(printable(what), err=True)


# --- add, remove -----------------------------------------------------------------------


@command.command("add")
@click.argument("address")
@in_workspace
@on_a_stack
@_of_a_channel
@_with_reason
def add(
    *,
    address: str,
    workspace: Path,
    data: Path | None,
    stack: str | None,
    function: str,
    channel: str,
    reason: str,
) -> None:
    """Let nothing go to ADDRESS any more."""
    key = _key(workspace, channel, address)
    line = Addition(key, channel, reason_of(reason) or MANUAL, None)
    _tell(_place(workspace, data, stack, function).change([line], ()))


@command.command("remove")
@click.argument("address")
@in_workspace
@on_a_stack
@_of_a_channel
def remove(
    *,
    address: str,
    workspace: Path,
    data: Path | None,
    stack: str | None,
    function: str,
    channel: str,
) -> None:
    """Let messages go to ADDRESS again, also after a bounce or a complaint."""
    key = _key(workspace, channel, address)
    place = _place(workspace, data, stack, function)
    _tell(place.change((), [key]))
    for line in wrapped(place.restore(channel, key)):
        click.echo(line)


def _key(workspace: Path, channel: str, address: str) -> str:
    if not channel:
        raise click.UsageError("--channel says whose address it is")
    try:
        return Speller(_carriers(workspace)).key(channel, address)
    except InputError as error:
        raise InputError(f"{printable(address)} {error}") from error


# --- list, export ----------------------------------------------------------------------


@command.command("list")
@in_workspace
@on_a_stack
def list_(
    *, workspace: Path, data: Path | None, stack: str | None, function: str
) -> None:
    """Count the list by channel and reason."""
    found = _place(workspace, data, stack, function).listed()
    if not found:
        click.echo("nothing is on the list")
    for (channel, reason), count in found.by_reason.items():
        for line in row(f"{count:,}", f"{channel}: {reason.replace('_', ' ')}"):
            click.echo(line)


@command.command("export")
@in_workspace
@on_a_stack
@click.option(
    "--out",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where to; the standard output if not given.",
)
def export(
    *,
    workspace: Path,
    data: Path | None,
    stack: str | None,
    function: str,
    out: Path | None,
) -> None:
    """Write all suppressed addresses as CSV, with what bounces and complaints say.

    Only hashes of addresses are kept. An address is written out if a customer has it now;
    of the others there is the key, which an import understands as well.
    """
    place = _place(workspace, data, stack, function)
    with _output(out) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        count = 0
        for one in place.suppressed(_carriers(workspace)):
            at = "" if one.at is None else isoformat(one.at)
            writer.writerow([one.address, one.channel, one.reason, at, one.key])
            count += 1
    if out is not None:
        click.echo(f"{count:,} addresses are in {out}")


@contextlib.contextmanager
def _output(out: Path | None) -> Iterator[IO[str]]:
    if out is None:
        yield sys.stdout
        return
    try:
        with out.open("w", encoding="utf-8", newline="") as file:
            yield file
    except OSError as error:
        raise InputError(
            f"can't be written: {error.strerror}", place=str(out)
        ) from error


class Suppressed(NamedTuple):
    """An address that nothing goes to, for others to read.

    Attributes:
        address: The address, if a customer has it; else empty.
        channel: Of which channel.
        reason: Why.
        at: Since when, milliseconds; None: not kept.
        key: Under which name it is kept.
    """

    address: str
    channel: str
    reason: str
    at: int | None
    key: str


class Changed(NamedTuple):
    """What became of the list.

    Attributes:
        before: How many addresses there were.
        after: How many there are.
        same: Whether nothing has changed.
    """

    before: int
    after: int
    same: bool


def _tell(done: Changed) -> None:
    if done.same:
        click.echo(f"nothing has changed; {done.after:,} addresses are on the list")
    else:
        click.echo(
            f"{done.after:,} addresses are on the list now, {done.before:,} before"
        )


# --- where -----------------------------------------------------------------------------


def _place(
    workspace: Path, data: Path | None, stack: str | None, function: str
) -> _Here | _There:
    if (where := stack_named(stack, function, data)) is not None:
        return _There(where)
    return _Here(workspace, data)


class _Here:
    """The data of a workspace on this machine."""

    def __init__(self, workspace: Path, data: Path | None) -> None:
        self._workspace, self._data = workspace, data

    def change(
        self, lines: Sequence[Addition], gone: Sequence[str], *, anew: bool = False
    ) -> Changed:
        """Publish the list with some more, or without some."""
        now = wall_clock()

        def changed(known: SuppressionList) -> SuppressionList:
            return with_additions(known, lines, now=now).without(gone)

        with storing(self._workspace, self._data) as store:
            before = listed(store.current(), store) if anew else None
            was, after = change_list(store, store, changed, now=now, anew=anew)
        was = was if before is None else before
        return Changed(len(was), len(after), was.id == after.id)

    def restore(self, channel: str, key: str) -> str:
        """Let whoever has the address be written to again; say who does it."""
        with storing(self._workspace, self._data) as store:
            count = 0
            batch: list[Event] = []
            for event in _restoring(customers(store), channel, key):
                batch.append(event)
                count += 1
                if len(batch) == _PUT:
                    store.put(batch)
                    batch = []
            store.put(batch)
        if not count:
            return "no customer's document says anything against it"
        people = "customer" if count == 1 else "customers"
        return (
            f"{count:,} {people} had a bounce or a complaint there; `journeykit serve` or "
            "`journeykit run` lets them be written to again"
        )

    def listed(self) -> SuppressionList:
        """Return the list."""
        with looking(self._workspace, self._data) as look:
            return listed(look.store.current(), look.store)

    def suppressed(self, carriers: Mapping[str, Channel]) -> Iterator[Suppressed]:
        """Yield the list, and what the documents say."""
        with looking(self._workspace, self._data) as look:
            yield from _exported(look.store, carriers)


class _There:
    """A stack in AWS; its publish function does it."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack

    def change(
        self, lines: Sequence[Addition], gone: Sequence[str], *, anew: bool = False
    ) -> Changed:
        """Let the stack publish the list with some more, or without some."""
        parts = [lines[n : n + _AT_ONCE] for n in range(0, len(lines), _AT_ONCE)] or [
            ()
        ]
        done: list[Mapping[str, Any]] = []
        for place, part in enumerate(parts):
            asked = {
                "add": [list(one) for one in part],
                "remove": list(gone) if place == len(parts) - 1 else [],
                "anew": anew and not place,
            }
            done.append(self._stack.ask({"suppressions": asked})["suppressions"])
        return Changed(
            done[0]["before"], done[-1]["after"], all(one["same"] for one in done)
        )

    def restore(self, channel: str, key: str) -> str:
        """Say what there is to do: nobody here can read the stack's documents."""
        return (
            "what bounces and complaints say stands in the documents of its customers: "
            f"send {ADDRESS_RESTORED} of channel {channel} for each of them"
        )

    def listed(self) -> SuppressionList:
        """Return the list."""
        return SuppressionList(self._items())

    def _items(self) -> Iterator[Suppression]:
        after = ""
        while True:
            asked = {"after": after, "limit": _AT_ONCE}
            page = self._stack.ask({"suppressions": asked})["suppressions"]["items"]
            yield from (Suppression(*item) for item in page)
            if len(page) < _AT_ONCE:
                return
            after = page[-1][0]

    def suppressed(self, carriers: Mapping[str, Channel]) -> Iterator[Suppressed]:
        """Yield the list; nobody here can read the stack's documents."""
        for item in self._items():
            yield Suppressed("", item.channel, item.reason, item.at, item.key)


def _restoring(
    everybody: Iterable[Customer], channel: str, key: str
) -> Iterator[Event]:
    """An event for each customer whose document speaks against an address."""
    now = to_datetime(wall_clock())
    for customer in everybody:
        state = customer.addresses.get(key)
        if state is None or not (state.suppressed or state.bounced_at):
            continue
        yield checked(
            Event(
                id=derived("restored", key, customer.id, now.isoformat()),
                name=ADDRESS_RESTORED,
                customer=customer.id,
                occurred_at=now,
                received_at=now,
                properties={"channel": channel, "address_key": key},
                source="journeykit suppressions",
            )
        )


def _exported(
    store: SQLiteStore, carriers: Mapping[str, Channel]
) -> Iterator[Suppressed]:
    """What the documents say first, then what is on the list only."""
    known = listed(store.current(), store)
    told: set[str] = set()
    spelled: dict[str, str] = {}
    for customer in customers(store):
        own = dict(_addresses(customer, carriers))
        for key, (channel, address) in own.items():
            if known.get(key) is not None:
                spelled[key] = address
            state = customer.addresses.get(key)
            if state is not None and state.suppressed and key not in told:
                told.add(key)
                yield Suppressed(address, channel, state.suppressed, None, key)
    for item in known:
        if item.key not in told:
            address = spelled.get(item.key, "")
            yield Suppressed(address, item.channel, item.reason, item.at, item.key)


def _addresses(
    customer: Customer, carriers: Mapping[str, Channel]
) -> Iterator[tuple[str, tuple[str, str]]]:
    """A customer's addresses by the names under which their state is kept."""
    for name, carrier in carriers.items():
        with contextlib.suppress(Exception):  # whatever a stranger's plugin raises
            address = carrier.address(customer.profile, customer.id)
            if address:
                key = address_key(name, carrier.normalize(address))
                yield key, (name, address)


def _carriers(workspace: Path) -> Mapping[str, Channel]:
    registry = Registry.from_plugins(plugin_manager())
    return Workspace.load(workspace).channels(registry)
