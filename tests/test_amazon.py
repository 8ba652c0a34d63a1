"""A call of a service in AWS says whether it can have arrived, and is made once."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Mapping
from typing import Any

import pytest
from botocore import exceptions
from botocore.parsers import ResponseParserError

from journeykit.amazon import Answer, Refusal, asked, receipt_of, service
from journeykit.channels import Receipt, Rejected, RetryAfter, Uncertain
from journeykit.transport import NoAnswer, Unreachable


def refused(
    code: str, status: int, *, headers: Mapping[str, str] | None = None, **more: object
) -> exceptions.ClientError:
    response: Any = {
        "Error": {"Code": code, "Message": "about ada@example.com"},
        "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": headers or {}},
        **more,
    }
    return exceptions.ClientError(response, "SendEmail")


def answered(error: Exception) -> Answer:
    def call() -> Mapping[str, Any]:
        raise error

    return asked(call)


def untrusted() -> exceptions.SSLError:
    """As urllib3 and botocore wrap it, one in the other."""
    cause = ssl.SSLCertVerificationError("certificate verify failed")
    return exceptions.SSLError(endpoint_url="https://x", error=OSError(cause))


PLACE = {"endpoint_url": "https://email.eu-west-1.amazonaws.com"}


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (exceptions.EndpointConnectionError(**PLACE), Unreachable),
        (exceptions.ConnectTimeoutError(**PLACE), Unreachable),
        (exceptions.ProxyConnectionError(proxy_url="http://proxy"), Unreachable),
        (exceptions.NoCredentialsError(), Unreachable),
        (exceptions.NoRegionError(), Unreachable),
        (untrusted(), Unreachable),
        (exceptions.SSLError(error="EOF occurred", **PLACE), NoAnswer),
        (exceptions.ReadTimeoutError(**PLACE), NoAnswer),
        (exceptions.ConnectionClosedError(**PLACE), NoAnswer),
        (exceptions.HTTPClientError(error="whatever"), NoAnswer),
        (ResponseParserError("no JSON"), NoAnswer),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_an_error_says_whether_the_call_can_have_arrived(
    error: Exception, kind: type[Unreachable | NoAnswer]
) -> None:
    answer = answered(error)

    assert isinstance(answer, kind)
    assert "amazonaws" not in answer.reason


def test_an_answer_is_an_answer() -> None:
    assert asked(lambda: {"MessageId": "1"}) == {"MessageId": "1"}


@pytest.mark.parametrize(
    ("error", "receipt"),
    [
        (refused("ThrottlingException", 400), RetryAfter("d1", 0)),
        (refused("Whatever", 429, headers={"retry-after": "7"}), RetryAfter("d1", 7)),
        (
            refused("Whatever", 429, headers={"retry-after": "9" * 8}),
            RetryAfter("d1", 86400),
        ),
        (
            refused("Whatever", 429, headers={"retry-after": "soon"}),
            RetryAfter("d1", 0),
        ),
        (refused("ServiceUnavailable", 503), RetryAfter("d1", 0)),
        (refused("AccessDeniedException", 400), RetryAfter("d1", 0)),
        (refused("ExpiredTokenException", 403), RetryAfter("d1", 0)),
        (refused("InternalFailure", 500), Uncertain("d1", "InternalFailure")),
        (refused("MessageRejected", 400), Rejected("d1", "MessageRejected")),
        (
            refused("ValidationException", 400, Reason="PRICE_OVER_THRESHOLD"),
            Rejected("d1", "ValidationException: PRICE_OVER_THRESHOLD"),
        ),
        (refused("", 400), Rejected("d1", "Unknown")),
    ],
    ids=range(11),
)
def test_a_refusal_has_its_receipt_and_quotes_nobody(
    error: exceptions.ClientError, receipt: Receipt
) -> None:
    answer = answered(error)

    assert isinstance(answer, Refusal)
    assert receipt_of("d1", answer) == receipt
    assert "ada" not in repr(answer)


@pytest.mark.parametrize(
    ("answer", "receipt"),
    [
        (Unreachable("refused"), RetryAfter("d1", 0)),
        (NoAnswer("timed out"), Uncertain("d1", "timed out")),
    ],
    ids=range(2),
)
def test_silence_has_its_receipt(
    answer: Unreachable | NoAnswer, receipt: Receipt
) -> None:
    assert receipt_of("d1", answer) == receipt


def test_a_request_that_can_be_none_is_a_bug_and_raised() -> None:
    with pytest.raises(exceptions.ParamValidationError):
        answered(exceptions.ParamValidationError(report="no"))


@pytest.fixture
def botocore_log(monkeypatch: pytest.MonkeyPatch) -> logging.Logger:
    logger = logging.getLogger("botocore")
    monkeypatch.setattr(logger, "level", logging.NOTSET)
    logger.manager._clear_cache()  # type: ignore[attr-defined]  # as setLevel does
    return logger


def test_a_client_repeats_nothing_and_shows_nothing(
    botocore_log: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    client = service("sns", region="eu-west-1")

    assert client.meta.config.retries["total_max_attempts"] == 1
    assert botocore_log.level == logging.INFO


def test_who_wants_to_see_everything_may(
    botocore_log: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(botocore_log, "level", logging.DEBUG)

    service("sns", region="eu-west-1")

    assert botocore_log.level == logging.DEBUG
