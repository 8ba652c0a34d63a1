"""Message figures: case 40 of the ledger, and what each share is of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from tests.insight.recording import record
from tests.insight.tables import DAY, START, emptied, put

from journeykit import Cap, Event, Journey, Policies, Send, days, on
from journeykit.errors import InputError
from journeykit.insight.messages import MessageFigures, Messages, messages
from journeykit.insight.sources import Logs
from journeykit.insight.warehouse import Warehouse
from journeykit.testing import make_event

HELLO = Journey(
    "hello",
    trigger=on("signed.up"),
    reentry="always",
    steps=[Send("email", "hello"), Send("sms", "hello")],
)


@pytest.fixture(scope="module")
def empty() -> Iterator[Warehouse]:
    with Warehouse.open(Logs([])) as opened:
        yield opened


def signed_up(customer: str, day: int = 1, **options: Any) -> Event:
    return make_event(
        "signed.up", customer, at=f"2026-06-{day:02}T09:00:00Z", **options
    )


def told(what: str, message: int | str, **properties: Any) -> dict[str, Any]:
    name = f"message.{what}"
    delivery = f"{message:024x}" if isinstance(message, int) else message
    return {
        "event": hash((what, message)) % 2**60, "id": f"{what}-{message}",
        "source": "", "name": name, "person": 1, "customer_known": True,
        "happened_ms": START + DAY, "received_ms": START + DAY, "test": False,
        "properties": f'{{"delivery_id": "{delivery}"}}',
    }  # fmt: skip


def row(found: Messages, channel: str) -> MessageFigures:
    return next(one for one in found.rows if one.channel == channel)


def test_messages_and_their_fates_are_counted(tmp_path: Path) -> None:
    fates: Any = {"email": ["delivered", "opened after 3h", "clicked after 4h"]}
    logs = record(tmp_path, HELLO, [signed_up("ada"), signed_up("ben")], fates=fates)

    with Warehouse.open(logs) as house:
        found = messages(house)

    email, sms = row(found, "email"), row(found, "sms")
    assert (email.released, email.people) == (2, 2)
    assert (email.delivered.count, email.opened.count, email.clicked.count) == (2, 2, 2)
    assert email.clicked_of_opened.share == 1
    assert email.replied.share is None  # nobody ever told of a reply there
    assert email.complained.share == 0
    assert sms.released == 2
    assert sms.delivered.share is sms.opened.share is sms.bounced.share is None
    assert found.silent_channels == ["sms"]
    assert found.total.released == 4
    assert found.total.delivered.of == found.total.opened.of == 2


def test_what_is_reported_of_an_unknown_message_counts_nowhere(tmp_path: Path) -> None:
    # Case 40: one sent, two delivered receipts, one of them for an unknown message.
    known = record(
        tmp_path / "known", HELLO, [signed_up("ada")], fates={"email": "delivered"}
    )
    stranger = tmp_path / "stranger.jsonl"
    lines = (tmp_path / "known" / "events-000000.jsonl").read_text().splitlines()
    receipt = next(line for line in lines if '"message.delivered"' in line)
    start = receipt.index('"delivery_id":"') + len('"delivery_id":"')
    unknown = receipt[:start] + "f" * 24 + receipt[start + 24 :]
    again = receipt.replace('"id":"', '"id":"again-')
    other = unknown.replace('"id":"', '"id":"other-')
    stranger.write_text(f"{other}\n{again}\n")
    from journeykit.insight.sources import files

    logs = Logs(known.decisions, [*known.events, *files([stranger])])

    with Warehouse.open(logs) as house:
        assert house.row(
            "select count(*) from events where name = 'message.delivered'"
        ) == (3,)
        email = row(messages(house), "email")

    assert (email.released, email.delivered.count) == (1, 1)


def test_test_traffic_counts_nowhere(tmp_path: Path) -> None:
    logs = record(tmp_path, HELLO, [signed_up("ada", test=True)])

    with Warehouse.open(logs) as house:
        found = messages(house)
        assert house.test_runs == 1

    assert found.rows == []
    assert found.total.released == 0
    assert found.total.held_back.share is None


def test_what_is_suppressed_stands_beside_what_was_sent(tmp_path: Path) -> None:
    capped = Policies(caps=[Cap(1, within=days(30), channel="email")])
    logs = record(
        tmp_path, HELLO, [signed_up("ada", day) for day in (1, 2, 3)], policies=capped
    )

    with Warehouse.open(logs) as house:
        found = messages(house)

    email = row(found, "email")
    assert (email.released, email.suppressed) == (1, {"frequency_cap": 2})
    assert email.held_back.share == 2 / 3
    assert found.total.suppressed == {"frequency_cap": 2}


def test_messages_can_be_told_apart_by_journey_and_step(tmp_path: Path) -> None:
    logs = record(tmp_path, HELLO, [signed_up("ada")])

    with Warehouse.open(logs) as house:
        by_journey = messages(house, by=["journey"])
        by_step = messages(house, by=["journey", "step"])
        at_all = messages(house, by=[])

    assert [(one.journey, one.released) for one in by_journey.rows] == [("hello", 2)]
    assert {(one.journey, one.step) for one in by_step.rows} == {
        ("hello", "send-email-hello"),
        ("hello", "send-sms-hello"),
    }
    assert [one.released for one in at_all.rows] == [2]


@pytest.mark.parametrize(
    ("by", "why"),
    [(["color"], "have no 'color'"), (["step", "step"], "once by each")],
    ids=["unknown", "twice"],
)
def test_messages_have_nothing_else_to_be_told_apart_by(
    empty: Warehouse, by: Any, why: str
) -> None:
    with pytest.raises(InputError, match=why):
        messages(empty, by=by)


def test_the_trend_is_by_week_from_monday(empty: Warehouse) -> None:
    emptied(empty)
    put(empty, "messages", [sent(n, START + n * DAY) for n in range(-1, 8)])

    found = messages(empty, per="week")

    assert [(f"{one.starts_at:%m-%d}", one.released) for one in found.trend] == [
        ("05-25", 1),
        ("06-01", 7),
        ("06-08", 1),
    ]


def sent(number: int, at: int, **fates: Any) -> dict[str, Any]:
    return {
        "delivery": abs(number), "run": 1, "person": 1, "journey": "j", "version": 1,
        "step": "s", "channel": "email", "template": "t", "sent_ms": at,
        "test": False, **fates,
    }  # fmt: skip


FATES = ("delivered", "opened", "clicked", "replied", "complained", "unsubscribed")


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.sets(st.sampled_from(FATES)), st.booleans()), max_size=12),
    st.booleans(),
)
def test_no_share_is_of_more_than_there_is(
    empty: Warehouse, fates: list[tuple[set[str], bool]], tells: bool
) -> None:
    emptied(empty)
    rows = []
    for number, (happened, lost) in enumerate(fates):
        if happened & {"opened", "clicked", "replied"}:
            happened = happened | {"delivered"}  # as the warehouse has it
        told_of = {f"{fate}_ms": START + DAY for fate in happened}
        if lost and not happened:
            told_of["undelivered"] = "failed"  # type: ignore[assignment]
        rows.append(sent(number, START, **told_of))
    put(empty, "messages", rows)
    if tells:
        put(
            empty,
            "events",
            [
                told("delivered", f"{n:016x}")
                for n, (happened, _) in enumerate(fates)
                if "delivered" in happened
            ],
        )

    total = messages(empty).total

    assert total.released == len(fates)
    assert total.reached <= total.released
    for name in (*FATES, "bounced", "clicked_of_opened", "held_back"):
        share = getattr(total, name)
        assert 0 <= share.count <= share.of
    opened = sum("opened" in happened for happened, _ in fates)
    assert total.opened.count == opened
    assert sum(total.undelivered.values()) == sum(
        lost and not happened for happened, lost in fates
    )
