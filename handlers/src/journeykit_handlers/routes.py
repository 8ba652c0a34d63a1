"""The routes of the HTTP door, for Powertools' event handler, which makes OpenAPI of them.

The door reads, checks and bounds the bodies itself, by the types that the schemas here are
made of: Powertools' own validation knows neither lines of JSON nor gzip, answers in other
words than `journeykit serve`, and costs each cold start twice the time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response


class Door(Protocol):
    """What answers, and says what it answers."""

    routes: dict[str, Any]
    operations: Mapping[str, Any]
    describe: Callable[[], str]

    def respond(self, event: Mapping[str, Any], *, path: str) -> Any:
        """Answer an event of an HTTP API."""
        ...


def resolver(door: Door) -> APIGatewayHttpResolver:
    """Return what leads a request of API Gateway's to the door."""
    app = APIGatewayHttpResolver()

    def answered(**_: str) -> Response[str]:
        event = app.current_event
        answer = door.respond(event.raw_event, path=event.path)
        return Response(
            status_code=answer.status,
            headers=dict(answer.headers),
            body=answer.body.decode(),
        )

    def of_channel(channel: str) -> Response[str]:
        return answered()

    for path, operation in door.operations.items():
        app.route(
            path,
            method=door.routes[path].method,
            summary=operation.summary,
            operation_id=operation.name,
            responses=operation.responses,
            openapi_extensions=operation.request_body,
        )(of_channel if "<channel>" in path else lambda: answered())
    app.not_found(lambda _: answered())
    door.describe = lambda: described(app)
    return app


def described(app: APIGatewayHttpResolver) -> str:
    """Return the OpenAPI document; pydantic is loaded for it."""
    key: Any = {"type": "http", "scheme": "bearer"}
    return app.get_openapi_json_schema(
        title="journeykit",
        version="1",
        summary="Events in; journeys decide what happens.",
        security_schemes={"key": key},
        security=[{"key": []}],
    )
