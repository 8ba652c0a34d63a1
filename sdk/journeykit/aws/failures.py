"""What went wrong in AWS, and who is to do something about it.

Three answers, by the table below. Whatever the table does not know is told by its status:
from 500 on, and 429, it may be tried again.

    lost race      somebody else came first                        → LostRace
    try again      AWS is busy, or nobody knows whether it worked  → StoreBusy
    a mistake      ours or the operator's; again is no use         → StoreError, the way out

botocore has tried again by itself before any of these gets here: its `standard` mode, with
exponential back-off and full jitter, for throttling, 5xx and lost connections. What is
left then goes back to the queue, which brings it again later. So everything that is
asked of AWS may have happened although it failed, and is asked in such a way that it may
happen twice.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
)

from journeykit.errors import StoreBusy, StoreError

# --- The table -----------------------------------------------------------------------

# The condition of a write did not hold. `TransactionCanceledException` has its reasons
# inside: see `_canceled`.
_LOST = frozenset({"ConditionalCheckFailedException"})

_AGAIN = frozenset(
    {
        # DynamoDB: faster than the table, the partition or the account may go. On demand
        # as well: a table that doubles its traffic within half an hour, one hot key.
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ThrottlingException",
        "Throttling",
        # The same, as reasons inside a canceled transaction.
        "ProvisionedThroughputExceeded",
        "ThrottlingError",
        # DynamoDB: somebody's transaction, or another region's write, is at the item.
        "TransactionConflictException",
        "TransactionConflict",
        "TransactionInProgressException",
        "ReplicatedWriteConflictException",
        # DynamoDB, EventBridge, Firehose, SQS: their fault. It may have worked.
        "InternalServerError",
        "InternalException",
        "InternalFailure",
        "InternalError",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        # SQS: more requests than a queue takes. EventBridge and others alike.
        "RequestThrottled",
        "RequestThrottledException",
        "TooManyRequestsException",
        "ThrottledException",
        "BandwidthLimitExceeded",
        "SlowDown",
        # EventBridge: two publishes change the same rule.
        "ConcurrentModificationException",
        # Any: the body did not arrive in time, or an earlier try is still under way.
        "RequestTimeout",
        "RequestTimeoutException",
        "PriorRequestNotComplete",
        # KMS, by way of whoever encrypts with the key: too many requests, or its own
        # fault. `Kms…` is how SQS says it, `KMS.…` how it said it before it spoke JSON.
        "KmsThrottled",
        "KMS.ThrottlingException",
        "KMSInternalException",
        "KeyUnavailableException",
        "DependencyTimeoutException",
        # Lambda: what it needs to run a function is not there in time.
        "ServiceException",
        "EC2ThrottledException",
        "ResourceNotReadyException",
        # The clocks differ by more than 5 minutes, or a suspended sandbox woke up in the
        # middle of a request: signed anew, it is fine.
        "RequestExpired",
        "RequestTimeTooSkewed",
    }
)

_ACCESS = (
    "allow it in the policy of your user or role (in a function: of the function's "
    "role) and in that of the resource; infra/template.yaml has those of the functions"
)
_KEY = (
    "the role needs kms:Decrypt and kms:GenerateDataKey for the stack's key, and the "
    "key has to be enabled"
)
_MISSING = (
    "there is no such thing in this account and region; look at its name and, on your "
    "own machine, at AWS_PROFILE and AWS_REGION; a function has the names in its "
    "environment: deploy the stack"
)
_CREDENTIALS = (
    "sign in to the account, and say which by AWS_PROFILE and AWS_REGION; a function "
    "needs its role"
)
_OURS = "journeykit asked for something that AWS does not do; please report it"

# A mistake, and the way out.
_WAYS_OUT: Mapping[str, str] = {
    "AccessDenied": _ACCESS,
    "AccessDeniedException": _ACCESS,
    "NotAuthorizedForDetailTypeException": _ACCESS,
    "NotAuthorizedForSourceException": _ACCESS,
    "InvalidSecurity": "the queue takes requests over https only",
    "ResourceNotFoundException": _MISSING,
    "QueueDoesNotExist": _MISSING,
    "AWS.SimpleQueueService.NonExistentQueue": _MISSING,
    "InvalidAddress": _MISSING,
    # Credentials: none, wrong, or too old for this process to live with.
    "ExpiredToken": _CREDENTIALS,
    "ExpiredTokenException": _CREDENTIALS,
    "InvalidClientTokenId": _CREDENTIALS,
    "InvalidSignatureException": _CREDENTIALS,
    "MissingAuthenticationToken": _CREDENTIALS,
    "MissingAuthenticationTokenException": _CREDENTIALS,
    "OptInRequired": _CREDENTIALS,
    "UnrecognizedClientException": _CREDENTIALS,
    # The key of a table, a queue or a stream.
    "DisabledException": _KEY,
    "InvalidKMSResourceException": _KEY,
    "KMSAccessDeniedException": _KEY,
    "KMSDisabledException": _KEY,
    "KMSInvalidStateException": _KEY,
    "KMSNotFoundException": _KEY,
    "KMS.AccessDeniedException": _KEY,
    "KMS.DisabledException": _KEY,
    "KMS.InvalidKeyUsageException": _KEY,
    "KMS.InvalidStateException": _KEY,
    "KMS.NotFoundException": _KEY,
    "KMS.OptInRequired": _KEY,
    "KmsAccessDenied": _KEY,
    "KmsDisabled": _KEY,
    "KmsInvalidKeyUsage": _KEY,
    "KmsInvalidState": _KEY,
    "KmsNotFound": _KEY,
    "KmsOptInRequired": _KEY,
    # Quotas that time does not heal. botocore takes the first for throttling.
    "LimitExceededException": "raise the quota in Service Quotas, or use less of it",
    "OverLimit": "more messages are in flight than a queue keeps; let them be handled",
    "ItemCollectionSizeLimitExceededException": _OURS,
    "ItemCollectionSizeLimitExceeded": _OURS,
    # EventBridge: a rule of another AWS service.
    "ManagedRuleException": "the rule belongs to AWS; publish owns journeykit-listen-*",
    # What was asked is wrong in itself.
    "ValidationException": _OURS,
    "ValidationError": _OURS,
    "SerializationException": _OURS,
    "InvalidArgument": _OURS,
    "InvalidArgumentException": _OURS,
    "InvalidEventPatternException": _OURS,
    "InvalidSourceException": _OURS,
    "IdempotentParameterMismatchException": _OURS,
    "InvalidMessageContents": _OURS,
    "MalformedDetail": _OURS,
    "BatchRequestTooLong": _OURS,
    "BatchEntryIdsNotDistinct": _OURS,
    "EmptyBatchRequest": _OURS,
    "InvalidAttributeName": _OURS,
    "InvalidBatchEntryId": _OURS,
    "TooManyEntriesInBatchRequest": _OURS,
    "UnsupportedOperation": _OURS,
}

# Without an answer. botocore's names: EndpointConnectionError, ConnectTimeoutError and
# ProxyConnectionError are ConnectionErrors; ReadTimeoutError, ConnectionClosedError and
# ResponseStreamingError are HTTPClientErrors.
_NO_ANSWER = (ConnectionError, HTTPClientError, IncompleteReadError)

_LONGEST = 300  # characters of what AWS says


class LostRace(StoreBusy):
    """The condition of a write did not hold: somebody else came first.

    Who expects it catches it. It can always be tried again, after looking at what is there.

    Attributes:
        item: What is there, as DynamoDB writes it, if the request asked for it
            (`ReturnValuesOnConditionCheckFailure`); empty if there is nothing.
        repeated: Whether botocore had asked before and got no answer: then it may be we
            ourselves who came first.
    """

    def __init__(
        self, message: str, item: Mapping[str, Any], *, repeated: bool = False
    ) -> None:
        """Keep what is there."""
        super().__init__(message)
        self.item = item
        self.repeated = repeated


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Turn the errors of botocore into ours.

    Args:
        what: What is being done, for the message: `the customers table`. No names of
            people, no ids: the message is logged.

    Raises:
        LostRace: The condition did not hold.
        StoreBusy: It may work later.
        StoreError: It won't until somebody does something; the message says what.
    """
    try:
        yield
    except ClientError as error:
        raise _of_answer(error, what) from error
    except _NO_ANSWER as error:
        raise StoreBusy(
            f"{what}: no answer from AWS ({type(error).__name__}); it may have happened "
            "all the same, and can be tried again"
        ) from error
    except (NoCredentialsError, PartialCredentialsError, NoRegionError) as error:
        said = str(error).rstrip(".")
        raise StoreError(f"{what}: {said}; {_CREDENTIALS}") from error
    except ParamValidationError as error:
        # Without its text, which quotes what was asked.
        raise StoreError(f"{what}: a malformed request; {_OURS}") from error
    except BotoCoreError as error:
        raise StoreError(f"{what}: {error}") from error


def code_of(error: ClientError) -> str:
    """Return the code by which AWS calls an error: `ThrottlingException`.

    SQS has two for the same since it speaks JSON; this is the newer one.
    """
    details: Mapping[str, Any] = error.response.get("Error", {})
    return str(details.get("QueryErrorCode") or details.get("Code", ""))


def may_work_later(code: str) -> bool:
    """Whether what failed may work later: for the entries of a batch that failed alone."""
    return code in _AGAIN


def pauses(
    attempts: int,
    *,
    base_s: float = 0.05,
    most_s: float = 2.0,
    draw: Callable[[], float] = random.random,
) -> Iterator[float]:
    """How long to wait before each further attempt, seconds; the caller waits.

    Full jitter: anything from 0 to a limit that doubles each time, so that those who
    failed together do not come back together.

    Args:
        attempts: How many further attempts there are.
        base_s: The first limit.
        most_s: No limit is above it.
        draw: Returns a number from 0 to 1.
    """
    for attempt in range(attempts):
        yield draw() * min(most_s, base_s * 2**attempt)


def _of_answer(error: ClientError, what: str) -> StoreError:
    answer: Mapping[str, Any] = error.response
    code = code_of(error)
    if code == "TransactionCanceledException":
        code = _canceled(answer.get("CancellationReasons", ()))
    said = str(answer.get("Error", {}).get("Message", ""))[:_LONGEST].rstrip(".")
    if code in _LOST:
        return LostRace(
            f"{what}: somebody else came first; try again",
            answer.get("Item", {}),
            repeated=answer.get("ResponseMetadata", {}).get("RetryAttempts", 0) > 0,
        )
    if code in _AGAIN:
        return StoreBusy(f"{what}: AWS is busy ({code}: {said}); try again later")
    if code in _WAYS_OUT:
        # DynamoDB says of a key that it can't use only that access is denied.
        way_out = _KEY if "KMS" in said else _WAYS_OUT[code]
        return StoreError(f"{what}: {code}: {said}; {way_out}")
    status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if status >= 500 or status == 429:
        return StoreBusy(f"{what}: AWS is busy ({code or status}); try again later")
    return StoreError(f"{what}: {code or status}: {said}")


def _canceled(reasons: Iterable[Mapping[str, Any]]) -> str:
    """The code of a canceled transaction: of those of its writes, what decides.

    A mistake stays one however often it is tried; a lost race needs a look at what is
    there; the rest may simply be tried again.
    """
    codes = [
        "ConditionalCheckFailedException"
        if reason.get("Code") == "ConditionalCheckFailed"
        else str(reason.get("Code", ""))
        for reason in reasons
    ]
    codes = [code for code in codes if code not in {"", "None"}]
    for wanted in (frozenset(_WAYS_OUT), _LOST, _AGAIN):
        for code in codes:
            if code in wanted:
                return code
    return codes[0] if codes else "TransactionConflict"
