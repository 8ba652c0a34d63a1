"""The bounds of the customer document: design, "The customer document"."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from journeykit import (
    Branch,
    Cap,
    Condition,
    ConsentDefault,
    Event,
    Goal,
    Journey,
    Policies,
    ReEntry,
    Send,
    Wait,
    WaitFor,
    When,
    days,
    entry,
    event,
    hours,
    on,
    react,
)
from journeykit.engine.customer import Past, Visits, encode, size_of
from journeykit.engine.guards import ChannelRules
from journeykit.engine.ids import address_key
from journeykit.model.steps import Step


def journey(*steps: Step, id: str = "j", **options: Any) -> Journey:
    return Journey(id=id, **{"trigger": on("start"), "steps": steps, **options})


def test_a_profile_has_200_keys_and_no_more(drive: Any) -> None:
    ada = drive()

    ada.event("profile.updated", **{f"k{n}": n for n in range(200)})
    told = ada.event("profile.updated", one_more=1)

    assert told == ["refused profile_too_large"]
    assert ada.last.refused == "profile_too_large"
    assert len(ada.customer.profile) == 200


def test_a_profile_has_16_kb_and_no_more(drive: Any) -> None:
    ada = drive()

    ada.event("profile.updated", text="x" * 16_000)
    told = ada.event("profile.updated", more="x" * 1000)

    assert told == ["refused profile_too_large"]


def test_a_full_profile_can_still_be_changed(drive: Any) -> None:
    ada = drive()
    ada.event("profile.updated", **{f"k{n}": n for n in range(200)})

    told = ada.event("profile.updated", k0=None, other=1)

    assert told == ["profile"]


def test_of_too_many_consents_the_oldest_yes_of_a_topic_goes(drive: Any) -> None:
    ada = drive()
    ada.event("consent.changed", granted=False, topic="never")
    ada.event("consent.changed", granted=True, channel="email")

    for n in range(199):
        ada.event("consent.changed", f"+{n + 1}m", granted=True, topic=f"t{n}")

    topics = [consent.topic for consent in ada.customer.consents]
    assert len(topics) == 200
    assert topics[:3] == ["never", "", "t1"]
    assert ada.reasons("forgotten") == ["consent"]


def test_50_runs_and_no_more(drive: Any) -> None:
    ada = drive(journey(Wait(days(1)), reentry="always"))

    for _ in range(51):
        ada.event("start")

    assert len(ada.runs) == 50
    assert ada.reasons("not_entered") == ["too_many_enrollments"]


def test_a_restart_needs_no_room(drive: Any) -> None:
    ada = drive(
        journey(Wait(days(1)), reentry="always"),
        journey(Wait(days(1)), id="one", trigger=on("one"), reentry="restart"),
    )
    ada.event("one")
    for _ in range(49):
        ada.event("start")

    assert ada.event("one") == ["exited restarted", "entered", "waiting"]


def test_the_runs_have_64_kb_and_no_more(drive: Any) -> None:
    ada = drive(
        journey(
            Wait(days(1)),
            Send("sms", "x", variables={"text": entry.text}),
            reentry="always",
        )
    )

    for _ in range(30):
        ada.event("start", text="x" * 4000)

    assert size_of(ada.customer.active) <= 64 * 1024
    assert "too_many_enrollments" in ada.reasons("not_entered")


def test_200_keys_are_remembered_and_the_oldest_is_forgotten(drive: Any) -> None:
    ada = drive(journey(key=event.key, reentry="never"))

    for n in range(201):
        ada.event("start", f"+{n}m", key=f"k{n}")

    assert len(ada.customer.past["j"].keys) == 200
    assert "k0" not in ada.customer.past["j"].keys
    assert ada.reasons("forgotten") == ["key"]


def test_the_key_of_a_running_enrollment_is_not_forgotten(drive: Any) -> None:
    ada = drive(
        journey(WaitFor([When(on("go"))]), key=event.key, reentry="never", id="w"),
        journey(key=event.key, reentry="never", trigger=on("other"), id="x"),
    )
    ada.event("start", key="held")

    for n in range(201):
        ada.event("other", f"+{n + 1}m", key=f"k{n}")

    assert "held" in ada.customer.past["w"].keys


def test_a_key_is_remembered_for_400_days(drive: Any) -> None:
    ada = drive(journey(key=event.key, reentry="never"))
    ada.event("start", key="a")

    ada.event("start", "+399d", key="b")
    known = set(ada.customer.past["j"].keys)
    ada.event("start", "+400d", key="c")

    assert known == {"a", "b"}
    assert set(ada.customer.past["j"].keys) == {"b", "c"}
    assert ada.reasons("forgotten") == []


def test_the_keys_of_the_past_have_16_kb(drive: Any) -> None:
    ada = drive(journey(key=event.key))

    for n in range(150):
        ada.event("start", f"+{n}m", key=f"{n:03}" + "x" * 200)

    assert size_of(ada.customer.past) <= 16 * 1024
    assert "key" in ada.reasons("forgotten")


def test_the_goals_watched_of_the_past_have_16_kb_too(drive: Any) -> None:
    ada = drive(
        journey(
            goal=Goal(on("bought", where=event.text == entry.text), within=days(365)),
        )
    )

    for n in range(40):
        ada.event("start", f"+{n}m", text=f"{n}" + "x" * 2000)

    assert size_of(ada.customer.past) <= 16 * 1024
    assert "forgotten" in [entry.kind for entry in ada.trace]


def test_a_goals_watch_whose_window_has_closed_is_dropped(drive: Any) -> None:
    ada = drive(journey(goal=Goal(on("bought"), within=hours(1))))
    ada.event("start")

    ada.event("start", "+1h")

    assert len(ada.customer.past["j"].finished) == 1


def test_the_ledger_keeps_what_a_cap_can_ask_for(drive: Any) -> None:
    ada = drive(
        journey(Send("sms", "x")), policies=Policies(caps=[Cap(9, within=days(9))])
    )
    ada.event("start", "+0h")
    ada.event("start", "+99d")

    ada.event("start", "+100d")

    ledger = [item.at for item in ada.customer.ledger]
    assert ada.ms("+0h") not in ledger
    assert ada.ms("+100d") in ledger


def test_without_a_cap_there_is_no_ledger(drive: Any) -> None:
    ada = drive(journey(Send("sms", "x")))

    ada.event("start")

    assert ada.customer.ledger == []


def test_the_ledger_has_500_entries(drive: Any) -> None:
    ada = drive(
        journey(Send("sms", "x")), policies=Policies(caps=[Cap(500, within=days(99))])
    )

    for n in range(502):
        ada.event("start", f"+{n}m")

    assert len(ada.customer.ledger) == 500
    assert len(ada.sent) == 500 or "ledger" in ada.reasons("forgotten")


def test_512_events_are_remembered_and_a_younger_one_evicted_is_traced(
    drive: Any,
) -> None:
    ada = drive()

    for n in range(513):
        ada.event("profile.updated", f"+{n}s", n=n)

    assert len(ada.customer.seen) == 512
    assert ada.reasons("forgotten") == ["seen"]


def test_an_event_is_remembered_for_48_hours(drive: Any) -> None:
    ada = drive()
    ada.event("profile.updated", "+0h", n=1)

    ada.event("profile.updated", "+49h", n=2)

    assert len(ada.customer.seen) == 1


def test_an_event_that_changed_nothing_is_not_remembered(drive: Any) -> None:
    ada = drive(journey(Wait(days(1))))
    ada.event("start")

    ada.event("weather.changed")

    assert len(ada.customer.seen) == 1


def test_the_trace_has_32_kb_and_says_that_it_was_cut(drive: Any) -> None:
    long = "entry.x == '" + "x" * 900 + "'"
    steps = [Branch([When(Condition.parse(long))]) for _ in range(60)]
    ada = drive(journey(*steps), explain=True)

    ada.event("start", x="y")

    assert size_of(ada.last.trace) <= 33 * 1024
    assert ada.reasons("forgotten") == ["trace"]


def test_a_trace_of_many_entries_is_cut_too(drive: Any) -> None:
    ada = drive(*[journey(id=f"j{n}") for n in range(500)])

    ada.event("start")

    assert size_of(ada.last.trace) <= 33 * 1024


def test_a_value_in_the_trace_is_cut_at_256_characters(drive: Any) -> None:
    ada = drive(explain=True)

    ada.event("profile.updated", text="x" * 300, list=["x" * 300])

    (detail,) = ada.details("profile")
    assert len(detail["values"]["text"]) == 256
    assert detail["values"]["list"] == "list of 1…"


def test_a_message_has_8_kb_of_variables(drive: Any) -> None:
    ada = drive(
        journey(
            Send("sms", "x", variables={"small": "s", "large": "x" * 9000}),
        )
    )

    ada.event("start")

    assert ada.commands[0].variables == {"small": "s"}
    assert ada.details("sent")[0]["missing"] == ["large"]


def test_200_addresses_are_kept_and_the_suppressed_longest(drive: Any) -> None:
    ada = drive()
    ada.event("message.bounced", channel="email", address="a@x", bounce="hard")

    for n in range(200):
        ada.event(
            "message.bounced",
            f"+{n}m",
            channel="email",
            address=f"b{n}@x",
            bounce="soft",
        )

    assert len(ada.customer.addresses) == 200
    assert address_key("email", "a@x") in ada.customer.addresses
    assert ada.reasons("forgotten") == ["address"]


def test_a_full_document_stays_below_256_kb(drive: Any) -> None:
    text = "x" * 3900
    ada = drive(
        journey(
            Wait(days(1)),
            Send("sms", "x", variables={"text": entry.text}),
            reentry="always",
            goal=Goal(on("never"), within=days(99)),
        ),
        journey(Send("sms", "y"), id="sends", reentry="always", key=event.key),
        policies=Policies(
            caps=[Cap(500, within=days(99))], consent=[ConsentDefault("allow")]
        ),
    )
    ada.event("profile.updated", text="x" * 16_000)

    for n in range(600):
        ada.event("start", f"+{n}s", text=text, key=f"{n}" + "k" * 200)

    assert len(encode(ada.customer)) < 256 * 1024


@pytest.mark.parametrize("odd", ["", "\x00", "𝄞" * 99, "null"])
def test_odd_text_survives(drive: Any, odd: str) -> None:
    ada = drive(journey(Wait(days(1)), key=event.key))

    ada.event("profile.updated", **{"odd": odd, f"k{odd}": 1})
    ada.event("start", key=odd)

    assert ada.customer.profile["odd"] == odd


def test_very_long_names_do_not_get_into_the_document(drive: Any) -> None:
    ada = drive()

    ada.event("message.bounced", channel="email", address="x" * 100_000)
    ada.event("message.bounced", channel="c" * 100_000, address="x")
    ada.event("message.unsubscribed", channel="y" * 100_000)
    ada.event("message.unsubscribed", topic="y" * 100_000)
    ada.event("consent.changed", granted=True, topic="y" * 100_000)

    assert len(encode(ada.customer)) < 2000


def test_a_long_address_is_suppressed_though_it_is_kept_short(drive: Any) -> None:
    def address(profile: Any, customer: str) -> str:
        return "token-" * 1000

    rules = ChannelRules(address=address, normalize=str)
    ada = drive(journey(Send("push", "x")), channels={"push": rules})

    ada.event("message.bounced", channel="push", bounce="hard")
    ada.event("start")

    assert ada.reasons("suppressed") == ["suppression_list"]


def test_the_entries_of_few_keys_have_16_kb_too(drive: Any) -> None:
    often = ReEntry("always", max_entries=100, per=days(365))
    ada = drive(journey(key=event.key, reentry=often))
    ada.event("start", key="one")
    entries = [ada.ms("+0h") - 100 + n for n in range(100)]
    full = Visits(100, entries[-1], entries[-1], entries)
    past = Past(
        100, entries[-1], entries[-1], entries, keys={f"k{n}": full for n in range(20)}
    )
    crowded = msgspec.structs.replace(ada.customer, past={"j": past})
    again = Event(
        id="again",
        name="start",
        customer="ada",
        occurred_at=ada.now,
        received_at=ada.now,
        properties={"key": "two"},
    )

    reaction = react(crowded, again, catalog=ada.catalog, now=ada.now)

    assert size_of(reaction.customer.past) <= 16 * 1024
    assert "two" in reaction.customer.past["j"].keys


def test_the_past_has_16_kb_however_many_journeys_there_were(drive: Any) -> None:
    names = [f"{n:03}-{'x' * 60}" for n in range(200)]
    crowd = {
        name: Past(1, 5 + n, 6 + n, outcome="completed") for n, name in enumerate(names)
    }
    ada = drive(journey())
    ada.event("start")
    crowded = msgspec.structs.replace(ada.customer, past={**crowd, **ada.customer.past})
    again = msgspec.structs.replace(ada.stimulus("start"), id="again")

    reaction = react(crowded, again, catalog=ada.catalog, now=ada.now)

    assert size_of(reaction.customer.past) <= 16 * 1024
    assert names[0] not in reaction.customer.past
    assert names[-1] in reaction.customer.past


def test_a_forgotten_journey_never_gives_an_enrollment_id_twice(drive: Any) -> None:
    ada = drive(journey())
    ada.event("start")
    first = next(entry.enrollment for entry in ada.trace if entry.kind == "entered")
    forgotten = msgspec.structs.replace(ada.customer, past={}, forgotten=1)
    again = msgspec.structs.replace(ada.stimulus("start"), id="again")

    reaction = react(forgotten, again, catalog=ada.catalog, now=ada.now)

    second = next(e.enrollment for e in reaction.trace if e.kind == "entered")
    assert second != first
