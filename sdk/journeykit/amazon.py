"""Calls of services in AWS, for channels and actions: one call, and what came of it.

    client = service("sesv2", region="eu-west-1")
    answer = asked(lambda: client.send_email(...))

boto3 would repeat a call that may have arrived; here nothing is repeated, and the answer
says whether the call can have arrived, as `journeykit.transport` has it.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from journeykit.channels import Receipt, Rejected, RetryAfter, Uncertain
from journeykit.transport import NoAnswer, Unreachable


@dataclass(frozen=True, slots=True)
class Refusal:
    """The service said no.

    Attributes:
        code: The error's name, such as `MessageRejected`.
        status: Of HTTP, such as 400.
        reason: What else it names, such as `MONTHLY_SPEND_LIMIT_REACHED_FOR_TEXT`; never
            its prose, which may quote what it was sent.
        retry_after: Seconds after which it wants to be asked again; 0: it doesn't say.
        prose: What it says to people; not for logs and receipts.
    """

    code: str
    status: int
    reason: str = ""
    retry_after: float = 0.0
    prose: str = field(default="", repr=False)

    def said(self, words: str) -> bool:
        """Whether its prose has these words: some services have no code for it."""
        return words in self.prose

    def __str__(self) -> str:
        """Name it for a receipt or a log."""
        return f"{self.code}: {self.reason}" if self.reason else self.code


Answer: TypeAlias = Mapping[str, Any] | Refusal | Unreachable | NoAnswer
"""What came of a call: what the service answered, or why it didn't."""

# https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html
THROTTLED = frozenset(
    {
        "BandwidthLimitExceeded",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "Throttling",
        "ThrottledException",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
"""Asked too much, or too fast."""

# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-apis-errors.html
OPERATOR = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "NotAuthorized",
        "OptInRequired",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
"""About keys and permissions: no message's fault, and right again once they are."""


def service(
    name: str,
    *,
    region: str | None = None,
    endpoint: str | None = None,
    timeout: float = 15.0,
    connect_timeout: float = 5.0,
    connections: int = 16,
) -> Any:
    """Return a client that asks once, and may be used from any thread.

    It keeps contents and addresses out of botocore's log.

    Args:
        name: As boto3 calls the service, such as `sesv2`.
        region: Such as `eu-west-1`; None: as the environment says.
        endpoint: A URL to ask instead of AWS's, as for tests.
        timeout: The most seconds for an answer.
        connect_timeout: The most seconds for reaching the service.
        connections: How many are kept open.

    Raises:
        ImportError: boto3 is not installed.
    """
    import boto3
    from botocore.config import Config

    _keep_quiet()
    config = Config(
        retries={"total_max_attempts": 1, "mode": "standard"},
        read_timeout=timeout,
        connect_timeout=connect_timeout,
        max_pool_connections=connections,
    )
    # A session of its own: the default one is not to be shared by threads while it is made.
    session: Any = boto3.session.Session()
    return session.client(
        name, region_name=region, endpoint_url=endpoint, config=config
    )


def _keep_quiet() -> None:
    """Keep what is sent, and whom to, out of logs: at DEBUG botocore shows it all.

    Who wants to see it nevertheless gives that logger a level.
    """
    logger = logging.getLogger("botocore")
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.INFO)


def asked(call: Callable[[], Mapping[str, Any]]) -> Answer:
    """Call a service, and return what came of it.

    Raises:
        botocore.exceptions.ParamValidationError: The request can't be one.
    """
    from botocore import exceptions
    from botocore.parsers import ResponseParserError

    try:
        return call()
    except exceptions.ClientError as error:
        return _refusal(error.response)
    except exceptions.ParamValidationError:
        raise
    except (
        exceptions.EndpointConnectionError,
        exceptions.ConnectTimeoutError,
        exceptions.ProxyConnectionError,
    ) as error:
        return Unreachable(type(error).__name__)
    except exceptions.SSLError as error:
        if _not_trusted(error):
            return Unreachable("certificate not trusted")
        return NoAnswer(type(error).__name__)
    except (exceptions.HTTPClientError, ResponseParserError) as error:
        return NoAnswer(type(error).__name__)
    except exceptions.BotoCoreError as error:
        # Of what is left all happens before anything is sent: keys, region, metadata.
        return Unreachable(type(error).__name__)


def receipt_of(delivery_id: str, answer: Refusal | Unreachable | NoAnswer) -> Receipt:
    """Return the receipt for a message that a service has not said yes to.

    A service whose errors mean something else looks at them first. What is the operator's
    to put right is a RetryAfter: one permission too few must not cost customers messages.
    """
    match answer:
        case Unreachable():
            return RetryAfter(delivery_id, 0)
        case NoAnswer(reason):
            return Uncertain(delivery_id, reason)
        case Refusal(code=code, status=status):
            passing = status in (429, 503) or code in THROTTLED or code in OPERATOR
            if passing:
                return RetryAfter(delivery_id, answer.retry_after)
            if status >= 500:
                # It may have done what it was asked before it broke.
                return Uncertain(delivery_id, str(answer))
            return Rejected(delivery_id, str(answer))


def _refusal(response: Mapping[str, Any]) -> Refusal:
    error = response.get("Error", {})
    metadata = response.get("ResponseMetadata", {})
    reason = response.get("Reason") or error.get("Reason") or ""
    said = str(metadata.get("HTTPHeaders", {}).get("retry-after", ""))
    return Refusal(
        code=str(error.get("Code", "") or "Unknown")[:100],
        status=int(metadata.get("HTTPStatusCode", 0) or 0),
        reason=reason[:100] if isinstance(reason, str) else "",
        retry_after=min(float(said), 86_400.0) if _is_count(said) else 0.0,
        prose=str(error.get("Message", ""))[:1000],
    )


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 9


def _not_trusted(error: BaseException) -> bool:
    """Whether a certificate was the trouble, so that nothing went out."""
    seen: BaseException | None = error
    for _ in range(8):
        if seen is None:
            return False
        if isinstance(seen, ssl.SSLCertVerificationError):
            return True
        # urllib3 keeps the cause among the arguments of its own error.
        told = [getattr(seen, "kwargs", {}).get("error"), *seen.args]
        inner = next((one for one in told if isinstance(one, BaseException)), None)
        seen = inner or seen.__cause__ or seen.__context__
    return False
