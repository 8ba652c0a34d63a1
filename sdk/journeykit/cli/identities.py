"""`journeykit identities`: whose an identifier is, who shares one, and who is one person."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from journeykit.cli.operating import (
    confirmed,
    in_workspace,
    looking,
    operating,
    storing,
)
from journeykit.cli.stack import on_a_stack, stack_named
from journeykit.cli.terminal import row, wrapped
from journeykit.engine.calendar import isoformat
from journeykit.engine.ids import identity_key
from journeykit.errors import InputError
from journeykit.local.embedded import wall_clock
from journeykit.model.identity import spelled
from journeykit.model.plain_text import printable
from journeykit.ports import Conflict
from journeykit.runtime.identities import merge_of, survivor_of

_SHOWN = 100  # conflicts

Command = TypeVar("Command", bound=Callable[..., Any])


@click.group("identities")
def command() -> None:
    """Say whose an identifier is, who shares one, and that two are one person."""


def _anywhere(command: Command) -> Command:
    """Let a command be about this machine or a stack."""
    return in_workspace(on_a_stack(command))


@command.command("who")
@click.argument("identifier")
@_anywhere
def who(
    *,
    identifier: str,
    workspace: Path,
    data: Path | None,
    stack: str | None,
    function: str,
) -> None:
    """Say which customer has IDENTIFIER, a kind and a value: email:ada@example.com."""
    key = _key(identifier)
    if where := stack_named(stack, function, data):
        found = where.ask({"identities": {"who": key}})["identities"]["customer"]
    else:
        with looking(workspace, data) as look:
            owner = look.store.owners([key]).get(key, "")
            found = survivor_of(owner, look.store.load, {}) if owner else ""
    if not found:
        raise InputError(f"nobody has {identifier!r}")
    click.echo(printable(found))


@command.command("conflicts")
@_anywhere
def conflicts(
    *, workspace: Path, data: Path | None, stack: str | None, function: str
) -> None:
    """List identifiers that two known customers were named by, the latest first.

    Nobody is merged for it: people share mailboxes, telephones and browsers. If they are
    one person, say so with `merge`; if they aren't, `settle` it.
    """
    listed: Sequence[Conflict]
    if where := stack_named(stack, function, data):
        answer = where.ask({"identities": {"conflicts": _SHOWN}})
        listed = [Conflict(**one) for one in answer["identities"]["conflicts"]]
    else:
        with looking(workspace, data) as look:
            listed = look.store.contested(_SHOWN)
    if not listed:
        click.echo("no identifier is of two who are known")
        return
    for one in listed:
        click.echo(f"{isoformat(one.at)} · {printable(one.kind)}")
        for line in row("has it", printable(one.holder)):
            click.echo(line)
        for line in row("named too", printable(one.claimant)):
            click.echo(line)
        for line in row("key", one.key):
            click.echo(line)
    if len(listed) == _SHOWN:
        click.echo(f"these are the latest {_SHOWN}")


@command.command("settle")
@click.argument("key")
@click.argument("customer")
@_anywhere
def settle(
    *,
    key: str,
    customer: str,
    workspace: Path,
    data: Path | None,
    stack: str | None,
    function: str,
) -> None:
    """Take a conflict off the list: KEY, and the CUSTOMER who was named by it, too."""
    if where := stack_named(stack, function, data):
        answer = where.ask({"identities": {"settle": [key, customer]}})["identities"]
        was_there = bool(answer["settled"])
    else:
        with storing(workspace, data) as store:
            was_there = store.reconcile(key, customer)
    if not was_there:
        raise InputError(
            f"{customer!r:.80} isn't on the list by the key {key!r:.80}; "
            "`journeykit identities conflicts` says who is ('named too'), and by which"
        )
    click.echo("it is off the list; a new event may bring it back")


@command.command("merge")
@click.argument("customer")
@click.argument("into")
@click.option("--yes", is_flag=True, help="Don't ask.")
@_anywhere
def merge(
    *,
    customer: str,
    into: str,
    yes: bool,
    workspace: Path,
    data: Path | None,
    stack: str | None,
    function: str,
) -> None:
    """Make CUSTOMER part of INTO, whoever they are. Nothing undoes it.

    INTO keeps its id and its profile, and takes in the rest: consents, runs, messages,
    traits. Whatever comes for CUSTOMER from then on is INTO's.
    """
    if customer == into:
        raise InputError("nobody becomes part of themselves; name two customers")
    where = stack_named(stack, function, data)
    if where is None:
        with looking(workspace, data) as look:
            known = look.store.load([customer, into])
        for id in (customer, into):
            if id not in known:
                raise InputError(f"there is no customer {id!r}")
            if other := known[id].merged_into:
                raise InputError(f"{id!r} was merged into {other!r} already")
    confirmed(
        f"Merge {printable(customer)} into {printable(into)}? Nothing undoes it.",
        yes=yes,
    )
    if where is not None:
        where.ask({"identities": {"merge": [customer, into]}})
        click.echo("it is on its way: it takes some seconds")
        return
    with operating(workspace, data) as embedded:
        now = wall_clock()
        embedded.runtime.ingest(
            [merge_of(customer, into, at=now)], now=now, door="merge"
        )
        after = embedded.store.load([customer, into])
    if after[customer].merged_into != into:
        raise InputError("somebody else has merged one of them meanwhile; look again")
    runs = len(after[into].active)
    words = f"{printable(customer)} is part of {printable(into)}, who is in {runs} runs"
    click.echo("\n".join(wrapped(words)))


def _key(identifier: str) -> str:
    kind, colon, value = identifier.partition(":")
    if not (kind and colon and value):
        raise InputError(
            f"{identifier!r:.80} is no identifier; write a kind and a value, "
            "email:ada@example.com"
        )
    return identity_key(kind, spelled(kind, value))
