"""How long the demo's year takes in memory: 164,539 events, four journeys.

    python benchmarks/year.py            # the whole year, median of three
    python benchmarks/year.py --households 150 --rounds 1
    python benchmarks/year.py --profile  # where the time goes

The whole product is in the loop: definitions compiled from the public model, guards,
deduplication, and a trace for every decision, which is counted. Decoding is not: the
events are made from tables before the clock starts.

The baseline is a hand-written loop of the win-back journey alone, with nothing that would
make it a product. It runs in the same process, between the rounds, since machines differ
and have neighbours; the ratio to it is what to compare.
"""

from __future__ import annotations

import argparse
import cProfile
import gc
import pstats
import resource
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from heapq import heappop, heappush

from journeykit import Event, hours
from journeykit.cli.demo import WORKSPACE
from journeykit.cli.demo.shopping import END, year_of_shopping
from journeykit.testing import Simulator
from journeykit.workspace import Workspace


def replay(workspace: Workspace, events: Sequence[Event]) -> Simulator:
    """The year through the demo's four journeys, with a trace but without files."""
    simulator = Simulator(
        workspace.journeys,
        start=events[0].occurred_at,
        policies=workspace.policies,
        explain=False,
        keep=False,
    )
    simulator.run(events, until=END)
    return simulator


def baseline(events: Sequence[Event]) -> Counter[int]:
    """The win-back journey by hand: how many first, second and third messages."""
    after = [hours(720).ms, hours(888).ms, hours(1224).ms]
    last: dict[str, int] = {}
    heap: list[tuple[int, str, int, int]] = []
    sent: Counter[int] = Counter()

    def fire(before: int) -> None:
        while heap and heap[0][0] < before:
            _, customer, n, anchor = heappop(heap)
            if last[customer] == anchor:
                sent[n] += 1
                if n < 2:
                    heappush(heap, (anchor + after[n + 1], customer, n + 1, anchor))

    for item in events:
        if item.name == "purchase":
            at = round(item.received_at.timestamp() * 1000)
            fire(at)
            last[item.customer] = at
            heappush(heap, (at + after[0], item.customer, 0, at))
    fire(round(END.timestamp() * 1000) + 1)
    return sent


def timed(work: Callable[[], object]) -> float:
    """Seconds that the work takes, from a heap without rubbish."""
    gc.collect()
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    """Run, check the counts, and print one line for each measurement."""
    options = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    options.add_argument("--households", type=int, help="only so many; all by default")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--profile", action="store_true", help="where the time goes")
    chosen = options.parse_args()

    events = year_of_shopping(households=chosen.households)
    workspace = Workspace.load(WORKSPACE)
    if chosen.profile:
        profile = cProfile.Profile()
        profile.runcall(replay, workspace, events)
        pstats.Stats(profile).sort_stats("tottime").print_stats(45)
        return
    before = peak_mb()
    simulators: list[Simulator] = []
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(chosen.rounds):
        simulators.clear()
        ours.append(timed(lambda: simulators.append(replay(workspace, events))))
        theirs.append(timed(lambda: baseline(events)))
    simulator = simulators[-1]
    check(simulator, baseline(events))
    seconds, by_hand = statistics.median(ours), statistics.median(theirs)
    decisions = sum(count for count in simulator.counts.values())
    say(
        str(simulator.report()),
        "",
        f"{len(events):,} events, {decisions:,} decisions in {seconds:.2f} s "
        f"(median of {chosen.rounds}): {len(events) / seconds:,.0f} events/s",
        f"baseline: win-back alone, by hand, {by_hand:.3f} s: {seconds / by_hand:.1f} x",
        f"peak RSS {peak_mb():.0f} MB; {before:.0f} MB before the replay",
    )


def check(simulator: Simulator, by_hand: Counter[int]) -> None:
    """A fast wrong run is no result: the two must agree about the win-back journey.

    Messages that the quiet hours hold back are released later, and not at all if the
    customer came back meanwhile; that is the only difference there may be.
    """
    report = simulator.report()["winback"]
    missing = by_hand.total() - report.sent
    if not 0 <= missing <= sum(report.deferred.values()):
        raise SystemExit(f"wrong: {by_hand.total()} by hand, {report}")


def say(*lines: str) -> None:
    """Print for whoever runs this by hand."""
    sys.stdout.write("\n".join([*lines, ""]))


def peak_mb() -> float:
    """The most memory that this process has had, MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)


if __name__ == "__main__":
    main()
