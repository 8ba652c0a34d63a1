"""`journeykit personas`: who the customers are, and groups that nobody has named yet."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import click

from journeykit.cli.crowd import crowd, in_a_stack
from journeykit.cli.operating import in_workspace
from journeykit.cli.options import with_json
from journeykit.cli.portrait import (
    DIFFERENCES,
    amount,
    as_of,
    people,
    percent,
    present,
    share_lines,
    typical_json,
    typical_lines,
    typical_words,
    with_progress,
)
from journeykit.cli.story import rule
from journeykit.cli.terminal import Progress, faint, row, wrapped
from journeykit.engine.calendar import isoformat, to_datetime
from journeykit.errors import DefinitionError, InputError, StoreError
from journeykit.model.definition import document_of
from journeykit.model.segments import Persona
from journeykit.model.yaml_text import yaml_text
from journeykit.ports import CatalogDocument
from journeykit.runtime.discovery import Discoverer, Discovery, Group, rfm_fields
from journeykit.runtime.headcount import Scan
from journeykit.runtime.likeness import DAYS_SINCE, FactReader, Likeness
from journeykit.workspace import Workspace
from journeykit.workspace.reading import meant

_FAVORITES = {"favorite_hour": "hour", "favorite_channel": "channel"}
_SHOWN = 3  # favorite hours and channels that are told


@click.group("personas", invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """Say who the customers are, and find groups that nobody has named yet.

    Without a subcommand it is `list` of the workspace that you are in.
    """
    if context.invoked_subcommand is None:
        context.invoke(
            list_,
            workspace=Path(),
            data=None,
            stack=None,
            names=(),
            at=None,
            as_json=False,
        )


# Who they are


@command.command("list")
@in_workspace
@in_a_stack
@click.option(
    "--persona",
    "names",
    metavar="ID",
    multiple=True,
    help="Only this one; may be said more than once.",
)
@as_of
@with_json
def list_(
    *,
    workspace: Path,
    data: Path | None,
    stack: str | None,
    names: Sequence[str],
    at: datetime | None,
    as_json: bool,
) -> None:
    """Show the personas of a workspace: their story, and the people behind it."""
    personas = Workspace.load(workspace).personas
    if not personas:
        click.echo(
            "there are no personas; declare some in personas.py or personas.yaml,"
        )
        click.echo("or let some be found: journeykit personas discover")
        return
    known = [persona.id for persona in personas]
    for name in names:
        if name not in known:
            raise InputError(f"there is no persona {name!r}; {meant(name, known)}")
    wanted = [one for one in personas if one.id in names or not names]
    now = present(at)
    known_people, why_not = _crowd(workspace, data, stack, wanted, now)
    if as_json:
        document = {
            "at": isoformat(now),
            "everybody": known_people.everybody.count if known_people else None,
            "personas": [_document(one, known_people) for one in wanted],
        }
        click.echo(json.dumps(document, ensure_ascii=False, indent=2))
        return
    for place, persona in enumerate(wanted):
        if place:
            click.echo("")
        for line in _card(persona, known_people):
            click.echo(line)
    if why_not:
        click.echo("")
        for line in wrapped(f"how many they are is not known: {why_not}"):
            click.echo(line)


class _Crowd(NamedTuple):
    """Everybody, and those of some segments.

    Attributes:
        everybody: All customers.
        segments: Segment to those who are in it; those that are published.
        stages: The published stages, in their order.
        favorites: Facts that say which hour, or channel, somebody prefers, with the word.
    """

    everybody: Likeness
    segments: Mapping[str, Likeness]
    stages: Sequence[str]
    favorites: Mapping[str, str]


def _crowd(
    workspace: Path,
    data: Path | None,
    stack: str | None,
    personas: Sequence[Persona],
    now: int,
) -> tuple[_Crowd | None, str]:
    """Count those behind personas; None, and why, where nobody can be counted."""
    try:
        with crowd(workspace, data, stack) as known:
            return _gathered(known.scan, known.catalog, personas, now), ""
    except (StoreError, DefinitionError) as error:
        return None, str(error)


def _gathered(
    scan: Scan, catalog: CatalogDocument, personas: Sequence[Persona], now: int
) -> _Crowd:
    audience = catalog.audience
    live = {segment["id"] for segment in audience.get("segments") or ()}
    traits = audience.get("traits") or ()
    reader = FactReader(traits)
    everybody = Likeness()
    segments = {one.segment: Likeness() for one in personas if one.segment in live}
    for customer in with_progress(scan):
        facts = reader.facts(customer, now)
        everybody.add(facts)
        for name in segments.keys() & customer.segments.keys():
            segments[name].add(facts)
    return _Crowd(
        everybody,
        segments,
        [stage["id"] for stage in audience.get("stages") or ()],
        {
            f"trait.{trait['name']}": _FAVORITES[trait["type"]]
            for trait in traits
            if trait["type"] in _FAVORITES
        },
    )


def _share(crowd: _Crowd, here: Likeness) -> float:
    return here.count / crowd.everybody.count if crowd.everybody.count else 0.0


def _typical(persona: Persona, crowd: _Crowd, here: Likeness) -> list[Any]:
    """What is typical, without what the card says elsewhere."""
    said = {f"segment.{persona.segment}", "trait.stage", *crowd.favorites}
    every = here.typical(crowd.everybody, most=DIFFERENCES + len(said))
    return [each for each in every if each.field not in said][:DIFFERENCES]


def _stages(crowd: _Crowd, here: Likeness) -> dict[str, tuple[int, float]]:
    counts = dict(here.words("trait.stage"))
    known = {stage: counts.get(stage, 0) for stage in crowd.stages}
    if rest := here.count - sum(known.values()):
        known["(none)"] = rest
    return {name: (count, count / here.count) for name, count in known.items() if count}


def _favorites(
    crowd: _Crowd, here: Likeness
) -> Iterator[tuple[str, str, list[tuple[str, int]]]]:
    for field, what in sorted(crowd.favorites.items()):
        if words := here.words(field):
            yield field, what, list(words[:_SHOWN])


def _card(persona: Persona, crowd: _Crowd | None) -> Iterator[str]:
    """A persona in words."""
    yield rule(persona.name or persona.id)
    yield from row("id", persona.id if persona.name else "")
    here = crowd.segments.get(persona.segment) if crowd else None
    yield from row("segment", f"{persona.segment}{_size(crowd, here)}")
    for name in ("story", "motivation", "questions", "friction"):
        for place, line in enumerate(getattr(persona, name)):
            yield from row("" if place else name, line)
    yield from row("owner", persona.owner)
    if crowd is None or here is None or not here.count:
        return
    for _, what, words in _favorites(crowd, here):
        told = ", ".join(f"{w} ({percent(n / here.count)})" for w, n in words)
        yield from row(what, told)
    if crowd.stages:
        yield faint("  how far they have come")
        yield from share_lines(_stages(crowd, here))
    yield faint("  what is typical of them")
    yield from typical_lines(_typical(persona, crowd, here))


def _size(crowd: _Crowd | None, here: Likeness | None) -> str:
    if crowd is None:
        return ""
    if here is None:
        return ", which isn't published: journeykit publish"
    share = percent(_share(crowd, here))
    return f": {here.count:,} of {people(crowd.everybody.count)}, {share}"


def _document(persona: Persona, crowd: _Crowd | None) -> dict[str, Any]:
    """A persona as JSON values."""
    told = document_of(persona, form="plan")
    here = crowd.segments.get(persona.segment) if crowd else None
    if crowd is None or here is None:
        return {**told, "customers": None}
    return {
        **told,
        "customers": here.count,
        "share": _share(crowd, here),
        "stages": {
            name: {"customers": count, "share": share}
            for name, (count, share) in _stages(crowd, here).items()
        }
        if crowd.stages
        else {},
        "favorites": {
            field: dict(words) for field, _, words in _favorites(crowd, here)
        },
        "typical": typical_json(_typical(persona, crowd, here)),
    }


# Groups that nobody has named yet


@command.command("discover")
@in_workspace
@in_a_stack
@click.option(
    "--by",
    type=click.Choice(["rfm", "clusters"]),
    default="rfm",
    show_default=True,
    help="By recency, frequency and monetary value; or by who is near whom.",
)
@click.option(
    "--recency", metavar="TRAIT", default="", help="rfm: a Last, the instant."
)
@click.option("--frequency", metavar="TRAIT", default="", help="rfm: a Count.")
@click.option("--monetary", metavar="TRAIT", default="", help="rfm: a Sum.")
@click.option(
    "--feature",
    "features",
    metavar="FIELD",
    multiple=True,
    help="clusters: look at this one only, trait.orders or profile.age; or at these.",
)
@click.option(
    "--groups",
    metavar="N",
    type=click.IntRange(2, 8),
    help="clusters: so many groups; those that are best apart if not given.",
)
@click.option(
    "--seed",
    metavar="N",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    show_default=True,
    help="clusters: another number may give other groups; the same, the same.",
)
@as_of
@click.option(
    "--define",
    type=click.Choice(["segments", "personas"]),
    help="Print the definitions for segments.yaml, or personas.yaml, and nothing else.",
)
@with_json
def discover(
    *,
    workspace: Path,
    data: Path | None,
    stack: str | None,
    by: str,
    recency: str,
    frequency: str,
    monetary: str,
    features: Sequence[str],
    groups: int | None,
    seed: int,
    at: datetime | None,
    define: str | None,
    as_json: bool,
) -> None:
    """Find groups among the customers, tell what is typical of each, and define it.

    Nothing is stored. `rfm` names the groups that everybody names (champions, at risk,
    lost); `clusters` finds those that are there, and needs journeykit[discover].
    """
    now = present(at)
    with crowd(workspace, data, stack) as known:
        catalog = known.catalog
        progress = Progress("customers read")
        discoverer = Discoverer(
            known.scan, catalog.audience, catalog.policies, now, progress
        )
        try:
            if by == "rfm":
                traits = catalog.audience.get("traits") or ()
                fields = rfm_fields(
                    traits, recency=recency, frequency=frequency, monetary=monetary
                )
                found = discoverer.by_rfm(fields)
            else:
                found = discoverer.by_clusters(
                    names=[_fact(name, catalog) for name in features],
                    groups=groups,
                    seed=seed,
                )
        finally:
            progress.done()
    if define:
        click.echo(_defined(found, define, by, now), nl=False)
        return
    if as_json:
        document = _discovered(found, by, now)
        click.echo(json.dumps(document, ensure_ascii=False, indent=2))
        return
    for line in _told(found, by):
        click.echo(line)


def _fact(field: str, catalog: CatalogDocument) -> str:
    """A feature as facts are called: an instant is the days since then."""
    root, _, name = field.partition(".")
    if root not in ("trait", "profile") or not name:
        raise InputError(f"--feature {field!r}: write trait.NAME or profile.NAME")
    for trait in catalog.audience.get("traits") or ():
        is_instant = trait["type"] in ("first", "last") and trait["value"] is None
        if trait["name"] == name and root == "trait":
            is_instant = is_instant or trait["type"] == "expected"
            return f"{DAYS_SINCE}{field}" if is_instant else field
    return field


def _told(found: Discovery, by: str) -> Iterator[str]:
    everybody = found.everybody
    yield from wrapped(
        f"{people(everybody.count)}, in {len(found.groups)} groups by {_how(found, by)}"
    )
    if found.sampled < everybody.count - (found.rest if by == "rfm" else 0):
        yield f"the groups are those of a sample of {found.sampled:,}"
    total = everybody.count or 1
    yield from share_lines(
        {
            **{g.id: (g.size, g.size / total) for g in found.groups},
            **(
                {"(never bought)": (found.rest, found.rest / total)}
                if found.rest
                else {}
            ),
        }
    )
    for group in found.groups:
        yield ""
        yield rule(f"{group.id} · {people(group.size)}")
        yield from row("they", group.story)
        if by == "rfm":
            yield from row("mean", _means(found, group))
        yield from typical_lines(group.typical(everybody, most=DIFFERENCES))
        if group.when is None:
            yield "  no short condition tells them from the others"
            continue
        yield from row("when", group.when.text)
        if by == "clusters":
            yield from row(
                "how well",
                f"it finds {percent(group.recall)} of them, and {percent(group.precision)} "
                f"of the {group.found:,} whom it finds are of them",
            )
    yield ""
    yield from wrapped(
        "To keep some: the same command with --define segments > segments.yaml, and "
        "--define personas > personas.yaml"
    )


def _how(found: Discovery, by: str) -> str:
    detail = found.detail
    if by == "rfm":
        names = (detail["recency"], detail["frequency"], detail["monetary"])
        return f"trait.{', trait.'.join(filter(None, names))}"
    return (
        f"{len(detail['features'])} features, "
        f"silhouette {detail['silhouette']:.2f} (1 is best, 0 is no groups)"
    )


def _means(found: Discovery, group: Group) -> str:
    """The mean of what an RFM group is made by."""
    detail = found.detail
    facts = {
        "days ago": f"{DAYS_SINCE}trait.{detail['recency']}",
        "times": f"trait.{detail['frequency']}",
        "together": f"trait.{detail['monetary']}",
    }
    means = {word: group.likeness.mean(fact) for word, fact in facts.items()}
    return ", ".join(
        f"{amount(m)} {word}" for word, m in means.items() if m is not None
    )


def _origin(found: Discovery, group: Group, by: str, now: int) -> str:
    count = found.everybody.count
    share = percent(group.size / count)
    day = f"{to_datetime(now):%Y-%m-%d}"
    how = "RFM" if by == "rfm" else "clustering"
    return f"Found by {how} on {day}: {group.size:,} of {people(count)}, {share}"


def _defined(found: Discovery, what: str, by: str, now: int) -> str:
    """Definitions as YAML, for the file of their kind."""
    parts = []
    for group in found.groups:
        origin = _origin(found, group, by, now)
        segment = group.segment(
            how=f"They {group.story}. {origin}" if group.story else origin
        )
        if segment is None:
            continue
        item: object = segment
        if what == "personas":
            story = [f"They {group.story}."] if group.story else []
            story += typical_words(group.typical(found.everybody))
            item = group.persona([*story, origin])
        lines = yaml_text(document_of(item, form="yaml")).splitlines()
        parts += [
            f"{'  ' if place else '- '}{line}" for place, line in enumerate(lines)
        ]
    return "\n".join(parts) + "\n"


def _discovered(found: Discovery, by: str, now: int) -> dict[str, Any]:
    return {
        "by": by,
        "at": isoformat(now),
        "customers": found.everybody.count,
        "sampled": found.sampled,
        "in_none": found.rest,
        "detail": dict(found.detail),
        "groups": [
            {
                "id": group.id,
                "story": group.story,
                "customers": group.size,
                "share": group.size / found.everybody.count,
                "typical": typical_json(
                    group.typical(found.everybody, most=DIFFERENCES)
                ),
                "when": None if group.when is None else group.when.text,
                "found": group.found,
                "recall": group.recall,
                "precision": group.precision,
            }
            for group in found.groups
        ],
    }
