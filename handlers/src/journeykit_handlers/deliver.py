"""SQS, a queue a channel and one for calls → providers and actions.

The records of a batch are handed over together; what was not settled comes again.
"""

from __future__ import annotations

from typing import Any

from journeykit_handlers.bootstrap import app, logger, metrics, refresh_secrets, tracer


@logger.inject_lambda_context(clear_state=True)
@tracer.capture_lambda_handler
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    refresh_secrets()
    left = context.get_remaining_time_in_millis
    failed = app().deliver(event["Records"], time_left=left)
    return {"batchItemFailures": [{"itemIdentifier": id} for id in failed]}
