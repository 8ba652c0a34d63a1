"""Places that ask what to show, behind API Gateway: decided in the door's own function."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from journeykit import Policies, hours
from journeykit.aws.bus import event_of, names_of
from journeykit.engine.calendar import to_datetime
from journeykit.engine.catalog import Catalog
from journeykit.model.placements import asked
from journeykit.runtime.identities import NOBODY
from journeykit.testing.aws import AwsEmulator
from journeykit.workspace import Workspace
from journeykit_inapp import InAppChannel

START = "2026-06-01T09:00:00Z"
OFFERS = """
from journeykit import Journey, ReEntry, Send, asked, days

offer = Journey(
    "offer", trigger=asked("home-banner"),
    reentry=ReEntry("after_exit", cooldown=days(1)),
    steps=[Send("inapp", "offer")],
)
"""
ASK = {"customer": "ada", "placement": "home-banner"}


class Site:
    """A stack whose pages ask what to show."""

    def __init__(self, cloud: AwsEmulator) -> None:
        self.cloud = cloud
        self.key = cloud.new_api_key("decide", "inbox")

    def call(
        self, path: str, content: object = None, *, method: str = "POST", key: str = ""
    ) -> tuple[int, Any]:
        headers = {
            "authorization": f"Bearer {key or self.key}",
            "content-type": "application/json",
        }
        body = "" if content is None else json.dumps(content)
        answer = self.cloud.request(method, path, body, headers=headers)
        return answer.status, answer.body

    def decide(self, **more: object) -> Any:
        status, shown = self.call("/v1/decide", {**ASK, **more})
        assert status == 200, shown
        return shown


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("shop")
    (folder / "journeys").mkdir()
    (folder / "templates").mkdir()
    (folder / "journeykit.toml").write_text('name = "shop"\n')
    (folder / "journeys" / "offers.py").write_text(OFFERS)
    offer = {"title": "New in our shop", "style": "banner"}
    (folder / "templates" / "offer.inapp.json").write_text(json.dumps(offer))
    with AwsEmulator(
        Workspace.load(folder), start=START, channels={"inapp": InAppChannel()}
    ) as cloud:
        cloud.publish()
        yield Site(cloud)


def test_a_place_gets_its_content_at_once(site: Site) -> None:
    shown = site.decide(customer="ada", id="ask-1")

    assert shown["content"]["title"] == "New in our shop"
    assert (shown["journey"], shown["again"]) == ("offer", False)
    status, notice = site.call(f"/v1/inbox/ada/{shown['notice']}/click")
    assert (status, notice["id"]) == (200, shown["notice"])


def test_the_same_ask_is_answered_with_the_same(site: Site) -> None:
    first = site.decide(customer="bob", id="ask-1")
    site.cloud.settle()

    again = site.decide(customer="bob", id="ask-1")

    assert again["again"]
    assert (again["notice"], again["content"]) == (first["notice"], first["content"])


def test_nothing_is_shown_and_the_reason_is_told(site: Site) -> None:
    site.decide(customer="cleo")

    shown = site.decide(customer="cleo")

    assert shown["content"] is None
    assert shown["reasons"] == [{"reason": "cooldown", "journey": "offer"}]


def test_what_was_shown_goes_its_way_and_nobody_decides_twice(site: Site) -> None:
    site.decide(customer="dan", id="ask-d")

    site.cloud.settle()
    site.cloud.advance(hours(1))

    decided = [one for one in site.cloud.decisions if one.get("event") == "ask-d"]
    assert [one["kind"] for one in decided] == ["entered", "sent", "completed"]
    listed = site.call("/v1/inbox/dan?placement=home-banner", method="GET")[1]
    assert len(listed["notices"]) == 1
    assert site.call("/v1/inbox/dan", method="GET")[1]["notices"] == []
    assert not site.cloud.dead_letters


def test_a_key_must_be_for_it(site: Site) -> None:
    key = site.cloud.new_api_key("track")

    status, answer = site.call("/v1/decide", ASK, key=key)

    assert (status, answer["error"]) == (403, "this key is not for 'decide'")


def test_at_an_inbox_a_key_must_be_for_deciding_too(site: Site) -> None:
    path, key = "/v1/inbox/eve/home-banner/ask", site.cloud.new_api_key("inbox")

    status, answer = site.call(path, key=key)

    assert (status, answer["error"]) == (403, "this key is not for 'decide'")
    assert site.call(path)[0] == 200


def test_who_asks_about_nobody_is_told_and_it_is_no_dead_letter(site: Site) -> None:
    ask = {"placement": "home-banner", "identifiers": {"crm": "x"}}

    status, answer = site.call("/v1/decide", ask)

    assert (status, answer["error"]) == (400, NOBODY)
    assert not site.cloud.dead_letters


def test_the_bus_brings_no_ask_back() -> None:
    from journeykit import Journey, Send

    journey = Journey("j", trigger=asked("home"), steps=[Send("inapp", "x")])
    catalog = Catalog.compile([journey], policies=Policies())
    envelope = {
        "id": "e-1",
        "source": "journeykit.http",
        "time": START,
        "detail-type": "placement.requested",
        "detail": {"customer": "ada", "properties": {"placement": "home"}},
    }

    assert "placement.requested" in catalog.hears
    assert "placement.requested" not in names_of(catalog)
    assert event_of(envelope, to_datetime(0)) is None


def test_it_takes_one_read_and_two_writes_beside_the_archive(site: Site) -> None:
    site.decide(customer="eve")
    before = site.cloud.requests

    site.decide(customer="fay")

    made = {
        f"{request.service}:{request.operation}": count
        for request, count in (site.cloud.requests - before).items()
        if "http" in request.by.split("-")
    }
    assert made == {
        "eventbridge:PutEvents": 1,
        "dynamodb:GetItem": 1,
        "dynamodb:UpdateItem": 1,
        "dynamodb:PutItem": 1,
    }
