"""What can be wrong about segments, stages and personas, and about who asks for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from journeykit.model import cel
from journeykit.model.conditions import Condition
from journeykit.model.definition import source_of
from journeykit.model.issues import Issue, Level, issue, meant
from journeykit.model.journey import Journey
from journeykit.model.precedence import Circle, in_order
from journeykit.model.rules import SEGMENTS, STAGES
from journeykit.model.segments import Persona, Segment, Stage
from journeykit.model.traits import Rfm, Trait
from journeykit.model.uses import expr_of_use, uses_of

_OF_STAGES = frozenset({"stage", "stage_since"})
_CUSTOMERS = ("profile", "trait", "segment", "consent")


class Audience(NamedTuple):
    """What a team knows its customers by; None: not known here.

    Attributes:
        traits: What is computed of their events.
        segments: Who they are.
        stages: How far they have come, the earliest stage first.
        personas: Segments as people to picture.
        scores: What models say of customers, by name; conditions ask for it as a trait.
    """

    traits: Sequence[Trait] | None = None
    segments: Sequence[Segment] | None = None
    stages: Sequence[Stage] | None = None
    personas: Sequence[Persona] = ()
    scores: Sequence[str] = ()

    @property
    def segment_ids(self) -> list[str] | None:
        """The names of the segments."""
        return None if self.segments is None else [item.id for item in self.segments]

    @property
    def stage_ids(self) -> list[str] | None:
        """The names of the stages."""
        return None if self.stages is None else [item.id for item in self.stages]

    @property
    def conditional(self) -> list[Segment | Stage]:
        """Segments and stages: what customers are by a condition."""
        return [*(self.segments or ()), *(self.stages or ())]

    @property
    def sliding(self) -> frozenset[str]:
        """The traits that the passing of time alone may change."""
        return frozenset(
            trait.name
            for trait in self.traits or ()
            if getattr(trait, "within", None) is not None or isinstance(trait, Rfm)
        )


def audience_issues(audience: Audience) -> Iterator[Issue]:
    """Yield what is wrong with segments, stages and personas by themselves."""
    segments, stages = audience.segments or (), audience.stages or ()
    for what, items, most in (
        ("segments", segments, SEGMENTS),
        ("stages", stages, STAGES),
    ):
        if len(items) > most:
            message = f"there are {len(items)} {what}, and there may be {most}"
            yield issue("error", message, items[most])
    for item in audience.conditional:
        what = "segment" if isinstance(item, Segment) else "stage"
        for level, message in _condition(item.when, audience):
            yield issue(level, f"{what} {item.id!r}: {message}", item)
    yield from _hidden_stages(stages)
    yield from _circle(segments, stages)
    for persona in audience.personas:
        known = audience.segment_ids or []
        if persona.segment not in known:
            way_out = meant(persona.segment, known, none="none is declared")
            message = (
                f"persona {persona.id!r}: segment {persona.segment!r} is not known; "
                f"{way_out}"
            )
            yield issue("error", message, persona)


def asking_issues(journey: Journey, audience: Audience) -> Iterator[Issue]:
    """Yield what is wrong with what a journey asks of the audience."""
    gate, known = journey.keep_while_in_segment, audience.segment_ids
    if gate is not None and known is not None and gate not in known:
        way_out = meant(gate, known, none="none is declared")
        message = f"keep_while_in_segment: segment {gate!r} is not known; {way_out}"
        yield issue("error", message, journey, journey=journey.id)
    for use in uses_of(journey):
        expr = expr_of_use(use)
        problems = [*_unknown(expr, audience)]
        if use.what.endswith("without a trigger"):  # it is looked at, not asked once
            problems += _by_time(expr, audience)
        # A rule that is a bare condition has no place of its own.
        item = use.item if source_of(use.item) else journey
        for level, message in problems:
            yield issue(level, message, item, journey=journey.id, step=use.step)


def _condition(
    when: Condition | None, audience: Audience
) -> Iterator[tuple[Level, str]]:
    """What is wrong with the condition of a segment or a stage."""
    if when is None:
        return
    for path in cel.references(when.expr):
        if path.root not in _CUSTOMERS:
            yield (
                "error",
                (
                    f"{path}: it is about the customer, whatever happens; ask for profile, "
                    "trait, segment or consent, and make a trait of what events say"
                ),
            )
    yield from _unknown(when.expr, audience)


def _unknown(expr: cel.Expr, audience: Audience) -> Iterator[tuple[Level, str]]:
    """Names of segments and traits that nobody has declared."""
    for path in dict.fromkeys(cel.references(expr)):
        if path.root not in ("segment", "trait", "consent"):
            continue
        if not path.keys:
            example = {"trait": "orders", "segment": "vip", "consent": "email"}
            yield "error", f"{path}: name one, such as {path}.{example[path.root]}"
            continue
        name = str(path.keys[0])
        if path.root == "segment" and audience.segment_ids is not None:
            if name not in audience.segment_ids:
                way_out = meant(name, audience.segment_ids, none="none is declared")
                yield "error", f"{path}: segment {name!r} is not known; {way_out}"
            elif len(path.keys) > 1:
                yield "error", f"{path}: a segment is true or false, and has no fields"
        elif path.root == "trait" and name in _OF_STAGES:
            if audience.stages is not None and not audience.stages:
                yield "error", f"{path}: there are no stages; declare some"
        elif path.root == "trait" and audience.traits is not None:
            declared = [trait.name for trait in audience.traits]
            declared += [
                f"{name}{at}" for name in audience.scores for at in ("", "_at")
            ]
            if name not in declared:
                way_out = meant(name, declared, none="none is declared")
                message = f"{path}: no trait is called {name!r}; {way_out}"
                yield "warning", f"{message} (or is it a score? [scores] names those)"


def _by_time(expr: cel.Expr, audience: Audience) -> Iterator[tuple[Level, str]]:
    """What time alone may change, in a condition that is looked at when things happen."""
    asked = [str(test) for test in cel.time_tests(expr)]
    asked += [
        str(path)
        for path in cel.references(expr)
        if path.root == "trait" and path.keys and path.keys[0] in audience.sliding
    ]
    for text in dict.fromkeys(asked):
        yield (
            "error",
            (
                f"{text}: time alone may change this, and nobody would look then; make it "
                'a segment, and ask segment["…"] == True'
            ),
        )


def _hidden_stages(stages: Sequence[Stage]) -> Iterator[Issue]:
    """A stage that everybody is in hides those before it."""
    for place, stage in enumerate(stages):
        if stage.when is None and place:
            message = (
                f"stage {stage.id!r} has no condition, so everybody is in it or further, "
                f"and nobody in {stages[place - 1].id!r}; give it one"
            )
            yield issue("error", message, stage)


def _circle(segments: Sequence[Segment], stages: Sequence[Stage]) -> Iterator[Issue]:
    """Segments, and the stages together, must not ask for each other in a circle."""
    reads = {item.id: _reads(item.when) for item in segments}
    if stages:
        reads["the stages"] = set[str]().union(*(_reads(each.when) for each in stages))
    try:
        in_order(reads)
    except Circle as circle:
        first = next((s for s in segments if s.id in circle.names), None)
        message = (
            f"{circle.message}, so nobody can say which comes first; drop one of the "
            "conditions"
        )
        yield issue("error", message, first or stages[0])


def _reads(when: Condition | None) -> set[str]:
    found: set[str] = set()
    for path in cel.references(when.expr) if when is not None else ():
        if path.root == "segment" and path.keys:
            found.add(str(path.keys[0]))
        elif path.root == "trait" and path.keys and path.keys[0] in _OF_STAGES:
            found.add("the stages")
    return found
