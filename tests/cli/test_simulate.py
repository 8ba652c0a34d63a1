from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings, strategies as st
from jsonschema import Draft202012Validator

from journeykit.cli.lines import DeadLetters, EventLines
from journeykit.cli.simulate import command
from journeykit.engine.records import TRACE_SCHEMA
from journeykit.errors import InputError

CART = """\
from journeykit import Goal, Journey, Send, Wait, days, event, hours, on

cart = Journey(
    "cart",
    trigger=on("cart.updated", where=event.total > 0),
    goal=Goal(on("order.placed"), value=event.amount, within=days(7)),
    zone="Europe/London",
    steps=[Wait(hours(4)), Send("email", "reminder"), Wait(days(2)), Send("email", "last")],
)
"""


def line(id: str, name: str, customer: str, at: str, **properties: Any) -> str:
    return json.dumps(
        {
            "id": id,
            "name": name,
            "customer": customer,
            "occurred_at": at,
            "properties": properties,
        }
    )


EVENTS = [
    line("1", "cart.updated", "ada", "2026-06-01T09:00:00Z", total=120),
    line("2", "cart.updated", "bob", "2026-06-01T10:00:00Z", total=0),
    line("3", "order.placed", "ada", "2026-06-02T10:00:00Z", amount=99.5),
    json.dumps(
        {
            "type": "track",
            "messageId": "4",
            "userId": "cleo",
            "event": "cart.updated",
            "timestamp": "2026-06-02T11:00:00Z",
            "properties": {"total": 7},
        }
    ),
]

Simulate = Callable[..., Result]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace with one journey, in which the test stands."""
    (tmp_path / "journeys").mkdir()
    (tmp_path / "journeys" / "cart.py").write_text(CART)
    (tmp_path / "journeykit.toml").write_text('channels = {email = "console"}')
    (tmp_path / "events.jsonl").write_text("\n".join(EVENTS) + "\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def simulate(folder: Path) -> Simulate:
    """Run the command, over `events.jsonl` unless told otherwise."""

    def run(*arguments: str, events: str = "events.jsonl", **more: Any) -> Result:
        return CliRunner().invoke(
            command, [".", "--events", events, *arguments], **more
        )

    return run


def decisions(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def dead_letters(folder: Path) -> list[dict[str, Any]]:
    return decisions((folder / "dead-letters.jsonl").read_text())


def failure(result: Result) -> str:
    """What a user would read, whoever prints it."""
    assert result.exit_code != 0
    return f"{result.output}{result.exception}"


def test_the_timeline_tells_each_customers_story_by_their_clock(
    simulate: Simulate,
) -> None:
    result = simulate()

    assert result.exit_code == 0
    assert "4 events of 3 customers" in result.stdout
    assert "2026-06-01 14:00  cart  sent reminder by email" in result.stdout
    assert "reached goal, worth 99.5" in result.stdout


def test_the_table_counts_what_became_of_everybody(simulate: Simulate) -> None:
    lines = simulate().stdout.splitlines()

    row, made_of = lines[-3:-1]
    assert lines[-4].split()[:4] == ["journey", "entered", "held", "out"]
    assert row.split() == ["cart", "2", "0", "0", "1", "1", "0", "3", "0"]
    assert made_of.split() == ["exited:", "goal_reached", "1"]


def test_only_the_first_customers_are_told_of(simulate: Simulate) -> None:
    result = simulate("--show", "1")

    assert "ada (" in result.stdout
    assert "bob (" not in result.stdout
    assert "2 more: --show 3" in result.stdout


def test_a_long_story_is_cut_and_says_where_it_goes_on(
    simulate: Simulate, folder: Path
) -> None:
    many = [
        line(str(n), "cart.updated", "ada", f"2026-06-01T09:{n:02}:00Z", total=1)
        for n in range(60)
    ]
    (folder / "many.jsonl").write_text("\n".join(many))

    told = simulate(events="many.jsonl").stdout

    assert "more: journeykit why ada" in told
    assert told.count("> cart.updated") < 60


def test_with_json_each_line_is_a_decision_of_the_published_schema(
    simulate: Simulate,
) -> None:
    result = simulate("--json", "--explain")

    found = decisions(result.stdout)
    validator = Draft202012Validator(
        TRACE_SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER
    )
    for decision in found:
        validator.validate(decision)
    assert {d["kind"] for d in found} >= {
        "entered",
        "waiting",
        "sent",
        "goal",
        "unmatched",
    }
    assert "4 events" in result.stderr


def test_what_left_a_document_as_it_was_is_told_apart_by_the_event(
    simulate: Simulate, folder: Path
) -> None:
    # None of these changes the document, so the revision stays.
    vain = [
        line(str(n), "cart.updated", "ada", f"2026-06-01T09:00:0{n}Z", total=0)
        for n in range(5)
    ]
    (folder / "vain.jsonl").write_text("\n".join(vain))

    found = decisions(simulate("--json", "--explain", events="vain.jsonl").stdout)

    keys = [(d["customer"], d["revision"], d["event"], d["n"]) for d in found]
    assert keys == [("ada", 0, str(n), -1) for n in range(5)]


def test_a_channel_that_nobody_carries_is_an_error_that_names_it(
    simulate: Simulate, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOURNEYKIT_PLUGINS", "none")
    (folder / "journeykit.toml").write_text("")

    assert "nobody carries channel 'email'" in failure(simulate())


def test_a_paused_journey_takes_nobody(simulate: Simulate, folder: Path) -> None:
    with (folder / "journeykit.toml").open("a") as settings:
        settings.write('\nstates = {cart = "paused"}')

    kinds = {(d["kind"], d.get("reason")) for d in decisions(simulate("--json").stdout)}

    assert kinds == {("not_entered", "paused")}


def test_until_leaves_out_later_events_and_stops_the_clock(simulate: Simulate) -> None:
    found = decisions(simulate("--json", "--until", "2026-06-01T12:00:00Z").stdout)

    assert {d["customer"] for d in found} == {"ada"}
    assert [d["kind"] for d in found] == ["entered", "waiting"]


def test_until_needs_an_offset(simulate: Simulate) -> None:
    assert "write 2026-06-01T12:00:00Z" in failure(
        simulate("--until", "2026-06-01T12:00:00")
    )


def test_one_customer_alone_decides_as_they_do_among_others(simulate: Simulate) -> None:
    everybody = decisions(simulate("--json").stdout)
    alone = simulate("--json", "--customer", "ada")

    ada = decisions(alone.stdout)
    assert "2 events of 1 customer," in alone.stderr
    assert ada == [d for d in everybody if d["customer"] == "ada"]


def test_a_customer_who_appears_nowhere_is_an_error_with_a_hint(
    simulate: Simulate,
) -> None:
    told = failure(simulate("--customer", "adda"))

    assert "none of its 4 events is about customer 'adda'; did you mean 'ada'?" in told


def test_profiles_are_known_beforehand(simulate: Simulate, folder: Path) -> None:
    (folder / "profiles.jsonl").write_text('{"id": "ada", "zone": "Asia/Tokyo"}\n')

    told = simulate("--profiles", "profiles.jsonl").stdout

    assert "ada (Asia/Tokyo)" in told
    assert "2026-06-01 18:00" in told


@pytest.mark.parametrize(
    ("profile", "said"),
    [
        ("oops", "profiles.jsonl:2: not a line of JSON"),
        ('{"zone": "UTC"}', "profiles.jsonl:2: a profile is an object with an id"),
        ('{"id": "ada"}', "there is a profile of 'ada' before this one"),
    ],
)
def test_a_wrong_profile_is_an_error_that_names_its_line(
    simulate: Simulate, folder: Path, profile: str, said: str
) -> None:
    (folder / "profiles.jsonl").write_text(f'{{"id": "ada"}}\n{profile}\n')

    assert said in failure(simulate("--profiles", "profiles.jsonl"))


CALL = """
from journeykit import Call, Journey, Send, on

vouchers = Journey("vouchers", trigger=on("order.placed"), steps=[Call("claim")])
"""


def test_calls_come_to_what_the_file_says(simulate: Simulate, folder: Path) -> None:
    (folder / "journeys" / "vouchers.py").write_text(CALL)
    (folder / "calls.json").write_text('{"claim": {"place": 1}, "other": null}')

    told = simulate("--calls", "calls.json").stdout

    assert "the action is done: place" in told


def test_without_it_a_run_that_calls_ends_undetermined(
    simulate: Simulate, folder: Path
) -> None:
    (folder / "journeys" / "vouchers.py").write_text(CALL)

    assert "exited: undetermined 1" in simulate().stdout


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "can't be read: No such file"),
        ("oops", "no table of actions and their results (JSON is malformed"),
        ('{"claim": 7}', "got `int` - at `$[...]`"),
        ("[]", '; write {"voucher": {"code": "A1"}}'),
    ],
)
def test_a_file_that_is_no_table_of_calls_is_an_error(
    simulate: Simulate, folder: Path, text: str | None, said: str
) -> None:
    if text is not None:
        (folder / "calls.json").write_text(text)

    assert said in " ".join(failure(simulate("--calls", "calls.json")).split())


def test_a_bad_line_is_a_dead_letter_and_the_rest_proceeds(
    simulate: Simulate, folder: Path
) -> None:
    lines = [EVENTS[0], "oops", *EVENTS[1:], '{"id": "5", "name": "x"}']
    (folder / "events.jsonl").write_text("\n".join(lines))

    result = simulate("--out", "results")

    letters = dead_letters(folder / "results")
    assert result.exit_code == 0
    assert "4 events of 3 customers" in result.stdout
    assert "2 lines were not taken; see results" in result.stderr
    assert [(d["place"], d["line"]) for d in letters] == [
        ("events.jsonl:2", "oops"),
        ("events.jsonl:6", '{"id": "5", "name": "x"}'),
    ]
    assert "not a line of JSON" in letters[0]["reason"]


def test_strict_makes_a_bad_line_an_error_after_all_are_handled(
    simulate: Simulate, folder: Path
) -> None:
    (folder / "events.jsonl").write_text("\n".join(["oops", *EVENTS]))

    result = simulate("--strict")

    assert result.exit_code == 1
    assert "4 events of 3 customers" in result.stdout


def test_without_a_bad_line_strict_changes_nothing(simulate: Simulate) -> None:
    assert simulate("--strict").exit_code == 0


def test_what_the_engine_refuses_is_a_dead_letter_as_well(
    simulate: Simulate, folder: Path
) -> None:
    huge = line("9", "profile.updated", "ada", "2026-06-03T00:00:00Z", bio="x" * 20_000)
    (folder / "events.jsonl").write_text("\n".join([*EVENTS, huge]))

    simulate("--out", "results")

    (letter,) = dead_letters(folder / "results")
    assert letter["place"] == "events.jsonl:5"
    assert letter["reason"] == "refused: the profile would get too large"
    assert letter["line"] == huge


def test_what_is_refused_of_a_wait_that_is_over_is_no_dead_letter_of_the_next_line(
    simulate: Simulate, folder: Path
) -> None:
    grows = """\
from journeykit import Emit, Journey, Wait, days, on

grows = Journey(
    "grows",
    trigger=on("cart.updated"),
    steps=[Wait(days(1)), Emit("profile.updated", {"bio": "x" * 20_000})],
)
"""
    (folder / "journeys" / "cart.py").write_text(grows)
    lines = [
        line("1", "cart.updated", "ada", "2026-06-01T09:00:00Z"),
        line("2", "order.placed", "bob", "2026-06-05T09:00:00Z"),
    ]
    (folder / "events.jsonl").write_text("\n".join(lines))

    result = simulate("--out", "results", "--strict")

    found = decisions((folder / "results" / "decisions.jsonl").read_text())
    assert "profile_too_large" in {decision.get("reason") for decision in found}
    assert not (folder / "results" / "dead-letters.jsonl").exists()
    assert result.exit_code == 0


def test_without_out_bad_lines_are_only_counted_and_the_first_is_told(
    simulate: Simulate, folder: Path
) -> None:
    (folder / "events.jsonl").write_text("\n".join(["oops", *EVENTS, "again"]))

    result = simulate()

    told = " ".join(result.stderr.split())
    assert "2 lines were not taken; simulate --out DIR keeps them" in told
    assert "The first: events.jsonl:1: not a line of JSON" in told
    assert not (folder / "dead-letters.jsonl").exists()


def test_dead_letters_of_an_earlier_run_do_not_stay_beside_a_clean_one(
    simulate: Simulate, folder: Path
) -> None:
    (folder / "events.jsonl").write_text("\n".join(["oops", *EVENTS]))
    simulate("--out", "results")
    assert len(dead_letters(folder / "results")) == 1
    (folder / "events.jsonl").write_text("\n".join(EVENTS))

    simulate("--out", "results")

    assert not (folder / "results" / "dead-letters.jsonl").exists()


def test_dead_letters_that_can_not_be_written_are_an_error_that_names_them(
    simulate: Simulate, folder: Path
) -> None:
    (folder / "results" / "dead-letters.jsonl").mkdir(parents=True)

    result = simulate("--out", "results")

    assert isinstance(result.exception, InputError)
    assert "dead-letters.jsonl: can't be written" in str(result.exception)


@pytest.mark.parametrize("name", ["messages", "decisions", "dead-letters"])
@pytest.mark.parametrize("option", ["--events", "--profiles"])
def test_what_is_read_is_never_written_over(
    simulate: Simulate, folder: Path, name: str, option: str
) -> None:
    path = folder / f"{name}.jsonl"
    path.write_text("oops\n")
    (folder / "link.jsonl").symlink_to(path)

    for spelling in (path.name, "link.jsonl", str(path)):
        result = simulate(option, spelling, "--out", ".")

        assert isinstance(result.exception, InputError)
        assert f"{spelling}: would be written over" in str(result.exception)
        assert path.read_text() == "oops\n"


def test_a_file_in_which_every_line_is_bad_says_what_is_wrong_with_the_first(
    simulate: Simulate, folder: Path
) -> None:
    (folder / "events.jsonl").write_text("oops\n")

    told = failure(simulate())

    assert "there is no event in it" in told
    assert "1 line was not taken" in told
    assert "events.jsonl:1: not a line of JSON" in told


def test_an_event_after_until_is_passed_over_and_the_lines_behind_it_count(
    simulate: Simulate, folder: Path
) -> None:
    lines = [EVENTS[3], EVENTS[0], EVENTS[2], EVENTS[1]]
    (folder / "events.jsonl").write_text("\n".join(lines))

    told = simulate("--until", "2026-06-01T12:00:00Z").stdout

    assert "2 events of 2 customers, until 2026-06-01 12:00 UTC" in told


def test_a_line_beyond_any_bound_is_refused_and_the_next_one_is_read(
    simulate: Simulate, folder: Path
) -> None:
    (folder / "events.jsonl").write_text(
        "\n".join([EVENTS[0], "x" * 2_000_000, EVENTS[3]])
    )

    result = simulate("--out", "results")

    (letter,) = dead_letters(folder / "results")
    assert letter["place"] == "events.jsonl:2"
    assert "a line may have" in letter["reason"]
    assert len(letter["line"]) < 300_000
    assert "2 events of 2 customers" in result.stdout


def test_lines_out_of_order_are_handled_as_they_come_and_said_to_be(
    simulate: Simulate, folder: Path
) -> None:
    (folder / "events.jsonl").write_text("\n".join([EVENTS[2], EVENTS[0]]))

    result = simulate()

    told = " ".join(result.stdout.split())
    assert "1 of the events occurred before one that stands above" in told
    assert "events.jsonl:2" in told
    assert "2026-06-02 11:00 > order.placed" in told


def test_duplicates_are_counted(simulate: Simulate, folder: Path) -> None:
    (folder / "events.jsonl").write_text("\n".join([EVENTS[0], EVENTS[0]]))

    assert "once ignored what was handled before" in simulate().stdout


def test_gzipped_files_and_the_standard_input_are_read(
    simulate: Simulate, folder: Path
) -> None:
    text = "\n".join(EVENTS)
    (folder / "events.jsonl.gz").write_bytes(gzip.compress(text.encode()))

    plain = simulate("--json").stdout

    assert simulate("--json", events="events.jsonl.gz").stdout == plain
    assert simulate("--json", events="-", input=text).stdout == plain


def test_a_gzipped_file_that_breaks_off_is_an_error_with_its_place(
    simulate: Simulate, folder: Path
) -> None:
    whole = gzip.compress("\n".join(EVENTS * 50).encode())
    (folder / "events.jsonl.gz").write_bytes(whole[: len(whole) // 2])

    assert "events.jsonl.gz" in failure(simulate(events="events.jsonl.gz"))


@pytest.mark.parametrize("text", ["", "\n\n"])
def test_a_file_without_an_event_is_an_error(
    simulate: Simulate, folder: Path, text: str
) -> None:
    (folder / "events.jsonl").write_text(text)

    assert "there is no event in it" in failure(simulate())


def test_a_file_that_is_not_there_is_an_error_that_names_it(simulate: Simulate) -> None:
    assert "nowhere.jsonl: can't read" in failure(simulate(events="nowhere.jsonl"))


def test_out_holds_messages_and_decisions(simulate: Simulate, folder: Path) -> None:
    result = simulate("--out", "results")

    messages = decisions((folder / "results" / "messages.jsonl").read_text())
    found = decisions((folder / "results" / "decisions.jsonl").read_text())
    assert [m["template"] for m in messages] == ["reminder", "reminder", "last"]
    assert [d["kind"] for d in found].count("sent") == 3
    assert str(Path("results", "messages.jsonl")) in result.stdout


def test_a_second_run_replaces_what_the_first_has_written(
    simulate: Simulate, folder: Path
) -> None:
    simulate("--out", "results")
    first = {path.name: path.read_bytes() for path in (folder / "results").iterdir()}

    simulate("--out", "results")

    second = {path.name: path.read_bytes() for path in (folder / "results").iterdir()}
    assert second == first


def test_out_that_is_a_file_is_an_error(simulate: Simulate, folder: Path) -> None:
    (folder / "results").write_text("")

    assert "results" in failure(simulate("--out", "results"))


def test_what_customers_typed_can_not_command_the_terminal(
    simulate: Simulate, folder: Path
) -> None:
    evil = line(
        "1", "cart.updated", "a\x1b[2J", "2026-06-01T09:00:00Z", total="\x1b[31m"
    )
    (folder / "events.jsonl").write_text(evil)

    assert "\x1b" not in simulate().stdout


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(st.binary(max_size=60), max_size=6))
def test_whatever_stands_in_a_file_is_an_event_or_a_dead_letter(
    tmp_path: Path, lines: list[bytes]
) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"\n".join(lines))
    dead = DeadLetters()
    events = EventLines(str(path), dead)
    text = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    filled = [line for line in text.split(b"\n") if line.strip()]

    try:
        taken = list(events)
    except InputError:  # two bytes at the start made it look gzipped
        assert path.read_bytes().startswith(b"\x1f\x8b")
    else:
        assert len(taken) + dead.count == len(filled)
