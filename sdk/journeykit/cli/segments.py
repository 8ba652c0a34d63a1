"""`journeykit segments`: how large they are, who is in them, and who would be."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import click

from journeykit.cli.crowd import crowd, in_a_stack
from journeykit.cli.operating import (
    in_workspace,
    operating,
    still_to_go,
    with_data,
)
from journeykit.cli.options import with_json
from journeykit.cli.people import named, split
from journeykit.cli.portrait import (
    DIFFERENCES,
    as_of,
    people,
    percent,
    present,
    share_lines,
    typical_json,
    typical_lines,
    version_of,
    with_progress,
)
from journeykit.cli.story import rule
from journeykit.cli.terminal import Progress, row, wrapped
from journeykit.engine.calendar import isoformat, to_datetime
from journeykit.engine.ids import derived
from journeykit.engine.values import Document
from journeykit.engine.words import instant_in_words
from journeykit.errors import DefinitionError, InputError
from journeykit.local.embedded import Embedded, wall_clock
from journeykit.model import cel
from journeykit.model.conditions import Condition
from journeykit.model.events import LIST_JOINED, LIST_LEFT, Event
from journeykit.model.memberships import Audience, audience_issues
from journeykit.model.plain_text import printable
from journeykit.model.segments import Segment
from journeykit.ports import CatalogDocument
from journeykit.runtime.catalogs import NOTHING_PUBLISHED
from journeykit.runtime.headcount import (
    LATELY,
    Headcount,
    Overlap,
    Sample,
    Scan,
)
from journeykit.runtime.likeness import FactReader, Likeness
from journeykit.runtime.tryout import Tryout
from journeykit.workspace import Workspace
from journeykit.workspace.reading import meant

SOURCE = "journeykit.segments"
"""The source of what `add` and `remove` let happen."""

_SAMPLE = 10
_PAIRS = 50  # that are shown, unless somebody asks for more
_BATCH = 500  # customers that are put on a list at once
_NAME = 24  # columns for a segment's name in tables

_ABOUT_IT = "segment 'tried': "  # how `check` begins what it says of one of that name

Command = TypeVar("Command", bound=Callable[..., Any])


def _sampled(command: Command) -> Command:
    return click.option(
        "--sample",
        metavar="N",
        type=click.IntRange(0, 1000),
        default=_SAMPLE,
        show_default=True,
        help="Name so many of them; always the same ones.",
    )(command)


@click.group("segments", invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """Say how large segments are, who is in them, and who would be.

    Without a subcommand it is `list` of the workspace that you are in.
    """
    if context.invoked_subcommand is None:
        context.invoke(list_, workspace=Path(), data=None, stack=None, as_json=False)


# How large they are


@command.command("list")
@in_workspace
@in_a_stack
@with_json
def list_(
    *, workspace: Path, data: Path | None, stack: str | None, as_json: bool
) -> None:
    """List the segments and stages that are live, and how many are in each."""
    now = wall_clock()
    with crowd(workspace, data, stack) as known:
        catalog = known.catalog
        count = _counted(known.scan, catalog, now)
    names = _names(catalog)
    if as_json:
        _print(_sizes(catalog, count, now))
        return
    click.echo(f"{people(count.count)}, catalog revision {catalog.revision}")
    if not names:
        click.echo("no segments are published; declare some in segments.py or .yaml")
    else:
        click.echo("")
        head = f"{'segment':<{_NAME}}  {'customers':>9}  {'share':>5}"
        lately = "".join(f"{f'new {days} d':>9}" for days in LATELY)
        click.echo(f"{head}{lately}")
        for name in names:
            click.echo(_size_line(name, count))
    if stages := _stages(catalog):
        click.echo("")
        click.echo(rule("stages"))
        for line in share_lines(_stage_shares(stages, count)):
            click.echo(line)
    for line in _waiting(count, stack):
        click.echo(line)


def _size_line(name: str, count: Headcount) -> str:
    lately = "".join(f"{count.lately[name, days]:>9,}" for days in LATELY)
    sizes = f"{count.sizes[name]:>9,}  {percent(count.share(name)):>5}{lately}"
    name = printable(name)
    return (
        f"{name:<{_NAME}}  {sizes}" if len(name) <= _NAME else f"{name}\n{'':26}{sizes}"
    )


def _stage_shares(
    stages: Sequence[str], count: Headcount
) -> dict[str, tuple[int, float]]:
    total = count.count or 1
    known = {stage: count.stages[stage] for stage in stages}
    if rest := count.count - sum(known.values()):
        known["(none)"] = rest
    return {name: (number, number / total) for name, number in known.items()}


def _sizes(catalog: CatalogDocument, count: Headcount, now: int) -> dict[str, Any]:
    stages = _stages(catalog)
    return {
        "at": isoformat(now),
        "revision": catalog.revision,
        "customers": count.count,
        "segments": [
            {
                "segment": name,
                "customers": count.sizes[name],
                "share": count.share(name),
                "came_in": {str(d): count.lately[name, d] for d in LATELY},
            }
            for name in _names(catalog)
        ],
        "stages": [
            {"stage": name or None, "customers": number, "share": share}
            for name, (number, share) in _stage_shares(stages, count).items()
        ]
        if stages
        else [],
        "not_judged_yet": count.elsewhere,
        "overdue": count.overdue,
    }


def _waiting(count: Headcount, stack: str | None) -> Iterator[str]:
    """Yield why what the documents say may not be all of the truth."""
    if count.elsewhere:
        who = "the stack" if stack else "`journeykit serve`"
        yield from wrapped(
            f"{people(count.elsewhere)} not judged by these definitions yet: "
            f"{who} visits everybody after a publish"
        )
    if count.overdue:
        who = (
            "the stack lets" if stack else "`journeykit serve` or `journeykit run` lets"
        )
        yield from wrapped(
            f"{people(count.overdue)} may have come in or gone out since, by time alone: "
            f"{who} time pass"
        )


# One of them


@command.command("show")
@click.argument("name")
@in_workspace
@in_a_stack
@_sampled
@as_of
@with_json
def show(
    *,
    name: str,
    workspace: Path,
    data: Path | None,
    stack: str | None,
    sample: int,
    at: datetime | None,
    as_json: bool,
) -> None:
    """Show the segment NAME: what it is, who is in it, and what they have in common."""
    now = present(at)
    with crowd(workspace, data, stack) as known:
        catalog = known.catalog
        names = _names(catalog)
        if name not in names:
            raise InputError(f"no segment {name!r} is published; {meant(name, names)}")
        found = _portrait(known.scan, catalog, name, now, sample)
    definition = next(s for s in _segments(catalog) if s["id"] == name)
    since = (catalog.audience.get("since") or {}).get(name)
    if as_json:
        _print(
            {
                "segment": name,
                "definition": dict(definition),
                "published_at": isoformat(since) if since else None,
                "at": isoformat(now),
                "customers": found.heads.sizes[name],
                "share": found.heads.share(name),
                "everybody": found.heads.count,
                "came_in": {str(d): found.heads.lately[name, d] for d in LATELY},
                "first_came_in_at": isoformat(found.first) if found.first else None,
                "typical": typical_json(_typical(found, name)),
                "sample": [
                    {"customer": id, "since": isoformat(joined)}
                    for id, joined in found.sample.items()
                ],
                "not_judged_yet": found.heads.elsewhere,
                "overdue": found.heads.overdue,
            }
        )
        return
    for line in _shown(definition, since, found, stack):
        click.echo(line)


class _Portrait(NamedTuple):
    """Who is in a segment."""

    heads: Headcount
    here: Likeness
    everybody: Likeness
    first: int | None
    sample: Sample[int]


def _portrait(
    scan: Scan, catalog: CatalogDocument, name: str, now: int, sample: int
) -> _Portrait:
    reader = FactReader(catalog.audience.get("traits") or ())
    count = Headcount(at=now, version=version_of(catalog))
    here, all_ = Likeness(), Likeness()
    first: int | None = None
    some: Sample[int] = Sample(sample)
    for customer in with_progress(scan):
        count.add(customer)
        facts = reader.facts(customer, now)
        all_.add(facts)
        since = customer.segments.get(name)
        if since is not None:
            here.add(facts)
            some.add(customer.id, since)
            first = since if first is None else min(first, since)
    return _Portrait(count, here, all_, first, some)


def _typical(found: _Portrait, name: str) -> list[Any]:
    """What is typical of them, without that they are in it."""
    every = found.here.typical(found.everybody, most=DIFFERENCES + 1)
    return [each for each in every if each.field != f"segment.{name}"][:DIFFERENCES]


def _shown(
    definition: Document, since: int | None, found: _Portrait, stack: str | None
) -> Iterator[str]:
    name, count = definition["id"], found.heads
    title = definition.get("name")
    yield rule(f"{name} · {title}" if title else name)
    what = "a list that events fill" if definition["listed"] else definition["when"]
    yield from row("what", what)
    for line in definition.get("description") or ():
        yield from row("means", line)
    if since:
        yield from row("published", instant_in_words(since))
    size = count.sizes[name]
    yield from row(
        "in it", f"{size:,} of {people(count.count)}, {percent(count.share(name))}"
    )
    if size:
        lately = ", ".join(f"{count.lately[name, d]:,} in {d} d" for d in LATELY)
        yield from row("came in", f"{lately}; the first {_instant(found.first)}")
        yield ""
        yield rule("what they have in common")
        yield from typical_lines(_typical(found, name))
    if some := found.sample.items():
        yield ""
        yield rule("some of them" if len(some) < size else "all of them")
        for id, joined in some:
            yield from wrapped(
                f"{id}, since {_instant(joined)}", first="  ", indent="  "
            )
    yield from _waiting(count, stack)


def _instant(at: int | None) -> str:
    return "never" if at is None else instant_in_words(at)


# Who is in two


@command.command("overlap")
@in_workspace
@in_a_stack
@click.option(
    "--most",
    metavar="N",
    type=click.IntRange(1),
    default=_PAIRS,
    show_default=True,
    help="Show so many pairs, those that are most alike.",
)
@with_json
def overlap(
    *,
    workspace: Path,
    data: Path | None,
    stack: str | None,
    most: int,
    as_json: bool,
) -> None:
    """Say of every two segments how many customers are in both.

    The Jaccard index is those in both through those in either: 0 is apart, 1 the same.
    """
    now = wall_clock()
    with crowd(workspace, data, stack) as known:
        catalog = known.catalog
        count = _counted(known.scan, catalog, now)
    names = _names(catalog)
    pairs = count.overlaps(names)
    if as_json:
        sizes = {name: count.sizes[name] for name in names}
        document = {"customers": count.count, "segments": sizes}
        _print({**document, "overlaps": [pair._asdict() for pair in pairs]})
        return
    if len(names) < 2:
        click.echo("there are no two segments that could overlap")
        return
    meeting = [pair for pair in pairs if pair.both]
    for line in _overlap_lines(meeting[:most]):
        click.echo(line)
    if len(meeting) > most:
        click.echo(f"and {len(meeting) - most:,} pairs that are less alike: --most")
    if apart := len(pairs) - len(meeting):
        pairs_are = "1 pair is" if apart == 1 else f"{apart:,} pairs are"
        click.echo(f"{pairs_are} apart: nobody is in both")
    for line in _waiting(count, stack):
        click.echo(line)


def _overlap_lines(pairs: Sequence[Overlap]) -> Iterator[str]:
    if not pairs:
        return
    yield (
        f"{'segment':<{_NAME}}  {'and':<{_NAME}}  {'both':>7} "
        f"{'of it':>5} {'of th.':>6} {'Jaccard':>7}"
    )
    for pair in pairs:
        one, other = printable(pair.one), printable(pair.other)
        if max(len(one), len(other)) > _NAME:
            yield f"{one} and {other}"
            one = other = ""
        yield (
            f"{one:<{_NAME}}  {other:<{_NAME}}  {pair.both:>7,} "
            f"{percent(pair.of_one):>5} {percent(pair.of_other):>6} {pair.jaccard:>7.2f}"
        )


# Who would be in it


@command.command("try")
@click.argument("condition")
@in_workspace
@in_a_stack
@_sampled
@as_of
@with_json
def try_(
    *,
    condition: str,
    workspace: Path,
    data: Path | None,
    stack: str | None,
    sample: int,
    at: datetime | None,
    as_json: bool,
) -> None:
    """Say who of those known would be in a segment of CONDITION; nothing is changed.

    Instead of a condition it may be the name of a segment of the workspace, which need
    not be published as it stands there.
    """
    now = present(at)
    loaded = Workspace.load(workspace)
    when, name = _wanted(condition, loaded)
    warnings = _doubts(when, loaded) if not name else []
    with crowd(workspace, data, stack) as known:
        catalog = known.catalog
        tryout = Tryout(
            loaded.audience or {}, loaded.policies.to_plan(), [("it", when.text)]
        )
        found = _tried(known.scan, catalog, tryout, now, sample, name)
    unknown = _unpublished(when, loaded, catalog)
    if as_json:
        _print(
            {
                "condition": when.text,
                "at": isoformat(now),
                "customers": found.here.count,
                "everybody": found.everybody.count,
                "in_now": found.now if name else None,
                "would_enter": found.enters if name else None,
                "would_leave": found.leaves if name else None,
                "typical": typical_json(_tried_typical(found, name)),
                "sample": [id for id, _ in found.sample.items()],
                "unpublished": unknown,
                "warnings": warnings,
            }
        )
        return
    for warning in warnings:
        for line in wrapped(f"warning: {warning}", indent="  "):
            click.echo(line, err=True)
    for line in _tried_lines(when, name, found, unknown, now):
        click.echo(line)


def _doubts(when: Condition, workspace: Workspace) -> list[str]:
    """What `check` would warn of if this were a segment's condition.

    Raises:
        InputError: It can be none.
    """
    tried = Segment("tried", when)
    known = Audience(
        workspace.traits,
        [*(s for s in workspace.segments if s.id != tried.id), tried],
        workspace.stages,
        scores=workspace.scored_by.run,
    )
    found = [i for i in audience_issues(known) if i.message.startswith(_ABOUT_IT)]
    for issue in found:
        if issue.level == "error":
            raise InputError(issue.message.removeprefix(_ABOUT_IT))
    return [issue.message.removeprefix(_ABOUT_IT) for issue in found]


class _Tried(NamedTuple):
    """Who would be in a segment, and who of them is in the published one of its name."""

    here: Likeness
    everybody: Likeness
    sample: Sample[None]
    now: int
    enters: int
    leaves: int


def _wanted(condition: str, workspace: Workspace) -> tuple[Condition, str]:
    """The condition to try, and of which segment it is; empty: of none."""
    for segment in workspace.segments:
        if segment.id == condition:
            if segment.when is None:
                raise InputError(
                    f"{condition!r} is a list that events fill: "
                    f"journeykit segments show {condition}"
                )
            return segment.when, condition
    try:
        return Condition.parse(condition), ""
    except DefinitionError as error:
        if " " not in condition and "." not in condition:
            known = [segment.id for segment in workspace.segments]
            raise InputError(
                f"no segment of the workspace is called {condition!r}, and it is no "
                f"condition; {meant(condition, known)}"
            ) from error
        raise


def _tried(
    scan: Scan,
    catalog: CatalogDocument,
    tryout: Tryout,
    now: int,
    sample: int,
    name: str,
) -> _Tried:
    reader = FactReader(catalog.audience.get("traits") or ())
    here, all_ = Likeness(), Likeness()
    some: Sample[None] = Sample(sample)
    is_in = enters = leaves = 0
    for customer in with_progress(scan):
        facts = reader.facts(customer, now)
        all_.add(facts)
        was = name in customer.segments
        is_in += was
        if tryout.found(customer, now):
            here.add(facts)
            some.add(customer.id, None)
            enters += not was
        else:
            leaves += was
    return _Tried(here, all_, some, is_in, enters, leaves)


def _tried_typical(found: _Tried, name: str) -> list[Any]:
    every = found.here.typical(found.everybody, most=DIFFERENCES + 1)
    return [each for each in every if each.field != f"segment.{name}"][:DIFFERENCES]


def _unpublished(
    when: Condition, workspace: Workspace, catalog: CatalogDocument
) -> list[str]:
    """The traits that nobody has counted yet as the workspace declares them."""
    live = {t["name"]: t for t in catalog.audience.get("traits") or ()}
    return [
        trait.name
        for trait in workspace.traits
        if live.get(trait.name) != trait.to_plan() and trait.name in _asked(when)
    ]


def _asked(when: Condition) -> set[str]:
    return {
        str(path.keys[0])
        for path in cel.references(when.expr)
        if path.root == "trait" and path.keys
    }


def _tried_lines(
    when: Condition, name: str, found: _Tried, unknown: Sequence[str], now: int
) -> Iterator[str]:
    yield rule(name or "a segment that isn't there yet")
    yield from row("what", when.text)
    total, size = found.everybody.count, found.here.count
    share = percent(size / total if total else 0.0)
    as_of_then = instant_in_words(now)
    yield from row(
        "would be in", f"{size:,} of {people(total)}, {share}, as of {as_of_then}"
    )
    if name:
        yield from row(
            "now",
            f"{found.now:,} are in it: {found.enters:,} would come in, "
            f"{found.leaves:,} would go out",
        )
    for trait in unknown:
        yield from wrapped(
            f"trait.{trait} isn't published as it stands in the workspace, so it counts "
            "as if nothing had happened yet; publish, and `journeykit traits rebuild`"
        )
    if size:
        yield ""
        yield rule("what they have in common")
        yield from typical_lines(_tried_typical(found, name))
    if some := found.sample.items():
        yield ""
        yield rule("some of them" if len(some) < size else "all of them")
        for id, _ in some:
            yield from wrapped(id, first="  ", indent="  ")


# Static lists


def _about_a_list(command: Command) -> Command:
    file = click.option(
        "--file",
        "file",
        metavar="FILE",
        help="Many: a customer's id a line, or an object of it; - is the standard input.",
    )
    who = click.argument(
        "customer", nargs=-1, metavar="(CUSTOMER | --file FILE) [WORKSPACE]"
    )
    return click.argument("list")(who(file(with_data(command))))


@command.command("add")
@_about_a_list
def add(
    *, list: str, customer: Sequence[str], file: str | None, data: Path | None
) -> None:
    """Put one CUSTOMER, or those whom a file names, on LIST, a static list."""
    _changed(list, customer, file, data, joins=True)


@command.command("remove")
@_about_a_list
def remove(
    *, list: str, customer: Sequence[str], file: str | None, data: Path | None
) -> None:
    """Take one CUSTOMER, or those whom a file names, off LIST, a static list."""
    _changed(list, customer, file, data, joins=False)


class _Done(NamedTuple):
    """What came of putting people on a list, or of taking them off."""

    changed: int = 0
    already: int = 0
    unknown: int = 0
    refused: int = 0

    def plus(self, other: _Done) -> _Done:
        return _Done(*(a + b for a, b in zip(self, other, strict=True)))


def _changed(
    name: str,
    words: Sequence[str],
    file: str | None,
    data: Path | None,
    *,
    joins: bool,
) -> None:
    one, workspace = split(words, file)
    ids = list(dict.fromkeys(p.customer for p in named(one, file, {})))
    done = _Done()
    with operating(workspace, data) as embedded:
        catalog = embedded.store.current()
        if catalog is None:
            raise DefinitionError(NOTHING_PUBLISHED)
        is_live = _check_list(name, catalog, embedded.workspace)
        progress = Progress("customers", total=len(ids))
        try:
            for start in range(0, len(ids), _BATCH):
                page = ids[start : start + _BATCH]
                done = done.plus(_page(embedded, name, page, joins=joins))
                progress(start + len(page))
        finally:
            progress.done()
        waiting = [*still_to_go(embedded.store)]
    for line in _done_lines(name, done, is_live=is_live, joins=joins):
        click.echo(line)
    for line in waiting:
        click.echo("\n".join(wrapped(line)))


def _check_list(name: str, catalog: CatalogDocument, workspace: Workspace) -> bool:
    """Say whether the list is published; refuse what is none.

    Raises:
        InputError: There is no such list, or it is a condition.
    """
    live = {s["id"]: bool(s["listed"]) for s in _segments(catalog)}
    own = {segment.id: segment.listed for segment in workspace.segments}
    known = {**own, **live}
    if name not in known:
        lists = [id for id, listed in known.items() if listed]
        raise InputError(
            f"there is no list {name!r}; {meant(name, lists)}; or declare it, "
            f"{{id: {name}, listed: true}} in segments.yaml"
        )
    if not known[name]:
        raise InputError(
            f"segment {name!r} is a condition: whoever meets it is in it, and nobody puts "
            "them there"
        )
    return name in live


def _page(embedded: Embedded, name: str, ids: Sequence[str], *, joins: bool) -> _Done:
    """Let a page of people join or leave a list, and see what came of it."""
    now = wall_clock()
    before = embedded.store.load(ids)
    into = {id: one.merged_into for id, one in before.items()}
    on = {id for id, one in before.items() if name in one.lists}
    # Nobody becomes known by leaving what they never were on.
    meant_ = [id for id in ids if (id not in on) == joins and (joins or id in before)]
    meant_ += [id for id, other in into.items() if other and id not in meant_]
    what = LIST_JOINED if joins else LIST_LEFT
    at = to_datetime(now)
    events = [
        Event(
            id=derived(what, name, id, str(now)),
            name=what,
            customer=id,
            occurred_at=at,
            received_at=at,
            properties={"list": name},
            source=SOURCE,
        )
        for id in meant_
    ]
    if events:
        embedded.runtime.ingest(events, now=now, door="segments")
    after = embedded.store.load([into.get(id) or id for id in meant_])
    changed = sum(
        (name in one.lists) == joins
        for id in meant_
        if (one := after.get(into.get(id) or id)) is not None
    )
    unknown = sum(id not in before for id in ids)
    return _Done(
        changed,
        len(ids) - len(meant_) - (0 if joins else unknown),
        unknown,
        len(meant_) - changed,
    )


def _done_lines(name: str, done: _Done, *, is_live: bool, joins: bool) -> Iterator[str]:
    name = printable(name)
    if joins:
        yield f"{people(done.changed)} put on {name}"
        if done.already:
            yield f"{done.already:,} on it already"
        if done.unknown:
            yield f"{done.unknown:,} of whom nothing was known until now"
        if done.refused:
            yield f"{done.refused:,} refused; `journeykit why CUSTOMER` says why"
    else:
        yield f"{people(done.changed)} taken off {name}"
        if done.already:
            yield f"{done.already:,} not on it"
        if done.unknown:
            yield f"{done.unknown:,} of whom nothing is known"
    if not is_live:
        yield from wrapped(
            f"{name} isn't published yet, so nobody enters a segment by it: "
            "journeykit publish"
        )


# What they share


def _counted(scan: Scan, catalog: CatalogDocument, now: int) -> Headcount:
    count = Headcount(at=now, version=version_of(catalog))
    for customer in with_progress(scan):
        count.add(customer)
    return count


def _segments(catalog: CatalogDocument) -> Sequence[Mapping[str, Any]]:
    return catalog.audience.get("segments") or ()


def _names(catalog: CatalogDocument) -> list[str]:
    return [segment["id"] for segment in _segments(catalog)]


def _stages(catalog: CatalogDocument) -> list[str]:
    return [stage["id"] for stage in catalog.audience.get("stages") or ()]


def _print(document: Mapping[str, Any]) -> None:
    click.echo(json.dumps(document, ensure_ascii=False, indent=2))
