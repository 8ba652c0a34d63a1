"""One customer, a clock that the test moves, and nothing between it and `react`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from journeykit import (
    CallAction,
    Catalog,
    Duration,
    Enroll,
    Event,
    Journey,
    Policies,
    PublishEvent,
    Reaction,
    SendMessage,
    WakeUp,
    react,
)
from journeykit.engine.calendar import LATEST
from journeykit.engine.catalog import State
from journeykit.engine.customer import Customer, Enrollment, decode, encode
from journeykit.engine.guards import ChannelRules
from journeykit.engine.stimuli import Remove, Returned, Stimulus
from journeykit.engine.trace import TraceEntry

T0 = datetime(2026, 6, 1, 12, tzinfo=UTC)  # a Monday, noon


class Drive:
    """A customer's life. Instants are `"+4h"` after the start (a day: 24 h), or ISO 8601.

    After each reaction it asserts what is true of every reaction: the document that came
    in is unchanged; the same again, from a document that was encoded and decoded, gives
    the same; `next_due` is the earliest due; and whoever entered is somewhere.
    """

    def __init__(
        self,
        *journeys: Journey,
        policies: Policies | None = None,
        start: str | datetime = T0,
        channels: Mapping[str, ChannelRules] | None = None,
        audience: Mapping[str, Any] | None = None,
        explain: bool = False,
    ) -> None:
        self.start = self.now = _iso(start) if isinstance(start, str) else start
        self.customer: Customer | None = None
        self.last: Reaction | None = None
        self.trace: list[TraceEntry] = []
        self.commands: list[SendMessage] = []
        self.called: list[CallAction] = []
        self.published: list[PublishEvent] = []
        self.sent: list[str] = []
        self.explain = explain
        self._channels = channels
        self._policies = policies or Policies()
        self._states: dict[str, State] = {}
        self._audience = audience
        self._revision = 0
        self._count = 0
        self.publish(*journeys)

    # --- given ---------------------------------------------------------------------

    def publish(
        self,
        *journeys: Journey,
        policies: Policies | None = None,
        audience: Mapping[str, Any] | None = None,
    ) -> None:
        """These journeys are live from now on."""
        self._policies = policies or self._policies
        self._audience = self._audience if audience is None else audience
        self._journeys = journeys
        self._compile()

    def state(self, journey: str, state: State) -> None:
        """A journey is paused, stopped, live again."""
        self._states[journey] = state
        self._compile()

    def _compile(self) -> None:
        self._revision += 1
        self.catalog = Catalog.compile(
            self._journeys,
            policies=self._policies,
            channels=self._channels,
            states=self._states,
            revision=self._revision,
            audience=self._audience,
        )

    # --- when ----------------------------------------------------------------------

    def event(
        self,
        name: str,
        at: str | None = None,
        /,
        *,
        now: str | None = None,
        occurred: str | None = None,
        id: str | None = None,
        source: str = "",
        test: bool = False,
        **properties: Any,
    ) -> list[str]:
        """An event is received; `now` is the wall clock if the queue was slow."""
        received = self.instant(at)
        made = self.stimulus(
            name,
            at,
            occurred=occurred,
            id=id,
            source=source,
            test=test,
            **properties,
        )
        return self.react(made, now=self.instant(now) if now else received)

    def stimulus(
        self,
        name: str,
        at: str | None = None,
        /,
        *,
        occurred: str | None = None,
        id: str | None = None,
        source: str = "",
        test: bool = False,
        **properties: Any,
    ) -> Event:
        """An event, not yet handled."""
        self._count += 1
        received = self.instant(at)
        return Event(
            id=id or f"event-{self._count}",
            name=name,
            customer="ada",
            occurred_at=self.instant(occurred) if occurred else received,
            received_at=received,
            properties=properties,
            source=source,
            test=test,
        )

    def completed(
        self, result: Any = None, at: str | None = None, /, **more: Any
    ) -> list[str]:
        """The last call has come to this."""
        call = self.called[-1]
        said = {"call_id": call.call_id, "enrollment": call.enrollment, **more}
        return self.event("call.completed", at, **{**said, "result": result})

    def failed(
        self, reason: str = "", at: str | None = None, /, **more: Any
    ) -> list[str]:
        """The last call has failed."""
        call = self.called[-1]
        said = {"call_id": call.call_id, "enrollment": call.enrollment, **more}
        return self.event("call.failed", at, **{**said, "reason": reason})

    def enroll(
        self,
        journey: str,
        at: str | None = None,
        /,
        *,
        id: str | None = None,
        test: bool = False,
        **entry: Any,
    ) -> list[str]:
        """Somebody calls to enroll."""
        self._count += 1
        received = self.instant(at)
        call = Enroll(
            id=id or f"call-{self._count}",
            journey=journey,
            customer="ada",
            received_at=received,
            entry=entry,
            test=test,
        )
        return self.react(call, now=received)

    def remove(
        self, journey: str, at: str | None = None, /, *, id: str | None = None
    ) -> list[str]:
        """Somebody calls to take them out of a journey."""
        self._count += 1
        call = Remove(
            id=id or f"call-{self._count}",
            journey=journey,
            customer="ada",
            received_at=self.instant(at),
        )
        return self.react(call, now=call.received_at)

    def returns(
        self,
        until: str,
        at: str | None = None,
        /,
        *,
        message: SendMessage | None = None,
        reason: str = "pace",
        **changed: Any,
    ) -> list[str]:
        """The last message, or another one, could not go, and comes back."""
        returned = Returned(
            message=replace(message or self.commands[-1], **changed),
            until=self.ms(until),
            reason=reason,
            received_at=self.instant(at),
        )
        return self.react(returned, now=returned.received_at)

    def wake(self, at: str | None = None) -> list[str]:
        """A wake-up comes: on time, late or stale."""
        return self.react(WakeUp("ada"), now=self.instant(at))

    def until(self, at: str) -> list[str]:
        """A timer keeps its promise: a wake-up at each `next_due` until then."""
        end, told = self.instant(at), []
        while (due := self.due) is not None and due <= end:
            told += self.react(WakeUp("ada"), now=max(due, self.now))
            assert (self.due or end) > due or len(told) < 1000, "it never ends"
        self.now = max(end, self.now)
        return told

    def react(self, stimulus: Stimulus, *, now: datetime) -> list[str]:
        """One reaction, held to what is true of all of them."""
        before = None if self.customer is None else encode(self.customer)
        known = None if before is None else decode(before)

        first = react(
            self.customer, stimulus, catalog=self.catalog, now=now, explain=self.explain
        )
        again = react(
            known, stimulus, catalog=self.catalog, now=now, explain=self.explain
        )

        assert first == again
        assert before is None or encode(self.customer or first.customer) == before
        assert decode(encode(first.customer)) == first.customer
        if first.customer is not self.customer:
            document = first.customer
            dues = [*map(self.catalog.due_of, document.active)]
            dues += map(self.catalog.due_of_held, document.held)
            dues += [way.due for way in document.progress.values() if way.due]
            dues += [document.flips_at] if document.flips_at else []
            earliest = min(dues, default=LATEST)
            assert document.next_due == (earliest if earliest != LATEST else None)
        self._keep(first, now)
        return [said(entry) for entry in first.trace]

    def _keep(self, reaction: Reaction, now: datetime) -> None:
        self.now = max(now, self.now)
        self.customer, self.last = reaction.customer, reaction
        self.trace += reaction.trace
        for command in reaction.commands:
            if isinstance(command, SendMessage):
                self.commands.append(command)
                self.sent.append(f"{command.template} {self.offset(now)}")
            elif isinstance(command, CallAction):
                self.called.append(command)
            else:
                self.published.append(command)
        if "trace" in self.reasons("forgotten"):
            return  # it was cut, and says so; there is nothing to count by
        kinds = Counter(entry.kind for entry in self.trace)
        running = sum(not run.held_out for run in self.runs)
        ended = kinds["completed"] + kinds["exited"] + kinds["failed"]
        entries = sum(past.count for past in self.customer.past.values())
        assert entries == kinds["entered"] + kinds["held_out"]
        assert kinds["entered"] == running + ended

    # --- then ----------------------------------------------------------------------

    @property
    def did(self) -> list[str]:
        """The whole trace, a word or two an entry."""
        return [said(entry) for entry in self.trace]

    def reasons(self, kind: str) -> list[str]:
        """The reasons of all entries of a kind."""
        return [entry.reason for entry in self.trace if entry.kind == kind]

    def details(self, kind: str) -> list[dict[str, Any]]:
        """The details of all entries of a kind."""
        return [entry.detail for entry in self.trace if entry.kind == kind]

    @property
    def due(self) -> datetime | None:
        """When the one timer of the customer goes off."""
        due = self.customer.next_due if self.customer else None
        return None if due is None else self.from_ms(due)

    @property
    def due_in(self) -> str | None:
        """The same, from the start: `+4h`."""
        return None if self.due is None else self.offset(self.due)

    @property
    def run(self) -> Enrollment:
        """The one running enrollment."""
        assert self.customer is not None
        (run,) = self.customer.active
        return run

    @property
    def runs(self) -> list[Enrollment]:
        """All running enrollments."""
        return self.customer.active if self.customer else []

    def instant(self, text: str | None) -> datetime:
        """`+4h`, ISO 8601, or now."""
        if text is None:
            return self.now
        if text.startswith("+"):
            past = Duration.parse(text[1:])
            return self.start + timedelta(past.days, milliseconds=past.ms)
        return _iso(text)

    def ms(self, text: str) -> int:
        """The same as the engine counts it."""
        return round(self.instant(text).timestamp() * 1000)

    def offset(self, instant: datetime) -> str:
        """How long after the start: `+30h`."""
        past = round((instant - self.start).total_seconds() * 1000)
        return f"+{Duration(ms=past).short}"

    def from_ms(self, instant: int) -> datetime:
        """An instant of the document as a datetime."""
        return datetime.fromtimestamp(instant / 1000, UTC)


def said(entry: TraceEntry) -> str:
    """A trace entry in a word or two: `sent hello`, `exited goal_reached`."""
    what = entry.detail.get("template", "") if entry.kind == "sent" else entry.reason
    return f"{entry.kind} {what}".rstrip()


def _iso(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.fixture
def drive() -> type[Drive]:
    """Make a customer's life: `ada = drive(journey, …)`."""
    return Drive
