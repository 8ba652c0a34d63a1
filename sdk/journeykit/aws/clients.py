"""The clients of AWS's services: low-level ones of botocore, made once and kept.

botocore and not boto3, which is a layer above it: the same clients, for 30 ms of CPU less
at each cold start. Of what boto3 adds, its resources, nothing is used here.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Literal, overload

import botocore.session
from botocore.config import Config

from journeykit.runtime.release import release

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_firehose import FirehoseClient
    from mypy_boto3_sqs import SQSClient

_CONNECT_S = 2.0  # within a region a connection takes milliseconds, or there is none
_READ_S = 6.0  # the slowest answer that still helps: a batch of 16 MB from DynamoDB
_ATTEMPTS = 3
"""The first and two more, which is botocore's own choice for its standard mode; its pauses
are drawn from up to 1 and 2 s. More would hold a function, and what it is billed for,
where the queue or the stream brings the record again anyway. All of it takes 27 s at
worst, so a function needs a timeout of more than that."""
_CONNECTIONS = 10  # of one client; a function works on one batch, from few threads


@overload
def client(service: Literal["dynamodb"]) -> DynamoDBClient: ...
@overload
def client(service: Literal["sqs"]) -> SQSClient: ...
@overload
def client(service: Literal["events"]) -> EventBridgeClient: ...
@overload
def client(service: Literal["firehose"]) -> FirehoseClient: ...
@overload
def client(service: str) -> Any: ...
def client(service: str) -> Any:
    """Return a new client of a service, which costs 30 to 80 ms: keep it.

    Region and credentials are those of the environment, as in every function.

    Args:
        service: As botocore calls it: `dynamodb`, `sqs`, `events`, `firehose`.
    """
    return session().create_client(service, config=_config())


@cache
def session() -> botocore.session.Session:
    """The one session of the process; its clients share the models and credentials."""
    return botocore.session.get_session()


@cache
def _config() -> Config:
    return Config(
        connect_timeout=_CONNECT_S,
        read_timeout=_READ_S,
        retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
        max_pool_connections=_CONNECTIONS,
        # A frozen function thaws with its connections: a dead one is noticed.
        tcp_keepalive=True,
        user_agent_extra=f"journeykit/{release()}",
    )
