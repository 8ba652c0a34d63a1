"""What a simulation has decided: always counted, kept as long as it is small."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from journeykit.engine.calendar import to_datetime
from journeykit.engine.commands import Command
from journeykit.engine.react import Reaction
from journeykit.engine.stimuli import Enroll
from journeykit.engine.trace import TraceEntry
from journeykit.model.events import Event


class Traced(msgspec.Struct, frozen=True):
    """One decision, and whose it was.

    Attributes:
        customer: The customer's id.
        revision: Of their document afterwards.
        n: Counts the decisions of its reaction: from 0 up, or from -1 down if it left the
            document as it was, as an ignored event does.
        now_ms: The wall clock, milliseconds.
        entry: The decision.
        event: The id of the event or call that it reacts to; empty if only time passed.
        source: The event's source; None: it reacts to no event.
    """

    customer: str
    revision: int
    n: int
    now_ms: int
    entry: TraceEntry
    event: str = ""
    source: str | None = None

    @property
    def at(self) -> datetime:
        """The instant on the customer's path."""
        return to_datetime(self.entry.at)

    @property
    def now(self) -> datetime:
        """The wall clock at the decision; in a simulation the same as `at`."""
        return to_datetime(self.now_ms)

    @property
    def kind(self) -> str:
        """What happened; `journeykit.engine.trace` lists the kinds."""
        return self.entry.kind

    @property
    def journey(self) -> str:
        """Whose decision it was; empty if no single journey's."""
        return self.entry.journey

    @property
    def step(self) -> str:
        """The step at which it was decided; empty if at none."""
        return self.entry.step

    @property
    def reason(self) -> str:
        """Why, as one word that can be counted."""
        return self.entry.reason

    @property
    def detail(self) -> dict[str, Any]:
        """The rule, the values, what would have had to differ."""
        return self.entry.detail


class Record:
    """The decisions of one simulation.

    Attributes:
        trace: All decisions so far, in order; empty if they are not kept.
        commands: All commands so far, in order; empty if they are not kept.
        heard: Each event and call, and how long the trace was before it.
        counts: How often each (journey, kind, reason) was decided.
        values: What each (journey, goal) was worth in total.
    """

    def __init__(
        self,
        *,
        keep: bool,
        on_trace: Callable[[Traced], None] | None,
        on_command: Callable[[Command], None] | None,
    ) -> None:
        """Start empty."""
        self.trace: list[Traced] = []
        self.commands: list[Command] = []
        self.heard: list[tuple[int, Event | Enroll]] = []
        self.counts: Counter[tuple[str, str, str]] = Counter()
        self.values: defaultdict[tuple[str, str], float] = defaultdict(float)
        self.keeps = keep
        self._on_trace = on_trace
        self._on_command = on_command
        self._traces = keep or on_trace is not None

    def hear(self, stimulus: Event | Enroll) -> None:
        """Note what comes in, before it is decided on."""
        if self.keeps:
            self.heard.append((len(self.trace), stimulus))

    def decide(
        self,
        reaction: Reaction,
        now: int,
        *,
        event: str,
        source: str | None,
        changed: bool,
    ) -> None:
        """Note what was decided; `changed` says whether it made a new revision."""
        counts = self.counts
        for entry in reaction.trace:
            counts[entry.journey, entry.kind, entry.reason] += 1
            if entry.kind == "goal":
                worth = entry.detail.get("value", 0)
                self.values[entry.journey, entry.reason] += worth
        if self._traces:
            self._trace(reaction, now, event, source, changed=changed)
        for command in reaction.commands:
            if self.keeps:
                self.commands.append(command)
            if self._on_command is not None:
                self._on_command(command)

    def _trace(
        self,
        reaction: Reaction,
        now: int,
        event: str,
        source: str | None,
        *,
        changed: bool,
    ) -> None:
        customer = reaction.customer
        for place, entry in enumerate(reaction.trace):
            n = place if changed else -1 - place
            traced = Traced(
                customer.id, customer.revision, n, now, entry, event, source
            )
            if self.keeps:
                self.trace.append(traced)
            if self._on_trace is not None:
                self._on_trace(traced)

    def entries(
        self,
        kind: str | None = None,
        *,
        customer: str | None = None,
        journey: str | None = None,
        reason: str | None = None,
        step: str | None = None,
    ) -> Sequence[Traced]:
        """The decisions that are like this, in order; None asks for any."""
        return [
            traced
            for traced in self.trace
            if (kind is None or traced.entry.kind == kind)
            and (customer is None or traced.customer == customer)
            and (journey is None or traced.entry.journey == journey)
            and (reason is None or traced.entry.reason == reason)
            and (step is None or traced.entry.step == step)
        ]
