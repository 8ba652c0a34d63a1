"""A person lives through the whole path, and asks to be shown and to be forgotten."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests.aws.conftest import REGION

from journeykit import Journey, Policies, Send, Wait, hours, on, profile
from journeykit.aws.clients import client
from journeykit.aws.dead_letters import DeadLetterQueues
from journeykit.aws.messages import command_parcel
from journeykit.aws.privacy import StackPrivacy, Tables
from journeykit.aws.queues import Parcel, Queue
from journeykit.aws.stack import Stack
from journeykit.cli import group
from journeykit.engine.calendar import to_ms
from journeykit.engine.ids import log_id
from journeykit.ports import Change
from journeykit.runtime.privacy import erase, person
from journeykit.testing.aws import AwsEmulator
from journeykit.testing.aws.emulator import NAME
from journeykit.testing.store_contract.samples import make_message, make_person
from journeykit.workspace import Workspace

START = "2026-01-05T10:00:00Z"
SECRET = "ada.lovelace@example.com"

SHOP = Workspace(
    path=Path(),
    name="shop",
    journeys=[
        Journey(
            "welcome",
            trigger=on("signed_up"),
            steps=[
                Send("email", "hello", id="now"),
                Wait(hours(3), id="wait"),
                Send("email", "more", id="later"),
            ],
        ),
        Journey(
            "trial",
            trigger=on("tried"),
            unique=profile.email,
            steps=[Wait(hours(900), id="wait")],
        ),
    ],
    policies=Policies(),
    providers={"email": "console"},
)


@pytest.fixture
def cloud() -> Iterator[AwsEmulator]:
    with AwsEmulator(SHOP, start=START) as cloud:
        cloud.publish()
        yield cloud


def privacy_of(cloud: AwsEmulator) -> StackPrivacy:
    settings = cloud.settings
    tables = Tables(
        settings.customers_table,
        settings.deliveries_table,
        settings.state_table,
        settings.timers_table,
    )
    letters = DeadLetterQueues(cloud.client("sqs"), NAME, wait_s=0)
    return StackPrivacy(
        cloud.client("dynamodb"), tables, letters, clock=lambda: to_ms(cloud.now)
    )


def everything(cloud: AwsEmulator) -> str:
    """All rows, messages and objects, but for what a stream remembers for a day."""
    dynamodb, sqs, s3 = (cloud.client(name) for name in ("dynamodb", "sqs", "s3"))
    found: list[Any] = []
    for table in dynamodb.list_tables()["TableNames"]:
        found += dynamodb.scan(TableName=table)["Items"]
    for url in sqs.list_queues()["QueueUrls"]:
        answer = sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0
        )
        found += answer.get("Messages", ())
    for bucket in s3.list_buckets()["Buckets"]:
        name = bucket["Name"]
        for one in s3.list_objects_v2(Bucket=name).get("Contents", ()):
            body = s3.get_object(Bucket=name, Key=one["Key"])["Body"].read()
            found.append(gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body)
    return repr(found)


def lived(cloud: AwsEmulator) -> None:
    """Ada and Bob: profiles, runs, messages, and something that nobody could read."""
    for id, email in (("ada", SECRET), ("bob", "bob@example.com")):
        cloud.event("profile.updated", id, {"email": email}, full_name=f"{id} L.")
        cloud.event("signed_up", id)
        cloud.event("tried", id)
        # Of no shape that an event has: the function buries it.
        unread = Parcel(json.dumps({"customer": id, "at": email}), {"kind": "event"})
        Queue(cloud.client("sqs"), cloud.settings.events_queue).send([unread])
        cloud.settle()
        Queue(
            cloud.client("sqs"),
            cloud.settings.events_queue.replace("events", "wakes-dead"),
        ).send([command_parcel(make_message("d9", customer=id), 1)])


def test_nothing_names_who_was_erased(cloud: AwsEmulator) -> None:
    lived(cloud)
    ada = cloud.customer("ada")
    for known in ("'ada'", "ada.lovelace", "#ada"):
        assert known in everything(cloud)

    erased = erase(privacy_of(cloud), ["ada"], archive=lambda _: 0)

    left = everything(cloud)
    for known in ("'ada'", '"ada"', "#ada", "ada.lovelace", ada.salt):
        assert known not in left
    assert (
        log_id("ada", ada.salt) in left
    )  # in the decision log, which says whose no more
    assert "bob@example.com" in repr(cloud.customer("bob").profile)
    assert erased.parts["document"] == 1
    assert erased.parts["dead_letter"] >= 1


def test_who_was_erased_is_sent_nothing_and_is_not_brought_back(
    cloud: AwsEmulator,
) -> None:
    lived(cloud)

    erase(privacy_of(cloud), ["ada"], archive=lambda _: 0)
    cloud.advance("PT4H")
    cloud.replay_stream()  # a relay that lags, or a repair

    assert {*cloud.customers} == {"bob"}
    sent = [(one.customer, one.template) for one in cloud.messages]
    assert sent == [("ada", "hello"), ("bob", "hello"), ("bob", "more")]
    assert cloud.failures == []


def test_somebody_else_may_have_their_place_then(cloud: AwsEmulator) -> None:
    lived(cloud)
    assert "trial" in cloud.customer("ada").past or cloud.customer("ada").active

    erase(privacy_of(cloud), ["ada"], archive=lambda _: 0)
    cloud.event("profile.updated", "eve", {"email": SECRET})
    cloud.event("tried", "eve")

    assert [run.journey for run in cloud.customer("eve").active] == ["trial"]


def test_all_that_is_kept_is_told(cloud: AwsEmulator) -> None:
    lived(cloud)
    store = privacy_of(cloud)
    one = person(store, "ada")
    assert one is not None

    told = store.holdings(one.ids)

    parts = {each.part for each in told}
    assert parts >= {"claim", "command", "dead_letter", "delivery"}
    assert "bob" not in repr(told)
    json.dumps([each.body for each in told])  # it is JSON


# --- the commands ----------------------------------------------------------------------

# What the outputs of the template say; moto's CloudFormation needs more than moto.
OUTPUTS = {
    "CustomersTable": "customers",
    "DeliveriesTable": "deliveries",
    "StateTable": "state",
    "TimersTable": "timers",
    "RecordsBucket": "records",
}

Run = Callable[..., Any]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Commands about a stack `shop`, where Ada and Bob are known."""
    from tests.aws.test_privacy import make_tables
    from tests.aws.test_records import DAY, line_of

    from journeykit.aws.customers import DynamoCustomers

    dynamodb, s3 = client("dynamodb"), client("s3")
    make_tables(dynamodb)
    monkeypatch.setattr(Stack, "output", lambda _, key: OUTPUTS[key])
    s3.create_bucket(
        Bucket="records", CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    lines = gzip.compress(line_of("ada", id="1") + line_of("bob", id="2"))
    s3.put_object(Bucket="records", Key=DAY, Body=lines)
    customers = DynamoCustomers(
        dynamodb, "customers", log=lambda _: None, bury=lambda _: None, clock=lambda: 0
    )
    for id in ("ada", "bob"):
        customers.commit([Change(None, make_person(id, salt=f"salt of {id}"))])
        line = json.dumps({"customer": log_id(id, f"salt of {id}"), "kind": "entered"})
        s3.put_object(Bucket="records", Key=f"decisions/{id}", Body=line.encode())

    def run(*words: str, **asked: Any) -> Any:
        return CliRunner().invoke(group, [*words, "--stack", "shop"], **asked)

    return run


def test_a_stack_is_asked_what_it_keeps(run: Run) -> None:
    told = json.loads(run("export", "ada").stdout)

    assert told["customer"] == "ada"
    assert [one["detail"]["id"] for one in told["events"]] == ["1"]
    assert [one["kind"] for one in told["decisions"]] == ["entered"]
    assert "bob" not in json.dumps(told)


def test_a_stack_is_asked_without_its_archive(run: Run) -> None:
    told = json.loads(run("export", "ada", "--no-archive").stdout)

    assert told["documents"]
    assert told["events"] == told["decisions"] == []


def test_a_stack_forgets_somebody(run: Run) -> None:
    result = run("erase", "ada", "--yes")

    assert result.exit_code == 0, result.output
    assert "1 customer erased:" in result.stdout
    assert "1 lines of the event archive" in " ".join(result.stdout.split())
    assert run("export", "ada").exit_code == 1
    assert json.loads(run("export", "bob").stdout)["events"]


def test_a_stack_keeps_its_archive_if_it_is_told_to(run: Run) -> None:
    result = run("erase", "ada", "--yes", "--no-archive")

    assert "The archive was not searched" in result.stdout
    left = json.loads(run("export", "bob").stdout)
    assert len(left["events"]) == 1


def test_nobody_is_erased_who_is_not_known_but_anyway(run: Run) -> None:
    nobody = run("erase", "eve", "--yes")
    anyway = run("erase", "eve", "--yes", "--anyway")

    assert nobody.exit_code == 1
    assert "nothing was erased" in nobody.stderr
    assert anyway.exit_code == 0, anyway.output


def test_to_erase_in_a_stack_asks_first(run: Run) -> None:
    result = run("erase", "ada", input="n\n")

    assert result.exit_code == 1
    assert run("export", "ada").exit_code == 0


def test_an_erasure_that_stops_says_how_to_go_on(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from journeykit.errors import StoreBusy

    def fails(self: object, ids: object) -> None:
        raise StoreBusy("the timers table: AWS is busy")

    monkeypatch.setattr(StackPrivacy, "_erase_timers", fails)

    result = run("erase", "ada", "--yes")

    assert result.exit_code == 1
    assert "the same again with --anyway does the rest" in " ".join(
        result.stderr.split()
    )


def test_a_stack_lets_go_what_is_over(run: Run, tmp_path: Path) -> None:
    (tmp_path / "journeykit.toml").write_text(
        '[retention]\ncustomers = "1d"\nevents = "1d"\ndecisions = "1d"\n'
    )
    s3 = client("s3")
    s3.put_object(
        Bucket="records", Key="decisions/day=2026-01-01/a", Body=b'{"kind":"old"}\n'
    )

    # Nothing was heard of anybody since June, and the archive is of June, too.
    tried = run("retain", str(tmp_path), "--dry-run")
    before = json.loads(run("export", "ada").stdout)
    done = run("retain", str(tmp_path), "--yes")

    assert tried.exit_code == done.exit_code == 0, done.output
    assert "2 customers" in " ".join(tried.stdout.split())
    assert before["events"]
    assert "2 customers" in " ".join(done.stdout.split())
    assert run("export", "ada").exit_code == 1
    left = s3.list_objects_v2(Bucket="records").get("Contents", ())
    assert [one["Key"] for one in left] == ["decisions/ada", "decisions/bob"]
