"""The journey keeps its promises; the clock is a virtual one."""

from collections.abc import Callable
from pathlib import Path

from journeykit import days, hours
from journeykit.testing import Simulator
from journeykit.workspace import Workspace

CART = Workspace.load(Path(__file__).parents[1]).journey("abandoned-cart")


def test_who_buys_gets_no_last_call(simulator: Callable[..., Simulator]) -> None:
    sim = simulator(CART, start="2026-06-01T09:00:00Z")

    sim.event("cart.updated", "ada", total=120)
    sim.advance(hours(5))
    sim.event("order.placed", "ada", amount=120)
    sim.advance(days(30))

    sim.assert_sent("ada", "cart-reminder", at="2026-06-01T13:00:00Z")
    sim.assert_not_sent("ada", "cart-last-call")
    sim.assert_exited("ada", reason="goal_reached")
