"""The pages behind signed links: what `GET` shows, and what `POST` does.

    /u/TOKEN   unsubscribe: GET asks, POST does it, at once (RFC 8058 one-click)
    /p/TOKEN   preferences: which topics over which channels
    /c/TOKEN   confirm what somebody has asked for with this address (double opt-in)
    /s/TOKEN   a survey: GET asks, with the score of the link chosen; POST answers
    /l/TOKEN   a link of a message: leads on, and the click is counted
    /o/TOKEN   a picture of a message: that it was opened is counted

`GET` changes nothing a customer could mind: whoever looks through mail for what is
dangerous follows each of its links. Whatever happens becomes an event at the door.
"""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any, Protocol

from journeykit.engine.ids import answer_id, derived
from journeykit.engine.stimuli import Stimulus
from journeykit.errors import InputError, StoreError
from journeykit.http.forms import Form
from journeykit.http.messages import Answer, Refused, Request
from journeykit.http.page import (
    Brand,
    Look,
    box,
    button,
    choices,
    described,
    form,
    hidden,
    link as anchor,
    paragraph,
    said,
)
from journeykit.http.preferences import Choice, Permissions
from journeykit.http.recent import Recent
from journeykit.http.surveys import (
    in_language,
    question_page,
    score_in,
    thanks_page,
)
from journeykit.http.wording import WORDING, Wording, language_for
from journeykit.links import (
    LIFETIMES,
    PATHS,
    Kind,
    Link,
    LinkExpired,
    Links,
    LinkSettings,
)
from journeykit.media.machines import machine
from journeykit.model.events import (
    CONSENT_CHANGED,
    CONSENT_CONFIRMED,
    MESSAGE_CLICKED,
    MESSAGE_OPENED,
    MESSAGE_UNSUBSCRIBED,
    SURVEY_ANSWERED,
    Event,
)
from journeykit.model.surveys import said_in

LOG = logging.getLogger("journeykit.http")

SOURCE = "links"
"""The `source` of the pages' events."""

PIXEL = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
"""A GIF of one transparent pixel."""

_ONCE_MS = 60_000  # one click of a link counts once a minute, however often it comes
_HAND_OVER_S = 1.0  # nobody waits longer for a page of a shop to open

HandOver = Callable[[list[Stimulus], float], None]


class Reader(Protocol):
    """What the pages need to know of customers."""

    def permissions(self, customer: str) -> Permissions:
        """Return what a customer has said, and may say.

        Raises:
            StoreError: It can't be read now.
        """
        ...


class Pages:
    """Answers what comes for signed links. It may be asked by many threads at once."""

    def __init__(
        self,
        links: Links,
        reader: Reader,
        hand_over: HandOver,
        *,
        settings: LinkSettings,
        clock: Callable[[], datetime],
        timeout: float,
    ) -> None:
        """Open nothing yet.

        Args:
            links: Reads what a link says.
            reader: Tells what a customer has said.
            hand_over: Returns when events are durable, or raises `Refused`.
            settings: Whose pages they are.
            clock: Tells the instant.
            timeout: How many seconds a page waits until something is durable.
        """
        self._links = links
        self._reader = reader
        self._hand_over = hand_over
        self._clock = clock
        self._timeout = timeout
        self._look = Look(Brand(settings.brand, settings.color, settings.logo))
        self._answers: Mapping[Kind, Callable[[Request, Link, str], Answer]] = {
            "unsubscribe": self._unsubscribe,
            "preferences": self._preferences,
            "confirm": self._confirm,
            "click": self._click,
            "open": self._open,
            "survey": self._survey,
        }
        self._recent = Recent()

    # --- what a link leads to ---------------------------------------------------------

    def answer(self, request: Request) -> Answer:
        """Answer what comes for the link in a request's path."""
        for kind, path in PATHS.items():
            if request.path.startswith(path):
                return self._answered(request, kind, self._answers[kind])
        raise AssertionError("the door's routes are those of links")

    def _answered(
        self,
        request: Request,
        kind: Kind,
        answer: Callable[[Request, Link, str], Answer],
    ) -> Answer:
        """Read the link, and answer; what goes wrong is a page, too."""
        wanted = request.headers.get("accept-language", "")
        language = language_for("", wanted)
        try:
            link = self._links.read(token_of(request), kind=kind, now=self._clock())
        except LinkExpired:
            return self._apology("expired", "expired_hint", 410, language)
        except InputError as error:
            if (
                error.place != "link"
            ):  # the secret isn't there: nobody's fault out there
                LOG.error("links can't be read: %s", error)
                return self._apology("trouble", "trouble_hint", 503, language)
            return self._apology("broken", "broken_hint", 404, language)
        language = language_for(link.locale, wanted)
        try:
            return answer(request, link, language)
        except StoreError as error:
            LOG.error("a page can't be shown: %s", error)
        except Refused as refused:
            if refused.answer.status != 503:
                raise
        apology = self._apology("trouble", "trouble_hint", 503, language)
        return Answer(
            status=503,
            body=apology.body,
            headers={**apology.headers, "Retry-After": "60"},
        )

    def _apology(self, title: str, hint: str, status: int, language: str) -> Answer:
        words = WORDING[language]
        return self._look.page(
            getattr(words, title),
            [paragraph(getattr(words, hint))],
            language=language,
            status=status,
        )

    # --- unsubscribing ----------------------------------------------------------------

    def _unsubscribe(self, request: Request, link: Link, language: str) -> Answer:
        words = WORDING[language]
        permissions = Permissions()
        # Whoever wants to leave may leave, also while nobody can be looked up.
        with suppress(StoreError):
            permissions = self._reader.permissions(link.customer)
        what = _what(link, permissions, words)
        if request.method != "POST":
            return self._look.page(
                words.unsubscribe,
                [
                    paragraph(words.unsubscribe_ask),
                    described(what),
                    form(
                        button(words.unsubscribe, value="this", first=True),
                        button(words.everything, value="everything"),
                    ),
                ],
                language=language,
            )
        sent = Form(request)
        everything = sent.pressed == "everything"
        channel, topic = ("", "") if everything else (link.channel, link.topic)
        known = permissions.word_on(channel, topic)
        if known is None or known.granted:
            # By the yes that it takes back: the same again, before or after that, is
            # the same event; whoever came back since can leave again.
            since = str(known.at) if known else ""
            self._happened(
                request,
                link,
                MESSAGE_UNSUBSCRIBED,
                {"channel": channel, "topic": topic, "source": sent.source},
                channel,
                topic,
                since,
            )
        if everything:
            parts = [said(words.gone)]
        else:
            parts = [said(words.unsubscribed_from), described(what)]
        parts.append(paragraph(words.still, kind="soft"))
        if more := self._preferences_address(link):
            parts.append(anchor(words.to_preferences, more))
        return self._look.page(words.unsubscribed, parts, language=language)

    def _preferences_address(self, link: Link) -> str:
        """Where the preferences are, for as long as the message's own link to them."""
        until = link.at + LIFETIMES["preferences"]
        if until <= self._clock():
            return ""
        token = self._links.token(
            Link(
                kind="preferences",
                customer=link.customer,
                channel=link.channel,
                topic=link.topic,
                delivery_id=link.delivery_id,
                locale=link.locale,
                at=link.at,
                expires_at=until,
                test=link.test,
            )
        )
        # Relative, so that it holds behind any proxy: from /u/TOKEN to /p/TOKEN.
        return f"..{PATHS['preferences']}{token}"

    # --- preferences ------------------------------------------------------------------

    def _preferences(self, request: Request, link: Link, language: str) -> Answer:
        permissions = self._reader.permissions(link.customer)
        if request.method != "POST":
            return self._preferences_page(permissions, link, language)
        sent = Form(request)
        if sent.pressed != "everything" and not (
            sent.pressed == "save" and "shown" in sent
        ):
            # Nothing ticked is a no to all there is, so it must be our own form that
            # says so, and whole. What a mailbox posts isn't for this page.
            return self._preferences_page(permissions, link, language, status=400)
        offered = set(permissions.offers.choices())
        now = self._clock()
        if sent.pressed == "everything":
            wanted: frozenset[Choice] = frozenset()
            known = permissions.word_on("", "")
            if known is None or known.granted:
                self._happened(
                    request,
                    link,
                    MESSAGE_UNSUBSCRIBED,
                    {"channel": "", "topic": "", "source": "preferences"},
                    str(known.at) if known else "",
                )
        else:
            wanted = sent.choices("choice") & offered
            shown = sent.choices("shown") & offered
            words = permissions.words_for(wanted, shown=shown)
            events: list[Stimulus] = [
                self._event(
                    link,
                    CONSENT_CHANGED,
                    {
                        "granted": word.granted,
                        "channel": word.channel,
                        "topic": word.topic,
                        "purpose": word.purpose,
                        "source": "preferences",
                    },
                    # By what it changes, as far as that is known here by now, and to the
                    # second: pressed twice is said once, and there and back is not.
                    permissions.last_on(word),
                    str(int(now.timestamp())),
                    *(str(word.granted), word.channel, word.topic, word.purpose),
                )
                for word in words
            ]
            if events:
                self._hand_over(events, self._timeout)
        return self._preferences_page(
            permissions, link, language, wanted=wanted, saved=True
        )

    def _preferences_page(
        self,
        permissions: Permissions,
        link: Link,
        language: str,
        *,
        wanted: frozenset[Choice] | None = None,
        saved: bool = False,
        status: int = 200,
    ) -> Answer:
        """Show the choices: as they are known, or as they were just made.

        What was chosen may take a moment until it is known here.
        """
        words = WORDING[language]
        offers = permissions.offers
        ticked = permissions.granted() if wanted is None else wanted
        pending = permissions.pending() if wanted is None else frozenset[Choice]()
        parts = []
        if saved:
            parts.append(said(words.saved))
        if (saved and not ticked) or (not saved and permissions.is_off()):
            parts.append(paragraph(words.off))
        parts.append(paragraph(words.preferences_ask))
        groups = [
            choices(
                offers.name_of(topic.id) or words.all_messages,
                [
                    box(
                        words.channel_name(channel),
                        value=f"{channel}:{topic.id}",
                        ticked=(channel, topic.id) in ticked,
                        note=words.pending if (channel, topic.id) in pending else "",
                    )
                    for channel in offers.channels
                ],
            )
            for topic in offers.topics
        ]
        shown = " ".join(
            f"{channel}:{topic}"
            for channel, topic in offers.choices()
            if (channel, topic) in ticked
        )
        parts += [
            form(
                *groups,
                hidden("shown", shown),
                button(words.save, value="save", first=True),
            ),
            form(button(words.everything, value="everything")),
            paragraph(words.still, kind="soft"),
        ]
        # A screen reader says the title of a page first.
        title = f"{words.saved} {words.preferences}" if saved else words.preferences
        return self._look.page(
            words.preferences, parts, language=language, status=status, window=title
        )

    # --- confirming -------------------------------------------------------------------

    def _confirm(self, request: Request, link: Link, language: str) -> Answer:
        words = WORDING[language]
        if request.method == "POST" and Form(request).pressed == "confirm":
            return self._confirmed(request, link, words, language)
        permissions = Permissions()
        with suppress(StoreError):  # only for the topic's name
            permissions = self._reader.permissions(link.customer)
        parts = [
            paragraph(words.confirm_ask),
            described(_what(link, permissions, words)),
            form(button(words.confirm_yes, value="confirm", first=True)),
        ]
        status = 400 if request.method == "POST" else 200
        return self._look.page(words.confirm, parts, language=language, status=status)

    def _confirmed(
        self, request: Request, link: Link, words: Wording, language: str
    ) -> Answer:
        """Confirm what was asked for, and say whether there was anything."""
        permissions = self._reader.permissions(link.customer)
        asked_at = permissions.asked_at(link.channel, link.topic)
        title, parts = words.confirmed, [described(_what(link, permissions, words))]
        if asked_at is not None:
            self._happened(
                request,
                link,
                CONSENT_CONFIRMED,
                {
                    "channel": link.channel,
                    "topic": link.topic,
                    "source": "confirmation",
                },
                # By the request that it confirms: pressed twice is said once, and
                # pressed for a later request is said again.
                str(asked_at),
            )
        elif not permissions.is_granted(link.channel, link.topic):
            title, parts = words.unasked, [paragraph(words.unasked_hint)]
        if more := self._preferences_address(link):
            parts.append(anchor(words.to_preferences, more))
        return self._look.page(title, parts, language=language)

    # --- counting ---------------------------------------------------------------------

    def _click(self, request: Request, link: Link, language: str) -> Answer:
        if request.method != "HEAD":
            self._counts(request, link, "clicked", MESSAGE_CLICKED, {"link": link.url})
        return Answer(
            status=302,
            body=b"",
            headers={
                "Location": link.url,
                "Referrer-Policy": "no-referrer",
                "X-Robots-Tag": "noindex, nofollow",
            },
        )

    def _open(self, request: Request, link: Link, language: str) -> Answer:
        if request.method != "HEAD":
            self._counts(request, link, "opened", MESSAGE_OPENED, {})
        return Answer(
            status=200,
            body=PIXEL,
            headers={
                "Content-Type": "image/gif",
                "Cache-Control": "no-store, private, max-age=0",
                "X-Robots-Tag": "noindex",
                "Cross-Origin-Resource-Policy": "cross-origin",
            },
        )

    def _counts(
        self,
        request: Request,
        link: Link,
        what: Any,
        name: str,
        properties: dict[str, Any],
    ) -> None:
        """Say that a message was opened or a link followed, once a minute.

        Whether or not that can be stored, whoever clicked is led on.
        """
        now = self._clock()
        minute = int(now.timestamp() * 1000) // _ONCE_MS
        why = machine(
            what,
            user_agent=request.headers.get("user-agent", "")[:500],
            method=request.method,
            headers=request.headers,
            seconds=(now - link.at).total_seconds(),
        )
        if why:
            properties = {**properties, "automated": True, "machine": why}
        id = derived(name, token_of(request), why, str(minute))
        if self._recent.has(id, minute):
            return
        event = self._event(link, name, properties, why, str(minute), id=id)
        try:
            self._hand_over([event], min(_HAND_OVER_S, self._timeout))
        except Refused as refused:
            LOG.warning("not counted: %s", refused)
            self._recent.forget(id)

    # --- answering a survey -----------------------------------------------------------

    def _survey(self, request: Request, link: Link, language: str) -> Answer:
        """Ask, or take the answer; one to a message counts once, the first."""
        if request.method != "POST":
            return self._question(request, link, language, score=score_in(request.url))
        sent = Form(request)
        score, text = sent.text("score"), sent.text("text")
        said = said_in(link.asks, score, text) if sent.pressed == "answer" else None
        if said is None:
            return self._question(
                request, link, language, score=score, text=text, is_again=True
            )
        known = {"survey": link.survey, "kind": link.asks}
        id = answer_id(link.delivery_id)
        properties = {**known, **said.properties(link.asks)}
        event = self._event(link, SURVEY_ANSWERED, properties, id=id)
        self._hand_over([event], self._timeout)
        return thanks_page(self._look, language)

    def _question(
        self,
        request: Request,
        link: Link,
        language: str,
        *,
        score: str,
        text: str = "",
        is_again: bool = False,
    ) -> Answer:
        permissions = Permissions()
        with suppress(StoreError):  # only for the author's own question
            permissions = self._reader.permissions(link.customer)
        own = permissions.offers.questions.get((link.survey, link.asks), "")
        return question_page(
            self._look,
            kind=link.asks,
            question=in_language(own, link.locale, language),
            language=language,
            score=score,
            text=text,
            is_again=is_again,
        )

    # --- events -----------------------------------------------------------------------

    def _happened(
        self,
        request: Request,
        link: Link,
        name: str,
        properties: dict[str, Any],
        *apart: str,
    ) -> None:
        """Hand over an event; the same link and `apart` again is the same event."""
        id = derived(name, token_of(request), *apart)
        self._hand_over([self._event(link, name, properties, id=id)], self._timeout)

    def _event(
        self,
        link: Link,
        name: str,
        properties: Mapping[str, Any],
        *apart: str,
        id: str = "",
    ) -> Event:
        now = self._clock()
        known = {"delivery_id": link.delivery_id, "channel": link.channel}
        if link.topic:
            known["topic"] = link.topic
        said = {**known, **properties}
        return Event(
            id=id or derived(name, link.customer, link.delivery_id, *apart),
            name=name,
            customer=link.customer,
            occurred_at=now,
            received_at=now,
            properties={name: text for name, text in said.items() if text != ""},
            source=SOURCE,
            test=link.test,
        )


def token_of(request: Request) -> str:
    """The token in a request's path."""
    return request.path.rpartition("/")[2]


def _what(
    link: Link, permissions: Permissions, words: Wording
) -> list[tuple[str, str]]:
    """What a link is about, in words."""
    found = [(words.channel, words.channel_name(link.channel))] if link.channel else []
    if link.topic:
        found.insert(0, (words.topic, permissions.offers.name_of(link.topic)))
    return found
