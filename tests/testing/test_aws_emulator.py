"""The emulator keeps AWS's promises, and leaves nothing behind."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any
from unittest import mock

import pytest

from journeykit import Call, Journey, Send, Wait, days, hours, minutes, on
from journeykit.aws.templates import TEMPLATE, templates_folder
from journeykit.channels import Message, Receipt
from journeykit.content.templates import Library
from journeykit.errors import InputError, JourneyKitError, UnknownChannel
from journeykit.testing import AwsEmulator, Killed, RecordingChannel, make_event
from journeykit.testing.aws import Request
from journeykit.testing.aws.template import Stack, read
from journeykit.workspace import Workspace

START = "2026-06-01T09:00:00Z"
CART = Journey(
    "cart",
    trigger=on("cart.updated"),
    steps=[Wait(hours(4)), Send("email", "reminder")],
)
AT_ONCE = Journey("cart", trigger=on("cart.updated"), steps=[Send("email", "reminder")])


class Faulty(RecordingChannel):
    """Raises what it is given, one after the other, before it sends anything."""

    def __init__(self, *raises: BaseException) -> None:
        super().__init__("email")
        self._raises = list(raises)

    def send(self, messages: Sequence[Message]) -> Sequence[Receipt]:
        if self._raises:
            raise self._raises.pop(0)
        return super().send(messages)


# --- time --------------------------------------------------------------------------------


def test_a_wake_up_comes_at_its_instant_and_not_before() -> None:
    with AwsEmulator(CART, start=START) as aws:
        aws.publish()
        aws.event("cart.updated", "ada")
        aws.advance("2026-06-01T13:00:00Z")
        before = len(aws.messages)
        aws.advance(minutes(1))

        assert before == 0
        assert [f"{message.at:%T}" for message in aws.messages] == ["13:00:00"]


def test_the_clock_of_the_process_is_the_emulators_within_the_block() -> None:
    with AwsEmulator(CART, start=START) as aws:
        aws.advance(days(2))
        inside = datetime.now(UTC)

    assert f"{inside:%FT%TZ}" == "2026-06-03T09:00:00Z"
    assert datetime.now(UTC) > inside
    assert time.time() > inside.timestamp()


def test_it_never_goes_back() -> None:
    with (
        AwsEmulator(CART, start=START) as aws,
        pytest.raises(InputError, match="is past"),
    ):
        aws.advance("2026-05-31T00:00:00Z")


def test_ticks_that_would_find_nothing_are_left_out() -> None:
    with AwsEmulator(CART, start=START) as aws:
        aws.publish()
        aws.event("cart.updated", "ada")
        aws.advance(days(300))

        asked = [one for one in aws.requests if one.by == "journeykit-tick"]
        assert len(aws.messages) == 1
        assert sum(aws.requests[one] for one in asked) < 10


@pytest.mark.slow
def test_the_rows_of_a_week_ago_expire() -> None:
    with AwsEmulator(CART, start=START) as aws:
        aws.publish()
        for day in range(10):
            aws.event("cart.updated", f"c{day}")
            aws.advance(days(1))
        scan = aws.client("dynamodb").scan(TableName=aws.settings.timers_table)

        assert len(aws.messages) == 10
        assert scan["Count"] < 10  # with the cursor; rows are kept for seven days


# --- what goes wrong ---------------------------------------------------------------------


def test_a_function_that_was_killed_starts_anew_when_the_message_comes_again() -> None:
    email = Faulty(Killed())

    with AwsEmulator(AT_ONCE, start=START, channels={"email": email}) as aws:
        aws.publish()
        aws.event("cart.updated", "ada")
        [failure] = aws.failures
        sent_at_once = len(email.messages)
        aws.advance(hours(1))

        assert failure.function == "journeykit-deliver-email"
        assert "killed" in str(failure.error)
        assert sent_at_once == 0


def test_what_functions_raise_is_kept_and_their_messages_come_again() -> None:
    with AwsEmulator(AT_ONCE, start=START) as aws:
        aws.publish()
        with mock.patch(
            "journeykit.aws.cloud.Cloud.deliver", side_effect=ValueError("no")
        ):
            aws.event("cart.updated", "ada")
        failures = [(one.function, str(one.error)) for one in aws.failures]
        aws.advance(minutes(31))  # the queue's visibility timeout is half an hour

        assert failures == [
            ("journeykit-deliver-email", "journeykit-deliver-email: ValueError: no")
        ]
        assert [message.customer for message in aws.messages] == ["ada"]


def test_what_fails_too_often_lies_in_the_queues_own_dead_letters() -> None:
    with AwsEmulator(AT_ONCE, start=START) as aws:
        aws.publish()
        with mock.patch(
            "journeykit.aws.cloud.Cloud.deliver", side_effect=ValueError("no")
        ):
            aws.event("cart.updated", "ada")
            aws.advance(hours(4))

        [letter] = aws.dead_letters
        assert letter.queue == "journeykit-deliver-email-dead"
        assert (letter.reason, letter.kind) == ("", "command")
        assert len(aws.failures) == 5


def test_a_batch_of_the_stream_that_fails_is_cut_in_two() -> None:
    sizes = []

    def relay(cloud: Any, records: Sequence[Any]) -> Sequence[str]:
        sizes.append(len(records))
        if len(records) > 1:
            raise ValueError("one of them is not right")
        return []

    with AwsEmulator(AT_ONCE, start=START) as aws:
        aws.publish()
        with mock.patch("journeykit.aws.cloud.Cloud.relay", relay):
            for hop in aws._deployed.streams:
                hop._rests_until = aws._account.now + 1000  # so that four come together
            for name in ("ada", "ben", "cleo", "dan"):
                aws.event("cart.updated", name)
            aws.advance(minutes(1))

    assert sizes == [4, 2, 1, 3, 1, 2, 1, 1]


def test_an_operator_is_told_why_not() -> None:
    with AwsEmulator(CART, start=START) as aws:
        aws.publish()

        with pytest.raises(JourneyKitError, match="no journey 'other'"):
            aws.pause("other")


@pytest.mark.slow
def test_disorder_lets_messages_come_twice() -> None:
    def received(disorder: Random | None) -> int:
        with AwsEmulator(CART, start=START, disorder=disorder) as aws:
            aws.publish()
            for name in ("ada", "ben", "cleo", "dan"):
                aws.event("cart.updated", name)
            aws.advance(days(1))
            assert len(aws.messages) == 4
            return aws.requests[Request("lambda", "sqs", "ReceiveMessage")]

    assert received(Random(1)) > received(None)


# --- what it is made of ------------------------------------------------------------------


def test_a_channel_that_nobody_carries_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("JOURNEYKIT_PLUGINS", "none")
    workspace = Workspace(path=Path(), name="shop", journeys=[CART])

    with (
        pytest.raises(UnknownChannel, match="'email'"),
        AwsEmulator(workspace, start=START),
    ):
        pass


def test_a_channel_of_ones_own_has_a_queue_and_a_function() -> None:
    letter = RecordingChannel("letter")
    cart = Journey("cart", trigger=on("cart.updated"), steps=[Send("letter", "hello")])

    with AwsEmulator(cart, start=START, channels={"letter": letter}) as aws:
        aws.publish()
        aws.event("cart.updated", "ada")

        assert [message.template for message in letter.messages] == ["hello"]


def test_built_in_actions_are_run() -> None:
    first = Journey(
        "first",
        trigger=on("cart.updated"),
        steps=[
            Call("claim", arguments={"key": "first", "limit": 1}, on_error="exit"),
            Wait(hours(1)),
        ],
    )

    with AwsEmulator(first, start=START) as aws:
        aws.publish()
        aws.event("cart.updated", "ada")
        aws.advance(minutes(1))

        assert [line["kind"] for line in aws.decisions][-2:] == ["went_on", "waiting"]


def test_requests_are_counted_by_who_asked() -> None:
    with AwsEmulator(AT_ONCE, start=START) as aws:
        before = aws.requests
        aws.publish()
        aws.put_events([make_event("cart.updated", "ada", at=aws.now)])

        assert not before
        assert aws.requests[Request("", "eventbridge", "PutEvents")] == 1
        assert aws.requests[Request("journeykit-ingest", "dynamodb", "UpdateItem")] == 1


def test_it_leaves_nothing_behind() -> None:
    logger = logging.getLogger("journeykit")
    before = (dict(os.environ), sys.stdout, list(logger.handlers), logger.level)
    modules = {name for name in sys.modules if name.startswith("journeykit_handlers")}

    with AwsEmulator(AT_ONCE, start=START) as aws:
        aws.publish()
        aws.event("cart.updated", "ada")

    assert (dict(os.environ), sys.stdout, list(logger.handlers), logger.level) == before
    assert modules == {
        name for name in sys.modules if name.startswith("journeykit_handlers")
    }


def test_no_credentials_of_the_environment_are_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "real")

    with AwsEmulator(AT_ONCE, start=START) as aws:
        known = aws.client("sqs")._request_signer._credentials.access_key
        profile = os.environ.get("AWS_PROFILE")

    assert known != "real"
    assert profile is None
    assert os.environ["AWS_ACCESS_KEY_ID"] == "real"


def test_it_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['moto'] = None\n"
        "from journeykit.testing import AwsEmulator"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )

    assert "pip install 'journeykit[emulate]'" in done.stderr


def test_the_fixture_lasts_as_long_as_the_test(
    aws_emulator: Any,
) -> None:
    aws = aws_emulator(AT_ONCE)

    aws.publish()
    aws.event("cart.updated", "ada")

    assert f"{aws.now:%A}" == "Monday"
    assert len(aws.messages) == 1


# --- templates ---------------------------------------------------------------------------


def stack(text: str, tmp_path: Path, **parameters: str) -> Stack:
    path = tmp_path / "template.yaml"
    path.write_text(text, "utf-8")
    return Stack(read(path), name="shop", region="eu-north-1", parameters=parameters)


FUNCTIONS = """
Parameters:
  Stage: {Type: String, Default: dev}
Conditions:
  IsProd: !Equals [!Ref Stage, prod]
  IsDev: !Not [!Condition IsProd]
Mappings:
  Days: {dev: {Kept: 1}, prod: {Kept: 30}}
Resources:
  Queue: {Type: AWS::SQS::Queue, Properties: {QueueName: !Sub "${AWS::StackName}-in"}}
  Table: {Type: AWS::DynamoDB::Table, Condition: IsProd}
  Other:
    Type: Some::Thing
    Properties:
      Url: !Ref Queue
      Arn: !GetAtt Queue.Arn
      Name: !GetAtt Queue.QueueName
      Text: !Sub ["${a}-${!b}-${Queue.Arn}", {a: !Join ["/", [x, !Ref Stage]]}]
      Kept: !FindInMap [Days, !Ref Stage, Kept]
      Part: !Select [1, !Split [",", "a,b"]]
      Either: !If [IsProd, big, !Ref AWS::NoValue]
      List: [!If [IsDev, small, !Ref AWS::NoValue], !If [IsProd, big, !Ref AWS::NoValue]]
"""


def test_a_template_is_filled_in(tmp_path: Path) -> None:
    arn = "arn:aws:sqs:eu-north-1:123456789012:shop-in"

    properties = stack(FUNCTIONS, tmp_path).resource("Other").properties

    assert properties == {
        "Url": "https://sqs.eu-north-1.amazonaws.com/123456789012/shop-in",
        "Arn": arn,
        "Name": "shop-in",
        "Text": f"x/dev-${{b}}-{arn}",
        "Kept": 1,
        "Part": "b",
        "List": ["small"],
    }


def test_what_a_condition_forbids_is_not_there(tmp_path: Path) -> None:
    dev, prod = (stack(FUNCTIONS, tmp_path, Stage=stage) for stage in ("dev", "prod"))

    assert [one.id for one in dev.resources("AWS::DynamoDB::Table")] == []
    assert [one.id for one in prod.resources("AWS::DynamoDB::Table")] == ["Table"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("just text", "is no template", id="no mapping"),
        pytest.param("Resources: [", "can't be read", id="broken"),
        pytest.param(
            "Resources: {A: {Type: T, Properties: {B: !Ref C}}}", "'C'", id="ref"
        ),
        pytest.param(
            "Resources: {A: {Type: T, Properties: {B: !Cidr [a, 1]}}}",
            "Fn::Cidr is not emulated",
            id="function",
        ),
        pytest.param(
            "Parameters: {P: {Type: String}}\nResources: {}",
            "'P' has no value",
            id="value",
        ),
    ],
)
def test_a_template_that_is_not_right_is_refused(
    text: str, problem: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=problem):
        list(stack(text, tmp_path).resources())


def test_every_value_of_our_templates_can_be_filled_in() -> None:
    template = read(templates_folder() / TEMPLATE)

    found = Stack(template, name="shop", region="eu-north-1")

    assert len(list(found.resources())) > 50
    assert found.outputs()["PublishFunction"] == "shop-publish"


# --- templates -----------------------------------------------------------------------


class Letters(RecordingChannel):
    """Keeps what templates come to."""

    medium = "email"

    def __init__(self) -> None:
        super().__init__("email")
        self.bodies: list[str] = []

    def render(self, message: Message) -> Message:
        assert message.content is not None
        return replace(message, body=message.content.parts["txt"])

    def send(self, messages: Sequence[Message]) -> Sequence[Receipt]:
        self.bodies += [message.body for message in messages]
        return super().send(messages)


def test_messages_are_made_of_the_workspaces_templates(tmp_path: Path) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates/reminder.email.txt").write_text("It is {{ now.year }}.")
    library = Library.read(tmp_path / "templates")
    shop = Workspace(path=tmp_path, name="shop", journeys=[AT_ONCE], _library=library)
    letters = Letters()

    with AwsEmulator(shop, start=START, channels={"email": letters}) as aws:
        news = aws.publish()
        aws.event("cart.updated", "ada")
        aws.advance(minutes(1))

    assert news["templates"]
    assert letters.bodies == ["It is 2026."]
