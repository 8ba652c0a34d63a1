"""The wire between a client and moto, on which requests and answers get lost."""

from __future__ import annotations

import json
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Any

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import ConnectionClosedError
from moto.core.models import botocore_stubber

Act = Callable[[str, AWSPreparedRequest], AWSResponse | None]


class Wire:
    """Carries the requests of one client, and does with the next ones what it is told.

    Attributes:
        sent: The operations that were asked for so far, each try of botocore's its own.
    """

    def __init__(self, client: Any) -> None:
        self.sent: list[str] = []
        self._next: defaultdict[str, deque[Act]] = defaultdict(deque)
        client.meta.events.unregister("before-send", botocore_stubber)
        client.meta.events.register("before-send", self._carry)

    def lose(self, operation: str, times: int = 1) -> None:
        """Let the operation happen, and lose the answer."""

        def act(event_name: str, request: AWSPreparedRequest) -> None:
            botocore_stubber(event_name, request)
            raise ConnectionClosedError(endpoint_url=request.url)

        self._next[operation].extend([act] * times)

    def refuse(
        self, operation: str, code: str, *, times: int = 1, **more: object
    ) -> None:
        """Answer with an error; nothing happens."""
        body = {"__type": f"com.amazonaws.dynamodb#{code}", "message": "no", **more}
        self.answer(operation, body, status=400, times=times)

    def answer(
        self,
        operation: str,
        body: Mapping[str, object],
        *,
        status: int = 200,
        times: int = 1,
    ) -> None:
        """Answer so; nothing happens."""

        def act(event_name: str, request: AWSPreparedRequest) -> AWSResponse:
            return AWSResponse(request.url, status, {}, _Raw(json.dumps(body).encode()))

        self._next[operation].extend([act] * times)

    def before(self, operation: str, happens: Callable[[], object]) -> None:
        """Let something else happen before the operation does."""

        def act(event_name: str, request: AWSPreparedRequest) -> AWSResponse | None:
            happens()
            return botocore_stubber(event_name, request)

        self._next[operation].append(act)

    def let(self, operation: str, times: int = 1) -> None:
        """Let the operation happen, so that what is told next concerns the one after."""
        self._next[operation].extend([botocore_stubber] * times)

    def _carry(
        self, event_name: str, request: AWSPreparedRequest, **kwargs: object
    ) -> AWSResponse | None:
        operation = event_name.rpartition(".")[2]
        self.sent.append(operation)
        told = self._next[operation]
        act = told.popleft() if told else botocore_stubber
        return act(event_name, request)


class _Raw(BytesIO):
    """A body, as urllib3 hands it over."""

    def stream(self, **kwargs: object) -> Any:
        yield self.read()
