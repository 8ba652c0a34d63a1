"""What stores keep of what comes in, goes out, and became of it."""

# ruff: noqa: D102 - a test's name is its sentence

from __future__ import annotations

from typing import Any, ClassVar, Protocol

import pytest
from msgspec.structs import replace

from journeykit.engine.commands import Command, PublishEvent
from journeykit.engine.stimuli import WakeUp
from journeykit.ports import (
    UNCOUNTED,
    Deliveries,
    Delivery,
    Inbox,
    Outbox,
    Outcome,
    Settled,
    Task,
)
from journeykit.testing.store_contract.contract import Contract
from journeykit.testing.store_contract.samples import (
    DAY,
    HOUR,
    NOW,
    make_call,
    make_message,
    make_stimuli,
)

FINAL: tuple[Outcome, ...] = ("sent", "failed", "uncertain", "returned")


class InboxContract(Contract):
    """What an inbox keeps."""

    def handle(self, store: Any, *numbers: int) -> None:
        """Let stimuli be handled."""
        raise NotImplementedError

    def test_the_oldest_stimulus_comes_first(self, store: Inbox) -> None:
        store.put([WakeUp("a"), WakeUp("b")])
        store.put([])
        store.put([WakeUp("c")])

        first = store.pending(2)
        assert [stimulus for _, stimulus in first] == [WakeUp("a"), WakeUp("b")]

        self.handle(store, *[number for number, _ in first])
        ((number, last),) = store.pending(2)
        assert last == WakeUp("c")
        assert number > max(number for number, _ in first)

    def test_every_kind_of_stimulus_is_kept(self, store: Inbox) -> None:
        stimuli = make_stimuli()

        store.put(stimuli)

        assert [stimulus for _, stimulus in store.pending(9)] == stimuli

    def test_a_stimulus_can_be_handled_only_once(self, store: Inbox) -> None:
        store.put([WakeUp("a")])
        ((number, _),) = store.pending(9)

        self.handle(store, number)
        store.put([WakeUp("b")])
        self.handle(store, number)

        assert [stimulus for _, stimulus in store.pending(9)] == [WakeUp("b")]


class OutboxContract(Contract):
    """What an outbox keeps; `decide` puts commands into it, `inbox` has its reports."""

    def test_every_kind_of_command_is_kept(self, store: Outbox) -> None:
        commands = (
            make_message(
                "d1", variables={"a": [1, {"b": None}]}, not_after=5, attempts=2
            ),
            make_call("c1", arguments={"x": 1.5}),
            PublishEvent("e1", "sent.out", "ada", {"x": "y"}, NOW, test=True),
        )

        self.decide(store, *commands)

        tasks = store.take(NOW, 9, lease_until=NOW + HOUR)
        assert tuple(task.command for task in tasks) == commands
        assert tasks[0] == Task(tasks[0].id, commands[0])

    def test_what_is_due_first_is_claimed_first(self, store: Outbox) -> None:
        offsets = (3, 1, 2, 1, 9)
        self.decide(store, *(make_message(f"d{n}", at=NOW + n) for n in offsets))

        def taken(now: int, limit: int) -> list[int]:
            tasks = store.take(now, limit, lease_until=now + HOUR)
            return [task.command.at - NOW for task in tasks]

        assert taken(NOW, 9) == []
        assert taken(NOW + 3, 3) == [1, 1, 2]
        assert taken(NOW + 3, 3) == [3]
        assert taken(NOW + 3, 3) == []

    def test_a_claimed_command_is_left_alone_until_its_lease_ends(
        self, store: Outbox
    ) -> None:
        self.decide(store, make_message("d1"))
        (task,) = store.take(NOW, 9, lease_until=NOW + HOUR)

        assert not store.take(NOW + HOUR - 1, 9, lease_until=NOW + DAY)
        (again,) = store.take(NOW + HOUR, 9, lease_until=NOW + 2 * HOUR)

        assert not task.lapsed
        assert again == replace(task, lapsed=True)

    def test_a_command_that_is_to_be_tried_again_comes_when_it_is_due(
        self, store: Outbox
    ) -> None:
        self.decide(store, make_message("d1"))
        (task,) = store.take(NOW, 9, lease_until=NOW + HOUR)

        store.settle([Settled(task.id, "again", NOW + 5, attempts=1, reserved=True)])

        assert not store.take(NOW + 4, 9, lease_until=NOW + HOUR)
        (again,) = store.take(NOW + 5, 9, lease_until=NOW + HOUR)
        assert again == replace(task, attempts=1, reserved=True)

        store.settle([Settled(task.id, "again", NOW + 6, attempts=2)])
        (again,) = store.take(NOW + 6, 9, lease_until=NOW + HOUR)
        assert again == replace(task, attempts=2)

    def test_a_settled_command_never_comes_again(self, store: Outbox) -> None:
        self.decide(store, *(make_message(f"d{n}") for n in range(4)))
        tasks = store.take(NOW, 9, lease_until=NOW + HOUR)

        store.settle(
            [
                Settled(task.id, outcome, NOW + 1)
                for task, outcome in zip(tasks, FINAL, strict=True)
            ]
        )

        assert not store.take(NOW + DAY, 9, lease_until=NOW + 2 * DAY)

    def test_reports_come_in_with_what_they_report(self, store: Outbox) -> None:
        self.decide(store, make_message("d1"))
        (task,) = store.take(NOW, 9, lease_until=NOW)
        reports = [WakeUp("ada"), WakeUp("bob")]

        store.settle([Settled(task.id, "sent", NOW)], reports=reports)
        store.settle([], reports=[WakeUp("cyd")])

        assert list(self.inbox(store)) == [*reports, WakeUp("cyd")]

    def test_several_workers_claim_different_commands(self, store: Outbox) -> None:
        self.decide(store, *(make_message(f"d{n}") for n in range(60)))

        def work(_: int) -> list[int]:
            claimed: list[int] = []
            while tasks := store.take(NOW, 3, lease_until=NOW + HOUR):
                claimed += [task.id for task in tasks]
            return claimed

        claimed = [id for ids in self.together(work, 6) for id in ids]

        assert len(claimed) == len(set(claimed)) == 60

    def test_the_backlog_is_what_is_not_settled(self, store: Outbox) -> None:
        assert store.backlog() == {"due": 0, "waiting": 0}
        self.decide(
            store, make_message("d1", at=NOW + 5), make_message("d2", at=NOW + 2)
        )
        assert store.backlog() == {"due": NOW + 2, "waiting": 2}

        (task,) = store.take(NOW + 2, 9, lease_until=NOW + 9)
        assert store.backlog() == {"due": NOW + 5, "waiting": 2}

        store.settle([Settled(task.id, "sent", NOW + 3)])
        assert store.backlog() == {"due": NOW + 5, "waiting": 1}


class OutboxWithDeliveries(Outbox, Deliveries, Protocol):
    """An outbox that keeps what became of messages itself."""


class DeliveriesContract(Contract):
    """What whoever keeps the fates of messages keeps; `decide` puts commands out.

    Attributes:
        forgets: Whether deliveries are gone as soon as later ones are settled; False:
            the store removes them by itself, at a time of its own.
    """

    forgets: ClassVar[bool] = True

    def settled(
        self, store: Any, command: Command, outcome: Any, *, at: int = NOW, **said: Any
    ) -> None:
        """Let a command be decided, claimed and settled."""
        self.decide(store, command)
        (task,) = store.take(NOW, 1, lease_until=NOW + HOUR)
        store.settle([Settled(task.id, outcome, at, **said)])

    def test_every_final_outcome_is_kept(self, store: OutboxWithDeliveries) -> None:
        for n, outcome in enumerate(FINAL):
            self.settled(store, make_message(f"d{n}"), outcome)

        found = store.find([f"d{n}" for n in range(4)])
        assert [found[f"d{n}"].outcome for n in range(4)] == list(FINAL)

    def test_what_is_to_be_tried_again_is_no_delivery_yet(
        self, store: OutboxWithDeliveries
    ) -> None:
        self.settled(store, make_message("d1"), "again", attempts=1)

        assert store.find(["d1"]) == {}
        assert store.tallies() == {}

    def test_the_first_word_counts(self, store: OutboxWithDeliveries) -> None:
        self.decide(store, make_message("d1"))
        (task,) = store.take(NOW, 9, lease_until=NOW)

        store.settle([Settled(task.id, "sent", NOW + 1)])
        store.settle([Settled(task.id, "failed", NOW + 2)])
        store.settle([Settled(task.id, "again", NOW + 3)])

        assert store.find(["d1"])["d1"].outcome == "sent"
        assert store.tallies() == {"welcome": (1, 0)}
        assert not store.take(NOW + DAY, 9, lease_until=NOW + DAY)

    def test_a_number_is_never_given_twice(self, store: OutboxWithDeliveries) -> None:
        self.decide(store, make_message("d1"))
        (old,) = store.take(NOW, 9, lease_until=NOW)
        store.settle([Settled(old.id, "sent", NOW)])
        self.decide(store, make_message("d2"))

        store.settle([Settled(old.id, "failed", NOW)])

        (task,) = store.take(NOW, 9, lease_until=NOW)
        assert task.id != old.id
        assert store.tallies() == {"welcome": (1, 0)}

    def test_a_delivery_tells_what_became_of_a_message(
        self, store: OutboxWithDeliveries
    ) -> None:
        message = make_message("ab12" * 6, test=True, enrollment="cd34" * 6)
        self.settled(
            store,
            message,
            "failed",
            reason="no such\nnumber",
            provider_id="p 1",
            address="ef56" * 6,
        )

        assert store.find(["ab12" * 6, "AB12" * 6, "x"]) == {
            "ab12" * 6: Delivery(
                id="ab12" * 6,
                customer="ada",
                channel="email",
                journey="welcome",
                version=3,
                step="send-email",
                enrollment="cd34" * 6,
                template="hello",
                outcome="failed",
                at=NOW,
                reason="no such\nnumber",
                provider_id="p 1",
                test=True,
                address="ef56" * 6,
            )
        }

    def test_a_delivery_tells_what_became_of_a_call(
        self, store: OutboxWithDeliveries
    ) -> None:
        self.settled(store, make_call("c1"), "sent")

        assert store.find(["c1"]) == {
            "c1": Delivery(
                id="c1",
                customer="ada",
                channel="voucher",
                journey="welcome",
                version=3,
                step="call-voucher",
                enrollment="e1",
                template="",
                outcome="sent",
                at=NOW,
            )
        }

    def test_a_published_event_is_no_delivery(
        self, store: OutboxWithDeliveries
    ) -> None:
        self.settled(store, PublishEvent("e1", "sent.out", "ada", {}, NOW), "failed")

        assert store.find(["e1"]) == {}
        assert store.tallies() == {}
        assert store.backlog()["waiting"] == 0

    @pytest.mark.parametrize(
        "id", ["", "a", "abcd", "0" * 24, "ABCDEF" * 4, "é" * 24, "0 " * 12, "x" * 256]
    )
    def test_a_delivery_is_found_by_any_id(
        self, store: OutboxWithDeliveries, id: str
    ) -> None:
        self.settled(store, make_message("abcdef01" * 3), "sent")
        self.settled(store, make_message(id, enrollment=id), "failed")

        found = store.find([id])

        assert found[id].outcome == "failed"
        assert found[id].enrollment == id

    def test_a_message_that_went_back_and_out_again_is_one_delivery(
        self, store: OutboxWithDeliveries
    ) -> None:
        self.settled(store, make_message("d1"), "returned", reason="pace")
        assert store.find(["d1"])["d1"].outcome == "returned"

        self.settled(store, make_message("d1"), "sent")

        assert store.find(["d1"])["d1"].outcome == "sent"
        assert store.tallies() == {"welcome": (1, 0)}

    def test_deliveries_are_counted_for_their_journey(
        self, store: OutboxWithDeliveries
    ) -> None:
        for n, outcome in enumerate(
            ("sent", "sent", "failed", "uncertain", "returned")
        ):
            self.settled(store, make_message(f"d{n}"), outcome)
        self.settled(store, make_call("c1", journey="vouchers"), "sent")
        self.settled(store, make_message("test", test=True), "failed")
        for n, reason in enumerate(UNCOUNTED):
            self.settled(store, make_message(f"u{n}"), "failed", reason=reason)

        assert store.tallies() == {"welcome": (2, 2), "vouchers": (1, 0)}

        store.reset_tallies(["welcome", "unheard-of"])
        self.settled(store, make_message("d9"), "failed")
        assert store.tallies() == {"welcome": (0, 1), "vouchers": (1, 0)}

    def test_deliveries_are_kept_for_30_days(self, store: OutboxWithDeliveries) -> None:
        for n in range(5):
            self.settled(store, make_message(f"old{n}"), "sent", at=NOW)
        for n in range(5):
            self.settled(store, make_message(f"new{n}"), "sent", at=NOW + 30 * DAY - 1)
        assert len(store.find([f"old{n}" for n in range(5)])) == 5

        for n in range(5):  # each takes some of the oldest along
            self.settled(store, make_message(f"last{n}"), "sent", at=NOW + 30 * DAY)

        if self.forgets:
            assert store.find([f"old{n}" for n in range(5)]) == {}
        assert len(store.find([f"new{n}" for n in range(5)])) == 5
