"""The in-app inbox over HTTP: what an app shows, and what became of it.

    GET  /v1/inbox/<customer>               the notices, latest first
    POST /v1/inbox/<customer>/<id>/read     it was shown
    POST /v1/inbox/<customer>/<id>/click    a link or button of it was tapped
    POST /v1/inbox/<customer>/<id>/dismiss  it was put away
    POST /v1/inbox/<customer>/<place>/ask   what a place is to show, decided now

Your server may ask with an API key for any customer. An app or a web page asks with a token
that your server got for the customer who is signed in (`Links.inbox`); such a token reads
that one inbox, for a day.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

from journeykit.channels import Notice
from journeykit.engine.calendar import to_ms
from journeykit.engine.ids import derived
from journeykit.engine.stimuli import Stimulus
from journeykit.errors import InputError, StoreError
from journeykit.http.body import document
from journeykit.http.keys import Writer, given_key
from journeykit.http.messages import Answer, Refused, Request, in_json
from journeykit.http.placements import (
    SCOPE as DECIDE,
    Ask,
    Decide,
    OwnAsk,
    answer_of,
    answered,
)
from journeykit.links import LinkExpired, Links
from journeykit.model.events import (
    MAX_ID,
    MESSAGE_CLICKED,
    MESSAGE_DISMISSED,
    MESSAGE_OPENED,
    Event,
)

SCOPE = "inbox"
"""What an API key must be for; to ask what a place is to show, for `decide` as well."""

CHANNEL = "inapp"
"""The channel that inboxes are of, in the events of what became of a notice."""

MOST = 200
"""Notices of an inbox that are looked at; those before them are not shown."""

PAGE = 20
"""Notices of an answer, if nothing else is asked for."""

LONGEST_PAGE = 100

ACTS = ("read", "click", "dismiss")
ASK = "ask"
"""Of a place, and not of a notice."""

_NAMES = {
    "read": MESSAGE_OPENED,
    "click": MESSAGE_CLICKED,
    "dismiss": MESSAGE_DISMISSED,
}
_LONGEST_LINK = 2_048
_MOST_FIELDS = 5


class Act(msgspec.Struct, forbid_unknown_fields=True):
    """The body of `POST /v1/inbox/<customer>/<id>/click`; it may be left out."""

    link: str = ""


_act = msgspec.json.Decoder(Act)
_own_ask = msgspec.json.Decoder(OwnAsk)


class Board(Protocol):
    """What is known of the inboxes; `journeykit.ports.Notices` is more than that."""

    def notices(self, customer: str, *, limit: int) -> Sequence[Notice]:
        """Return a customer's notices, latest first."""
        ...

    def mark(
        self, customer: str, id: str, *, read_at: int | None, dismissed_at: int | None
    ) -> Notice | None:
        """Note that one was read or dismissed; return it after that. None: none such."""
        ...


class Inbox:
    """Answers what apps ask for. It may be asked by many threads at once."""

    def __init__(
        self,
        board: Board,
        hand_over: Callable[[list[Stimulus]], None],
        writer: Callable[[Request], Writer | None],
        *,
        links: Links | None,
        origins: Collection[str],
        clock: Callable[[], datetime],
        decide: Decide | None = None,
    ) -> None:
        """Take what stands behind it.

        Args:
            board: Keeps the notices.
            hand_over: Returns when events are durable, or raises `Refused`.
            writer: Whose API key a request has.
            links: Reads customers' tokens; None: only API keys will do.
            origins: The web sites whose pages may ask.
            clock: Tells the instant.
            decide: Says what a place is to show; None: no place may ask.
        """
        self._board = board
        self._hand_over = hand_over
        self._writer = writer
        self._links = links
        self._origins = frozenset(origins)
        self._clock = clock
        self._decide = decide

    def answer(self, request: Request) -> Answer:
        """List the notices, or take what became of one.

        A page of one of the origins may read the answer (Fetch, CORS).
        """
        try:
            if request.method == "OPTIONS":
                found = Answer(status=200, body=b"", headers={})
            elif request.method == "POST":
                found = self._acted(request)
            else:
                found = self._listed(request)
        except Refused as refused:
            found = refused.answer
        return replace(found, headers={**found.headers, **self._allowed(request)})

    def _allowed(self, request: Request) -> Mapping[str, str]:
        """Which page may read the answer, and what it may ask."""
        headers = {"Vary": "Origin"}
        origin = request.headers.get("origin", "")
        if origin not in self._origins:
            return headers
        headers["Access-Control-Allow-Origin"] = origin
        if request.method == "OPTIONS":
            headers |= {
                "Access-Control-Allow-Methods": "GET, POST",
                "Access-Control-Allow-Headers": "Authorization, Content-Type",
                "Access-Control-Max-Age": "600",
            }
        return headers

    def _listed(self, request: Request) -> Answer:
        [customer] = self._named(request, 1)
        query = _query(request)
        limit = _number(query.get("limit", [str(PAGE)])[0])
        after = query.get("after", [""])[0]
        placement = query.get("placement", [""])[0]
        found = self._stored(lambda: self._board.notices(customer, limit=MOST))
        now = self._clock()
        shown = [
            notice
            for notice in found
            if notice.dismissed_at is None
            and notice.body.get("placement", "") == placement
            and (notice.expires_at is None or notice.expires_at > now)
        ]
        unread = sum(notice.read_at is None for notice in shown)
        if after:
            # By the order of them all: the last one may be gone from what is shown.
            order = {notice.id: place for place, notice in enumerate(found)}
            place = order.get(after, len(found))
            shown = [notice for notice in shown if order[notice.id] > place]
        page, rest = shown[:limit], shown[limit:]
        return in_json(
            200,
            {
                "notices": [_written(notice) for notice in page],
                "unread": unread,
                "next": page[-1].id if page and rest else None,
            },
        )

    def _acted(self, request: Request) -> Answer:
        customer, id, act = self._named(request, 3)
        if act == ASK and self._decide is not None:
            return self._asked(request, customer, id, self._decide)
        if act not in ACTS:
            raise Refused(404, f"a notice takes {', '.join(ACTS)}")
        said = document(request.body, _act) if request.body.strip() else Act()
        if len(said.link) > _LONGEST_LINK:
            raise Refused(400, f"link: may have {_LONGEST_LINK} characters")
        now = self._clock()
        at = to_ms(now)
        notice = self._stored(
            lambda: self._board.mark(
                customer,
                id,
                read_at=at,  # who taps it or puts it away has seen it
                dismissed_at=at if act == "dismiss" else None,
            )
        )
        if notice is None:
            raise Refused(404, "there is no such notice")
        properties: dict[str, Any] = {"delivery_id": notice.id, "channel": CHANNEL}
        if act == "click" and said.link:
            properties["link"] = said.link
        name = _NAMES[act]
        # Read and dismissed once each; clicked once for each link.
        event = Event(
            id=derived(name, notice.id, said.link if act == "click" else ""),
            name=name,
            customer=customer,
            occurred_at=now,
            received_at=now,
            properties=properties,
            source="inbox",
        )
        self._hand_over([event])
        return in_json(200, _written(notice))

    def _asked(
        self, request: Request, customer: str, placement: str, decide: Decide
    ) -> Answer:
        """Say what a place is to show; why not something else is not the app's to know."""
        said = document(request.body, _own_ask) if request.body.strip() else OwnAsk()
        ask = Ask(placement, customer, id=said.id, properties=said.properties)
        shown = answered(ask, decide=decide, received_at=self._clock())
        return answer_of(shown, reasons=False)

    def _named(self, request: Request, count: int) -> list[str]:
        """Return what the path names, once it is known that the caller may name it.

        Raises:
            Refused: It names nothing, or somebody else's inbox.
        """
        parts = request.path.split("/")[3:]
        try:
            named = [unquote(part, errors="strict") for part in parts]
        except UnicodeDecodeError as error:
            raise Refused(400, "the path is not UTF-8") from error
        if len(named) != count or not all(0 < len(part) <= MAX_ID for part in named):
            raise Refused(404, "there is nothing here")
        needed = (SCOPE, DECIDE) if named[2:] == [ASK] else (SCOPE,)
        self._check(request, named[0], needed)
        return named

    def _check(self, request: Request, customer: str, needed: Sequence[str]) -> None:
        """Let in who has the customer's own token, or an API key that is for this."""
        given = given_key(request.headers)
        if self._links is not None and "." in given:
            try:
                link = self._links.read(given, kind="inbox", now=self._clock())
            except LinkExpired as error:
                raise _unknown("the token has expired; get a new one") from error
            except InputError as error:
                if error.place != "link":
                    raise
            else:
                if link.customer != customer:
                    raise Refused(403, "this token is for another customer's inbox")
                return
        writer = self._writer(request)
        if writer is None:
            raise _unknown("a customer's token or an API key is needed")
        for scope in needed:
            if scope not in writer.scopes:
                raise Refused(403, f"this key is not for {scope!r}")

    def _stored(self, ask: Callable[[], Any]) -> Any:
        try:
            return ask()
        except StoreError as error:
            raise Refused(503, "inboxes can't be read now", Retry_After="5") from error


def _unknown(why: str) -> Refused:
    return Refused(
        401,
        f"{why}: Authorization: Bearer …",
        WWW_Authenticate='Bearer realm="journeykit"',
    )


def _query(request: Request) -> Mapping[str, list[str]]:
    try:
        return parse_qs(urlsplit(request.url).query, max_num_fields=_MOST_FIELDS)
    except ValueError as error:
        raise Refused(400, "the query may say limit, after and placement") from error


def _number(text: str) -> int:
    if text.isascii() and text.isdigit() and 1 <= int(text[:6]) <= LONGEST_PAGE:
        return int(text)
    raise Refused(400, f"limit: a number from 1 to {LONGEST_PAGE}")


def _written(notice: Notice) -> dict[str, Any]:
    """A notice as an app gets it."""
    return {
        "id": notice.id,
        "at": notice.at,
        "body": dict(notice.body),
        "expires_at": notice.expires_at,
        "read_at": notice.read_at,
    }
