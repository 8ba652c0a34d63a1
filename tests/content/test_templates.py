"""The library finds the right file for everybody, and says where a wrong one is."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given

from journeykit.content.templates import Library, TemplateFile
from journeykit.errors import ContentError, InputError, InvalidJourney

LOCALES = ["", "en", "en-GB", "de", "de-CH", "pt", "pt-BR", "zh", "zh-Hant", "ar"]


def write(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def read(folder: Path, files: Mapping[str, str | bytes], **settings: str) -> Library:
    return Library.read(write(folder, files), **settings)  # type: ignore[arg-type]


def library(*paths: str, locale: str = "en") -> Library:
    return Library({path: TemplateFile(path) for path in paths}, locale=locale)


def test_a_file_is_taken_apart(tmp_path: Path) -> None:
    text = "---\nsubject: Hi {{ name }}\nheaders: {X-A: b}\n---\n<p>Hi</p>\n"

    found = read(tmp_path, {"hello.email.html": text})

    assert found.files == {
        "hello.email.html": TemplateFile(
            body="<p>Hi</p>\n",
            line=5,
            settings={"subject": "Hi {{ name }}", "headers": {"X-A": "b"}},
            places=[2, 3],
        )
    }


def test_json_is_parsed_and_knows_its_lines(tmp_path: Path) -> None:
    text = '---\nengine: liquid\n---\n{\n  "title": "A",\n  "actions": [\n    "B", 1\n  ]\n}\n'

    file = read(tmp_path, {"hello.push.json": text}).files["hello.push.json"]

    assert file.document == {"title": "A", "actions": ["B", 1]}
    assert file.document_places == [5, 7]
    assert file.settings == {"engine": "liquid"}


def test_names_media_and_locales_are_read_off_the_files(tmp_path: Path) -> None:
    files = [
        *(
            "cart.email.html",
            "cart.email.de.html",
            "cart.sms.txt",
            "shop/hi.push.zh-Hant.json",
        ),
        *("_layout.email.html", "notes.md", ".hidden.email.html", "examples/cart.json"),
        *("old.txt", "image.png"),
    ]

    found = read(tmp_path, dict.fromkeys(files, "{}"))

    assert found.names == {"cart", "shop/hi", "old"}
    assert [*found.locales("cart", "email")] == ["", "de"]
    assert [*found.locales("shop/hi", "push")] == ["zh-Hant"]
    assert "_layout.email.html" in found.files
    assert not {"notes.md", ".hidden.email.html", "examples/cart.json"} & {*found.files}


def test_a_folder_that_is_not_there_is_an_empty_library(tmp_path: Path) -> None:
    found = Library.read(tmp_path / "nowhere")

    assert found.files == {}
    assert found == Library()


def test_the_brand_is_read(tmp_path: Path) -> None:
    text = 'name = "Shop"\nsince = 2020-01-02\n[colors]\nmain = "#fff"\n'

    found = read(tmp_path, {"brand.toml": text})

    assert found.brand == {
        "name": "Shop",
        "since": "2020-01-02",
        "colors": {"main": "#fff"},
    }


@pytest.mark.parametrize(
    ("name", "text", "line", "words"),
    [
        ("a.email.html", "---\nsubject: x\n", 1, "front matter has no end"),
        ("a.email.html", "---\nsubject: [\n---\n", 3, "not YAML"),
        ("a.email.html", "---\na: 1\na: 2\n---\n", 3, "stands here and in line"),
        ("a.email.html", "---\n- a\n---\n", 2, "list of `key: value`"),
        ("a.email.html", "---\na: b\nengine: 3\n---\n", 3, "engine: is the name of"),
        ("a.email.html", "---\na: b\nlayout: _no.html\n---\n", 3, "no file '_no.html'"),
        ("a.email.html", b"\xff", 0, "not UTF-8"),
        ("a.email.html", b"x" * 300_000, 0, "the limit is"),
        ("a.b.email.de.html", "x", 0, "too many dots"),
        ("a.email.german.html", "x", 0, "'german' is no locale"),
        ("a.push.json", '{\n  "a": {% if x %}\n}', 2, "not JSON"),
        (
            "a.push.json",
            "---\na: b\n---\n{\n  1\n}",
            5,
            "each text in it is a template",
        ),
        ("brand.toml", "a = 1\nb = \n", 2, "not TOML"),
        ("brand.toml", b"\xff", 0, "can't be read"),
    ],
    ids=lambda value: None if isinstance(value, int) else str(value)[:20].strip(),
)
def test_what_is_wrong_with_a_file_is_said_with_its_line(
    tmp_path: Path, name: str, text: str | bytes, line: int, words: str
) -> None:
    with pytest.raises(InvalidJourney) as caught:
        read(tmp_path, {name: text})

    (issue,) = caught.value.issues
    assert Path(issue.file).name == name
    assert issue.line == line
    assert words in issue.message


def test_a_file_that_is_wrong_does_not_hide_the_others(tmp_path: Path) -> None:
    problems: list = []  # type: ignore[type-arg]
    folder = write(tmp_path, {"a.push.json": "{", "b.sms.txt": "B", "c.push.json": "["})

    found = Library.read(folder, problems=problems)

    assert [*found.files] == ["b.sms.txt"]
    assert len(problems) == 2


def test_line_ends_of_windows_count_as_one(tmp_path: Path) -> None:
    text = "---\r\nsubject: x\r\n---\r\na\r\nb\r\n"

    file = read(tmp_path, {"a.email.html": text}).files["a.email.html"]

    assert (file.body, file.line) == ("a\nb\n", 4)


@pytest.mark.parametrize(
    ("locale", "found"),
    [
        ("de-CH", "de-CH"),
        ("de-AT", "de"),
        ("de", "de"),
        ("fr", "en"),  # the workspace's
        ("", "en"),
        ("nonsense", "en"),
    ],
)
def test_the_nearest_locale_is_found(locale: str, found: str) -> None:
    templates = library(
        *(f"a.email{each}.html" for each in ("", ".en", ".de", ".de-CH")), locale="en"
    )

    assert templates.find("a", "email", locale).locale == found


def test_without_a_locale_the_file_for_everybody_is_found() -> None:
    assert library("a.sms.txt", "a.sms.de.txt").find("a", "sms", "fr").locale == ""


def test_all_parts_are_in_one_language() -> None:
    templates = library("a.email.html", "a.email.txt", "a.email.de.html", locale="en")

    assert templates.find("a", "email", "de").parts == {"html": "a.email.de.html"}
    assert {*templates.find("a", "email", "en").parts} == {"html", "txt"}


def test_a_part_may_come_from_further_up_in_its_language() -> None:
    templates = library(
        "a.email.de.txt", "a.email.de-CH.html", "a.email.txt", locale="en"
    )

    assert templates.find("a", "email", "de-CH").parts == {
        "html": "a.email.de-CH.html",
        "txt": "a.email.de.txt",
    }


def test_the_file_for_everybody_is_in_the_workspaces_language() -> None:
    templates = library("a.email.html", "a.email.de.txt", locale="de")

    assert {*templates.find("a", "email", "de").parts} == {"html", "txt"}


@given(
    there=st.sets(st.sampled_from(LOCALES), min_size=1), asked=st.sampled_from(LOCALES)
)
def test_nobody_gets_parts_of_two_languages(there: set[str], asked: str) -> None:
    paths = [
        f"a.email{'.' if each else ''}{each}.{ending}"
        for each in sorted(there)
        for ending in ("html", "txt")
    ]
    templates = library(*paths, locale="en")
    speaks = {each.partition("-")[0] or "en" for each in there}

    try:
        found = templates.find("a", "email", asked)
    except ContentError:
        # zh and zh-Hant are not read by the same people.
        assert not (speaks - {"zh"}) & {asked.partition("-")[0], "en"}
        return

    languages = {path.split(".")[2].partition("-")[0] for path in found.parts.values()}
    languages = {"en" if each in ENDINGS else each for each in languages}
    assert len(languages) == 1


ENDINGS = {"html", "txt"}


@pytest.mark.parametrize(
    ("name", "medium", "words"),
    [
        ("b", "email", "there is no template 'b' for email in templates/"),
        ("a", "sms", "only for email; write a.sms.…"),
        ("old", "sms", "old.txt does not say what it is for; call it old.sms.txt"),
        ("g", "email", "is there in de only; write one without a locale, or one in en"),
    ],
)
def test_a_template_that_is_not_there_says_what_to_write(
    name: str, medium: str, words: str
) -> None:
    templates = library("a.email.html", "old.txt", "g.email.de.html")

    with pytest.raises(ContentError) as caught:
        templates.find(name, medium, "fr")

    assert words in str(caught.value)


def test_a_partial_is_found_for_a_locale_as_well() -> None:
    templates = library("_f.html", "_f.de.html", "shop/_g.email.html")

    assert templates.partial("_f.html", "de-CH") == "_f.de.html"
    assert templates.partial("_f.html", "fr") == "_f.html"
    assert templates.partial("shop/_g.email.html", "de") == "shop/_g.email.html"


@pytest.mark.parametrize(
    "name", ["_no.html", "../x", "/etc/passwd", "", "_f", "x" * 9999]
)
def test_a_partial_that_is_not_there_is_no_file_of_the_machine(name: str) -> None:
    with pytest.raises(LookupError):
        library("_f.html").partial(name, "de")


def test_a_library_goes_through_bytes(tmp_path: Path) -> None:
    files = {
        "brand.toml": 'name = "Zoë"',
        "b.push.json": '{"z": "1", "a": ["2", null]}',
        "a.email.html": "---\nsubject: x\nfrom: y\n---\nBody",
    }
    before = read(tmp_path, files, engine="liquid", locale="de")

    after = Library.from_bytes(before.to_bytes())

    assert after == before
    assert (after.engine, after.locale, after.brand) == (
        "liquid",
        "de",
        {"name": "Zoë"},
    )
    # Places are counted by it.
    assert [*after.files["b.push.json"].document] == ["z", "a"]


def test_the_id_is_made_of_what_is_in_it() -> None:
    one = Library({"a.sms.txt": TemplateFile("A"), "b.sms.txt": TemplateFile("B")})
    same = Library({"b.sms.txt": TemplateFile("B"), "a.sms.txt": TemplateFile("A")})

    assert one.id == same.id
    assert len(one.id) == 64
    others = [
        Library({**one.files, "a.sms.txt": TemplateFile("A!")}),
        Library(one.files, locale="de"),
        Library(one.files, engine="liquid"),
        Library(one.files, brand={"a": 1}),
    ]
    assert len({each.id for each in [one, *others]}) == 5


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not zlib",
        zlib.compress(b"not json"),
        zlib.compress(b'{"schema": 1}'),
        zlib.compress(b'{"schema":2,"engine":"","locale":"","brand":{},"files":{}}'),
        zlib.compress(b" " * 80_000_000),
        Library().to_bytes()[:-5],
    ],
    ids=["empty", "no-zlib", "no-json", "no-fields", "newer", "bomb", "cut"],
)
def test_bytes_that_are_no_library_are_refused(content: bytes) -> None:
    with pytest.raises(InputError):
        Library.from_bytes(content)


def test_a_channel_is_told_the_settings_and_documents_of_its_medium(
    tmp_path: Path,
) -> None:
    files = {
        "_l.email.html": "---\nfrom: shop\nsubject: none\n---\n",
        "a.email.html": "---\nlayout: _l.email.html\nsubject: A\n---\n",
        "a.whatsapp.json": '{"kind": "template"}',
        "b.whatsapp.de.json": '{"kind": "text"}',
    }

    found = read(tmp_path, files)

    assert found.documents("whatsapp") == {
        "a": {"kind": "template"},
        "b": {"kind": "text"},
    }
    assert found.documents("email") == {
        "a": {"from": "shop", "subject": "A", "layout": "_l.email.html"}
    }
