"""`journeykit traits`: what is computed of the customers' events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from journeykit.cli.operating import in_workspace, looking
from journeykit.cli.terminal import counted, rows, wrapped
from journeykit.engine.calendar import isoformat
from journeykit.engine.traits import TRAITS_BYTES, TraitRules
from journeykit.errors import DefinitionError, InputError, StoreError
from journeykit.local.embedded import Embedded, wall_clock
from journeykit.local.recounting import Recounted, Recounting
from journeykit.model.conditions import text_of
from journeykit.model.definition import document_of
from journeykit.model.traits import Trait
from journeykit.plugins import Registry, plugin_manager
from journeykit.runtime.catalogs import NOTHING_PUBLISHED
from journeykit.workspace import Workspace
from journeykit.workspace.reading import meant


@click.group("traits")
def command() -> None:
    """List what is computed of the customers' events, and compute it again."""


@command.command("list")
@in_workspace
def list_(*, workspace: Path, data: Path | None) -> None:
    """List the traits of a workspace, and the room that each may take."""
    traits = Workspace.load(workspace).traits
    if not traits:
        click.echo("there are no traits; declare some in traits.py or traits.yaml")
        return
    since = _since(workspace, data)
    total = sum(TraitRules.compile([one.to_plan()]).most_bytes for one in traits)
    for line in rows([(trait.name, _said(trait, since)) for trait in traits]):
        click.echo(line)
    room = (
        f"together at most {total:,} of the {TRAITS_BYTES:,} bytes that a customer's "
        "document has for them"
    )
    for line in wrapped(room):
        click.echo(line)


def _said(trait: Trait, since: Mapping[str, int]) -> str:
    """One trait in words."""
    document: dict[str, Any] = document_of(trait, form="yaml")
    events = ", ".join(
        f"{event.name} where {event.where}" if event.where is not None else event.name
        for event in trait.triggers
    )
    value = getattr(trait, "value", None)
    parts = [document["type"].replace("_", " ")]
    parts += [f"of {text_of(value)}"] if value is not None else []
    parts += [f"in {events}"]
    parts += [f"for {document['within']}"] if "within" in document else []
    if trait.name in since:
        parts.append(f"since {isoformat(since[trait.name])}")
    return " ".join(parts)


def _since(workspace: Path, data: Path | None) -> Mapping[str, int]:
    """When each trait was first published, where it is known."""
    try:
        with looking(workspace, data) as look:
            since: Mapping[str, int] = look.catalog.audience.get("since") or {}
            return {name: at for name, at in since.items() if at}
    except (StoreError, DefinitionError):
        return {}  # nothing is published yet


@command.command("rebuild")
@in_workspace
@click.option(
    "--trait", "names", metavar="NAME", multiple=True, help="Only this one, or these."
)
@click.option("--look", is_flag=True, help="Only compare, and change nothing.")
@click.option(
    "--all",
    "anyway",
    is_flag=True,
    help="Also who is older than what the archive has of them.",
)
def rebuild(
    *,
    workspace: Path,
    data: Path | None,
    names: Sequence[str],
    look: bool,
    anyway: bool,
) -> None:
    """Compute the published traits again from the event archive.

    Fills in a trait that is new, and repairs one that is wrong; so too what triggers such
    as inactive(…) remember. Nobody enters or leaves a segment by it. No serve or run may
    work in the folder for data meanwhile. Remove nothing from the archive that traits are
    to know: who is older than what is left of them stays as they are, but with --all.
    """
    with looking(workspace, data):
        pass  # or else there is nothing to compute
    loaded = Workspace.load(workspace)
    registry = Registry.from_plugins(plugin_manager())
    with Embedded.open(loaded, registry, data=data) as embedded:
        if embedded.store.current() is None:
            raise DefinitionError(NOTHING_PUBLISHED)
        known = [*embedded.catalog().traits.rules]
        for name in names:
            if name not in known:
                way_out = meant(name, [n for n in known if not n.startswith("~")])
                raise InputError(f"no trait {name!r} is published; {way_out}")
        if not known:
            raise DefinitionError("no traits are published; nothing is to be computed")
        chosen = [name for name in known if name in names or not names]
        recounting = Recounting(embedded, chosen)
        found = recounting.run(now=wall_clock(), repair=not look, anyway=anyway)
    for line in _told(found, chosen, look=look):
        click.echo(line)


def _differ(count: int) -> str:
    if not count:
        return "as it was"
    return f"{count:,} {'differs' if count == 1 else 'differ'}"


def _told(found: Recounted, names: Sequence[str], *, look: bool) -> Iterator[str]:
    since = "" if found.since is None else f" since {isoformat(found.since)}"
    yield from wrapped(
        f"computed of {counted(found.customers, 'customer')} and "
        f"{counted(found.events, 'event')}{since}"
    )
    differing = {name: found.differing.get(name, 0) for name in names}
    yield from rows([(name, _differ(count)) for name, count in differing.items()])
    was = "was" if found.repaired == 1 else "were"
    done = "would be repaired" if look else f"{was} repaired"
    yield from wrapped(f"{counted(found.repaired, 'customer')} {done}")
    if found.left:
        yield from wrapped(
            f"{counted(found.left, 'customer')} would differ, and stayed: the archive "
            "begins after them; --all computes them by what it has"
        )
    if found.unreadable:
        yield from wrapped(
            f"{counted(found.unreadable, 'line')} of the archive can't be read; "
            "the log says where"
        )
