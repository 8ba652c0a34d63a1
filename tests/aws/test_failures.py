"""Which errors of AWS's mean what, and how long is waited."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    ProxyConnectionError,
    ReadTimeoutError,
    ResponseStreamingError,
    SSLError,
    UnknownEndpointError,
)
from botocore.retries.standard import (
    ThrottledRetryableChecker,
    TransientRetryableChecker,
)
from hypothesis import given, strategies as st

from journeykit.aws.failures import (
    LostRace,
    code_of,
    may_work_later,
    pauses,
    translated,
)
from journeykit.errors import StoreBusy, StoreError

URL = "https://dynamodb.eu-central-1.amazonaws.com"


def answer(
    code: str,
    message: str = "Because.",
    *,
    status: int = 400,
    details: Mapping[str, str] = {},
    **more: Any,
) -> ClientError:
    """An error as botocore raises it."""
    response: Any = {
        "Error": {"Code": code, "Message": message, **details},
        "ResponseMetadata": {"HTTPStatusCode": status},
        **more,
    }
    return ClientError(response, "UpdateItem")


def raised(error: Exception) -> StoreError:
    """What an error becomes."""
    with pytest.raises(StoreError) as caught, translated("the timers table"):
        raise error
    assert caught.value.__cause__ is error
    assert str(caught.value).startswith("the timers table: ")
    return caught.value


AGAIN = (
    *("ProvisionedThroughputExceededException", "RequestLimitExceeded"),
    *("ThrottlingException", "TransactionConflictException"),
    *("TransactionInProgressException", "ReplicatedWriteConflictException"),
    *("InternalServerError", "InternalException", "InternalFailure"),
    *("ServiceUnavailableException", "RequestThrottled", "KmsThrottled"),
    *("ConcurrentModificationException", "KMSInternalException"),
    *("KeyUnavailableException", "DependencyTimeoutException", "RequestTimeout"),
    *("TooManyRequestsException", "RequestExpired"),
)

MISTAKES = {
    "AccessDeniedException": "allow it in the policy of your user or role",
    "AccessDenied": "allow it in the policy of your user or role",
    "ResourceNotFoundException": "deploy the stack",
    "QueueDoesNotExist": "deploy the stack",
    "KmsAccessDenied": "kms:Decrypt",
    "KmsDisabled": "kms:Decrypt",
    "InvalidKMSResourceException": "kms:Decrypt",
    "ExpiredTokenException": "sign in",
    "UnrecognizedClientException": "sign in",
    "LimitExceededException": "raise the quota",
    "ValidationException": "please report it",
    "InvalidEventPatternException": "please report it",
}


@pytest.mark.parametrize("code", AGAIN)
def test_what_may_work_later_is_busy(code: str) -> None:
    error = raised(answer(code))

    assert type(error) is StoreBusy
    assert code in str(error)
    assert may_work_later(code)


@pytest.mark.parametrize("code", MISTAKES)
def test_a_mistake_says_the_way_out(code: str) -> None:
    error = raised(answer(code, "User: arn:aws:sts::1:role/x is not allowed."))

    assert type(error) is StoreError
    assert code in str(error)
    assert "role/x" in str(error)
    assert MISTAKES[code] in str(error)
    assert not may_work_later(code)


def test_who_came_too_late_sees_what_is_there() -> None:
    there = {"id": {"S": "ada"}, "r": {"N": "7"}}

    error = raised(answer("ConditionalCheckFailedException", Item=there))

    assert isinstance(error, LostRace)
    assert isinstance(error, StoreBusy)  # who does not expect it may try again
    assert error.item == there
    assert not error.repeated
    assert "ada" not in str(error)


def test_who_asked_twice_may_have_come_before_himself() -> None:
    error = answer("ConditionalCheckFailedException")
    error.response["ResponseMetadata"]["RetryAttempts"] = 1

    race = raised(error)

    assert isinstance(race, LostRace)
    assert race.repeated


def test_who_came_too_late_for_nobody_sees_nothing() -> None:
    error = raised(answer("ConditionalCheckFailedException"))

    assert isinstance(error, LostRace)
    assert error.item == {}


@pytest.mark.parametrize(
    ("codes", "kind"),
    [
        (["None", "ConditionalCheckFailed"], LostRace),
        (["TransactionConflict", "ConditionalCheckFailed"], LostRace),
        (["TransactionConflict", "None"], StoreBusy),
        (["ThrottlingError"], StoreBusy),
        (["ProvisionedThroughputExceeded"], StoreBusy),
        (["ConditionalCheckFailed", "ValidationError"], StoreError),
        (["ItemCollectionSizeLimitExceeded"], StoreError),
        ([], StoreBusy),
    ],
    ids=lambda it: "-".join(it) if isinstance(it, list) else it.__name__,
)
def test_a_canceled_transaction_is_what_canceled_it(
    codes: list[str], kind: type[StoreError]
) -> None:
    reasons = [{"Code": code} for code in codes]

    error = raised(answer("TransactionCanceledException", CancellationReasons=reasons))

    assert type(error) is kind


@pytest.mark.parametrize(
    "error",
    [
        EndpointConnectionError(endpoint_url=URL),
        ConnectTimeoutError(endpoint_url=URL),
        ReadTimeoutError(endpoint_url=URL),
        ConnectionClosedError(endpoint_url=URL),
        ProxyConnectionError(proxy_url=URL),
        SSLError(endpoint_url=URL, error=OSError("bad record")),
        ResponseStreamingError(error="cut"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_without_an_answer_it_may_have_happened(error: BotoCoreError) -> None:
    busy = raised(error)

    assert type(busy) is StoreBusy
    assert type(error).__name__ in str(busy)
    assert "may have happened" in str(busy)


@pytest.mark.parametrize(
    ("error", "way_out"),
    [
        (NoCredentialsError(), "sign in"),
        (NoRegionError(), "region"),
        (UnknownEndpointError(service_name="x", region_name="y"), "endpoint"),
    ],
    ids=["no credentials", "no region", "no endpoint"],
)
def test_without_an_account_there_is_no_trying_again(
    error: BotoCoreError, way_out: str
) -> None:
    mistake = raised(error)

    assert type(mistake) is StoreError
    assert way_out in str(mistake)


def test_a_malformed_request_is_not_quoted() -> None:
    error = raised(ParamValidationError(report="Invalid type: value: ada@example.com"))

    assert type(error) is StoreError
    assert "ada" not in str(error)


@pytest.mark.parametrize("status", [500, 502, 503, 504, 429])
def test_an_unknown_error_of_theirs_may_work_later(status: int) -> None:
    assert type(raised(answer("Strange", status=status))) is StoreBusy


def test_an_unknown_error_of_ours_does_not() -> None:
    error = raised(answer("Strange", "x" * 9999))

    assert type(error) is StoreError
    assert "Strange" in str(error)
    assert len(str(error)) < 400


def test_a_key_that_cant_be_used_is_told_from_other_access() -> None:
    error = raised(
        answer("AccessDeniedException", "KMS key access denied error: not allowed")
    )

    assert "kms:Decrypt" in str(error)


def test_an_error_is_called_by_its_newer_name() -> None:
    error = answer(
        "AWS.SimpleQueueService.NonExistentQueue",
        details={"QueryErrorCode": "QueueDoesNotExist"},
    )

    assert code_of(error) == "QueueDoesNotExist"
    assert code_of(answer("ThrottlingException")) == "ThrottlingException"
    assert code_of(ClientError({}, "UpdateItem")) == ""


def test_what_is_not_of_aws_passes() -> None:
    with pytest.raises(ZeroDivisionError), translated("the timers table"):
        raise ZeroDivisionError


# --- The table and the services ------------------------------------------------------

ASKED = {
    "dynamodb": (
        *("GetItem", "BatchGetItem", "PutItem", "UpdateItem", "DeleteItem", "Query"),
        *("Scan", "BatchWriteItem", "TransactWriteItems"),
    ),
    "sqs": ("SendMessage", "SendMessageBatch", "GetQueueAttributes"),
    "events": ("PutEvents", "PutRule", "PutTargets", "ListRules", "DeleteRule"),
    "firehose": ("PutRecordBatch",),
}


@pytest.mark.parametrize("service", ASKED)
def test_every_error_that_a_service_declares_is_handled_on_purpose(
    service: str,
) -> None:
    model = botocore.session.get_session().get_service_model(service)

    for operation in ASKED[service]:
        for shape in model.operation_model(operation).error_shapes:
            error = raised(answer(shape.name, "Because."))
            # What the table does not know ends with AWS's own words.
            on_purpose = isinstance(error, StoreBusy) or "Because; " in str(error)
            assert on_purpose, (operation, shape.name)


def test_what_botocore_tries_again_is_not_taken_for_a_mistake() -> None:
    codes = {
        *TransientRetryableChecker._TRANSIENT_ERROR_CODES,
        *ThrottledRetryableChecker._THROTTLED_ERROR_CODES,
    }

    taken = {code for code in codes if not isinstance(raised(answer(code)), StoreBusy)}

    assert taken == {"LimitExceededException"}  # a quota, in what we ask


# --- Pauses --------------------------------------------------------------------------


def test_pauses_double_up_to_a_limit() -> None:
    waits = pauses(7, base_s=0.1, most_s=1.0, draw=lambda: 1.0)

    assert list(waits) == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.0, 1.0, 1.0])


@given(st.lists(st.floats(0, 1), min_size=20, max_size=20))
def test_pauses_are_drawn_from_all_of_it(drawn: list[float]) -> None:
    draws = iter(drawn)

    waits = list(pauses(20, base_s=0.05, most_s=2.0, draw=lambda: next(draws)))

    limits = [min(2.0, 0.05 * 2**n) for n in range(20)]
    assert waits == [draw * limit for draw, limit in zip(drawn, limits, strict=True)]


def test_pauses_are_not_the_same_for_everybody() -> None:
    assert list(pauses(5)) != list(pauses(5))
    assert list(pauses(0)) == []
