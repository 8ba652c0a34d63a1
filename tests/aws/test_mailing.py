"""Messages through every hop in AWS: templates, fallback, and what providers say of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.aws.beside_sqlite import Sqlite, of_cloud, salt
from tests.mailing import (
    ADA,
    POST,
    SMS,
    Google,
    Posted,
    Twilio,
    service_account,
    written,
)

from journeykit import Event, hours, minutes
from journeykit.channels import Callback, Channel
from journeykit.engine.calendar import to_datetime, to_ms
from journeykit.testing.aws import AwsEmulator
from journeykit.testing.aws.doubles import Named
from journeykit.workspace import Workspace
from journeykit_inapp import InAppChannel
from journeykit_ses import SesChannel

START = datetime(2026, 6, 1, 9, tzinfo=UTC)
TOPIC = "arn:aws:sns:eu-central-1:123456789012:mail"
SETTINGS = f"""
name = "lindenhof"

[links]
url = "{POST}"
secret = "s3cret-of-the-shop-{"x" * 32}"
"""


class Ses:
    """SendEmail of SES: what it was asked, and what it says of it later."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    def send_email(self, **request: Any) -> Mapping[str, Any]:
        self.asked.append(request)
        return {"MessageId": self.id(len(self.asked))}

    @staticmethod
    def id(number: int) -> str:
        return f"0107018f-{number:04}"

    def bounce(self, number: int, at: datetime) -> dict[str, Any]:
        """An event as SES publishes it.

        https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-examples.html
        """
        request = self.asked[number - 1]
        to = request["Destination"]["ToAddresses"]
        tags = {tag["Name"]: [tag["Value"]] for tag in request["EmailTags"]}
        when = f"{at:%Y-%m-%dT%H:%M:%S}.000Z"
        return {
            "eventType": "Bounce",
            "bounce": {
                "bounceType": "Permanent",
                "bounceSubType": "General",
                "bouncedRecipients": [
                    {
                        "emailAddress": to[0],
                        "action": "failed",
                        "status": "5.1.1",
                        "diagnosticCode": "smtp; 550 5.1.1 user unknown",
                    }
                ],
                "timestamp": when,
                "feedbackId": f"0107018f-feedback-{number}",
                "reportingMTA": "dsn; mta.example.com",
            },
            "mail": {
                "timestamp": when,
                "source": request["FromEmailAddress"],
                "sendingAccountId": "123456789012",
                "messageId": self.id(number),
                "destination": to,
                "headersTruncated": False,
                "tags": {"ses:configuration-set": ["journeys"], **tags},
            },
        }


def noted(event: Mapping[str, Any], at: datetime) -> dict[str, Any]:
    """A notification as SNS puts it into a queue.

    https://docs.aws.amazon.com/sns/latest/dg/sns-sqs-as-subscriber.html
    """
    return {
        "Type": "Notification",
        "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "TopicArn": TOPIC,
        "Subject": "Amazon SES Email Event Notification",
        "Message": json.dumps(event),
        "Timestamp": f"{at:%Y-%m-%dT%H:%M:%S}.123Z",
        "SignatureVersion": "2",
        "Signature": "c2lnbmVk",
        "SigningCertURL": "https://sns.eu-central-1.amazonaws.com/"
        "SimpleNotificationService-0123456789abcdef.pem",
        "UnsubscribeURL": "https://sns.eu-central-1.amazonaws.com/?Action=Unsubscribe",
    }


class Recording(Named):
    """A channel under the provider's name that `Sqlite` looks for."""

    provider = "recording"


class World:
    """Doubles of all providers, with the channels that ask them."""

    def __init__(self) -> None:
        self.google = Google()
        self.twilio = Twilio()
        self.ses = Ses()
        account = {"service_account": service_account()}
        mail = {"sender": "post@shop.example.com", "topics": [TOPIC]}
        self.channels: dict[str, Channel] = {
            "push": self.google.channel().configured(account),
            "sms": self.twilio.channel().configured(SMS),
            "email": SesChannel(self.ses).configured(mail),
            "inapp": InAppChannel(),
        }


def event(name: str, at: datetime, /, **properties: object) -> Event:
    return Event(
        id=f"{name}-{at:%d%H%M}",
        name=name,
        customer="ada",
        occurred_at=at,
        received_at=at,
        properties=properties,
        source="shop",
    )


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.load(written(tmp_path / "shop", SETTINGS))


def knock(aws: AwsEmulator, posted: Posted) -> int:
    """Twilio posts something to the door."""
    return aws.post(posted.path, posted.body, headers=posted.headers).status


def bring(aws: AwsEmulator, notification: Mapping[str, Any]) -> None:
    """SNS puts a notification into the feedback queue."""
    aws.client("sqs").send_message(
        QueueUrl=aws.settings.feedback_queue, MessageBody=json.dumps(notification)
    )
    aws.settle()


def test_a_fallback_and_a_bounce_are_decided_in_the_cloud_as_over_sqlite(
    workspace: Workspace, tmp_path: Path
) -> None:
    there, here = World(), World()
    known = event("profile.updated", START, **ADA)
    cart = event("cart.updated", START, total=120)
    undelivered = START + timedelta(hours=2, minutes=5)
    bounced = START + timedelta(hours=3)
    offered = START + timedelta(days=2)
    offer = event("offer.made", offered)

    with AwsEmulator(workspace, start=START, channels=there.channels, salt=salt) as aws:
        aws.publish()
        aws.put_events([known])
        aws.put_events([cart])
        aws.advance(undelivered)
        assert knock(aws, there.twilio.status(1, "undelivered", "30003")) == 204
        aws.advance(bounced)
        bring(aws, noted(there.ses.bounce(1, bounced), bounced))
        aws.advance(offered)
        aws.put_events([offer])
        cloud = of_cloud(aws, [])
        letters, failures = aws.dead_letters, aws.failures

        sqlite = Sqlite(
            workspace,
            tmp_path / "data",
            channels={
                name: Recording(name, one) for name, one in here.channels.items()
            },
        )
        sqlite.embedded.publish(now=to_ms(START))
        sqlite.happens(
            [
                (to_ms(START), known),
                (to_ms(START), cart),
                (to_ms(undelivered), told_by_twilio(sqlite, here)),
                (to_ms(bounced), told_by_ses(sqlite, here)),
                (to_ms(offered), offer),
            ],
            aws,
        )
        local = sqlite.outcome()

    assert not letters
    assert not failures
    assert cloud.lines == local.lines
    assert cloud.customers == local.customers
    assert there.google.asked == here.google.asked
    assert there.twilio.texts == here.twilio.texts
    assert there.ses.asked == here.ses.asked
    decided = [json.loads(line) for line in cloud.lines]
    assert len([one for one in decided if one["kind"] == "sent"]) == 3
    assert [one["reason"] for one in decided if one["kind"] == "suppressed"] == [
        "suppression_list"
    ]


def told_by_twilio(sqlite: Sqlite, world: World) -> Callable[[int], object]:
    """Twilio posts to `serve` that the text was not delivered."""

    def tells(at: int) -> None:
        posted = world.twilio.status(1, "undelivered", "30003")
        callback = Callback(
            body=posted.body,
            headers=posted.headers,
            received_at=to_datetime(at),
            url=f"{POST}{posted.path}",
        )
        reports = world.channels["sms"].feedback(callback)
        sqlite.embedded.runtime.feedback(reports, now=at, channel="sms")

    return tells


def told_by_ses(sqlite: Sqlite, world: World) -> Callable[[int], object]:
    """SES says that a mail has bounced."""

    def tells(at: int) -> None:
        callback = Callback(
            body=json.dumps(world.ses.bounce(1, to_datetime(at))).encode(),
            headers={
                "x-amz-sns-message-id": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
                "x-amz-sns-topic-arn": TOPIC,
            },
            received_at=to_datetime(at),
        )
        reports = world.channels["email"].feedback(callback)
        sqlite.embedded.runtime.feedback(reports, now=at, channel="email")

    return tells


def test_what_is_sent_is_made_of_the_published_templates(workspace: Workspace) -> None:
    world = World()

    with AwsEmulator(workspace, start=START, channels=world.channels) as aws:
        aws.publish()
        aws.put_events([event("profile.updated", START, **ADA)])
        aws.put_events([event("cart.updated", START, total=120)])
        aws.advance(hours(2))
        aws.advance(minutes(5))
        knock(aws, world.twilio.status(1, "failed", "30008"))

    [text] = world.twilio.texts
    [mail] = world.ses.asked
    content = mail["Content"]["Simple"]
    headers = {one["Name"]: one["Value"] for one in content["Headers"]}
    assert text["Body"] == "Lindenhof: Ada <3, your cart waits."
    assert content["Subject"]["Data"] == "Ada <3, dein Warenkorb wartet"
    assert "Grüß dich, Ada &lt;3" in content["Body"]["Html"]["Data"]
    assert "Grüß dich, Ada <3" in content["Body"]["Text"]["Data"]
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert headers["List-Unsubscribe"].startswith(f"<{POST}/u/")


def test_one_click_and_stop_end_marketing_in_the_cloud(workspace: Workspace) -> None:
    world = World()

    with AwsEmulator(workspace, start=START, channels=world.channels) as aws:
        aws.publish()
        aws.put_events([event("profile.updated", START, **ADA)])
        aws.put_events([event("offer.made", START), event("text.wanted", START)])
        aws.advance(minutes(5))  # until it is known whose texts go to that number
        [mail] = world.ses.asked
        clicked = aws.post(
            path_of(mail),
            "List-Unsubscribe=One-Click",
            headers={"content-type": "application/x-www-form-urlencoded"},
        )
        stopped = knock(aws, world.twilio.answer("STOP"))
        aws.advance(hours(48))
        now = aws.now
        aws.put_events([event("offer.made", now), event("text.wanted", now)])
        aws.put_events([event("order.placed", now, id="o-1")])
        refused = [
            one["reason"] for one in aws.decisions if one["kind"] == "suppressed"
        ]
        letters = aws.dead_letters

    assert (clicked.status, stopped) == (200, 204)
    assert not letters
    assert len(world.twilio.texts) == 1
    subjects = [one["Content"]["Simple"]["Subject"]["Data"] for one in world.ses.asked]
    assert subjects == ["An offer", "Your order o-1"]
    assert refused == ["no_consent", "no_consent"]


def test_a_forged_callback_does_nothing_in_the_cloud(workspace: Workspace) -> None:
    world = World()

    with AwsEmulator(workspace, start=START, channels=world.channels) as aws:
        aws.publish()
        aws.put_events([event("profile.updated", START, **ADA)])
        aws.put_events([event("text.wanted", START)])
        aws.advance(minutes(5))
        assert world.twilio.texts
        stop = world.twilio.answer("STOP")
        forged = Posted(
            stop.path, stop.headers, stop.body.replace(b"STOP", b"STOP+ALL")
        )
        knock(aws, forged)
        assert aws.dead_letters == []  # anybody can post one
        customer = aws.customer("ada")
        told = [line for _, line in aws.logs if "a callback is forged" in line]

    assert len(told) == 1
    assert not customer.consents


def test_a_message_in_the_app_is_listed_and_read_in_the_cloud(
    workspace: Workspace,
) -> None:
    with AwsEmulator(workspace, start=START, channels=World().channels) as aws:
        aws.publish()
        aws.put_events([event("profile.updated", START, **ADA)])
        aws.put_events([event("app.opened", START)])
        key = {"authorization": f"Bearer {aws.new_api_key('inbox')}"}
        before = aws.request("GET", "/v1/inbox/ada", headers=key)
        [notice] = before.body["notices"]
        read = aws.request("POST", f"/v1/inbox/ada/{notice['id']}/read", headers=key)
        after = aws.request("GET", "/v1/inbox/ada", headers=key)

    assert notice["body"]["title"] == "Hello Ada <3"
    assert read.status == 200
    assert (before.body["unread"], after.body["unread"]) == (1, 0)


def path_of(mail: Mapping[str, Any]) -> str:
    """The path of a mail's one-click unsubscribing."""
    headers = mail["Content"]["Simple"]["Headers"]
    [url] = [one["Value"] for one in headers if one["Name"] == "List-Unsubscribe"]
    return urlsplit(url.strip("<>")).path
