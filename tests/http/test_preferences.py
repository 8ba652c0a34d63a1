"""What is chosen on the page is what the guards find."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import given, strategies as st

from journeykit import Branch, Journey, Policies, Send, When, on, profile
from journeykit.engine.consent import MARKETING, ConsentRules, with_word
from journeykit.engine.customer import Consent
from journeykit.http.preferences import (
    MAX_CHOICES,
    Offers,
    Permissions,
    Topic,
    offers_of,
)
from journeykit.model.policies import Topic as PolicyTopic
from journeykit.ports import CatalogDocument

CHANNELS = ("email", "sms", "push")
TOPICS = ("news", "offers")

consents = st.lists(
    st.builds(
        Consent,
        granted=st.booleans(),
        at=st.integers(1, 9),
        channel=st.sampled_from(("", *CHANNELS)),
        topic=st.sampled_from(("", *TOPICS, "elsewhere")),
        purpose=st.sampled_from(("", MARKETING, "transactional")),
        pending=st.booleans(),
    ),
    max_size=8,
)
defaults = st.lists(
    st.fixed_dictionaries(
        {
            "default": st.sampled_from(("allow", "refuse")),
            "channel": st.sampled_from((None, *CHANNELS)),
            "topic": st.sampled_from((None, *TOPICS)),
            "purpose": st.just(MARKETING),
        }
    ),
    max_size=3,
)
offered = st.builds(
    Offers,
    st.lists(st.sampled_from(CHANNELS), min_size=1, unique=True).map(tuple),
    st.sampled_from(((Topic(""),), tuple(map(Topic, TOPICS)))),
    defaults.map(ConsentRules),
)


def unique(words: Sequence[Consent]) -> list[Consent]:
    """As a document holds them: a request waits, a word is settled."""
    kept: list[Consent] = []
    for word in words:
        kept = [*kept, word] if word.pending else with_word(kept, word)
    return kept


@given(offered, consents, st.data())
def test_after_a_choice_the_customer_gets_just_what_was_chosen(
    offers: Offers, said: list[Consent], data: st.DataObject
) -> None:
    before = Permissions(unique(said), offers)
    every = list(offers.choices())
    wanted = data.draw(st.sets(st.sampled_from(every)))
    shown = data.draw(st.sets(st.sampled_from(every)))

    words = before.words_for(wanted, shown=shown)

    after = list(before.consents)
    for word in words:
        after = with_word(after, word)
    assert Permissions(after, offers).granted() == wanted


@given(offered, consents, st.data())
def test_in_whichever_order_the_words_arrive(
    offers: Offers, said: list[Consent], data: st.DataObject
) -> None:
    before = Permissions(unique(said), offers)
    every = list(offers.choices())
    wanted = data.draw(st.sets(st.sampled_from(every)))

    words = before.words_for(wanted, shown=before.granted())

    keys = [(word.channel, word.topic, word.purpose) for word in words]
    assert len(keys) == len(set(keys))  # none undoes another
    after = list(before.consents)
    for word in data.draw(st.permutations(words)):
        after = with_word(after, word)
    assert Permissions(after, offers).granted() == wanted


@given(offered, consents)
def test_saving_what_is_there_says_nothing(offers: Offers, said: list[Consent]) -> None:
    known = Permissions(unique(said), offers)

    assert known.words_for(known.granted(), shown=known.granted()) == []


OFFERS = Offers(("email", "sms"), (Topic("news", "News"), Topic("offers")))
OFF = Consent(False, 1, "", "", MARKETING)


def test_coming_back_lifts_the_no_to_everything_and_says_no_to_the_rest() -> None:
    words = Permissions([OFF], OFFERS).words_for({("email", "news")}, shown=set())

    assert words == [
        Consent(True, 0, "", "", MARKETING),
        Consent(True, 0, "email", "news", MARKETING),
        Consent(False, 0, "sms", "news", MARKETING),
        Consent(False, 0, "email", "offers", MARKETING),
        Consent(False, 0, "sms", "offers", MARKETING),
    ]


def test_what_was_just_changed_and_is_not_known_here_yet_is_said_again() -> None:
    # It was ticked, taken away, and is ticked again, faster than the first is stored.
    known = Permissions([], OFFERS)
    every = frozenset(OFFERS.choices())

    words = known.words_for(every, shown=every - {("email", "news")})

    assert words == [Consent(True, 0, "email", "news", MARKETING)]


def test_a_no_to_everything_is_told_from_one_to_a_channel() -> None:
    assert Permissions([OFF], OFFERS).is_off()
    assert not Permissions([Consent(False, 1, "email", "", MARKETING)]).is_off()
    assert not Permissions([Consent(True, 1, "", "", MARKETING)]).is_off()
    assert not Permissions([Consent(False, 1, "", "", "transactional")]).is_off()


def test_a_request_is_shown_as_one() -> None:
    asked = Consent(False, 1, "email", "news", MARKETING, "", True)
    rules = ConsentRules(
        [{"default": "refuse", "channel": None, "topic": None, "purpose": "marketing"}]
    )
    known = Permissions([asked], OFFERS._replace(rules=rules))

    assert known.pending() == {("email", "news")}
    assert known.granted() == frozenset()
    assert known.word_on("email", "news") is None


# What there is to choose from


def published(*journeys: Journey, **policies: Any) -> CatalogDocument:
    return CatalogDocument(
        1, 0, "0", [one.to_plan() for one in journeys], Policies(**policies).to_plan()
    )


def test_what_journeys_send_can_be_chosen() -> None:
    document = published(
        Journey(
            "a",
            trigger=on("x"),
            topic="news",
            steps=[
                Send(["push", "email"], "hello"),
                Branch(
                    [When(profile.vip == "yes", [Send("sms", "vip", topic="offers")])],
                    otherwise=[Send("letter", "bill", purpose="transactional")],
                ),
            ],
        )
    )

    offers = offers_of(document, ["email", "letter", "webhook"])

    assert offers.channels == ("push", "email", "sms")
    assert [topic.id for topic in offers.topics] == ["news", "offers"]


def test_the_policies_name_the_topics() -> None:
    topics = [PolicyTopic("news", name="Our news"), PolicyTopic("offers")]
    document = published(
        Journey("a", trigger=on("x"), steps=[Send("email", "hello", topic="news")]),
        topics=topics,
    )

    offers = offers_of(document, [])

    assert offers.topics == (Topic("news", "Our news"), Topic("offers"))
    assert [offers.name_of(id) for id in ("news", "offers", "gone")] == [
        "Our news",
        "offers",
        "gone",
    ]


def test_before_anything_is_published_there_are_the_channels() -> None:
    assert offers_of(None, ["sms", "email"]).channels == ("email", "sms")
    assert list(offers_of(published(), ["email"]).choices()) == [("email", "")]


def test_there_is_no_more_to_choose_than_a_customer_can_hold() -> None:
    topics = [PolicyTopic(f"t{n}") for n in range(200)]
    sends = [Send(["email", "sms"], "hello")]
    document = published(Journey("a", trigger=on("x"), steps=sends), topics=topics)

    assert len(list(offers_of(document, []).choices())) == MAX_CHOICES
