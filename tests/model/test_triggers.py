"""Triggers as authors write them: in Python, JSON and YAML, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from journeykit import (
    BecomesTrigger,
    DefinitionError,
    Emit,
    EventTrigger,
    Happens,
    InactiveTrigger,
    InvalidJourney,
    Journey,
    SequenceTrigger,
    Wait,
    Without,
    becomes,
    changed,
    crossed,
    days,
    entered,
    event,
    finished,
    hours,
    inactive,
    left,
    minutes,
    on,
    profile,
    stage_changed,
    stuck,
)
from journeykit.model.check import check
from journeykit.model.conditions import trait
from journeykit.model.documents import (
    from_json,
    from_yaml,
    json_schema,
    to_json,
    to_yaml,
)
from journeykit.model.starts import start_issues
from journeykit.model.triggers import Trigger, completed_by, listened

A, B, C = on("a"), on("b"), on("c")

EVERY: dict[str, Any] = {
    "times": A.times(3, within=days(1), unless=B),
    "then": A.then(B, times=2, within=hours(2), unless=C),
    "without": A.without(B, within=hours(4)),
    "without-first": A.without(B, within=hours(4), since="first"),
    "chain": A.times(2).then(B, within=days(1)).without(C, within=days(3)),
    "becomes": becomes((profile.x == 1) & (trait.y > 2)),
    "crossed": crossed(trait.spent, above=100),
    "inactive": inactive(["a", on("b", where=event.x == 1)], for_=days(30)),
    "cadence": inactive("a", cadence=2.5, at_least=5),
    "stuck": stuck("trial", for_="14d"),
    "entered": entered("vip"),
    "left": left("vip"),
    "stage": stage_changed(from_="trial", to="customer"),
    "changed": changed(profile.plan, from_=None, to="pro"),
    "finished": finished("welcome", outcome="exited", reason="not_interested"),
}
CASES = pytest.mark.parametrize("trigger", list(EVERY.values()), ids=list(EVERY))


def journey(trigger: Any, *steps: Any, **options: Any) -> Journey:
    return Journey("j", trigger=trigger, steps=steps or [Wait(days(1))], **options)


@CASES
def test_json_and_yaml_say_the_same(trigger: Trigger) -> None:
    made = journey([trigger, on("z")])

    assert from_json(to_json(made)) == made
    assert from_yaml(to_yaml(made)) == made
    assert from_json(to_json(made)).fingerprint == made.fingerprint


@CASES
def test_a_trigger_alone_needs_no_list(trigger: Trigger) -> None:
    assert from_yaml(to_yaml(journey(trigger))) == journey(trigger)


@CASES
def test_a_plan_writes_every_field(trigger: Any) -> None:
    (document,) = journey(trigger).to_plan()["trigger"]

    assert set(document) == set(trigger.__dataclass_fields__)


def test_yaml_reads_as_it_is_meant() -> None:
    made = journey(A.then(B, within=hours(2)).without(C, within=days(3)))

    assert to_yaml(made).splitlines()[1:12] == [
        "trigger:",
        "  type: sequence",
        "  parts:",
        "    - type: happens",
        "      when: {name: a}",
        "    - type: happens",
        "      when: {name: b}",
        "      within: 2h",
        "    - type: without",
        "      when: {name: c}",
        "      within: 3d",
    ]


def test_a_part_without_a_type_is_an_event() -> None:
    text = (
        "id: j\nsteps: []\ntrigger:\n  type: sequence\n  parts:\n"
        "    - {when: {name: a}}\n    - {when: {name: b}, within: 2h}\n"
    )

    assert from_yaml(text).triggers == (A.then(B, within=hours(2)),)


def test_the_schema_knows_every_kind() -> None:
    parts = json_schema(Journey)["$defs"]

    assert parts["SequenceTrigger"]["required"] == ["type", "parts"]
    assert parts["Happens"]["required"] == ["when"]
    assert parts["Without"]["required"] == ["type", "when", "within"]
    assert parts["BecomesTrigger"]["required"] == ["type", "when"]
    assert parts["InactiveTrigger"]["required"] == ["type", "when"]


# --- what the short forms are ------------------------------------------------------


def test_a_chain_is_its_parts() -> None:
    chain = A.times(2, within=hours(1)).then(B, within="2h").without(C, within="P3D")

    assert chain == SequenceTrigger(
        [
            Happens(A, times=2, within=hours(1)),
            Happens(B, within=hours(2)),
            Without(C, within=days(3)),
        ]
    )


def test_a_chain_leaves_what_it_was_made_from() -> None:
    first = A.then(B)

    first.then(C)

    assert first == A.then(B)


def test_short_forms_are_events_and_conditions() -> None:
    assert entered("vip") == on("segment.entered", where=event.segment == "vip")
    assert left("vip") == on("segment.left", where=event.segment == "vip")
    assert stage_changed() == on("stage.changed")
    assert changed(profile["odd name"]).where == (event.field == "odd name")
    assert crossed(trait.x, at_most=3) == becomes(trait.x <= 3)
    assert isinstance(stuck("trial", for_=days(2)), BecomesTrigger)
    assert inactive(on("a"), for_=days(3)) == InactiveTrigger([A], after=days(3))


def test_what_a_trigger_listens_to_is_known() -> None:
    chain = A.times(2, unless=B).without(C, within=days(1))

    assert list(listened(chain)) == [A, B, C]
    assert list(listened(inactive(["a", "b"], for_=days(1)))) == [A, B]
    assert list(listened(becomes(profile.x == 1))) == []
    assert completed_by(chain) == A
    assert completed_by(A.then(B)) == B
    assert completed_by(becomes(profile.x == 1)) is None


# --- what is refused ----------------------------------------------------------------

_WRONG: list[tuple[str, Callable[[], object], str]] = [
    ("one event", lambda: A.times(1), "one event is no sequence; write on('a')"),
    ("alone", lambda: SequenceTrigger([Happens(A)]), "one event is no sequence"),
    ("none", lambda: SequenceTrigger([]), "needs at least 1"),
    ("absence first", lambda: SequenceTrigger([Without(A, within=hours(1))]), "inactive"),
    ("no time", lambda: A.without(B, within=hours(0)), "give it a length"),
    ("no window", lambda: A.then(B, within=days(0)), "give it a length"),
    ("too often", lambda: A.times(51), "less than or equal to 50"),
    ("too many", lambda: A.times(30).then(B, times=30), "60 events, and 50 are"),
    ("too long", lambda: A.times(2).then(B).then(B).then(B).then(B).then(B).then(B)
     .then(B).then(B), "needs at most 8"),
    ("two absences", lambda: A.without(B, within="1h").without(C, within="1h"),
     "two absences in a row"),
    ("late first", lambda: SequenceTrigger([Happens(A, within=hours(1)), Happens(B)]),
     "give within and unless to the part that follows"),
    ("no event", lambda: A.then("b"), "a sequence is made of events"),  # type: ignore[arg-type]
    ("no absence", lambda: A.without("b", within="1h"), "what is not to come is an event"),  # type: ignore[arg-type]
    ("not once", lambda: A.then(A.times(2)), "a sequence is made of events"),  # type: ignore[arg-type]
    ("no measure", lambda: inactive("a"), "give how long"),
    ("two measures", lambda: inactive("a", for_=days(1), cadence=2), "give how long"),
    ("cadence of two", lambda: inactive(["a", "b"], cadence=2), "that of one event"),
    ("no threshold", lambda: crossed(trait.x), "one of above, below"),
    ("two thresholds", lambda: crossed(trait.x, above=1, below=2), "one of above"),
    ("no number", lambda: crossed("x", above=1), "takes a reference"),  # type: ignore[arg-type]
    ("no condition", lambda: becomes(on("a")), "takes one condition"),  # type: ignore[arg-type]
    ("not profile", lambda: changed(trait.spent), "crossed"),
    ("too deep", lambda: changed(profile.a.b), "an attribute of the profile"),
    ("no outcome", lambda: finished("a", outcome="done"), "completed, exited, failed"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("make", "why"), [case[1:] for case in _WRONG], ids=[case[0] for case in _WRONG]
)
def test_what_can_t_be_meant_is_refused_with_the_way_out(
    make: Callable[[], object], why: str
) -> None:
    with pytest.raises(DefinitionError) as caught:
        make()

    assert why in str(caught.value)


@pytest.mark.parametrize(
    ("trigger", "line", "why"),
    [
        ("{type: sequence, parts: [{when: {name: a}, tims: 2}]}", 3, "'times'"),
        ("{type: sequence, parts: [{type: hapens}]}", 3, "did you mean 'happens'?"),
        ("{type: sequence, parts: [a, b]}", 3, "happens is a mapping of fields"),
        ("{type: inactive, when: {name: a}, aftr: 3d}", 3, "did you mean 'after'?"),
        ("{type: becoms, when: trait.x == 1}", 3, "did you mean 'becomes'?"),
        ("{type: becomes, when: trait.x >}", 3, "a value is missing"),
    ],
)
def test_a_file_s_errors_have_their_place(trigger: str, line: int, why: str) -> None:
    with pytest.raises(InvalidJourney) as caught:
        from_yaml(f"id: j\nsteps: []\ntrigger: {trigger}\n", file="j.yaml")

    assert why in str(caught.value)
    assert {issue.line for issue in caught.value.issues} == {line}


# --- check --------------------------------------------------------------------------


def errors(made: Journey, *others: Journey) -> list[str]:
    return [found.message for found in check([made, *others]) if found.level == "error"]


def test_good_triggers_have_no_errors() -> None:
    good = [EVERY[name] for name in ("times", "then", "chain", "becomes", "inactive")]

    assert errors(journey(good)) == []


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (journey(A.times(2, unless=A)), "both counted and what undoes the count"),
        (journey(A.then(B, unless=B)), "both counted and what undoes the count"),
        (journey(becomes(event.x == 1)), "becomes(…) is about the customer"),
        (journey(becomes(profile.x == 1), key=event.id), "nobody enters"),
        (journey(inactive("a", for_=days(1)), key=event.id), "nobody enters"),
        (journey(A, Emit("segment.entered")), "only the engine says"),
        (journey(A, Emit("~welcome/0")), "only the engine says"),
        (journey(finished("welcom")), "journey 'welcom' is not known"),
        (
            journey(A.times(2).then(on("b", where=trait.x == 1)), key=event.id),
            "",
        ),
    ],
    ids=[
        "unless",
        "then",
        "event",
        "key",
        "inactive",
        "emit",
        "hidden",
        "finished",
        "fine",
    ],
)
def test_what_can_t_work_is_an_error(made: Journey, why: str) -> None:
    found = errors(made, Journey("welcome", trigger=A, steps=[]))

    assert all(why in message for message in found)
    assert bool(found) == bool(why)


def test_an_entry_in_a_part_is_an_error() -> None:
    from journeykit import entry

    found = errors(journey(A.then(on("b", where=entry.x == 1))))

    assert found == [
        "entry.x: a journey's trigger is asked before there is a run; write event.x"
    ]


def test_segments_and_stages_must_be_known() -> None:
    made = journey([entered("vpi"), stage_changed(to="trail", from_="")])

    found = start_issues(
        made,
        [(heard, "") for trigger in made.triggers for heard in listened(trigger)],
        journeys=[],
        segments=["vip"],
        stages=["trial"],
    )

    assert [issue.message for issue in found] == [
        "segment 'vpi' is not known; did you mean 'vip'?",
        "stage 'trail' is not known; did you mean 'trial'?",
    ]


def test_each_event_of_a_sequence_may_be_misspelt() -> None:
    from pydantic import BaseModel

    from journeykit.model.check import Schemas

    class Cart(BaseModel):
        total: float

    schemas = Schemas(events={"cart.updated": Cart})
    made = journey(
        on("cart.updated", where=event.totl > 1).without(
            on("cart.updatd"), within=minutes(5)
        )
    )

    found = [str(item.message) for item in check([made], schemas=schemas)]

    assert any("no field 'totl'; did you mean 'total'?" in text for text in found)
    assert any("'cart.updatd' is not declared; did you mean" in text for text in found)


def test_a_plain_event_is_still_the_default() -> None:
    made = from_yaml("id: j\nsteps: []\ntrigger: {name: a}\n")

    assert made.triggers == (EventTrigger("a"),)
