"""Definitions go into JSON and YAML and come out as they were, or say what is wrong."""

from __future__ import annotations

import contextlib
import json
import re
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings, strategies as st
from tests.strategies import journeys, policies

from journeykit import (
    Event,
    Goal,
    InvalidJourney,
    Journey,
    JourneyKitError,
    Objective,
    Policies,
    Send,
    Touchpoint,
    Wait,
    days,
    entry,
    event,
    hours,
    on,
)
from journeykit.errors import Source
from journeykit.model.definition import source_of
from journeykit.model.documents import (
    from_json,
    from_yaml,
    json_schema,
    to_json,
    to_yaml,
)
from journeykit.model.formats import decode_event

CART = Journey(
    id="cart",
    trigger=on("cart.updated", where=event.total > 0),
    goal=Goal(on("order.placed"), value=event.amount, within=days(7)),
    steps=[
        Wait(hours(4)),
        Send("email", "cart-reminder", variables={"total": entry.total}),
    ],
)


def issues_of(text: str, cls: type[object] = Journey) -> tuple[str, ...]:
    with pytest.raises(InvalidJourney) as caught:
        from_yaml(text, cls, file="cart.yaml")
    return tuple(map(str, caught.value.issues))


def journey_with(**fields: Any) -> str:
    document = {"id": "a", "trigger": {"name": "x"}, "steps": [], **fields}
    return json.dumps(document)


# Round trips


@given(journeys())
def test_a_journey_survives_json(journey: Journey) -> None:
    text = to_json(journey)

    again = from_json(text)

    assert again == journey
    assert again.fingerprint == journey.fingerprint
    assert to_json(again) == text


@settings(max_examples=50)
@given(journeys())
def test_a_journey_survives_yaml_and_yaml_agrees_with_json(journey: Journey) -> None:
    text = to_yaml(journey)

    again = from_yaml(text)

    assert again == journey
    assert to_json(again) == to_json(journey)
    assert to_yaml(again) == text


@settings(max_examples=50)
@given(policies())
def test_policies_survive_json_and_yaml(rules: Policies) -> None:
    assert from_json(to_json(rules), Policies) == rules
    assert from_yaml(to_yaml(rules), Policies) == rules


def test_canonical_json_may_be_pasted_into_a_yaml_file() -> None:
    assert from_yaml(to_json(CART).encode()) == CART


def test_touchpoints_and_objectives_survive_both() -> None:
    store = Touchpoint(
        "store", "retention", "store", event="store.visited", actions="buys"
    )
    target = Objective("revenue", "revenue a month", 1e6, "2026-12-31")  # type: ignore[arg-type]

    assert from_yaml(to_yaml(store), Touchpoint) == store
    assert from_json(to_json(target), Objective) == target


def test_canonical_json_leaves_out_defaults_and_keeps_types_and_ids() -> None:
    assert to_json(CART) == (
        '{"id":"cart","trigger":[{"name":"cart.updated","type":"event","where":'
        '"event.total > 0"}],"steps":[{"id":"wait-4h","type":"wait","due":"PT4H"},'
        '{"id":"send-email-cart-reminder","type":"send","channel":["email"],"template":'
        '"cart-reminder","variables":{"total":{"cel":"entry.total"}}}],"goal":[{"when":'
        '{"name":"order.placed","type":"event"},"id":"goal","value":"event.amount",'
        '"within":"P7D"}]}'
    )


def test_canonical_yaml_is_what_a_person_would_write() -> None:
    assert to_yaml(CART) == (
        "id: cart\n"
        "trigger: {name: cart.updated, where: event.total > 0}\n"
        "steps:\n"
        "  - type: wait\n"
        "    id: wait-4h\n"
        "    due: 4h\n"
        "  - type: send\n"
        "    id: send-email-cart-reminder\n"
        "    channel: email\n"
        "    template: cart-reminder\n"
        "    variables: {total: {cel: entry.total}}\n"
        "goal:\n"
        "  id: goal\n"
        "  when: {name: order.placed}\n"
        "  value: event.amount\n"
        "  within: 7d\n"
    )


def test_text_of_several_lines_stays_readable_in_yaml() -> None:
    point = Touchpoint("a", "awareness", "web", questions="Which one?\n\nAnd when?")

    text = to_yaml(point)

    assert "questions:\n  - |-\n    Which one?\n\n    And when?\n" in text
    assert from_yaml(text, Touchpoint) == point


@given(st.recursive(st.text(), lambda inner: st.lists(inner), max_leaves=3))
def test_any_text_survives_yaml(value: object) -> None:
    journey = Journey(
        id="a", trigger=on("x"), steps=[Send("e", "t", variables={"x": value})]
    )

    assert from_yaml(to_yaml(journey)) == journey


# Places


def test_a_loaded_definition_knows_its_line() -> None:
    journey = from_yaml(to_yaml(CART), file="cart.yaml")

    assert source_of(journey) == Source("cart.yaml", 1)
    assert [source_of(step) for step in journey.steps] == [
        Source("cart.yaml", 4),
        Source("cart.yaml", 7),
    ]
    assert source_of(journey.goals[0]) == Source("cart.yaml", 13)


def test_json_over_several_lines_knows_them_too() -> None:
    text = json.dumps(json.loads(to_json(CART)), indent=1)

    journey = from_json(text, file="cart.json")

    lines = [source_of(step).line for step in journey.steps]
    assert [text.splitlines()[n - 1].strip() for n in lines] == ["{", "{"]
    assert lines == [11, 16]


def test_a_default_is_not_placed_where_nobody_wrote_it() -> None:
    from_yaml(journey_with(), file="cart.yaml")

    known = source_of(Journey(id="b", trigger=on("x"), steps=[]).reentry)
    assert known is None or known.file != "cart.yaml"


# What is wrong, and where


@pytest.mark.parametrize(
    ("fields", "issue"),
    [
        ({"id": "A b"}, "id: 'A b' is no id, .*; write 'a-b'"),
        (
            {"tigger": 1},
            "tigger: 'tigger' is not a field of journey; did you mean 'trigger'?",
        ),
        ({"trigger": []}, "trigger: needs at least 1, has 0"),
        (
            {"trigger": {"type": "apii"}},
            "trigger: 'apii' is no type of trigger; .* 'api'?",
        ),
        (
            {"trigger": {"name": "x", "wher": "a"}},
            "trigger.wher: 'wher' is not a field of event trigger; did you mean 'where'?",
        ),
        ({"trigger": {"name": " "}}, "trigger.name: ' ' is no name of an event, .*"),
        ({"steps": {"type": "exit"}}, "steps: must be a list, not a mapping"),
        ({"steps": [5]}, "steps.0: a step is a mapping of fields, not 5"),
        ({"steps": [{"due": "2d"}]}, "steps.0: a step needs a type: send, wait, .*"),
        (
            {"steps": [{"type": "wat"}]},
            "steps.0: 'wat' is no type of step; did you mean 'wait'?",
        ),
        (
            {"steps": [{"type": "sleep"}]},
            "steps.0: 'sleep' is no type of step; it is one of send, wait, wait_for, .*",
        ),
        ({"steps": [{"type": "wait"}]}, "steps.0: wait needs 'due'"),
        (
            {"steps": [{"type": "wait", "due": "two days"}]},
            "steps.0.due: duration 'two days' is not understood: write '2d', '48h', .*",
        ),
        (
            {"steps": [{"type": "wait", "due": {"before": "1d"}}]},
            "steps.0.due: before needs an instant to be before",
        ),
        (
            {"steps": [{"type": "wait", "due": {"tim": "08:00"}}]},
            "steps.0.due.tim: 'tim' is not a field of until; did you mean 'time'?",
        ),
        (
            {"steps": [{"type": "send", "chanel": "email", "template": "x"}]},
            "steps.0.chanel: 'chanel' is not a field of send; did you mean 'channel'?",
        ),
        (
            {"steps": [{"type": "send", "channel": "email", "template": 5}]},
            'steps.0.template: must be text: quote it, "5"',
        ),
        (
            {"steps": [{"type": "split", "arms": [{"name": "a", "weight": 40}]}]},
            "steps.0: the weights of a Split must add up to 100, these make 40",
        ),
        (
            {"steps": [{"type": "branch", "paths": [{"when": "total > 5"}]}]},
            r"steps.0.paths.0.when: unknown name 'total'; write event.total\?[^|]*",
        ),
        (
            {"steps": [{"type": "branch", "paths": [{"when": {"name": "x"}}]}]},
            r"steps.0: on\('x'\) can't be asked in a Branch.*",
        ),
        ({"goal": {"when": {"nam": "x"}}}, "goal.when.nam: .*did you mean 'name'?"),
        (
            {"goal": {"when": {"name": "x"}, "value": "evnt.a"}},
            "goal.value: unknown .*[^|]*",
        ),
        (
            {"reentry": "alwys"},
            "reentry: must be .*, not 'alwys'; did you mean 'always'?",
        ),
        ({"holdout": "x"}, "holdout: must be a number, not 'x'"),
        ({"priority": [1]}, "priority: must be an integer, not a list"),
        ({"stage": "later"}, "stage: must be 'awareness', .*, not 'later'"),
        ({"zone": "Berlin"}, "zone: unknown time zone 'Berlin'; did you mean .*"),
        (
            {"starts_at": "2026-01-01T00:00:00"},
            "starts_at: .* has no offset; add one, .*",
        ),
        (
            {"ends_at": "tomorrow"},
            "ends_at: 'tomorrow' is not understood: write 2026-.*",
        ),
        ({"version": 0}, "version: must be greater than or equal to 1, not 0"),
    ],
)
def test_each_mistake_is_one_issue_in_the_words_of_its_author(
    fields: dict[str, Any], issue: str
) -> None:
    issues = issues_of(journey_with(**fields))

    pattern = rf"cart\.yaml:1:\d+: {issue}".replace("'?", r"'\?")
    assert len(issues) == 1, issues
    assert re.fullmatch(pattern, issues[0], re.DOTALL), issues[0]


def test_all_issues_come_at_once_in_the_order_of_the_text() -> None:
    text = "id: cart\ntrigger: {name: x}\nsteps:\n- type: wait\n  due: 5\n- type: nap\nzone: Mars\n"

    places = [issue.split(": ")[0] for issue in issues_of(text)]

    assert places == ["cart.yaml:5:8", "cart.yaml:6:3", "cart.yaml:7:7"]


def test_policies_complain_in_the_same_way() -> None:
    text = "caps:\n- {limt: 3}\nquiet_hours:\n- window: {start: 22:00, end: 9:00}\n"

    first, second = issues_of(text, Policies)

    assert first.endswith(
        "caps.0.limt: 'limt' is not a field of cap; did you mean 'limit'?"
    )
    assert second.endswith(
        "quiet_hours.0.window.end: time of day '9:00' needs two digits for the hour: "
        "write '09:00'"
    )


def test_without_a_file_an_issue_names_the_line() -> None:
    with pytest.raises(InvalidJourney, match="line 1, column 2: x: 'x' is not a field"):
        from_json('{"x": 1, "id": "a", "trigger": {"name": "x"}, "steps": []}')


# YAML


def test_words_and_times_are_what_they_look_like() -> None:
    journey = from_yaml(
        "id: on\n"
        "trigger: {name: yes}\n"
        "steps:\n"
        "- {type: wait, due: {time: 22:00}}\n"
        "- {type: update, values: {on: no, when: 2026-01-01, ok: true, n: 0x10, x: ~}}\n"
    )

    assert journey.id == "on"
    assert journey.triggers[0].name == "yes"
    assert journey.steps[0].due.time == "22:00"
    assert journey.steps[1].values == {
        "on": "no",
        "when": "2026-01-01",
        "ok": True,
        "n": 16,
        "x": None,
    }


def test_an_anchor_may_be_used_again() -> None:
    journey = from_yaml(
        "id: a\ntrigger: {name: x}\nsteps:\n"
        "- {type: wait, due: &pause 2d}\n- {type: wait, due: *pause}\n"
    )

    assert [step.due for step in journey.steps] == [days(2), days(2)]


def laughs(of: int) -> str:
    lines = ["a0: &a0 ha"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, of)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "it is empty"),
        ("a: 1\nb: 2\na: 3", "'a' stands here and in line 1; leave one"),
        ("a: &a [*a]", r"\*a has no &a before it"),
        (laughs(9), "more than 50,000 values"),
        ("[" * 100, "nests deeper than 64 levels"),
        ("1: 2", 'a key is text: quote it, "1"'),
        ("a: !!python/object:os.system x", "tags such as .* are not taken"),
        ("a: 1\n---\nb: 2", "a second document starts here"),
        ("a: .inf", "is no finite number"),
        ("a: [1", "not YAML: while parsing a flow sequence"),
        ("x" * 1_000_001, "1,000,001 bytes: the limit is 1,000,000"),
    ],
)
def test_yaml_that_is_no_definition_is_refused_with_its_place(
    text: str, problem: str
) -> None:
    with pytest.raises(InvalidJourney, match=problem) as caught:
        from_yaml(text, file="cart.yaml")

    assert str(caught.value.issues[0]).startswith("cart.yaml:")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "not JSON: Expecting value"),
        ('{"a": 1, "a": 2}', "'a' stands here and in line 1"),
        ("[" * 100_000, "nests deeper than 64 levels"),
        ('{"a": NaN}', "not JSON: NaN is no JSON number"),
        ('{"a": 1e999}', "1e999 is too large a number"),
        ("1" * 5_000, "not JSON: Exceeds the limit"),
        (b"\xff", "not UTF-8 at byte 0"),
        (f"[{'0,' * 60_000}0]", "more than 50,000 values"),
    ],
)
def test_json_that_is_no_definition_is_refused(text: str | bytes, problem: str) -> None:
    with pytest.raises(InvalidJourney, match=problem):
        from_json(text, file="cart.json")


# Garbage

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
    ),
)
WORDS = st.sampled_from(
    [
        *(
            "id",
            "trigger",
            "steps",
            "type",
            "name",
            "send",
            "wait",
            "wait_for",
            "branch",
        ),
        *("paths", "when", "due", "due", "2d", "time", "22:00", "event.total > 0", "x"),
        *(
            "holdout",
            "share",
            "goal",
            "reentry",
            "starts_at",
            "2026-01-01",
            "values",
            "cel",
        ),
    ]
)
NEARLY = st.recursive(
    WORDS | st.integers() | st.floats() | st.none() | st.booleans(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4)
    ),
    max_leaves=30,
)


@settings(max_examples=300)
@given(JSON | NEARLY)
def test_structures_are_read_or_refused(value: object) -> None:
    text = json.dumps(value)

    for read in (from_json, from_yaml):
        with contextlib.suppress(JourneyKitError):
            assert read(text).id


@settings(max_examples=200)
@given(
    st.fixed_dictionaries(
        {
            "id": st.just("a"),
            "trigger": st.just({"name": "x"}),
            "steps": st.lists(NEARLY),
        },
        optional={"goal": NEARLY, "reentry": NEARLY, "holdout": NEARLY, "key": NEARLY},
    )
)
def test_what_is_nearly_a_journey_is_read_or_refused(document: object) -> None:
    with contextlib.suppress(InvalidJourney):
        assert from_json(json.dumps(document)).id == "a"


@settings(max_examples=300)
@given(st.one_of(st.binary(), st.text(), st.text(alphabet='{}[]:,"&*!|>-? \n\t#%@a1')))
def test_bytes_and_text_are_read_or_refused(text: str | bytes) -> None:
    for read in (from_json, from_yaml):
        with contextlib.suppress(JourneyKitError):
            assert read(text).id


@settings(max_examples=200)
@given(st.binary() | (JSON | NEARLY).map(json.dumps).map(str.encode))
def test_a_line_is_an_event_or_refused(line: bytes) -> None:
    with contextlib.suppress(JourneyKitError):
        assert isinstance(decode_event(line), Event)


# JSON Schema

VALIDATOR = jsonschema.Draft202012Validator


@pytest.mark.parametrize("cls", [Journey, Policies, Touchpoint, Objective])
def test_the_schemas_are_schemas_that_explain_each_field(cls: type[object]) -> None:
    schema = json_schema(cls)

    VALIDATOR.check_schema(schema)
    assert schema["title"] == cls.__name__
    for part in [schema, *schema.get("$defs", {}).values()]:
        for name, field in part["properties"].items():
            assert name == "type" or field.get("description"), (part["title"], name)


@settings(max_examples=40)
@given(journeys())
def test_the_schema_accepts_every_journey(journey: Journey) -> None:
    VALIDATOR(json_schema()).validate(json.loads(to_json(journey)))


@settings(max_examples=30)
@given(policies())
def test_the_schema_accepts_all_policies(rules: Policies) -> None:
    VALIDATOR(json_schema(Policies)).validate(json.loads(to_json(rules)))


@pytest.mark.parametrize(
    "fields",
    [
        {"tigger": 1},
        {"trigger": []},
        {"steps": [{"due": "2d"}]},
        {"steps": [{"type": "nap"}]},
        {"steps": [{"type": "wait", "due": "two days"}]},
        {"stage": "later"},
    ],
)
def test_the_schema_refuses_what_the_reader_refuses(fields: dict[str, Any]) -> None:
    document = json.loads(journey_with(**fields))

    assert list(VALIDATOR(json_schema()).iter_errors(document))
    with pytest.raises(InvalidJourney):
        from_json(json.dumps(document))


def test_a_short_spelling_fits_the_schema_too() -> None:
    text = journey_with(
        steps=[{"type": "send", "channel": "a-long-channel", "template": "x"}],
        reentry="always",
        holdout=10,
    )

    VALIDATOR(json_schema()).validate(json.loads(text))
    assert from_json(text).steps[0].channel == ("a-long-channel",)
