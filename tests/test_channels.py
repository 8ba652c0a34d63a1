from collections.abc import Sequence
from dataclasses import FrozenInstanceError, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, strategies as st
from pydantic import BaseModel

from journeykit.channels import (
    Callback,
    Capabilities,
    Channel,
    DeliveryStatus,
    Engagement,
    Message,
    Receipt,
    Report,
    Sent,
    settings_of,
)
from journeykit.errors import InputError, PluginLoadError

MESSAGE = Message(
    delivery_id="d1",
    customer="c1",
    channel="email",
    address="ada@example.org",
    template="welcome",
    variables={"name": "Ada"},
    at=datetime(2026, 3, 2, 9, tzinfo=UTC),
    journey="welcome-series",
    step="send-email-welcome",
    purpose="marketing",
)


class Shout(Channel):
    name = "shout"

    def send(self, messages: Sequence[Message]) -> Sequence[Receipt]:
        return [Sent(message.delivery_id) for message in messages]


class Email(Shout):
    name = "email"
    provider = "ses"
    address_attribute = "email"

    class Settings(BaseModel, extra="forbid"):
        key: str
        sender: str = "hello@example.org"

    settings: Settings


def test_a_channel_needs_only_a_name_and_a_way_to_send() -> None:
    receipts = Shout().send([MESSAGE, replace(MESSAGE, delivery_id="d2")])

    assert receipts == [Sent("d1"), Sent("d2")]


def test_a_channel_that_cannot_send_is_no_channel() -> None:
    class Mute(Channel):
        name = "mute"

    with pytest.raises(TypeError, match="send"):
        Mute()  # type: ignore[abstract]


def test_without_an_address_attribute_the_customer_id_is_the_address() -> None:
    assert Shout().address({"email": "ada@example.org"}, "c1") == "c1"


def test_the_address_is_the_profile_attribute_that_the_channel_names() -> None:
    assert Email().address({"email": "Ada@example.org"}, "c1") == "Ada@example.org"


@pytest.mark.parametrize("profile", [{}, {"email": ""}, {"email": None}, {"email": 7}])
def test_what_is_no_text_is_no_address(profile: dict[str, object]) -> None:
    assert Email().address(profile, "c1") is None


@given(st.text())
def test_normalizing_twice_changes_nothing_more(address: str) -> None:
    once = Email().normalize(address)

    assert Email().normalize(once) == once


def test_addresses_compare_without_case_and_customer_ids_with_it() -> None:
    assert Email().normalize("Ada@Example.org") == "ada@example.org"
    assert Shout().normalize("A1") == "A1"


def test_configuring_a_channel_leaves_the_given_one_as_it_was() -> None:
    channel = Email()

    configured = channel.configured({"key": "k"})

    assert configured.settings == Email.Settings(key="k")
    assert "settings" not in vars(channel)


@pytest.mark.parametrize(
    ("settings", "place"),
    [({}, "ses.key"), ({"key": 1}, "ses.key"), ({"key": "k", "kee": 1}, "ses.kee")],
)
def test_a_wrong_setting_is_named(settings: dict[str, object], place: str) -> None:
    with pytest.raises(InputError) as caught:
        Email().configured(settings)

    assert caught.value.place == place


def test_a_channel_without_settings_takes_none() -> None:
    channel = Shout()

    assert channel.configured({}) is channel
    with pytest.raises(InputError, match=r"shout\.key: there is nothing to set"):
        channel.configured({"key": "k"})


class LaterSettings(BaseModel, extra="forbid"):
    key: str


class Later(Shout):
    name = "later"
    Settings = f"{__name__}:LaterSettings"


def test_settings_may_be_said_to_be_elsewhere() -> None:
    assert Later().configured({"key": "k"}).settings == LaterSettings(key="k")
    with pytest.raises(InputError, match=r"^later\.kee: "):
        Later().configured({"key": "k", "kee": 1})
    assert settings_of(Later) is LaterSettings
    assert settings_of(Email()) is Email.Settings
    assert settings_of(Shout) is None


@pytest.mark.parametrize(
    ("named", "cause"),
    [
        ("journeykit_nowhere:Settings", "ModuleNotFoundError: No module named"),
        (f"{__name__}:Nothing", "AttributeError: module"),
        (f"{__name__}:MESSAGE", "TypeError: that is no class"),
        (f"{__name__}", "AttributeError: module"),
        (":Settings", "ValueError: Empty module name"),
        (".settings:Settings", "TypeError: the 'package' argument is required"),
    ],
    ids=["no-module", "no-name", "no-class", "no-colon", "empty", "relative"],
)
def test_settings_that_are_not_where_the_plugin_says_are_its_own_mistake(
    named: str, cause: str
) -> None:
    class Lost(Shout):
        name = "lost"
        Settings = named

    with pytest.raises(PluginLoadError) as caught:
        Lost().configured({"key": "k"})

    assert f"{__name__}.{Lost.__qualname__}.Settings names {named!r}" in str(
        caught.value
    )
    assert cause in str(caught.value)


def test_a_message_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        MESSAGE.address = "eve@example.org"  # type: ignore[misc]


def test_a_message_at_a_naive_instant_is_refused() -> None:
    with pytest.raises(ValueError, match="2026-03-02T09:00:00 has no UTC offset"):
        replace(MESSAGE, at=datetime(2026, 3, 2, 9))  # noqa: DTZ001 - the point


@pytest.mark.parametrize("wrong", [{"batch_size": 0}, {"rate": 0.0}, {"rate": -1.0}])
def test_limits_under_which_nothing_can_be_sent_are_refused(
    wrong: dict[str, Any],
) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Capabilities(**wrong)


def test_the_delivery_vocabulary_is_the_documented_one() -> None:
    statuses = "queued sent deferred delivered bounced rejected failed uncertain"
    engagements = "opened clicked complained unsubscribed replied"

    assert " ".join(DeliveryStatus) == statuses
    assert " ".join(Engagement) == engagements


def test_a_provider_that_calls_back_is_the_exception() -> None:
    at = datetime(2026, 3, 2, 9, tzinfo=UTC)

    assert Shout().feedback(Callback(body=b"{}", headers={}, received_at=at)) == ()


def test_an_instant_without_an_offset_is_refused() -> None:
    naive = datetime(2026, 3, 2, 9)  # noqa: DTZ001 - that is the point

    with pytest.raises(ValueError, match="received_at=2026-03-02T09:00:00"):
        Callback(body=b"", headers={}, received_at=naive)
    with pytest.raises(ValueError, match="occurred_at=2026-03-02T09:00:00"):
        Report("d1", "message.opened", "r1", naive)
