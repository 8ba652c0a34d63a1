"""What a customer has said about being written to, and what holds without a word.

The latest word on the same channel, topic and purpose counts, and a no counts wherever it
applies. A yes that was requested and not confirmed yet is no word: it stands beside the
last one. So whoever types somebody else's address into a form undoes no no of theirs.

A confirmed yes holds against a no to marketing that was said before it was asked for: who
has unsubscribed from a channel and then signs up and confirms gets just that again, and
nothing else of the channel. It never holds against a no to all purposes, which STOP is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple, Protocol

from msgspec.structs import replace

from journeykit.engine.customer import Consent
from journeykit.engine.limits import SOURCE_CHARACTERS
from journeykit.engine.values import Document
from journeykit.model.plain_text import printable
from journeykit.model.rules import ID

ALL = "all"
_NAME = re.compile(ID).fullmatch
MARKETING = "marketing"

Word = Literal["yes", "no", "pending", "allow", "refuse"]
"""`yes` and `no`: the customer's word · `pending`: a yes that is not confirmed ·
`allow` and `refuse`: there is no word, and the policies say so."""


class Answer(NamedTuple):
    """Whether a message would be welcome.

    Attributes:
        word: Whose word it is, and which.
        consent: The no that refuses it, or the request that is not confirmed.
    """

    word: Word
    consent: Consent | None = None

    @property
    def allows(self) -> bool:
        """Whether it may go."""
        return self.word in ("yes", "allow")


# Made once: a message asks for each of its channels.
_YES, _ALLOW, _REFUSE = Answer("yes"), Answer("allow"), Answer("refuse")


class ConsentRule(NamedTuple):
    """What holds where the customer has said neither yes nor no."""

    allow: bool
    channel: str | None
    topic: str | None
    purpose: str


class ConsentRules:
    """The consent defaults of the policies, the most specific first."""

    def __init__(self, documents: Iterable[Document]) -> None:
        """Compile the plan documents of ConsentDefaults."""
        # Most specific first: channel and topic, then topic, then channel.
        self._rules = sorted(
            (
                ConsentRule(
                    rule["default"] == "allow",
                    rule["channel"],
                    rule["topic"],
                    rule["purpose"],
                )
                for rule in documents
            ),
            key=lambda rule: (rule.topic is None, rule.channel is None),
        )
        self._known: dict[tuple[str, str, str], Answer] = {}

    def ask(
        self, channel: str, topic: str, purpose: str, said: Sequence[Consent]
    ) -> Answer:
        """Would a message be welcome?

        A no counts wherever it applies, whatever else was said: to undo it takes a yes of
        the same channel, topic and purpose, or one that was asked for after it and
        confirmed. A request that waits counts only where no yes applies, and only for
        marketing: it asks for nothing else. It refuses as a no does, and is named instead
        of a no that its confirmation would undo: it is worth waiting for.
        """
        if not said:
            return self._without_word(channel, topic, purpose)
        granted = confirmed = False
        refused = pending = None
        for consent in said:
            if not (
                consent.channel in ("", channel)
                and consent.topic in ("", topic)
                and consent.purpose in ("", purpose)
            ):
                continue
            if consent.pending:
                pending = consent
            elif consent.granted:
                granted = True
                confirmed = confirmed or consent.over is not None
            elif refused is None or not consent.topic:
                refused = consent  # the channel's before a topic's
        if refused is not None and (confirmed or pending is not None):
            # Rare, so it is looked at once more only then.
            asked = Consent(True, 0, channel, topic, purpose)
            refused, pending = _weighed(asked, said)
        if refused is not None:
            return Answer("no", refused)
        if granted:
            return _YES
        if pending is not None:
            return Answer("pending", pending)
        return self._without_word(channel, topic, purpose)

    def _without_word(self, channel: str, topic: str, purpose: str) -> Answer:
        known = self._known.get((channel, topic, purpose))
        if known is None:  # as many as there are kinds of Sends
            known = self._known[channel, topic, purpose] = self._default(
                channel, topic, purpose
            )
        return known

    def _default(self, channel: str, topic: str, purpose: str) -> Answer:
        for rule in self._rules:
            if (
                rule.channel in (None, channel)
                and rule.topic in (None, topic)
                and rule.purpose in (ALL, purpose)
            ):
                return _ALLOW if rule.allow else _REFUSE
        return _ALLOW


class Said(Protocol):
    """Who has said something: a draft."""

    @property
    def consents(self) -> Sequence[Consent]:
        """The latest words."""
        ...


class ConsentView(Mapping[str, bool]):
    """What conditions see as `consent`: channel, or `channel:topic`, to yes or no.

    It is about marketing, and about what the customer has said: where nothing was said
    there is nothing, whatever the policies allow then. What is not confirmed is no yes.
    """

    __slots__ = ("_rules", "_said")

    def __init__(self, rules: ConsentRules, said: Said) -> None:
        """Look at what is said then, not now."""
        self._rules = rules
        self._said = said

    def __getitem__(self, name: str) -> bool:
        """Tell whether a message would be welcome there.

        Raises:
            KeyError: Nothing was said about it.
        """
        said = self._said.consents
        channel, _, topic = name.partition(":")
        word = self._rules.ask(channel, topic, MARKETING, said).word if said else ""
        if word in ("yes", "no", "pending"):
            return word == "yes"
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        """Name the channels and topics that something was said about by name."""
        said = self._said.consents
        names = {f"{w.channel}:{w.topic}" if w.topic else w.channel for w in said}
        return iter(sorted(name for name in names if name in self))

    def __len__(self) -> int:
        """Count them."""
        return sum(1 for _ in self)


def with_word(consents: Sequence[Consent], word: Consent) -> list[Consent]:
    """The latest words with one more, which settles the requests that it is about."""
    if word.granted and word.over is None:
        # Said once more, what was confirmed holds against no less than before.
        over = [
            known.over for known in consents if known.granted and _same(word, known)
        ]
        word = replace(word, over=over[0]) if over else word
    return [
        *(
            known
            for known in consents
            if not (_covers(word, known) if known.pending else _same(word, known))
        ),
        word,
    ]


def with_request(consents: Sequence[Consent], request: Consent) -> list[Consent]:
    """The same with a request that waits, beside the word on the same."""
    kept = [item for item in consents if not (item.pending and _same(request, item))]
    return [*kept, request]


def is_granted(consents: Sequence[Consent], request: Consent) -> bool:
    """Whether all that somebody asks for was said yes to before."""
    words = [known for known in consents if not known.pending]
    yeses = [known for known in words if known.granted and _covers(known, request)]
    return bool(yeses) and not any(
        _meets(known, request) and not any(_outlives(yes, known) for yes in yeses)
        for known in words
        if not known.granted
    )


def confirmed(
    consents: Sequence[Consent], *, channel: str, topic: str, at: int, source: str
) -> tuple[list[Consent], list[Consent]]:
    """Make a yes of the requests that wait, as far as they are confirmed.

    A no that was said since the request stays: a link may be followed again after it. One
    to more than that, said before the request, stays for the rest of what it is about.

    Args:
        consents: What was said so far.
        channel: Of which channel; empty: of all.
        topic: Of which topic; empty: of all.
        at: When.
        source: Where; empty: where it was requested.

    Returns:
        The latest words, and which of them are new.
    """
    asked = Consent(True, at, channel, topic, "")
    words, made = list(consents), []
    for item in consents:
        if not item.pending or not _meets(asked, item):
            continue
        word = Consent(
            True,
            at,
            item.channel or channel,
            item.topic or topic,
            item.purpose,
            source or item.source,
            over=item.at,
        )
        if not any(_undid(known, word, item.at) for known in consents):
            made.append(word)
            words = with_word(words, word)
    return words, made


def is_a_name(source: str) -> bool:
    """Whether a source is a name such as `footer-form`, and so nothing personal."""
    return _NAME(source) is not None


def source_of(value: object) -> str:
    """Where something was said, as the document keeps it; empty if it is no text."""
    return printable(value)[:SOURCE_CHARACTERS] if isinstance(value, str) else ""


def _same(one: Consent, other: Consent) -> bool:
    return (one.channel, one.topic, one.purpose) == (
        other.channel,
        other.topic,
        other.purpose,
    )


def _undid(known: Consent, yes: Consent, asked_at: int) -> bool:
    """Whether a no was said to the same since somebody asked for it."""
    is_no = not (known.granted or known.pending)
    return is_no and _same(known, yes) and known.at >= asked_at


def _weighed(
    asked: Consent, said: Sequence[Consent]
) -> tuple[Consent | None, Consent | None]:
    """The no that holds against a message, after what was confirmed; and the request.

    There is no such no if a confirmation of the request would undo all of them.
    """
    words = [word for word in said if _covers(word, asked)]
    yeses = [word for word in words if word.granted]
    requests = [word for word in words if word.pending]
    noes = [
        word
        for word in words
        if not (word.granted or word.pending)
        and not any(_outlives(yes, word) for yes in yeses)
    ]
    for request in reversed(requests):
        hoped_for = replace(request, granted=True, pending=False, over=request.at)
        if noes and all(
            _outlives(hoped_for, no) and not _undid(no, hoped_for, request.at)
            for no in noes
        ):
            return None, request
    # The channel's before a topic's.
    refused = next((no for no in reversed(noes) if not no.topic), None)
    return refused or next(iter(noes), None), requests[-1] if requests else None


def _outlives(yes: Consent, no: Consent) -> bool:
    """Whether a yes was asked for after a wider no to marketing, and confirmed."""
    return (
        yes.over is not None
        and no.purpose == MARKETING
        and no.at < yes.over
        and _covers(no, yes)
    )


def _covers(word: Consent, other: Consent) -> bool:
    """Whether a word is about all that another one is about."""
    return (
        word.channel in ("", other.channel)
        and word.topic in ("", other.topic)
        and word.purpose in ("", other.purpose)
    )


def _meets(word: Consent, other: Consent) -> bool:
    """Whether there is a message that both are about."""
    pairs = (
        (word.channel, other.channel),
        (word.topic, other.topic),
        (word.purpose, other.purpose),
    )
    return all(one == two or not (one and two) for one, two in pairs)
