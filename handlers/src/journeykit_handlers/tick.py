"""EventBridge Scheduler, each minute → wake-ups of those whose wait is over."""

from __future__ import annotations

from typing import Any

from journeykit_handlers.bootstrap import app, logger, metrics, tracer


@logger.inject_lambda_context(clear_state=True)
@tracer.capture_lambda_handler
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    return {"sent": app().tick()}
