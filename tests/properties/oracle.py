"""The rules of sending, told a second time and in the plainest way.

Nothing here comes from the engine: no function, no ledger, no calendar. It reads the
policies as the author wrote them, keeps its own list of what was sent, and knows what
the customer said from the events. It is slow and that doesn't matter.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from journeykit import Cap, Duration, Journey, Policies, Send, Survey, Window
from journeykit.model.zones import is_zone, zone

DAY_NAMES = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def local(instant: int, where: ZoneInfo) -> datetime:
    """What clocks show there."""
    utc = datetime.fromtimestamp(instant // 1000, UTC)
    return utc.replace(microsecond=instant % 1000 * 1000).astimezone(where)


def after(instant: int, length: Duration, where: ZoneInfo) -> int:
    """The end of a window that starts then; the worlds have days and hours only."""
    assert not length.months
    if length.days:
        wall = local(instant, where).replace(tzinfo=None, fold=0)
        wall += timedelta(days=length.days)
        moved = wall.replace(tzinfo=where).astimezone(UTC)
        instant = round(moved.timestamp() * 1000)
        if moved.astimezone(where).replace(tzinfo=None) != wall:  # no clock shows it
            offset = local(instant, where).utcoffset()
            instant -= instant % 60_000
            while local(instant - 60_000, where).utcoffset() == offset:
                instant -= 60_000
    return instant + length.ms


def inside(window: Window, shown: datetime) -> bool:
    """Whether a clock shows a time inside."""
    time, day = shown.strftime("%H:%M"), DAY_NAMES[shown.weekday()]
    yesterday = DAY_NAMES[shown.weekday() - 1]
    days = window.weekdays or DAY_NAMES
    if window.start < window.end:
        return window.start <= time < window.end and day in days
    return (time >= window.start and day in days) or (
        time < window.end and yesterday in days
    )


@dataclass(frozen=True)
class Letter:
    """A message that was released, or would be."""

    at: int
    channel: str
    topic: str
    journey: str
    purpose: str
    id: str = ""
    asks: bool = False


@dataclass(frozen=True)
class Said:
    """A yes or a no: since when, and if it was confirmed, when it was asked for."""

    granted: bool
    channel: str
    topic: str
    purpose: str
    at: int = 0
    over: int = -1


@dataclass
class Known:
    """What is known of the customer, now.

    Attributes:
        profile: Their attributes.
        said: Their latest yes or no per channel, topic and purpose.
        asked_for: What they have asked for and neither confirmed nor refused, by channel
            and topic.
        asked: The same, whatever became of it.
        lost: Addresses that nothing may go to.
        resting: Addresses that bounced softly, and when.
        letters: All messages that were released and not given back.
    """

    profile: dict[str, Any] = field(default_factory=dict)
    said: dict[tuple[str, str, str], Said] = field(default_factory=dict)
    asked_for: dict[tuple[str, str], Said] = field(default_factory=dict)
    asked: dict[tuple[str, str], Said] = field(default_factory=dict)
    lost: set[tuple[str, str]] = field(default_factory=set)
    resting: dict[tuple[str, str], int] = field(default_factory=dict)
    letters: list[Letter] = field(default_factory=list)

    def hear(self, how: str, word: Said) -> None:
        """A word, or a request: `granted`, `withdrawn`, `requested`, `confirmed`."""
        if how == "requested":
            key = word.channel, word.topic
            self.asked_for[key] = self.asked[key] = word
            return
        about = (word.channel, word.topic, word.purpose)
        over = -1
        if how == "confirmed":
            over = self._asked_at(word)
        elif how == "granted" and about in self.said and self.said[about].granted:
            over = self.said[about].over
        self.said[about] = replace(word, granted=how != "withdrawn", over=over)
        self.asked_for = {
            name: request
            for name, request in self.asked_for.items()
            if word.channel not in ("", request.channel)
            or word.topic not in ("", request.topic)
            or word.purpose not in ("", "marketing")
        }

    def _asked_at(self, word: Said) -> int:
        """When what is confirmed was asked for: the same, or all channels or topics."""
        found = [
            self.asked_for[channel, topic]
            for channel in dict.fromkeys((word.channel, ""))
            for topic in dict.fromkeys((word.topic, ""))
            if (channel, topic) in self.asked_for
        ]
        if not found:  # a wider one that was confirmed just now has settled it
            return self.asked[word.channel, word.topic].at
        same = [request for request in found if request.topic == word.topic]
        return max(request.at for request in same or found)

    def address(self, channel: str, customer: str) -> str | None:
        """Where a channel would send to, as the worlds' rules say."""
        if channel == "push":
            return customer
        found = self.profile.get("email" if channel == "email" else "phone")
        return found if isinstance(found, str) else None

    def state_of(self, channel: str, customer: str) -> tuple[str, str]:
        """The name under which the state of an address is kept."""
        address = self.address(channel, customer) or ""
        return channel, address.lower() if channel == "email" else address

    def zone(self, journey: Journey) -> ZoneInfo:
        """Where the customer is: their own word, else the journey's, else UTC."""
        own = self.profile.get("zone")
        return zone(own) if is_zone(own) else zone(journey.zone or "UTC")


@dataclass(frozen=True)
class Question:
    """May this message go?"""

    customer: str
    journey: Journey
    step: Send
    now: int
    arrived: int
    tried: int = 0

    @property
    def purpose(self) -> str:
        return self.step.purpose or self.journey.purpose

    @property
    def topic(self) -> str:
        return self.step.topic or self.journey.topic or ""

    @property
    def channels(self) -> Sequence[str]:
        return self.step.channel[self.tried :]

    def by(self, channel: str) -> Letter:
        """The message, if it went over this channel."""
        return Letter(
            self.now,
            channel,
            self.topic,
            self.journey.id,
            self.purpose,
            asks=isinstance(self.step, Survey),
        )


def verdict(policies: Policies, known: Known, asked: Question) -> tuple[str, str]:
    """`("sent", channel)`, or the reason why not and whose option follows."""
    expiry = expires_at(known, asked)
    if expiry is not None and expiry <= asked.now:
        return "expired", ""
    refusals = []
    for channel in asked.channels:
        refusal = why_not_over(policies, known, asked, channel)
        if refusal is None:
            break
        refusals.append(refusal)
        if refusal == "no_consent" and refused_everywhere(known, asked, channel):
            channel = ""
            break
    else:
        channel = ""
    if not channel:
        return refusals[0], ""
    letter = asked.by(channel)
    for cap in policies.caps:
        if cap.channel is None and is_full(cap, known, letter, asked):
            return "frequency_cap", channel
    if is_tired(policies, known, letter, asked, asked.now):
        return "frequency_cap", channel
    for reason in closed(policies, channel, asked.purpose, asked.now, asked, known):
        return reason, channel
    return "sent", channel


def is_tired(
    policies: Policies, known: Known, letter: Letter, asked: Question, now: int
) -> bool:
    """Whether it would be a survey too soon after another one."""
    where = known.zone(asked.journey)
    return letter.asks and any(
        after(other.at, policies.survey_cool_down, where) > now
        for other in known.letters
        if other.asks
    )


def next_turn(policies: Policies, known: Known, asked: Question) -> int | None:
    """When the next channel takes over from a message; None: there is none that could."""
    after_that = asked.step.fallback_after
    for channel in asked.channels if after_that else ():
        is_lost = known.state_of(channel, asked.customer) in known.lost
        address = known.address(channel, asked.customer)
        if address and not is_lost and consented(policies, known, asked, channel):
            return after(asked.now, after_that, known.zone(asked.journey))
    return None


def expires_at(known: Known, asked: Question) -> int | None:
    """When it is too late."""
    after_that = asked.step.expires_after
    if after_that == "never":
        return None
    if after_that is None:
        return asked.arrived + 86_400_000 if asked.purpose == "marketing" else None
    return after(asked.arrived, after_that, known.zone(asked.journey))


def why_not_over(
    policies: Policies, known: Known, asked: Question, channel: str
) -> str | None:
    """Why it can't go over this channel."""
    state = known.state_of(channel, asked.customer)
    if state in known.lost and state[1]:
        return "suppression_list"
    if not consented(policies, known, asked, channel):
        return "no_consent"
    if not known.address(channel, asked.customer):
        return "no_address"
    where = known.zone(asked.journey)
    if state in known.resting:
        rested = after(known.resting[state], policies.bounce_cool_down, where)
        if rested > asked.now:
            return "bounce_cool_down"
    for cap in policies.caps:
        if cap.channel and is_full(cap, known, asked.by(channel), asked):
            return "frequency_cap"
    return None


def words(known: Known, asked: Question, channel: str) -> list[Said]:
    """What the customer said that is about this message."""
    return [
        said
        for said in known.said.values()
        if said.channel in ("", channel)
        and said.topic in ("", asked.topic)
        and said.purpose in ("", asked.purpose)
    ]


def consented(policies: Policies, known: Known, asked: Question, channel: str) -> bool:
    """A no wins; else a yes; else what is not confirmed; else the defaults; else yes.

    A yes that was asked for after a wider no to marketing, and confirmed, undoes it.
    """
    said = words(known, asked, channel)
    said = [word for word in said if not any(undoes(yes, word) for yes in said)]
    if said:
        return all(word.granted for word in said)
    if asked.purpose == "marketing" and any(
        request.channel in ("", channel) and request.topic in ("", asked.topic)
        for request in known.asked_for.values()
    ):
        return False
    for topic, medium in ((True, True), (True, False), (False, True), (False, False)):
        for rule in policies.consent:
            if (
                (rule.topic is not None) == topic
                and (rule.channel is not None) == medium
                and rule.topic in (None, asked.topic)
                and rule.channel in (None, channel)
                and rule.purpose in ("all", asked.purpose)
            ):
                return rule.default == "allow"
    return True


def undoes(yes: Said, no: Said) -> bool:
    """Whether a yes was asked for after a no to marketing that is about all of it."""
    return (
        yes.granted
        and not no.granted
        and no.purpose == "marketing"
        and no.at < yes.over
        and no.channel in ("", yes.channel)
        and no.topic in ("", yes.topic)
    )


def refused_everywhere(known: Known, asked: Question, channel: str) -> bool:
    """Whether no other channel will do: the no is about the topic, or about all.

    It is not if a confirmation that is waited for would undo it.
    """
    said = words(known, asked, channel)
    noes = [
        word
        for word in said
        if not word.granted and not any(undoes(yes, word) for yes in said)
    ]
    hoped_for = [
        replace(request, granted=True, over=request.at)
        for request in known.asked_for.values()
        if request.channel in ("", channel) and request.topic in ("", asked.topic)
    ]
    if any(all(undoes(yes, no) for no in noes) for yes in hoped_for):
        return False
    return bool(noes) and all(not word.channel for word in noes)


def counts(cap: Cap, letter: Letter) -> bool:
    """Whether a cap is about such a message."""
    return (
        cap.channel in (None, letter.channel)
        and cap.topic in (None, letter.topic)
        and cap.journey in (None, letter.journey)
        and cap.purpose in ("all", letter.purpose)
    )


def is_full(
    cap: Cap, known: Known, letter: Letter, asked: Question, now: int | None = None
) -> bool:
    """Whether one more would be too many."""
    return counts(cap, letter) and (
        used(cap, known, known.zone(asked.journey), now or asked.now) >= cap.limit
    )


def used(cap: Cap, known: Known, where: ZoneInfo, now: int) -> int:
    """How many messages count against a cap now."""
    found = [letter for letter in known.letters if counts(cap, letter)]
    if cap.within is not None:
        return sum(after(letter.at, cap.within, where) > now for letter in found)
    if cap.calendar is not None:
        period = _period(cap.calendar, local(now, where))
        return sum(
            _period(cap.calendar, local(letter.at, where)) == period for letter in found
        )
    return len(found)


def _period(calendar: str, shown: datetime) -> object:
    if calendar == "day":
        return shown.date()
    if calendar == "week":
        return shown.date().isocalendar()[:2]
    return shown.year, shown.month


def closed(
    policies: Policies,
    channel: str,
    purpose: str,
    now: int,
    asked: Question,
    known: Known,
) -> Iterator[str]:
    """The rules that say: not at this hour."""
    shown = local(now, known.zone(asked.journey))

    def about(rule: Any) -> bool:
        return rule.channel in (None, channel) and rule.purpose in ("all", purpose)

    for quiet in filter(about, policies.quiet_hours):
        if inside(quiet.window, shown):
            yield "quiet_hours"
    for opened in filter(about, policies.open_hours):
        if not any(inside(window, shown) for window in opened.windows):
            yield "open_hours"
    for shut in filter(about, policies.closed_days):
        if shown.date() in shut.dates:
            yield "closed_day"
