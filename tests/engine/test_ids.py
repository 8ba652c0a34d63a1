"""Ids are derived, never drawn."""

from __future__ import annotations

from typing import Any

from journeykit import Journey, Send, Wait, hours, on
from journeykit.engine.ids import (
    delivery_id,
    derived,
    emitted_id,
    enrollment_id,
    is_derived,
    log_id,
    seen_hash,
)

JOURNEY = Journey(
    id="j",
    trigger=on("start"),
    steps=[Send("sms", "a"), Wait(hours(1)), Send("sms", "b")],
    reentry="always",
)


def test_equal_lives_have_equal_ids(drive: Any) -> None:
    one, two = drive(JOURNEY), drive(JOURNEY)
    for ada in (one, two):
        ada.event("start")
        ada.until("+2h")

    assert one.commands == two.commands


def test_an_enrollment_id_counts_the_entries(drive: Any) -> None:
    ada = drive(JOURNEY)

    ada.event("start")
    ada.event("start")

    created = ada.customer.created_at
    assert [run.id for run in ada.runs] == [
        enrollment_id("j", "ada", created, 1),
        enrollment_id("j", "ada", created, 2),
    ]


def test_who_was_erased_and_returned_reproduces_no_id(drive: Any) -> None:
    before, after = drive(JOURNEY), drive(JOURNEY)

    before.event("start", "+0h")
    after.event("start", "+1s")

    assert before.run.id != after.run.id


def test_a_delivery_id_is_that_of_run_step_visit_and_channel(drive: Any) -> None:
    ada = drive(JOURNEY)
    ada.event("start")
    run = ada.run.id

    ada.until("+1h")

    assert [command.delivery_id for command in ada.commands] == [
        delivery_id(run, "send-sms-a", 1, 0),
        delivery_id(run, "send-sms-b", 3, 0),
    ]


def test_parts_cannot_be_mistaken_for_each_other() -> None:
    assert derived("a", "bc") != derived("ab", "c")
    assert delivery_id("e", "s", 1, 11) != delivery_id("e", "s", 11, 1)
    assert delivery_id("e", "s", 1, 1) != emitted_id("e", "s", 1)
    assert seen_hash("shop", "1") != seen_hash("", "shop1")


def test_ids_stay_as_they_were_in_every_release() -> None:
    """Claims and logs out there hold them: a changed id would be a second message."""
    assert enrollment_id("j", "ada", 0, 1) == "1376347be5791849ce7aeee6"
    assert delivery_id("e", "s", 1, 0) == "c7176c964cd66e20d5f18c73"
    assert emitted_id("e", "s", 1) == "4640fb49edb766614b6d504f"
    assert seen_hash("shop", "1") == 15_979_110_433_559_379_185
    assert log_id("ada", "pepper") == "cab6c53bbc6953770c481b1f"


def test_the_name_in_the_logs_depends_on_the_salt() -> None:
    assert log_id("ada", "a") != log_id("ada", "b")
    assert log_id("ada", "a") != log_id("bob", "a")
    assert "ada" not in log_id("ada", "")


def test_what_looks_like_an_id_of_ours_is_told_from_other_text() -> None:
    assert is_derived(log_id("ada", ""))
    assert not any(map(is_derived, ["ada", "A" * 24, "a" * 23, "a" * 25, 24, None]))
