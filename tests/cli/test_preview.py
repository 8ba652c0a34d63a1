"""`journeykit preview` shows what people would get, and what is wrong with it."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from journeykit.channels import Channel, Message, Receipt
from journeykit.cli import group
from journeykit.errors import ContentError
from journeykit.media.email import Email
from journeykit.media.sms import Sms, sms_of
from journeykit.plugins import Registry, plugin_manager
from journeykit.workspace import Workspace
from journeykit.workspace.placeholders import Placeholder, placeholder
from journeykit.workspace.previews import Preview, Previews

SHOP = Path(__file__).parent / "lindenhof"
OUTLINE = Path(__file__).parent / "lindenhof.outline.txt"
AT = "2026-06-07T12:00:00Z"


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JOURNEYKIT_PLUGINS", "none")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.delenv("JOURNEYKIT_LINK_SECRET", raising=False)
    folder = shutil.copytree(SHOP, tmp_path / "shop")
    monkeypatch.chdir(folder)
    return folder


def preview(*args: str) -> Result:
    return CliRunner().invoke(group, ["preview", "--at", AT, *args])


def one(folder: Path, medium: str, locale: str = "", **more: object) -> Preview:
    registry = Registry.from_plugins(plugin_manager())
    at = datetime(2026, 6, 7, 12, tzinfo=UTC)
    previews = Previews(Workspace.load(folder), registry, at, **more)  # type: ignore[arg-type]
    return previews.one("cart-reminder", medium, locale)


class Outline(HTMLParser):
    """What a page has, without how it looks: a line for each thing."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._said: list[str] | None = None
        self._head = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append((tag, given))
        if tag == "article":
            self.lines.append(f"article {given['id']}")
        elif tag == "figure":
            self.lines.append(f"  figure {given['class']}")
        elif tag == "iframe":
            self.lines.append(f"    iframe {given['width']} {given['title']}")
        elif tag in ("h1", "h2", "h3", "dt", "dd", "figcaption", "summary", "li"):
            self._said, self._head = [], tag

    def handle_data(self, data: str) -> None:
        if self._said is not None:
            self._said.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == self._head and self._said is not None:
            self.lines.append(f"    {tag}: {' '.join(''.join(self._said).split())}")
            self._said = None


def outline(page: Path) -> Outline:
    parser = Outline()
    parser.feed(page.read_text(encoding="utf-8"))
    return parser


def test_all_templates_are_shown_on_all_their_devices(shop: Path) -> None:
    done = preview()

    assert done.exit_code == 0, done.output
    # A link's token is made of the message and the preview's own secret.
    lines = [
        re.sub(r"/[a-z]/[\w.-]{60,}", "/TOKEN", s)
        for s in outline(shop / "preview/index.html").lines
    ]
    assert "\n".join(lines) + "\n" == OUTLINE.read_text(encoding="utf-8")


def test_the_workspace_may_be_named_as_for_other_commands(shop: Path) -> None:
    os.chdir(shop.parent)

    found = preview("shop", "cart-reminder", "--out", str(shop / "page"))
    missing = preview("shop", "nothing")

    assert found.exit_code == 0
    assert "cart-reminder" in found.stdout
    assert "there is no template 'nothing'" in missing.output


def test_the_terminal_says_the_same_in_short(shop: Path) -> None:
    done = preview()

    assert done.stdout.startswith("cart-reminder\n  email    -       Zoë, your cart")
    assert "  sms      -       Segments: 2; Encoding: UCS-2, 16 bit" in done.stdout
    assert "wrote preview/index.html" in done.stderr


def test_the_page_runs_nothing_and_loads_nothing(shop: Path) -> None:
    preview()

    tags = outline(shop / "preview/index.html").tags
    policy = next(a for t, a in tags if t == "meta" and "http-equiv" in a)
    assert str(policy["content"]).startswith("default-src 'none'; style-src")
    assert "img-src data:;" in str(policy["content"])
    assert {tag for tag, _ in tags} & {
        "script",
        "link",
        "img",
        "form",
        "object",
    } == set()
    for tag, attributes in tags:
        assert not any(name.startswith("on") for name in attributes)
        if tag == "a":
            assert str(attributes["href"]).startswith("#")
        if tag == "iframe":
            assert attributes["sandbox"] in ("", None)
            assert "src" not in attributes
            assert '<base target="_blank">' in str(attributes["srcdoc"])


def test_pictures_are_loaded_only_where_that_is_asked_for(shop: Path) -> None:
    preview("--images")

    tags = outline(shop / "preview/index.html").tags
    policy = next(a for t, a in tags if t == "meta" and "http-equiv" in a)
    assert "img-src data: https:;" in str(policy["content"])
    pictures = [a for t, a in tags if t == "img"]
    assert pictures[0]["src"] == "https://lindenhof.example/tea.jpg"


def test_everything_can_be_found_without_eyes(shop: Path) -> None:
    preview()

    tags = outline(shop / "preview/index.html").tags
    ids = [a["id"] for _, a in tags if "id" in a]
    assert next(a for t, a in tags if t == "html")["lang"] == "en"
    assert len(ids) == len(set(ids))
    assert {str(a["href"])[1:] for t, a in tags if t == "a"} <= set(ids)
    assert all(a.get("title") for t, a in tags if t == "iframe")
    assert all(a.get("aria-label") for _, a in tags if a.get("role") == "img")
    figures = [t for t, _ in tags if t in ("figure", "figcaption")]
    assert figures == ["figure", "figcaption"] * (len(figures) // 2)


def test_right_to_left_text_runs_so(shop: Path) -> None:
    found = one(shop, "email", "ar")

    assert isinstance(found.body, Email)
    assert (found.found, found.direction) == ("ar", "rtl")
    assert '<html lang="ar" dir="rtl">' in found.body.html
    preview("--locale", "ar")
    tags = outline(shop / "preview/index.html").tags
    assert any(a.get("dir") == "rtl" and a.get("lang") == "ar" for _, a in tags)


def test_what_is_sent_is_written_beside_it(shop: Path) -> None:
    preview("--out", "there")

    found = one(shop, "email")
    assert isinstance(found.body, Email)
    assert Path("there/cart-reminder.email.html").read_text("utf-8") == found.body.html
    assert "Zoë" in Path("there/cart-reminder.email.ar.txt").read_text("utf-8")
    payload = json.loads(Path("there/cart-reminder.whatsapp.json").read_text("utf-8"))
    assert payload["template"]["name"] == "cart_reminder"


def test_a_locale_that_has_no_files_falls_back(shop: Path) -> None:
    preview("--locale", "ar_EG", "--locale", "fr")

    page = Path("preview/index.html").read_text("utf-8")
    assert 'id="cart-reminder.email.ar-EG"' in page
    assert "of the template for ar" in page
    assert 'id="cart-reminder.email.fr"' in page


def test_words_of_a_message_never_become_part_of_the_page(shop: Path) -> None:
    Path("evil.json").write_text('{"first_name": "<script>alert(1)</script>"}')

    done = preview("--variables", "evil.json")

    assert done.exit_code == 0, done.output
    assert {t for t, _ in outline(shop / "preview/index.html").tags} & {
        "script"
    } == set()
    assert "<script>alert" not in Path("preview/index.html").read_text("utf-8")


# Variables


def test_variables_come_from_the_profile_the_example_and_the_command(
    shop: Path,
) -> None:
    example = Path("templates/examples/cart-reminder.json")
    known = json.loads(example.read_text("utf-8"))
    example.write_text(
        json.dumps({k: v for k, v in known.items() if k != "first_name"})
    )

    nobody = one(shop, "push")
    profile = one(shop, "push", profile={"first_name": "Ada"})
    given = one(shop, "push", profile={"first_name": "Ada"}, given={"first_name": "Bo"})

    assert [title(each) for each in (nobody, profile, given)] == [
        "Your cart is waiting, Alex",
        "Your cart is waiting, Ada",
        "Your cart is waiting, Bo",
    ]
    assert (nobody.made_up, profile.made_up) == (("first_name",), ())


def title(shown: Preview) -> str:
    return str(getattr(shown.body, "title", ""))


def test_an_example_may_be_for_one_locale(shop: Path) -> None:
    Path("templates/examples/cart-reminder.ar.json").write_text('{"first_name": "زوي"}')

    found = one(shop, "email", "ar")

    assert isinstance(found.body, Email)
    assert found.body.subject.startswith("زوي")


def test_what_nobody_gives_is_made_up(shop: Path) -> None:
    Path("templates/examples/cart-reminder.json").unlink()
    Path("templates/cart-reminder.sms.txt").write_text(
        "{{ nickname }}: {{ order.lines[0].what }}{% for each in order.lines %}"
        " {{ each.title_text }}{% endfor %} {{ total }} {{ url }}"
    )

    found = one(shop, "sms")

    assert found.made_up == ("nickname", "order", "total", "url")
    assert isinstance(found.body, Sms)
    assert found.body.text == (
        "[nickname]: [order.lines.0.what] [order.lines.0.title_text] "
        "[order.lines.1.title_text] 49.9 https://example.com/page"
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("first_name", "Alex"),
        ("firstName", "Alex"),
        ("unit_price", 49.9),
        ("order_count", 3),
        ("is_new", True),
        ("link", "https://example.com/page"),
    ],
)
def test_a_name_says_what_is_likely(name: str, value: object) -> None:
    assert placeholder(name) == value


def test_what_can_not_be_guessed_is_whatever_it_is_taken_for() -> None:
    order = placeholder("order")

    assert isinstance(order, Placeholder)
    assert str(order) == "[order]"
    assert [str(each) for each in order] == ["[order.0]", "[order.1]"]
    assert str(order["kind"]["of"]) == "[order.kind.of]"
    assert len(order) == 2
    assert "kind" in order
    assert "__class__" not in order


# What goes wrong


def test_what_could_not_be_sent_is_said_and_fails(shop: Path) -> None:
    Path("templates/cart-reminder.sms.txt").write_text("{% if %}")
    Path("templates/cart-reminder.push.json").write_text('{"title": "x", "link": "no"}')

    done = preview()

    assert done.exit_code == 1
    said = " ".join(done.stdout.split())
    assert "can't be sent: templates/cart-reminder.sms.txt:1" in said
    page = Path("preview/index.html").read_text("utf-8")
    assert page.count("<b>Can't be sent.</b>") == 2
    assert 'id="cart-reminder.email"' in page


def test_warnings_are_shown(shop: Path) -> None:
    path = Path("templates/_footer.html")
    path.write_text("<img src='https://a.example/b'>")

    done = preview()

    assert done.exit_code == 0
    assert "warning: 1 image has no alt" in done.stdout
    assert '<ul class="warnings" aria-label="Warnings">' in Path(
        "preview/index.html"
    ).read_text("utf-8")


@pytest.mark.parametrize(
    ("args", "words"),
    [
        pytest.param(["nope"], "there is no template 'nope'", id="template"),
        pytest.param(["--variables", "nope.json"], "can't be read", id="no file"),
        pytest.param(["--variables", "bad.json"], "is no JSON", id="no JSON"),
        pytest.param(
            ["--customer-profile", "list.json"], "must be a JSON", id="a list"
        ),
        pytest.param(["--locale", "!"], "write a language", id="locale"),
        pytest.param(["--out", "bad.json"], "is a file", id="out"),
    ],
)
def test_wrong_arguments_are_refused(shop: Path, args: list[str], words: str) -> None:
    Path("bad.json").write_text("{")
    Path("list.json").write_text("[]")

    done = preview(*args)

    assert done.exit_code != 0
    assert words in done.output
    assert not Path("preview").exists()


def test_a_workspace_without_templates_says_what_to_write(tmp_path: Path) -> None:
    (tmp_path / "journeykit.toml").write_text('name = "x"\n')

    done = preview("--workspace", str(tmp_path), "--out", str(tmp_path / "out"))

    assert done.exit_code == 1
    assert "welcome.email.html" in done.output


# Whoever carries it


class Short(Channel):
    """Takes one segment."""

    name = "sms"
    provider = "short"
    medium = "sms"

    def render(self, message: Message) -> Message:
        return replace(message, body=sms_of(message, most_segments=1))

    def send(self, messages: Sequence[Message]) -> Sequence[Receipt]:
        raise AssertionError("a preview sends nothing")


@pytest.fixture
def carried(shop: Path) -> Callable[[], Preview]:
    settings = shop / "journeykit.toml"
    settings.write_text(settings.read_text() + '[channels]\nsms = "short"\n')
    registry = Registry.from_plugins(plugin_manager())
    registry = replace(
        registry, channels={**registry.channels, ("sms", "short"): Short()}
    )
    at = datetime(2026, 6, 7, 12, tzinfo=UTC)
    return lambda: Previews(Workspace.load(shop), registry, at).one(
        "cart-reminder", "sms", ""
    )


def test_the_providers_own_limits_hold(carried: Callable[[], Preview]) -> None:
    assert "2 segments; 1 are the most" in carried().problem

    Path("templates/cart-reminder.sms.txt").write_text("Hi")
    found = carried()

    assert (found.problem, found.provider) == ("", "short")


def test_links_are_signed_by_nobody(shop: Path) -> None:
    found = one(shop, "email")  # and without the secret of journeykit.toml

    assert isinstance(found.body, Email)
    assert "https://post.lindenhof.example/u/" in found.body.html
    assert found.body.headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_a_missing_provider_is_a_warning_and_no_obstacle(shop: Path) -> None:
    settings = shop / "journeykit.toml"
    settings.write_text(settings.read_text() + '[channels]\nsms = "nobody"\n')

    found = one(shop, "sms")

    assert found.body is not None
    assert any("nobody" in warning for warning in found.warnings)
    assert ContentError.__name__ not in found.problem


def test_a_survey_is_shown_with_its_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOURNEYKIT_PLUGINS", "none")
    monkeypatch.chdir(tmp_path)
    journey = (
        "id: poll\ntrigger: {name: bought}\nsteps:\n"
        "  - {type: survey, channel: email, template: how, kind: csat, within: 7d}\n"
    )
    text = "---\nsubject: How was it?\n---\n{% for a in survey.links %}"
    files = {
        "journeykit.toml": '[channels]\nemail = "console"\n[links]\n'
        'url = "https://post.example.com"\nsecret = "$JOURNEYKIT_LINK_SECRET"\n',
        "journeys/poll.yaml": journey,
        "templates/how.email.html": text
        + '<a href="{{ a.url }}">{{ a.score }}</a>{% endfor %}',
    }
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content, "utf-8")

    done = preview(".", "how", "--out", "page")

    assert done.exit_code == 0, done.output
    page = (tmp_path / "page" / "how.email.html").read_text("utf-8")
    assert re.findall(r"/s/[^\"]+\?score=(\d)", page) == ["1", "2", "3", "4", "5"]
