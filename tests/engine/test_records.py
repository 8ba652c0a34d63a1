import json
from datetime import UTC, datetime, timedelta
from typing import Any

import jsonschema
import msgspec
import pytest
from jsonschema import Draft202012Validator

from journeykit import (
    Cap,
    Catalog,
    Customer,
    Event,
    Goal,
    Journey,
    Policies,
    QuietHours,
    Reaction,
    Send,
    Wait,
    WakeUp,
    Window,
    event,
    hours,
    on,
    react,
)
from journeykit.engine.records import (
    TRACE_SCHEMA,
    TraceRecord,
    line_of,
    lines_of,
    record_of,
)
from journeykit.engine.trace import TraceEntry

NOON = datetime(2026, 6, 7, 12, tzinfo=UTC)
NOON_MS = 1_780_833_600_000

schema = Draft202012Validator(
    TRACE_SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER
)


def record(entry: TraceEntry) -> dict[str, Any]:
    found = record_of(entry, customer="ada", revision=3, n=0, now=NOON_MS)
    return dict(msgspec.to_builtins(found))


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(TRACE_SCHEMA)


def test_instants_are_written_as_rfc_3339() -> None:
    entry = TraceEntry("waiting", NOON_MS, detail={"until": NOON_MS + 1})

    assert record(entry) == {
        "customer": "ada",
        "revision": 3,
        "n": 0,
        "at": "2026-06-07T12:00:00Z",
        "now": "2026-06-07T12:00:00Z",
        "kind": "waiting",
        "detail": {"until": "2026-06-07T12:00:00.001Z"},
    }


def test_the_fields_of_a_record_are_those_of_the_schema() -> None:
    names = [field.encode_name for field in msgspec.structs.fields(TraceRecord)]

    assert names == list(TRACE_SCHEMA["properties"])


def test_writing_a_decision_down_leaves_it_as_it_was() -> None:
    entry = TraceEntry("waiting", NOON_MS, detail={"until": NOON_MS})

    record(entry)

    assert entry.detail == {"until": NOON_MS}


def test_a_step_named_since_stays_a_name() -> None:
    entry = TraceEntry("went_on", NOON_MS, reason="event", detail={"since": "wait-2d"})

    assert record(entry)["detail"] == {"since": "wait-2d"}


def test_a_line_is_the_record_and_its_end() -> None:
    entry = TraceEntry("entered", NOON_MS, "winback", 2, "e", "", "")

    line = line_of(entry, customer="ada", revision=3, n=0, now=NOON_MS)

    assert line.endswith(b"}\n")
    assert line.count(b"\n") == 1
    assert json.loads(line) == record(entry)


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "guessed"},
        {"kind": "ignored", "reason": "boredom"},
        {"n": "0"},
        {"at": 1_780_833_600_000},
        {"until": "2026-06-07T12:00:00Z"},
    ],
)
def test_the_schema_refuses_what_no_line_may_say(wrong: dict[str, Any]) -> None:
    good = record(TraceEntry("ignored", NOON_MS, reason="duplicate"))
    schema.validate(good)

    with pytest.raises(jsonschema.ValidationError):
        schema.validate({**good, **wrong})


def test_what_an_explained_run_decides_fits_the_schema() -> None:
    journey = Journey(
        "thanks",
        trigger=on("purchase", where=event.total > 5),
        steps=[Wait(hours(2)), Send("email", "a"), Wait(hours(8)), Send("email", "b")],
        goal=Goal(on("purchase", where=event.total > 100), within=hours(48)),
    )
    catalog = Catalog.compile(
        [journey],
        policies=Policies(
            caps=[Cap(1, within=hours(24))],
            quiet_hours=[QuietHours(Window("13:00", "16:00"))],
        ),
    )
    customer: Customer | None = None
    kinds = set()

    for hour, total in enumerate([3, 10, 10, *[0] * 20]):
        reaction = step(customer, hour, total, catalog)
        customer = reaction.customer
        for n, entry in enumerate(reaction.trace):
            line = line_of(entry, customer="ada", revision=1, n=n, now=NOON_MS)
            schema.validate(json.loads(line))
            kinds.add(entry.kind)

    assert kinds >= {
        "unmatched",
        "entered",
        "waiting",
        "deferred",
        "sent",
        "suppressed",
    }


def step(
    customer: Customer | None, hour: int, total: int, catalog: Catalog
) -> Reaction:
    """A purchase if there is a total, else a wake-up."""
    now = NOON + timedelta(hours=hour)
    purchase = Event(
        id=str(hour),
        name="purchase",
        customer="ada",
        occurred_at=now,
        received_at=now,
        properties={"total": total},
    )
    stimulus = purchase if total else WakeUp("ada")
    return react(customer, stimulus, catalog=catalog, now=now, explain=True)


ENTRIES = (
    TraceEntry("entered", NOON_MS, "j", 1, "e", detail={"fields": ["total"]}),
    TraceEntry("waiting", NOON_MS + 5, "j", 1, "e", "wait", detail={"until": NOON_MS}),
)


@pytest.mark.parametrize("changed", [True, False])
def test_the_lines_of_a_reaction_are_those_of_its_decisions(changed: bool) -> None:
    lines = lines_of(
        ENTRIES,
        customer="ada",
        revision=3,
        now=NOON_MS + 9,
        event="o-1",
        changed=changed,
    )

    numbers = [0, 1] if changed else [-1, -2]
    assert lines == b"".join(
        line_of(e, customer="ada", revision=3, n=n, now=NOON_MS + 9, event="o-1")
        for n, e in zip(numbers, ENTRIES, strict=True)
    )
    for line in lines.splitlines():
        schema.validate(json.loads(line))


def test_the_event_stands_on_the_line() -> None:
    (first, _) = lines_of(
        ENTRIES, customer="ada", revision=3, now=NOON_MS, event="o-1"
    ).splitlines()

    assert json.loads(first)["event"] == "o-1"


@pytest.mark.parametrize("source", ["", "shop"])
def test_the_source_of_an_event_stands_beside_it_even_if_it_is_empty(
    source: str,
) -> None:
    lines = lines_of(
        ENTRIES, customer="ada", revision=3, now=NOON_MS, event="o-1", source=source
    ).splitlines()

    for line in map(json.loads, lines):
        schema.validate(line)
        assert (line["event"], line["source"]) == ("o-1", source)


def test_a_call_has_no_source() -> None:
    lines = lines_of(ENTRIES, customer="ada", revision=3, now=NOON_MS, event="o-1")

    assert b'"source"' not in lines


def test_a_line_of_what_only_time_did_names_no_event() -> None:
    lines = lines_of(ENTRIES, customer="ada", revision=3, now=NOON_MS)

    assert b"event" not in lines


def test_a_reaction_that_decided_nothing_has_no_lines() -> None:
    assert lines_of((), customer="ada", revision=3, now=NOON_MS) == b""
