"""The HTTP door in AWS: what API Gateway brings, decided as `journeykit serve` does it.

    POST /v1/events, and Segment's routes     → bus, and from there archive and rules
    POST /v1/sources/<source>                 → verified by the source, then the bus
    POST /v1/enroll                           → events queue
    POST /v1/feedback/<channel>               → feedback queue, verified by the channel
    GET  /v1/feedback/<channel>               → the channel's own answer
    GET  /v1/inbox/<customer>                 → state table; POST → the bus as well
    POST /v1/decide, /v1/inbox/<customer>/<place>/ask → decided here, at once
    /u/…, /p/…, /c/…, /s/…, /l/…, /o/…        → pages; what comes of them → bus
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
from functools import partial
from typing import TYPE_CHECKING, Any

from journeykit.aws.bus import MAX_ENTRY, Bus, entry_size
from journeykit.aws.callbacks import callback_parcel
from journeykit.aws.keys import KnownKeys
from journeykit.aws.messages import stimulus_parcel
from journeykit.aws.queues import MAX_BYTES, Queue, Unsendable
from journeykit.channels import Callback
from journeykit.engine.stimuli import Stimulus
from journeykit.errors import InputError, StoreError
from journeykit.http.body import MAX_BODY
from journeykit.http.door import Door, Route, not_stored
from journeykit.http.feedback import (
    FEEDBACK,
    MAX_CALLBACK,
    ROUTE,
    callback_in,
    greeted,
    strange,
    thanked,
)
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
from journeykit.links import LinkSettings
from journeykit.model.events import MESSAGE, Event
from journeykit.runtime.failures import places

if TYPE_CHECKING:
    from journeykit.http.inbox import Board
    from journeykit.http.placements import Decide
    from journeykit.http.preferences import Permissions
    from journeykit.ports import Delivery
    from journeykit.sources import Source

LOG = logging.getLogger("journeykit.http")

MAX_HEAD = 16 * 1024
"""Bytes of all headers, in case that somebody else than API Gateway brings them."""

MAX_HEADERS = 64

# Bytes of a line that fits on the bus for sure: written by us, `1e15` has 18 bytes.
_ROOMY = MAX_ENTRY // 8

# A provider that asks whether the address is ours may do so by POST; it wants something
# back then, which all of them call a challenge. So no other callback loads a channel here.
_QUESTION = b"challenge"
_LONGEST_QUESTION = 4 * 1024


class CloudDesk:
    """Takes what the door lets in: events to the bus, calls and callbacks to queues."""

    def __init__(
        self,
        bus: Bus,
        events: Queue,
        feedback: Queue,
        *,
        permissions: Callable[[str], Permissions] | None = None,
        find: Callable[[Sequence[str]], Mapping[str, Delivery]] | None = None,
    ) -> None:
        """Take where things go, who knows what a customer has said, and who messages."""
        self._bus = bus
        self._events = events
        self._feedback = feedback
        self._permissions = permissions
        self._find = find

    def permissions(self, customer: str) -> Permissions:
        """Return what a customer has said about messages, and may say.

        Raises:
            StoreError: It can't be read now.
        """
        if self._permissions is None:
            raise StoreError("nobody here knows what customers have said")
        try:
            return self._permissions(customer)
        except InputError as error:  # a resource isn't named in the environment
            raise StoreError(str(error)) from error

    def accept(self, stimuli: Sequence[Stimulus], *, timeout: float) -> None:
        """Return when all of them are on the bus or in the queue.

        Raises:
            StoreError: Not all of them are; the same again may work.
            InputError: One of them never can be; all others are.
        """
        events = [one for one in stimuli if isinstance(one, Event)]
        if any(event.name.startswith(MESSAGE) for event in events):
            events = self._of_runs(events)
        calls = [stimulus_parcel(one) for one in stimuli if not isinstance(one, Event)]
        try:
            if events:
                self._bus.put(events)
            if calls:
                self._events.send(calls)
        except Unsendable as error:
            raise InputError(str(error)) from error

    def _of_runs(self, events: list[Event]) -> list[Event]:
        """The same with the runs of the messages that they are about.

        Whoever wants to leave may leave, also while no message can be looked up.
        """
        from journeykit.runtime.reports import of_runs

        def found(ids: Sequence[str]) -> Mapping[str, Delivery]:
            try:
                return self._find(ids) if self._find else {}
            except (StoreError, InputError) as error:
                LOG.error("messages can't be looked up: %s", error)
                return {}

        return [one for one in of_runs(events, found) if isinstance(one, Event)]

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
        refresh: Reads secrets that are too old by now; asked before one is needed.
    """

    def __init__(
        self,
        desk: CloudDesk,
        *,
        keys: KnownKeys,
        channels: Collection[str] = (),
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        greet: Callable[[str, Callback], str | None] = lambda *_: None,
        links: LinkSettings | None = None,
        workspace: str = "",
        inbox: Board | None = None,
        decide: Decide | None = None,
        sources: Collection[str] = (),
        source: Callable[[str], Source] | None = None,
    ) -> None:
        """Open nothing yet.

        Args:
            desk: Takes what comes in.
            keys: Who may come in, beside those whom IAM lets in.
            channels: Whose callbacks are taken.
            clock: Tells the instant that is stamped on what comes in.
            greet: What a channel, by its name, answers a provider that asks whether the
                address is ours.
            links: `[links]` of the workspace; without a URL there are no pages.
            workspace: Its name, which is signed with each link.
            inbox: Where in-app messages are; None: there are none.
            decide: Says what a place is to show that asks; None: nobody may ask.
            sources: The sources that have a door, by name.
            source: Returns one of them, set up.
        """
        super().__init__(
            desk,
            clock=clock,
            links=links,
            workspace=workspace,
            inbox=inbox,
            decide=decide,
            sources=sources,
            source=source,
        )
        self._keys = keys
        self._channels = frozenset(channels)
        self._pass_on = desk.pass_on
        self.operations = operations()
        self.describe: Callable[[], str] = lambda: "{}"
        self.refresh: Callable[[], None] = lambda: None
        self._greet = greet
        self.routes[ROUTE] = Route(
            "GET POST",
            self._called_back,
            open=True,
            raw=True,
            public=True,
            most=MAX_CALLBACK,
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
        request = replace(request, path=self.shown(path))  # it may name anybody
        LOG.info("%s", line_of(request, answer, id=request.id, seconds=seconds))
        return answer

    def answer(self, request: Request) -> Answer:
        """Answer a request, with the secrets that it needs, if it needs one."""
        route = self.route(request.path)
        asks = request.path == "/v1/decide"  # its content may have links
        public = route is not None and route.public
        if asks or (public and not request.path.startswith(FEEDBACK)):
            try:
                self.refresh()
            except Exception as error:  # noqa: BLE001 - who reads a link says it is missing
                LOG.error("secrets can't be read: %s", places(error))
        return super().answer(request)

    def pattern(self, path: str) -> str:
        """Return the path of a route that a path is one of; a channel must be carried."""
        found = super().pattern(path)
        named = path.removeprefix(FEEDBACK)
        return "" if found == ROUTE and named not in self._channels else found

    def writer(self, request: Request) -> Writer | None:
        """Return whom IAM has let in, or who has the key."""
        if request.caller:
            return Writer("iam")
        try:
            return self._keys.writer_of(given_key(request.headers))
        except StoreError as error:
            raise not_stored(error) from error

    def _admitted(self, request: Request) -> tuple[Route, Writer | None]:
        if len(request.headers) > MAX_HEADERS:
            raise Refused(431, f"a request may have {MAX_HEADERS} headers")
        if _size(request.headers) > MAX_HEAD:
            raise Refused(431, f"the head may have {MAX_HEAD} bytes")
        return super()._admitted(request)

    def _taken_in(self, event: Event, size: int) -> Event:
        event = super()._taken_in(event, size)
        if size > _ROOMY and entry_size(event) > MAX_ENTRY:
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
        name = request.path.removeprefix(FEEDBACK)
        callback = callback_in(request, received_at=self._clock())
        if request.method != "POST" or _may_ask(request.body):
            self.refresh()
            if answer := greeted(partial(self._greet, name), callback):
                return answer
        if request.method != "POST":
            raise strange()
        try:
            self._pass_on(name, callback)
        except StoreError as error:
            raise not_stored(error) from error
        return thanked(request, count=1)

    def _described(self, request: Request) -> Answer:
        return Answer(status=200, body=self.describe().encode())


def _may_ask(body: bytes) -> bool:
    return len(body) <= _LONGEST_QUESTION and _QUESTION in body


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
