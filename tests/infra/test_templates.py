"""The templates say what they are meant to say; AWS itself can't be asked here.

What no test here proves, since no emulator checks it: that the roles and the key's policy
let through all that is needed (moto checks no rights), that CloudFormation makes and
changes these resources in this order, that Firehose, Athena and alarms work on real data,
and limits of an account. A deployment to a test account proves that.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.infra.reading import (
    FUNCTIONS,
    INFRA,
    NAMES,
    environment,
    everywhere,
    many,
    resources,
    template,
    text,
    translated,
)

from journeykit.aws.publishing import Request, ScoreRequest
from journeykit.aws.settings import PREFIX, Settings
from journeykit.aws.stack import OUTPUT
from journeykit.aws.templates import TEMPLATE, concurrency_of, templates_folder
from journeykit.channels import ANY
from journeykit.errors import InputError
from journeykit.plugins import Registry, plugin_manager

# Read by the bootstrap of the handlers, and by the plugins; the rest are settings.
OTHER_VARIABLES = {
    "JOURNEYKIT_PLUGINS",
    "JOURNEYKIT_SECRETS_PATH",
    "JOURNEYKIT_TRACING",
}
POWERTOOLS = {
    "POWERTOOLS_LOG_LEVEL",
    "POWERTOOLS_METRICS_NAMESPACE",
    "POWERTOOLS_SERVICE_NAME",
}
# What each function works with; `aws/cloud.py` asks for a setting when it needs it.
NEEDS = {
    "deliver": {
        *("deliveries_table", "state_table", "events_queue", "dead_letter_queue"),
        *("calls_queue", "deliver_queues", "manifest"),
    },
    "feedback": {
        *("customers_table", "deliveries_table", "state_table", "dead_letter_queue"),
        *("decisions_stream", "archive_stream", "manifest"),
    },
    "http": {
        *("bus", "events_queue", "feedback_queue", "customers_table", "state_table"),
        *("deliveries_table", "dead_letter_queue", "decisions_stream", "manifest"),
    },
    "ingest": {
        *("customers_table", "state_table", "wakes_queue", "dead_letter_queue"),
        *("decisions_stream", "manifest"),
    },
    "publish": {*Settings.__struct_fields__}
    - {"deliveries_table", "archive_stream", "records_bucket", "alarm_topic"},
    "relay": {
        *("timers_table", "wakes_queue", "calls_queue", "deliver_queues", "bus"),
        *("decisions_stream", "dead_letter_queue"),
    },
    "tick": {"timers_table", "wakes_queue"},
    "watch": {"state_table", "records_bucket", "alarm_topic", "manifest"},
}


def test_no_template_has_a_finding() -> None:
    linter = Path(sys.executable).with_name("cfn-lint")
    paths = [str(INFRA / f"{name}.yaml") for name in NAMES]

    done = subprocess.run(
        [str(linter), *paths],
        capture_output=True,
        check=False,
        text=True,
    )

    assert (done.stdout, done.returncode) == ("", 0)


@pytest.mark.parametrize("name", NAMES)
def test_sam_understands_a_template(name: str) -> None:
    made = translated(name)

    kinds = {part["Type"] for part in made["Resources"].values()}
    assert kinds
    assert not [kind for kind in kinds if kind.startswith("AWS::Serverless")]


def test_every_template_of_the_folder_is_deployed() -> None:
    nested = resources("template", "AWS::CloudFormation::Stack").values()

    used = {part["Properties"]["TemplateURL"] for part in nested}

    assert used == {path.name for path in INFRA.glob("*.yaml")} - {TEMPLATE}


def test_each_part_gets_the_parameters_that_it_asks_for() -> None:
    for part in resources("template", "AWS::CloudFormation::Stack").values():
        name = part["Properties"]["TemplateURL"].removesuffix(".yaml")
        asked = template(name)["Parameters"]

        assert part["Properties"]["Parameters"].keys() == asked.keys()


def test_an_installed_journeykit_finds_the_templates(tmp_path: Path) -> None:
    (tmp_path / "infra").mkdir()

    assert templates_folder() == INFRA
    assert templates_folder(tmp_path) == INFRA
    (tmp_path / "infra" / TEMPLATE).touch()
    assert templates_folder(tmp_path) == tmp_path / "infra"


def test_without_templates_it_is_said_where_they_are(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("journeykit.aws.templates._CHECKOUT", tmp_path)

    with pytest.raises(InputError, match="copy infra/ of its repository"):
        templates_folder()


@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_the_settings_of_an_environment_name_parameters(environment: str) -> None:
    config = tomllib.loads((INFRA / "samconfig.toml").read_text("utf-8"))

    overrides = config[environment]["deploy"]["parameters"]["parameter_overrides"]

    values = dict(override.split("=", 1) for override in overrides)
    assert values.keys() <= template("template")["Parameters"].keys()
    assert values["Environment"] == environment


# --- functions ----------------------------------------------------------------------


@pytest.mark.parametrize("function", sorted(FUNCTIONS))
def test_a_function_has_what_it_needs_in_its_environment(function: str) -> None:
    wanted = {PREFIX + name.upper() for name in NEEDS[function]}

    found = {name for name in environment(function) if name.startswith(PREFIX)}

    assert found - OTHER_VARIABLES == wanted


@pytest.mark.parametrize("function", sorted(FUNCTIONS))
def test_every_variable_is_known(function: str) -> None:
    settings = {PREFIX + name.upper() for name in Settings.__struct_fields__}

    assert environment(function).keys() <= settings | OTHER_VARIABLES | POWERTOOLS


@pytest.mark.parametrize("function", sorted(FUNCTIONS))
def test_every_value_names_a_resource_of_its_kind(function: str) -> None:
    for name, value in environment(function).items():
        setting = name.removeprefix(PREFIX)
        found = text(value)
        if setting.endswith("_TABLE"):
            assert found == f"${{{camel(setting)}}}"
        elif setting in ("EVENTS_QUEUE", "DEAD_LETTER_QUEUE", "WAKES_QUEUE"):
            queue = {"DEAD_LETTER_QUEUE": "dead-letters"}.get(
                setting, setting.removesuffix("_QUEUE").lower()
            )
            assert found in (f"${{{camel(setting)}}}", url(f"${{Core}}-{queue}"))
        elif setting == "CALLS_QUEUE":
            assert found == text(environment(function)["JOURNEYKIT_DELIVER_QUEUES"]) + (
                "calls"
            )


def camel(setting: str) -> str:
    return "".join(word.capitalize() for word in setting.split("_"))


def url(queue: str) -> str:
    return (
        f"https://sqs.${{AWS::Region}}.${{AWS::URLSuffix}}/${{AWS::AccountId}}/{queue}"
    )


@pytest.mark.parametrize("function", sorted(FUNCTIONS))
def test_a_function_runs_a_handler_that_is_there(function: str) -> None:
    name, id, role = FUNCTIONS[function]

    properties = translated(name)["Resources"][id]["Properties"]

    module, _, attribute = properties["Handler"].rpartition(".")
    assert module == f"journeykit_handlers.{function}"
    assert attribute in vars(import_module(module))
    assert properties["Runtime"] == "python3.13"
    assert text(properties["Architectures"][0]) == "${Architecture}"
    assert text(properties["Role"]) == f"${{{role}.Arn}}"


@pytest.mark.parametrize("function", sorted(FUNCTIONS))
def test_a_function_names_its_code_itself(function: str) -> None:
    name, id, _ = FUNCTIONS[function]
    written = template(name)

    # `aws cloudformation package` leaves out what stands in Globals, and takes the folder.
    code = "watch.zip" if function == "watch" else "code.zip"
    assert written["Resources"][id]["Properties"]["CodeUri"] == code
    assert "CodeUri" not in written.get("Globals", {}).get("Function", {})


def test_the_watch_has_a_disk_for_tables_and_no_other_function_pays_for_one() -> None:
    disks = {
        id: properties["EphemeralStorage"]["Size"]
        for (_, id), part in everywhere("AWS::Lambda::Function").items()
        if "EphemeralStorage" in (properties := part["Properties"])
    }

    # 24 million decisions, more than are read at most, took 1.7 GB as tables.
    assert disks == {"WatchFunction": 10_240}


def test_every_function_is_one_of_those() -> None:
    found = {id for _, id in everywhere("AWS::Lambda::Function")}

    assert found == {id for _, id, _ in FUNCTIONS.values()}


# --- what is kept -------------------------------------------------------------------


def test_tables_are_encrypted_and_outlive_the_stack_in_prod() -> None:
    tables = resources("template", "AWS::DynamoDB::Table")

    assert sorted(tables) == [
        *("CustomersTable", "DeliveriesTable", "StateTable", "TimersTable")
    ]
    for table in tables.values():
        properties = table["Properties"]
        assert text(properties["SSESpecification"]["KMSMasterKeyId"]) == (
            "${EncryptionKey.Arn}"
        )
        assert properties["BillingMode"] == "PAY_PER_REQUEST"
        assert properties["DeletionProtectionEnabled"] == {
            "Fn::If": ["IsProd", True, False]
        }
        assert table["UpdateReplacePolicy"] == "Retain"
        assert table["DeletionPolicy"] == {
            "Fn::FindInMap": ["Environments", {"Ref": "Environment"}, "Keep"]
        }
    keep = template("template")["Mappings"]["Environments"]
    assert keep["dev"]["Keep"] == "Delete"
    assert keep["prod"]["Keep"] == "RetainExceptOnCreate"


def test_tables_can_be_restored_unless_they_are_made_of_others() -> None:
    tables = resources("template", "AWS::DynamoDB::Table")

    restored = {
        id
        for id, table in tables.items()
        if table["Properties"].get("PointInTimeRecoverySpecification")
        == {"PointInTimeRecoveryEnabled": True}
    }

    assert restored == tables.keys() - {"TimersTable"}


def test_what_ends_has_a_time_to_live() -> None:
    tables = resources("template", "AWS::DynamoDB::Table")

    ends = {
        id: table["Properties"]["TimeToLiveSpecification"]
        for id, table in tables.items()
        if "TimeToLiveSpecification" in table["Properties"]
    }

    assert ends == {
        id: {"AttributeName": "ttl", "Enabled": True}
        for id in ("DeliveriesTable", "StateTable", "TimersTable")
    }


def test_the_stream_of_customers_is_relayed_until_it_is_done() -> None:
    table = resources("template", "AWS::DynamoDB::Table")["CustomersTable"]
    [mapping] = (
        part["Properties"]
        for part in resources("template", "AWS::Lambda::EventSourceMapping").values()
        if "StartingPosition" in part["Properties"]
    )

    assert table["Properties"]["StreamSpecification"] == {"StreamViewType": "NEW_IMAGE"}
    assert mapping["BisectBatchOnFunctionError"] is True
    assert mapping["MaximumRetryAttempts"] == -1
    assert mapping["MaximumRecordAgeInSeconds"] < 24 * 3600  # the stream forgets then
    assert text(mapping["DestinationConfig"]["OnFailure"]["Destination"]) == (
        "${RecordsBucket.Arn}"
    )
    assert text(mapping["ParallelizationFactor"]) == "${RelayParallelism}"


def test_the_bucket_is_closed() -> None:
    [bucket] = resources("template", "AWS::S3::Bucket").values()
    [policy] = resources("template", "AWS::S3::BucketPolicy").values()

    properties = bucket["Properties"]
    assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
    assert properties["VersioningConfiguration"] == {
        "Fn::If": ["IsProd", {"Status": "Enabled"}, {"Ref": "AWS::NoValue"}]
    }
    [rule] = properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
    [statement] = policy["Properties"]["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Action"]) == ("Deny", "s3:*")
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_logs_are_partitioned_by_day_for_athena() -> None:
    streams = resources("template", "AWS::KinesisFirehose::DeliveryStream")
    tables = resources("template", "AWS::Glue::Table")

    prefixes = sorted(
        stream["Properties"]["ExtendedS3DestinationConfiguration"]["Prefix"]
        for stream in streams.values()
    )
    locations = sorted(
        text(
            table["Properties"]["TableInput"]["Parameters"]["storage.location.template"]
        )
        for table in tables.values()
    )
    assert prefixes == [
        f"{log}/day=!{{timestamp:yyyy-MM-dd}}/" for log in ("decisions", "events")
    ]
    assert locations == [
        f"s3://${{RecordsBucket}}/{log}/day=${{!day}}/"
        for log in ("decisions", "events")
    ]


def test_athena_knows_every_field_of_a_decision() -> None:
    from journeykit.engine.records import TRACE_SCHEMA

    table = resources("template", "AWS::Glue::Table")["AthenaDecisions"]

    columns = table["Properties"]["TableInput"]["StorageDescriptor"]["Columns"]

    assert {column["Name"] for column in columns} == {*TRACE_SCHEMA["properties"]}


def test_every_log_ends() -> None:
    groups = everywhere("AWS::Logs::LogGroup")

    assert len(groups) == len(FUNCTIONS) + 2  # and those of Firehose and of the API
    for group in groups.values():
        assert group["Properties"]["RetentionInDays"] == {
            "Fn::FindInMap": ["Environments", {"Ref": "Environment"}, "LogDays"]
        }
    for function in everywhere("AWS::Lambda::Function").values():
        assert "LogGroup" in function["Properties"]["LoggingConfig"]


def test_access_logs_hold_no_path_and_no_address() -> None:
    [stage] = resources("template", "AWS::ApiGatewayV2::Stage").values()

    log = json.loads(stage["Properties"]["AccessLogSettings"]["Format"])

    assert not [
        v for v in log.values() if re.search("path|ip|identity|agent", v.lower())
    ]
    assert "ThrottlingRateLimit" in stage["Properties"]["DefaultRouteSettings"]


def test_only_providers_and_customers_need_no_key_where_callers_use_iam() -> None:
    routes = resources("template", "AWS::ApiGatewayV2::Route").values()

    found = {
        part["Properties"]["RouteKey"]: part["Properties"]["AuthorizationType"]
        for part in routes
    }

    assert found == {
        "$default": {"Fn::If": ["AsksForIam", "AWS_IAM", "NONE"]},
        "GET /v1/feedback/{channel}": "NONE",
        "ANY /v1/sources/{source}": "NONE",
        "POST /v1/feedback/{channel}": "NONE",
        **dict.fromkeys([f"ANY /{kind}/{{token}}" for kind in "upcslo"], "NONE"),
        "ANY /v1/inbox/{customer}": "NONE",
        "ANY /v1/inbox/{customer}/{notice}/{act}": "NONE",
    }


# --- queues -------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["channel", "template"])
def test_each_queue_has_a_dead_letter_queue_or_is_one(name: str) -> None:
    queues = resources(name, "AWS::SQS::Queue")
    dead = {
        text(queue["Properties"]["RedrivePolicy"]["deadLetterTargetArn"])
        for queue in queues.values()
        if "RedrivePolicy" in queue["Properties"]
    }

    for id, queue in queues.items():
        properties = queue["Properties"]
        is_dead = f"${{{id}.Arn}}" in dead
        put_there_by_others = properties.get("RedriveAllowPolicy") == {
            "redrivePermission": "denyAll"
        }
        assert ("RedrivePolicy" in properties) != (is_dead or put_there_by_others)
        assert "RedriveAllowPolicy" in properties or "RedrivePolicy" in properties
        assert properties["MessageRetentionPeriod"] == 14 * 24 * 3600
        assert text(properties["KmsMasterKeyId"]).startswith("${EncryptionKey")


@pytest.mark.parametrize("name", ["channel", "template"])
def test_a_dead_letter_queue_takes_from_its_own_queue_only(name: str) -> None:
    queues = resources(name, "AWS::SQS::Queue")

    for queue in queues.values():
        if "RedrivePolicy" in queue["Properties"]:
            target = text(queue["Properties"]["RedrivePolicy"]["deadLetterTargetArn"])
            dead = queues[target.removeprefix("${").removesuffix(".Arn}")]
            allow = dead["Properties"]["RedriveAllowPolicy"]
            [source] = allow["sourceQueueArns"]
            own = text(queue["Properties"]["QueueName"])
            assert text(source).rpartition(":")[2] == own.rpartition(":")[2]
            assert text(source).endswith(own)


def test_a_message_stays_hidden_for_six_times_the_functions_timeout() -> None:
    checked = 0
    for name in ("channel", "template"):
        parts = translated(name)["Resources"]
        for mapping in resources(name, "AWS::Lambda::EventSourceMapping").values():
            properties = mapping["Properties"]
            source = text(properties["EventSourceArn"])
            queue = parts[source[2:].split(".")[0]]
            if queue["Type"] != "AWS::SQS::Queue":
                continue
            function = parts[properties["FunctionName"]["Ref"]]
            hidden = queue["Properties"]["VisibilityTimeout"]
            window = properties["MaximumBatchingWindowInSeconds"]
            assert hidden >= 6 * function["Properties"]["Timeout"]
            assert window <= 1
            checked += 1

    assert checked == 4  # events, wakes, feedback, and a channel's


def test_batches_answer_which_records_failed() -> None:
    for mapping in everywhere("AWS::Lambda::EventSourceMapping").values():
        answers = mapping["Properties"]["FunctionResponseTypes"]
        assert answers == ["ReportBatchItemFailures"]


def test_a_delivery_ends_before_its_lease() -> None:
    from journeykit.runtime.dispatcher import LEASE_MS

    function = resources("channel", "AWS::Lambda::Function")["DeliverFunction"]

    assert function["Properties"]["Timeout"] * 1000 < LEASE_MS


def test_a_channel_has_its_own_concurrency_and_can_be_left_out() -> None:
    parameters = template("template")["Parameters"]
    stacks = [
        part
        for part in template("template")["Resources"].values()
        if part.get("Properties", {}).get("TemplateURL") == "channel.yaml"
    ]

    for stack in stacks:
        given = stack["Properties"]["Parameters"]
        parameter = given["Concurrency"]["Ref"]
        assert parameters[parameter]["MinValue"] == 0
        condition = template("template")["Conditions"][stack["Condition"]]
        assert condition == {"Fn::Not": [{"Fn::Equals": [{"Ref": parameter}, 0]}]}
    assert {stack["Properties"]["Parameters"]["Channel"] for stack in stacks} == {
        *("calls", "email", "inapp", "instagram", "messenger", "push", "slack", "sms"),
        *("webhook", "whatsapp"),
    }
    [mapping] = resources("channel", "AWS::Lambda::EventSourceMapping").values()
    assert mapping["Properties"]["ScalingConfig"] == {
        "MaximumConcurrency": {"Ref": "Concurrency"}
    }


def test_there_is_a_part_for_each_channel_of_our_plugins() -> None:
    registry = Registry.from_plugins(plugin_manager(environ={}))
    names = {name for name, _ in registry.channels} - {ANY}
    text = (INFRA / TEMPLATE).read_text("utf-8")

    for name in names:
        assert f"Channel: {name}," in text
        assert concurrency_of(name) in template("template")["Parameters"]


def test_what_waits_for_a_channel_outlives_it_in_prod() -> None:
    queues = resources("channel", "AWS::SQS::Queue")

    assert sorted(queues) == ["DeadQueue", "Queue"]
    for queue in queues.values():
        assert queue["UpdateReplacePolicy"] == "Retain"
        assert queue["DeletionPolicy"] == {
            "Fn::FindInMap": ["Environments", {"Ref": "Environment"}, "Keep"]
        }
    for name in ("channel", "template"):
        keep = template(name)["Mappings"]["Environments"]
        assert keep["dev"]["Keep"] == "Delete"
        assert keep["prod"]["Keep"] == "RetainExceptOnCreate"


# --- what is told -------------------------------------------------------------------


def test_every_alarm_tells_somebody() -> None:
    alarms = everywhere("AWS::CloudWatch::Alarm")

    assert len(alarms) > 20
    for alarm in alarms.values():
        properties = alarm["Properties"]
        assert properties["AlarmActions"] == [{"Ref": "AlarmTopic"}]
        assert properties["OKActions"] == [{"Ref": "AlarmTopic"}]
        assert len(text(properties["AlarmDescription"])) > 30


def test_every_dead_letter_queue_has_an_alarm() -> None:
    watched = {
        text(dimension["Value"])
        .replace("${Core}", "")
        .replace("${DeadQueue.QueueName}", "")
        for (_, _), alarm in everywhere("AWS::CloudWatch::Alarm").items()
        for dimension in alarm["Properties"].get("Dimensions", ())
        if alarm["Properties"]["MetricName"] == "ApproximateNumberOfMessagesVisible"
    }

    dead = {
        text(queue["Properties"]["QueueName"]).replace("${AWS::StackName}", "")
        for queue in resources("template", "AWS::SQS::Queue").values()
        if "RedriveAllowPolicy" in queue["Properties"]
    }

    assert watched == dead | {""}  # and the channel's own


def test_alarms_and_dashboard_name_what_is_there() -> None:
    core = {
        text(part["Properties"][key]).replace("${AWS::StackName}", "${Core}")
        for kind, key in (
            ("AWS::Lambda::Function", "FunctionName"),
            ("AWS::SQS::Queue", "QueueName"),
            ("AWS::KinesisFirehose::DeliveryStream", "DeliveryStreamName"),
        )
        for part in resources("template", kind).values()
    }
    written = (INFRA / "observe.yaml").read_text("utf-8")

    named = set(re.findall(r"\$\{Core\}-[a-z-]+", written))

    assert named
    assert named <= core


def test_alarms_look_at_metrics_that_functions_write() -> None:
    code = "".join(
        path.read_text("utf-8")
        for folder in ("sdk/journeykit/aws", "handlers/src")
        for path in (INFRA.parent / folder).rglob("*.py")
    )

    names = {
        alarm["Properties"]["MetricName"]
        for alarm in everywhere("AWS::CloudWatch::Alarm").values()
        if alarm["Properties"].get("Namespace") == "journeykit"
    }

    assert names
    assert [name for name in names if f'"{name}"' not in code] == []


def test_throttles_are_counted_while_some_functions_are_idle() -> None:
    throttled = resources("observe", "AWS::CloudWatch::Alarm")["Throttled"]
    channel = resources("channel", "AWS::CloudWatch::Alarm")["ThrottleAlarm"]

    [sum_of_all] = (
        metric["Expression"]
        for metric in throttled["Properties"]["Metrics"]
        if "Expression" in metric
    )

    assert sum_of_all == "SUM(METRICS())"  # `a + b` is nothing where one is missing
    assert channel["Properties"]["MetricName"] == "Throttles"


def test_the_dashboard_finds_names_that_begin_with_the_stacks() -> None:
    [board] = resources("observe", "AWS::CloudWatch::Dashboard").values()
    body = text(board["Properties"]["DashboardBody"])

    searched = re.findall(r"(QueueName|FunctionName)=(\S+)", body)

    assert [value for _, value in searched] == ["${Core}"] * 5  # quotes: the whole name


def test_the_dashboard_is_json() -> None:
    [board] = resources("observe", "AWS::CloudWatch::Dashboard").values()
    body = text(board["Properties"]["DashboardBody"])

    widgets = json.loads(re.sub(r"\$\{[\w:]+\}", "x", body))["widgets"]

    places = [(widget["x"], widget["y"]) for widget in widgets]
    assert len(set(places)) == len(places) > 8
    for widget in widgets:
        for metric in widget["properties"]["metrics"]:
            assert isinstance(metric, list)


def test_what_others_need_to_know_is_put_out() -> None:
    outputs: dict[str, Any] = translated("template")["Outputs"]

    assert {OUTPUT, "ApiUrl", "BusName", "BusArn"} <= outputs.keys()
    assert {"CustomersTable", "DeliveriesTable", "StateTable", "TimersTable"} <= (
        outputs.keys()
    )
    assert text(outputs[OUTPUT]["Value"]) == "${PublishFunction}"


def test_the_bus_keeps_what_it_cannot_hand_over() -> None:
    [rule] = resources("template", "AWS::Events::Rule").values()
    [bus] = resources("template", "AWS::Events::EventBus").values()

    [target] = rule["Properties"]["Targets"]

    for part in (target, bus["Properties"]):
        assert text(part["DeadLetterConfig"]["Arn"]) == "${DeadLetterQueue.Arn}"
    assert many(rule["Properties"]["EventPattern"]["source"]) == [{"prefix": ""}]


def test_models_are_asked_when_the_operator_says_so() -> None:
    schedule = resources("template", "AWS::Scheduler::Schedule")["ScoringSchedule"]
    properties = schedule["Properties"]

    assert schedule["Condition"] == "AsksModels"
    assert text(properties["Target"]["Arn"]) == "${PublishFunction.Arn}"
    asked = msgspec.json.decode(properties["Target"]["Input"], type=Request)
    assert asked.score == ScoreRequest()


def test_the_day_before_is_looked_at_when_the_operator_says_so() -> None:
    schedule = resources("template", "AWS::Scheduler::Schedule")["WatchingSchedule"]
    properties = schedule["Properties"]

    assert schedule["Condition"] == "Watches"
    assert properties["ScheduleExpression"] == {"Ref": "WatchSchedule"}
    assert text(properties["Target"]["Arn"]) == "${WatchFunction.Arn}"
    assert text(properties["Target"]["DeadLetterConfig"]["Arn"]) == (
        "${TicksDeadQueue.Arn}"
    )


def test_time_is_looked_at_each_minute() -> None:
    schedules = resources("template", "AWS::Scheduler::Schedule")
    others = ("ScoringSchedule", "WatchingSchedule")
    [schedule] = (one for id, one in schedules.items() if id not in others)

    properties = schedule["Properties"]
    assert properties["ScheduleExpression"] == "rate(1 minute)"
    assert text(properties["Target"]["RoleArn"]) == "${SchedulerRole.Arn}"
    assert text(properties["Target"]["DeadLetterConfig"]["Arn"]) == (
        "${TicksDeadQueue.Arn}"
    )
