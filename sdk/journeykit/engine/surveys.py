"""Answers to surveys: each counts once, by whichever way it comes.

The ledger, from which caps are counted, also knows which messages were surveys, and which
of those were answered. An answer comes from the answer page, or is what somebody writes
back: then the engine lets `survey.answered` happen, and publishes it, so that archive and
traits have it like one from the page.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from journeykit.engine.customer import Released
from journeykit.engine.draft import Draft, Happening
from journeykit.engine.ids import answer_id
from journeykit.engine.limits import REPLY_MS
from journeykit.model.events import SURVEY_ANSWERED
from journeykit.model.surveys import said_by_reply


def is_again(draft: Draft, happening: Happening) -> bool:
    """Whether an event answers a message that was answered before."""
    if happening.name != SURVEY_ANSWERED:
        return False
    asks = draft.surveys.get(str(happening.properties.get("delivery_id")))
    return asks is not None and asks.answered


def answered(draft: Draft, happening: Happening) -> None:
    """Note in the ledger that a message was answered."""
    id = str(happening.properties.get("delivery_id"))
    asks = draft.surveys.get(id)
    if asks is None or asks.answered:
        return  # of another tool, or longer ago than anybody can answer
    draft.surveys = {**draft.surveys, id: replace(asks, answered=True)}
    draft.changed = True


def replied(draft: Draft, happening: Happening) -> None:
    """Take what somebody writes back for the answer to a survey, if it is one.

    It is one to the message that the reply names, else to the last one of its channel,
    within a week. Words with a meaning of their own (`STOP`) are no answer.
    """
    properties = happening.properties
    text = properties.get("text")
    if properties.get("keyword") or not isinstance(text, str):
        return
    entry = _asked(draft, properties)
    if entry is None or entry.at + REPLY_MS <= draft.at:
        return
    asks = draft.surveys[entry.delivery_id]
    said = None if asks.answered else said_by_reply(asks.kind, text)
    if said is None or not draft.may_cause():
        return
    answer = Happening(
        answer_id(entry.delivery_id),
        SURVEY_ANSWERED,
        {
            "survey": asks.survey,
            "kind": asks.kind,
            **said.properties(asks.kind),
            "channel": entry.channel,
            "delivery_id": entry.delivery_id,
        },
        generation=draft.generation + 1,
        # Providers don't know that a message was test traffic.
        test=happening.test or asks.test,
    )
    draft.emit(answer, public=True)
    draft.note("emitted", reason=answer.name, detail=draft.written(answer.properties))
    draft.changed = True


def is_followed_by(draft: Draft, entry: Released) -> bool:
    """Whether a message comes after a survey that may be answered by a reply.

    The ledger has to know it, whatever caps there are: the next reply is about it.
    """
    return any(
        item.channel == entry.channel
        and item.at + REPLY_MS > draft.now
        and item.delivery_id in draft.surveys
        for item in draft.ledger
    )


def _asked(draft: Draft, properties: Mapping[str, Any]) -> Released | None:
    """The survey that a reply is about; None: it is about something else."""
    id = properties.get("delivery_id")
    named = [item for item in draft.ledger if id and item.delivery_id == id]
    over = [i for i in draft.ledger if i.channel == properties.get("channel")]
    found = next(reversed(named or ([] if id else over)), None)
    return found if found is not None and found.delivery_id in draft.surveys else None
