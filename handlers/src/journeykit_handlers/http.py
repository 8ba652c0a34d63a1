"""HTTP API → bus, events queue and feedback queue; an answer says what is durable."""

from __future__ import annotations

from functools import cache
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from aws_lambda_powertools.logging import correlation_paths

from journeykit_handlers.bootstrap import app, logger, metrics, refresh_secrets, tracer
from journeykit_handlers.routes import resolver


@cache
def routes() -> APIGatewayHttpResolver:
    return resolver(app().door, refresh=refresh_secrets)


@logger.inject_lambda_context(
    correlation_id_path=correlation_paths.API_GATEWAY_HTTP, clear_state=True
)
@tracer.capture_lambda_handler
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return routes().resolve(event, context)
