"""The whole customer journey, stage by stage: where customers and company meet.

What is declared comes from the workspace: touchpoints with the customer's actions,
motivation, questions and friction, journeys with their stage, personas. What happened
comes from the logs: who is in which stage, who came from which, what was sent and
observed at each touchpoint. Without logs the map shows what is declared.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

from journeykit.errors import InputError
from journeykit.insight.flow import PEOPLE
from journeykit.insight.warehouse import Warehouse
from journeykit.model.journey import Journey
from journeykit.model.mapping import Touchpoint
from journeykit.model.names import Stage as LifecycleStage
from journeykit.model.segments import Persona
from journeykit.model.steps import Send
from journeykit.workspace import Workspace
from journeykit.workspace.reading import meant

LIFECYCLE: tuple[str, ...] = get_args(LifecycleStage)
"""Awareness, consideration, conversion, retention, advocacy."""

NO_STAGE = ""
"""Where people are of whom no stage's condition holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Met:
    """A touchpoint, and how often people were met there.

    Attributes:
        id: Its id; of a message that names none `JOURNEY/STEP`.
        stage: In which stage it lies.
        channel: Where it happens.
        owner: Who looks after it.
        actions: What the customer does there.
        motivation: Why.
        questions: What they ask themselves.
        friction: What stands in their way.
        event: The event that tells of it, if it is observed.
        steps: The steps that are it: journey and step.
        declared: Whether somebody declared it; otherwise it is a message of a journey.
        sent: Messages released there; None: nothing is sent there, or nobody counted.
        observed: How often its event came; None: nothing is observed there, or there is
            no archive to tell.
        people: How many people that were; None: nobody counted.
    """

    id: str
    stage: str
    channel: str
    owner: str = ""
    actions: tuple[str, ...] = ()
    motivation: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()
    friction: tuple[str, ...] = ()
    event: str = ""
    steps: tuple[tuple[str, str], ...] = ()
    declared: bool = True
    sent: int | None = None
    observed: int | None = None
    people: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StageJourney:
    """A journey of a stage.

    Attributes:
        id: Its id.
        name: What people call it; its id if they don't.
        entered: Runs that started, those held out among them; None: nobody counted.
        waiting: Runs under way at the end of the log.
        sent: Messages released.
        reached: Treated runs that reached a goal; None: it has none, or nobody counted.
    """

    id: str
    name: str
    entered: int | None = None
    waiting: int | None = None
    sent: int | None = None
    reached: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StageColumn:
    """One stage of the map.

    Attributes:
        id: Its id.
        name: What people call it.
        description: What it means.
        defined: Whether the workspace says who is in it.
        touchpoints: Where people are met in it.
        journeys: The journeys that belong to it.
        people: Who is in it at the end of the log; None: nobody counted.
    """

    id: str
    name: str
    description: tuple[str, ...] = ()
    defined: bool = False
    touchpoints: tuple[Met, ...] = ()
    journeys: tuple[StageJourney, ...] = ()
    people: int | None = None

    def notes(self, what: str) -> tuple[str, ...]:
        """The `actions`, `motivation`, `questions` or `friction` of its touchpoints."""
        found = [note for met in self.touchpoints for note in getattr(met, what)]
        return tuple(dict.fromkeys(found))


@dataclass(frozen=True, slots=True, kw_only=True)
class StageMove:
    """How often people went from one stage to another.

    Attributes:
        source: From which; empty: from none.
        target: To which; empty: to none.
        count: How often.
        people: How many people did.
    """

    source: str
    target: str
    count: int
    people: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonaRow:
    """A persona, and in which stages its people are.

    Attributes:
        id: Its id.
        name: What people call them.
        segment: The segment that they are.
        story: Who they are.
        motivation: What they want.
        questions: What they ask themselves.
        friction: What stands in their way.
        people: Who is in the segment at the end of the log; None: nobody counted.
        stages: Stage to those of them who are in it.
    """

    id: str
    name: str
    segment: str
    story: tuple[str, ...] = ()
    motivation: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()
    friction: tuple[str, ...] = ()
    people: int | None = None
    stages: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class StageMap:
    """The whole customer journey.

    Attributes:
        title: The workspace's name.
        definition: What is counted, over whom, when.
        counted: Whether there are logs behind it.
        columns: The stages, the earliest first.
        adrift: Touchpoints and messages without a stage.
        stageless: Journeys without a stage.
        people: Everybody in a stage; None: nobody counted.
        moves: Who went from which stage to which, the most frequent first.
        personas: Each persona.
        persona: Whom the counts are about; None: everybody.
        doubts: What may mislead: a sentence each.
    """

    title: str
    definition: str
    counted: bool
    columns: tuple[StageColumn, ...]
    adrift: tuple[Met, ...] = ()
    stageless: tuple[StageJourney, ...] = ()
    people: int | None = None
    moves: tuple[StageMove, ...] = ()
    personas: tuple[PersonaRow, ...] = ()
    persona: PersonaRow | None = None
    doubts: tuple[str, ...] = ()

    def column(self, id: str) -> StageColumn:
        """The stage of this id.

        Raises:
            KeyError: There is none.
        """
        return next(column for column in self.columns if column.id == id)

    @property
    def ahead(self) -> int:
        """Moves to a later stage."""
        return sum(move.count for move in self.moves if self._step(move) > 0)

    @property
    def back(self) -> int:
        """Moves to an earlier stage, or out of all."""
        return sum(move.count for move in self.moves if self._step(move) < 0)

    def _step(self, move: StageMove) -> int:
        order = {column.id: n for n, column in enumerate(self.columns)}
        return order.get(move.target, -1) - order.get(move.source, -1)


def stage_map(
    workspace: Workspace, house: Warehouse | None = None, *, persona: str = ""
) -> StageMap:
    """Make the map of a workspace.

    Args:
        workspace: What is declared.
        house: The logs; None: the map shows what is declared.
        persona: Count only people of this persona; empty: everybody.

    Raises:
        InputError: There is no such persona.
    """
    whom = persona_of(workspace, persona) if persona else None
    counts = _Counts(house, whom.segment if whom else "")
    ids = _columns(workspace)
    met = [*_declared(workspace, counts), *_undeclared(workspace, counts)]
    journeys = [
        (_stage_of(journey, workspace), _journey(journey, counts))
        for journey in workspace.journeys
    ]
    defined = {stage.id: stage for stage in workspace.stages}
    columns = tuple(
        StageColumn(
            id=id,
            name=(defined[id].name if id in defined else "") or id,
            description=_lines(defined[id].description) if id in defined else (),
            defined=id in defined,
            touchpoints=tuple(each for each in met if each.stage == id),
            journeys=tuple(each for stage, each in journeys if stage == id),
            people=counts.stages.get(id, 0) if counts.knows_stages else None,
        )
        for id in ids
    )
    rows = tuple(_row(each, house, ids) for each in workspace.personas)
    return StageMap(
        title=workspace.name,
        definition=_definition(whom, house),
        counted=house is not None,
        columns=columns,
        adrift=tuple(each for each in met if not each.stage),
        stageless=tuple(each for stage, each in journeys if not stage),
        people=sum(counts.stages.values()) if counts.knows_stages else None,
        moves=counts.moves if counts.knows_stages else (),
        personas=rows,
        persona=next((row for row in rows if row.id == persona), None),
        doubts=tuple(_doubts(workspace, house, counts, ids)),
    )


def persona_of(workspace: Workspace, id: str) -> Persona:
    """The persona of this id.

    Raises:
        InputError: There is none; the message names the one spelled alike.
    """
    for persona in workspace.personas:
        if persona.id == id:
            return persona
    known = [persona.id for persona in workspace.personas]
    raise InputError(f"there is no persona {id!r}; {meant(id, known)}")


def _columns(workspace: Workspace) -> list[str]:
    """The five stages and the workspace's own ones, each where it belongs.

    The workspace's order holds. One of the five that it doesn't define stands behind the
    one before it.
    """
    found = [stage.id for stage in workspace.stages]
    for place, id in enumerate(LIFECYCLE):
        if id not in found:
            before = [found.index(each) for each in LIFECYCLE[:place] if each in found]
            found.insert(max(before, default=-1) + 1, id)
    return found


def _stage_of(journey: Journey, workspace: Workspace) -> str:
    """A journey's stage: its own, or that of the first touchpoint that it names."""
    if journey.stage is not None:
        return journey.stage
    stages = {each.id: each.stage for each in workspace.touchpoints}
    named = [step.touchpoint for step in journey.walk() if step.touchpoint in stages]
    return stages[named[0]] if named and named[0] else ""


def _journey(journey: Journey, counts: _Counts) -> StageJourney:
    entered, waiting = counts.runs.get(journey.id, (0, 0))
    if not counts.counted:
        return StageJourney(id=journey.id, name=journey.name or journey.id)
    return StageJourney(
        id=journey.id,
        name=journey.name or journey.id,
        entered=entered,
        waiting=waiting,
        sent=sum(n for (id, _), (n, _) in counts.sent.items() if id == journey.id),
        reached=counts.reached.get(journey.id, 0) if journey.goals else None,
    )


def _declared(workspace: Workspace, counts: _Counts) -> Iterator[Met]:
    steps: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for journey in workspace.journeys:
        for step in journey.walk():
            if step.touchpoint:
                steps[step.touchpoint].append((journey.id, step.id or ""))
    for each in workspace.touchpoints:
        yield counts.met(each, steps[each.id])


def _undeclared(workspace: Workspace, counts: _Counts) -> Iterator[Met]:
    """Messages that name no touchpoint: people are met by them all the same."""
    for journey in workspace.journeys:
        for step in journey.walk():
            if isinstance(step, Send) and not step.touchpoint:
                sent, people = counts.at([(journey.id, step.id or "")])
                yield Met(
                    id=f"{journey.id}/{step.id}",
                    stage=_stage_of(journey, workspace),
                    channel=" or ".join(step.channel),
                    steps=((journey.id, step.id or ""),),
                    declared=False,
                    sent=sent,
                    people=people,
                )


class _Counts:
    """What the logs say, once for all.

    Attributes:
        counted: Whether there are logs.
        knows_stages: Whether they say anything of stages.
        has_archive: Whether there are events.
        stages: Stage to who is in it.
        moves: Who went where.
        runs: Journey to runs that entered, and that are under way.
        sent: Journey and step to messages, and to people.
        reached: Journey to treated runs that reached a goal.
    """

    def __init__(self, house: Warehouse | None, segment: str) -> None:
        self.house = house
        self.segment = segment
        self.counted = house is not None
        self.knows_stages = self.has_archive = False
        self.stages: dict[str, int] = {}
        self.moves: tuple[StageMove, ...] = ()
        self.runs: dict[str, tuple[int, int]] = {}
        self.sent: dict[tuple[str, str], tuple[int, int]] = {}
        self.reached: dict[str, int] = {}
        if house is not None:
            self._count(house)

    def _count(self, house: Warehouse) -> None:
        (stays,) = house.row("select count(*) from stays where kind = 'stage'")
        (events,) = house.row("select count(*) from events")
        self.knows_stages, self.has_archive = stays > 0, events > 0
        self.stages = dict(
            self.rows(
                "select name, count(*) from stays where kind = 'stage' and to_ms is null",
                "group by 1",
            )
        )
        self.moves = tuple(
            StageMove(source=source, target=target, count=count, people=people)
            for source, target, count, people in self.rows(_MOVES, _MOVED)
        )
        self.runs = {
            journey: (entered, waiting)
            for journey, entered, waiting in self.rows(
                "select journey, count(*), count(*) filter (outcome = 'waiting')"
                " from runs where not test",
                "group by 1",
            )
        }
        self.sent = {
            (journey, step): (count, people)
            for journey, step, count, people in self.rows(
                "select journey, step, count(*), count(distinct person)"
                " from messages where not test",
                "group by 1, 2",
            )
        }
        self.reached = dict(
            self.rows(
                "select journey, count(distinct run) from goals"
                " where not test and not held_out",
                "group by 1",
            )
        )

    def rows(self, select: str, rest: str, *values: Any) -> list[tuple[Any, ...]]:
        """Rows about the people who count."""
        if self.house is None:
            return []
        if self.segment:
            return self.house.rows(f"{select}{PEOPLE} {rest}", [*values, self.segment])
        return self.house.rows(f"{select} {rest}", list(values))

    def at(self, steps: Sequence[tuple[str, str]]) -> tuple[int | None, int | None]:
        """Messages released at some steps, and to how many people."""
        if not self.counted:
            return None, None
        found = [self.sent.get(step, (0, 0)) for step in steps]
        if len(found) == 1:
            return found[0]
        marks = ", ".join(["(?, ?)"] * len(steps))
        ((people,),) = self.rows(
            "select count(distinct person) from messages"
            f" where not test and (journey, step) in ({marks})",
            "",
            *(part for step in steps for part in step),
        )
        return sum(count for count, _ in found), people

    def met(self, each: Touchpoint, steps: Sequence[tuple[str, str]]) -> Met:
        """A declared touchpoint with its counts."""
        sent, reached = self.at(steps) if steps else (None, None)
        observed = seen = None
        if each.event is not None and self.has_archive:
            ((observed, seen),) = self.rows(
                "select count(*), count(distinct person) from events"
                " where not test and name = ?",
                "",
                each.event,
            )
        return Met(
            id=each.id,
            stage=each.stage,
            channel=each.channel,
            owner=each.owner,
            actions=_lines(each.actions),
            motivation=_lines(each.motivation),
            questions=_lines(each.questions),
            friction=_lines(each.friction),
            event=each.event or "",
            steps=tuple(steps),
            sent=sent,
            observed=observed,
            people=seen if sent is None else reached,
        )


# A stay that ends is followed by the next one, or by none.
_MOVES = """
select source_stage, target, count(*), count(distinct person)
from (
    select person, source_stage, case when reason = 'none' then '' else reason end as target
    from decisions where kind = 'stage' and not test
)
where source_stage is not null
"""
_MOVED = "group by 1, 2 order by 3 desc, 1, 2"


def _row(persona: Persona, house: Warehouse | None, ids: Sequence[str]) -> PersonaRow:
    people: int | None = None
    stages: Mapping[str, int] = {}
    if house is not None:
        (people,) = house.row(
            "select count(distinct person) from stays"
            " where kind = 'segment' and name = ? and to_ms is null",
            [persona.segment],
        )
        counts = Counter(
            dict(
                house.rows(
                    "select name, count(*) from stays"
                    f" where kind = 'stage' and to_ms is null{PEOPLE} group by 1",
                    [persona.segment],
                )
            )
        )
        stages = {id: counts[id] for id in ids if counts[id]}
    return PersonaRow(
        id=persona.id,
        name=persona.name or persona.id,
        segment=persona.segment,
        story=_lines(persona.story),
        motivation=_lines(persona.motivation),
        questions=_lines(persona.questions),
        friction=_lines(persona.friction),
        people=people,
        stages=stages,
    )


def _definition(persona: Persona | None, house: Warehouse | None) -> str:
    if house is None:
        return "What the workspace declares; nothing is counted."
    whom = (
        f"people who are in the segment {persona.segment!r} at the end of the log"
        if persona is not None
        else "everybody in the log"
    )
    return (
        f"Of {whom}, test traffic left out. People of a stage are those who are in it at "
        "the end of the log; a move is a change from one stage to another within it. Sent "
        "are messages released there, observed the events that came, people how many "
        "different ones that were; a journey's runs include those held out, who get "
        "nothing."
    )


def _doubts(
    workspace: Workspace, house: Warehouse | None, counts: _Counts, ids: Sequence[str]
) -> Iterator[str]:
    if house is None:
        return
    if not workspace.stages:
        yield (
            "The workspace defines no stages, so nobody knows who is in which; "
            "a file of stages says it."
        )
    elif not counts.knows_stages:
        yield "The log says of nobody in which stage they are: it is older than the stages."
    if any(each.event for each in workspace.touchpoints) and not counts.has_archive:
        yield (
            "There is no event archive, so nobody knows how often people were met where "
            "nothing is sent."
        )
    gone = sorted(counts.stages.keys() - set(ids))
    if gone:
        people = sum(counts.stages[id] for id in gone)
        yield (
            f"{people:,} people are in stages that the workspace no longer defines: "
            f"{', '.join(gone)}."
        )


def _lines(notes: str | Sequence[str]) -> tuple[str, ...]:
    return (notes,) if isinstance(notes, str) else tuple(notes)
