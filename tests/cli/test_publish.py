from __future__ import annotations

from tests.cli.conftest import CART, Shop

from journeykit.ports import CatalogDocument
from journeykit.testing import make_event


def test_the_first_publish_lists_every_journey(shop: Shop) -> None:
    result = shop("publish")

    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "published as catalog revision 1",
        "  new       cart  v1",
        "  new       news  v1",
        "  policies        set",
    ]


def test_what_has_not_changed_is_not_published_again(published: Shop) -> None:
    result = published("publish")

    assert result.stdout == "nothing differs from catalog revision 1, which is live\n"


def test_who_is_in_flight_ends_on_the_version_they_entered(published: Shop) -> None:
    published.happen(make_event("cart.updated", "ada"))
    edit_cart(published, "reminder", "shorter")

    result = published("publish", "--in-flight", "pin")
    published.happen(make_event("cart.updated", "bob", at="2026-01-05T09:30:00Z"))

    assert "cart  v1 → v2; 1 in flight goes on as before" in result.stdout
    ada, bob = published.customers("ada", "bob")
    assert [ada.active[0].version, bob.active[0].version] == [1, 2]


def test_a_journey_that_is_gone_is_closed_and_says_who_goes_on(published: Shop) -> None:
    published.happen(make_event("cart.updated", "ada"))
    (published.folder / "journeys/cart.py").unlink()

    result = published("publish")

    assert "closed    cart  nobody enters any more; 1 in flight" in result.stdout


def test_changed_policies_are_named(published: Shop) -> None:
    published.write("policies.yaml", "caps:\n  - {limit: 1, within: 1d}\n")

    assert "policies changed" in words(published("publish").stdout)


def test_a_stale_draft_is_refused_and_the_live_catalog_stays(published: Shop) -> None:
    edit_cart(published, "reminder", "shorter")

    result = published("publish", "--expect", "0")

    assert result.exit_code == 1
    assert "catalog revision 1 is live, and not 0" in result.stderr
    assert catalog(published).revision == 1


def test_the_expected_revision_is_published_on(published: Shop) -> None:
    edit_cart(published, "reminder", "shorter")

    assert published("publish", "--expect", "1").exit_code == 0
    assert catalog(published).revision == 2


def test_an_invalid_draft_is_refused_with_its_place_and_nothing_is_written(
    shop: Shop,
) -> None:
    shop.write("journeys/news.py", NEWS_TO_NOBODY)

    result = shop("publish")

    assert result.exit_code == 1
    assert "nothing was published, because of" in result.stderr
    assert "news.py:3: news/" in result.stderr
    assert "pigeon" in result.stderr
    assert not (shop.folder / ".journeykit").exists()


def test_a_file_that_can_not_be_read_keeps_what_is_live(published: Shop) -> None:
    published.write("journeys/cart.py", "cart = ")

    result = published("publish")

    assert result.exit_code == 1
    assert "cart.py" in result.stderr
    published.write("journeys/cart.py", CART)
    assert catalog(published).revision == 1


def test_warnings_are_shown_and_keep_nothing(shop: Shop) -> None:
    shop.write("journeys/news.py", HELD_OUT_FOR_NOTHING)

    result = shop("publish")

    assert result.exit_code == 0
    assert "warning" in result.stderr


def test_a_dry_run_says_the_same_and_writes_nothing(shop: Shop) -> None:
    dry = shop("publish", "--dry-run")

    assert not (shop.folder / ".journeykit").exists()
    wet = shop("publish")
    assert dry.stdout.splitlines()[0] == "would be published as catalog revision 1"
    assert dry.stdout.splitlines()[1:] == wet.stdout.splitlines()[1:]


def test_a_dry_run_sees_what_is_live(published: Shop) -> None:
    edit_cart(published, "reminder", "shorter")

    result = published("publish", "--dry-run")

    assert "cart  v1 → v2" in result.stdout
    assert published("publish", "--dry-run", "--expect", "4").exit_code == 1
    assert catalog(published).revision == 1


def test_a_state_of_the_workspace_that_ends_lets_people_go_on(shop: Shop) -> None:
    shop("publish")
    shop.happen(make_event("cart.updated", "ada"))
    settings = (shop.folder / "journeykit.toml").read_text()
    shop.write("journeykit.toml", f'{settings}states = {{cart = "paused"}}\n')
    assert "state     cart  paused" in shop("publish").stdout
    shop.happen(until="2026-01-05T11:00:00Z")
    assert shop.customers("ada")[0].active

    shop.write("journeykit.toml", settings)
    result = shop("publish")

    assert "1 of cart visited" in result.stdout
    assert "1 message or call waits" in result.stdout
    assert not shop.customers("ada")[0].active


def test_a_note_is_kept_with_the_catalog(shop: Shop) -> None:
    shop("publish", "--note", "summer sale")

    assert catalog(shop).note == "summer sale"
    assert "summer sale" in shop("status").stdout


def test_nothing_else_than_pin_is_offered_yet(shop: Shop) -> None:
    result = shop("publish", "--in-flight", "migrate")

    assert result.exit_code == 2
    assert "'pin'" in result.stderr


NEWS_TO_NOBODY = """\
from journeykit import Journey, Send, on

news = Journey("news", trigger=on("subscribed"), steps=[Send("pigeon", "hello")])
"""

HELD_OUT_FOR_NOTHING = """\
from journeykit import Holdout, Journey, Send, on

news = Journey(
    "news",
    trigger=on("subscribed"),
    holdout=Holdout(10),
    steps=[Send("email", "hello")],
)
"""


def words(text: str) -> str:
    return " ".join(text.split())


def edit_cart(shop: Shop, old: str, new: str) -> None:
    path = shop.folder / "journeys/cart.py"
    path.write_text(path.read_text().replace(old, new))


def catalog(shop: Shop) -> CatalogDocument:
    with shop.embedded() as embedded:
        document = embedded.store.current()
    assert document is not None
    return document


def test_templates_are_published_with_the_journeys(published: Shop) -> None:
    published.write("templates/reminder.email.txt", "Your cart waits.")
    published.write("templates/hello.email.txt", "Hello!")

    said = published("publish", "--dry-run").stdout
    result = published("publish")

    assert words(said) == "would be published as catalog revision 2 templates changed"
    assert words(result.stdout) == "published as catalog revision 2 templates changed"
    with published.embedded() as embedded:
        live = embedded.store.current()
        library = embedded.workspace.all_templates()
        assert live is not None
        assert live.content == library.id
        assert embedded.store.content(live.content) == library.to_bytes()


def test_a_change_of_one_template_is_something_to_publish(published: Shop) -> None:
    published.write("templates/hello.email.txt", "Hello!")
    published("publish")
    published.write("templates/hello.email.txt", "Hello, you!")

    changed = published("publish")
    again = published("publish")

    assert "templates changed" in words(changed.stdout)
    assert again.stdout == "nothing differs from catalog revision 3, which is live\n"


def test_templates_that_are_gone_are_gone_for_messages_to_come(
    published: Shop,
) -> None:
    published.write("templates/hello.email.txt", "Hello!")
    published("publish")
    (published.folder / "templates/hello.email.txt").unlink()

    result = published("publish")

    assert "templates changed" in words(result.stdout)
    with published.embedded() as embedded:
        live = embedded.store.current()
        assert live is not None
        assert live.content == ""


SEGMENTS = """\
from journeykit import Segment, profile

vip = Segment("vip", profile.plan == "pro")
"""

VIPS = """\
from journeykit import Journey, Wait, days, entered

vips = Journey("vips", trigger=entered("vip"), steps=[Wait(days(30))])
"""


def members(shop: Shop) -> None:
    for id in ("ada", "bob"):
        shop.happen(make_event("profile.updated", id, plan="pro"))
    shop.happen(make_event("profile.updated", "cy", plan="free"))


def test_a_publish_of_a_segment_visits_everybody_and_enrolls_nobody(
    published: Shop,
) -> None:
    members(published)
    published.write("segments.py", SEGMENTS)
    published.write("journeys/vips.py", VIPS)

    result = published("publish")

    assert result.exit_code == 0, result.output
    assert "3 visited: segments or schedules are new to them" in result.stdout
    people = published.customers("ada", "bob", "cy")
    assert [[*person.segments] for person in people] == [["vip"], ["vip"], []]
    assert not any(person.active for person in people)
    with published.embedded() as embedded:
        assert [*embedded.store.unfinished()] == []


def test_existing_members_are_enrolled_once_if_that_is_asked_for(
    published: Shop,
) -> None:
    members(published)
    published.write("segments.py", SEGMENTS)
    published.write("journeys/vips.py", VIPS)

    first = published("publish", "--existing", "vips")
    second = published("publish", "--existing", "vips")

    assert "vips launched: 2 of 3 enter it" in first.stdout, first.output
    assert "nothing differs from catalog revision 2" in second.stdout
    assert "vips launched: 0 of 3 enter it" in second.stdout
    assert "has been in the journey before its launch" in second.stdout
    ada, bob, cy = published.customers("ada", "bob", "cy")
    assert [len(one.active) for one in (ada, bob, cy)] == [1, 1, 0]


def test_a_launch_on_an_event_enrolls_nobody_and_says_why(published: Shop) -> None:
    members(published)

    result = published("publish", "--existing", "news")

    assert result.exit_code == 0
    assert "news launched: 0 enter it" in words(result.stdout)
    assert "an event that has happened does not happen again" in words(result.stdout)


def test_a_launch_of_an_unknown_journey_publishes_nothing(shop: Shop) -> None:
    result = shop("publish", "--existing", "nwes")

    assert result.exit_code == 1
    assert "did you mean 'news'?" in result.stderr
    with shop.embedded() as embedded:
        assert embedded.store.revision() == 0


def test_a_publish_that_was_killed_leaves_its_visit_to_the_next_process(
    published: Shop,
) -> None:
    members(published)
    published.write("segments.py", SEGMENTS)
    with published.embedded() as embedded:
        embedded.publish(now=1_790_000_000_000)  # and there it ends

    with published.embedded() as embedded:
        (job,) = embedded.store.unfinished()
        assert (job.reason, job.journey, job.visited) == ("publish", "", 0)
        embedded.visits.unfinished(now=1_790_000_000_000)

    (ada,) = published.customers("ada")
    assert [*ada.segments] == ["vip"]
