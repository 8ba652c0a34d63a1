"""Send: over one channel or the first that works, and what follows if it can't go."""

from __future__ import annotations

from typing import Any

import pytest

from journeykit import (
    Cap,
    ConsentDefault,
    Goal,
    Journey,
    Policies,
    QuietHours,
    Send,
    Wait,
    Window,
    days,
    entry,
    hours,
    on,
    profile,
)
from journeykit.engine.guards import ChannelRules
from journeykit.model.steps import Step

NIGHT = Policies(quiet_hours=[QuietHours(Window("10:00", "14:00"))])  # it is noon
ONE_A_DAY = Policies(caps=[Cap(1, within=hours(24))])


def journey(*steps: Step, id: str = "j", **options: Any) -> Journey:
    return Journey(id=id, **{"trigger": on("start"), "steps": steps, **options})


def attribute(name: str) -> ChannelRules:
    """A channel that is addressed by an attribute of the profile."""

    def address(profile: Any, customer: str) -> Any:
        return profile.get(name)

    return ChannelRules(address=address, normalize=str.lower)


CHANNELS = {"email": attribute("email"), "sms": attribute("phone")}


def test_a_send_commands_one_message_and_writes_the_ledger_once(drive: Any) -> None:
    ada = drive(journey(Send("email", "hi")), policies=ONE_A_DAY)

    ada.event("start")

    assert len(ada.commands) == len(ada.customer.ledger) == 1


def test_a_command_says_all_that_the_shell_needs(drive: Any) -> None:
    ada = drive(
        journey(
            Send("email", "hi", variables={"name": profile.name, "n": 1}),
            topic="news",
            version=3,
        ),
        channels=CHANNELS,
    )
    ada.event("profile.updated", name="Ada", email="Ada@example.com")

    ada.event("start")

    (command,) = ada.commands
    assert command.address == "Ada@example.com"
    assert command.variables == {"name": "Ada", "n": 1}
    assert (command.journey, command.version, command.step) == ("j", 3, "send-email-hi")
    assert (command.purpose, command.topic) == ("marketing", "news")
    assert command.expires_at == ada.ms("+24h")


def test_variables_are_those_of_the_release(drive: Any) -> None:
    ada = drive(
        journey(Send("email", "hi", variables={"name": profile.name})), policies=NIGHT
    )
    ada.event("start")

    ada.event("profile.updated", name="Ada")
    ada.until("+9h")

    assert ada.commands[0].variables == {"name": "Ada"}


def test_a_variable_that_holds_nothing_is_left_out_and_traced(drive: Any) -> None:
    ada = drive(journey(Send("email", "hi", variables={"sum": entry.sum})))

    ada.event("start")

    assert ada.commands[0].variables == {}
    assert ada.details("sent")[0]["missing"] == ["sum"]


def test_an_unknown_channel_is_addressed_by_the_customers_id(drive: Any) -> None:
    ada = drive(journey(Send("console", "hi")))

    ada.event("start")

    assert ada.commands[0].address == "ada"


def test_a_missing_address_moves_on_to_the_next_channel(drive: Any) -> None:
    ada = drive(journey(Send(["email", "sms"], "hi")), channels=CHANNELS)
    ada.event("profile.updated", phone="+15550100")

    ada.event("start")

    assert [c.channel for c in ada.commands] == ["sms"]


def test_a_bounce_moves_on_to_the_next_channel(drive: Any) -> None:
    ada = drive(journey(Send(["email", "sms"], "hi")), channels=CHANNELS)
    ada.event("profile.updated", phone="+15550100", email="a@example.com")
    ada.event("message.bounced", channel="email", bounce="hard")

    ada.event("start")

    assert [c.channel for c in ada.commands] == ["sms"]


def test_a_missing_consent_for_the_channel_moves_on_to_the_next(drive: Any) -> None:
    ada = drive(journey(Send(["email", "sms"], "hi")))
    ada.event("consent.changed", granted=False, channel="email")

    ada.event("start")

    assert [c.channel for c in ada.commands] == ["sms"]


def test_a_cap_of_the_channel_moves_on_to_the_next(drive: Any) -> None:
    ada = drive(
        journey(Send(["email", "sms"], "a"), Send(["email", "sms"], "b")),
        policies=Policies(caps=[Cap(1, within=hours(24), channel="email")]),
    )

    ada.event("start")

    assert [c.channel for c in ada.commands] == ["email", "sms"]


def test_a_cap_of_everything_moves_on_to_no_other_channel(drive: Any) -> None:
    ada = drive(
        journey(Send("email", "a"), Send(["email", "sms"], "b")), policies=ONE_A_DAY
    )

    ada.event("start")

    assert ada.sent == ["a +0s"]


def test_quiet_hours_of_the_channel_move_on_to_no_other(drive: Any) -> None:
    quiet = QuietHours(Window("10:00", "14:00"), channel="email")
    ada = drive(
        journey(Send(["email", "sms"], "hi")), policies=Policies(quiet_hours=[quiet])
    )

    ada.event("start")
    ada.until("+9h")

    assert [c.channel for c in ada.commands] == ["email"]
    assert ada.sent == ["hi +2h"]


def test_a_refused_topic_moves_on_to_no_other_channel(drive: Any) -> None:
    ada = drive(journey(Send(["email", "sms"], "hi", topic="news")))
    ada.event("consent.changed", granted=False, topic="news")

    ada.event("start")

    assert ada.sent == []


def test_if_no_channel_works_the_first_ones_reason_counts(drive: Any) -> None:
    ada = drive(journey(Send(["email", "sms"], "hi")), channels=CHANNELS)
    ada.event("consent.changed", granted=False, channel="sms")

    ada.event("start")

    assert ada.reasons("suppressed") == ["no_address"]
    (detail,) = ada.details("suppressed")
    assert detail["tried"] == {"email": "no_address", "sms": "no_consent"}


def test_the_position_in_the_list_makes_another_delivery_id(drive: Any) -> None:
    first, second = (
        drive(journey(Send(["email", "sms"], "hi", id="s")), channels=CHANNELS)
        for _ in range(2)
    )
    first.event("profile.updated", email="a@example.com")
    second.event("profile.updated", phone="+15550100")

    first.event("start")
    second.event("start")

    assert first.commands[0].enrollment == second.commands[0].enrollment
    assert first.commands[0].delivery_id != second.commands[0].delivery_id


def test_one_reaction_releases_no_more_than_one_message_a_step(drive: Any) -> None:
    ada = drive(journey(Send(["email", "sms"], "hi")))

    ada.event("start")

    assert len(ada.commands) == 1


@pytest.mark.parametrize(
    ("on_refused", "then"), [("skip", "sent then"), ("exit", "exited no_consent")]
)
def test_without_consent_the_run_goes_on_or_exits(
    drive: Any, on_refused: Any, then: str
) -> None:
    ada = drive(
        journey(Send("email", "hi", on_refused=on_refused), Send("sms", "then")),
        policies=Policies(consent=[ConsentDefault("refuse", channel="email")]),
    )

    ada.event("start")

    assert ada.did[1:3] == ["suppressed no_consent", then]


@pytest.mark.parametrize("on_refused", ["skip", "exit"])
def test_without_an_address_the_run_goes_on_or_exits(
    drive: Any, on_refused: Any
) -> None:
    ada = drive(
        journey(Send("email", "hi", on_refused=on_refused), Wait(hours(1))),
        channels=CHANNELS,
    )

    ada.event("start")

    assert (ada.did[-1] == "exited no_address") is (on_refused == "exit")


@pytest.mark.parametrize("on_capped", ["skip", "defer", "exit"])
def test_a_capped_message_is_skipped_deferred_or_ends_the_run(
    drive: Any, on_capped: Any
) -> None:
    second = Send("email", "b", on_capped=on_capped, expires_after=days(3))
    ada = drive(journey(Send("email", "a"), second, Wait(days(9))), policies=ONE_A_DAY)

    ada.event("start")
    ada.until("+3d")

    assert (
        ada.did[2]
        == {
            "skip": "suppressed frequency_cap",
            "defer": "deferred frequency_cap",
            "exit": "suppressed frequency_cap",
        }[on_capped]
    )
    assert ada.sent == ["a +0s", "b +24h"][: 2 if on_capped == "defer" else 1]
    assert bool(ada.reasons("exited")) is (on_capped == "exit")


def test_a_capped_message_is_not_deferred_beyond_its_expiry(drive: Any) -> None:
    second = Send("email", "b", on_capped="defer", expires_after=hours(12))
    ada = drive(journey(Send("email", "a"), second), policies=ONE_A_DAY)

    ada.event("start")

    assert ada.reasons("suppressed") == ["frequency_cap"]
    assert ada.runs == []


def test_a_cap_that_never_frees_up_defers_nothing(drive: Any) -> None:
    ada = drive(
        journey(Send("email", "b", on_capped="defer")), policies=Policies(caps=[Cap(0)])
    )

    ada.event("start")

    assert ada.reasons("suppressed") == ["frequency_cap"]


@pytest.mark.parametrize("on_quiet", ["defer", "skip", "exit"])
def test_in_quiet_hours_a_message_is_deferred_skipped_or_ends_the_run(
    drive: Any, on_quiet: Any
) -> None:
    ada = drive(
        journey(Send("email", "hi", on_quiet=on_quiet), Wait(days(9))), policies=NIGHT
    )

    ada.event("start")
    ada.until("+3h")

    assert ada.sent == (["hi +2h"] if on_quiet == "defer" else [])
    assert bool(ada.reasons("exited")) is (on_quiet == "exit")


def test_a_deferred_message_waits_at_its_step(drive: Any) -> None:
    ada = drive(journey(Send("email", "hi"), Wait(hours(1))), policies=NIGHT)

    ada.event("start")

    assert ada.run.step == "send-email-hi"
    assert ada.due_in == "+2h"


def test_waits_behind_a_deferred_message_count_from_its_release(drive: Any) -> None:
    ada = drive(journey(Send("email", "hi"), Wait(hours(1))), policies=NIGHT)
    ada.event("start")

    ada.until("+2h")

    assert ada.due_in == "+3h"


def test_goals_act_on_a_deferred_message(drive: Any) -> None:
    ada = drive(journey(Send("email", "hi"), goal=Goal(on("bought"))), policies=NIGHT)
    ada.event("start")

    ada.event("bought", "+1h")
    ada.until("+9h")

    assert ada.sent == []
    assert ada.did[-1] == "exited goal_reached"


def test_exit_rules_act_on_a_deferred_message(drive: Any) -> None:
    ada = drive(journey(Send("email", "hi"), exit_rules=[on("left")]), policies=NIGHT)
    ada.event("start")

    ada.event("left", "+1h")

    assert ada.did[-1] == "exited exit_rule"
    assert ada.due is None


def test_the_end_of_the_journey_ejects_a_deferred_message(drive: Any) -> None:
    end = drive().instant("+1h")
    ada = drive(
        journey(Send("email", "hi"), ends_at=end, on_end="eject"), policies=NIGHT
    )
    ada.event("start")

    ada.until("+9h")

    assert ada.sent == []
    assert ada.did[-1] == "exited journey_ended"


def test_a_deferred_message_keeps_its_delivery_id(drive: Any) -> None:
    quiet = drive(journey(Send("email", "hi")), policies=NIGHT)
    loud = drive(journey(Send("email", "hi")))
    quiet.event("start")
    loud.event("start")

    quiet.until("+9h")

    assert quiet.commands[0].delivery_id == loud.commands[0].delivery_id


def test_all_guards_are_asked_again_on_release(drive: Any) -> None:
    ada = drive(journey(Send("email", "hi")), policies=NIGHT)
    ada.event("start")

    ada.event("message.unsubscribed", "+1h", channel="email")
    ada.until("+9h")

    assert ada.sent == []
    assert ada.reasons("suppressed") == ["no_consent"]


def test_a_cap_is_asked_on_release_and_not_when_the_message_was_held(
    drive: Any,
) -> None:
    both = Policies(caps=ONE_A_DAY.caps, quiet_hours=NIGHT.quiet_hours)
    ada = drive(
        journey(Send("email", "first"), id="a", priority=1),
        journey(Send("email", "second"), id="b"),
        policies=both,
    )

    ada.event("start")
    ada.until("+9h")

    assert ada.reasons("deferred") == ["quiet_hours", "quiet_hours"]
    assert ada.sent == ["first +2h"]
    assert ada.reasons("suppressed") == ["frequency_cap"]


def test_expiry_of_a_deferred_message_counts_from_its_arrival(drive: Any) -> None:
    ada = drive(journey(Send("email", "hi", expires_after=hours(3))), policies=NIGHT)
    ada.event("start")

    ada.wake("+3h")

    assert ada.reasons("suppressed") == ["expired"]


def test_quiet_hours_that_outlast_the_expiry_defer_nothing(drive: Any) -> None:
    ada = drive(
        journey(Send("email", "hi", expires_after=hours(1)), Wait(hours(9))),
        policies=NIGHT,
    )

    ada.event("start")

    assert ada.reasons("suppressed") == ["quiet_hours"]
    assert ada.due_in == "+9h"


def test_the_journeys_topic_counts_unless_the_send_has_its_own(drive: Any) -> None:
    ada = drive(
        journey(Send("email", "a"), Send("email", "b", topic="own"), topic="journeys")
    )

    ada.event("start")

    assert [c.topic for c in ada.commands] == ["journeys", "own"]
