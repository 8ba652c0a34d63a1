"""Schedules, launches and unique journeys, through the functions of the cloud."""

from __future__ import annotations

from pathlib import Path

from journeykit import (
    Journey,
    Send,
    Wait,
    days,
    entered,
    every,
    minutes,
    on,
    profile,
)
from journeykit.model.documents import to_json
from journeykit.testing import AwsEmulator
from journeykit.workspace import Workspace

START = "2026-06-01T09:30:00Z"
DAILY = Journey("daily", trigger=every("day", at="09:00"), steps=[Send("email", "hi")])
VIPS = Journey("vips", trigger=entered("vip"), steps=[Wait(days(9))])
UNIQUE = Journey(
    "unique", trigger=on("joined"), unique=profile.email, steps=[Send("email", "one")]
)


def make_workspace(folder: Path, *journeys: Journey, segments: bool) -> Workspace:
    """What is published once before there are segments, and once with them."""
    folder.mkdir(exist_ok=True)
    (folder / "journeykit.toml").write_text('channels = {email = "console"}\n')
    (folder / "journeys").mkdir(exist_ok=True)
    for journey in journeys:
        text = to_json(journey)
        (folder / "journeys" / f"{journey.id}.json").write_text(text)
    if segments:
        (folder / "segments.yaml").write_text(
            "- {id: vip, when: 'profile.plan == \"pro\"'}\n"
        )
    return Workspace.load(folder)


def test_a_schedule_wakes_each_customer_once_a_day() -> None:
    with AwsEmulator(DAILY, start=START) as aws:
        aws.publish()
        for id in ("ada", "bob"):
            aws.event("profile.updated", id, nick=id)
        aws.advance(days(2))

    assert [f"{message.at:%dT%T}" for message in aws.messages] == [
        *["02T09:00:00"] * 2,
        *["03T09:00:00"] * 2,
    ]


def test_of_two_who_share_an_address_one_enters() -> None:
    with AwsEmulator(UNIQUE, start=START) as aws:
        aws.publish()
        for id in ("ada", "bob"):
            aws.event("profile.updated", id, email="both@example.com")
        for id in ("ada", "bob"):
            aws.event("joined", id)
        aws.advance(minutes(5))

    assert len(aws.messages) == 1


def test_a_publish_wakes_everybody_and_a_launch_enrolls_members_once(
    tmp_path: Path,
) -> None:
    first = make_workspace(tmp_path / "first", UNIQUE, segments=False)
    second = make_workspace(tmp_path / "second", UNIQUE, DAILY, VIPS, segments=True)
    with AwsEmulator(first, start=START) as aws:
        aws.publish()
        for id, plan in (("ada", "pro"), ("bob", "free"), ("cy", "pro")):
            aws.event("profile.updated", id, plan=plan)

        news = aws.publish(second, existing=["vips"])
        aws.advance(minutes(5))
        again = aws.publish(second, existing=["vips"])
        aws.advance(minutes(5))
        people = {id: aws.customer(id) for id in ("ada", "bob", "cy")}

    assert (news["visited"], news["launched"]) == ([""], ["vips"])
    assert (again["visited"], again["launched"]) == ([], ["vips"])
    assert {id: [*one.segments] for id, one in people.items()} == {
        "ada": ["vip"],
        "bob": [],
        "cy": ["vip"],
    }
    assert {id: len(one.active) for id, one in people.items()} == {
        "ada": 1,
        "bob": 0,
        "cy": 1,
    }
    nine = 1_780_390_800_000  # tomorrow
    assert people["bob"].next_due == nine
    assert [one.past["vips"].count for one in (people["ada"], people["cy"])] == [1, 1]
