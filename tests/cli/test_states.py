from __future__ import annotations

import os
import subprocess
import sys

import pytest
from tests.cli.conftest import CART, Shop

from journeykit.ports import Job
from journeykit.testing import make_event

LATER = "2026-01-05T12:00:00Z"


def test_nobody_enters_a_paused_journey(published: Shop) -> None:
    result = published("pause", "cart", "--reason", "a typo")
    published.happen(make_event("cart.updated", "ada"))

    assert "cart is paused now (catalog revision 2)" in result.stdout
    assert state(published) == ("paused", "a typo")
    assert "entered" not in published("why", "ada").stdout


def test_a_pause_twice_is_one_and_says_why_it_was(published: Shop) -> None:
    published("pause", "cart", "--reason", "a typo")

    result = published("pause", "cart", "--reason", "another")

    assert result.exit_code == 0
    assert "cart is paused already (catalog revision 2): a typo" in result.stdout


def test_a_journey_is_paused_while_the_workspace_is_broken(published: Shop) -> None:
    published.write("journeys/cart.py", "cart = ")

    result = published("pause", "cart")

    assert result.exit_code == 0
    assert "cart is paused now" in result.stdout


def test_who_was_parked_goes_on_when_the_journey_is_resumed(published: Shop) -> None:
    published.happen(make_event("cart.updated", "ada"))
    published("pause", "cart")
    published.happen(until=LATER)
    assert published.customers("ada")[0].active[0].arriving

    result = published("resume", "cart")

    assert result.stdout.splitlines() == [
        "cart is live now (catalog revision 3)",
        "1 visited: what was held up goes on",
        "1 message or call waits for `journeykit serve` or `journeykit run`",
    ]
    assert published.customers("ada")[0].active == []


def test_a_resume_twice_sends_once(published: Shop) -> None:
    published.happen(make_event("cart.updated", "ada"))
    published("pause", "cart")
    published.happen(until=LATER)
    published("resume", "cart")

    result = published("resume", "cart")

    assert "cart is live already (catalog revision 3)" in result.stdout
    assert "1 message or call waits" in result.stdout


def test_a_resume_says_that_the_workspace_will_pause_again(published: Shop) -> None:
    settings = (published.folder / "journeykit.toml").read_text()
    published.write("journeykit.toml", f'{settings}states = {{cart = "paused"}}\n')
    published("publish")

    result = published("resume", "cart")

    assert "journeykit.toml says that cart is paused" in words(result.stdout)


def test_all_runs_of_a_stopped_journey_end_and_no_others(published: Shop) -> None:
    published.happen(
        make_event("cart.updated", "ada"), make_event("cart.updated", "bob")
    )
    published.happen(make_event("order.placed", "bob", at="2026-01-05T09:10:00Z"))

    result = published("stop", "cart", "--yes")

    assert result.stdout.splitlines() == [
        "cart is stopped now (catalog revision 2)",
        "1 visited: their runs have ended",
    ]
    ada, bob = published.customers("ada", "bob")
    assert ada.past["cart"].outcome == "exited:stopped"
    assert bob.past["cart"].outcome == "exited:goal_reached"


def test_a_stop_twice_is_one(published: Shop) -> None:
    published("stop", "cart", "--yes")

    result = published("stop", "cart", "--yes")

    assert result.exit_code == 0
    assert "cart is stopped already (catalog revision 2)" in result.stdout


def test_a_stop_needs_a_yes_where_nobody_can_be_asked(published: Shop) -> None:
    published.happen(make_event("cart.updated", "ada"))

    result = published("stop", "cart")

    assert result.exit_code == 2
    assert "1 run ends for good if cart is stopped" in words(result.stderr)
    assert state(published) == ("live", "")


@pytest.mark.skipif(sys.platform == "win32", reason="there is no pty")
@pytest.mark.parametrize(("answer", "state_then"), [("y", "stopped"), ("n", "live")])
def test_a_stop_asks_who_sits_at_a_terminal(
    published: Shop, answer: str, state_then: str
) -> None:
    import pty

    ours, theirs = pty.openpty()
    os.write(ours, f"{answer}\n".encode())
    program = "from journeykit.cli import main; main()"

    done = subprocess.run(
        [sys.executable, "-c", program, "stop", "cart", str(published.folder)],
        stdin=theirs,
        capture_output=True,
        text=True,
        check=False,
    )

    os.close(ours)
    os.close(theirs)
    assert "0 runs end for good if cart is stopped. Stop it? [y/N]" in done.stderr
    assert done.returncode == (0 if answer == "y" else 130)
    assert state(published)[0] == state_then


def test_a_stop_holds_while_the_workspace_is_broken(published: Shop) -> None:
    published.write("journeys/cart.py", "cart = ")

    result = published("stop", "cart", "--yes")

    assert result.exit_code == 1
    assert "cart is stopped now" in result.stdout
    assert "nobody was visited" in result.stderr
    published.write("journeys/cart.py", CART)
    assert state(published) == ("stopped", "")


def test_a_stop_that_was_interrupted_is_finished_before_a_resume(
    published: Shop,
) -> None:
    published.happen(make_event("cart.updated", "ada"))
    published("pause", "cart")
    with published.embedded() as embedded:
        embedded.store.save(Job(0, "stop", "cart", started_at=1))

    published("resume", "cart")

    with published.embedded() as embedded:
        assert embedded.store.unfinished() == []


def test_a_stopped_journey_is_not_paused(published: Shop) -> None:
    published("stop", "cart", "--yes")

    result = published("pause", "cart")

    assert result.exit_code == 1
    assert "journey 'cart' is stopped: nobody is in it" in result.stderr


def test_a_draft_is_neither_paused_nor_resumed(shop: Shop) -> None:
    settings = (shop.folder / "journeykit.toml").read_text()
    shop.write("journeykit.toml", f'{settings}states = {{cart = "draft"}}\n')
    shop("publish")

    for command in ("pause", "resume"):
        result = shop(command, "cart")

        assert result.exit_code == 1
        assert "take it out of [states] in journeykit.toml" in words(result.stderr)


def test_an_unknown_journey_is_an_error_with_a_hint(published: Shop) -> None:
    for command in ("pause", "resume", "stop"):
        result = published(command, "car")

        assert result.exit_code == 1
        assert "no journey 'car' is published; did you mean 'cart'?" in result.stderr


def test_without_a_database_nothing_is_begun(shop: Shop) -> None:
    for arguments in (["pause", "cart"], ["resume", "cart"], ["stop", "cart", "--yes"]):
        result = shop(*arguments)

        assert result.exit_code == 1
        assert "there is no database" in result.stderr
    assert not (shop.folder / ".journeykit").exists()


def test_a_folder_that_is_no_workspace_says_so(shop: Shop) -> None:
    (shop.folder / "journeykit.toml").unlink()

    assert "has no journeykit.toml" in shop("pause", "cart").stderr


def words(text: str) -> str:
    return " ".join(text.split())


def state(shop: Shop) -> tuple[str, str]:
    """The state of the cart's journey, and why."""
    with shop.embedded() as embedded:
        document = embedded.store.current()
    assert document is not None
    return document.states.get("cart", "live"), document.reasons.get("cart", "")
