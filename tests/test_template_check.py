"""`check` finds what would keep a message from being composed, before anybody is to get it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from journeykit import InvalidJourney
from journeykit.channels import Channel, Message, Receipt, Sent
from journeykit.hookspecs import hookimpl
from journeykit.media.email import email_of
from journeykit.media.push import push_of
from journeykit.model.issues import Issue
from journeykit.plugins import Registry, plugin_manager
from journeykit.workspace import Workspace

LINKS = '\n[links]\nurl = "https://post.example.com"\nsecret = "$LINK_SECRET"\n'


class Post(Channel):
    """Carries whatever it is called."""

    def __init__(self, name: str) -> None:
        self.name = self.medium = name
        self.provider = "post"

    def send(self, messages: Sequence[Message]) -> Sequence[Receipt]:
        return [Sent(message.delivery_id) for message in messages]


class Posts:
    @hookimpl
    def journeykit_channels(self) -> Iterable[Channel]:
        return [Post("email"), Post("sms"), Post("push")]


def check(
    folder: Path,
    templates: Mapping[str, str],
    *,
    send: str = "channel: email, template: hello",
    purpose: str = "transactional",
    links: bool = False,
    providers: str = "post",
) -> list[Issue]:
    typed = send if "type: " in send else f"type: send, {send}"
    files = {
        "journeykit.toml": "[channels]\n"
        + "".join(f'{name} = "{providers}"\n' for name in ("email", "sms", "push"))
        + (LINKS if links else ""),
        "policies.yaml": "consent: [{default: allow}]",
        "journeys/welcome.yaml": (
            f"id: welcome\ntrigger: {{name: customer.registered}}\npurpose: {purpose}\n"
            f"steps:\n  - {{id: greet, {typed}}}\n"
        ),
        **{f"templates/{name}": text for name, text in templates.items()},
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    manager = plugin_manager(environ={"JOURNEYKIT_PLUGINS": "none"})
    manager.register(Posts(), "posts")
    return Workspace.load(folder).check(Registry.from_plugins(manager))


def said(issues: list[Issue]) -> list[tuple[str, str]]:
    return [(issue.level, issue.message) for issue in issues]


def test_a_template_that_is_right_is_nothing_to_say_about(tmp_path: Path) -> None:
    templates = {"hello.email.html": "---\nsubject: Hi\n---\nHi {{ name }}"}

    found = check(
        tmp_path,
        templates,
        send="channel: email, template: hello, variables: {name: Ada}",
    )

    assert found == []


def test_a_template_must_be_there_for_each_medium(tmp_path: Path) -> None:
    found = check(
        tmp_path,
        {"hello.email.html": "x"},
        send="channel: [sms, email], template: hello",
    )

    (issue,) = found
    assert issue.level == "error"
    assert issue.message == (
        "there is no template 'hello' for sms, only for email; write hello.sms.…"
    )
    assert (issue.journey, issue.step) == ("welcome", "greet")


def test_a_template_that_is_missing_is_said_once(tmp_path: Path) -> None:
    found = check(tmp_path, {"hallo.email.html": "x"})

    assert said(found) == [
        ("error", "there is no template 'hello' for email in templates/")
    ]


def test_a_variable_that_is_needed_must_be_given(tmp_path: Path) -> None:
    found = check(
        tmp_path,
        {"hello.email.html": "{{ first_name }}"},
        send="channel: email, template: hello, variables: {firstname: Ada}",
    )

    assert said(found) == [
        (
            "error",
            (
                "template 'hello' for email needs the variable 'first_name', and not "
                "'firstname' (templates/hello.email.html:1); give it: "
                "variables={'first_name': …}"
            ),
        ),
        (
            "hint",
            (
                "template 'hello' does not use the variable 'firstname'; did you mean "
                "'first_name'?"
            ),
        ),
    ]


def test_layouts_partials_locales_and_front_matter_are_looked_into(
    tmp_path: Path,
) -> None:
    templates = {
        "hello.email.html": "---\nlayout: _l.html\nsubject: '{{ a }}'\n---\n",
        "hello.email.de.html": "{{ b }}{% include '_p.html' %}",
        "_l.html": "{{ c }}{{ content }}",
        "_p.html": "{{ d }}",
        "_p.de.html": "{{ e }}",
    }

    found = check(tmp_path, templates)

    names = {issue.message.split("'")[3] for issue in found if issue.level == "error"}
    assert names == {"a", "b", "c", "e"}


def test_a_variable_that_is_asked_for_need_not_be_given(tmp_path: Path) -> None:
    found = check(tmp_path, {"hello.email.html": "{% if name %}{{ name }}{% endif %}"})

    assert said(found) == [
        (
            "hint",
            "template 'hello' for email asks for the variable 'name', which is never given",
        )
    ]


def test_a_variable_that_not_everybody_has_is_hinted_at(tmp_path: Path) -> None:
    send = "channel: email, template: hello, variables: {name: {cel: profile.name}}"

    without = check(tmp_path, {"hello.email.html": "{{ name }}"}, send=send)
    default = check(
        tmp_path, {"hello.email.html": "{{ name|default('you') }}"}, send=send
    )

    assert said(without) == [
        (
            "hint",
            (
                "template 'hello' for email needs 'name': who has no profile.name gets "
                'nothing; a default helps: {{ name|default("…") }}'
            ),
        )
    ]
    assert default == []


def test_a_variable_is_not_called_as_what_every_template_has(tmp_path: Path) -> None:
    found = check(
        tmp_path,
        {"hello.email.html": "{{ locale }}"},
        send="channel: email, template: hello, variables: {locale: de}",
    )

    assert [issue.level for issue in found] == ["warning"]


@pytest.mark.parametrize(
    ("files", "place", "words"),
    [
        ({"x.email.html": "---\na: b\n---\n{% if %}"}, "x.email.html:4", "xpected"),
        (
            {"x.email.html": "a\n{{ b|uper }}"},
            "x.email.html:2",
            "did you mean `upper`?",
        ),
        (
            {"x.email.html": "{% include '_no' %}"},
            "x.email.html:1",
            "no layout or partial",
        ),
        (
            {"x.email.html": "{% include '_p' %}", "_p": "", "_p.html": "{{"},
            "x.email.html:1",
            "no layout or partial '_p'",
        ),
        (
            {"x.email.html": "{% include '_p.html' %}", "_p.html": "\n{{ a|uper }}"},
            "_p.html:2",
            "did you mean",
        ),
        (
            {"x.push.json": '{\n "a": "b",\n "c": "{{"\n}'},
            "x.push.json:3",
            "unexpected",
        ),
        (
            {"x.email.html": "---\nengine: liqid\n---\n"},
            "x.email.html:1",
            "no template engine",
        ),
    ],
    ids=["syntax", "filter", "include", "no-ending", "partial", "json", "engine"],
)
def test_a_template_that_nobody_sends_must_be_right_as_well(
    tmp_path: Path, files: Mapping[str, str], place: str, words: str
) -> None:
    found = check(tmp_path, {"hello.email.html": "Hi", **files})

    (issue,) = found
    assert issue.level == "error"
    assert str(issue.source) == str(tmp_path / "templates" / place)
    assert words in issue.message


def test_all_files_that_can_not_be_read_are_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(InvalidJourney) as caught:
        check(tmp_path, {"a.push.json": "{", "b.email.html": "---\n"})

    assert len(caught.value.issues) == 2


def test_marketing_must_be_possible_to_stop(tmp_path: Path) -> None:
    send = "channel: [email, sms], template: hello"
    without = {"hello.email.html": "Buy", "hello.sms.txt": "Buy"}
    stop = {
        "hello.email.html": "{{ unsubscribe_url }}",
        "hello.sms.txt": "Reply Stop to stop",
    }

    bad = check(tmp_path, without, send=send, purpose="marketing", links=True)
    good = check(tmp_path, stop, send=send, purpose="marketing", links=True)
    other = check(tmp_path, without, send=send, purpose="transactional")

    assert [issue.level for issue in bad] == ["warning", "warning"]
    assert "no link to unsubscribe" in bad[0].message
    assert "how to stop it" in bad[1].message
    assert good == other == []


def test_links_must_be_set_up_where_a_template_has_some(tmp_path: Path) -> None:
    needs = check(tmp_path, {"hello.email.html": "{{ unsubscribe_url }}"})
    asks = check(
        tmp_path,
        {
            "hello.email.html": "{% if unsubscribe_url %}{{ unsubscribe_url }}"
            "{{ preferences_url }}{% endif %}"
        },
    )

    assert said(needs) == [
        (
            "error",
            (
                "template 'hello' for email needs 'unsubscribe_url', and no links are set "
                "up; write [links] in journeykit.toml"
            ),
        )
    ]
    assert asks == []


SURVEY = "channel: [email, sms], template: hello, type: survey, kind: nps"


def test_a_survey_is_answered_by_a_link_or_by_reply(tmp_path: Path) -> None:
    link = {"hello.email.html": "{{ survey.url }}", "hello.sms.txt": "0 to 10?"}
    without = {"hello.email.html": "How was it?", "hello.sms.txt": "0 to 10?"}

    good = check(tmp_path, link, send=SURVEY, links=True)
    bad = check(tmp_path, without, send=SURVEY, links=True)
    unlinked = check(tmp_path, link, send=SURVEY)
    (tmp_path / "templates/hello.sms.txt").unlink()
    no_survey = check(tmp_path, {"hello.email.html": "{{ survey.url }}"})

    assert good == []
    [(level, message)] = said(bad)
    assert (level, "no link to answer" in message) == ("warning", True)
    [(level, message)] = said(unlinked)
    assert (level, "no links are set up" in message) == ("error", True)
    (level, message), *_ = said(no_survey)
    assert (level, "only a Survey's message has" in message) == ("error", True)


def test_a_language_that_others_are_in_is_hinted_at(tmp_path: Path) -> None:
    templates = {
        "hello.email.html": "x",
        "hello.email.de-CH.html": "x",
        "bye.email.html": "x",
        "bye.email.fr.html": "x",
    }

    found = check(tmp_path, templates)

    assert {issue.message for issue in found} == {
        "template 'bye' for email is not there in de, as others are",
        "template 'hello' for email is not there in fr, as others are",
    }
    assert {issue.level for issue in found} == {"hint"}


def test_templates_are_checked_though_the_console_carries_them(tmp_path: Path) -> None:
    found = check(
        tmp_path, {"hello.email.txt": MAIL + "{{ name }}"}, providers="console"
    )

    assert [issue.level for issue in found] == ["error"]
    assert "needs the variable 'name'" in found[0].message


# --- each message is composed once ---------------------------------------------------


class Mail(Post):
    """Carries mail, as a real provider does."""

    def __init__(self) -> None:
        super().__init__("email")
        self.provider = "mail"

    def render(self, message: Message) -> Message:
        return replace(message, body=email_of(message, sender="a@example.com"))


class Pushes(Post):
    """Carries push messages, as a real provider does."""

    def __init__(self) -> None:
        super().__init__("push")
        self.provider = "phones"

    def render(self, message: Message) -> Message:
        return replace(message, body=push_of(message))


class Fax(Post):
    """Carries what only it knows."""

    def __init__(self) -> None:
        super().__init__("fax")
        self.provider = "mail"

    def render(self, message: Message) -> Message:
        assert message.content is not None
        raise KeyError(message.content.parts["txt"])


class Providers:
    @hookimpl
    def journeykit_channels(self) -> Iterable[Channel]:
        return [Mail(), Pushes(), Fax()]


def tried(folder: Path, templates: Mapping[str, str], **others: str) -> list[Issue]:
    """Check templates that a real provider's rules hold for."""
    files = {
        "journeykit.toml": '[channels]\nemail = "mail"\npush = "phones"\nfax = "mail"\n',
        **{f"templates/{name}": text for name, text in templates.items()},
        **others,
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    manager = plugin_manager(environ={"JOURNEYKIT_PLUGINS": "none"})
    manager.register(Providers(), "providers")
    found = Workspace.load(folder).check(Registry.from_plugins(manager))
    return [each for each in found if each.source and "templates" in each.source.file]


def line(issue: Issue) -> tuple[str, str, int]:
    assert issue.source is not None
    name, number = issue.source
    return (issue.level, Path(name).name, number)


MAIL = "---\nsubject: Hi\n---\n"

WRONG = {
    "no subject": ("hello.email.html", "Hi", "error", 1, "there is no subject"),
    "brand": (
        "hello.email.html",
        MAIL + "Hi {{ name }}\nof {{ brand.nam }}",
        "error",
        5,
        "brand.toml has no 'brand.nam'; did you mean 'name'?",
    ),
    "brand, behind an if": (
        "hello.email.html",
        MAIL + "{% if name %}\n{{ brand.nam }}{% endif %}",
        "error",
        5,
        "brand.toml has no 'brand.nam'",
    ),
    "brand in front matter": (
        "hello.email.html",
        "---\nsubject: '{{ brand.nam }}'\n---\nHi",
        "error",
        2,
        "brand.toml has no 'brand.nam'",
    ),
    "no end": (
        "hello.email.html",
        MAIL + "\n{% for n in range(9000) %}{% for m in range(9000) %}{% endfor %}"
        "{% endfor %}",
        "error",
        5,
        "its loops run more than 10,000 times",
    ),
    "a field": (
        "hello.push.json",
        '{"title": "{{ name }}",\n "titel": "x"}',
        "error",
        2,
        "can't have: `titel`",
    ),
    "a field is not there": (
        "hello.push.json",
        '{"body": "{{ name }}"}',
        "error",
        1,
        "lacks `title`",
    ),
    "a value that is made up": (
        "hello.push.json",
        '{"title": "x", "ttl": "{{ name }}"}',
        "warning",
        1,
        "so it is with made-up values of 'name'",
    ),
    "a text with what is made up": (
        "hello.email.html",
        MAIL + "{{ stars|number }}",
        "warning",
        4,
        "made-up values of 'stars'",
    ),
    "a medium": (
        "hello.emial.html",
        MAIL + "Hi",
        "warning",
        1,
        "nothing is sent as 'emial'; did you mean 'email'?",
    ),
    "a locale for a medium": (
        "hello.de.html",
        MAIL + "Hi",
        "warning",
        1,
        "nothing is sent as 'de'; write hello.email.de.html",
    ),
    "a locale": (
        "hello.email.ed.html",
        MAIL + "Hi",
        "warning",
        1,
        "there is no language 'ed'",
    ),
    "a country": (
        "hello.email.en-UK.html",
        MAIL + "Hi",
        "warning",
        1,
        "the country of 'en-UK' is called GB: en-GB",
    ),
    "front matter": (
        "hello.email.html",
        "---\nsubject: Hi\npreheadr: You\n---\nHi",
        "warning",
        3,
        "nobody reads 'preheadr'; did you mean 'preheader'?",
    ),
    "a plugin that fails": (
        "hello.fax.txt",
        "secret",
        "warning",
        1,
        "channel 'fax' can't render it: KeyError",
    ),
}


@pytest.mark.parametrize(
    ("file", "text", "level", "number", "words"), WRONG.values(), ids=WRONG
)
def test_what_would_fail_at_sending_is_found(
    tmp_path: Path, file: str, text: str, level: str, number: int, words: str
) -> None:
    found = tried(tmp_path, {"brand.toml": 'name = "Shop"\n', file: text})

    (issue,) = [each for each in found if each.level != "hint"]
    assert line(issue) == (level, file, number)
    assert words in issue.message


def test_a_misspelt_subject_is_an_error_and_says_what_was_meant(tmp_path: Path) -> None:
    found = tried(tmp_path, {"hello.email.html": "---\nsubjct: Hi\n---\nHi"})

    assert [line(each)[::2] for each in found] == [("error", 1), ("warning", 2)]
    assert "did you mean 'subject'?" in found[1].message


def test_an_example_is_better_than_what_is_made_up(tmp_path: Path) -> None:
    files = {"hello.push.json": '{"title": "x", "ttl": "{{ name }}"}'}

    right = tried(tmp_path / "a", {**files, "examples/hello.json": '{"name": 9}'})
    wrong = tried(tmp_path / "b", {**files, "examples/hello.json": '{"name": "x"}'})
    none = tried(tmp_path / "c", {**files, "examples/hello.json": "["})

    assert right == []
    assert [each.level for each in wrong] == ["error"]
    assert [line(each)[:2] for each in none] == [("warning", "hello.json")]


def test_each_language_is_tried(tmp_path: Path) -> None:
    files = {
        "hello.email.html": MAIL + "Hi",
        "hello.email.de.html": MAIL + "{{ brand.x }}",
    }

    found = tried(tmp_path, files)

    assert [line(each)[:2] for each in found] == [("error", "hello.email.de.html")]


def test_keys_of_front_matter_that_templates_read_are_right(tmp_path: Path) -> None:
    text = "---\nsubject: Hi\nheader: You\n---\n{{ settings.header }}"

    assert tried(tmp_path, {"hello.email.html": text}) == []


def test_a_template_of_many_kinds_of_values_is_right(tmp_path: Path) -> None:
    text = (
        f"{MAIL}{{{{ total|currency('EUR') }}}} {{{{ expires_at|date }}}} "
        "{% for line in order.lines %}{{ line.name }} {{ line.price|number }}{% endfor %}"
        "{{ count + 1 }} {% if note %}{{ note }}{% endif %} {{ unsubscribe_url }}"
    )

    assert tried(tmp_path, {"hello.email.html": text}) == []


def test_a_language_that_many_are_not_in_is_one_hint(tmp_path: Path) -> None:
    files = {f"t{n}.email.html": MAIL + "x" for n in range(7)}

    (hint,) = tried(tmp_path, {**files, "t0.email.de.html": MAIL + "x"})

    assert hint.message == (
        "these are not there in de, as other templates are: t1 (email), t2 (email), "
        "t3 (email), t4 (email), t5 (email) and 1 more"
    )


def test_a_variable_that_is_misspelt_in_one_language_is_found_there(
    tmp_path: Path,
) -> None:
    files = {
        "hello.email.html": MAIL + "{{ name }}",
        "hello.email.de.html": MAIL + "Hallo\n{{ nmae }}",
    }

    found = check(
        tmp_path,
        files,
        send="channel: email, template: hello, variables: {name: Ada}",
    )

    (issue,) = [each for each in found if each.level == "error"]
    assert "(templates/hello.email.de.html:5)" in issue.message
    assert "did you mean 'name' there?" in issue.message
