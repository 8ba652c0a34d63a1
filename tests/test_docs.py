"""What there is, is documented: each name below stands in the place that explains it.

That the blocks in the docs run, and print what they show, is `conftest.py`'s business.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, Field, fields
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from types import ModuleType, UnionType
from typing import (
    Annotated,
    Any,
    Literal,
    NamedTuple,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

import click
import msgspec
import pytest

import journeykit
import journeykit.testing
from journeykit import errors, hookspecs
from journeykit.cli import COMMANDS, group
from journeykit.engine import commands, customer, trace
from journeykit.engine.records import TRACE_SCHEMA
from journeykit.engine.words import _WORDS, ANY, REASONS
from journeykit.model import events
from journeykit.model.complaints import _NAMES, CLASSES
from journeykit.model.conditions import text_of
from journeykit.model.documents import from_yaml
from journeykit.model.durations import Duration
from journeykit.model.native import NativeLine
from journeykit.model.segment_spec import SegmentLine
from journeykit.workspace.reading import Settings

ROOT = Path(__file__).parent.parent
PAGES = {path.name: path for path in [ROOT / "README.md", *ROOT.glob("docs/**/*.md")]}
EVERYTHING = "\n".join(path.read_text(encoding="utf-8") for path in PAGES.values())


class Section(NamedTuple):
    """A heading and what stands beneath it, up to the next heading of any depth."""

    title: str
    text: str

    def rows(self) -> dict[str, list[str]]:
        """The rows of its tables, by the names in their first cell."""
        found: dict[str, list[str]] = {}
        for line in self.text.splitlines():
            if line.startswith("| `"):
                cells = [cell.strip() for cell in line.strip("|").split(" | ")]
                for name in re.findall(r"`([^`]+)`", cells[0]):
                    found[name] = cells[1:]
        return found


def sections(page: str) -> dict[str, Section]:
    parts = re.split(r"^#+ (.+)\n", PAGES[page].read_text("utf-8"), flags=re.MULTILINE)
    pairs = zip(parts[1::2], parts[2::2], strict=True)
    return {title: Section(title, text) for title, text in pairs}


CODE = "\n".join(
    part
    for fence, span in re.findall(r"(?s)```(.*?)```|`([^`\n]+)`", EVERYTHING)
    for part in (fence, span)
)


def is_said(name: str) -> bool:
    """Whether a name stands in code somewhere in the docs, alone or among others."""
    return re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", CODE) is not None


# Definitions: one of these pages has a section each, with a row for each field.


DEFINED = (
    *("steps.md", "triggers.md", "schedules.md", "traits.md", "segments.md"),
    "objectives.md",
)


def described() -> dict[str, Section]:
    """The sections of the pages that describe definitions."""
    pages = [sections(page) for page in reversed(DEFINED) if page in PAGES]
    return {title: section for page in pages for title, section in page.items()}


DEFINITIONS = {name: cls for name, cls in CLASSES.items() if not name.startswith("_")}
STEP_FIELDS = {"id", "touchpoint", "type"}


def hints(cls: Any) -> dict[str, Any]:
    return get_type_hints(cls, globalns=_NAMES, include_extras=True)


def options(hint: Any) -> Iterator[str]:
    """The texts that a field's Literals allow, wherever in its type they stand."""
    if get_origin(hint) is Literal:
        yield from (str(option) for option in get_args(hint))
    elif get_origin(hint) in (Annotated, Union, UnionType) or get_args(hint):
        for part in get_args(hint):
            yield from options(part)


def shown_default(field: Field[Any]) -> str:
    """A default as the tables show it."""
    default = field.default
    if default is MISSING and field.default_factory is not MISSING:
        default = field.default_factory()
    default = getattr(default, "default", default)
    if default is MISSING:
        return "needed"
    if isinstance(default, journeykit.ReEntry):
        default = default.mode
    if isinstance(default, Duration):
        default = default.short
    if isinstance(default, bool):
        default = str(default).lower()
    if isinstance(default, journeykit.Expression):
        default = text_of(default)
    if isinstance(default, tuple):
        parts = (part.short if isinstance(part, Duration) else part for part in default)
        default = ", ".join(map(str, parts))
    return f"`{default}`" if default or default == 0 else "none"


def is_step(cls: Any) -> bool:
    return hasattr(cls, "touchpoint")


def common_of_traits(cls: Any) -> set[str]:
    """The fields of a kind of trait that it shares with others."""
    if cls is journeykit.Trait or not issubclass(cls, journeykit.Trait):
        return set()
    shares_window = cls.__mro__[1] is not journeykit.Trait
    return {"name", "of", "type"} | ({"within", "exact"} if shares_window else set())


def test_there_is_a_section_for_every_definition() -> None:
    assert {*DEFINITIONS} <= {*described()}


@pytest.mark.parametrize("name", list(DEFINITIONS))
def test_every_field_of_a_definition_has_its_row(name: str) -> None:
    cls = DEFINITIONS[name]
    common = STEP_FIELDS if is_step(cls) else common_of_traits(cls)
    own = [field.name for field in fields(cls) if field.name not in common]

    rows = described()[name].rows()

    assert sorted(rows) == sorted(own)


@pytest.mark.parametrize("name", list(DEFINITIONS))
def test_every_default_of_a_definition_is_the_documented_one(name: str) -> None:
    rows = described()[name].rows()
    defaults = {field.name: shown_default(field) for field in fields(DEFINITIONS[name])}

    documented = {field: cells[0] for field, cells in rows.items()}

    assert documented == {field: defaults[field] for field in documented}


@pytest.mark.parametrize("name", list(DEFINITIONS))
def test_every_option_of_a_field_stands_in_its_row(name: str) -> None:
    allowed = hints(DEFINITIONS[name])

    for field, cells in described()[name].rows().items():
        text = " | ".join(cells)
        for option in options(allowed[field]):
            assert f"`{option}`" in text, f"{name}.{field} may be {option!r}"


def test_what_every_step_has_is_said_once() -> None:
    assert set(sections("steps.md")["Steps"].rows()) == STEP_FIELDS


def test_what_traits_have_in_common_is_said_once() -> None:
    rows = sections("traits.md")["Windows"].rows()

    assert {*rows} == {"within", "exact"}
    assert {*rows, "type"} | {*sections("traits.md")["Trait"].rows()} == (
        common_of_traits(journeykit.Count)
    )


def examples() -> Iterator[tuple[str, str, str]]:
    """The Python and YAML that stand one beneath the other, with their section."""
    for section in described().values():
        fences = re.findall(r"```(\w+)\n(.*?)```", section.text, re.DOTALL)
        for (first, python), (second, yaml) in pairwise(fences):
            if (first, second) == ("python", "yaml"):
                yield section.title, python, yaml


@pytest.mark.parametrize(("title", "python", "yaml"), [*examples()])
def test_the_yaml_beneath_an_example_says_the_same(
    title: str, python: str, yaml: str
) -> None:
    namespace: dict[str, Any] = {}
    exec(python, namespace)
    example = list(namespace.values())[-1]

    read = from_yaml(yaml, type(example))

    assert read == example, f"in the section {title!r}"


def test_every_step_kind_has_an_example() -> None:
    kinds = {name for name, cls in DEFINITIONS.items() if is_step(cls)}

    assert kinds <= {title for title, _, _ in examples()}


# The formats: docs/formats.md


STRUCTS: Mapping[str, type[msgspec.Struct]] = {
    "Native lines": NativeLine,
    "Customer": customer.Customer,
    "Enrollment": customer.Enrollment,
    "Watch": customer.Watch,
    "Past": customer.Past,
    "Visits": customer.Visits,
    "Finished": customer.Finished,
    "Address": customer.Address,
    "Consent": customer.Consent,
    "Released": customer.Released,
    "Asking": customer.Asking,
    "Held": customer.Held,
    "Progress": customer.Progress,
    "Score": customer.Score,
    "send_message": commands.SendMessage,
    "call_action": commands.CallAction,
    "publish_event": commands.PublishEvent,
    "absorb_customer": commands.AbsorbCustomer,
}


@pytest.mark.parametrize("title", list(STRUCTS))
def test_every_field_of_a_stored_or_sent_document_has_its_row(title: str) -> None:
    wanted = {field.encode_name for field in msgspec.structs.fields(STRUCTS[title])}

    assert set(sections("formats.md")[title].rows()) == wanted


def test_every_struct_of_the_customer_document_is_documented() -> None:
    structs = {
        value
        for module in (customer, commands)
        for value in vars(module).values()
        if inspect.isclass(value)
        and issubclass(value, msgspec.Struct)
        and value.__module__ == module.__name__
    }

    assert structs <= set(STRUCTS.values())


def test_every_field_of_a_segment_line_has_its_row() -> None:
    wanted = {field.encode_name for field in msgspec.structs.fields(SegmentLine)}

    assert set(sections("formats.md")["Segment lines"].rows()) == wanted


def test_every_reserved_event_name_is_documented() -> None:
    names = {
        value
        for name, value in vars(events).items()
        if name[0].isupper() and name.isupper() and isinstance(value, str)
        if name not in ("MESSAGE", "CALL")
    }

    assert (
        set(sections("formats.md")["Events with a meaning of their own"].rows())
        == names
    )


def test_every_field_of_a_trace_line_has_its_row() -> None:
    assert set(sections("formats.md")["Trace lines"].rows()) == set(
        TRACE_SCHEMA["properties"]
    )


def test_every_kind_of_decision_is_documented_with_its_reasons() -> None:
    rows = sections("formats.md")["Kinds of decisions"].rows()

    assert list(rows) == list(REASONS)
    for kind, reasons in _WORDS.items():
        shown = re.findall(r"`([^`]+)`", rows[kind][1])
        assert shown == [reason for reason in reasons if reason not in ("", ANY)], kind


def test_the_engine_documents_the_same_kinds_of_decisions() -> None:
    assert re.findall(r"^`(\w+)` ", trace.__doc__ or "", re.MULTILINE) == list(REASONS)


# What users meet elsewhere


def test_every_hook_is_documented_with_its_signature() -> None:
    for name, hook in vars(hookspecs).items():
        if name.startswith("journeykit_"):
            signature = str(inspect.signature(hook)).replace("'", "")
            assert f"### `{name}{signature}`" in EVERYTHING


@pytest.mark.parametrize(
    "name", [n for n, v in vars(errors).items() if inspect.isclass(v) and n[0] != "_"]
)
def test_every_error_is_documented(name: str) -> None:
    if issubclass(getattr(errors, name), Exception):
        assert is_said(name)


@pytest.mark.parametrize("module", [journeykit, journeykit.testing])
def test_the_public_names_are_the_documented_ones(module: ModuleType) -> None:
    rows = sections("api.md")[module.__name__].rows()

    assert sorted(rows) == module.__all__


def test_every_environment_variable_is_documented() -> None:
    code = "\n".join(
        path.read_text(encoding="utf-8") for path in ROOT.glob("sdk/journeykit/**/*.py")
    )

    variables = set(re.findall(r"\bJOURNEYKIT_[A-Z_]+\b", code))
    variables |= set(re.findall(r"\"([A-Z_]+)\" in os\.environ", code))

    assert variables
    for name in variables:
        assert is_said(name)


LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")


def anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    slugs = (
        re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles
    )
    return set(slugs)


@pytest.mark.parametrize("page", list(PAGES))
def test_links_lead_somewhere(page: str) -> None:
    path = PAGES[page]

    for link in LINK.findall(path.read_text(encoding="utf-8")):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


# The command line


def own_commands(name: str) -> dict[str, click.Command]:
    """A command or, if it is a group of them, each by both names: `dead-letters list`."""
    command = import_module(f"journeykit.cli.{name.replace('-', '_')}").command
    if isinstance(command, click.Group):
        return {f"{name} {part}": own for part, own in command.commands.items()}
    return {name: command}


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_is_documented_with_its_options(name: str) -> None:
    for title, command in own_commands(name).items():
        said = said_of(title)
        for parameter in command.params:
            wanted: Iterable[str] = [
                option for option in parameter.opts if option[0] == "-"
            ]
            if isinstance(parameter.type, click.Choice):
                wanted = [*wanted, *map(str, parameter.type.choices)]
            for word in wanted or [parameter.opts[0].upper()]:
                assert re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", said), word


def said_of(command: str) -> str:
    """What is said of a command: the sections that show how it is called."""
    return "\n".join(
        section.text
        for page in PAGES
        for section in sections(page).values()
        if f"journeykit {command}" in section.text
    )


def test_the_options_of_all_commands_are_documented() -> None:
    for parameter in group.params:
        assert any(is_said(option) for option in parameter.opts)


def test_every_setting_of_a_workspace_is_documented() -> None:
    rows = sections("workspace.md")["journeykit.toml"].rows()

    assert {field.name for field in fields(Settings)} <= {
        name.strip("[]").partition(".")[0] for name in rows
    }
