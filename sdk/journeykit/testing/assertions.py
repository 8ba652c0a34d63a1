"""What an author asserts of a simulation; each failure tells the customer's story.

No bare asserts: pytest would add to a story what it thinks of a list that is empty.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from difflib import get_close_matches

from journeykit.engine.calendar import to_datetime, to_ms
from journeykit.engine.customer import Enrollment
from journeykit.engine.words import words_of
from journeykit.model.events import instant
from journeykit.model.plain_text import printable
from journeykit.testing.channels import SentMessage
from journeykit.testing.history import History
from journeykit.testing.record import Traced


class Assertions(History):
    """A history that an author can hold against what was meant to happen.

    Each assertion raises ValueError for a journey or a template that there is not, so
    that a misspelt name can't make a test pass.
    """

    def assert_entered(self, customer: str, journey: str | None = None) -> Traced:
        """Assert that a run started, held out or not, and return its start."""
        __tracebackhide__ = True
        self._name(journey=journey)
        runs = [
            *self.entries("entered", customer=customer, journey=journey),
            *self.entries("held_out", customer=customer, journey=journey),
        ]
        self._require(
            runs,
            customer,
            f"{customer!r} did not enter{_in(journey)}",
            self.entries("not_entered", customer=customer, journey=journey),
        )
        return runs[-1]

    def assert_not_entered(
        self, customer: str, journey: str | None = None, *, reason: str | None = None
    ) -> None:
        """Assert that no run started; with a reason, that this kept one from starting."""
        __tracebackhide__ = True
        if reason is None:
            self._name(customer=customer, journey=journey)
            runs = self.entries("entered", customer=customer, journey=journey)
            self._require(not runs, customer, f"{customer!r} entered", runs)
        else:
            self._assert_decided("not_entered", customer, journey, reason)

    def assert_sent(
        self,
        customer: str,
        template: str | None = None,
        *,
        channel: str | None = None,
        at: datetime | str | None = None,
        times: int | None = None,
    ) -> SentMessage:
        """Assert that a message was sent, and return it, the last one of several.

        Args:
            customer: To whom.
            template: Which.
            channel: Over which channel.
            at: Exactly when.
            times: How often; at least once if not given.

        Raises:
            ValueError: No times are asked for.
        """
        __tracebackhide__ = True
        if times == 0:
            raise ValueError("for no times there is assert_not_sent")
        self._name(template=template)
        sends = self._matching(customer, template, channel)
        if at is not None:
            when = instant(at, place="at")
            sends = [message for message in sends if message.at == when]
        asked = f"{_message(template, channel)}{f' at {at}' if at else ''}"
        decided = self._decided_on(customer, template)
        self._require(sends, customer, f"{customer!r} was not sent {asked}", decided)
        self._require(
            times in (None, len(sends)),
            customer,
            f"{customer!r} was sent {asked} {_times(len(sends))}, not {times}",
            decided,
        )
        return sends[-1]

    def assert_not_sent(
        self, customer: str, template: str | None = None, *, channel: str | None = None
    ) -> None:
        """Assert that no such message was sent."""
        __tracebackhide__ = True
        self._name(customer=customer, template=template)
        sends = self._matching(customer, template, channel)
        self._require(
            not sends,
            customer,
            f"{customer!r} was sent {_message(template, channel)}",
            self._decided_on(customer, template, "sent"),
        )

    def assert_suppressed(
        self, customer: str, template: str | None = None, *, reason: str | None = None
    ) -> Traced:
        """Assert that a guard kept a message back for good, and return the decision."""
        __tracebackhide__ = True
        self._name(template=template)
        decided = self._decided_on(customer, template)
        found = [
            traced
            for traced in decided
            if traced.kind == "suppressed" and reason in (None, traced.reason)
        ]
        because = f" because of {reason!r}" if reason else ""
        self._require(
            found,
            customer,
            f"no {_message(template, None)} to {customer!r} was suppressed{because}",
            decided,
        )
        return found[-1]

    def assert_fell_back(
        self,
        customer: str,
        template: str | None = None,
        *,
        channel: str | None = None,
        reason: str | None = None,
    ) -> Traced:
        """Assert that a Send turned to its next channel, and return the decision.

        Args:
            customer: Whose.
            template: Of which message.
            channel: Away from which channel.
            reason: Why: `timeout`, `bounced`, `rejected`, `failed`, `not_sent`.
        """
        __tracebackhide__ = True
        self._name(template=template)
        decided = self._decided_on(customer, template, "sent", "fell_back", "went_on")
        found = [
            traced
            for traced in decided
            if traced.kind == "fell_back"
            and reason in (None, traced.reason)
            and channel in (None, traced.detail.get("channel"))
        ]
        away = f" from {channel}" if channel else ""
        because = f" because of {reason!r}" if reason else ""
        wanted = (
            f"no {_message(template, None)} to {customer!r} fell back{away}{because}"
        )
        self._require(found, customer, wanted, decided)
        return found[-1]

    def assert_reached(
        self,
        customer: str,
        journey: str | None = None,
        *,
        goal: str | None = None,
        value: float | None = None,
    ) -> Traced:
        """Assert that a goal was reached, and return the decision."""
        __tracebackhide__ = True
        self._name(journey=journey)
        reached = self.entries("goal", customer=customer, journey=journey, reason=goal)
        worth = [
            traced
            for traced in reached
            if value is None or traced.detail.get("value") == value
        ]
        wanted = f"{repr(goal) if goal else 'a goal'}{_in(journey)}"
        self._require(
            worth,
            customer,
            f"{customer!r} did not reach {wanted}"
            + ("" if value is None else f" with the value {value:g}"),
            reached,
        )
        return worth[-1]

    def assert_completed(self, customer: str, journey: str | None = None) -> Traced:
        """Assert that a run came to the end of its steps, and return the decision."""
        __tracebackhide__ = True
        return self._assert_decided("completed", customer, journey, None)

    def assert_exited(
        self, customer: str, journey: str | None = None, *, reason: str | None = None
    ) -> Traced:
        """Assert that a run ended early, and return the decision."""
        __tracebackhide__ = True
        return self._assert_decided("exited", customer, journey, reason)

    def assert_waiting(
        self,
        customer: str,
        journey: str | None = None,
        *,
        step: str | None = None,
        until: datetime | str | None = None,
    ) -> Enrollment:
        """Assert that a run waits, and return it.

        Args:
            customer: Whose.
            journey: In which journey.
            step: At which step.
            until: Until when exactly; any time if not given.
        """
        __tracebackhide__ = True
        self._name(journey=journey)
        document = self.customers.get(customer)
        running = document.active if document is not None else []
        due = None if until is None else to_ms(instant(until, place="until"))
        found = [
            run
            for run in running
            if journey in (None, run.journey)
            and step in (None, run.step)
            and due in (None, run.due)
            and not run.held_out
        ]
        wanted = (
            f"{f' at {step!r}' if step else ''}{f' until {until}' if until else ''}"
        )
        instead = " and ".join(map(_where, running)) or "is in no journey"
        self._require(
            found,
            customer,
            f"{customer!r} does not wait{_in(journey)}{wanted}, but {instead}",
        )
        return found[-1]

    def _assert_decided(
        self, kind: str, customer: str, journey: str | None, reason: str | None
    ) -> Traced:
        __tracebackhide__ = True
        self._name(journey=journey)
        found = self.entries(kind, customer=customer, journey=journey, reason=reason)
        because = f" because of {reason!r}" if reason else ""
        wanted = f"{kind.replace('_', ' ')}{_in(journey)}{because}"
        self._require(
            found,
            customer,
            f"no run of {customer!r} has {wanted}",
            [
                *self.entries(kind, customer=customer, journey=journey),
                *self.entries("exited", customer=customer, journey=journey),
            ],
        )
        return found[-1]

    def _matching(
        self, customer: str, template: str | None, channel: str | None
    ) -> list[SentMessage]:
        return [
            message
            for message in self.sends_to(customer)
            if template in (None, message.template)
            and channel in (None, message.channel)
        ]

    def _decided_on(
        self,
        customer: str,
        template: str | None,
        *kinds: str,
    ) -> list[Traced]:
        """What was decided on messages of a template."""
        return [
            traced
            for traced in self.entries(customer=customer)
            if traced.kind in (kinds or ("sent", "suppressed", "deferred"))
            and template in (None, self.template_of(traced))
        ]

    def _name(
        self,
        *,
        customer: str | None = None,
        journey: str | None = None,
        template: str | None = None,
    ) -> None:
        """Refuse a name that nothing has: "not sent" would always hold for it."""
        __tracebackhide__ = True
        for what, name, known in (
            ("customer", customer, self.customers),
            ("journey", journey, self.catalog.live),
            ("template", template, self.templates),
        ):
            if name is not None and name not in known:
                raise ValueError(f"there is no {what} {name!r}{_meant(name, known)}")

    def _require(
        self,
        holds: object,
        customer: str,
        failure: str,
        instead: Iterable[Traced] = (),
    ) -> None:
        """Fail with what was wanted, what happened instead, and the whole story."""
        __tracebackhide__ = True
        if holds:
            return
        lines = [failure]
        if customer not in self.customers:
            meant = _meant(customer, self.customers)
            lines.append(f"there is no customer {customer!r}{meant}")
        lines += dict.fromkeys(
            f"{traced.at:%F %T}Z {traced.journey}: {words_of(traced.entry)}"
            for traced in instead
        )
        lines = [printable(line) for line in lines]
        lines += ["", self.timeline(customer), f"it is {self.now:%F %T}Z now"]
        raise AssertionError("\n".join(lines))


def _in(journey: str | None) -> str:
    return f" in {journey!r}" if journey else ""


def _meant(name: str, known: Iterable[str]) -> str:
    close = get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _where(run: Enrollment) -> str:
    if run.held_out:
        return f"is held out of {run.journey!r}"
    until = "" if run.due is None else f" until {to_datetime(run.due):%F %T}Z"
    return f"waits in {run.journey!r} at {run.step!r}{until}"


def _times(count: int) -> str:
    return f"{count} time{'s' if count > 1 else ''}"


def _message(template: str | None, channel: str | None) -> str:
    named = repr(template) if template else "message"
    return f"{named} by {channel}" if channel else named
