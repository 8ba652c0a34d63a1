"""What a door does with a request: who may come in, what a body says, what is answered.

`Door` decides on requests that are values and opens no socket; who brings them, and what
stands behind the door, is the business of `journeykit.local` and `journeykit.aws`. There is
no more of a server: a handful of JSON routes that wait for a commit don't gain by an event
loop, and a framework would be three more distributions to install, to trust and to keep.

What is accepted is durable when the answer says so, and the same again is safe: whoever
gets no answer, or a 503, sends the same with the same ids once more.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache, cached_property, partial
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import msgspec

from journeykit.engine.stimuli import Enroll, Stimulus
from journeykit.errors import InputError, JourneyKitError, StoreError
from journeykit.http.body import (
    MAX_BODY,
    check_type,
    document,
    events_in,
    unpacked,
)
from journeykit.http.keys import Writer
from journeykit.http.messages import Answer, Refused, Request, in_json
from journeykit.links import PATHS, LinkSettings
from journeykit.model.cloudevents import binary_event, is_binary
from journeykit.model.events import (
    CUSTOMER_ALIASED,
    PLACEMENT_REQUESTED,
    PROFILE_UPDATED,
    Event,
    checked,
    checked_call,
)
from journeykit.model.formats import Format, decode_event
from journeykit.model.identity import ALIAS
from journeykit.model.misread import explained
from journeykit.model.segment_spec import CALLS, Frame
from journeykit.runtime.failures import places

if TYPE_CHECKING:  # what pages and inboxes need is loaded when somebody asks for one
    from journeykit.http.inbox import Board, Inbox
    from journeykit.http.pages import Pages
    from journeykit.http.placements import Decide
    from journeykit.http.preferences import Permissions
    from journeykit.sources import Source

LOG = logging.getLogger("journeykit.http")

SOURCES = "/v1/sources/"
"""What the paths of sources begin with; the source's name follows."""

SOURCE = f"{SOURCES}<source>"

_SHOWN = ("<channel>", "<source>")  # of a path's parts, in the log

INBOX = "/v1/inbox/<customer>"
"""The path of a customer's in-app inbox."""

MAX_ACT = 4 * 1024
"""Bytes of what an app says about a notice of it."""

MAX_FORM = 64 * 1024
"""Bytes of a page's form: 150 choices, twice."""

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
            InputError: One of them never can.
        """
        ...

    def permissions(self, customer: str) -> Permissions:
        """Return what a customer has said about messages, and may say.

        It is asked where there are signed links only.

        Raises:
            StoreError: It can't be read now.
        """
        ...

    def health(self) -> Mapping[str, object]:
        """Return how it goes: `status` is `ok`, or `failing`; and what else is known."""
        ...


class Identify(msgspec.Struct, forbid_unknown_fields=True):
    """The body of `POST /v1/identify`."""

    id: str
    attributes: dict[str, Any]
    customer: str = ""
    occurred_at: datetime | None = None
    source: str = ""
    test: bool = False
    identifiers: dict[str, str] = {}


class _Call(msgspec.Struct, rename="camel"):
    """The fields by which a body shows that it is a call of Segment's `identify`."""

    user_id: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    anonymous_id: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class Entry(msgspec.Struct, forbid_unknown_fields=True):
    """The body of `POST /v1/enroll`."""

    id: str
    journey: str
    customer: str
    entry: dict[str, Any] = {}
    test: bool = False


_identify = msgspec.json.Decoder(Identify)
_call = msgspec.json.Decoder(_Call)
_SEGMENTS = {  # and `identify`, which has a spelling of our own, too
    **dict.fromkeys([call for call in CALLS if call != "identify"], "track"),
    "alias": "identify",
}
_entry = msgspec.json.Decoder(Entry)


class Route(NamedTuple):
    """What is done at a path.

    Attributes:
        method: The method that it takes, or several with a space between; `GET` stands for
            `HEAD` as well.
        answer: What answers it.
        scope: What a key must be for; empty: any key will do.
        open: Whether it needs no key.
        lines: Whether its body may be lines of JSON.
        raw: Whether its body may be anything.
        public: Whether strangers come here, to whatever name of this machine: what they
            bring is signed. Who they are isn't asked then.
        most: The most bytes of a body.
    """

    method: str
    answer: Callable[[Request], Answer]
    scope: str = ""
    open: bool = False
    lines: bool = False
    raw: bool = False
    public: bool = False
    most: int = MAX_BODY

    @property
    def methods(self) -> tuple[str, ...]:
        """All methods that it takes."""
        named = self.method.split()
        return (*named, "HEAD") if "GET" in named else (*named,)


class Door(ABC):
    """Answers requests. It may be asked by many threads at once.

    Attributes:
        routes: What is done where, by path; `<name>` stands for one part of a path.
        links: Where links lead, and how they are signed; None: there are none.
    """

    def __init__(
        self,
        desk: Desk,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        timeout: float = 10.0,
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
            clock: Tells the instant that is stamped on what comes in.
            timeout: How many seconds a request waits until what it brought is durable.
            links: `[links]` of the workspace; without a URL there are no pages.
            workspace: Its name, which is signed with each link.
            inbox: Where in-app messages are; None: there are none.
            decide: Says what a place is to show that asks; None: nobody may ask.
            sources: The sources that have a door, by name.
            source: Returns one of them, set up.
        """
        self._desk = desk
        self._clock = clock
        self._timeout = timeout
        self.routes = {
            "/v1/events": Route("POST", self._events, "track", lines=True),
            # So that Segment's libraries need nothing but another host.
            "/v1/batch": Route("POST", self._events, "track", lines=True),
            "/v1/import": Route("POST", self._events, "track", lines=True),
            **{
                f"/v1/{call}": Route("POST", partial(self._called, call), scope)
                for call, scope in _SEGMENTS.items()
            },
            "/v1/identify": Route("POST", self._identified, "identify"),
            "/v1/enroll": Route("POST", self._enrolled, "enroll"),
        }
        self._sources = frozenset(sources)
        self._source = source
        if self._sources:  # who posts there is known by a signature
            posted = Route(
                "GET POST",
                self._posted,
                open=True,
                raw=True,
                public=True,
                most=MAX_BODY,
            )
            self.routes[SOURCE] = posted
        self._settings = links or LinkSettings()
        self._board = inbox
        self._decide = decide
        if decide is not None:
            self.routes["/v1/decide"] = Route("POST", self._decided, "decide")
        self.links = self._settings.links(workspace)
        if self.links is not None:
            form = Route("GET POST", self._page, open=True, raw=True, public=True)
            form = form._replace(most=MAX_FORM)
            followed = form._replace(method="GET")
            for kind, path in PATHS.items():
                has_form = kind not in ("click", "open")
                self.routes[f"{path}<token>"] = form if has_form else followed
        if inbox is not None:
            # Who asks is looked at there: it may be a customer.
            app = Route("GET OPTIONS", self._app, open=True, raw=True, public=True)
            app = app._replace(most=MAX_ACT)
            self.routes[INBOX] = app
            self.routes[f"{INBOX}/<notice>/<act>"] = app._replace(method="POST OPTIONS")

    def _posted(self, request: Request) -> Answer:
        """Take what something outside posts, as its source reads it."""
        from journeykit.http.sources import asked

        if self._source is None:
            raise AssertionError("without sources there are no routes to them")
        found = asked(
            partial(self._source, request.path.removeprefix(SOURCES)),
            request,
            received_at=self._clock(),
            url=self._outer(request.url),
        )
        if isinstance(found, Answer):
            return found
        return self._read(partial(self._checked, event) for event in found)

    def _checked(self, event: Event) -> Event:
        return self._taken_in(checked(event), MAX_BODY)

    def _outer(self, url: str) -> str:
        """Return what was called as its caller knows it, which some sign."""
        return url

    def _page(self, request: Request) -> Answer:
        return self._pages.answer(request)

    def _app(self, request: Request) -> Answer:
        return self._inbox.answer(request)

    @cached_property
    def _pages(self) -> Pages:
        """What answers for signed links; loading it takes longer than all the rest here."""
        from journeykit.http.pages import Pages

        if self.links is None:
            raise AssertionError("without links there are no routes to them")
        return Pages(
            self.links,
            self._desk,
            self._hand_over,
            settings=self._settings,
            clock=self._clock,
            timeout=self._timeout,
        )

    @cached_property
    def _inbox(self) -> Inbox:
        from journeykit.http.inbox import Inbox

        if self._board is None:
            raise AssertionError("without inboxes there are no routes to them")
        return Inbox(
            self._board,
            self._hand_over,
            self.writer,
            links=self.links,
            origins=self._settings.origins,
            clock=self._clock,
            decide=self._decide,
        )

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
        writer: Writer | None = None
        try:
            route, writer = self._admitted(request)
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
        return replace(answer, key=writer.name) if writer else answer

    @abstractmethod
    def writer(self, request: Request) -> Writer | None:
        """Return who brings a request; None: nobody that is known.

        Raises:
            Refused: It is not for this door.
        """

    def route(self, path: str) -> Route | None:
        """Return what is done at a path; None: nothing."""
        return self.routes.get(self.pattern(path))

    def pattern(self, path: str) -> str:
        """Return the path of a route that a path is one of; empty: it is of none."""
        if path in self.routes:
            return "" if "<" in path else path
        if path.startswith(SOURCES):
            return SOURCE if path.removeprefix(SOURCES) in self._sources else ""
        parts = path.split("/")
        for pattern in self.routes:
            if "<" in pattern and _is_like(parts, pattern.split("/")):
                return pattern
        return ""

    def shown(self, path: str) -> str:
        """Return a path for the log: without what names somebody, or lets somebody in."""
        pattern = self.pattern(path)
        if not pattern:
            return "-"
        return "/".join(
            "-" if named.startswith("<") and named not in _SHOWN else part
            for part, named in zip(path.split("/"), pattern.split("/"), strict=True)
        )

    def _admitted(self, request: Request) -> tuple[Route, Writer | None]:
        """Return where a request leads, and who brings it."""
        route = self.route(request.path)
        if route is None:
            raise Refused(404, f"there is nothing here, but at {' '.join(self.routes)}")
        if request.method not in route.methods:
            allowed = ", ".join(route.methods)
            raise Refused(405, f"{request.path} takes {allowed}", Allow=allowed)
        writer = None if route.public else self.writer(request)
        if writer is None and not route.open:
            raise Refused(
                401,
                "an API key is needed: Authorization: Bearer KEY",
                WWW_Authenticate='Bearer realm="journeykit"',
            )
        if writer and route.scope and route.scope not in writer.scopes:
            raise Refused(403, f"this key is not for {route.scope!r}")
        if request.size > route.most:
            raise Refused(413, f"a body may have {route.most} bytes")
        if route.method == "POST" and not route.raw:
            check_type(request.headers, lines=route.lines)
        return route, writer

    def _events(self, request: Request) -> Answer:
        received_at = self._clock()
        body = unpacked(request.body, request.headers)
        if is_binary(request.headers):
            read = partial(_binary, request.headers, body, received_at)
            taken = [lambda: self._taken_in(read(), len(body))]
            return self._read(taken, self._within(request))
        cut = events_in(body, request.headers)
        frame = Frame(received_at, "", cut.sent_at, cut.context)
        lines = (partial(self._event, line, frame, cut.format) for line in cut.lines)
        return self._read(lines, self._within(request))

    def _called(self, call: str, request: Request) -> Answer:
        """Take one call of Segment's HTTP API, whose kind the path says."""
        frame = Frame(self._clock(), call)
        body = unpacked(request.body, request.headers)
        taken = [partial(self._event, body, frame, "segment")]
        return self._read(taken, self._within(request))

    def _within(self, request: Request) -> Callable[[Event], Event]:
        """Make the check that an event is no more than the request's key is for.

        Whose key it is, is asked again only where an event needs more than its route.
        """

        @cache
        def scopes() -> Collection[str]:
            writer = self.writer(request)
            return () if writer is None else writer.scopes

        def checked_for(event: Event) -> Event:
            if says_who(event) and "identify" not in scopes():
                raise InputError("name: this key is not for 'identify', which it needs")
            return event

        return checked_for

    def _read(
        self,
        readers: Iterable[Callable[[], Event]],
        within: Callable[[Event], Event] = lambda event: event,
    ) -> Answer:
        """Read events, hand over those that are right, and answer for all."""
        events: list[Stimulus] = []
        rejected: list[dict[str, object]] = []
        for index, read in enumerate(readers):
            try:
                events.append(within(read()))
            except InputError as error:
                reason = error.message[:_LONGEST_ERROR]
                rejected.append({"index": index, "error": reason})
        self._hand_over(events)
        content: dict[str, object] = {"accepted": len(events), "rejected": rejected}
        if rejected and not events:
            return in_json(400, {"error": rejected[0]["error"], **content})
        return replace(in_json(200, content), count=len(events))

    def _event(self, line: bytes, frame: Frame, format: Format = "auto") -> Event:
        """Read one event.

        Raises:
            InputError: It is none, or more than can be taken.
        """
        event = decode_event(
            line, received_at=frame.received_at, format=format, frame=frame
        )
        return self._taken_in(event, len(line))

    def _taken_in(self, event: Event, size: int) -> Event:
        """Return an event that came in by this door.

        Args:
            event: As it was read.
            size: Bytes that it had.

        Raises:
            InputError: It is more than can be taken.
        """
        if event.history:
            # What tells of the past isn't known by its id, so twice would be twice.
            raise InputError("history: comes in by journeykit import, and not here")
        if event.name == PLACEMENT_REQUESTED:
            raise InputError(
                "name: who asks what to show asks /v1/decide, and not here"
            )
        return event

    def _identified(self, request: Request) -> Answer:
        received_at = self._clock()
        body = unpacked(request.body, request.headers)
        if _is_segments(body):
            frame = Frame(received_at, "identify")
            return self._read([partial(self._event, body, frame, "segment")])
        call = document(body, _identify)
        event = Event(
            id=call.id,
            name=PROFILE_UPDATED,
            customer=call.customer,
            occurred_at=call.occurred_at or received_at,
            received_at=received_at,
            properties=call.attributes,
            source=call.source,
            test=call.test,
            identifiers=call.identifiers,
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

    def _decided(self, request: Request) -> Answer:
        from journeykit.http.placements import Ask, answer_of, answered

        if self._decide is None:
            raise AssertionError("without it there is no route to it")
        received_at = self._clock()
        ask = document(
            unpacked(request.body, request.headers), msgspec.json.Decoder(Ask)
        )
        shown = answered(ask, decide=self._decide, received_at=received_at)
        return answer_of(shown)

    def _taken(self, stimulus: Stimulus) -> Answer:
        """Hand over one stimulus, and say so."""
        self._hand_over([stimulus])
        return TAKEN

    def _hand_over(
        self, stimuli: Sequence[Stimulus], timeout: float | None = None
    ) -> None:
        """Return when they are durable; else refuse so that they come again."""
        if not stimuli:
            return
        try:
            self._desk.accept(stimuli, timeout=timeout or self._timeout)
        except Busy as error:
            raise Refused(
                503, "too much is waiting; the same again is safe", Retry_After="1"
            ) from error
        except StoreError as error:
            raise not_stored(error) from error
        except InputError as error:
            raise Refused(400, error.message[:_LONGEST_ERROR]) from error

    def _health(self, request: Request) -> Answer:
        health = dict(self._desk.health())
        status = 200 if health.get("status") == "ok" else 503
        if self.writer(request) is None:  # a stranger needs to know no more
            health = {"status": health.get("status")}
        return in_json(status, health)


def says_who(event: Event) -> bool:
    """Whether an event writes a profile, or says that two ids are one customer's.

    A key needs the scope `identify` for it, by whichever route it comes.
    """
    return (
        event.name in (PROFILE_UPDATED, CUSTOMER_ALIASED) or ALIAS in event.identifiers
    )


def _is_segments(body: bytes) -> bool:
    """Whether an `identify` is in Segment's spelling; our own has none of its ids."""
    try:
        call = _call.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return False
    return not (call.user_id is msgspec.UNSET and call.anonymous_id is msgspec.UNSET)


def _binary(headers: Mapping[str, str], body: bytes, received_at: datetime) -> Event:
    """Read a CloudEvent whose attributes are headers.

    Raises:
        InputError: It is none.
    """
    try:
        return checked(binary_event(headers, body, received_at))
    except (msgspec.DecodeError, RecursionError) as error:
        raise InputError(explained(body, error)) from error


def _is_like(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    return len(parts) == len(pattern) and all(
        bool(part) if named.startswith("<") else part == named
        for part, named in zip(parts, pattern, strict=True)
    )


TAKEN = replace(in_json(200, {"accepted": 1, "rejected": []}), count=1)


def not_stored(error: StoreError) -> Refused:
    """Say that nothing can be stored, and why in the log."""
    LOG.error("nothing can be stored: %s", error)
    return Refused(
        503, "nothing can be stored now; the same again is safe", Retry_After="5"
    )
