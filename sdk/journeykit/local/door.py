"""The HTTP door of `journeykit serve`: requests in, stimuli handed over, answers out.

`Door` decides on requests that are values and opens no socket; `DoorServer` in
`journeykit.local.http_server` brings them, read by h11. There is no more of a server: a
handful of JSON routes that wait for a commit don't gain by an event loop, and a
framework would be three more distributions to install, to trust and to keep.

What is accepted is durable when the answer says so, and the same again is safe: whoever
gets no answer, or a 503, sends the same with the same ids once more.
"""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, NamedTuple, Protocol

import msgspec

from journeykit.engine.stimuli import Enroll, Stimulus
from journeykit.errors import InputError, JourneyKitError, StoreError
from journeykit.local.http_body import (
    MAX_BODY,
    check_type,
    document,
    events_in,
    unpacked,
)
from journeykit.local.http_keys import Keys, given_key
from journeykit.local.http_messages import Answer, Refused, Request, in_json
from journeykit.model.events import (
    PROFILE_UPDATED,
    Event,
    checked,
    checked_call,
    decode_event,
)
from journeykit.runtime.failures import places

LOG = logging.getLogger("journeykit.http")

PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"
_LONGEST_ERROR = 300  # characters about one event; a misspelt name may be a long one


class Busy(JourneyKitError):
    """Too much is waiting, or isn't durable in time; the same again is safe."""


class Desk(Protocol):
    """What the door hands things to."""

    def accept(self, stimuli: Sequence[Stimulus], *, timeout: float) -> None:
        """Return when all of them are durable.

        Raises:
            Busy: There is no room, or they aren't durable in time.
            StoreError: They can't be made durable now.
        """
        ...

    def health(self) -> Mapping[str, object]:
        """Return how it goes: `status` is `ok`, or `failing`; and what else is known."""
        ...

    def metrics(self) -> str:
        """Return what is counted, as Prometheus reads it."""
        ...


class Identify(msgspec.Struct, forbid_unknown_fields=True):
    """The body of `POST /v1/identify`."""

    id: str
    customer: str
    attributes: dict[str, Any]
    occurred_at: datetime | None = None
    source: str = ""
    test: bool = False


class Entry(msgspec.Struct, forbid_unknown_fields=True):
    """The body of `POST /v1/enroll`."""

    id: str
    journey: str
    customer: str
    entry: dict[str, Any] = {}
    test: bool = False


_identify = msgspec.json.Decoder(Identify)
_entry = msgspec.json.Decoder(Entry)


class Route(NamedTuple):
    """What is done at a path.

    Attributes:
        method: The method that it takes; `GET` stands for `HEAD` as well.
        answer: What answers it.
        open: Whether it needs no key.
        lines: Whether its body may be lines of JSON.
    """

    method: str
    answer: Callable[[Request], Answer]
    open: bool = False
    lines: bool = False

    @property
    def methods(self) -> tuple[str, ...]:
        """All methods that it takes."""
        return ("GET", "HEAD") if self.method == "GET" else (self.method,)


class Door:
    """Answers requests. It may be asked by many threads at once."""

    def __init__(
        self,
        desk: Desk,
        *,
        keys: Keys | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        timeout: float = 10.0,
    ) -> None:
        """Open nothing yet.

        Args:
            desk: Takes what comes in.
            keys: Who may come in. Without any, everybody who calls this machine by a
                name of its own (`localhost`) may.
            clock: Tells the instant that is stamped on what comes in.
            timeout: How many seconds a request waits until what it brought is durable.
        """
        self.keys = keys or Keys()
        self._desk = desk
        self._clock = clock
        self._timeout = timeout
        self._routes = {
            "/v1/events": Route("POST", self._events, lines=True),
            # So that Segment's libraries need nothing but another host.
            "/v1/batch": Route("POST", self._events, lines=True),
            "/v1/identify": Route("POST", self._identified),
            "/v1/enroll": Route("POST", self._enrolled),
            "/health": Route("GET", self._health, open=True),
            "/metrics": Route("GET", self._metrics),
        }

    def admit(self, request: Request) -> Answer | None:
        """Return what is wrong with a request as far as its head shows; None: nothing.

        So nobody without a key makes us read a body, nor anybody one that is too large.
        """
        try:
            self._admitted(request)
        except Refused as refused:
            return refused.answer
        return None

    def answer(self, request: Request) -> Answer:
        """Answer a request. Whatever happens, it returns an answer."""
        key = ""
        try:
            route, key = self._admitted(request)
            answer = route.answer(request)
        except Refused as refused:
            answer = refused.answer
        except Exception as error:  # noqa: BLE001 - an answer is due, whatever happened
            # Messages may quote what came in, so the log gets the places only.
            LOG.error("id=%s %s", request.id, places(error))
            answer = in_json(
                500,
                {"error": f"something is wrong here; see id={request.id} in its log"},
            )
        return replace(answer, key=key)

    def _admitted(self, request: Request) -> tuple[Route, str]:
        """Return where a request leads, and the name of its key."""
        route = self._routes.get(request.path)
        if route is None:
            raise Refused(
                404, f"there is nothing here, but at {' '.join(self._routes)}"
            )
        if request.method not in route.methods:
            allowed = ", ".join(route.methods)
            raise Refused(405, f"{request.path} takes {allowed}", Allow=allowed)
        key = self._key(request)
        if key is None and not route.open:
            raise Refused(
                401,
                "an API key is needed: Authorization: Bearer KEY",
                WWW_Authenticate='Bearer realm="journeykit"',
            )
        if request.size > MAX_BODY:
            raise Refused(413, f"a body may have {MAX_BODY} bytes")
        if route.method == "POST":
            check_type(request.headers, lines=route.lines)
        return route, key or ""

    def _key(self, request: Request) -> str | None:
        """Return the name of the key; empty: none is needed; None: there is none."""
        if self.keys:
            return self.keys.name_of(given_key(request.headers))
        # A web page can point a name of its own at this machine (DNS rebinding), and
        # its visitors' browsers would then call us.
        if not is_here(request.headers.get("host", "localhost")):
            raise Refused(421, "without API keys the door is for localhost only")
        return ""

    def _events(self, request: Request) -> Answer:
        received_at = self._clock()
        body = unpacked(request.body, request.headers)
        events: list[Stimulus] = []
        rejected: list[dict[str, object]] = []
        for index, line in enumerate(events_in(body, request.headers)):
            try:
                events.append(decode_event(line, received_at=received_at))
            except InputError as error:
                reason = error.message[:_LONGEST_ERROR]
                rejected.append({"index": index, "error": reason})
        self._hand_over(events)
        content: dict[str, object] = {"accepted": len(events), "rejected": rejected}
        if rejected and not events:
            return in_json(400, {"error": rejected[0]["error"], **content})
        return replace(in_json(200, content), count=len(events))

    def _identified(self, request: Request) -> Answer:
        received_at = self._clock()
        call = document(unpacked(request.body, request.headers), _identify)
        event = Event(
            id=call.id,
            name=PROFILE_UPDATED,
            customer=call.customer,
            occurred_at=call.occurred_at or received_at,
            received_at=received_at,
            properties=call.attributes,
            source=call.source,
            test=call.test,
        )
        try:
            return self._taken(checked(event))
        except InputError as error:
            # The caller knows the event's properties by another name.
            message = error.message.replace("properties", "attributes", 1)
            raise Refused(400, message[:_LONGEST_ERROR]) from error

    def _enrolled(self, request: Request) -> Answer:
        received_at = self._clock()
        call = document(unpacked(request.body, request.headers), _entry)
        enroll = Enroll(
            id=call.id,
            journey=call.journey,
            customer=call.customer,
            received_at=received_at,
            entry=call.entry,
            test=call.test,
        )
        try:
            return self._taken(checked_call(enroll))
        except InputError as error:
            raise Refused(400, error.message[:_LONGEST_ERROR]) from error

    def _taken(self, stimulus: Stimulus) -> Answer:
        self._hand_over([stimulus])
        return replace(in_json(200, {"accepted": 1, "rejected": []}), count=1)

    def _hand_over(self, stimuli: Sequence[Stimulus]) -> None:
        """Return when they are durable; else refuse so that they come again."""
        if not stimuli:
            return
        try:
            self._desk.accept(stimuli, timeout=self._timeout)
        except Busy as error:
            raise Refused(
                503, "too much is waiting; the same again is safe", Retry_After="1"
            ) from error
        except StoreError as error:
            LOG.error("nothing can be stored: %s", error)
            raise Refused(
                503,
                "nothing can be stored now; the same again is safe",
                Retry_After="5",
            ) from error

    def _health(self, request: Request) -> Answer:
        health = dict(self._desk.health())
        status = 200 if health.get("status") == "ok" else 503
        if self._key(request) is None:  # a stranger needs to know no more
            health = {"status": health.get("status")}
        return in_json(status, health)

    def _metrics(self, request: Request) -> Answer:
        text = self._desk.metrics()
        return Answer(
            status=200, body=text.encode(), headers={"Content-Type": PROMETHEUS}
        )


def is_here(host: str) -> bool:
    """Whether a host, with or without a port, is a name that this machine has for itself."""
    name = host.strip().lower()
    if name.startswith("["):
        name = name[1:].partition("]")[0]
    elif name.count(":") == 1:
        name = name.partition(":")[0]
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
