"""Each function may do what its code does, and nothing else.

Two sides are held against each other: the list below says what the code of each function
calls, on what, and a run of the whole path over moto takes down what it really called.
"""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any, cast

import pytest
from tests.infra.reading import (
    FUNCTIONS,
    everywhere,
    many,
    resources,
    statements,
    text,
    translated,
)

from journeykit import minutes
from journeykit.aws import (
    api_keys,
    catalogs,
    contents,
    identities,
    notices,
    references,
    slots,
    tallies,
)
from journeykit.aws.claims import DynamoClaims
from journeykit.ports import Reference
from journeykit.testing import make_event
from journeykit.testing.aws import AwsEmulator
from journeykit.workspace import Workspace

POLL = {"sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"}
LOG = {"logs:CreateLogStream", "logs:PutLogEvents"}
STATE = {"dynamodb:GetItem", "dynamodb:Query"}

# What each function calls, by the resource. TransactWriteItems has no right of its own.
CALLS: dict[str, dict[str, set[str]]] = {
    "deliver": {
        "Queue": POLL | {"sqs:SendMessage"},
        "${Core}-events": {"sqs:SendMessage"},
        "${Core}-dead-letters": {"sqs:SendMessage"},
        "table/${DeliveriesTable}": {"dynamodb:BatchGetItem", "dynamodb:UpdateItem"},
        "table/${StateTable}": STATE
        | {"dynamodb:BatchWriteItem", "dynamodb:DeleteItem"}
        | {"dynamodb:PutItem", "dynamodb:UpdateItem"},
        "parameter/journeykit/${Core}": {"ssm:GetParametersByPath"},
        "parameter/journeykit/${Core}/": {"ssm:GetParametersByPath"},
        "DeliverLogs": LOG,
    },
    "feedback": {
        "FeedbackQueue": POLL,
        "DeadLetterQueue": {"sqs:SendMessage"},
        "CustomersTable": {
            *("dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:UpdateItem")
        },
        "DeliveriesTable": {"dynamodb:BatchGetItem"},
        "StateTable": STATE,
        "DecisionsStream": {"firehose:PutRecordBatch"},
        "ArchiveStream": {"firehose:PutRecordBatch"},
        "parameter/journeykit/${AWS::StackName}": {"ssm:GetParametersByPath"},
        "parameter/journeykit/${AWS::StackName}/": {"ssm:GetParametersByPath"},
        "FeedbackLogs": LOG,
    },
    "http": {
        "Bus": {"events:PutEvents"},
        "EventsQueue": {"sqs:SendMessage"},
        "FeedbackQueue": {"sqs:SendMessage"},
        "DeadLetterQueue": {"sqs:SendMessage"},
        "CustomersTable": {
            *("dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:UpdateItem")
        },
        "DeliveriesTable": {"dynamodb:BatchGetItem"},
        "StateTable": STATE
        | {"dynamodb:BatchGetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"},
        "DecisionsStream": {"firehose:PutRecordBatch"},
        "parameter/journeykit/${AWS::StackName}": {"ssm:GetParametersByPath"},
        "parameter/journeykit/${AWS::StackName}/": {"ssm:GetParametersByPath"},
        "HttpLogs": LOG,
    },
    "ingest": {
        "EventsQueue": POLL,
        "WakesQueue": POLL | {"sqs:SendMessage"},
        "DeadLetterQueue": {"sqs:SendMessage"},
        "CustomersTable": {
            *("dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Scan"),
            "dynamodb:UpdateItem",
        },
        "StateTable": STATE
        | {"dynamodb:BatchGetItem", "dynamodb:DeleteItem"}
        | {"dynamodb:PutItem", "dynamodb:UpdateItem"},
        "DecisionsStream": {"firehose:PutRecordBatch"},
        "IngestLogs": LOG,
    },
    "publish": {
        "CustomersTable": {"dynamodb:Scan"},
        "TimersTable": {"dynamodb:BatchWriteItem", "dynamodb:UpdateItem"},
        "StateTable": STATE | {"dynamodb:BatchWriteItem", "dynamodb:PutItem"},
        "WakesQueue": {"sqs:SendMessage"},
        "DeadLetterQueue": {"sqs:SendMessage"},
        "${AWS::StackName}-deliver-*": {"sqs:SendMessage"},
        "${AWS::StackName}-*": {"sqs:GetQueueAttributes", "sqs:GetQueueUrl"},
        "rule/${Bus}/journeykit-listen-*": {
            *("events:DeleteRule", "events:ListTargetsByRule", "events:PutRule"),
            *("events:PutTargets", "events:RemoveTargets"),
        },
        "*": {"events:ListRules"},
        "Bus": {"events:PutEvents"},
        "DecisionsStream": {"firehose:PutRecordBatch"},
        "PublishLogs": LOG,
    },
    "relay": {
        "CustomersTable.StreamArn": {
            *("dynamodb:DescribeStream", "dynamodb:GetRecords"),
            "dynamodb:GetShardIterator",
        },
        "*": {"dynamodb:ListStreams"},
        "TimersTable": {"dynamodb:BatchWriteItem", "dynamodb:UpdateItem"},
        "WakesQueue": {"sqs:SendMessage"},
        "DeadLetterQueue": {"sqs:SendMessage"},
        "${AWS::StackName}-deliver-*": {"sqs:SendMessage"},
        "Bus": {"events:PutEvents"},
        "DecisionsStream": {"firehose:PutRecordBatch"},
        "RecordsBucket": {"s3:ListBucket"},
        "${RecordsBucket.Arn}/aws/lambda/*": {"s3:PutObject"},
        "RelayLogs": LOG,
    },
    "tick": {
        "TimersTable": {
            *("dynamodb:GetItem", "dynamodb:Query", "dynamodb:Scan"),
            "dynamodb:UpdateItem",
        },
        "WakesQueue": {"sqs:SendMessage"},
        "TickLogs": LOG,
    },
    "watch": {
        "RecordsBucket": {"s3:ListBucket"},
        "${RecordsBucket.Arn}/decisions/*": {"s3:GetObject"},
        "${RecordsBucket.Arn}/events/*": {"s3:GetObject"},
        "${RecordsBucket.Arn}/watch/*": {"s3:GetObject", "s3:PutObject"},
        "StateTable": STATE | {"dynamodb:BatchWriteItem", "dynamodb:PutItem"},
        "AlarmTopic": {"sns:Publish"},
        "parameter/journeykit/${AWS::StackName}": {"ssm:GetParametersByPath"},
        "parameter/journeykit/${AWS::StackName}/": {"ssm:GetParametersByPath"},
        "WatchLogs": LOG,
    },
}

# Where a `*` can't be avoided, and why.
WILDCARDS = {
    "*": "ListRules, ListStreams and X-Ray name no resource",
    "${AWS::StackName}-deliver-*": "else no queue can't be told from no right",
    "${AWS::StackName}-*": "a channel that isn't deployed has no queue to name",
    "rule/${Bus}/journeykit-listen-*": "publish makes these rules, and their names",
    **dict.fromkeys(
        ["identity/*", "configuration-set/*", "tenant/*"],
        "who sends is the workspace's to say, and only where `Provider` is ses",
    ),
    **dict.fromkeys(
        ["phone-number/*", "pool/*", "sender-id/*"], "the same where it is sms-aws"
    ),
    "phone-number-id/*": "the same where it is whatsapp-aws",
    "${RecordsBucket.Arn}/aws/lambda/*": "objects, which Lambda names",
    "${RecordsBucket.Arn}/decisions/*": "objects, which Firehose names",
    "${RecordsBucket.Arn}/events/*": "objects, which Firehose names",
    "${RecordsBucket.Arn}/failed/*": "objects, which Firehose names",
    "${RecordsBucket.Arn}/watch/*": "objects, by the parts of the log",
}
# botocore's words for calls that rights name otherwise.
RIGHTS = {
    "sqs:SendMessageBatch": "sqs:SendMessage",
    "dynamodb:TransactWriteItems": "dynamodb:UpdateItem",
}
SERVICES = {"eventbridge": "events"}


def rights(function: str) -> dict[str, set[str]]:
    """What a function's role allows, by the resource."""
    name, _, role = FUNCTIONS[function]
    found: dict[str, set[str]] = {}
    for statement in statements(translated(name)["Resources"][role]):
        assert statement["Effect"] == "Allow"
        for resource in many(statement["Resource"]):
            found.setdefault(named(resource), set()).update(many(statement["Action"]))
    return found


def named(resource: Any) -> str:
    """A resource in short: its name in the template, or what its ARN ends with."""
    whole = text(resource)
    if whole.startswith("arn:"):
        return whole.split(":", 5)[5] if "::" not in whole else whole.split("}:")[-1]
    if whole.startswith("${") and whole.endswith(".Arn}"):
        return whole[2:-5]
    return whole[2:-1] if whole.startswith("${") and whole.endswith("}") else whole


@pytest.mark.parametrize("function", sorted(FUNCTIONS))
def test_a_role_allows_what_its_function_calls_and_nothing_else(function: str) -> None:
    assert rights(function) == CALLS[function]


def all_statements() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every statement that allows something, with the resource that holds it."""
    kinds = ("AWS::IAM::Role", "AWS::IAM::ManagedPolicy", "AWS::IAM::Policy")
    for (_, id), part in everywhere(*kinds).items():
        for statement in statements(part):
            if statement["Effect"] == "Allow":
                yield id, statement


def test_nobody_but_the_watch_and_who_writes_it_reads_the_event_archive() -> None:
    found = {
        id
        for id, statement in all_statements()
        if "s3:GetObject" in many(statement["Action"])
        and any("events/" in text(one) for one in many(statement["Resource"]))
    }

    assert found == {"FirehoseRole", "WatchRole"}


def test_no_right_is_a_wildcard() -> None:
    found = [
        (id, action)
        for id, statement in all_statements()
        for action in many(statement["Action"])
        if "*" in action
    ]

    assert found == []


def test_no_resource_is_a_wildcard_without_a_reason() -> None:
    found = {
        named(resource)
        for _, statement in all_statements()
        for resource in many(statement["Resource"])
        if "*" in text(resource)
    }

    assert found == WILDCARDS.keys()


def test_what_names_no_resource_reads_and_changes_nothing() -> None:
    found = {
        action
        for _, statement in all_statements()
        if "*" in map(text, many(statement["Resource"]))
        for action in many(statement["Action"])
    }

    assert found == {
        *("dynamodb:ListStreams", "events:ListRules"),
        *("xray:PutTelemetryRecords", "xray:PutTraceSegments"),
    }


def test_no_role_has_a_policy_of_awss() -> None:
    roles = everywhere("AWS::IAM::Role")

    assert len(roles) == len(FUNCTIONS) + 3  # the archive's rule, Firehose, Scheduler
    for role in roles.values():
        managed = role["Properties"].get("ManagedPolicyArns", [])
        assert managed in ([], {"Fn::If": ["IsTraced", [{"Ref": "TracePolicy"}], []]})
        assert role["Properties"]["PermissionsBoundary"] == {
            "Fn::If": [
                *("IsBounded", {"Ref": "PermissionsBoundary"}, {"Ref": "AWS::NoValue"})
            ]
        }


@pytest.mark.parametrize(
    ("id", "condition", "action"),
    [
        ("SesPolicy", "UsesSes", "ses:SendEmail"),
        ("SmsAwsPolicy", "UsesSmsAws", "sms-voice:SendTextMessage"),
        (
            *("WhatsappAwsPolicy", "UsesWhatsappAws"),
            "social-messaging:SendWhatsAppMessage",
        ),
    ],
)
def test_a_service_of_awss_may_be_called_by_the_channel_that_it_carries(
    id: str, condition: str, action: str
) -> None:
    policy = resources("channel", "AWS::IAM::ManagedPolicy")[id]

    [statement] = statements(policy)

    assert policy["Condition"] == condition
    assert policy["Properties"]["Roles"] == [{"Ref": "DeliverRole"}]
    assert many(statement["Action"]) == [action]


def test_only_this_account_says_what_became_of_messages() -> None:
    policy = resources("template", "AWS::SQS::QueuePolicy")["FeedbackQueuePolicy"]
    topics, rules = policy["Properties"]["PolicyDocument"]["Statement"]

    for statement, end in (
        (topics, ":sns:${AWS::Region}:${AWS::AccountId}:*"),
        (rules, ":events:${AWS::Region}:${AWS::AccountId}:rule/*"),
    ):
        assert statement["Condition"].keys() == {"ArnLike"}
        assert text(statement["Condition"]["ArnLike"]["aws:SourceArn"]).endswith(end)


def test_each_role_is_taken_by_one_service_only() -> None:
    for (_, id), role in everywhere("AWS::IAM::Role").items():
        [statement] = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        expected = {
            "ArchiveRuleRole": "events.amazonaws.com",
            "FirehoseRole": "firehose.amazonaws.com",
            "SchedulerRole": "scheduler.amazonaws.com",
        }.get(id, "lambda.amazonaws.com")
        assert statement["Principal"] == {"Service": expected}


def test_functions_that_run_plugins_or_read_events_write_no_api_key() -> None:
    claims = DynamoClaims(cast(Any, None), "state")
    visits = DynamoClaims(cast(Any, None), "state", scope="VISIT")
    written = {
        "deliver": [
            *(catalogs._POINTER, {"pk": {"S": catalogs._partition(12)}}),
            *(claims._count_of("first"), claims._place_of("first", "ada")),
            *(slots._key("email"), tallies._key("welcome", 3)),
            *(contents._key("5e88", 0), notices._key("ada", "d1")),
            references._item(Reference("5e88", "ada", "d1", 0)),
        ],
        "ingest": [
            *(visits._count_of("v1/0"), visits._place_of("v1/0", "page")),
            *(identities._key_of("5e88"), identities._row("5e88")),
        ],
        "nobody": [api_keys._key("5e884898")],
    }

    for function in ("deliver", "ingest"):
        name, _, role = FUNCTIONS[function]
        [statement] = (
            statement
            for statement in statements(translated(name)["Resources"][role])
            if "StateTable" in text(statement["Resource"])
            and "dynamodb:PutItem" in many(statement["Action"])
        )
        allowed = statement["Condition"]["ForAllValues:StringLike"]
        for whose, keys in written.items():
            for key in keys:
                matches = [
                    fnmatchcase(key["pk"]["S"], pattern)
                    for pattern in allowed["dynamodb:LeadingKeys"]
                ]
                assert any(matches) == (whose == function)


def test_nobody_but_the_http_door_says_when_an_event_was_received() -> None:
    [policy] = resources("template", "AWS::Events::EventBusPolicy").values()
    statement = policy["Properties"]["Statement"]

    assert (statement["Effect"], statement["Action"]) == ("Deny", "events:PutEvents")
    assert statement["Condition"]["StringEquals"] == {
        "events:source": "journeykit.http"
    }
    assert text(statement["Condition"]["ArnNotEquals"]["aws:PrincipalArn"]) == (
        "${HttpRole.Arn}"
    )
    sources = {
        id: statement["Condition"]["StringEquals"]["events:source"]
        for id, statement in all_statements()
        if "events:PutEvents" in many(statement["Action"])
    }
    assert sources == {
        "HttpRole": "journeykit.http",
        "PublishRole": "journeykit.journeys",
        "RelayRole": "journeykit.journeys",
    }


def test_the_key_is_used_from_this_account_only() -> None:
    [key] = resources("template", "AWS::KMS::Key").values()
    account = {"Ref": "AWS::AccountId"}

    owner, services, couriers, looks = statements(key)

    assert text(owner["Principal"]["AWS"]).endswith(":iam::${AWS::AccountId}:root")
    conditions = services["Condition"]["StringEquals"]
    assert conditions["kms:CallerAccount"] == account
    assert [
        text(service).split(".")[0] for service in conditions["kms:ViaService"]
    ] == [*("dynamodb", "firehose", "s3", "sns", "sqs", "ssm")]
    assert couriers["Condition"] == {"StringEquals": {"aws:SourceAccount": account}}
    assert couriers["Principal"]["Service"] == [
        f"{service}.amazonaws.com" for service in ("events", "cloudwatch", "sns")
    ]
    assert looks["Principal"] == {"Service": "events.amazonaws.com"}
    assert looks["Action"] == "kms:DescribeKey"  # it reads no data
    assert key["Properties"]["EnableKeyRotation"] is True


# --- what is really called ----------------------------------------------------------

JOURNEY = """
from journeykit import (
    Call, Emit, Journey, Send, Wait, WaitFor, asked, hours, minutes, on,
)

journey = Journey(
    id="welcome",
    trigger=on("signed.up"),
    purpose="transactional",
    steps=[
        Call("claim", {"key": "first", "limit": 1}),
        Send("email", "hello"),
        Wait(minutes(5)),
        Emit("greeted", public=True),
        Wait(hours(2)),
        Send("email", "again"),
    ],
)
banner = Journey(id="banner", trigger=asked("home"), steps=[Send("inapp", "banner")])
"""


@pytest.fixture(scope="module")
def called(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """What each function called on a way through everything."""
    folder = tmp_path_factory.mktemp("workspace")
    (folder / "journeys").mkdir()
    (folder / "journeys" / "welcome.py").write_text(JOURNEY, "utf-8")
    (folder / "journeykit.toml").write_text('channels = {email = "file"}\n', "utf-8")
    found: dict[str, set[str]] = {}
    with AwsEmulator(Workspace.load(folder), start="2026-06-01T09:00:00Z") as aws:
        aws.publish()
        aws.put_events(
            [
                make_event("signed.up", name, at="2026-06-01T09:00:00Z")
                for name in ("ada", "ben")
            ]
        )
        aws.pause("welcome")
        aws.advance(minutes(10))
        aws.resume("welcome")
        aws.advance(minutes(10))
        aws.ask({"status": {}})
        aws.ask({"repair": {"everything": True}})
        key = aws.new_api_key("track")
        event = {"name": "signed.up", "customer": "cleo", "id": "e1"}
        event["occurred_at"] = "2026-06-01T09:20:00Z"
        bearer = {"authorization": f"Bearer {key}"}
        assert aws.post("/v1/events", [event], headers=bearer).status < 300
        asking = {"authorization": f"Bearer {aws.new_api_key('decide')}"}
        ask = {"customer": "ada", "placement": "home"}
        assert aws.post("/v1/decide", ask, headers=asking).status == 200
        visitor = {"identifiers": {"anonymous": "a-17"}, "placement": "home"}
        for asked in (visitor, {**visitor, "customer": "ada"}):
            assert aws.post("/v1/decide", asked, headers=asking).status == 200
        aws.advance(minutes(180))
        for request in aws.requests:
            service = SERVICES.get(request.service, request.service)
            right = f"{service}:{request.operation}"
            found.setdefault(request.by, set()).add(RIGHTS.get(right, right))
    return found


@pytest.mark.parametrize(
    "function", ["deliver", "http", "ingest", "publish", "relay", "tick"]
)
def test_a_function_calls_nothing_that_its_role_forbids(
    called: dict[str, set[str]], function: str
) -> None:
    allowed = set().union(*rights(function).values())
    made = set().union(
        *(calls for by, calls in called.items() if function in by.split("-"))
    )

    assert made
    assert made <= allowed
