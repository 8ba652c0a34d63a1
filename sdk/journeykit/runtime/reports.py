"""Whom a provider's report is about.

A report names a message by our id, by the provider's own, or not at all: then all there is
is the address that somebody wrote from. A message is one customer's; an address can be that
of several, and what comes from it concerns all who were written to there.

What customers do with a message's links, or in their inbox, comes by a door as an event
that names the message; the run that has sent it is added before anything else is done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import msgspec
from msgspec.structs import replace

from journeykit.channels import Report
from journeykit.engine.calendar import to_datetime
from journeykit.engine.ids import address_key, derived, provider_key
from journeykit.engine.stimuli import Stimulus
from journeykit.errors import InputError
from journeykit.media.keywords import keyword_of
from journeykit.model.events import (
    MESSAGE,
    MESSAGE_COMPLAINED,
    MESSAGE_REPLIED,
    MESSAGE_UNSUBSCRIBED,
    Event,
    checked,
)
from journeykit.ports import Delivery, Reference

OURS = frozenset({"links", "inbox"})
"""The sources of what customers do with messages: the pages, and the in-app inbox."""

NOBODY = (
    "somebody who was never written to at that address says no: if it is to hold, add "
    "the address to those that nothing goes to: journeykit suppressions add"
)


class Known(Protocol):
    """What is known of messages, and by which other names somebody knows them."""

    def find(self, ids: Sequence[str]) -> Mapping[str, Delivery]:
        """See `Deliveries.find`."""
        ...

    def referred(self, keys: Sequence[str]) -> Mapping[str, Sequence[Reference]]:
        """See `References.referred`."""
        ...


class Meant(msgspec.Struct, frozen=True):
    """One customer whom a report is about.

    Attributes:
        customer: Who.
        delivery: Which message; None: longer ago than messages are known.
        delivery_id: Its id.
        id: What tells the event from others.
        address: `ids.address_key` of the address that it is about; empty: not known.
    """

    customer: str
    delivery: Delivery | None
    delivery_id: str
    id: str
    address: str


def meant(
    reports: Sequence[Report],
    known: Known,
    *,
    channel: str,
    normalized: Callable[[str], str],
) -> Iterator[tuple[Report, Sequence[Meant]]]:
    """Yield each report with the customers whom it is about; nobody if none is known.

    Args:
        reports: What a provider says.
        known: What is known of messages.
        channel: Whose provider; empty: not known, and then only our own ids are.
        normalized: An address as it is kept.
    """
    ours = known.find([report.delivery_id for report in reports if report.delivery_id])
    keys = [_keys(report, channel, normalized) for report in reports]
    wanted = {
        key
        for report, pair in zip(reports, keys, strict=True)
        if report.delivery_id not in ours
        for key in pair
        if key
    }
    referred = known.referred(sorted(wanted)) if wanted else {}
    others = {item.delivery_id for items in referred.values() for item in items}
    theirs = known.find(sorted(others)) if others else {}
    for report, (of_message, of_address) in zip(reports, keys, strict=True):
        if (delivery := ours.get(report.delivery_id)) is not None:
            address = delivery.address or of_address
            yield report, [_meant(report.id, delivery, address)]
        elif found := referred.get(of_message):
            yield report, [_of(found[0], theirs, report.id, of_address)]
        else:
            each = _latest_of_each(referred.get(of_address, ()))
            yield (
                report,
                [
                    _of(
                        item,
                        theirs,
                        derived("report", report.id, item.customer),
                        of_address,
                    )
                    for item in each
                ],
            )


def _keys(
    report: Report, channel: str, normalized: Callable[[str], str]
) -> tuple[str, str]:
    """By which other names a report's message, and its address, may be known."""
    if not channel:
        return "", ""
    of_message = provider_key(channel, report.provider_id) if report.provider_id else ""
    of_address = (
        address_key(channel, normalized(report.address)) if report.address else ""
    )
    return of_message, of_address


def _latest_of_each(references: Iterable[Reference]) -> Sequence[Reference]:
    """The latest reference of each customer."""
    latest: dict[str, Reference] = {}
    for item in references:
        if item.customer not in latest or latest[item.customer].at < item.at:
            latest[item.customer] = item
    return list(latest.values())


def _meant(id: str, delivery: Delivery, address: str) -> Meant:
    return Meant(delivery.customer, delivery, delivery.id, id, address)


def _of(
    reference: Reference, known: Mapping[str, Delivery], id: str, address: str
) -> Meant:
    """Whom a reference is about; the message may be forgotten, and they are not."""
    delivery = known.get(reference.delivery_id)
    own = address or (delivery.address if delivery else "")
    return Meant(reference.customer, delivery, reference.delivery_id, id, own)


def event_of(report: Report, meant: Meant, *, channel: str, received_at: int) -> Event:
    """What a report says, as an event of one whom it is about."""
    delivery = meant.delivery
    said: dict[str, Any] = {
        **report.properties,
        "delivery_id": meant.delivery_id,
        "channel": delivery.channel if delivery else channel,
    }
    if delivery is not None:
        said |= _run_of(delivery)
    elif report.name != MESSAGE_REPLIED:
        said["enrollment"] = ""  # of no run that anybody knows, so none hears it
    if meant.address:
        said["address_key"] = meant.address
    if report.name == MESSAGE_REPLIED and "keyword" not in said:
        said["keyword"] = keyword_of(said.get("text"))
    return Event(
        id=meant.id,
        name=report.name,
        customer=meant.customer,
        occurred_at=report.occurred_at,
        received_at=to_datetime(received_at),
        properties=said,
        source="feedback",
        test=delivery.test if delivery else False,
    )


def of_runs(
    stimuli: Sequence[Stimulus], find: Callable[[Sequence[str]], Mapping[str, Delivery]]
) -> Sequence[Stimulus]:
    """Return stimuli with the runs, where events name a message and not its run.

    So only that run hears them, as it does what a provider says. What is done with a
    message that nobody knows any more is of no run.

    Args:
        stimuli: What comes in by a door.
        find: What is known of messages, by their ids.
    """
    asking = {
        stimulus.properties["delivery_id"]
        for stimulus in stimuli
        if isinstance(stimulus, Event) and _asks_for_run(stimulus)
    }
    if not asking:
        return stimuli
    known = find(sorted(asking))
    return [
        _of_run(stimulus, known.get(stimulus.properties["delivery_id"]))
        if isinstance(stimulus, Event) and _asks_for_run(stimulus)
        else stimulus
        for stimulus in stimuli
    ]


def _asks_for_run(event: Event) -> bool:
    if not event.name.startswith(MESSAGE) or "enrollment" in event.properties:
        return False
    id = event.properties.get("delivery_id")
    return isinstance(id, str) and bool(id)


def _of_run(event: Event, delivery: Delivery | None) -> Event:
    """An event with what is known of its message."""
    if delivery is None or delivery.customer != event.customer:
        if event.source not in OURS:
            return event  # somebody else's message, perhaps, and somebody else's id
        return replace(event, properties={**event.properties, "enrollment": ""})
    said = {**event.properties, **_run_of(delivery)}
    if delivery.address:
        said.setdefault("address_key", delivery.address)
    try:
        return checked(replace(event, properties=said, test=delivery.test))
    except InputError:  # it was as large as an event may be
        return event


def _run_of(delivery: Delivery) -> dict[str, str]:
    """The properties by which an event of a message names its run."""
    return {
        "journey": delivery.journey,
        "step": delivery.step,
        "enrollment": delivery.enrollment,
        "template": delivery.template,
    }


def says_no(report: Report) -> bool:
    """Whether somebody wants no more messages, whom we must not miss."""
    if report.name == MESSAGE_REPLIED:
        said = report.properties  # what the channel says of it holds
        keyword = said["keyword"] if "keyword" in said else keyword_of(said.get("text"))
        return keyword == "stop"
    return report.name in (MESSAGE_COMPLAINED, MESSAGE_UNSUBSCRIBED)
