"""The order of the guards, and that the later ones are not asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

import pytest

from journeykit import (
    Cap,
    ConsentDefault,
    Journey,
    Policies,
    QuietHours,
    Send,
    Wait,
    Window,
    hours,
    on,
)
from journeykit.engine.catalog import Catalog
from journeykit.engine.customer import Address, Consent, Released
from journeykit.engine.guards import (
    ChannelRules,
    Envelope,
    Guards,
    Refusal,
    Surroundings,
)
from journeykit.engine.ids import address_key
from journeykit.model.zones import zone

NOON = 1_780_315_200_000  # 2026-06-01T12:00Z


class Exploding(Sequence[Any]):
    """A ledger or a list of consents that must not be looked into."""

    def __len__(self) -> int:
        return 1

    def __getitem__(self, key: Any) -> NoReturn:
        raise AssertionError("it was looked into")

    def __iter__(self) -> Iterator[Any]:
        raise AssertionError("it was looked into")


def _address(profile: Any, customer: str) -> Any:
    return profile.get("email")


def guards() -> Guards:
    """Every guard that can refuse, at noon, does."""
    policies = Policies(
        caps=[Cap(1, within=hours(24), channel="email"), Cap(1, within=hours(24))],
        quiet_hours=[QuietHours(Window("10:00", "14:00"))],
        consent=[ConsentDefault("refuse")],
    )
    channels = {"email": ChannelRules(address=_address, normalize=str.lower)}
    return Catalog.compile([], policies=policies, channels=channels).guards


ADDRESS = address_key("email", "ada@example.com")
LEDGER = [Released(NOON - 1, "email", "", "x", "marketing", "d")]
YES = [Consent(True, 0)]
REFUSING: dict[str, Any] = {
    "profile": {"email": "Ada@example.com"},
    "addresses": {ADDRESS: Address("hard_bounce", NOON - 1)},
    "consents": [
        Consent(False, 0, channel="email"),
        Consent(False, 0, topic="news"),
    ],
    "ledger": LEDGER,
}


def ask(**known: Any) -> Refusal:
    facts = {"counters": {}, "addresses": {}, **REFUSING, **known}
    envelope = Envelope("ada", "j", ("email",), "news", "marketing")
    answer = guards().ask(envelope, Surroundings(NOON, zone("UTC"), **facts))
    assert isinstance(answer, Refusal)
    return answer


def test_the_suppression_list_is_asked_first() -> None:
    answer = ask(consents=Exploding(), ledger=Exploding())

    assert answer.reason == "suppression_list"


def test_then_the_consent_for_the_channel() -> None:
    answer = ask(addresses={}, ledger=Exploding())

    assert answer.reason == "no_consent"
    assert answer.detail["values"]["channel"] == "email"


def test_then_the_consent_for_the_topic() -> None:
    answer = ask(
        addresses={}, consents=[Consent(False, 0, topic="news")], ledger=Exploding()
    )

    assert answer.reason == "no_consent"
    assert answer.detail["values"]["topic"] == "news"


def test_then_the_consent_that_was_never_given() -> None:
    answer = ask(addresses={}, consents=[], ledger=Exploding())

    assert answer.reason == "no_consent"
    assert answer.detail["rule"] == "never said yes"


def test_consent_comes_before_the_address() -> None:
    assert ask(profile={}, addresses={}).reason == "no_consent"


def test_then_the_address() -> None:
    answer = ask(profile={}, addresses={}, consents=YES, ledger=Exploding())

    assert answer.reason == "no_address"


def test_then_the_rest_after_a_bounce() -> None:
    resting = {ADDRESS: Address("", NOON - 1)}

    assert ask(addresses=resting, consents=YES, ledger=Exploding()).reason == (
        "bounce_cool_down"
    )


def test_then_the_caps() -> None:
    answer = ask(addresses={}, consents=YES)

    assert answer.reason == "frequency_cap"
    assert "(email|*|*|marketing)" in answer.detail["rule"]


def test_then_the_caps_that_are_not_the_channels() -> None:
    other = [LEDGER[0].__class__(NOON - 1, "sms", "", "x", "marketing", "d")]

    answer = ask(addresses={}, consents=YES, ledger=other)

    assert "(*|*|*|marketing)" in answer.detail["rule"]


def test_then_the_quiet_hours() -> None:
    answer = ask(addresses={}, consents=YES, ledger=[])

    assert (answer.reason, answer.until) == ("quiet_hours", NOON + 2 * 3_600_000)


def test_expiry_is_asked_before_all_of_them(drive: Any) -> None:
    ada = drive(
        Journey(
            id="j",
            trigger=on("start"),
            steps=[Wait(hours(1)), Send("email", "hi", expires_after=hours(1))],
        ),
        policies=Policies(consent=[ConsentDefault("refuse")]),
    )
    ada.event("start")

    ada.wake("+5h")

    assert ada.reasons("suppressed") == ["expired"]


@pytest.mark.parametrize("purpose", ["marketing", "transactional"])
def test_what_is_transactional_passes_the_rules_of_marketing(
    drive: Any, purpose: Any
) -> None:
    ada = drive(
        Journey(
            id="j", trigger=on("start"), steps=[Send("sms", "hi")], purpose=purpose
        ),
        policies=Policies(
            caps=[Cap(0)],
            quiet_hours=[QuietHours(Window("10:00", "14:00"))],
            consent=[ConsentDefault("refuse")],
        ),
    )

    ada.event("start")

    assert len(ada.sent) == (purpose == "transactional")
