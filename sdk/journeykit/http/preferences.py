"""What a customer may choose: about what to be written to, over which channels.

The page asks for a whole table, a yes or no for each topic on each channel; what is written
are the words of consent that make the table true, and no others.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from journeykit.engine.consent import (
    MARKETING,
    ConsentRules,
    confirmed,
    is_granted,
    with_word,
)
from journeykit.engine.customer import Consent
from journeykit.ports import CatalogDocument

MAX_CHOICES = 150
"""Of a page: a customer's document holds 200 words of consent."""

Choice = tuple[str, str]
"""A channel and a topic; an empty topic stands where a workspace has none."""


class Topic(NamedTuple):
    """What messages can be about.

    Attributes:
        id: Its name in journeys; empty: anything.
        name: What people call it; empty: its id.
    """

    id: str
    name: str = ""


class Offers(NamedTuple):
    """What there is to choose from.

    Attributes:
        channels: Over which marketing may come, in the order of the page.
        topics: What it may be about; one without an id where the workspace has none.
        rules: What holds where a customer has said nothing.
        questions: What surveys ask on the answer page, by their names and kinds: a text, or
            texts by locale.
    """

    channels: tuple[str, ...] = ()
    topics: tuple[Topic, ...] = (Topic(""),)
    rules: ConsentRules = ConsentRules(())
    questions: Mapping[tuple[str, str], str | Mapping[str, str]] = MappingProxyType({})

    def choices(self) -> Iterator[Choice]:
        """All there is to say yes or no to."""
        for topic in self.topics:
            for channel in self.channels:
                yield channel, topic.id

    def name_of(self, topic: str) -> str:
        """What people call a topic."""
        names = {each.id: each.name for each in self.topics}
        return names.get(topic) or topic


class Permissions(NamedTuple):
    """What a customer has said, and may say.

    Attributes:
        consents: The customer's words; none if nobody knows the customer.
        offers: What there is to choose from.
    """

    consents: Sequence[Consent] = ()
    offers: Offers = Offers()

    def granted(self) -> frozenset[Choice]:
        """What the customer would get."""
        return frozenset(
            choice for choice in self.offers.choices() if self._word(choice).allows
        )

    def pending(self) -> frozenset[Choice]:
        """What the customer has asked for and not confirmed yet."""
        return frozenset(
            choice
            for choice in self.offers.choices()
            if self._word(choice).word == "pending"
        )

    def is_off(self) -> bool:
        """Whether the customer has said no to everything."""
        return any(
            not word.granted
            and not word.pending
            and not (word.channel or word.topic)
            and word.purpose in ("", MARKETING)
            for word in self.consents
        )

    def word_on(self, channel: str, topic: str) -> Consent | None:
        """The customer's latest word on just that, about marketing."""
        for word in self.consents:
            said = (word.channel, word.topic, word.purpose)
            if said == (channel, topic, MARKETING) and not word.pending:
                return word
        return None

    def last_on(self, word: Consent) -> str:
        """What tells the customer's latest word on the same from others; empty: none."""
        for known in self.consents:
            is_same = (known.channel, known.topic, known.purpose) == (
                *(word.channel, word.topic),
                word.purpose,
            )
            if is_same and not known.pending:
                return f"{known.at} {known.granted}"
        return ""

    def asked_at(self, channel: str, topic: str) -> int | None:
        """When what a confirmation would make a yes of was asked for; None: nothing.

        The latest instant, milliseconds, if it is more than one request.
        """
        said = [word for word in self.consents if not word.pending]
        found = [
            word.at
            for word in self.consents
            if word.pending
            and confirmed(
                [*said, word], channel=channel, topic=topic, at=word.at, source=""
            )[1]
        ]
        return max(found, default=None)

    def is_granted(self, channel: str, topic: str) -> bool:
        """Whether the customer said yes to that, whatever else there is."""
        return is_granted(self.consents, Consent(True, 0, channel, topic, MARKETING))

    def words_for(
        self, wanted: Collection[Choice], *, shown: Collection[Choice]
    ) -> Sequence[Consent]:
        """Return the words after which the customer gets just what is wanted.

        To undo a no takes a yes to the same (`journeykit.engine.consent`): a no to more
        than is wanted is lifted first, and what isn't wanted gets a no of its own.

        Args:
            wanted: What the customer ticked.
            shown: What was ticked when the page was made. Whatever differs from it is
                said in any case: what is known here may be older than the page.
        """
        said = list(self.consents)
        words: list[Consent] = []

        def say(granted: bool, channel: str, topic: str, purpose: str) -> None:
            nonlocal said
            word = Consent(granted, 0, channel, topic, purpose)
            words.append(word)
            said = with_word(said, word)

        for choice in self.offers.choices():
            while choice in wanted and (no := self._ask(choice, said)).word == "no":
                if no.consent is None:
                    raise AssertionError("a no is somebody's word")
                say(True, no.consent.channel, no.consent.topic, no.consent.purpose)
        for choice in self.offers.choices():
            is_wanted = choice in wanted
            differs = self._ask(choice, said).allows != is_wanted
            if differs or (
                is_wanted != (choice in shown) and not _is_said(choice, words)
            ):
                say(is_wanted, *choice, MARKETING)
        return words

    def _word(self, choice: Choice) -> Any:
        return self._ask(choice, self.consents)

    def _ask(self, choice: Choice, said: Sequence[Consent]) -> Any:
        return self.offers.rules.ask(*choice, MARKETING, said)


def offers_of(document: CatalogDocument | None, carried: Collection[str]) -> Offers:
    """Return what can be chosen of what is published.

    Args:
        document: The published catalog; None: nothing is.
        carried: The channels that can be carried, if no journey says which are used.
    """
    if document is None:
        return Offers(tuple(sorted(carried)))
    channels: dict[str, None] = {}
    used: dict[str, None] = {}
    questions: dict[tuple[str, str], str | Mapping[str, str]] = {}
    for journey in document.journeys:
        for step in _sends(journey.get("steps")):
            if question := step.get("question"):
                # By the kind as well: links of earlier versions still ask for another.
                name = step.get("survey") or journey["id"]
                questions[name, step["kind"]] = question
            if (step.get("purpose") or journey.get("purpose")) != MARKETING:
                continue
            channel = step.get("channel") or ()
            names = [channel] if isinstance(channel, str) else channel
            channels.update(dict.fromkeys(names))
            if topic := step.get("topic") or journey.get("topic"):
                used[topic] = None
    listed = [
        Topic(each["id"], each.get("name") or "")
        for each in document.policies["topics"]
    ]
    topics = listed or [Topic(id) for id in used] or [Topic("")]
    offered = tuple(channels or sorted(carried))
    most = MAX_CHOICES // max(1, len(offered))
    return Offers(
        offered,
        tuple(topics[:most]),
        ConsentRules(document.policies["consent"]),
        questions,
    )


def _sends(part: object) -> Iterator[Mapping[str, Any]]:
    """All steps of a plan document that send, in whichever branch they stand."""
    if isinstance(part, Mapping):
        if part.get("type") in ("send", "survey"):
            yield part
        for inner in part.values():
            yield from _sends(inner)
    elif isinstance(part, list | tuple):
        for inner in part:
            yield from _sends(inner)


def _is_said(choice: Choice, words: Sequence[Consent]) -> bool:
    return any((word.channel, word.topic) == choice for word in words)
