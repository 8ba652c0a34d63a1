"""The routes of the HTTP door, for Powertools' event handler, which makes OpenAPI of them.

The door reads, checks and bounds the bodies itself, by the types that the schemas here are
made of: Powertools' own validation knows neither lines of JSON nor gzip, answers in other
words than `journeykit serve`, and costs each cold start twice the time.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response

_TEXT = ("text/", "application/json")


class Door(Protocol):
    """What answers, and says what it answers."""

    routes: dict[str, Any]
    operations: Mapping[str, Any]
    describe: Callable[[], str]
    refresh: Callable[[], None]

    def respond(self, event: Mapping[str, Any], *, path: str) -> Any:
        """Answer an event of an HTTP API."""
        ...


def resolver(
    door: Door, *, refresh: Callable[[], None] = lambda: None
) -> APIGatewayHttpResolver:
    """Return what leads a request of API Gateway's to the door.

    Args:
        door: What answers.
        refresh: Reads secrets that are too old by now.
    """
    app = APIGatewayHttpResolver()

    def answered(**_: str) -> Response[bytes | str]:
        event = app.current_event
        answer = door.respond(event.raw_event, path=event.path)
        is_text = answer.headers.get("Content-Type", "").startswith(_TEXT)
        return Response(
            status_code=answer.status,
            headers=dict(answer.headers),
            # Bytes go to API Gateway in base64.
            body=answer.body.decode() if is_text or not answer.body else answer.body,
        )

    for path in door.routes:
        for operation in door.operations[path]:
            app.route(
                path,
                method=operation.method,
                summary=operation.summary,
                operation_id=operation.name,
                responses=operation.responses,
                openapi_extensions=operation.extensions,
            )(_named(path, answered))
    app.not_found(lambda _: answered())
    door.describe = lambda: described(app)
    door.refresh = refresh
    return app


def _named(path: str, answered: Callable[..., Any]) -> Callable[..., Any]:
    """Return what takes the named parts of a path, by which OpenAPI describes them."""

    def answer(**named: str) -> Any:
        return answered()

    kind = inspect.Parameter.KEYWORD_ONLY
    answer.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter(name, kind, annotation=str)
            for name in re.findall("<([a-z]+)>", path)
        ]
    )
    return answer


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
