"""A workspace: the folder in which a team keeps its journeys and what they share.

    journeykit.toml     its name, who carries which channel, what is paused
    journeys/           *.py, *.yaml, *.json
    policies.py         or policies.yaml; so too touchpoints, objectives, traits,
                        segments, stages and personas
    schemas.py          what events and profiles hold, as pydantic models
    templates/          what is sent

Python files are run, each by itself; every Journey at the top level of one counts. All
problems of all files are collected before any is raised.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from journeykit.carriers import rules_of, set_up
from journeykit.channels import ANY, Action, Channel
from journeykit.content.templates import Library
from journeykit.engine.catalog import Catalog, State
from journeykit.engine.traits import TRAITS_BYTES, TraitRules
from journeykit.errors import (
    DefinitionError,
    InputError,
    InvalidJourney,
    Problem,
    Source,
    UnknownChannel,
)
from journeykit.guarding import Guard
from journeykit.links import LinkSettings, settings_of
from journeykit.model.check import Issue, Schemas, check
from journeykit.model.definition import placed
from journeykit.model.identity import IdentityRules, rules_of as identity_of
from journeykit.model.issues import by_weight, issue
from journeykit.model.journey import Journey
from journeykit.model.mapping import Objective, Touchpoint
from journeykit.model.memberships import Audience
from journeykit.model.policies import Policies
from journeykit.model.segments import Persona, Segment, Stage, audience_plan
from journeykit.model.steps import Call, Send
from journeykit.model.traits import AnyTrait, Trait
from journeykit.model.watching import WatchSettings, watching_of
from journeykit.plugins import Registry
from journeykit.scoring import Score
from journeykit.sources import Source as EventSource
from journeykit.workspace.ingest import IngestSettings, enforced, ingest_of
from journeykit.workspace.reading import SETTINGS, Reading, line_of, meant
from journeykit.workspace.retention import RetentionSettings, retention_of
from journeykit.workspace.scores import ScoreSettings, scores_of
from journeykit.workspace.templates import TemplateCheck


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """What is in the folder, each part of it right by itself.

    Attributes:
        path: The folder.
        name: What people call it; the folder's name if not given.
        journeys: In the order of their files; those without a time zone have the
            workspace's.
        policies: The rules of sending; none if there is no file.
        touchpoints: Where customers and company meet.
        objectives: What the journeys serve.
        traits: What is computed of the customers' events.
        segments: Who customers are, as conditions say.
        stages: The lifecycle, the earliest stage first.
        personas: Segments as people to picture.
        templates: The names in `templates/`, without their endings.
        providers: Who carries a channel, by channel.
        settings: What is set for a provider or an action, by its name.
        states: Journeys that are not simply live.
        schemas: What events and profiles hold.
        loggable: Fields whose values the decision log may hold.
        identity: Which identifiers say whom an event is about.
        content: How templates are read: `engine`, `locale`.
        links: The links in messages, and the pages behind them.
        seeds: Addresses that test traffic really goes to, by channel.
        guarded_by: The guards of plugins that are asked, by name.
        scored_by: The models that are asked about customers, and how often.
        ingest: What may come in, and from where.
        retention: For how long what is kept.
        watch: What is looked after every day, and whom to tell.
    """

    path: Path
    name: str
    journeys: Sequence[Journey] = ()
    policies: Policies = field(default_factory=Policies)
    touchpoints: Sequence[Touchpoint] = ()
    objectives: Sequence[Objective] = ()
    traits: Sequence[Trait] = ()
    segments: Sequence[Segment] = ()
    stages: Sequence[Stage] = ()
    personas: Sequence[Persona] = ()
    templates: frozenset[str] = frozenset()
    providers: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    states: Mapping[str, State] = field(default_factory=dict)
    schemas: Schemas = field(default_factory=Schemas)
    loggable: frozenset[str] = frozenset()
    identity: IdentityRules = field(default_factory=IdentityRules)
    content: Mapping[str, str] = field(default_factory=dict)
    links: LinkSettings = field(default_factory=LinkSettings)
    seeds: Mapping[str, Sequence[str]] = field(default_factory=dict)
    guarded_by: Sequence[str] = ()
    scored_by: ScoreSettings = field(default_factory=ScoreSettings)
    ingest: IngestSettings = field(default_factory=IngestSettings)
    retention: RetentionSettings = field(default_factory=RetentionSettings)
    watch: WatchSettings = field(default_factory=WatchSettings)
    _library: Library = field(default_factory=Library, repr=False)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a workspace.

        Raises:
            InputError: The folder is no workspace.
            InvalidJourney: Something in it is wrong; the issues of all files.
        """
        folder = Path(path)
        if not _is_file(folder / SETTINGS):
            what = "has no journeykit.toml" if folder.is_dir() else "is no folder"
            raise InputError(
                f"{what}, so it is no workspace; `journeykit init {folder}` makes one",
                place=str(folder),
            )
        try:
            return cls._read(folder)
        except OSError as error:  # such as a folder that nobody may open
            place = str(error.filename or folder)
            raise InputError(f"can't be read: {error.strerror}", place=place) from error

    @classmethod
    def _read(cls, folder: Path) -> Self:
        reading = Reading(folder)
        settings = reading.settings()
        library = reading.templates(settings)
        no_rules = placed(Policies(), Source(str(folder / "policies.yaml"), 1))
        loaded = cls(
            path=folder,
            name=settings.name or folder.resolve().name,
            journeys=reading.journeys(settings),
            policies=reading.one("policies", Policies, no_rules),
            touchpoints=reading.several("touchpoints", Touchpoint),
            objectives=reading.several("objectives", Objective),
            traits=reading.several("traits", Trait, kinds=AnyTrait),
            segments=reading.several("segments", Segment),
            stages=reading.several("stages", Stage),
            personas=reading.several("personas", Persona),
            templates=library.names,
            providers=settings.channels,
            settings=settings.settings,
            states=settings.states,
            schemas=reading.schemas(),
            loggable=frozenset(settings.loggable),
            identity=identity_of(settings.identity),
            content=settings.content,
            links=settings_of(settings.links),
            seeds=settings.seeds,
            guarded_by=tuple(settings.guards),
            scored_by=scores_of(settings.scores),
            ingest=ingest_of(settings.ingest),
            retention=retention_of(settings.retention),
            watch=watching_of(settings.watch),
            _library=library,
        )
        if reading.problems:
            raise _refusal(folder, reading.problems)
        return loaded

    @property
    def audience(self) -> dict[str, Any]:
        """The plan document of traits, segments and stages; empty without any."""
        if not (self.traits or self.segments or self.stages):
            return {}
        return audience_plan(self.traits, self.segments, self.stages)

    @property
    def enforced(self) -> dict[str, Any]:
        """What events must hold to be taken: JSON Schema by name; empty: anything.

        Raises:
            DefinitionError: The schemas can't be published.
        """
        return enforced(self.ingest, self.schemas)

    def all_templates(self) -> Library:
        """Return the templates; without any if there is no folder `templates/`."""
        return self._library

    def journey(self, id: str) -> Journey:
        """The journey of this id.

        Raises:
            InputError: There is none; the message names the one spelled alike.
        """
        for journey in self.journeys:
            if journey.id == id:
                return journey
        known = [journey.id for journey in self.journeys]
        raise InputError(
            f"there is no journey {id!r}; {meant(id, known)}", place=str(self.path)
        )

    def check(self, registry: Registry | None = None) -> list[Issue]:
        """List what is wrong; without a registry nobody knows what is installed."""
        issues: list[Issue] = []
        said: set[tuple[str, str]] = set()
        carried: set[str] | None = None
        if registry is not None:
            carriers, issues = self._carriers(registry)
            carried = {*carriers, *(name for name, _ in registry.channels)} - {ANY}
            issues += self._actions(registry)[1]
            issues += self._guards(registry)[1]
            issues += self._scores(registry)[1]
            issues += self._sources(registry)[1]
            templates = TemplateCheck(
                self.path,
                self._library,
                registry.engines,
                has_links=self.links.links(self.name) is not None,
            )
            found = templates.issues(self.journeys, carriers)
            issues += found
            issues += [each for each in self._tried(registry) if each not in found]
            said = {
                (each.journey, each.step) for each in found if each.level == "error"
            }
        if not (self.path / "journeys").is_dir():
            place = Source(str(self.path / SETTINGS), 1)
            problem = (
                "there is no folder journeys/, so nobody enters anything; make one"
            )
            issues.append(Issue("warning", problem, place))
        issues += (
            each
            for each in _without_template(self.journeys, self.templates)
            if (each.journey, each.step) not in said
        )
        issues += check(
            self.journeys,
            channels=carried,
            actions=None if registry is None else registry.actions,
            policies=self.policies,
            touchpoints=self.touchpoints,
            objectives=self.objectives,
            schemas=self.schemas,
            audience=Audience(
                self.traits,
                self.segments,
                self.stages,
                self.personas,
                scores=self.scored_by.run,
            ),
        )
        issues += _too_large(self.traits)
        return sorted(issues, key=by_weight)

    def _tried(self, registry: Registry) -> list[Issue]:
        """Compose each message once, and say what comes of it."""
        if not self._library.files:
            return []
        # Imported here: it loads all media, which nobody else needs of a workspace.
        from journeykit.workspace.trials import Trials

        return [*Trials(self, registry).issues()]

    def channels(self, registry: Registry) -> dict[str, Channel]:
        """Say who carries each channel that a journey names, with its settings.

        Raises:
            InvalidJourney: Somebody is missing, or set up wrongly.
        """
        carriers, issues = self._carriers(registry)
        carried = {*carriers, *(name for name, _ in registry.channels)} - {ANY}
        for name, send in _sends(self.journeys):
            if name not in carriers and not any(
                repr(name) in i.message for i in issues
            ):
                way_out = meant(name, carried)
                message = (
                    f"nobody carries channel {name!r}; {way_out}"
                    f"{' Or' if way_out.endswith('?') else '; or'} say who does, in "
                    f'{SETTINGS} under [channels]: {name} = "console"'
                )
                issues.append(issue("error", message, send))
        if issues:
            raise _refusal(self.path, issues)
        return carriers

    def actions(self, registry: Registry) -> dict[str, Action]:
        """Return each action that a journey calls, with its settings.

        The other installed ones are there as well, as far as they are set up: people may
        be on an earlier version of a journey, which calls them.

        Raises:
            InvalidJourney: Somebody is missing, or set up wrongly.
        """
        actions, issues = self._actions(registry)
        for call in _calls(self.journeys):
            if call.action not in registry.actions:
                message = (
                    f"nobody provides action {call.action!r}; "
                    f"{meant(call.action, registry.actions)}"
                )
                issues.append(issue("error", message, call))
        if issues:
            raise _refusal(self.path, issues)
        return actions

    def guards(self, registry: Registry) -> dict[str, Guard]:
        """Return the guards that the workspace names, with their settings.

        Raises:
            InvalidJourney: One is not installed, or set up wrongly.
        """
        guards, issues = self._guards(registry)
        if issues:
            raise _refusal(self.path, issues)
        return guards

    def sources(self, registry: Registry) -> dict[str, EventSource]:
        """Return the sources that the workspace names, with their settings.

        Raises:
            InvalidJourney: One is not installed, or set up wrongly.
        """
        sources, issues = self._sources(registry)
        if issues:
            raise _refusal(self.path, issues)
        return sources

    def scores(self, registry: Registry) -> dict[str, Score]:
        """Return the models that the workspace names, with their settings.

        Raises:
            InvalidJourney: One is not installed, or set up wrongly.
        """
        scores, issues = self._scores(registry)
        if issues:
            raise _refusal(self.path, issues)
        return scores

    def facts(
        self, channels: Mapping[str, Channel], library: Library | None = None
    ) -> dict[str, Mapping[str, object]]:
        """Return what channels say about the templates, for their own rules.

        Args:
            channels: Who carries the channels.
            library: The templates; None: those of the workspace.
        """
        known = self.all_templates() if library is None else library
        return {
            name: facts
            for name, channel in sorted(channels.items())
            if channel.medium
            and (facts := channel.facts(known.documents(channel.medium)))
        }

    def catalog(self, registry: Registry, *, revision: int = 1) -> Catalog:
        """Compile everything that decides.

        Raises:
            InvalidJourney: Somebody is missing to carry a channel.
        """
        carriers = self.channels(registry)
        return Catalog.compile(
            self.journeys,
            policies=self.policies,
            channels={name: rules_of(channel) for name, channel in carriers.items()},
            states=self.states,
            revision=revision,
            guards=self.guards(registry),
            facts=self.facts(carriers),
            audience=self.audience,
        )

    def _carriers(self, registry: Registry) -> tuple[dict[str, Channel], list[Issue]]:
        """Find who carries what, and what is wrong with journeykit.toml about it."""
        carriers: dict[str, Channel] = {}
        problems: list[str] = []
        told = {contact.channel for contact in self.watch.contacts}
        for name in sorted(_used(self.journeys) | self.providers.keys() | told):
            provider = self.providers.get(name)
            try:
                channel = registry.channel(name, provider)
                who = channel.provider or channel.name
                carriers[name] = set_up(channel, who, self.settings, folder=self.path)
            except UnknownChannel as error:
                if provider is not None:  # else `check` says it where it is used
                    problems.append(f"channels.{name}: {error}")
                elif name in told:
                    problems.append(f"watch.tell: {error}")
            except DefinitionError as error:
                problems.append(f'channels: {error}; write {name} = "…"')
            except InputError as error:
                problems.append(f"settings.{error}")
        known = {*(provider for _, provider in registry.channels)}
        known |= {*registry.actions, *registry.guards, *registry.scores}
        known |= {*registry.sources}
        problems += [
            f"settings.{name}: there is no such provider, action, guard or score; "
            f"{meant(name, known)}"
            for name in sorted(self.settings.keys() - known)
        ]
        problems += self._unwatched()
        there = {*carriers, *(name for name, _ in registry.channels)} - {ANY}
        problems += [
            f"seeds.{name}: nobody carries channel {name!r}; {meant(name, there)}"
            for name in sorted(self.seeds.keys() - there)
        ]
        return carriers, self._in_settings(problems)

    def _unwatched(self) -> Iterator[str]:
        """Name the journeys with a rule for `watch` that aren't there."""
        known = [journey.id for journey in self.journeys]
        for id in sorted(self.watch.journeys.keys() - {*known}):
            yield f"watch.journeys.{id}: there is no journey {id!r}; {meant(id, known)}"

    def _actions(self, registry: Registry) -> tuple[dict[str, Action], list[Issue]]:
        """Find who does what, and what is wrong with journeykit.toml about it."""
        actions: dict[str, Action] = {}
        problems: list[str] = []
        wanted = {call.action for call in _calls(self.journeys)} | self.settings.keys()
        for name, action in registry.actions.items():
            try:
                # A copy, as the runtime gives an action more than settings.
                own = copy(action)
                actions[name] = set_up(own, name, self.settings, folder=self.path)
            except InputError as error:
                if name in wanted:
                    problems.append(f"settings.{error}")
        return actions, self._in_settings(problems)

    def _guards(self, registry: Registry) -> tuple[dict[str, Guard], list[Issue]]:
        """Set up the guards, and find what is wrong with journeykit.toml about it."""
        guards: dict[str, Guard] = {}
        problems: list[str] = []
        for name in self.guarded_by:
            guard = registry.guards.get(name)
            if guard is None:
                problems.append(
                    f"guards: there is no guard {name!r}; "
                    f"{meant(name, registry.guards)}"
                )
                continue
            try:
                guards[name] = guard.configured(self.settings.get(name, {}))
            except InputError as error:
                problems.append(f"settings.{error}")
        return guards, self._in_settings(problems)

    def _scores(self, registry: Registry) -> tuple[dict[str, Score], list[Issue]]:
        """Set up the models, and find what is wrong with journeykit.toml about it."""
        scores: dict[str, Score] = {}
        problems: list[str] = []
        computed = {trait.name for trait in self.traits}
        for name in self.scored_by.run:
            score = registry.scores.get(name)
            if score is None:
                problems.append(
                    f"scores.run: there is no score {name!r}; "
                    f"{meant(name, registry.scores)}"
                )
                continue
            if computed & {name, f"{name}_at"}:
                problems.append(
                    f"scores.run: a trait is called {name!r} as well, or "
                    f"{name + '_at'!r}; call that one something else"
                )
            try:
                scores[name] = score.configured(self.settings.get(name, {}))
            except InputError as error:
                problems.append(f"settings.{error}")
        return scores, self._in_settings(problems)

    def _sources(
        self, registry: Registry
    ) -> tuple[dict[str, EventSource], list[Issue]]:
        """Set up the sources, and find what is wrong with journeykit.toml about it."""
        sources: dict[str, EventSource] = {}
        problems: list[str] = []
        for name in self.ingest.sources:
            source = registry.sources.get(name)
            if source is None:
                problems.append(
                    f"ingest.sources: there is no source {name!r}; "
                    f"{meant(name, registry.sources)}"
                )
                continue
            try:
                sources[name] = source.configured(self.settings.get(name, {}))
            except InputError as error:
                problems.append(f"settings.{error}")
        return sources, self._in_settings(problems)

    def _in_settings(self, problems: Sequence[str]) -> list[Issue]:
        """Say in which line of journeykit.toml each problem is."""
        path = self.path / SETTINGS
        text = path.read_text("utf-8-sig") if problems and path.is_file() else ""
        return [
            Issue("error", problem, Source(str(path), line_of(text, key)))
            for problem in problems
            for key in [problem.partition(":")[0]]
        ]


def _too_large(traits: Sequence[Trait]) -> Iterator[Issue]:
    """Refuse traits that would take more of a customer's document than there is."""
    rules = [TraitRules.compile([trait.to_plan()]) for trait in traits]
    sizes = [rule.most_bytes for rule in rules]
    if sum(sizes) > TRAITS_BYTES:
        by_size = sorted(zip(sizes, traits, strict=True), key=lambda pair: -pair[0])
        most = ", ".join(f"{trait.name} {size:,}" for size, trait in by_size[:3])
        yield issue(
            "error",
            f"the traits of a customer may take {TRAITS_BYTES:,} bytes, these take up to "
            f"{sum(sizes):,}: {most}; keep fewer events one by one (exact=…), or do "
            "without one",
            by_size[0][1],
        )


def _without_template(
    journeys: Iterable[Journey], templates: Collection[str]
) -> Iterator[Issue]:
    """Hint at templates without a file; where there is none, they are kept elsewhere."""
    for journey in journeys if templates else ():
        for step in journey.walk():
            # A name that is empty is an error already.
            if (
                isinstance(step, Send)
                and step.template.strip()
                and step.template not in templates
            ):
                yield issue(
                    "hint",
                    f"there is no file of template {step.template!r} in templates/; "
                    f"{meant(step.template, templates)}",
                    step,
                    journey=journey.id,
                    step=step.id or "",
                )


def _used(journeys: Iterable[Journey]) -> set[str]:
    """The channels that the journeys name."""
    return {name for name, _ in _sends(journeys)}


def _sends(journeys: Iterable[Journey]) -> Iterator[tuple[str, Send]]:
    """Each channel that a Send names, with it."""
    for journey in journeys:
        for step in journey.walk():
            if isinstance(step, Send):
                yield from ((name, step) for name in step.channel)


def _calls(journeys: Iterable[Journey]) -> Iterator[Call]:
    """Each step that calls an action."""
    for journey in journeys:
        for step in journey.walk():
            if isinstance(step, Call):
                yield step


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError as error:
        raise InputError(f"can't be read: {error.strerror}", place=str(path)) from error


def _refusal(folder: Path, issues: Sequence[Issue | Problem]) -> InvalidJourney:
    problems = [
        i if isinstance(i, Problem) else Problem(i.message, *(i.source or ()))
        for i in issues
    ]
    count = len(problems)
    title = f"{folder}: {count} problems" if count > 1 else ""
    return InvalidJourney(title, issues=problems)
