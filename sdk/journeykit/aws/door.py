"""The HTTP door in AWS: what API Gateway brings, decided as `journeykit serve` does it.

    POST /v1/events, /v1/batch, /v1/identify  → bus, and from there archive and rules
    POST /v1/enroll                           → events queue
    POST /v1/feedback/<channel>               → feedback queue, verified by the channel
    GET  /v1/health, /v1/openapi.json

Who writes has an API key that is for it, or is known to API Gateway by IAM. Everything is
bounded here once more: API Gateway lets in 10 MB, and a head of 10 KB.
"""

from __future__ import annotations

import base64
import binascii
import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from journeykit.aws.bus import MAX_ENTRY, Bus, entry_size
from journeykit.aws.callbacks import callback_parcel, kept
from journeykit.aws.keys import KnownKeys
from journeykit.aws.messages import stimulus_parcel
from journeykit.aws.queues import MAX_BYTES, Queue, Unsendable
from journeykit.channels import Callback
from journeykit.engine.stimuli import Stimulus
from journeykit.errors import InputError, StoreError
from journeykit.http.body import MAX_BODY
from journeykit.http.door import TAKEN, Door, Route, not_stored
from journeykit.http.keys import Writer, given_key
from journeykit.http.messages import (
    Answer,
    Refused,
    Request,
    headers_of,
    id_of,
    line_of,
)
from journeykit.http.operations import operations
from journeykit.model.events import Event

LOG = logging.getLogger("journeykit.http")

FEEDBACK = "/v1/feedback/"
"""What the paths of callbacks begin with; the channel's name follows."""

MAX_CALLBACK = 256 * 1024
"""Bytes of a provider's callback."""

MAX_HEAD = 16 * 1024
"""Bytes of all headers, in case that somebody else than API Gateway brings them."""

MAX_HEADERS = 64

# Bytes of a line that fits on the bus for sure: written by us, `1e15` has 18 bytes.
_ROOMY = MAX_ENTRY // 8


class CloudDesk:
    """Takes what the door lets in: events to the bus, calls and callbacks to queues."""

    def __init__(self, bus: Bus, events: Queue, feedback: Queue) -> None:
        """Take where things go."""
        self._bus = bus
        self._events = events
        self._feedback = feedback

    def accept(self, stimuli: Sequence[Stimulus], *, timeout: float) -> None:
        """Return when all of them are on the bus or in the queue.

        Raises:
            StoreError: Not all of them are; the same again may work.
            InputError: One of them never can be; all others are.
        """
        events = [one for one in stimuli if isinstance(one, Event)]
        calls = [stimulus_parcel(one) for one in stimuli if not isinstance(one, Event)]
        try:
            if events:
                self._bus.put(events)
            if calls:
                self._events.send(calls)
        except Unsendable as error:
            raise InputError(str(error)) from error

    def pass_on(self, channel: str, callback: Callback) -> None:
        """Return when a callback is in the queue.

        Raises:
            StoreError: It isn't; the same again may work.
        """
        self._feedback.send([callback_parcel(channel, callback)])

    def health(self) -> Mapping[str, object]:
        """It answers, so it works. What it needs is watched by alarms."""
        return {"status": "ok"}


class CloudDoor(Door):
    """Answers what API Gateway brings.

    Attributes:
        operations: What there is, by path.
        describe: Says the same in OpenAPI; whoever makes the routes sets it.
    """

    def __init__(
        self,
        desk: CloudDesk,
        *,
        keys: KnownKeys,
        channels: Collection[str] = (),
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Open nothing yet.

        Args:
            desk: Takes what comes in.
            keys: Who may come in, beside those whom IAM lets in.
            channels: Whose callbacks are taken.
            clock: Tells the instant that is stamped on what comes in.
        """
        super().__init__(desk, clock=clock)
        self._keys = keys
        self._channels = frozenset(channels)
        self._pass_on = desk.pass_on
        self.operations = operations()
        self.describe: Callable[[], str] = lambda: "{}"
        self.routes[f"{FEEDBACK}<channel>"] = Route(
            "POST", self._called_back, open=True, raw=True
        )
        self.routes["/v1/health"] = Route("GET", self._health, open=True)
        self.routes["/v1/openapi.json"] = Route("GET", self._described)

    def respond(self, event: Mapping[str, Any], *, path: str) -> Answer:
        """Answer an event of an HTTP API, payload 2.0, with all headers, and log a line.

        Args:
            event: As API Gateway hands it to a function.
            path: What is called, without the stage.
        """
        begun = time.monotonic()
        request = request_of(event, path=path)
        answer = self.answer(request)
        answer = replace(
            answer,
            headers=headers_of(answer, id=request.id),
            body=b"" if request.method == "HEAD" else answer.body,
        )
        seconds = time.monotonic() - begun
        if self.route(path) is None:  # it may name anybody
            request = replace(request, path="-")
        LOG.info("%s", line_of(request, answer, id=request.id, seconds=seconds))
        return answer

    def route(self, path: str) -> Route | None:
        """Return what is done at a path; at each channel's the same."""
        if path.startswith(FEEDBACK):
            name = path.removeprefix(FEEDBACK)
            path = f"{FEEDBACK}<channel>" if name in self._channels else ""
        return super().route(path)

    def writer(self, request: Request) -> Writer | None:
        """Return whom IAM has let in, or who has the key."""
        if len(request.headers) > MAX_HEADERS:
            raise Refused(431, f"a request may have {MAX_HEADERS} headers")
        if _size(request.headers) > MAX_HEAD:
            raise Refused(431, f"the head may have {MAX_HEAD} bytes")
        if request.caller:
            return Writer("iam")
        try:
            return self._keys.writer_of(given_key(request.headers))
        except StoreError as error:
            raise not_stored(error) from error

    def _event(self, line: bytes, received_at: datetime) -> Event:
        event = super()._event(line, received_at)
        if len(line) > _ROOMY and entry_size(event) > MAX_ENTRY:
            raise InputError(f"an event may have {MAX_ENTRY} bytes on the bus")
        return event

    def _taken(self, stimulus: Stimulus) -> Answer:
        if isinstance(stimulus, Event):
            if entry_size(stimulus) > MAX_ENTRY:
                raise Refused(413, f"may have {MAX_ENTRY} bytes on the bus")
        elif stimulus_parcel(stimulus).size > MAX_BYTES:
            raise Refused(413, f"may have {MAX_BYTES} bytes in the queue")
        return super()._taken(stimulus)

    def _called_back(self, request: Request) -> Answer:
        if request.size > MAX_CALLBACK:
            raise Refused(413, f"a callback may have {MAX_CALLBACK} bytes")
        callback = Callback(
            body=request.body,
            headers=kept(request.headers),
            received_at=self._clock(),
            method=request.method,
            url=request.url,
        )
        try:
            self._pass_on(request.path.removeprefix(FEEDBACK), callback)
        except StoreError as error:
            raise not_stored(error) from error
        return TAKEN

    def _described(self, request: Request) -> Answer:
        return Answer(status=200, body=self.describe().encode())


def request_of(event: Mapping[str, Any], *, path: str) -> Request:
    """Read what API Gateway says of a request.

    A body that is too large isn't decoded: its size is announced, and it is refused.
    """
    context = event.get("requestContext") or {}
    given = event.get("headers") or {}
    headers = {name.lower(): text for name, text in given.items()}
    body, announced = _body_of(event)
    query = event.get("rawQueryString") or ""
    url = f"https://{context.get('domainName', '')}{event.get('rawPath', '')}"
    return Request(
        method=str((context.get("http") or {}).get("method", "")),
        path=path,
        headers=headers,
        body=body,
        announced=announced,
        id=id_of(headers, drawn=str(context.get("requestId", ""))),
        caller=_caller(context),
        url=f"{url}?{query}" if query else url,
    )


def _body_of(event: Mapping[str, Any]) -> tuple[bytes, int | None]:
    text = event.get("body") or ""
    if len(text) > 2 * MAX_BODY:
        return b"", len(text) // 4 * 3 if event.get("isBase64Encoded") else len(text)
    if not event.get("isBase64Encoded"):
        return text.encode("utf-8", "surrogatepass"), None
    try:
        return base64.b64decode(text, validate=True), None
    except binascii.Error:
        return b"", None


def _caller(context: Mapping[str, Any]) -> str:
    """Who signed the request, where API Gateway was told to check signatures."""
    iam = (context.get("authorizer") or {}).get("iam") or {}
    return str(iam.get("userArn") or "")


def _size(headers: Mapping[str, str]) -> int:
    return sum(len(name) + len(text) + 4 for name, text in headers.items())
