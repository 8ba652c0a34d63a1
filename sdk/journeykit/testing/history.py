"""What a simulation has decided, and how to ask it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType

from journeykit.engine.calendar import to_datetime
from journeykit.engine.catalog import Catalog
from journeykit.engine.commands import Command, SendMessage
from journeykit.engine.customer import Customer
from journeykit.engine.steps import Send
from journeykit.model.zones import zone
from journeykit.testing.channels import SentMessage
from journeykit.testing.record import Record, Traced
from journeykit.testing.report import Report, report
from journeykit.testing.timeline import timeline


class History:
    """What there is to ask a simulation: who, what and why, up to now."""

    _catalog: Catalog

    def __init__(self, start: int, record: Record) -> None:
        """Begin at an instant, with nobody known."""
        self._start = self._now = start
        self._record = record
        self._customers: dict[str, Customer] = {}

    @property
    def now(self) -> datetime:
        """What time it is, in UTC."""
        return to_datetime(self._now)

    @property
    def catalog(self) -> Catalog:
        """The journeys and policies as they are now."""
        return self._catalog

    @property
    def customers(self) -> Mapping[str, Customer]:
        """Everybody's document, by id."""
        return MappingProxyType(self._customers)

    @property
    def counts(self) -> Mapping[tuple[str, str, str], int]:
        """How often each (journey, kind, reason) was decided, whether kept or not."""
        return MappingProxyType(self._record.counts)

    @property
    def trace(self) -> Sequence[Traced]:
        """All decisions, in order."""
        return self._kept().trace

    @property
    def commands(self) -> Sequence[Command]:
        """All commands, in order."""
        return self._kept().commands

    @property
    def sends(self) -> Sequence[SentMessage]:
        """All messages that were sent, in order."""
        return self._sends(None)

    def sends_to(self, customer: str) -> Sequence[SentMessage]:
        """What was sent to a customer, in order."""
        return self._sends(customer)

    @property
    def suppressions(self) -> Sequence[Traced]:
        """All messages that a guard kept back for good, with the reasons."""
        return self.entries("suppressed")

    @property
    def exits(self) -> Sequence[Traced]:
        """All runs that ended early, with the reasons."""
        return self.entries("exited")

    @property
    def goals(self) -> Sequence[Traced]:
        """All goals that were reached."""
        return self.entries("goal")

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
        return self._kept().entries(
            kind, customer=customer, journey=journey, reason=reason, step=step
        )

    @property
    def templates(self) -> frozenset[str]:
        """The templates that the journeys name."""
        return frozenset(
            step.template
            for plan in self._catalog.plans.values()
            for step in plan.steps.values()
            if isinstance(step, Send)
        )

    def template_of(self, traced: Traced) -> str:
        """The template of the Send at which something was decided; empty if at none."""
        plan = self._catalog.plans.get((traced.journey, traced.entry.version))
        step = plan.steps.get(traced.step) if plan is not None else None
        return step.template if isinstance(step, Send) else ""

    def report(self) -> Report:
        """What became of everybody, by journey; it asserts that nobody was lost."""
        return report(self._catalog.live, self._record, self._customers.values())

    def timeline(self, customer: str | None = None, *, zone_name: str = "UTC") -> str:
        """What happened, a line each, told by the clock of a zone."""
        return timeline(
            self._kept(),
            start=to_datetime(self._start),
            zone=zone(zone_name),
            customer=customer,
        )

    def __str__(self) -> str:
        """The timeline."""
        return self.timeline()

    def _kept(self) -> Record:
        if not self._record.keeps:
            raise LookupError(
                "this simulation keeps no trace; take keep=True, or on_trace and "
                "on_command while it runs"
            )
        return self._record

    def _sends(self, customer: str | None) -> list[SentMessage]:
        return [
            SentMessage.from_command(command)
            for command in self.commands
            if isinstance(command, SendMessage) and customer in (None, command.customer)
        ]
