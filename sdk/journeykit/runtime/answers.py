"""What plugins answer is read here, item by item, before anything relies on it.

A channel or an action may return anything at all. What isn't an answer to what it was
asked must neither stop the others nor reach the store: a value that can't be written
down would come again with each attempt.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TypeVar

import msgspec

from journeykit.channels import (
    CallAgain,
    CallFailed,
    CallOutcome,
    Completed,
    Receipt,
    Rejected,
    RetryAfter,
    Sent,
    Uncertain,
)
from journeykit.engine.limits import DAY_MS, RESULT_BYTES

_TEXT_CHARACTERS = 200  # a provider's id or a reason; some quote a whole page
_LONGEST_S = DAY_MS / 1000

Answer = TypeVar("Answer")


def receipts_in(answer: object, asked: Collection[str]) -> Mapping[str, Receipt]:
    """The receipts by delivery id, one for each that was asked about.

    Where there is none it is `Uncertain`: `no_receipt`, or `bad_receipt` if what came may
    have been meant as one.

    Args:
        answer: What a channel returned.
        asked: The delivery ids of the messages that it was handed.
    """
    known, are_all_good = _by_id(answer, asked, _receipt)
    reason = "no_receipt" if are_all_good else "bad_receipt"
    return {id: known.get(id) or Uncertain(id, reason) for id in asked}


def outcomes_in(answer: object, asked: Collection[str]) -> Mapping[str, CallOutcome]:
    """The outcomes by call id; where there is none the call is to be tried again.

    Args:
        answer: What an action returned.
        asked: The ids of the calls that it was run for.
    """
    known, _ = _by_id(answer, asked, _outcome)
    return {id: known.get(id) or CallAgain(id, 0) for id in asked}


def _by_id(
    answer: object,
    asked: Collection[str],
    read: Callable[[object], tuple[str, Answer] | None],
) -> tuple[Mapping[str, Answer], bool]:
    """The answers to what was asked, each the only one; and whether there was no other."""
    wanted = frozenset(asked)
    known: dict[str, Answer] = {}
    count: Counter[str] = Counter()
    others = 0
    items: Iterable[object] = answer if isinstance(answer, Iterable) else [None]
    for item in items:
        try:
            found = read(item)
        except Exception:  # noqa: BLE001 - a stranger's value may raise at any touch
            found = None
        if found is None or found[0] not in wanted:
            others += 1
            continue
        id, one = found
        known[id] = one
        count[id] += 1
    twice = {id for id, times in count.items() if times > 1}
    only = {id: one for id, one in known.items() if id not in twice}
    return only, not (others or twice)


def _receipt(item: object) -> tuple[str, Receipt] | None:
    match item:
        case Sent(delivery_id=str(id), provider_id=provider_id):
            return id, Sent(id, _text(provider_id))
        case RetryAfter(delivery_id=str(id), seconds=seconds):
            return id, RetryAfter(id, _seconds(seconds))
        case Rejected(delivery_id=str(id), reason=reason, says=says):
            known = says if says in ("hard_bounce", "unsubscribed") else ""
            return id, Rejected(id, _text(reason), known)
        case Uncertain(delivery_id=str(id), reason=reason):
            return id, Uncertain(id, _text(reason))
        case _:
            return None


def _outcome(item: object) -> tuple[str, CallOutcome] | None:
    match item:
        case Completed(call_id=str(id), result=result):
            return id, _completed(id, result)
        case CallAgain(call_id=str(id), seconds=seconds, reason=reason):
            return id, CallAgain(id, _seconds(seconds), _text(reason))
        case CallFailed(call_id=str(id), reason=reason):
            return id, CallFailed(id, _text(reason))
        case _:
            return None


def _completed(id: str, result: object) -> CallOutcome:
    """Done, with plain JSON for a result; failed if that is not what it is."""
    bad = CallFailed(id, "bad_result")
    if not isinstance(result, Mapping):
        return bad
    try:
        document = msgspec.json.encode(dict(result))
        if len(document) > RESULT_BYTES:
            return CallFailed(id, "result_too_large")
        plain = msgspec.json.decode(document, type=dict[str, object])
        msgspec.msgpack.encode(plain)  # the inbox has no integers beyond 64 bits
    except Exception:  # noqa: BLE001 - a stranger's value may raise at any touch
        return bad
    return Completed(id, plain)


def _text(value: object) -> str:
    """A value as text that can be stored and shown."""
    text = "" if value is None else str(value)
    return text[:_TEXT_CHARACTERS].encode("utf-8", "replace").decode()


def _seconds(value: object) -> float:
    """A delay that can be waited for; 0 if it is none."""
    if isinstance(value, int | float) and 0 <= value <= _LONGEST_S:
        return float(value)
    return 0.0
