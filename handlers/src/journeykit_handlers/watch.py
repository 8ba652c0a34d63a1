"""EventBridge Scheduler, each day → alarms about what is unusual, and journeys paused."""

from __future__ import annotations

from typing import Any

from journeykit_handlers.bootstrap import (
    logger,
    metrics,
    refresh_secrets,
    tracer,
    watch,
)


@logger.inject_lambda_context(clear_state=True)
@tracer.capture_lambda_handler
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    refresh_secrets()
    return watch(event, time_left=context.get_remaining_time_in_millis)
