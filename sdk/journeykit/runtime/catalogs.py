"""The newest published catalog, compiled; and what the next one is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import msgspec
from msgspec.structs import replace

from journeykit.engine.brought import brought
from journeykit.engine.catalog import NOT_SCHEDULED, Catalog, State
from journeykit.engine.guards import ChannelRules, PluginGuard
from journeykit.engine.steps import Call, Send
from journeykit.engine.suppressions import EMPTY, SuppressionList
from journeykit.engine.uniqueness import ACTION as CLAIM
from journeykit.errors import (
    DefinitionError,
    NewerStore,
    StaleCatalog,
    StoreError,
    UnknownAction,
    UnknownChannel,
)
from journeykit.model.shapes import Shapes
from journeykit.ports import CatalogDocument, Catalogs, Contents
from journeykit.runtime.release import release
from journeykit.runtime.suppressing import listed

NOTHING_PUBLISHED = "nothing is published yet; publish a workspace: journeykit publish"
_RACES = 5  # lost to other publishers
_TOO_MANY = "somebody else publishes all the time; try again"


_SCHEMA = 1  # the latest shape of a catalog that this release reads


class _Schema(msgspec.Struct):
    schema: int = _SCHEMA


def read_catalog(document: bytes) -> CatalogDocument:
    """Read a published catalog, as JSON.

    Raises:
        NewerStore: A later release wrote it.
        StoreError: It is damaged.
    """
    try:
        schema = msgspec.json.decode(document, type=_Schema).schema
        if schema <= _SCHEMA:
            return msgspec.json.decode(document, type=CatalogDocument)
    except ValueError as error:
        raise StoreError(f"the published catalog can't be read: {error}") from error
    raise NewerStore(
        f"the catalog was published by a later journeykit (schema {schema}, this one "
        f"reads up to {_SCHEMA}); deploy that release here too"
    )


class CatalogSource(Protocol):
    """Who knows the newest catalog."""

    def __call__(self, *, fresh: bool = False) -> Catalog:
        """Return it.

        Args:
            fresh: Whether it must be the very newest: somebody has seen a newer one
                than was returned last.
        """
        ...


class LiveCatalog:
    """The newest catalog, compiled once a revision. Any thread may ask.

    Attributes:
        document: What it was compiled from.
    """

    def __init__(
        self,
        catalogs: Catalogs,
        *,
        channels: Mapping[str, ChannelRules],
        actions: Collection[str] = (),
        guards: Mapping[str, PluginGuard] = {},
        contents: Contents | None = None,
        ask_every_ms: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Compile nothing yet.

        Args:
            catalogs: Where they are published.
            channels: The pure parts of the channels that are carried here.
            actions: The actions that are provided here.
            guards: The guards of plugins, set up, by name.
            contents: Where the list of suppressed addresses is; without it no catalog can
                be run that names one.
            ask_every_ms: How long the newest revision is believed to be that, where
                asking for it costs something; 0: it is asked for each time.
            clock: Seconds, that only go on.
        """
        self._catalogs = catalogs
        self._channels = channels
        self._actions = frozenset(actions)
        self._guards = guards
        self._contents = contents
        self._suppressions: tuple[str, SuppressionList] = ("", EMPTY)
        self._ask_every_s = ask_every_ms / 1000
        self._clock = clock
        self._asked_at = 0.0
        self._catalog: Catalog | None = None
        self._lock = threading.Lock()
        self.document: CatalogDocument | None = None

    def __call__(self, *, fresh: bool = False) -> Catalog:
        """Return the newest catalog, or the one that was it a moment ago.

        Args:
            fresh: Whether it must be the newest, however short ago that was asked.

        Raises:
            DefinitionError: Nothing is published, or this process can't run it.
            StoreError: It can't be read.
        """
        catalog = self._catalog
        now = self._clock()
        if catalog is not None:
            if not fresh and now - self._asked_at < self._ask_every_s:
                return catalog
            if catalog.revision == self._catalogs.revision():
                self._asked_at = now
                return catalog
        with self._lock:
            catalog = self._loaded()
            self._asked_at = now
            return catalog

    def _loaded(self) -> Catalog:
        document = self._catalogs.current()
        if document is None:
            raise DefinitionError(NOTHING_PUBLISHED)
        if self._catalog is None or self._catalog.revision != document.revision:
            try:
                catalog = self._compiled(document)
            except DefinitionError as error:
                raise DefinitionError(
                    f"catalog revision {document.revision}, published by journeykit "
                    f"{document.release}, can't run here: {error}"
                ) from error
            self._catalog, self.document = catalog, document
        return self._catalog

    def _compiled(self, document: CatalogDocument) -> Catalog:
        if document.suppressions != self._suppressions[0]:
            found = listed(document, self._contents)
            self._suppressions = document.suppressions, found
        catalog = compiled(
            document,
            channels=self._channels,
            guards=self._guards,
            suppressions=self._suppressions[1],
        )
        # Of the live versions only: what a version before it sends that nobody carries
        # any more waits at its customer, and must not keep all others from running.
        for plan in catalog.live.values():
            if catalog.state_of(plan.id) in ("closed", "stopped"):
                continue  # nobody enters it any more
            if plan.unique is not None and CLAIM not in self._actions:
                raise UnknownAction(
                    f"nobody provides action {CLAIM!r}, by which journey {plan.id!r} "
                    f"(version {plan.version}) finds out who is unique; install who does"
                )
            for step in plan.steps.values():
                if isinstance(step, Send):
                    for name in step.channels:
                        if name not in self._channels:
                            raise UnknownChannel(
                                f"nobody carries channel {name!r}, which step "
                                f"{step.id!r} of journey {plan.id!r} (version "
                                f"{plan.version}) uses; install who does, or say who "
                                f"does, in journeykit.toml under [channels]: {name} = "
                                '"console"'
                            )
                elif isinstance(step, Call) and step.action not in self._actions:
                    raise UnknownAction(
                        f"nobody provides action {step.action!r}, which step "
                        f"{step.id!r} of journey {plan.id!r} (version {plan.version}) "
                        "calls; install who does"
                    )
        return catalog


def compiled(
    document: CatalogDocument,
    *,
    channels: Mapping[str, ChannelRules],
    guards: Mapping[str, PluginGuard] = {},
    suppressions: SuppressionList = EMPTY,
) -> Catalog:
    """Compile a published catalog.

    Args:
        document: What was published.
        channels: The pure parts of the channels that are carried here.
        guards: The guards of plugins, set up, by name.
        suppressions: The addresses that nothing goes to: `document.suppressions`.

    Raises:
        DefinitionError: It is damaged, or of a release that knows more than this one.
    """
    states: dict[str, State] = {}
    for journey, state in document.states.items():
        if state not in ("paused", "stopped", "draft", "closed"):
            raise DefinitionError(
                f"journey {journey!r} is in state {state!r:.40}, which this release "
                "doesn't know"
            )
        states[journey] = state  # type: ignore[assignment]
    return Catalog.compile(
        document.journeys,
        policies=document.policies,
        channels=channels,
        states=states,
        revision=document.revision,
        guards=guards,
        facts=document.facts,
        suppressions=suppressions,
        audience=document.audience,
        shapes=Shapes(document.schemas),
    )


class Draft(NamedTuple):
    """What somebody wants to publish.

    Attributes:
        journeys: Plan documents by journey, of their authors' versions.
        fingerprints: What tells two versions of a journey apart, by journey.
        policies: The plan document of the policies.
        states: Journeys that are not simply live, as the workspace says.
        content: The id of the templates; empty: there are none. None: whoever publishes
            knows of no templates, so what is live stays.
        facts: What channels say about the templates, by channel.
        audience: The plan document of traits, segments and stages.
        schemas: What events must hold to be taken: JSON Schema by name.
    """

    journeys: Mapping[str, Mapping[str, Any]]
    fingerprints: Mapping[str, str]
    policies: Mapping[str, Any]
    states: Mapping[str, str] = {}
    content: str | None = None
    facts: Mapping[str, Mapping[str, Any]] = {}
    audience: Mapping[str, Any] = {}
    schemas: Mapping[str, Any] = {}


class Published(NamedTuple):
    """The next catalog, and what is new in it.

    Attributes:
        document: What to publish; its revision is the next one.
        added: Journeys that were not there: journey to version.
        changed: Journeys with a new version: journey to it.
        closed: Journeys that are no longer in the workspace.
        policies: Whether the policies have changed.
        states: Journeys whose state is another one now.
        templates: Whether the templates have changed, or what channels say about them.
        audience: The traits, segments and stages that are new, different or gone:
            `segment vip`.
        schemas: The events whose schemas are new, different or gone.
    """

    document: CatalogDocument
    added: Mapping[str, int]
    changed: Mapping[str, int]
    closed: Sequence[str]
    policies: bool
    states: Mapping[str, str]
    templates: bool = False
    audience: Sequence[str] = ()
    schemas: Sequence[str] = ()

    @property
    def judges_anew(self) -> bool:
        """Whether everybody is to be judged anew: see `engine.audience`."""
        return self.document.audience.get("at") == self.document.at

    @property
    def is_new(self) -> bool:
        """Whether anything differs from what is published."""
        return bool(
            self.added
            or self.changed
            or self.closed
            or self.policies
            or self.states
            or self.templates
            or self.audience
            or self.schemas
        )


OPERATED = ("paused", "stopped")
"""States that an operator or a breaker may have set, which a publish leaves alone."""


def next_catalog(
    current: CatalogDocument | None,
    draft: Draft,
    *,
    at: int,
    note: str = "",
    in_use: Collection[tuple[str, int]] | None = None,
) -> Published:
    """Say what publishing a draft makes of the current catalog, with `pin`.

    Whoever is in flight stays on the version they entered; a journey whose fingerprint
    differs from the live one gets the next version number, or its author's if that is
    higher. A journey that is no longer there is closed: nobody enters, runs go on.

    Args:
        current: The newest catalog; None: there is none.
        draft: What is to be live.
        at: When, milliseconds.
        note: What changed, in the publisher's words.
        in_use: Journeys and versions that somebody runs on; others that were not live
            until now are left out. None: all are kept.
    """
    known = current or CatalogDocument(0, at, "", [], {})
    live = live_versions(known)
    plans = [
        plan
        for plan in known.journeys
        if in_use is None
        or live[plan["id"]] == plan["version"]
        or (plan["id"], plan["version"]) in in_use
    ]
    added: dict[str, int] = {}
    changed: dict[str, int] = {}
    for id, plan in draft.journeys.items():
        if id in live and known.fingerprints.get(id) == draft.fingerprints[id]:
            continue
        number = max(plan["version"], live[id] + 1) if id in live else plan["version"]
        (changed if id in live else added)[id] = number
        plans.append(_begun({**plan, "version": number}, at))
    gone = live.keys() - draft.journeys.keys()
    theirs = _by_workspace(known)
    states = {
        id: state
        for id, state in known.states.items()
        if state in OPERATED and id not in theirs
    }
    reasons = {id: known.reasons[id] for id in states if id in known.reasons}
    said = {
        id: state
        for id, state in draft.states.items()
        if id not in states and id in draft.journeys and state != "live"
    }
    states |= said
    reasons |= dict.fromkeys(said, _WORKSPACE)
    for id in gone:
        if states.get(id) != "stopped":
            states[id], reasons[id] = "closed", "no longer in the workspace"
    woken = [
        id
        for id in known.states
        if not _is_scheduled(known.states, id) and _is_scheduled(states, id)
    ]
    audience, differing = next_audience(
        known,
        draft.audience,
        revision=known.revision + 1,
        at=at,
        plans=_bringing(plans, states),
    )
    document = CatalogDocument(
        revision=known.revision + 1,
        at=at,
        release=release(),
        journeys=_begun_anew(plans, woken, at),
        policies=dict(draft.policies),
        states=states,
        reasons=reasons,
        fingerprints={**known.fingerprints, **draft.fingerprints},
        note=note,
        by_workspace=sorted(said),
        relay=known.relay,
        suppressions=known.suppressions,
        content=known.content if draft.content is None else draft.content,
        facts=(
            known.facts
            if draft.content is None
            else {name: dict(said) for name, said in draft.facts.items() if said}
        ),
        audience=audience,
        schemas=dict(draft.schemas),
    )
    return Published(
        document,
        added,
        changed,
        closed=sorted(id for id in gone if known.states.get(id) != "closed"),
        policies=document.policies != known.policies,
        states={
            id: states.get(id, "live")
            for id in sorted(states.keys() | known.states.keys())
            if states.get(id) != known.states.get(id) and id not in gone
        },
        templates=(document.content, document.facts) != (known.content, known.facts),
        audience=differing,
        schemas=[
            name
            for name in sorted(known.schemas.keys() | draft.schemas.keys())
            if known.schemas.get(name) != draft.schemas.get(name)
        ],
    )


_PARTS = (("trait", "name"), ("segment", "id"), ("stage", "id"))


def next_audience(
    known: CatalogDocument,
    drafted: Mapping[str, Any],
    *,
    revision: int,
    at: int,
    plans: Sequence[Mapping[str, Any]],
) -> tuple[dict[str, Any], list[str]]:
    """Say what becomes of the audience, and what of it is new, different or gone.

    Args:
        known: The current catalog.
        drafted: The plan document of traits, segments and stages that are to be live.
        revision: In which revision of the catalog.
        at: When, milliseconds.
        plans: The journeys that anybody may enter then.

    Returns:
        The document with `since`, by trait and by `segment:` and `stage:` and their
        names, when each definition was first published; `defined`, the revision and
        instant of all that customers are judged by, hidden or not; and `at`, when
        anything of these was published.
    """
    before = known.audience
    since: dict[str, int] = {}
    differing: list[str] = []
    for part, key in _PARTS:
        earlier = {item[key]: item for item in before.get(f"{part}s") or ()}
        now = {item[key]: item for item in drafted.get(f"{part}s") or ()}
        for name, item in now.items():
            called = name if part == "trait" else f"{part}:{name}"
            if earlier.get(name) == item:
                since[called] = before.get("since", {}).get(called, 0)
            else:
                since[called] = at
                differing.append(f"{part} {name}")
        differing += [f"{part} {name}" for name in earlier if name not in now]
        if list(earlier) != list(now) and set(earlier) == set(now) and part == "stage":
            differing.append("the order of the stages")
    hidden = _hidden(plans)
    if not (since or hidden or differing):
        return {}, []
    known_plans = _bringing(known.journeys, known.states)
    same = not differing and hidden == _hidden(known_plans)
    earlier_parts = _parts_of(before, known_plans)
    defined = {
        called: before.get("defined", {}).get(called, [0, 0])
        if earlier_parts.get(called) == part
        else [revision, at]
        for called, part in _parts_of(drafted, plans).items()
    }
    document = {
        **{f"{part}s": list(drafted.get(f"{part}s") or ()) for part, _ in _PARTS},
        "since": since,
        "defined": defined,
        "at": before.get("at", 0) if same else at,
    }
    return document, differing


def _parts_of(
    audience: Mapping[str, Any], plans: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """All that customers are judged by, as the engine calls it; the stages are one."""
    hidden = [brought(plan) for plan in plans]
    traits = [*(audience.get("traits") or ()), *(t for b in hidden for t in b.traits)]
    segments = [
        *(audience.get("segments") or ()),
        *(s for b in hidden for s in b.segments),
    ]
    found: dict[str, Any] = {f"trait:{item['name']}": item for item in traits}
    found |= {f"segment:{item['id']}": item for item in segments}
    if stages := list(audience.get("stages") or ()):
        found["stages"] = stages
    return found


def _bringing(
    plans: Sequence[Mapping[str, Any]], states: Mapping[str, str]
) -> list[Mapping[str, Any]]:
    """The newest versions of the journeys whose triggers are asked."""
    newest: dict[str, Mapping[str, Any]] = {}
    for plan in plans:
        other = newest.get(plan["id"])
        if other is None or other["version"] < plan["version"]:
            newest[plan["id"]] = plan
    return [
        plan for id, plan in newest.items() if states.get(id) not in ("draft", "closed")
    ]


def _hidden(plans: Sequence[Mapping[str, Any]]) -> list[tuple[Any, Any]]:
    """The traits and segments that triggers bring along, in an order of their own."""
    found = [tuple(brought(plan)) for plan in plans]
    return sorted(((t, s) for t, s in found if t or s), key=repr)


def _is_scheduled(states: Mapping[str, str], journey: str) -> bool:
    """Whether the schedules of a journey go on in its state."""
    return states.get(journey, "live") not in NOT_SCHEDULED


def _begun(plan: Mapping[str, Any], at: int) -> dict[str, Any]:
    """A plan that says since when its schedules count, if it has any."""
    has_one = any(trigger.get("type") == "schedule" for trigger in plan["trigger"])
    return {**plan, "published_at": at} if has_one else dict(plan)


def _begun_anew(
    plans: Sequence[dict[str, Any]], journeys: Collection[str], at: int
) -> list[dict[str, Any]]:
    """Plans of which some journeys' schedules count from now on: they were out of use."""
    return [_begun(plan, at) if plan["id"] in journeys else plan for plan in plans]


_WORKSPACE = "journeykit.toml"


def _by_workspace(document: CatalogDocument) -> set[str]:
    """The journeys whose state is the workspace's word and not an operator's."""
    if document.by_workspace is None:  # by then only the reason told it
        return {id for id, said in document.reasons.items() if said == _WORKSPACE}
    return set(document.by_workspace)


def has_old_versions(document: CatalogDocument) -> bool:
    """Whether a catalog holds versions that nobody enters any more."""
    return len(document.journeys) > len(live_versions(document))


def live_versions(document: CatalogDocument) -> dict[str, int]:
    """The newest version of each journey."""
    live: dict[str, int] = {}
    for plan in document.journeys:
        live[plan["id"]] = max(plan["version"], live.get(plan["id"], 0))
    return live


def with_state(
    current: CatalogDocument, journey: str, state: str, *, at: int, reason: str
) -> CatalogDocument:
    """The next catalog, in which one journey is in another state.

    Raises:
        DefinitionError: There is no such journey, or it is in no state for that.
    """
    known = live_versions(current)
    if journey not in known:
        raise DefinitionError(
            f"no journey {journey!r} is published; there are "
            f"{', '.join(map(repr, sorted(known))) or 'none'}"
        )
    if current.states.get(journey) == "closed" and state != "stopped":
        raise DefinitionError(
            f"journey {journey!r} is closed: the workspace that was published last "
            "doesn't hold it; publish one that does"
        )
    states = {id: old for id, old in current.states.items() if id != journey}
    reasons = {id: old for id, old in current.reasons.items() if id != journey}
    if state != "live":
        states[journey], reasons[journey] = state, reason
    begins = not _is_scheduled(current.states, journey) and _is_scheduled(
        states, journey
    )
    audience, _ = next_audience(
        current,
        current.audience,
        revision=current.revision + 1,
        at=at,
        plans=_bringing(current.journeys, states),
    )
    return replace(
        current,
        journeys=_begun_anew(current.journeys, [journey] if begins else [], at),
        revision=current.revision + 1,
        at=at,
        release=release(),
        states=states,
        reasons=reasons,
        note=f"{journey}: {state}" + (f", {reason}" if reason else ""),
        by_workspace=sorted(_by_workspace(current) - {journey}),
        audience=audience,
    )


UNHEALTHY = "unhealthy"
"""What `CatalogDocument.relay` says while the relay is down; else it is empty."""


def with_relay(current: CatalogDocument, relay: str, *, at: int) -> CatalogDocument:
    """The next catalog, in which the relay is `UNHEALTHY`, or healthy again (empty)."""
    return replace(
        current,
        revision=current.revision + 1,
        at=at,
        release=release(),
        relay=relay,
        note=f"relay: {relay or 'healthy'}",
    )


def set_relay(store: Catalogs, relay: str, *, now: int) -> CatalogDocument:
    """Say how the relay is; return the catalog that is live then.

    Raises:
        DefinitionError: Nothing is published.
        StaleCatalog: Others publish all the time.
    """
    for _ in range(_RACES):
        current = store.current()
        if current is None:
            raise DefinitionError(NOTHING_PUBLISHED)
        if current.relay == relay:
            return current
        document = with_relay(current, relay, at=now)
        try:
            store.publish(document)
        except StaleCatalog:
            continue
        return document
    raise StaleCatalog(_TOO_MANY)


class Operated(Catalogs, Protocol):
    """Where catalogs are, and the counts that breakers go by."""

    def reset_tallies(self, journeys: Collection[str]) -> None:
        """Count from 0 again."""
        ...


def set_state(
    store: Operated, journey: str, state: State, *, now: int, reason: str
) -> CatalogDocument:
    """Pause, resume or stop a journey; whoever waits for it is not visited yet.

    Returns:
        The catalog that is live then; the one that was if it said so already.

    Raises:
        DefinitionError: There is no such journey, or nothing is published.
        StaleCatalog: Others publish all the time.
    """
    for _ in range(_RACES):
        current = store.current()
        if current is None:
            raise DefinitionError(NOTHING_PUBLISHED)
        document = with_state(current, journey, state, at=now, reason=reason)
        if current.states.get(journey, "live") == state:
            return current
        if state == "live":  # before, so that a live one never has the old counts
            store.reset_tallies([journey])
        try:
            store.publish(document)
        except StaleCatalog:
            continue
        return document
    raise StaleCatalog(_TOO_MANY)
