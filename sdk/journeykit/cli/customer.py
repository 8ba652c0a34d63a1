"""`journeykit customer ID`: everything that decisions about somebody depend on."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import tzinfo
from pathlib import Path
from typing import Any

import click

from journeykit.channels import Channel
from journeykit.cli.decided import LOST, decided_about
from journeykit.cli.operating import clock_of, customer_of, in_workspace, looking
from journeykit.cli.story import rule
from journeykit.cli.terminal import faint, row, rows, strong, wrapped
from journeykit.engine.audience import HIDDEN
from journeykit.engine.customer import Address, Customer, Enrollment, Past, encode
from journeykit.engine.draft import Draft
from journeykit.engine.ids import address_key
from journeykit.engine.merging import merged_id
from journeykit.engine.suppressions import SuppressionList
from journeykit.engine.trace import TraceEntry
from journeykit.engine.traits import TraitRules
from journeykit.engine.words import instant_in_words, words_of
from journeykit.errors import JourneyKitError
from journeykit.model.plain_text import printable
from journeykit.plugins import Registry, plugin_manager
from journeykit.ports import CatalogDocument
from journeykit.runtime.suppressing import listed
from journeykit.workspace import Workspace

_LEDGER = 20  # messages of each sort that are told of, the latest


@click.command("customer")
@click.argument("id")
@in_workspace
@click.option("--json", "as_json", is_flag=True, help="Print the document instead.")
@click.option("--all", "all_", is_flag=True, help="List all messages that caps count.")
def command(
    *, id: str, workspace: Path, data: Path | None, as_json: bool, all_: bool
) -> None:
    """Show what is known of the customer ID, by their own clock.

    Profile, traits, segments, consents, addresses, runs, messages, and when something is
    due next.
    """
    with looking(workspace, data) as look:
        customer = customer_of(look, id)
        catalog = look.store.current()
        suppressions = listed(catalog, look.store)
        lost = [] if as_json else decided_about(look, customer, kind=LOST)
    if as_json:
        document = json.loads(encode(customer))
        click.echo(json.dumps(document, ensure_ascii=False, indent=2))
        return
    zone = clock_of(customer, catalog)
    told = _Told(customer, catalog, suppressions, zone, lost, all=all_)
    for line in told.lines(_carriers(workspace)):
        click.echo(line)


def _carriers(workspace: Path) -> Mapping[str, Channel]:
    """Who carries a channel, as far as the workspace can be read."""
    with contextlib.suppress(JourneyKitError):
        registry = Registry.from_plugins(plugin_manager())
        return Workspace.load(workspace).channels(registry)
    return {}


class _Told:
    """A customer in words."""

    def __init__(
        self,
        customer: Customer,
        catalog: CatalogDocument | None,
        suppressions: SuppressionList,
        zone: tzinfo,
        lost: Sequence[TraceEntry],
        *,
        all: bool,
    ) -> None:
        self._customer = customer
        self._states = catalog.states if catalog is not None else {}
        audience = catalog.audience if catalog is not None else {}
        self._traits = TraitRules.compile(audience.get("traits") or ())
        self._own_zone = Draft(customer, now=customer.clock, explain=False).zone
        self._suppressions = suppressions
        self._zone = zone
        self._lost = lost
        self._all = all

    def lines(self, carriers: Mapping[str, Channel]) -> Iterator[str]:
        """Yield all of it."""
        customer = self._customer
        yield (
            f"{strong(printable(customer.id))}, known since "
            f"{self._at(customer.created_at)}, told by the clock of {self._zone}"
        )
        if customer.merged_into:
            into = printable(customer.merged_into)
            yield f"is part of {into} since then: `journeykit customer {into}`"
            return
        due = customer.next_due
        yield f"next due: {'never' if due is None else self._at(due)}"
        yield from self._names()
        if customer.profile:
            yield ""
            yield rule("profile")
        profile = sorted(customer.profile.items())
        yield from rows([(k, json.dumps(v, ensure_ascii=False)) for k, v in profile])
        yield from self._is()
        yield from self._reachable(carriers)
        yield from self._triggers()
        yield from self._runs()
        yield from self._past()
        yield from self._messages()
        yield ""
        seen = len(customer.seen)
        yield faint(
            f"revision {customer.revision:,}, catalog {customer.catalog}, "
            f"{seen:,} event{'s' * (seen != 1)} of the last 48 hours remembered"
        )

    def _names(self) -> Iterator[str]:
        """By which other names the customer is known, and who is part of them."""
        customer = self._customer
        if not (customer.identifiers or customer.absorbed):
            return
        yield ""
        yield rule("known as")
        for identifier in customer.identifiers:
            kind, _, value = identifier.partition(":")
            yield from row(kind, printable(value))
        for mark in customer.absorbed:
            yield from row("took in", printable(merged_id(mark)) or "earlier ones, too")

    def _is(self) -> Iterator[str]:
        """Who they are: stage, segments, traits and scores."""
        customer = self._customer
        values = self._traits.values(customer.traits, customer.clock, self._own_zone)
        segments = {
            name: since
            for name, since in customer.segments.items()
            if not name.startswith(HIDDEN)
        }
        if not (customer.stage or segments or values or customer.scores):
            return
        yield ""
        yield rule("who they are")
        named = []
        if customer.stage:
            since = self._at(customer.staged_at)
            named.append(("stage", f"{customer.stage} since {since}"))
        for name, entered_at in sorted(segments.items()):
            named.append(("segment", f"{name} since {self._at(entered_at)}"))
        for name, value in sorted(values.items()):
            named.append((name, json.dumps(value, ensure_ascii=False)))
        for name, score in sorted(customer.scores.items()):
            said = f"{json.dumps(score.value)}, scored {self._at(score.at)}"
            named.append((name, said))
        if customer.flips_at is not None:
            named.append(
                ("may change", f"by time alone, {self._at(customer.flips_at)}")
            )
        yield from rows(named)

    def _at(self, instant: int) -> str:
        return instant_in_words(instant, zone=self._zone)

    def _reachable(self, carriers: Mapping[str, Channel]) -> Iterator[str]:
        """Consents, and the state of addresses."""
        customer = self._customer
        own = dict(self._addresses(carriers))
        on_the_list = any(self._suppressions.get(key) for key in own)
        if not (customer.consents or customer.addresses or on_the_list):
            return
        yield ""
        yield rule("consents and addresses")
        for consent in customer.consents:
            parts = filter(None, [consent.channel, consent.topic, consent.purpose])
            about = ", ".join(parts) or "everything"
            word = "asked for" if consent.pending else "said no to"
            word = "said yes to" if consent.granted else word
            source = f", {consent.source}" if consent.source else ""
            waits = ", not confirmed yet" if consent.pending else ""
            text = f"{about}, {self._at(consent.at)}{source}{waits}"
            yield from row(word, text)
        for key, state in customer.addresses.items():
            name = own.get(key, f"an address that the profile lacks ({key})")
            yield from row("address", f"{name}: {'; '.join(self._state(state))}")
        for key, name in own.items():
            if (listed := self._suppressions.get(key)) is not None:
                since = self._at(listed.at)
                why = listed.reason.replace("_", " ")
                yield from row("address", f"{name}: on the list since {since}: {why}")

    def _state(self, state: Address) -> Iterator[str]:
        """What is known of an address."""
        if state.suppressed:
            why = state.suppressed.replace("_", " ")
            yield f"nothing goes to it any more: {why}"
        for what, instant in (
            ("bounced", state.bounced_at),
            ("read or answered", state.engaged_at),
            ("wrote to us", state.replied_at),
        ):
            if instant is not None:
                yield f"{what} {self._at(instant)}"

    def _addresses(self, carriers: Mapping[str, Channel]) -> Iterator[tuple[str, str]]:
        """The customer's own addresses by the names under which their state is kept."""
        customer = self._customer
        for name, channel in carriers.items():
            with contextlib.suppress(Exception):  # whatever a stranger's plugin raises
                address = channel.address(customer.profile, customer.id)
                if address is not None:
                    key = address_key(name, channel.normalize(address))
                    yield key, f"{name} {address}"

    def _triggers(self) -> Iterator[str]:
        """What will start a journey by time alone, or waits to be told that it may."""
        found = [
            (one.due, name)
            for name, one in self._customer.progress.items()
            if one.due is not None
        ]
        if found:
            yield ""
            yield rule("triggers")
        for due, name in sorted(found):
            journey, _, rest = name.lstrip(HIDDEN).partition("/")
            what = f"looks again {self._at(due)}"
            if rest.startswith("unique/"):
                what = f"asks who is the only one, until {self._at(due)}"
            yield from row(journey, what)

    def _runs(self) -> Iterator[str]:
        customer = self._customer
        for run in customer.active:
            yield ""
            yield rule(f"in {run.journey} · v{run.version}")
            yield from self._run(run)

    def _run(self, run: Enrollment) -> Iterator[str]:
        entry = f", the {_ordinal(run.n)} time" if run.n > 1 else ""
        test = ", test traffic" if run.test else ""
        yield from row("entered", f"{self._at(run.entered_at)}{entry}{test}")
        if state := self._states.get(run.journey):
            yield from row("journey", state)
        if run.held_out:
            yield from row("held out", "gets nothing, to measure what the journey does")
        else:
            since = f" since {self._at(run.arrived_at)}" if run.arrived_at else ""
            parked = ", parked" if run.arriving else ""
            if run.unconfirmed:
                parked = ", waits for a consent to be confirmed"
            yield from row("step", f"{run.step or 'none yet'}{since}{parked}")
        due = "when something happens" if run.due is None else self._at(run.due)
        yield from row("leaves" if run.unconfirmed else "goes on", due)
        yield from row("key", run.key)
        yield from _values("knows", run.entry)
        for step, result in run.results.items():
            yield from _values(step, result)
        watched = [
            f"{watch.goal}{'' if watch.until is None else f' until {self._at(watch.until)}'}"
            for watch in run.watches
        ]
        yield from row("goals", ", ".join(watched))
        yield from row("reached", ", ".join(run.reached))

    def _past(self) -> Iterator[str]:
        customer = self._customer
        running = {run.journey for run in customer.active}
        if not customer.past:
            return
        yield ""
        yield rule("journeys so far")
        for journey, past in customer.past.items():
            story = self._story(past, running=journey in running)
            yield from wrapped(f"{journey}: {story}", first="  ", indent="    ")

    def _story(self, past: Past, *, running: bool) -> str:
        times = "once" if past.count == 1 else f"{past.count:,} times"
        parts = [f"entered {times}, last {self._at(past.last_in)}"]
        if past.last_out is not None:
            how = past.outcome.replace(":", ": ").replace("_", " ")
            parts.append(f"left {self._at(past.last_out)} ({how})")
        elif running:
            parts.append("is in it")
        if past.arms:
            arms = ", ".join(f"{step}: {arm}" for step, arm in past.arms.items())
            parts.append(f"arms {arms}")
        if past.removed:
            parts.append("was removed: no trigger enters them again")
        return "; ".join(parts)

    def _messages(self) -> Iterator[str]:
        customer = self._customer
        if not (customer.held or customer.ledger or customer.counters or self._lost):
            return
        yield ""
        yield rule("messages")
        for held in customer.held:
            message = held.message
            due = "when its journey goes on" if held.due is None else self._at(held.due)
            yield from row(
                "held back",
                f"{message.template} by {message.channel} ({message.journey}), "
                f"asked about again {due}",
            )
        shown = customer.ledger if self._all else customer.ledger[-_LEDGER:]
        if hidden := len(customer.ledger) - len(shown):
            yield f"  {hidden:,} earlier ones; --all lists them"
        for sent in shown:
            about = "".join(f", {part}" for part in (sent.topic, sent.purpose) if part)
            yield (
                f"  {faint(self._at(sent.at))}  {printable(sent.channel)}  "
                f"{printable(sent.journey)}{printable(about)}"
            )
        lost = self._lost if self._all else self._lost[-_LEDGER:]
        if hidden := len(self._lost) - len(lost):
            yield f"  {hidden:,} earlier ones did not arrive; --all lists them"
        for entry in lost:
            journey = f" ({printable(entry.journey)})" if entry.journey else ""
            said = f": {entry.detail['why']}" if "why" in entry.detail else ""
            yield from wrapped(
                f"{words_of(entry, zone=self._zone)}{journey}{said}",
                first=f"  {faint(self._at(entry.at))}  ",
                indent="    ",
            )
        for scope, count in customer.counters.items():
            yield from row("ever", f"{count:,} ({scope})")


def _values(name: str, values: Mapping[str, Any]) -> Iterator[str]:
    """A row of values by name."""
    yield from row(
        name,
        ", ".join(
            f"{k} = {json.dumps(v, ensure_ascii=False)}" for k, v in values.items()
        ),
    )


def _ordinal(n: int) -> str:
    endings = {1: "st", 2: "nd", 3: "rd"}
    return f"{n}{'th' if n % 100 in (11, 12, 13) else endings.get(n % 10, 'th')}"
