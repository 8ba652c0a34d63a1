"""`journeykit publish`: what the files of a workspace say becomes what runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from journeykit.channels import Channel
from journeykit.cli.check import reported
from journeykit.cli.enroll import OUTCOMES
from journeykit.cli.operating import (
    customers,
    database,
    in_workspace,
    live_versions,
    still_to_go,
    visited,
)
from journeykit.cli.people import Outcomes
from journeykit.cli.stack import on_a_stack, stack_named
from journeykit.cli.terminal import strong, wrapped
from journeykit.errors import (
    DefinitionError,
    InputError,
    InvalidJourney,
    Problem,
    StaleCatalog,
)
from journeykit.local.embedded import Embedded, draft_of, wall_clock
from journeykit.local.sqlite import SQLiteStore
from journeykit.model.issues import Issue
from journeykit.model.plain_text import printable
from journeykit.observers import Observers
from journeykit.plugins import Registry, plugin_manager
from journeykit.ports import CatalogDocument, Scan
from journeykit.runtime.catalogs import Draft, Published, next_catalog
from journeykit.runtime.concerned import (
    EVERYBODY,
    LAUNCH,
    everybody_is,
    launched_in,
)
from journeykit.workspace import Workspace
from journeykit.workspace.reading import meant

if TYPE_CHECKING:
    from journeykit.aws.stack import Stack


@click.command("publish")
@in_workspace
@click.option(
    "--in-flight",
    type=click.Choice(["pin"]),
    default="pin",
    show_default=True,
    help="Whoever is in a journey ends it on the version that they entered.",
)
@click.option(
    "--expect",
    type=click.IntRange(min=0),
    metavar="REVISION",
    help="Refuse if another catalog revision is live than the one you looked at.",
)
@click.option("--note", metavar="TEXT", default="", help="What has changed, in words.")
@on_a_stack
@click.option("--dry-run", is_flag=True, help="Only say what would be new.")
@click.option(
    "--existing",
    metavar="JOURNEY",
    multiple=True,
    help="Also let enter it who is by now in the segment or stage that it is about, and "
    "was never in it; may be repeated.",
)
def command(
    *,
    workspace: Path,
    data: Path | None,
    in_flight: str,
    stack: str | None,
    function: str,
    expect: int | None,
    note: str,
    dry_run: bool,
    existing: Sequence[str],
) -> None:
    """Make the journeys and policies of WORKSPACE the live ones.

    They are checked first, and an error keeps everything as it is. A running `serve` goes
    by the new ones with its next batch.

    Nobody enters a journey because of it: entered("vip") is about who enters the segment
    from now on. --existing launches a journey for who is in it already, each once.
    """
    loaded = Workspace.load(workspace)
    _known(existing, loaded)
    registry = Registry.from_plugins(plugin_manager())
    issues = loaded.check(registry)
    _refuse(workspace, [issue for issue in issues if issue.level == "error"])
    for line in reported([issue for issue in issues if issue.level == "warning"]):
        click.echo(line, err=True)
    if where := stack_named(stack, function, data):
        news = _published_in(
            where,
            loaded,
            loaded.channels(registry),
            expected=expect,
            note=note,
            dry_run=dry_run,
            existing=existing,
        )
        for line in _told(news, _WOULD_BE if dry_run else _IS):
            click.echo(line)
        for line in _launched_in(news, existing, dry_run=dry_run):
            click.echo("\n".join(wrapped(line)))
        return
    if dry_run:
        drafted = draft_of(loaded, loaded.channels(registry), loaded.all_templates())
        for line in _preview(drafted, database(workspace, data), expect):
            click.echo(line)
        return
    outcomes = {id: Outcomes(id, OUTCOMES) for id in dict.fromkeys(existing)}
    observers = Observers([one.observer for one in outcomes.values()])
    with Embedded.open(
        loaded,
        registry,
        data=data,
        observers=observers.also(registry.observers),
        relays=False,
    ) as embedded:
        before = embedded.store.current()
        published = embedded.publish(now=wall_clock(), note=note, expected=expect)
        for line in _told(_news(before, published, embedded.store), _IS):
            click.echo(line)
        for line in _followed(embedded, before, published):
            click.echo("\n".join(wrapped(line)))
        for id, one in outcomes.items():
            for line in _launched(embedded, id, one):
                click.echo("\n".join(wrapped(line)))


def _known(existing: Sequence[str], workspace: Workspace) -> None:
    """Refuse to launch what isn't there, before anything is published.

    Raises:
        InputError: There is no such journey; the message names the one spelled alike.
    """
    ids = [journey.id for journey in workspace.journeys]
    for id in existing:
        if id not in ids:
            raise InputError(
                f"no journey {id!r} is in the workspace; {meant(id, ids)}",
                place="--existing",
            )


def _refuse(workspace: Path, errors: Sequence[Issue]) -> None:
    """Refuse what can't work.

    Raises:
        InvalidJourney: There are errors.
    """
    problems = []
    for issue in errors:
        owner = "/".join(filter(None, [issue.journey, issue.step]))
        message = f"{owner}: {issue.message}" if owner else issue.message
        problems.append(Problem(message, *(issue.source or ())))
    if problems:
        raise InvalidJourney(
            f"{workspace}: nothing was published, because of", issues=problems
        )


def _preview(draft: Draft, path: Path, expected: int | None) -> Iterator[str]:
    """Say what would be new, and touch nothing."""
    store = SQLiteStore.open(path, readonly=True) if path.exists() else None
    try:
        before = store.current() if store is not None else None
        revision = before.revision if before else 0
        if expected not in (None, revision):
            raise StaleCatalog(
                f"catalog revision {revision} is live, and not {expected}"
            )
        published = next_catalog(before, draft, at=wall_clock())
        yield from _told(_news(before, published, store), _WOULD_BE)
    finally:
        if store is not None:
            store.close()


_IS, _WOULD_BE = "published as", "would be published as"


class _News(NamedTuple):
    """What is new in a catalog, as it is told.

    Attributes:
        before: The revision until now; 0: nothing was published.
        revision: The revision with what is new.
        is_new: Whether anything is.
        added: Journeys that were not there: journey to version.
        changed: Journeys with a new version: journey to the one until now, and it.
        closed: Journeys that are no longer in the workspace.
        policies: Whether the policies have changed.
        states: Journeys whose state is another one now.
        templates: Whether the templates have changed.
        audience: The traits, segments and stages that are new, different or gone.
        schemas: The events whose schemas are new, different or gone.
        running: Of changed and closed journeys, how many runs have not ended.
        visited: Journeys whose customers are being visited; empty text: everybody is.
        launched: Journeys that are being launched for who is there.
    """

    before: int
    revision: int
    is_new: bool
    added: Mapping[str, int]
    changed: Mapping[str, Sequence[int]]
    closed: Sequence[str]
    policies: bool
    states: Mapping[str, str]
    templates: bool = False
    audience: Sequence[str] = ()
    schemas: Sequence[str] = ()
    running: Mapping[str, int] = {}
    visited: Sequence[str] = ()
    launched: Sequence[str] = ()


def _news(
    before: CatalogDocument | None, published: Published, scan: Scan | None
) -> _News:
    """What is new in the catalog of this machine."""
    left = {*published.changed, *published.closed}
    known = live_versions(before) if before is not None else {}
    return _News(
        before=before.revision if before is not None else 0,
        revision=published.document.revision,
        is_new=before is None or published.is_new,
        added=published.added,
        changed={id: (known[id], number) for id, number in published.changed.items()},
        closed=published.closed,
        policies=published.policies,
        states=published.states,
        templates=published.templates,
        audience=published.audience,
        schemas=published.schemas,
        running=_running(scan, left) if scan is not None and left else {},
    )


def _published_in(
    stack: Stack,
    workspace: Workspace,
    channels: Mapping[str, Channel],
    *,
    expected: int | None,
    note: str,
    dry_run: bool,
    existing: Sequence[str],
) -> _News:
    """Publish to a stack, and return what is new there.

    Raises:
        StoreError: It refuses, or can't be asked; the message says why.
        InputError: There is no such stack.
    """
    library = workspace.all_templates()
    draft = draft_of(workspace, channels, library)
    asked = {
        "draft": draft._asdict(),
        "templates": library.to_bytes() if draft.content else b"",
        "expected": expected,
        "note": note,
        "dry_run": dry_run,
        **({"existing": [*existing]} if existing else {}),
    }
    return _News(**stack.ask({"publish": asked})["publish"])


def _told(news: _News, becomes: str) -> Iterator[str]:
    """What is new, a line each, and the revision."""
    if not news.is_new:
        yield f"nothing differs from catalog revision {news.before}, which is live"
        return
    yield f"{becomes} catalog revision {news.revision}"
    running = news.running
    rows = [("new", id, f"v{number}") for id, number in news.added.items()]
    rows += [
        ("changed", id, f"v{old} → v{new}{_go_on(running.get(id, 0))}")
        for id, (old, new) in news.changed.items()
    ]
    rows += [
        ("closed", id, f"nobody enters any more{_go_on(running.get(id, 0))}")
        for id in news.closed
    ]
    rows += [("state", id, state) for id, state in news.states.items()]
    if news.policies:
        rows.append(("policies", "", "changed" if news.before else "set"))
    if news.templates:
        rows.append(("templates", "", "changed" if news.before else "set"))
    if news.audience:
        names = ", ".join(map(printable, news.audience))
        rows.append(("audience", "", f"{'changed' if news.before else 'set'}: {names}"))
    if news.schemas:
        names = ", ".join(map(printable, news.schemas))
        rows.append(("schemas", "", f"{'changed' if news.before else 'set'}: {names}"))
    width = max((len(id) for _, id, _ in rows), default=0)
    first = max([8, *(len(what) for what, _, _ in rows)])
    for what, id, text in rows:
        yield f"  {what:<{first}}  {strong(f'{printable(id):<{width}}')}  {text}".rstrip()
    for id in news.visited:
        if id == EVERYBODY:
            yield "everybody is being visited: segments or schedules are new to them"
            continue
        yield f"whoever is in {printable(id)} is being visited: they obey its new state"


def _launched_in(
    news: _News, existing: Sequence[str], *, dry_run: bool
) -> Iterator[str]:
    """Say of a stack what is launched for whom."""
    for id in dict.fromkeys(existing):
        if id not in news.launched:
            yield _for_nobody(id)
        elif dry_run:
            yield f"{printable(id)} would be launched for who is there"
        else:
            yield f"{printable(id)} is being launched: who is there enters, each once"


def _launched(embedded: Embedded, journey: str, outcomes: Outcomes) -> Iterator[str]:
    """Launch a journey for who is there, and say what came of it."""
    if not launched_in(embedded.catalog(), journey):
        yield _for_nobody(journey)
        return
    count = visited(embedded, LAUNCH, journey)
    entered = sum(
        number
        for (kind, _), number in outcomes.counts.items()
        if kind in ("entered", "held_out", "claiming")
    )
    yield f"{printable(journey)} launched: {entered:,} of {count:,} enter it"
    yield from outcomes.in_words()
    yield from still_to_go(embedded.store)


def _for_nobody(journey: str) -> str:
    return (
        f"{printable(journey)} launched: 0 enter it, since none of its triggers is about "
        "a segment or a stage that one can be in; an event that has happened does not "
        "happen again"
    )


def _go_on(count: int) -> str:
    if not count:
        return ""
    return f"; {count:,} in flight {'goes' if count == 1 else 'go'} on as before"


def _running(scan: Scan, journeys: set[str]) -> Mapping[str, int]:
    """How many runs of these journeys have not ended."""
    counts: Counter[str] = Counter()
    for customer in customers(scan):
        counts.update(r.journey for r in customer.active if r.journey in journeys)
    return counts


def _followed(
    embedded: Embedded, before: CatalogDocument | None, published: Published
) -> Iterator[str]:
    """See to those whom a changed state concerns, and say what can't run here."""
    earlier = before.states if before is not None else {}
    if everybody_is(before, published.document):
        count = visited(embedded, "publish", EVERYBODY)
        yield f"{count:,} visited: segments or schedules are new to them"
    for journey, state in published.states.items():
        if state == "stopped" or earlier.get(journey) == "paused":
            count = visited(embedded, "publish", journey)
            yield f"{count:,} of {journey} visited: they obey its new state"
    if published.is_new and before is not None:
        yield from still_to_go(embedded.store) if published.states else ()
    try:
        embedded.catalog()
    except DefinitionError as error:
        yield f"it can't run here: {error.message}"
