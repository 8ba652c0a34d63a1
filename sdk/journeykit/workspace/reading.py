"""Reads the files of a workspace, and collects what is wrong with any of them."""

from __future__ import annotations

import contextlib
import copy
import difflib
import hashlib
import re
import sys
import tomllib
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import takewhile
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar, get_args

from pydantic import BaseModel

from journeykit.content.templates import Library
from journeykit.engine.catalog import State
from journeykit.errors import DefinitionError, InputError, InvalidJourney, Problem
from journeykit.links import settings_of
from journeykit.model.check import Schemas, doubled
from journeykit.model.documents import from_json, from_yaml
from journeykit.model.identity import rules_of as identity_of
from journeykit.model.journey import Journey
from journeykit.model.watching import watching_of
from journeykit.model.zones import zone
from journeykit.workspace.ingest import ingest_of
from journeykit.workspace.retention import retention_of
from journeykit.workspace.scores import scores_of

T = TypeVar("T")

SETTINGS = "journeykit.toml"
_READERS: Mapping[str, Callable[..., Any]] = {
    ".yaml": from_yaml,
    ".yml": from_yaml,
    ".json": from_json,
}


@dataclass
class Settings:
    """journeykit.toml; the fields are the keys that there are.

    Attributes:
        name: What people call the workspace.
        zone: The time zone of journeys that name none.
        channels: Who carries a channel: `email = "ses"`.
        settings: What is set for a provider: `[settings.file]`.
        states: Journeys that are not simply live: `cart = "paused"`.
        loggable: Fields whose values the decision log may hold: `event.total`; those of
            all others are logged as known or missing only.
        content: How templates are read: `engine`, `locale`.
        links: The links in messages, and the pages behind them.
        seeds: Addresses that test traffic really goes to, by channel.
        guards: The guards of plugins that are asked, by name.
        identity: Which identifiers say whom an event is about.
        scores: Which models are asked about customers, and how often: `run`, `every`.
        ingest: What may come in, and from where: `schemas`, `sources`.
        retention: For how long what is kept: `customers = "730d"`.
        watch: What is looked after every day, and whom to tell.
    """

    name: str = ""
    zone: str = ""
    channels: dict[str, str] = field(default_factory=dict)
    settings: dict[str, dict[str, object]] = field(default_factory=dict)
    states: dict[str, State] = field(default_factory=dict)
    loggable: list[str] = field(default_factory=list)
    content: dict[str, str] = field(default_factory=dict)
    links: dict[str, object] = field(default_factory=dict)
    seeds: dict[str, list[str]] = field(default_factory=dict)
    guards: list[str] = field(default_factory=list)
    identity: dict[str, object] = field(default_factory=dict)
    scores: dict[str, object] = field(default_factory=dict)
    ingest: dict[str, object] = field(default_factory=dict)
    retention: dict[str, object] = field(default_factory=dict)
    watch: dict[str, object] = field(default_factory=dict)


# The keys of [content], and what each may be.
_CONTENT: Mapping[str, str] = {
    "engine": r"[\w-]{1,64}",
    "locale": r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*",
}


# Tables that say themselves what may stand in them.
_TABLES: Mapping[str, Callable[[Mapping[str, object]], object]] = {
    "ingest": ingest_of,
    "retention": retention_of,
    "scores": scores_of,
    "watch": watching_of,
}


class Reading:
    """One pass over the files, which goes on when one of them is wrong.

    Attributes:
        problems: What is wrong so far.
    """

    def __init__(self, folder: Path) -> None:
        """Read nothing yet."""
        self.folder = folder
        self.problems: list[Problem] = []

    def settings(self) -> Settings:
        """Read journeykit.toml."""
        path = self.folder / SETTINGS
        settings = Settings()
        try:
            text = path.read_text("utf-8-sig")
            document = tomllib.loads(text)
        except UnicodeDecodeError as error:
            problem = f"not UTF-8 at byte {error.start}; save it as UTF-8"
            self._wrong(path, problem)
            return settings
        except OSError as error:
            self._wrong(path, f"can't be read: {error.strerror}")
            return settings
        except tomllib.TOMLDecodeError as error:
            at = re.search(r"at line (\d+)", str(error))
            line = int(at[1]) if at else text.count("\n") + 1
            self._wrong(path, f"not TOML: {error}", line)
            return settings
        for key, value in document.items():
            if problem := _setting_problem(key, value):
                named, colon, _ = problem.partition(": ")
                line = line_of(text, named if colon else key)
                self._wrong(path, problem, line)
            else:
                setattr(settings, key, value)
        return settings

    def journeys(self, settings: Settings) -> tuple[Journey, ...]:
        """Read what lies in `journeys/`, in the order of the files' names."""
        folder = self.folder / "journeys"
        found: list[Journey] = []
        for path in self._inside(folder):
            if path.name.startswith(("_", ".")):
                continue
            if path.suffix not in (".py", *_READERS):
                self._wrong(
                    path,
                    "is neither .py nor .yaml nor .json; a name that starts with _ is "
                    "left alone",
                )
                continue
            problems = len(self.problems)
            journeys = self._definitions(path, Journey, many=False)
            if not journeys and problems == len(self.problems):
                self._wrong(
                    path,
                    "there is no Journey at the top level; a file whose name starts "
                    "with _ is left alone",
                )
            found += (_zoned(journey, settings.zone) for journey in journeys)
        for issue in doubled("journey", found):
            self.problems.append(Problem(issue.message, *(issue.source or ())))
        known = [journey.id for journey in found]
        for id in settings.states.keys() - known:
            problem = f"states: there is no journey {id!r}; {meant(id, known)}"
            path = self.folder / SETTINGS
            self._wrong(
                path, problem, line_of(path.read_text("utf-8-sig"), f"states.{id}")
            )
        return tuple(found)

    def one(self, name: str, cls: type[T], default: T) -> T:
        """Read the one definition that a file of this name holds."""
        path = self._file(name)
        if path is None:
            return default
        problems = len(self.problems)
        found = self._definitions(path, cls, many=False)
        if len(found) != 1 and problems == len(self.problems):
            count = len(found) or "no"
            self._wrong(
                path, f"there are {count} {cls.__name__} at the top level; write one"
            )
        return found[0] if found else default

    def several(self, name: str, cls: type[T], *, kinds: Any = None) -> tuple[T, ...]:
        """Read the definitions that a file of this name holds.

        Args:
            name: The file's name, without its ending.
            cls: What counts in a Python file.
            kinds: What may stand in YAML and JSON, if there are several kinds of it.
        """
        path = self._file(name)
        if path is None:
            return ()
        return tuple(self._definitions(path, cls, many=True, kinds=kinds))

    def schemas(self) -> Schemas:
        """Read `schemas.py`: `events`, a model by event name, and `profile`, a model."""
        path = self.folder / "schemas.py"
        if not path.is_file():
            return Schemas()
        names = self._run(path)
        events, profile = names.get("events", {}), names.get("profile")
        if not isinstance(events, Mapping) or not all(map(_is_model, events.values())):
            self._wrong(
                path,
                "`events` holds a pydantic model by the name of each event: "
                'events = {"order.placed": OrderPlaced}',
            )
            events = {}
        if profile is not None and not _is_model(profile):
            self._wrong(path, "`profile` is a pydantic model, a class")
            profile = None
        return Schemas(dict(events), profile)  # type: ignore[arg-type]

    def templates(self, settings: Settings) -> Library:
        """Read what lies in `templates/`."""
        return Library.read(
            self.folder / "templates",
            engine=settings.content.get("engine", "jinja"),
            locale=settings.content.get("locale", "en"),
            problems=self.problems,
        )

    def _wrong(self, path: Path, message: str, line: int = 0) -> None:
        self.problems.append(Problem(message, str(path), line))

    def _inside(self, folder: Path) -> Sequence[Path]:
        """What lies in a folder, by name; nothing if there is no such folder."""
        try:
            return sorted(folder.iterdir())
        except FileNotFoundError:
            return ()
        except OSError as error:
            self._wrong(folder, f"can't be read: {error.strerror}")
            return ()

    def _file(self, name: str) -> Path | None:
        endings = (".py", *_READERS)
        paths = [self.folder / f"{name}{ending}" for ending in endings]
        paths = [path for path in paths if path.is_file()]
        if len(paths) > 1:
            names = " and ".join(path.name for path in paths)
            self._wrong(self.folder, f"there are {names}; keep one")
        return paths[0] if paths else None

    def _definitions(
        self, path: Path, cls: type[T], *, many: bool, kinds: Any = None
    ) -> Sequence[T]:
        if path.suffix == ".py":
            return _instances(self._run(path).values(), cls)
        kind: Any = kinds or cls
        wanted: Any = list[kind] if many else kind
        try:
            read = _READERS[path.suffix](path.read_bytes(), wanted, file=str(path))
        except InvalidJourney as error:
            self.problems += error.issues
            return ()
        except OSError as error:
            self._wrong(path, f"can't be read: {error.strerror}")
            return ()
        return read if many else (read,)

    def _run(self, path: Path) -> dict[str, object]:
        """Run a Python file as a module of its own, and return its names."""
        # Private and its own: files of two workspaces may have one name.
        digest = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]
        module = ModuleType(f"_workspace_{digest}_{path.stem}")
        module.__file__ = str(path)
        try:
            code = compile(path.read_bytes(), str(path), "exec")
            # While it runs, pydantic and dataclasses look their module up here.
            sys.modules[module.__name__] = module
            # What it prints must not stand between the lines of a command.
            with contextlib.redirect_stdout(sys.stderr):
                exec(code, vars(module))  # noqa: S102 - a workspace is its author's program
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever it raises
            self.problems += _explained(error, path)
            return {}
        return vars(module)


def meant(word: str, known: Iterable[str]) -> str:
    """Name what was probably meant, or what there is."""
    names = sorted(set(known))
    if close := difflib.get_close_matches(word, names, 1):
        return f"did you mean {close[0]!r}?"
    return f"there is {', '.join(map(repr, names))}" if names else "there is none"


def _setting_problem(key: str, value: object) -> str:
    """What is wrong with a key of journeykit.toml; empty if nothing is."""
    known = [field.name for field in fields(Settings)]
    if key not in known:
        return f"{key!r} is not a key; {meant(key, known)}"
    if key in ("name", "zone"):
        if not isinstance(value, str):
            return f"{key}: is text, not {value!r}"
        if key == "zone":
            with _problem() as problem:
                zone(value)
            return f"zone: {problem[0]}" if problem else ""
        return ""
    if key == "loggable":
        texts = isinstance(value, list) and all(isinstance(v, str) for v in value)
        example = '["event.total", "profile.plan"]'
        return "" if texts else f"{key}: is a list of fields: {example}"
    if key == "guards":
        texts = isinstance(value, list) and all(isinstance(v, str) for v in value)
        return "" if texts else f'{key}: is a list of names: ["sunset"]'
    if not isinstance(value, dict):
        return f"{key}: is a table; write [{key}]"
    if key in ("links", "identity"):
        try:
            settings_of(value) if key == "links" else identity_of(value)
        except InputError as error:
            return str(error)
        return ""
    if reader := _TABLES.get(key):
        try:
            reader(value)
        except InputError as error:
            return str(error)
        return ""
    for name, part in value.items():
        if key == "settings":
            if not isinstance(part, dict):
                return f"settings.{name}: is a table; write [settings.{name}]"
        elif key == "seeds":
            texts = isinstance(part, list) and all(isinstance(v, str) for v in part)
            if not texts or not all(part):
                return f'seeds.{name}: is a list of addresses: ["me@example.com"]'
        elif not isinstance(part, str):
            return f"{key}.{name}: is text, not {part!r}"
        elif key == "content" and name not in _CONTENT:
            return f"content.{name}: is not a key; {meant(name, _CONTENT)}"
        elif key == "content" and not re.fullmatch(_CONTENT[name], part):
            return f"content.{name}: {part!r} is no {name}"
        elif key == "states" and part not in get_args(State):
            return (
                f"states.{name}: {part!r} is no state; {meant(part, get_args(State))}"
            )
    return ""


@contextlib.contextmanager
def _problem() -> Iterator[list[str]]:
    """Catch an author's mistake, and hand over what it says."""
    said: list[str] = []
    try:
        yield said
    except DefinitionError as error:
        said.append(error.message)


def line_of(text: str, key: str) -> int:
    """Find the line of TOML that says this key, or begins the table that has it."""
    wanted = key.split(".")
    table: list[str] = []
    best, found = 0, 1
    for number, line in enumerate(text.splitlines(), 1):
        head = re.match(r"\s*(?:\[+([^\]]+)\]|([^=#]+)=)", line)
        if head is None:
            continue
        parts = [part.strip(" \t\"'") for part in (head[1] or head[2]).split(".")]
        table, said = (parts, parts) if head[1] else (table, [*table, *parts])
        alike = sum(1 for _ in takewhile(_is_pair, zip(said, wanted, strict=False)))
        if alike > best and alike in (len(said), len(wanted)):
            best, found = alike, number
    return found


def _is_pair(pair: tuple[str, str]) -> bool:
    return pair[0] == pair[1]


def _explained(error: BaseException, path: Path) -> Sequence[Problem]:
    """Say what stopped a Python file, and in which line of it."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == str(path)]
    line = (lines[-1] or 0) if lines else 0
    if isinstance(error, InvalidJourney):
        return [
            each if each.file else each._replace(file=str(path), line=line)
            for each in dict.fromkeys(error.issues)
        ]
    if isinstance(error, DefinitionError) and error.source is not None:
        return [Problem(error.message, *error.source)]
    if isinstance(error, SyntaxError) and error.filename == str(path):
        text = f"{error.msg}: {(error.text or '').strip()}"
        return [Problem(text, str(path), error.lineno or 0)]
    return [Problem(f"{type(error).__name__}: {error}", str(path), line)]


def _instances(values: Iterable[object], cls: type[T]) -> list[T]:
    """The instances among a module's values, and in its lists, each once, in order."""
    found: dict[int, T] = {}
    for value in values:
        for item in value if isinstance(value, list | tuple) else (value,):
            if isinstance(item, cls):
                found.setdefault(id(item), item)
    return list(found.values())


def _is_model(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, BaseModel)


def _zoned(journey: Journey, zone_name: str) -> Journey:
    """The journey, in the workspace's time zone if it has none of its own."""
    if journey.zone is not None or not zone_name:
        return journey
    zoned = copy.copy(journey)
    object.__setattr__(zoned, "zone", zone_name)
    return zoned
