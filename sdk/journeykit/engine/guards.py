"""The guards: may this message go, over which channel, and if not, why.

Cheapest first; the first refusal wins and is recorded with its rule and values:

1. expired
2. for each channel in the author's order: suppression list · consent for the channel,
   the topic, the purpose · an address · the channel's own rule · bounce cool-down ·
   plugins' guards, by name · caps of that channel
3. caps of the topic, the journey, and of everything; of surveys, how soon after another
   one they may come
4. quiet hours, open hours, closed days

In 2 a refusal moves on to the next channel; if all refuse, the first one's reason
counts. Caps and the hours may defer; then the message waits at its step and all guards
are asked again when the time has come. All of it is judged at `now`, the wall clock, in
the customer's zone: a late sweep never sends inside quiet hours.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date, datetime
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol
from zoneinfo import ZoneInfo

import msgspec
from msgspec.structs import replace

from journeykit.engine.asked import Asked, Contact, Refused
from journeykit.engine.calendar import (
    LATEST,
    add,
    instant_of,
    local_date,
    next_inside,
    start_of_day,
    start_of_month,
    start_of_next_day,
    start_of_next_month,
    start_of_next_week,
    start_of_week,
    to_datetime,
)
from journeykit.engine.consent import ConsentRules
from journeykit.engine.customer import Address, Consent, Released
from journeykit.engine.due import window_of
from journeykit.engine.ids import address_key
from journeykit.engine.limits import DAY_MS, FAILURE_MS, SURVEY_MS
from journeykit.engine.suppressions import EMPTY, SuppressionList
from journeykit.engine.values import Document
from journeykit.engine.verdict import verdict
from journeykit.model.durations import Duration

ALL = "all"


class Envelope(msgspec.Struct, frozen=True, gc=False):
    """A message before it is one: what the guards are asked about.

    `address` is where it goes if that was decided before; else the profile says. `step`
    and `template` are for rules that others have written. `survey` is the name of the
    survey that it asks, if it is one, and `own` are the ids of its messages so far, over
    other channels.
    """

    customer: str
    journey: str
    channels: tuple[str, ...]
    topic: str
    purpose: str
    address: str = ""
    step: str = ""
    template: str = ""
    survey: str = ""
    own: tuple[str, ...] = ()


class Surroundings(msgspec.Struct, frozen=True, gc=False):
    """The customer as the guards see them, now."""

    now: int
    zone: ZoneInfo
    profile: Mapping[str, Any]
    addresses: Mapping[str, Address]
    consents: Sequence[Consent]
    ledger: Sequence[Released]
    counters: Mapping[str, int]
    created_at: int = 0
    surveys: Collection[str] = ()


class ChannelRules(NamedTuple):
    """The pure parts of a channel plugin.

    Attributes:
        address: The profile and the customer's id to the address; None if none.
        normalize: An address to the spelling under which its state is kept.
        rule: The channel's own rule; None: it has none.
    """

    address: Callable[[Mapping[str, object], str], str | None]
    normalize: Callable[[str], str]
    rule: Callable[[Asked], Refused | None] | None = None


class PluginGuard(Protocol):
    """What the engine asks of a `journeykit.guarding.Guard`."""

    def ask(self, asked: Asked, /) -> Refused | None:
        """Return why a message may not go; None: nothing is against it."""
        ...


class Clear(msgspec.Struct, frozen=True, gc=False):
    """The message may go, over this channel (the position in the author's list)."""

    channel: str
    position: int
    address: str


class Refusal(msgspec.Struct, frozen=True, gc=False):
    """The message may not go.

    Attributes:
        reason: The suppression's name.
        group: Which option of the Send decides what follows: `refused`, `capped`,
            `quiet`.
        until: When it might go, for those that may defer; None: never.
        detail: The rule and the values it saw.
    """

    reason: str
    group: str
    until: int | None = None
    detail: dict[str, Any] = {}


class CapRule:
    """At most so many messages in a window."""

    def __init__(self, document: Document) -> None:
        """Compile a Cap."""
        self.limit: int = document["limit"]
        within: str | None = document["within"]
        self._within = Duration.parse(within) if within else None
        self._calendar: str | None = document["calendar"]
        self.channel: str | None = document["channel"]
        self._topic: str | None = document["topic"]
        self._journey: str | None = document["journey"]
        self._purpose: str = document["purpose"]
        self.lifetime = self._within is None and self._calendar is None
        scope = [self.channel, self._topic, self._journey, self._purpose]
        self.scope = "|".join(part or "*" for part in scope)
        self.text = f"at most {self.limit} {self._span()} ({self.scope})"

    def _span(self) -> str:
        if self._within is not None:
            return f"within {self._within.short}"
        return f"a {self._calendar}" if self._calendar else "ever"

    @property
    def window_ms(self) -> int:
        """For how long at most a message in the ledger can matter to it."""
        if self._within is not None:
            return self._within.longest_ms()
        return {"day": 2, "week": 8, "month": 32}.get(self._calendar or "", 0) * DAY_MS

    def concerns(self, channel: str, topic: str, journey: str, purpose: str) -> bool:
        """Whether a message with these properties counts and is capped."""
        return (
            (self._purpose in (ALL, purpose))
            and (self.channel is None or self.channel == channel)
            and (self._topic is None or self._topic == topic)
            and (self._journey is None or self._journey == journey)
        )

    def refusal(self, seen: Surroundings) -> Refusal | None:
        """Why one more message would be too many; None if it would not."""
        if self.lifetime:
            count = seen.counters.get(self.scope, 0)
            return self._refused(count, None) if count >= self.limit else None
        if len(seen.ledger) < self.limit:
            return None
        counted = [
            item.at
            for item in seen.ledger
            if self.concerns(item.channel, item.topic, item.journey, item.purpose)
        ]
        if len(counted) < self.limit:
            return None
        if self._within is not None:
            return self._within_window(counted, self._within, seen)
        start, following = _PERIODS[self._calendar or "day"](seen.now, seen.zone)
        count = sum(at >= start for at in counted)
        if count < self.limit:
            return None
        return self._refused(count, following if self.limit else None)

    def _within_window(
        self, counted: list[int], within: Duration, seen: Surroundings
    ) -> Refusal | None:
        """Ask forward from each message: exactly at the end it no longer counts."""
        now, limit = seen.now, self.limit
        ends = [add(at, within, seen.zone) for at in counted]
        ends = sorted([end for end in ends if end > now])
        if len(ends) < limit:
            return None
        return self._refused(len(ends), ends[len(ends) - limit] if limit else None)

    def _refused(self, count: int, until: int | None) -> Refusal:
        detail = {"rule": self.text, "values": {"sent": count, "limit": self.limit}}
        return Refusal("frequency_cap", "capped", until, detail)


# The start of the calendar period that holds an instant, and of the next one.
_PERIODS: dict[str, Callable[[int, ZoneInfo], tuple[int, int]]] = {
    "day": lambda at, zone: (start_of_day(at, zone), start_of_next_day(at, zone)),
    "week": lambda at, zone: (start_of_week(at, zone), start_of_next_week(at, zone)),
    "month": lambda at, zone: (start_of_month(at, zone), start_of_next_month(at, zone)),
}


class HoursRule:
    """Quiet hours, open hours or closed days: when may a message go, and until when."""

    def __init__(
        self,
        document: Document,
        reason: str,
        text: str,
        *,
        opens: Callable[[int, ZoneInfo], int],
        closes: Callable[[int, ZoneInfo], int],
    ) -> None:
        """Keep the scope, and who says the first open, or closed, instant at or after."""
        self._channel: str | None = document["channel"]
        self._purpose: str = document["purpose"]
        self.reason = reason
        self.text = text
        self.opens = opens
        self.closes = closes

    def concerns(self, channel: str, purpose: str) -> bool:
        """Whether it is about messages of this channel and purpose."""
        return self._purpose in (ALL, purpose) and self._channel in (None, channel)


def _quiet(document: Document) -> HoursRule:
    window = window_of(document["window"])
    span = f"{document['window']['start']}-{document['window']['end']}"

    def opens(instant: int, zone: ZoneInfo) -> int:
        closing = window.next_close(instant, zone)
        return LATEST if closing is None else closing

    return HoursRule(
        document, "quiet_hours", f"quiet {span}", opens=opens, closes=window.next_open
    )


def _open(document: Document) -> HoursRule:
    windows = [window_of(item) for item in document["windows"]]
    spans = " ".join(f"{item['start']}-{item['end']}" for item in document["windows"])

    def opens(instant: int, zone: ZoneInfo) -> int:
        opening = next_inside(windows, instant, zone)
        return LATEST if opening is None else opening

    def closes(instant: int, zone: ZoneInfo) -> int:
        # Where one window ends another may go on; the pattern repeats weekly.
        horizon = instant + 16 * DAY_MS
        while instant < horizon:
            ends = [window.next_close(instant, zone) for window in windows]
            latest = max([LATEST if end is None else end for end in ends])
            if latest == instant:
                return instant
            instant = latest
        return LATEST

    return HoursRule(
        document, "open_hours", f"open {spans}", opens=opens, closes=closes
    )


def _closed(document: Document) -> HoursRule:
    dates = {date.fromisoformat(text) for text in document["dates"]}
    ordered = sorted(dates)

    def opens(instant: int, zone: ZoneInfo) -> int:
        while local_date(instant, zone) in dates:
            instant = start_of_next_day(instant, zone)
        return instant

    def closes(instant: int, zone: ZoneInfo) -> int:
        today = local_date(instant, zone)
        if today in dates:
            return instant
        for day in ordered[bisect_left(ordered, today) :]:
            # Not a day that the zone left out, nor the first of two midnights.
            start = instant_of(day, zone) or LATEST
            if start < instant:
                start = start_of_next_day(instant, zone)
            if local_date(start, zone) == day:
                return start
        return LATEST

    text = f"closed on {len(dates)} days"
    return HoursRule(document, "closed_day", text, opens=opens, closes=closes)


class Guards:
    """All rules of a catalog, compiled.

    Attributes:
        bounce_cool_down: How long an address rests after a soft bounce.
        ledger_ms: For how long at most a message in the ledger can matter.
        survey_ms: The same of a survey's message.
    """

    def __init__(
        self,
        policies: Document,
        channels: Mapping[str, ChannelRules],
        other: ChannelRules,
        *,
        guards: Mapping[str, PluginGuard] = {},
        facts: Mapping[str, Mapping[str, Any]] = {},
        suppressions: SuppressionList = EMPTY,
    ) -> None:
        """Compile the policies.

        Args:
            policies: Their plan document.
            channels: The pure parts of the channel plugins.
            other: Carries the channels that have no plugin.
            guards: Plugins' guards, by name.
            facts: What channels said about their templates, by channel.
            suppressions: Addresses that nothing goes to, whoever has them.
        """
        caps = [CapRule(cap) for cap in policies["caps"]]
        self._all_caps = caps
        self._channel_caps = [cap for cap in caps if cap.channel is not None]
        self._caps = [cap for cap in caps if cap.channel is None]
        self._lifetime = {cap.scope: cap for cap in caps if cap.lifetime}
        # A message that never arrives is given back, so it must be known until then.
        windows = [max(cap.window_ms, FAILURE_MS) for cap in caps]
        self.ledger_ms = max(windows, default=0)
        # Policies that were published by earlier releases have no such rule.
        rest = Duration.parse(policies.get("survey_cool_down") or "PT0S")
        self._survey_cool_down = rest
        self.survey_ms = max(self.ledger_ms, SURVEY_MS, rest.longest_ms())
        self._hours = [
            *map(_quiet, policies["quiet_hours"]),
            *map(_open, policies["open_hours"]),
            *map(_closed, policies["closed_days"]),
        ]
        self._hours_of: dict[tuple[str, str], list[HoursRule]] = {}
        self.consent = ConsentRules(policies["consent"])
        self.bounce_cool_down = Duration.parse(policies["bounce_cool_down"])
        self._channels = channels
        self._other = other
        self._own = [(name, guards[name].ask) for name in sorted(guards)]
        self._facts = facts
        self._suppressions = suppressions

    def rules_of(self, channel: str) -> ChannelRules:
        """The pure parts of the plugin that carries a channel."""
        return self._channels.get(channel, self._other)

    def counted(
        self, counters: dict[str, int], message: Released, change: int
    ) -> dict[str, int]:
        """The lifetime counters with one message more, or one less."""
        for scope, cap in self._lifetime.items():
            if cap.concerns(
                message.channel, message.topic, message.journey, message.purpose
            ):
                count = max(0, counters.get(scope, 0) + change)
                counters = {**counters, scope: count}
        return counters

    def concerned(self, message: Released) -> bool:
        """Whether any cap counts this message."""
        return bool(self._all_caps) and any(
            cap.concerns(
                message.channel, message.topic, message.journey, message.purpose
            )
            for cap in self._all_caps
        )

    def ask(self, envelope: Envelope, seen: Surroundings) -> Clear | Refusal:
        """May this message go now, and over which channel?"""
        choice = self._channel(envelope, seen)
        if isinstance(choice, Refusal):
            return choice
        for cap in self._caps:
            if cap.concerns(
                choice.channel, envelope.topic, envelope.journey, envelope.purpose
            ):
                refusal = cap.refusal(seen)
                if refusal is not None:
                    return refusal
        if envelope.survey and (tired := self._asked_lately(envelope, seen)):
            return tired
        return self._at_this_hour(choice.channel, envelope.purpose, seen) or choice

    def _asked_lately(self, envelope: Envelope, seen: Surroundings) -> Refusal | None:
        """Why this would be a survey too soon after another one; None if it isn't."""
        rest = self._survey_cool_down
        if rest == Duration():
            return None
        last = next(
            (
                item.at
                for item in reversed(seen.ledger)
                if item.delivery_id in seen.surveys
                and item.delivery_id not in envelope.own
            ),
            None,
        )
        if last is None:
            return None
        until = add(last, rest, seen.zone)
        if until <= seen.now:
            return None
        rule = f"no survey within {rest.short} of another one"
        return Refusal("frequency_cap", "capped", until, {"rule": rule})

    def _channel(self, envelope: Envelope, seen: Surroundings) -> Clear | Refusal:
        """The first channel that works, else why the first one doesn't."""
        first: Refusal | None = None
        tried: dict[str, str] = {}
        for position, channel in enumerate(envelope.channels):
            answer = self._over(channel, envelope, seen)
            if isinstance(answer, str):
                return Clear(channel, position, answer)
            tried[channel] = answer.reason
            if first is None:
                first = answer
            if answer.group == "final":  # no channel will do: it is about the topic
                break
        if first is None:
            raise AssertionError("a Send has at least one channel")
        detail = {**first.detail, "tried": tried} if len(tried) > 1 else first.detail
        group = "refused" if first.group == "final" else first.group
        return replace(first, group=group, detail=detail)

    def _over(
        self, channel: str, envelope: Envelope, seen: Surroundings
    ) -> str | Refusal:
        """The address over one channel, or why not."""
        rules = self.rules_of(channel)
        address = envelope.address or rules.address(seen.profile, envelope.customer)
        state, suppressed = self._state_of(channel, address, seen)
        if suppressed:
            detail = {"rule": suppressed, "channel": channel}
            return Refusal("suppression_list", "refused", detail=detail)
        refusal = self._consent_for(channel, envelope, seen)
        if refusal is not None:
            return refusal
        if not address:
            return Refusal("no_address", "refused", detail={"channel": channel})
        asked: Asked | None = None
        if rules.rule is not None:
            asked = self._asked(channel, address, state, envelope, seen)
            against = verdict(rules.rule, asked)
            if against is not None:
                detail = {"channel": channel, **against}
                return Refusal("channel_rule", "refused", detail=detail)
        if state is not None and state.bounced_at is not None:
            rested = add(state.bounced_at, self.bounce_cool_down, seen.zone)
            if rested > seen.now:
                waits: dict[str, Any] = {"channel": channel, "until": rested}
                return Refusal("bounce_cool_down", "refused", detail=waits)
        if self._own:
            if asked is None:
                asked = self._asked(channel, address, state, envelope, seen)
            for name, ask in self._own:
                against = verdict(ask, asked)
                if against is not None:
                    detail = {"channel": channel, "guard": name, **against}
                    return Refusal("guard", "refused", detail=detail)
        for cap in self._channel_caps:
            if cap.concerns(
                channel, envelope.topic, envelope.journey, envelope.purpose
            ):
                capped = cap.refusal(seen)
                if capped is not None:
                    return capped
        return address

    def reachable(self, envelope: Envelope, seen: Surroundings) -> bool:
        """Whether any of the channels has an address that may be written to.

        Asked is only what time alone doesn't change: suppression, consent, address.
        """
        for channel in envelope.channels:
            rules = self.rules_of(channel)
            address = rules.address(seen.profile, envelope.customer)
            if not address or self._consent_for(channel, envelope, seen) is not None:
                continue
            if not self._state_of(channel, address, seen)[1]:
                return True
        return False

    def _state_of(
        self, channel: str, address: str | None, seen: Surroundings
    ) -> tuple[Address | None, str]:
        """What is known of an address, and why nothing may go to it; empty: it may."""
        if not address or not (seen.addresses or self._suppressions):
            return None, ""
        key = address_key(channel, self.rules_of(channel).normalize(address))
        state = seen.addresses.get(key)
        if state is not None and state.suppressed:
            return state, state.suppressed
        listed = self._suppressions.get(key) if self._suppressions else None
        return state, "" if listed is None else listed.reason

    def _asked(
        self,
        channel: str,
        address: str,
        state: Address | None,
        envelope: Envelope,
        seen: Surroundings,
    ) -> Asked:
        """What rules that others have written are asked about."""
        return Asked(
            customer=envelope.customer,
            created_at=to_datetime(seen.created_at),
            now=to_datetime(seen.now),
            zone=str(seen.zone),
            journey=envelope.journey,
            step=envelope.step,
            channel=channel,
            address=address,
            template=envelope.template,
            topic=envelope.topic,
            purpose=envelope.purpose,
            profile=MappingProxyType(seen.profile),  # it is the customer's own
            contact=_NOTHING_KNOWN if state is None else _contact(state),
            facts=self._facts.get(channel, {}),
        )

    def _consent_for(
        self, channel: str, envelope: Envelope, seen: Surroundings
    ) -> Refusal | None:
        """Why the customer's word, or its absence, refuses; None if it doesn't."""
        word, said = self.consent.ask(
            channel, envelope.topic, envelope.purpose, seen.consents
        )
        if word in ("yes", "allow"):
            return None
        detail: dict[str, Any] = {"rule": "never said yes", "channel": channel}
        if said is not None:
            about = {
                "channel": said.channel,
                "topic": said.topic,
                "purpose": said.purpose,
            }
            rule = "refused by the customer" if word == "no" else "not confirmed yet"
            detail = {"rule": rule, "values": about}
        # A no that names no channel is about all of them.
        is_final = word == "no" and said is not None and not said.channel
        return Refusal("no_consent", "final" if is_final else "refused", detail=detail)

    def _at_this_hour(
        self, channel: str, purpose: str, seen: Surroundings
    ) -> Refusal | None:
        """Why it is the wrong time, and until when; None if it is a good one."""
        if not self._hours:
            return None
        rules = self._hours_for(channel, purpose)
        first = next(
            (r for r in rules if r.opens(seen.now, seen.zone) > seen.now), None
        )
        if first is None:
            return None
        instant = seen.now
        # Each round passes one window; rules that never agree on an hour end here.
        for _ in range(1000):
            later = max(rule.opens(instant, seen.zone) for rule in rules)
            if later >= LATEST:
                break
            if later == instant:
                return Refusal(first.reason, "quiet", instant, {"rule": first.text})
            instant = later
        return Refusal(
            first.reason, "quiet", None, {"rule": f"{first.text}, never open"}
        )

    def not_after(
        self, channel: str, purpose: str, seen: Surroundings, expires_at: int | None
    ) -> int | None:
        """Until when a message that is clear now stays so: it expires, or hours close."""
        if not self._hours:
            return expires_at
        closes = LATEST if expires_at is None else expires_at
        for rule in self._hours_for(channel, purpose):
            closes = min(closes, rule.closes(seen.now, seen.zone))
        return None if closes >= LATEST else closes

    def _hours_for(self, channel: str, purpose: str) -> list[HoursRule]:
        rules = self._hours_of.get((channel, purpose))
        if rules is None:
            rules = [rule for rule in self._hours if rule.concerns(channel, purpose)]
            self._hours_of[channel, purpose] = rules
        return rules


_NOTHING_KNOWN = Contact()


def _contact(state: Address) -> Contact:
    """What is known of an address, for rules that others have written."""
    return Contact(
        _instant(state.bounced_at),
        _instant(state.engaged_at),
        _instant(state.replied_at),
    )


def _instant(at: int | None) -> datetime | None:
    return None if at is None else to_datetime(at)
