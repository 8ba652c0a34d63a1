"""What an operator asks for: publish, pause, resume, stop, status, repair → an answer."""

from __future__ import annotations

from typing import Any

from journeykit_handlers.bootstrap import app, logger, metrics, tracer


@logger.inject_lambda_context(clear_state=True)
@tracer.capture_lambda_handler
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    left = context.get_remaining_time_in_millis
    return app().publish(event, time_left=left)
