"""The customers' stream → commands to their queues, timers, the decision log.

The records of a batch go on together; from the first that failed on they come again.
"""

from __future__ import annotations

from typing import Any

from journeykit_handlers.bootstrap import app, logger, metrics, tracer


@logger.inject_lambda_context(clear_state=True)
@tracer.capture_lambda_handler
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    failed = app().relay(event["Records"])
    return {"batchItemFailures": [{"itemIdentifier": number} for number in failed]}
