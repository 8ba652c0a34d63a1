"""What the publish function does: what operators ask for, and what they are told.

A request is a JSON object with one of these fields, and an answer one with the same:

    {"publish": {"draft": {…}, "expected": 7, "note": "…", "dry_run": false}}
    {"state": {"journey": "cart", "state": "paused", "reason": "…"}}
    {"status": {}}
    {"relay": "unhealthy"}     or "": customers keep their commands for longer meanwhile
    {"suppressions": {"add": [[key, channel, reason, at], …], "remove": [key, …]}}
    {"suppressions": {"after": "", "limit": 1000}} the list, page by page
    {"identities": {"who": key}}  or {"conflicts": 100}, {"settle": [key, customer]},
                               {"merge": [customer, into]}
    {"repair": {"cursor": ""}} passes on again what the relay may have lost; as long as
                               the answer is not `done`, ask again with its `cursor`

or, if it can't be done, `{"error": {"kind": "StaleCatalog", "message": "…"}}`. Nothing but
the role that may invoke the function says who may ask.

**A publish** goes in this order, and may be killed anywhere and said again:

1. The draft is held against what is live, and nothing is done if nothing is new.
2. What it becomes must run here: this bundle carries each channel and does each action,
   and each channel of a live journey has its queue in this stack.
3. The templates are kept, where nobody looks yet. The bus brings what the new catalog hears, beside what the old one did.
4. Visits begin of those whom a changed state concerns. They come to the first customer
   when all functions go by the new catalog. Later they would be lost with whoever is
   killed in between: said again, nothing is new. A visit too many is only a nudge.
5. The catalog is stored: from here on it is live.
6. What nobody hears any more is not brought any more.

All versions of a journey stay in the catalog: to know which nobody runs on, all customers
would have to be read, which takes minutes and money for each publish. A version is 1 to 2
KB, compressed; a catalog takes several thousand of them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, TypedDict

import msgspec

from journeykit.aws.bus import names_of
from journeykit.aws.messages import stimulus_parcel
from journeykit.aws.settings import Settings
from journeykit.aws.templates import concurrency_of
from journeykit.engine.calendar import isoformat
from journeykit.engine.catalog import Catalog, State
from journeykit.engine.steps import Send
from journeykit.engine.suppressions import SuppressionList
from journeykit.errors import (
    DefinitionError,
    InputError,
    JourneyKitError,
    StaleCatalog,
    UnknownChannel,
)
from journeykit.model.identity import ALIAS
from journeykit.ports import CatalogDocument
from journeykit.runtime.catalogs import (
    NOTHING_PUBLISHED,
    UNHEALTHY,
    Draft,
    LiveCatalog,
    Published,
    compiled,
    live_versions,
    next_catalog,
    set_relay,
)
from journeykit.runtime.concerned import (
    EVERYBODY,
    LAUNCH,
    everybody_is,
    has_schedules,
    launched_in,
)
from journeykit.runtime.identities import merge_of
from journeykit.runtime.states import changed_state
from journeykit.runtime.suppressing import (
    Addition,
    change_list,
    checked_addition,
    listed,
    with_additions,
)

if TYPE_CHECKING:
    from journeykit.aws.parts import Parts

_RACES = 5  # lost to other publishers
_STORED_MS = 20_000  # so long storing a catalog may take: see `visits.SETTLED_S`


class DraftDocument(msgspec.Struct, forbid_unknown_fields=True):
    """A `Draft`, as it travels; the fields are the same."""

    journeys: dict[str, dict[str, Any]]
    fingerprints: dict[str, str]
    policies: dict[str, Any]
    states: dict[str, str] = {}
    content: str | None = None
    facts: dict[str, dict[str, Any]] = {}
    audience: dict[str, Any] = {}
    schemas: dict[str, Any] = {}


class PublishRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Make a draft the live catalog.

    Attributes:
        draft: What is to be live.
        expected: The revision that the publisher has looked at; None: whichever.
        note: What changed, in the publisher's words.
        dry_run: Whether only to say what would be new.
        templates: Those that the draft names, compressed; in Base64.
        existing: Journeys to launch, too, for who is by now in what they are about.
    """

    draft: DraftDocument
    expected: int | None = None
    note: str = ""
    dry_run: bool = False
    templates: bytes = b""
    existing: list[str] = []


class StateRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Pause a journey, let it go on (`live`), or stop it."""

    journey: str
    state: State
    reason: str = ""


class RepairRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Pass on again what the relay may have lost; see `repair`.

    Attributes:
        cursor: Where the last run stopped; empty: begin.
        everything: Whether to pass on commands of any age.
        looking: Whether only to count.
    """

    cursor: str = ""
    everything: bool = False
    looking: bool = False


class SuppressionsRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Change the list of addresses that nothing goes to, or read it.

    Attributes:
        add: Addresses to put on it.
        remove: Keys of addresses to take off it.
        anew: Whether to begin with an empty list.
        after: To read: behind which key; None: it is to be changed.
        limit: To read: how many at most.
    """

    add: list[tuple[str, str, str, int | None]] = []
    remove: list[str] = []
    anew: bool = False
    after: str | None = None
    limit: int = 1000


class IdentitiesRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Ask who is who, or say so: one of these.

    Attributes:
        who: A key, `ids.identity_key`: whose it is.
        conflicts: How many to list, the latest first.
        settle: A key and a claimant: that conflict is dealt with.
        merge: Two customers: the first becomes part of the second.
    """

    who: str | None = None
    conflicts: int | None = None
    settle: tuple[str, str] | None = None
    merge: tuple[str, str] | None = None


class ScoreRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Ask models about all customers.

    Attributes:
        names: The scores; all that the bundle has if none is named.
    """

    names: list[str] = []


class Request(msgspec.Struct, forbid_unknown_fields=True):
    """What an operator asks for: one of these."""

    publish: PublishRequest | None = None
    state: StateRequest | None = None
    status: dict[str, Any] | None = None
    relay: str | None = None
    repair: RepairRequest | None = None
    suppressions: SuppressionsRequest | None = None
    score: ScoreRequest | None = None
    identities: IdentitiesRequest | None = None


class _Rules(TypedDict):
    """Which rules of the bus are ours, and where they bring events."""

    prefix: str
    target_arn: str
    dead_letter_arn: str
    kinds: Sequence[str]


class Publishing:
    """Answers operators."""

    def __init__(
        self, parts: Parts, settings: Settings, *, clock: Callable[[], int]
    ) -> None:
        """Join the parts."""
        self._parts = parts
        self._settings = settings
        self._clock = clock

    def answer(
        self, request: Mapping[str, Any], *, time_left: Callable[[], int]
    ) -> dict[str, Any]:
        """Do what is asked for, and say what came of it; a refusal is an answer too."""
        try:
            asked = _asked(request)
            if asked.publish is not None:
                return {"publish": self._publish(asked.publish)}
            if asked.state is not None:
                return {"state": self._set_state(asked.state)}
            if asked.relay is not None:
                return {"relay": self._set_relay(asked.relay)}
            if asked.suppressions is not None:
                return {"suppressions": self._suppress(asked.suppressions)}
            if asked.identities is not None:
                return {"identities": self._identify(asked.identities)}
            if asked.score is not None:
                return {"score": self._score(asked.score)}
            if asked.repair is not None:
                return {"repair": self._repair(asked.repair, time_left)}
            return {"status": self._status()}
        except JourneyKitError as error:
            return {"error": {"kind": type(error).__name__, "message": str(error)}}

    # --- who is who ------------------------------------------------------------------

    def _identify(self, asked: IdentitiesRequest) -> dict[str, Any]:
        identities = self._parts.identities
        if asked.who is not None:
            return {"customer": identities.owners([asked.who]).get(asked.who, "")}
        if asked.conflicts is not None:
            listed = identities.contested(asked.conflicts)
            return {"conflicts": [msgspec.to_builtins(one) for one in listed]}
        if asked.settle is not None:
            return {"settled": identities.reconcile(*asked.settle)}
        if asked.merge is not None:
            customer, into = asked.merge
            if customer == into:
                raise InputError("nobody becomes part of themselves")
            now = self._clock()
            merge = merge_of(customer, into, at=now)
            self._parts.queue("wakes_queue").send([stimulus_parcel(merge)])
        return {}

    def _score(self, asked: ScoreRequest) -> dict[str, Any]:
        from journeykit.aws.scores import begin

        wakes, known = self._parts.queue("wakes_queue"), self._parts.manifest.scores
        return {"scores": [*begin(asked.names, known, wakes, now=self._clock())]}

    # --- publish ---------------------------------------------------------------------

    def _publish(self, asked: PublishRequest) -> dict[str, Any]:
        catalogs, now = self._parts.catalogs, self._clock()
        current = catalogs.current()
        revision = current.revision if current else 0
        if asked.expected is not None and asked.expected != revision:
            raise StaleCatalog(
                f"catalog revision {revision} is live, and not {asked.expected}; "
                "look at what has changed since, then publish again"
            )
        draft = Draft(
            asked.draft.journeys,
            asked.draft.fingerprints,
            asked.draft.policies,
            asked.draft.states,
            asked.draft.content,
            asked.draft.facts,
            asked.draft.audience,
            asked.draft.schemas,
        )
        if draft.content:
            _check(draft.content, asked.templates)
        published = next_catalog(current, draft, at=now, note=asked.note)
        is_new = current is None or published.is_new
        visits: list[tuple[str, str]] = []
        launched = [(LAUNCH, journey) for journey in dict.fromkeys(asked.existing)]
        catalog = self._proven(published.document) if is_new or launched else None
        if catalog is not None:
            launched = [one for one in launched if launched_in(catalog, one[1])]
        if catalog is not None and not asked.dry_run:
            if is_new:
                visits = [*_concerned(current, published)]
                if draft.content:  # first, so that no catalog names what isn't there
                    self._parts.contents.keep_content(draft.content, asked.templates)
                self._make_live(published, catalog, [*visits, *launched])
            else:
                self._visit_all(launched)
        known = live_versions(current) if current is not None else {}
        return {
            "revision": published.document.revision if is_new else revision,
            "before": revision,
            "is_new": is_new,
            "added": dict(published.added),
            "changed": {
                journey: [known[journey], number]
                for journey, number in published.changed.items()
            },
            "closed": list(published.closed),
            "policies": published.policies,
            "states": dict(published.states),
            "templates": published.templates,
            "audience": list(published.audience),
            "schemas": list(published.schemas),
            "visited": [journey for _, journey in visits],
            "launched": [journey for _, journey in launched],
        }

    def _proven(self, document: CatalogDocument) -> Catalog:
        """Return the catalog, if it can run here.

        Raises:
            DefinitionError: It can't; the message says what is missing.
        """
        catalog = LiveCatalog(
            _Only(document),
            channels=self._parts.rules,
            actions=self._parts.manifest.actions,
            contents=self._parts.contents,
        )()
        prefix = self._settings.required("deliver_queues").rpartition("/")[2]
        for plan in catalog.live.values():
            if catalog.state_of(plan.id) in ("closed", "stopped"):
                continue
            for step in plan.steps.values():
                for channel in step.channels if isinstance(step, Send) else ():
                    if not self._parts.levels.exists(prefix + channel):
                        raise UnknownChannel(
                            f"channel {channel!r}, which step {step.id!r} of journey "
                            f"{plan.id!r} uses, has no queue in this stack; deploy "
                            f"with --parameter {concurrency_of(channel)}=2 (0 means not "
                            "deployed), then publish once more; a channel of your own "
                            "needs a block in template.yaml first"
                        )
        return catalog

    def _make_live(
        self,
        published: Published,
        catalog: Catalog,
        visits: Sequence[tuple[str, str]],
    ) -> None:
        """Store the catalog, have the bus bring what it hears, and people visited.

        Raises:
            StaleCatalog: Somebody else has published in between; nothing is changed.
        """
        self._hear(catalog)
        begun_at = self._clock()
        self._visit_all(visits)
        self._parts.catalogs.publish(published.document)
        if self._clock() - begun_at > _STORED_MS:  # they would look too early
            self._visit_all(visits)
        self._parts.tallies.reset_tallies({*published.added, *published.changed})
        for _ in range(_RACES):
            self._listen(catalog)
            newest = self._parts.catalogs.current()
            if newest is None or newest.revision == catalog.revision:
                return
            # Somebody has published meanwhile: what they hear is to be brought too.
            catalog = compiled(newest, channels=self._parts.rules)

    def _hear(self, catalog: Catalog) -> None:
        self._parts.bus.hear(names_of(catalog), **self._rules())

    def _listen(self, catalog: Catalog) -> None:
        self._parts.bus.listen(names_of(catalog), **self._rules())

    def _rules(self) -> _Rules:
        return {
            "prefix": self._settings.listen_rules,
            "target_arn": self._settings.required("events_queue_arn"),
            "dead_letter_arn": self._settings.required("dead_letter_queue_arn"),
            "kinds": (ALIAS, *self._parts.manifest.identity.kinds),
        }

    def _visit_all(self, visits: Sequence[tuple[str, str]]) -> None:
        for reason, journey in visits:
            self._visit(reason, journey)

    def _visit(self, reason: str, journey: str) -> None:
        self._parts.visits.begin(reason, journey, now=self._clock())

    # --- addresses that nothing goes to ------------------------------------------------

    def _suppress(self, asked: SuppressionsRequest) -> dict[str, Any]:
        catalogs, contents, now = (
            self._parts.catalogs,
            self._parts.contents,
            self._clock(),
        )
        if asked.after is not None:
            known = listed(catalogs.current(), contents)
            behind = (item for item in known if item.key > (asked.after or ""))
            return {"items": [list(item) for item in islice(behind, asked.limit)]}
        items = [checked_addition(Addition(*item)) for item in asked.add]

        def changed(known: SuppressionList) -> SuppressionList:
            return with_additions(known, items, now=now).without(asked.remove)

        before, after = change_list(
            catalogs, contents, changed, now=now, anew=asked.anew
        )
        return {
            "before": len(before),
            "after": len(after),
            "same": before.id == after.id,
        }

    # --- the rest --------------------------------------------------------------------

    def _set_state(self, asked: StateRequest) -> dict[str, Any]:
        """Change a journey's state, and visit whom it concerns; twice does no harm.

        Raises:
            DefinitionError: There is no such journey, or it is in no state for that.
        """
        done = changed_state(
            Operated(self._parts),
            asked.journey,
            asked.state,
            now=self._clock(),
            reason=asked.reason,
        )
        if asked.state in ("live", "stopped"):
            reason = "resume" if asked.state == "live" else "stop"
            # Who is stopped is out of its schedules, which are to begin anew for everybody.
            is_everybody = done.before == "stopped" and has_schedules(
                done.catalog, asked.journey
            )
            self._visit(reason, EVERYBODY if is_everybody else asked.journey)
        return {
            "journey": asked.journey,
            "before": done.before,
            "state": done.catalog.states.get(asked.journey, "live"),
            "reason": done.catalog.reasons.get(asked.journey, ""),
            "revision": done.catalog.revision,
        }

    def _set_relay(self, relay: str) -> dict[str, Any]:
        if relay not in ("", UNHEALTHY):
            raise InputError(f"{relay!r:.40}: say {UNHEALTHY!r}, or '' if it is well")
        catalog = set_relay(self._parts.catalogs, relay, now=self._clock())
        return {"relay": catalog.relay, "revision": catalog.revision}

    def _repair(
        self, asked: RepairRequest, time_left: Callable[[], int]
    ) -> dict[str, Any]:
        done = self._parts.repair.run(
            now=self._clock(),
            cursor=asked.cursor,
            everything=asked.everything,
            looking=asked.looking,
            time_left=time_left,
        )
        repaired: dict[str, Any] = msgspec.to_builtins(done)
        return repaired

    def _status(self) -> dict[str, Any]:
        """How the stack stands, as far as that can be told without reading everybody."""
        catalog = self._parts.catalogs.current()
        if catalog is None:
            raise DefinitionError(NOTHING_PUBLISHED)
        tallies = self._parts.tallies.tallies()
        return {
            "at": isoformat(self._clock()),
            "catalog": {
                "revision": catalog.revision,
                "published_at": isoformat(catalog.at),
                "note": catalog.note,
            },
            "relay": catalog.relay,
            "journeys": [
                {
                    "journey": journey,
                    "state": catalog.states.get(journey, "live"),
                    "reason": catalog.reasons.get(journey, ""),
                    "version": version,
                    "deliveries": dict(
                        zip(
                            ("sent", "failed"),
                            tallies.get(journey, (0, 0)),
                            strict=True,
                        )
                    ),
                }
                for journey, version in sorted(live_versions(catalog).items())
            ],
            "queues": {
                name: msgspec.to_builtins(level)
                for name, url in self._queues().items()
                if (level := self._parts.levels.of(url)) is not None
            },
        }

    def _queues(self) -> Mapping[str, str]:
        """The queues of the stack, by the names that operators know: their URLs."""
        settings = self._settings
        channels = self._parts.manifest.channels
        return {
            "events": settings.required("events_queue"),
            "wakes": settings.required("wakes_queue"),
            "feedback": settings.required("feedback_queue"),
            **{
                f"channel {name}": settings.required("deliver_queues") + name
                for name in sorted(channels)
            },
            "calls": settings.required("calls_queue"),
            "dead letters": settings.required("dead_letter_queue"),
        }


def _check(id: str, templates: bytes) -> None:
    """Look whether these are the templates that a draft names.

    Raises:
        InputError: They are not, or can't be read.
    """
    from journeykit.content.templates import Library

    if Library.from_bytes(templates).id != id:
        raise InputError("they are not those that the draft names", place="templates")


def _asked(request: Mapping[str, Any]) -> Request:
    """Read a request.

    Raises:
        InputError: It asks for nothing that there is, or for several things.
    """
    try:
        asked = msgspec.convert(request, Request)
    except msgspec.ValidationError as error:
        raise InputError(str(error), place="request") from error
    if sum(getattr(asked, name) is not None for name in Request.__struct_fields__) != 1:
        raise InputError(
            f"ask for one of {', '.join(Request.__struct_fields__)}", place="request"
        )
    return asked


def _concerned(
    before: CatalogDocument | None, published: Published
) -> Iterator[tuple[str, str]]:
    """Yield why people are visited, and the journeys of those whom it concerns."""
    if everybody_is(before, published.document):
        yield "publish", EVERYBODY
        return
    earlier = before.states if before is not None else {}
    for journey, state in published.states.items():
        if state == "stopped" or earlier.get(journey) == "paused":
            yield "publish", journey


class _Only:
    """Catalogs of which there is one, which is not published yet."""

    def __init__(self, document: CatalogDocument) -> None:
        self._document = document

    def revision(self) -> int:
        return self._document.revision

    def current(self) -> CatalogDocument:
        return self._document

    def publish(self, catalog: CatalogDocument) -> None:
        raise NotImplementedError


class Operated:
    """Where catalogs are, and the counts that breakers go by."""

    def __init__(self, parts: Parts) -> None:
        """Take whose they are; the counts are looked for when they are to go."""
        self.revision = parts.catalogs.revision
        self.current = parts.catalogs.current
        self.publish = parts.catalogs.publish
        self._parts = parts

    def reset_tallies(self, journeys: Collection[str]) -> None:
        """See `Deliveries.reset_tallies`."""
        self._parts.tallies.reset_tallies(journeys)
