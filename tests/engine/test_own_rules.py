"""Rules that others have written: the channel's own, and the guards of plugins."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from journeykit import (
    Cap,
    Catalog,
    ConsentDefault,
    Event,
    Journey,
    Policies,
    QuietHours,
    Send,
    WakeUp,
    Window,
    hours,
    on,
    react,
)
from journeykit.engine.asked import Asked, Contact, Refused
from journeykit.engine.customer import Customer, decode, encode
from journeykit.engine.guards import ChannelRules
from journeykit.engine.redaction import KNOWN, redacted
from journeykit.engine.trace import TraceEntry
from journeykit.engine.words import explanation_of, words_of
from journeykit.ports import CatalogDocument
from journeykit.runtime.catalogs import compiled

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
BORN = datetime(2026, 5, 1, tzinfo=UTC)

Rule = Callable[[Asked], Any]


class Guard:
    """A guard that notes what it is asked."""

    def __init__(self, rule: Rule = lambda asked: None) -> None:
        self.rule = rule
        self.asked: list[Asked] = []

    def ask(self, asked: Asked, /) -> Any:
        self.asked.append(asked)
        return self.rule(asked)


def no(asked: Asked) -> Refused:
    return Refused("never", {"limit": 3})


def raises(asked: Asked) -> Refused:
    raise KeyError(f"{asked.address} is not known")


def channel(rule: Rule | None = None) -> ChannelRules:
    def address(profile: Any, customer: str) -> Any:
        return profile.get("email", f"{customer}@example.com")

    return ChannelRules(address, str.lower, rule)


def release(
    *,
    guards: dict[str, Any] | None = None,
    channels: dict[str, ChannelRules] | None = None,
    send: Send | None = None,
    policies: Policies | None = None,
    facts: dict[str, Any] | None = None,
    profile: dict[str, Any] | None = None,
) -> tuple[Customer, list[str], list[TraceEntry]]:
    """A customer comes to a Send; return them, what went, and the whole trace."""
    step = send or Send("email", "hello", topic="news", id="hi")
    journey = Journey("j", trigger=on("start"), steps=[step])
    catalog = Catalog.compile(
        [journey],
        policies=policies or Policies(),
        channels=channels or {"email": channel()},
        guards=guards,
        facts=facts,
    )
    customer, sent, trace = None, [], []
    for name, at, properties in (
        ("profile.updated", BORN, {"plan": "pro", **(profile or {})}),
        ("start", NOON, {}),
    ):
        event = Event(
            id=name,
            name=name,
            customer="ada",
            properties=properties,
            occurred_at=at,
            received_at=at,
        )
        reaction = react(customer, event, catalog=catalog, now=at)
        customer = reaction.customer
        sent += [command.channel for command in reaction.commands]  # type: ignore[union-attr]
        trace += reaction.trace
    assert customer is not None
    return customer, sent, trace


def suppressed(trace: list[TraceEntry]) -> TraceEntry:
    (entry,) = (entry for entry in trace if entry.kind == "suppressed")
    return entry


# --- what they are asked ------------------------------------------------------------


def test_a_guard_is_told_all_about_the_message_and_whom_it_is_to() -> None:
    guard = Guard()

    release(
        guards={"g": guard},
        profile={"zone": "Asia/Tokyo"},
        facts={"email": {"hello": {"kind": "template"}}},
    )

    assert guard.asked == [
        Asked(
            customer="ada",
            created_at=BORN,
            now=NOON,
            zone="Asia/Tokyo",
            journey="j",
            step="hi",
            channel="email",
            address="ada@example.com",
            template="hello",
            topic="news",
            purpose="marketing",
            profile={"plan": "pro", "zone": "Asia/Tokyo"},
            contact=Contact(),
            facts={"hello": {"kind": "template"}},
        )
    ]


def test_nobody_can_change_a_profile_by_being_asked() -> None:
    def writes(asked: Asked) -> None:
        asked.profile["plan"] = "free"  # type: ignore[index]

    customer, sent, trace = release(guards={"g": Guard(writes)})

    assert customer.profile == {"plan": "pro"}
    assert sent == []
    assert suppressed(trace).detail["failed"] == "TypeError"


def test_a_guard_knows_what_has_happened_at_the_address(drive: Any) -> None:
    guard = Guard()
    journey = Journey(
        "j", trigger=on("start"), reentry="always", steps=[Send("email", "x")]
    )
    ada = drive(journey, channels={"email": channel()})
    ada.catalog = Catalog.compile(
        [journey],
        policies=Policies(bounce_cool_down=hours(1)),
        channels={"email": channel()},
        guards={"g": guard},
    )
    ada.event("message.bounced", "+1h", channel="email", bounce="soft")
    ada.event("message.replied", "+2h", channel="email")

    ada.event("start", "+5h")

    contact = guard.asked[-1].contact
    assert contact.bounced_at == ada.instant("+1h")
    assert contact.replied_at == contact.engaged_at == ada.instant("+2h")


def test_a_channel_without_facts_has_none() -> None:
    guard = Guard()

    release(guards={"g": guard}, facts={"sms": {"hello": 1}})

    assert guard.asked[0].facts == {}


def test_a_published_catalog_hands_the_facts_on() -> None:
    guard = Guard()
    journey = Journey("j", trigger=on("start"), steps=[Send("email", "hello")])
    document = CatalogDocument(
        1, 0, "", [journey.to_plan()], Policies().to_plan(), facts={"email": {"a": 1}}
    )
    catalog = compiled(document, channels={"email": channel()}, guards={"g": guard})
    event = Event(
        id="1", name="start", customer="ada", occurred_at=NOON, received_at=NOON
    )

    react(None, event, catalog=catalog, now=NOON)

    assert guard.asked[0].facts == {"a": 1}


# --- in which order -----------------------------------------------------------------


def test_the_channels_own_rule_comes_before_guards_and_these_by_name() -> None:
    order: list[str] = []

    def noting(name: str) -> Rule:
        return lambda asked: order.append(name)

    release(
        guards={"b": Guard(noting("b")), "a": Guard(noting("a"))},
        channels={"email": channel(noting("rule"))},
    )

    assert order == ["rule", "a", "b"]


def test_the_first_refusal_is_the_last_question() -> None:
    later = Guard()

    _, _, trace = release(guards={"a": Guard(no), "b": later})

    assert suppressed(trace).detail["guard"] == "a"
    assert later.asked == []


def test_they_come_after_consent_and_address() -> None:
    guard = Guard(no)
    refusing = Policies(consent=[ConsentDefault("refuse")])

    _, _, without_consent = release(guards={"g": guard}, policies=refusing)
    _, _, without_address = release(guards={"g": guard}, profile={"email": ""})

    assert suppressed(without_consent).reason == "no_consent"
    assert suppressed(without_address).reason == "no_address"
    assert guard.asked == []


def test_they_come_before_caps_and_quiet_hours() -> None:
    policies = Policies(
        caps=[Cap(0, within=hours(1)), Cap(0, within=hours(1), channel="email")],
        quiet_hours=[QuietHours(Window("00:00", "24:00"))],
    )

    _, _, trace = release(guards={"g": Guard(no)}, policies=policies)

    assert suppressed(trace).reason == "guard"


def test_the_rule_comes_before_and_guards_after_the_cool_down(drive: Any) -> None:
    guard = Guard(no)
    journey = Journey("j", trigger=on("start"), steps=[Send("email", "x")])
    ada = drive(journey)
    for rule, reason in ((None, "bounce_cool_down"), (no, "channel_rule")):
        ada.catalog = Catalog.compile(
            [journey],
            policies=Policies(),
            channels={"email": channel(rule)},
            guards={"g": guard},
        )
        ada.event("message.bounced", channel="email", bounce="soft")
        ada.event("start")
        assert ada.reasons("suppressed")[-1] == reason
    assert guard.asked == []


# --- what follows -------------------------------------------------------------------


def test_a_refusal_of_the_channel_moves_on_to_the_next() -> None:
    _, sent, _ = release(
        send=Send(["email", "sms"], "hello"), channels={"email": channel(no)}
    )

    assert sent == ["sms"]


def test_so_does_one_of_a_guard_which_sees_the_channel() -> None:
    guard = Guard(lambda asked: no(asked) if asked.channel == "email" else None)

    _, sent, _ = release(guards={"g": guard}, send=Send(["email", "sms"], "hello"))

    assert sent == ["sms"]
    assert [asked.channel for asked in guard.asked] == ["email", "sms"]


def test_if_all_refuse_the_first_ones_word_counts() -> None:
    _, _, trace = release(
        guards={"g": Guard(no)},
        send=Send(["email", "sms"], "hello"),
        channels={"email": channel(no)},
    )

    assert suppressed(trace).reason == "channel_rule"
    assert suppressed(trace).detail["tried"] == {
        "email": "channel_rule",
        "sms": "guard",
    }


def test_the_option_for_refusals_says_what_follows() -> None:
    _, _, trace = release(
        guards={"g": Guard(no)}, send=Send("email", "x", on_refused="exit")
    )

    assert [(e.kind, e.reason) for e in trace][-1] == ("exited", "guard")


def test_transactional_messages_are_asked_about_too() -> None:
    guard = Guard()

    release(guards={"g": guard}, send=Send("email", "x", purpose="transactional"))

    assert [asked.purpose for asked in guard.asked] == ["transactional"]


def test_a_message_that_came_back_is_asked_about_as_it_was_released(drive: Any) -> None:
    guard = Guard()
    journey = Journey("j", trigger=on("start"), steps=[Send("email", "x", id="s")])
    ada = drive(journey)
    ada.event("start")
    ada.returns("+30m", "+1m")
    ada.catalog = Catalog.compile(
        [journey],
        policies=Policies(),
        channels={"email": channel()},
        guards={"g": guard},
    )

    ada.react(WakeUp("ada"), now=ada.instant("+30m"))

    asked = guard.asked[0]
    assert (asked.step, asked.template, asked.address) == ("s", "x", "ada")


# --- what must not break anything ---------------------------------------------------

FAULTS: list[tuple[str, Any, str]] = [
    ("raises", raises, "KeyError"),
    ("says yes", lambda asked: True, "TypeError"),
    ("says a word", lambda asked: "no", "TypeError"),
    ("gives no text", lambda asked: Refused(3), "TypeError"),  # type: ignore[arg-type]
    ("gives no values", lambda asked: Refused("x", [1]), "TypeError"),  # type: ignore[arg-type]
    ("gives no JSON", lambda asked: Refused("x", {"a": object()}), "TypeError"),
    ("takes nothing", lambda: None, "TypeError"),
    ("goes too deep", lambda asked: deeper(asked), "RecursionError"),
]


def deeper(asked: Asked) -> Any:
    return deeper(asked)


@pytest.mark.parametrize(
    ("rule", "error"), [case[1:] for case in FAULTS], ids=[case[0] for case in FAULTS]
)
@pytest.mark.parametrize("whose", ["guard", "channel_rule"])
def test_one_that_fails_refuses_and_says_which(
    whose: str, rule: Any, error: str
) -> None:
    class Faulty:
        def __init__(self) -> None:
            self.ask = rule

    own = {"guards": {"g": Faulty()}} if whose == "guard" else {}
    channels = {"email": channel(rule if whose == "channel_rule" else None)}

    customer, sent, trace = release(channels=channels, **own)

    entry = suppressed(trace)
    assert (sent, entry.reason) == ([], whose)
    assert entry.detail["failed"] == error
    assert "ada@example.com" not in str(entry.detail)
    assert decode(encode(customer)) == customer


def test_what_it_says_is_cut() -> None:
    values = {f"value-{n}": "y" * 10_000 for n in range(1000)}

    _, _, trace = release(
        guards={"g": Guard(lambda asked: Refused("x" * 10_000, values))}
    )

    detail = suppressed(trace).detail
    assert len(detail["rule"]) == 256
    assert len(detail["values"]) == 40
    assert max(map(len, detail["values"].values())) == 256


def test_an_interrupt_is_no_refusal() -> None:
    def interrupted(asked: Asked) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        release(guards={"g": Guard(interrupted)})


# --- what is said of it -------------------------------------------------------------


def test_the_story_says_which_guard_and_what_it_saw() -> None:
    _, _, trace = release(guards={"quota": Guard(no)})

    entry = suppressed(trace)

    assert words_of(entry) == "not sent: the guard quota refuses it: never"
    assert explanation_of(entry) == [
        "Saw: limit = 3.",
        "It is a rule of the plugin's; it may have settings.",
    ]


def test_the_story_says_that_one_fails() -> None:
    _, _, trace = release(channels={"email": channel(raises)})

    entry = suppressed(trace)

    assert words_of(entry) == (
        "not sent: email does not take it, as its rule fails: KeyError"
    )
    assert explanation_of(entry) == [
        "A rule that fails refuses: its plugin has a fault, KeyError."
    ]


def test_the_decision_log_hides_what_a_guard_saw() -> None:
    _, _, trace = release(guards={"quota": Guard(no)})

    logged = redacted(suppressed(trace), frozenset())

    assert logged.detail["values"] == {"limit": KNOWN}
    assert (logged.detail["guard"], logged.detail["rule"]) == ("quota", "never")
