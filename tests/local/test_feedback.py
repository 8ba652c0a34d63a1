"""What providers post back to `journeykit serve`: verified and answered at once."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from journeykit.channels import Callback, Channel, Message, Receipt, Report, Sent
from journeykit.errors import ForgedCallback, InputError, StoreFull
from journeykit.http.door import Busy
from journeykit.http.feedback import MAX_CALLBACK
from journeykit.http.messages import Answer, Request
from journeykit.links import LinkSettings
from journeykit.local.door import Door
from journeykit.local.http_keys import Keys

NOON = datetime(2026, 6, 7, 12, tzinfo=UTC)
URL = "https://post.example.com/mail"
SETTINGS = LinkSettings(url=URL, secret="s3cret-of-the-shop-" + "x" * 32)


class Provider(Channel):
    """Calls back with a password; asks by `?challenge=` whether the address is ours."""

    name = "email"
    provider = "test"

    def __init__(self) -> None:
        self.seen: list[Callback] = []

    def send(self, messages: Sequence[Message]) -> Sequence[Receipt]:
        return [Sent(message.delivery_id) for message in messages]

    def handshake(self, callback: Callback) -> str | None:
        _, found, challenge = callback.url.partition("?challenge=")
        if callback.body.startswith(b"challenge:"):
            return callback.body.decode()
        return challenge if found else None

    def feedback(self, callback: Callback) -> Sequence[Report]:
        self.seen.append(callback)
        if "x-missing" in callback.headers:
            raise InputError("is not set", place="environment: KEY")
        if callback.headers.get("x-password") != "s3same":
            raise ForgedCallback("not of this password", place="test: callback")
        if callback.body == b"?":
            raise InputError("body: must be JSON with s3same", place="test: callback")
        if not callback.body:
            return ()
        return [Report("d1", "message.opened", "r1", callback.received_at)]


class Desk:
    def __init__(self) -> None:
        self.taken: list[tuple[str, Report]] = []
        self.error: Exception | None = None

    def accept(self, stimuli: object, *, timeout: float) -> None:
        raise AssertionError("reports go another way")

    def report(
        self, channel: str, reports: Sequence[Report], *, timeout: float
    ) -> None:
        if self.error:
            raise self.error
        self.taken += [(channel, report) for report in reports]

    def permissions(self, customer: str) -> Any:
        raise AssertionError("nobody asks")

    def health(self) -> Mapping[str, object]:
        return {"status": "ok"}

    def metrics(self) -> str:
        return ""


class Site:
    def __init__(self, **more: Any) -> None:
        self.desk = Desk()
        self.provider = Provider()
        self.door = Door(
            self.desk,
            keys=Keys.from_environment({"JOURNEYKIT_API_KEYS": "k3y-of-the-shop-1234"}),
            clock=lambda: NOON,
            channels={"email": self.provider},
            **more,
        )

    def call(
        self,
        body: bytes = b"{}",
        *,
        method: str = "POST",
        path: str = "/v1/feedback/email",
        query: str = "",
        **headers: str,
    ) -> Answer:
        given = {"host": "post.example.com", "x-password": "s3same"}
        given |= {name.replace("_", "-"): text for name, text in headers.items()}
        return self.door.answer(
            Request(
                method=method,
                path=path,
                headers=given,
                body=body,
                url=f"http://post.example.com{path}{query}",
            )
        )


def test_what_a_provider_says_is_taken_without_an_api_key() -> None:
    site = Site()

    answer = site.call()

    assert (answer.status, answer.count) == (200, 1)
    report = Report("d1", "message.opened", "r1", NOON)
    assert site.desk.taken == [("email", report)]


def test_a_callback_that_says_nothing_is_taken() -> None:
    site = Site()

    assert site.call(b"").status == 200
    assert site.desk.taken == []


def test_who_posts_a_form_is_told_nothing_but_that_it_was_taken() -> None:
    # Twilio takes a body for what to write back to the customer.
    site = Site()

    answer = site.call(content_type="application/x-www-form-urlencoded; charset=UTF-8")

    assert (answer.status, answer.body, answer.count) == (204, b"", 1)
    assert "Content-Type" not in answer.headers
    assert len(site.desk.taken) == 1


@pytest.mark.parametrize("place", ["environment: KEY", "settings.test.callback_url"])
def test_what_isnt_set_up_here_comes_again(
    place: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site()

    def fails(callback: Callback) -> Sequence[Report]:
        raise InputError("is needed to verify callbacks", place=place)

    monkeypatch.setattr(site.provider, "feedback", fails)
    answer = site.call()

    assert (answer.status, answer.headers["Retry-After"]) == (503, "60")
    assert f"{place}: is needed to verify callbacks" in caplog.text


def test_a_forged_callback_is_forbidden(caplog: pytest.LogCaptureFixture) -> None:
    site = Site()

    answer = site.call(x_password="guessed")

    assert answer.status == 403
    assert site.desk.taken == []
    assert "forged" in caplog.text
    assert "guessed" not in caplog.text


def test_a_callback_that_cant_be_read_is_refused(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    answer = Site().call(b"?")

    assert answer.status == 400
    assert b"s3same" not in answer.body
    assert "s3same" not in caplog.text  # the plugin's words may quote it


def test_a_callback_that_cant_be_verified_now_is_to_come_again() -> None:
    assert Site().call(x_missing="1").status == 503


@pytest.mark.parametrize("error", [Busy("full"), StoreFull("full")])
def test_what_isnt_durable_is_to_come_again(error: Exception) -> None:
    site = Site()
    site.desk.error = error

    assert site.call().status == 503


@pytest.mark.parametrize(
    "path", ["/v1/feedback/pigeon", "/v1/feedback/", "/v1/feedback/email/x"]
)
def test_a_channel_that_nobody_carries_is_not_found(path: str) -> None:
    assert Site().call(path=path).status == 404


def test_a_provider_is_told_that_the_address_is_ours() -> None:
    site = Site()

    asked = site.call(method="GET", query="?challenge=1158201444")
    posted = site.call(b"challenge:3eZbrw1aBm2rZgRNFdxV")
    strange = site.call(method="GET")

    assert (asked.status, asked.body) == (200, b"1158201444")
    assert asked.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert posted.body == b"challenge:3eZbrw1aBm2rZgRNFdxV"
    assert strange.status == 403
    assert site.desk.taken == []


def test_the_channel_sees_what_was_called_out_there() -> None:
    site = Site(links=SETTINGS, workspace="shop")

    site.call(query="?a=b%20c")

    [callback] = site.provider.seen
    assert callback.url == f"{URL}/v1/feedback/email?a=b%20c"
    assert (callback.method, callback.received_at) == ("POST", NOON)


def test_the_channel_sees_nothing_that_a_stranger_could_make_up_as_awss() -> None:
    site = Site()

    site.call(x_amz_sns_topic_arn="arn", cookie="a=b", x_forwarded_for="1.2.3.4")

    [callback] = site.provider.seen
    assert set(callback.headers) == {"host", "x-password"}


def test_a_callback_has_its_bounds() -> None:
    site = Site()

    assert site.call(b"x" * (MAX_CALLBACK + 1)).status == 413
    assert site.provider.seen == []


def test_the_log_says_which_channel() -> None:
    door = Site().door

    assert door.shown("/v1/feedback/email") == "/v1/feedback/email"
    assert door.shown("/v1/feedback/ada@example.com") == "-"
