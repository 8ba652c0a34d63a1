from __future__ import annotations

import json

from tests.cli.conftest import Shop

from journeykit.engine.commands import SendMessage
from journeykit.engine.customer import decode
from journeykit.engine.stimuli import Returned
from journeykit.model.events import instant
from journeykit.testing import make_event

LATER = "2026-01-05T10:30:00Z"


def test_a_run_is_told_by_the_customers_own_clock(published: Shop) -> None:
    published.happen(
        make_event("profile.updated", "ada", zone="Asia/Tokyo", plan="gold"),
        make_event("cart.updated", "ada"),
    )

    told = words(published("customer", "ada").stdout)

    assert "told by the clock of Asia/Tokyo" in told
    assert "next due: 2026-01-05 19:00" in told
    assert 'plan "gold"' in told
    assert "in cart · v1" in told
    assert "step wait-1h since 2026-01-05 18:00" in told
    assert "goes on 2026-01-05 19:00" in told


def test_without_a_zone_it_is_told_by_the_journeys(published: Shop) -> None:
    published.happen(make_event("cart.updated", "ada"))

    assert "the clock of America/New_York" in published("customer", "ada").stdout


def test_the_past_says_how_it_ended(published: Shop) -> None:
    published.happen(
        make_event("cart.updated", "ada"),
        make_event("order.placed", "ada", at="2026-01-05T09:10:00Z"),
        make_event("cart.updated", "ada", at="2026-01-05T09:20:00Z"),
    )

    told = words(published("customer", "ada").stdout)

    assert "entered 2 times, last 2026-01-05 04:20" in told
    assert "left 2026-01-05 04:10 (exited: goal reached)" in told
    assert "the 2nd time" in told


def test_consents_and_the_state_of_addresses_are_told(published: Shop) -> None:
    published.happen(
        make_event("consent.changed", "ada", granted=False, topic="offers"),
        make_event("message.bounced", "ada", {"channel": "email", "bounce": "hard"}),
    )

    told = words(published("customer", "ada").stdout)

    assert "said no to offers" in told
    assert "address email ada: nothing goes to it any more: hard bounce" in told


def test_addresses_are_told_as_they_are_kept_if_the_workspace_is_broken(
    published: Shop,
) -> None:
    published.happen(
        make_event("message.bounced", "ada", {"channel": "email", "bounce": "hard"}),
    )
    published.write("journeys/cart.py", "cart = ")

    result = published("customer", "ada")

    assert result.exit_code == 0
    assert "an address that the profile lacks" in words(result.stdout)


def test_of_many_messages_the_latest_are_listed(shop: Shop) -> None:
    shop.write("policies.yaml", "caps:\n  - {limit: 100, within: 30d, purpose: all}\n")
    shop("publish")
    shop.happen(
        *(
            make_event("cart.updated", "ada", at=f"2026-01-05T09:{n:02}:00Z")
            for n in range(23)
        ),
        until="2026-01-06T09:00:00Z",
    )

    few, all_ = shop("customer", "ada").stdout, shop("customer", "ada", "--all").stdout

    assert few.count("  email  cart") == 20
    assert "3 earlier ones; --all lists them" in few
    assert all_.count("  email  cart") == 23


def test_a_message_that_is_held_back_says_until_when(published: Shop) -> None:
    published.happen(make_event("cart.updated", "ada"), until=LATER)
    with published.embedded() as embedded:
        (task,) = embedded.store.take(2**45, 10, lease_until=2**45)
        assert isinstance(task.command, SendMessage)
        returned = Returned(
            message=task.command,
            until=task.command.at + 3_600_000,
            reason="pace",
            received_at=instant(LATER),
        )
    published.happen(returned)

    told = words(published("customer", "ada").stdout)

    assert "held back reminder by email (cart), asked about again 2026-01-05 06:00" in (
        told
    )


def test_json_is_the_document_itself(published: Shop) -> None:
    published.happen(make_event("cart.updated", "ada"))

    result = published("customer", "ada", "--json")

    (document,) = published.customers("ada")
    assert decode(result.stdout.encode()) == document
    assert json.loads(result.stdout)["id"] == "ada"


def test_an_unknown_customer_is_an_error_with_those_spelled_alike(
    published: Shop,
) -> None:
    published.happen(*(make_event("subscribed", f"ada-{n}") for n in range(3)))

    result = published("customer", "ada-7")

    assert result.exit_code == 1
    assert "there is no customer 'ada-7'; did you mean 'ada-" in result.stderr


def test_nothing_that_came_in_commands_the_terminal(published: Shop) -> None:
    published.happen(make_event("profile.updated", "ada", {"a\x1bb": "\x1b[31mred"}))

    assert "\x1b" not in published("customer", "ada").stdout


def test_it_fits_eighty_columns(published: Shop) -> None:
    published.happen(
        make_event("profile.updated", "ada", {"a" * 60: "word " * 40}),
        make_event("cart.updated", "ada"),
    )

    assert max(map(len, published("customer", "ada").stdout.splitlines())) <= 80


def words(text: str) -> str:
    return " ".join(text.split())


def test_a_customer_shows_when_a_schedule_is_due(shop: Shop) -> None:
    shop.write(
        "journeys/daily.py",
        "from journeykit import Journey, every\n"
        'daily = Journey("daily", trigger=every("day", at="09:00"), steps=[])\n',
    )
    shop("publish")
    shop.happen(make_event("profile.updated", "ada", at="2026-01-05T10:00:00Z", x=1))

    result = shop("customer", "ada")  # by the clock of New York

    assert "triggers" in result.stdout
    assert "daily" in result.stdout
    assert "looks again 2026-01-06 04:00" in result.stdout
