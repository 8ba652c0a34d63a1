"""Survey: a message that asks, the wait for its answer, and how soon the next may come."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st
from tests.engine.conftest import Drive

from journeykit import (
    Branch,
    Cap,
    Exit,
    Journey,
    Last,
    Policies,
    QuietHours,
    Repeat,
    Send,
    Survey,
    Wait,
    WaitFor,
    When,
    Window,
    audience_plan,
    days,
    event,
    hours,
    on,
    step,
)
from journeykit.engine.limits import SURVEYS
from journeykit.engine.words import words_of
from journeykit.model.surveys import SCALES, said_by_reply, said_in

RESULT = step("survey-nps").result
UNASKED = Send("email", "no-answer")
NPS = Last("nps", on("survey.answered"), value=event.score)


def ask(*channels: str, **options: Any) -> Survey:
    given: dict[str, Any] = {"kind": "nps", "within": days(7), **options}
    return Survey(list(channels) or ["email"], "how", **given)


def journey(*steps: Any, **options: Any) -> Journey:
    given = {"id": "j", "trigger": on("bought"), "steps": steps, "reentry": "always"}
    return Journey(**{**given, **options})


RECOVERY = journey(
    ask(otherwise=[UNASKED]),
    Branch(
        [
            When(RESULT.group == "detractor", [Send("email", "sorry")]),
            When(RESULT.score >= 9, [Send("email", "review")]),
        ],
        otherwise=[Send("email", "thanks")],
    ),
)


def answer(ada: Any, score: Any, at: str | None = None, **more: Any) -> list[str]:
    """The customer answers the last message by its page."""
    message = ada.commands[-1]
    properties = {
        "survey": message.survey,
        "kind": message.asks,
        "channel": message.channel,
        "delivery_id": message.delivery_id,
        **({} if score is None else {"score": score}),
        **more,
    }
    return ada.event("survey.answered", at, **properties)  # type: ignore[no-any-return]


def asked(drive: Any, *steps: Any, **options: Any) -> Any:
    """A customer who was asked at noon."""
    policies = options.pop("policies", None)
    audience = options.pop("audience", None)
    made = [journey(*steps, **options)] if steps else [RECOVERY]
    ada = drive(*made, policies=policies, audience=audience)
    ada.event("bought")
    return ada


# --- the answer ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("score", "follows"),
    [(0, "sorry"), (6, "sorry"), (7, "thanks"), (8, "thanks"), (9, "review")],
)
def test_the_answer_decides_where_the_run_goes(
    drive: Any, score: int, follows: str
) -> None:
    ada = asked(drive)

    answer(ada, score, "+3h")

    assert ada.sent == ["how +0s", f"{follows} +3h"]
    assert ada.reasons("went_on") == ["answered"]
    assert ada.runs == []


def test_without_an_answer_in_time_the_other_steps_follow(drive: Any) -> None:
    ada = asked(drive)

    ada.until("+30d")

    assert ada.sent == ["how +0s", "no-answer +168h", "thanks +168h"]
    assert ada.reasons("went_on") == ["timeout"]


def test_the_wait_begins_with_the_message_and_not_with_the_step(drive: Any) -> None:
    policies = Policies(caps=[Cap(1, within=hours(10))])
    early = Journey(
        id="a", trigger=on("bought"), steps=[Send("email", "early")], priority=9
    )
    late = journey(ask(on_capped="defer"))
    ada = drive(early, late, policies=policies)

    ada.event("bought")
    ada.until("+10h")

    assert ada.sent == ["early +0s", "how +10h"]
    assert ada.due_in == "+178h"


def test_an_answer_after_its_time_moves_nobody_but_is_an_event(drive: Any) -> None:
    other = Journey(
        id="late", trigger=on("survey.answered"), steps=[Send("sms", "late-thanks")]
    )
    ada = drive(journey(ask(), UNASKED), other)
    ada.event("bought")
    message = ada.commands[-1]
    ada.until("+8d")

    ada.event(
        "survey.answered", "+9d", delivery_id=message.delivery_id, score=3, kind="nps"
    )

    assert ada.sent == ["how +0s", "no-answer +168h", "late-thanks +216h"]


def test_the_result_holds_what_was_answered(drive: Any) -> None:
    mail = Send("email", "reply", variables={"said": step("survey-nps").result})
    ada = asked(drive, ask(), mail)

    answer(ada, 9, text="great service")

    assert ada.commands[-1].variables["said"] == {
        "kind": "nps",
        "survey": "j",
        "channel": "email",
        "score": 9,
        "group": "promoter",
        "text": "great service",
    }


def test_a_survey_in_words_has_no_score(drive: Any) -> None:
    text = step("survey-text").result.text
    ada = asked(drive, ask(kind="text"), Send("email", "x", variables={"t": text}))

    answer(ada, None, text="  all\r\nfine ")

    assert ada.commands[-1].variables == {"t": "all\nfine"}


@pytest.mark.parametrize("score", [-1, 11, 3.5, True, "many", None])
def test_what_is_no_score_is_no_answer(drive: Any, score: Any) -> None:
    ada = asked(drive)

    answer(ada, score)

    assert ada.run.step == "survey-nps"
    assert ada.sent == ["how +0s"]


def test_a_long_answer_is_cut_in_the_result(drive: Any) -> None:
    text = step("survey-nps").result.text
    ada = asked(drive, ask(), Send("email", "x", variables={"t": text}))

    answer(ada, 9, text="ö" * 1_900)

    assert ada.commands[-1].variables["t"].startswith("ööö")
    assert len(ada.commands[-1].variables["t"]) < 500


def test_without_a_wait_the_run_goes_on_at_once(drive: Any) -> None:
    answered = on("survey.answered", where=event.group == "detractor")
    ada = asked(
        drive,
        ask(within=None),
        WaitFor([When(answered, [Send("email", "sorry")])], timeout=days(2)),
    )

    answer(ada, 2, "+1d", group="detractor")

    assert ada.sent == ["how +0s", "sorry +24h"]


def test_an_answer_finds_its_run_whatever_the_key(drive: Any) -> None:
    ada = drive(journey(ask(), Send("email", "thanks"), key=event.order))
    ada.event("bought", order="o1")

    answer(ada, 9)

    assert ada.sent == ["how +0s", "thanks +0s"]


def test_an_answer_to_another_message_moves_nobody(drive: Any) -> None:
    ada = asked(drive)

    answer(ada, 9, delivery_id="0" * 24)

    assert ada.run.step == "survey-nps"


def test_each_round_of_a_loop_waits_for_an_answer_of_its_own(drive: Any) -> None:
    rest = Policies(survey_cool_down=days(1))
    sent = Send("email", "thanks", variables={"score": RESULT.score})
    ada = asked(drive, Repeat([ask(), sent, Wait(days(2))], times=2), policies=rest)

    answer(ada, 9)
    ada.until("+2d")
    answer(ada, 9, delivery_id=ada.commands[0].delivery_id)

    assert ada.sent == ["how +0s", "thanks +0s", "how +48h"]
    answer(ada, 4)
    assert [c.variables for c in ada.commands[1::2]] == [{"score": 9}, {"score": 4}]


# --- an answer counts once -------------------------------------------------------------


def test_a_second_answer_is_ignored_by_everybody(drive: Any) -> None:
    high = Branch([When("trait.nps == 9", [Send("email", "high")])])
    look = Journey(id="look", trigger=on("look"), steps=[high])
    ada = drive(RECOVERY, look, audience=audience_plan([NPS], [], []))
    ada.event("bought")
    message = ada.commands[-1]

    answer(ada, 9, "+1h")
    ada.event(
        "survey.answered",
        "+60d",
        delivery_id=message.delivery_id,
        kind="nps",
        score=0,
    )

    assert ada.trace[-1].reason == "answered"
    assert words_of(ada.trace[-1]).startswith("ignored an answer")
    assert "survey.answered" not in ada.did[-1]
    ada.event("look")
    assert ada.sent[-1] == "high +1440h"


def test_an_answer_of_another_tool_counts_as_often_as_it_comes(drive: Any) -> None:
    thanks = Journey(
        id="t",
        trigger=on("survey.answered"),
        steps=[Send("sms", "x")],
        reentry="always",
    )
    ada = drive(thanks)

    ada.event("survey.answered", survey="delighted", kind="nps", score=9)
    ada.event("survey.answered", survey="delighted", kind="nps", score=3)

    assert ada.sent == ["x +0s", "x +0s"]


@given(
    answers=st.lists(
        st.tuples(st.integers(0, 10), st.integers(0, 80), st.sampled_from("ptr")),
        min_size=1,
        max_size=6,
    )
)
def test_an_answer_counts_once_however_often_and_late_it_comes(
    answers: list[tuple[int, int, str]],
) -> None:
    thanks = Journey(
        id="t",
        trigger=on("survey.answered"),
        steps=[Send("letter", "t", variables={"score": event.score})],
        reentry="always",
    )
    ada = Drive(journey(ask("sms"), id="s"), thanks)
    ada.event("bought")
    message = ada.commands[0]
    hour = 0

    for score, later, way in answers:
        hour += later
        at = f"+{hour}h"
        if way == "r":
            ada.event("message.replied", at, channel="sms", text=f"{score} ok")
        else:
            ada.event(
                "survey.answered",
                at,
                id="one" if way == "p" else None,
                delivery_id=message.delivery_id,
                kind="nps",
                survey="s",
                score=score,
            )

    taken = [c for c in ada.commands if c.template == "t"]
    by_reply_only = all(way == "r" for _, _, way in answers)
    too_late = by_reply_only and answers[0][1] >= 7 * 24
    assert len(taken) == (0 if too_late else 1)


# --- replies -----------------------------------------------------------------------------


def test_a_reply_that_begins_with_a_score_is_an_answer(drive: Any) -> None:
    ada = asked(drive, ask("sms"), Send("sms", "x", variables={"r": RESULT}))

    ada.event("message.replied", "+1h", channel="sms", text="9 great", keyword="")

    assert ada.sent == ["how +0s", "x +1h"]
    assert ada.commands[-1].variables["r"] == {
        "kind": "nps",
        "survey": "j",
        "channel": "sms",
        "score": 9,
        "group": "promoter",
        "text": "great",
    }
    (published,) = ada.published
    assert (published.name, published.properties["score"]) == ("survey.answered", 9)


def test_traits_learn_of_an_answer_by_reply(drive: Any) -> None:
    low = Journey(
        id="low", trigger=on("x"), steps=[Branch([When("trait.nps <= 6", [UNASKED])])]
    )
    ada = drive(journey(ask("sms")), low, audience=audience_plan([NPS], [], []))
    ada.event("bought")

    ada.event("message.replied", channel="sms", text="3")
    ada.event("x")

    assert ada.sent[-1] == "no-answer +0s"


@pytest.mark.parametrize(
    "said",
    [
        {"text": "STOP", "keyword": "stop"},
        {"text": "what is this?"},
        {"text": "at 9:30 please"},
        {"text": "9", "channel": "whatsapp"},
        {"text": "9", "automated": True},
        {"text": 9},
    ],
    ids=["stop", "words", "time", "channel", "machine", "number"],
)
def test_another_reply_is_no_answer(drive: Any, said: dict[str, Any]) -> None:
    ada = asked(drive, ask("sms"))

    ada.event("message.replied", **{"channel": "sms", **said})

    assert ada.run.step == "survey-nps"
    assert ada.published == []


def test_a_reply_to_a_later_message_is_no_answer(drive: Any) -> None:
    later = Journey(id="later", trigger=on("later"), steps=[Send("sms", "news")])
    policies = Policies(caps=[Cap(9, within=days(1))])
    ada = drive(journey(ask("sms")), later, policies=policies)
    ada.event("bought")
    ada.event("later")

    ada.event("message.replied", channel="sms", text="9")
    assert ada.published == []

    ada.event(
        "message.replied",
        channel="sms",
        text="9",
        delivery_id=ada.commands[0].delivery_id,
    )
    assert len(ada.published) == 1


def test_a_later_message_is_known_also_if_no_cap_counts_it(drive: Any) -> None:
    later = Journey(id="later", trigger=on("later"), steps=[Send("sms", "news")])
    ada = drive(journey(ask("sms", within=days(30))), later)
    ada.event("bought")
    ada.event("later", "+1d")

    ada.event("message.replied", "+2d", channel="sms", text="1")

    assert ada.published == []
    assert ada.run.step == "survey-nps"
    ada.event("profile.updated", "+9d", city="Turin")
    assert (
        len(ada.customer.ledger) == 1
    )  # it was needed for as long as a reply may come


def test_what_is_sent_over_another_channel_is_no_later_message(drive: Any) -> None:
    later = Journey(id="later", trigger=on("later"), steps=[Send("email", "news")])
    ada = drive(journey(ask("sms")), later)
    ada.event("bought")
    ada.event("later")

    ada.event("message.replied", channel="sms", text="9")

    assert len(ada.customer.ledger) == 1
    assert [one.properties["score"] for one in ada.published] == [9]


def test_a_reply_to_test_traffic_is_test_traffic(drive: Any) -> None:
    """Providers don't say of a reply that the message was one."""
    ada = drive(journey(ask("sms")), audience=audience_plan([NPS], [], []))
    ada.event("bought", test=True)

    ada.event("message.replied", channel="sms", text="3")

    assert [one.test for one in ada.published] == [True]
    assert ada.customer.traits == {}


def test_somebody_who_waits_for_the_reply_has_it_and_the_survey_its_answer(
    drive: Any,
) -> None:
    waits = journey(
        WaitFor([When(on("message.replied"), [])], timeout=days(1)),
        Send("email", "heard"),
        id="w",
    )
    ada = drive(journey(ask("sms"), Send("email", "thanks")), waits)
    ada.event("bought")

    ada.event("message.replied", "+1h", channel="sms", text="10")

    assert sorted(ada.sent) == ["heard +1h", "how +0s", "thanks +1h"]


def test_a_number_that_belongs_to_nothing_is_no_answer(drive: Any) -> None:
    ada = drive(journey(ask("sms")))

    ada.event("message.replied", channel="sms", text="10")

    assert ada.published == []


def test_a_reply_after_a_week_is_no_answer(drive: Any) -> None:
    ada = asked(drive, ask("sms", within=days(30)))

    ada.event("message.replied", "+7d", channel="sms", text="9")

    assert ada.published == []


# --- fatigue -----------------------------------------------------------------------------


def second(**options: Any) -> Journey:
    return Journey(
        id="second",
        trigger=on("again"),
        steps=[ask(otherwise=[Exit("unasked")], **options)],
        reentry="always",
    )


def test_a_second_survey_within_90_days_is_not_sent(drive: Any) -> None:
    ada = drive(RECOVERY, second())
    ada.event("bought")
    ada.until("+89d")

    ada.event("again", "+89d")
    ada.event("again", "+90d")

    assert [said for said in ada.sent if said.startswith("how")] == [
        "how +0s",
        "how +2160h",
    ]
    (detail,) = ada.details("suppressed")
    assert ada.reasons("suppressed") == ["frequency_cap"]
    assert detail["rule"] == "no survey within 90d of another one"
    assert "unasked" in ada.reasons("exited")


def test_fatigue_holds_across_channels_and_purposes(drive: Any) -> None:
    other = Journey(
        id="second",
        trigger=on("again"),
        steps=[Survey("sms", "x", kind="text", purpose="transactional")],
    )
    ada = drive(RECOVERY, other)
    ada.event("bought")

    ada.event("again", "+1d")

    assert ada.reasons("suppressed") == ["frequency_cap"]


def test_a_workspace_may_ask_sooner_or_always(drive: Any) -> None:
    sooner = drive(RECOVERY, second(), policies=Policies(survey_cool_down=days(10)))
    always = drive(RECOVERY, second(), policies=Policies(survey_cool_down=days(0)))

    for ada, at in ((sooner, "+10d"), (always, "+1h")):
        ada.event("bought")
        ada.until(at)
        ada.event("again", at)

    assert sooner.reasons("suppressed") == always.reasons("suppressed") == []


def test_a_survey_that_never_arrived_tires_nobody(drive: Any) -> None:
    ada = drive(RECOVERY, second())
    ada.event("bought")
    lost = ada.commands[-1]
    ada.event("message.failed", delivery_id=lost.delivery_id, channel="email")

    ada.event("again", "+1d")

    assert ada.reasons("suppressed") == []
    assert "how +24h" in ada.sent


def test_caps_count_surveys_like_other_messages(drive: Any) -> None:
    policies = Policies(caps=[Cap(1, within=days(7))])
    ada = asked(drive, policies=policies)

    answer(ada, 9)

    assert ada.sent == ["how +0s"]
    assert ada.reasons("suppressed") == ["frequency_cap"]


def test_an_old_survey_is_forgotten_and_so_is_that_it_was_one(drive: Any) -> None:
    policies = Policies(caps=[Cap(5, within=days(1))])
    ada = asked(drive, ask(), Send("email", "x"), policies=policies)
    answer(ada, 9)
    assert len(ada.customer.ledger) == 2

    ada.event("profile.updated", "+10d", city="Genoa")
    assert [entry.delivery_id for entry in ada.customer.ledger] == [
        *ada.customer.surveys
    ]

    ada.event("profile.updated", "+100d", city="Turin")
    assert ada.customer.ledger == []
    assert ada.customer.surveys == {}


# --- what becomes of the message ---------------------------------------------------------


def test_who_is_not_asked_goes_the_way_without_an_answer(drive: Any) -> None:
    ada = drive(RECOVERY)
    ada.event("consent.changed", granted=False, purpose="marketing")

    ada.event("bought")

    assert ada.runs == []
    assert ada.reasons("suppressed") == ["no_consent"] * 3


@pytest.mark.parametrize("fate", ["bounced", "rejected", "failed"])
def test_nobody_waits_for_the_answer_to_a_message_that_is_lost(
    drive: Any, fate: str
) -> None:
    ada = asked(drive)
    run, message = ada.run, ada.commands[-1]

    ada.event(
        f"message.{fate}",
        "+1h",
        delivery_id=message.delivery_id,
        enrollment=run.id,
        channel="sms",
    )

    assert ada.sent == ["how +0s", "no-answer +1h", "thanks +1h"]
    assert ada.reasons("went_on") == ["not_asked"]


def test_a_message_that_came_back_is_asked_about_again_as_a_survey(drive: Any) -> None:
    ada = asked(drive)

    ada.returns("+2h")
    ada.until("+2h")
    answer(ada, 9, "+3h")

    assert ada.sent == ["how +0s", "how +2h", "review +3h"]


def test_a_message_that_never_went_ends_the_wait(drive: Any) -> None:
    ada = asked(drive, ask(expires_after=hours(1), otherwise=[UNASKED]))

    ada.returns("+2h")

    assert ada.sent == ["how +0s", "no-answer +0s"]
    assert ada.reasons("went_on") == ["not_asked"]


def falling_back(drive: Any, **options: Any) -> Any:
    first = ask("push", "email", fallback_after=hours(2), otherwise=[UNASKED])
    return asked(drive, first, Send("email", "thanks"), **options)


def heard(ada: Any, fate: str, at: str, n: int = -1) -> None:
    message = ada.commands[n]
    ada.event(
        f"message.{fate}",
        at,
        delivery_id=message.delivery_id,
        enrollment=message.enrollment,
        channel=message.channel,
    )


def test_the_next_channel_asks_if_the_first_is_not_heard_of(drive: Any) -> None:
    ada = falling_back(drive)

    ada.until("+2h")
    answer(ada, 9, "+5h")

    assert ada.sent == ["how +0s", "how +2h", "thanks +5h"]
    assert [c.channel for c in ada.commands[:2]] == ["push", "email"]
    assert ada.reasons("suppressed") == []  # it is the same survey


def test_both_messages_can_be_answered_and_the_time_runs_from_the_first(
    drive: Any,
) -> None:
    ada = falling_back(drive)
    push = ada.commands[0]
    ada.until("+2h")

    assert ada.due_in == "+168h"
    answer(ada, 3, "+3h", delivery_id=push.delivery_id)

    assert ada.sent[-1] == "thanks +3h"


def test_a_message_that_arrived_is_followed_by_no_other(drive: Any) -> None:
    ada = falling_back(drive)

    heard(ada, "delivered", "+1h")
    ada.until("+100h")
    assert ada.sent == ["how +0s"]

    answer(ada, 9, "+101h")
    assert ada.sent == ["how +0s", "thanks +101h"]


def test_one_that_bounced_is_followed_at_once(drive: Any) -> None:
    ada = falling_back(drive)

    heard(ada, "bounced", "+1h")

    assert ada.sent == ["how +0s", "how +1h"]


def test_the_first_may_still_be_answered_if_the_second_is_lost(drive: Any) -> None:
    ada = falling_back(drive)
    push = ada.commands[0]
    ada.until("+2h")

    heard(ada, "bounced", "+3h")
    assert ada.run.step == "survey-nps"

    answer(ada, 8, "+4h", delivery_id=push.delivery_id)
    assert ada.reasons("went_on") == ["answered"]


def test_nobody_waits_once_both_are_lost_however_often_that_is_said(
    drive: Any,
) -> None:
    ada = falling_back(drive)
    ada.until("+2h")

    heard(ada, "rejected", "+3h", 0)
    heard(ada, "rejected", "+3h", 0)
    assert ada.run.step == "survey-nps"

    heard(ada, "rejected", "+4h", 1)
    assert ada.reasons("went_on") == ["not_asked"]


def test_a_second_channel_that_is_refused_leaves_the_first_to_be_answered(
    drive: Any,
) -> None:
    policies = Policies(caps=[Cap(0, within=days(1), channel="email")])
    ada = falling_back(drive, policies=policies)

    ada.until("+2h")
    assert ada.run.step == "survey-nps"
    answer(ada, 8, "+4h")

    assert ada.sent == ["how +0s"]  # the thanks are an e-mail, too
    assert ada.reasons("went_on") == ["answered"]


def test_a_second_channel_that_is_refused_is_not_waited_for_if_the_first_is_lost(
    drive: Any,
) -> None:
    policies = Policies(caps=[Cap(0, within=days(1), channel="email")])
    ada = falling_back(drive, policies=policies)
    ada.event("profile.updated", email="")

    heard(ada, "bounced", "+1h")

    assert ada.runs == []
    assert ada.reasons("went_on")[-1] == "not_asked"


def test_a_second_message_that_came_back_is_still_of_the_same_survey(
    drive: Any,
) -> None:
    ada = falling_back(drive)
    ada.until("+2h")

    ada.returns("+5h")
    ada.until("+5h")

    assert ada.sent == ["how +0s", "how +2h", "how +5h"]
    assert ada.reasons("suppressed") == []


def test_one_that_came_back_is_refused_if_another_journey_has_asked_meanwhile(
    drive: Any,
) -> None:
    other = Journey(id="k", trigger=on("called"), steps=[ask("sms", kind="ces")])
    ada = drive(journey(ask()), other)
    ada.event("bought")
    ada.returns("+5h")
    ada.event("called", "+1h")

    ada.until("+5h")

    assert [c.channel for c in ada.commands] == ["email", "sms"]
    assert ada.reasons("suppressed") == ["frequency_cap"]


@pytest.mark.parametrize("on_quiet", ["defer", "skip"])
def test_no_second_channel_asks_after_the_time_for_an_answer(
    drive: Any, on_quiet: str
) -> None:
    night = QuietHours(Window("13:00", "11:00"), channel="email")
    first = ask(
        "push",
        "email",
        fallback_after=hours(2),
        within=hours(5),
        on_quiet=on_quiet,
        otherwise=[Send("push", "no-answer")],
    )
    ada = asked(drive, first, policies=Policies(quiet_hours=[night]))

    ada.until("+100h")

    assert ada.sent == ["how +0s", "no-answer +5h"]
    assert ada.reasons("went_on") == ["timeout"]


def test_a_pause_that_outlasts_the_time_for_an_answer_asks_nobody(drive: Any) -> None:
    ada = falling_back(drive, purpose="transactional")
    ada.state("j", "paused")
    ada.until("+3h")
    ada.now = ada.instant("+200h")
    ada.state("j", "live")

    ada.wake("+200h")
    ada.until("+300h")

    assert ada.sent[0] == "how +0s"
    assert not any(sent.startswith("how") for sent in ada.sent[1:])
    assert ada.reasons("went_on") == ["timeout"]


def test_who_answers_while_the_journey_is_paused_goes_on_after_it(drive: Any) -> None:
    ada = asked(drive)
    ada.state("j", "paused")
    answer(ada, 9, "+1h")
    assert ada.sent == ["how +0s"]

    ada.state("j", "live")
    ada.wake("+200h")

    assert [sent.split()[0] for sent in ada.sent] == ["how", "review"]


def test_an_answer_after_a_stop_moves_nobody(drive: Any) -> None:
    ada = asked(drive)
    ada.state("j", "stopped")

    answer(ada, 9, "+1h")

    assert ada.runs == []
    assert ada.sent == ["how +0s"]


def test_a_result_says_what_was_asked_and_not_what_an_event_claims(drive: Any) -> None:
    seen = Send("email", "x", variables={"r": RESULT})
    ada = asked(drive, ask(survey="checkout"), seen)

    answer(ada, 9, survey="s" * 9_000, channel="c" * 9_000)

    assert ada.commands[-1].variables["r"] == {
        "kind": "nps",
        "survey": "checkout",
        "channel": "email",
        "score": 9,
        "group": "promoter",
    }


def test_no_more_than_50_surveys_are_remembered(drive: Any) -> None:
    ada = drive(journey(ask(within=None)), policies=Policies(survey_cool_down=days(0)))
    for hour in range(SURVEYS + 5):
        ada.event("bought", f"+{hour}h")

    assert [*ada.customer.surveys] == [c.delivery_id for c in ada.commands[-SURVEYS:]]


def test_a_goal_ends_a_run_that_waits_for_an_answer(drive: Any) -> None:
    ada = asked(drive, ask(), exit_rules=[on("left")])

    ada.event("left")

    assert ada.runs == []


# --- scores ------------------------------------------------------------------------------


def test_a_tab_keeps_words_apart_and_other_control_characters_are_dropped() -> None:
    said = said_in("text", "", "so\tso\x00 \x1b[31mlala\r\nand more\n")

    assert said is not None
    assert said.text == "so so [31mlala\nand more"


@given(kind=st.sampled_from([*SCALES]), score=st.integers(-3, 15))
def test_each_score_of_a_scale_is_in_one_group(kind: str, score: int) -> None:
    said = said_in(kind, str(score), "")

    scale = SCALES[kind]
    assert (said is not None) == (scale.low <= score <= scale.high)
    if said is not None:
        names = [name for _, name in scale.groups]
        assert said.properties(kind)["group"] in names


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ("9", 9),
        (" 10 ", 10),
        ("9/10 - great!", 9),
        ("7, it was fine", 7),
        ("٩ شكرا", 9),
        ("0", 0),
        ("11", None),
        ("100", None),
        ("3/4", None),
        ("9.5", None),
        ("9:30", None),
        ("9th of May", None),
        ("great", None),
        ("", None),
        ("²", None),
    ],
)
def test_a_reply_is_read_as_people_write_it(text: str, score: int | None) -> None:
    said = said_by_reply("nps", text)

    assert (said.score if said else None) == score


@given(st.text(max_size=50))
def test_any_reply_is_read_or_not(text: str) -> None:
    for kind in ("nps", "csat", "ces", "text"):
        said = said_by_reply(kind, text)
        if said is not None and said.score is not None:
            assert said.score in SCALES[kind].scores
