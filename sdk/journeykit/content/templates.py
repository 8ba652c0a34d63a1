"""The library: all templates of a workspace, read once and then only looked things up in.

    templates/
      brand.toml                    what all may use as `brand`
      _layout.email.html            a layout or partial: the name begins with _
      _footer.de.html               a partial for German
      cart-reminder.email.html      NAME.MEDIUM.ENDING
      cart-reminder.email.de.html   NAME.MEDIUM.LOCALE.ENDING
      cart-reminder.sms.txt

Front matter and JSON are parsed when the files are read, so that whoever delivers needs
neither files nor YAML. A library goes about as bytes, and its id is made of what is in it.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Self

import msgspec

from journeykit.content.locales import fallbacks, language, siblings, tag
from journeykit.errors import ContentError, InputError, InvalidJourney, Problem

ENDINGS = ("html", "txt", "json")
"""Of files that are templates; where several have a setting, the first wins."""
BRAND = "brand.toml"

MAX_BYTES = 16 * 1024 * 1024
"""Of all templates together."""


class TemplateFile(msgspec.Struct, frozen=True, omit_defaults=True):
    """One file, taken apart.

    Attributes:
        body: The text behind the front matter; empty if the file is JSON.
        line: In which line of the file the body begins.
        settings: The front matter.
        places: The line of each text in the front matter, in order.
        document: What a JSON file holds.
        document_places: The line of each text in it, in order.
    """

    body: str = ""
    line: int = 1
    settings: dict[str, Any] = {}
    places: list[int] = []
    document: Any = None
    document_places: list[int] = []


class _Stored(msgspec.Struct, frozen=True):
    """A library as it is kept."""

    schema: int
    engine: str
    locale: str
    brand: dict[str, Any]
    files: dict[str, TemplateFile]


class Variant(NamedTuple):
    """One file of a template.

    Attributes:
        name: The template's.
        medium: `email`, `sms`, …; empty: the file's name says none.
        locale: Empty: the one for everybody.
        ending: `html`, `txt` or `json`.
        path: The file's, inside `templates/`.
    """

    name: str
    medium: str
    locale: str
    ending: str
    path: str


class Found(NamedTuple):
    """What a message is made of.

    Attributes:
        locale: The one that was found; empty: the one for everybody.
        parts: The files' paths by their ending.
    """

    locale: str
    parts: Mapping[str, str]


class Library:
    """All templates of a workspace, with what they have in common.

    Attributes:
        engine: What renders a template that names none.
        locale: What language the templates are in whose names say none; also the last to
            fall back to. Empty: not known.
        brand: What every template may use as `brand`.
        files: By their path inside `templates/`, with `/`.
    """

    def __init__(
        self,
        files: Mapping[str, TemplateFile] | None = None,
        *,
        brand: Mapping[str, Any] | None = None,
        engine: str = "jinja",
        locale: str = "en",
    ) -> None:
        """Put a library together."""
        self.files = dict(sorted((files or {}).items()))
        self.brand = dict(brand or {})
        self.engine = engine
        self.locale = tag(locale)

    @classmethod
    def read(
        cls,
        folder: str | Path,
        *,
        engine: str = "jinja",
        locale: str = "en",
        problems: list[Problem] | None = None,
    ) -> Self:
        """Read a folder of templates; one that isn't there is empty.

        Args:
            folder: The workspace's `templates/`.
            engine: What renders a template that names none.
            locale: What the templates are written in whose names say none.
            problems: Takes what is wrong with files, which are then left out.

        Raises:
            InvalidJourney: Files can't be read, and nobody takes the problems.
        """
        # Imported here: whoever delivers reads no files, and needs no YAML.
        from journeykit.content.reading import Reading

        reading = Reading(Path(folder))
        files = dict(reading.files())
        library = cls(files, brand=reading.brand(), engine=engine, locale=locale)
        reading.look_at(files)
        if problems is not None:
            problems += reading.problems
        elif reading.problems:
            raise InvalidJourney("", issues=reading.problems)
        return library

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Read a library as it was published.

        Raises:
            InputError: It is none, or a later release wrote it.
        """
        inflating = zlib.decompressobj()
        try:
            text = inflating.decompress(content, 4 * MAX_BYTES)
            if not inflating.eof:
                raise InputError("the templates are cut off, or too many")
            stored = msgspec.json.decode(text, type=_Stored)
        except (zlib.error, msgspec.MsgspecError) as error:
            raise InputError(f"these are no templates: {error}") from error
        if stored.schema != 1:
            raise InputError(
                f"the templates have shape {stored.schema}, and this release reads 1; "
                "deploy the later one here as well"
            )
        return cls(
            stored.files, brand=stored.brand, engine=stored.engine, locale=stored.locale
        )

    def to_bytes(self) -> bytes:
        """Return the library as it is published."""
        return zlib.compress(self._text, 9)

    @cached_property
    def id(self) -> str:
        """The SHA-256 of what is in it, in hex; how it was compressed plays no part."""
        return hashlib.sha256(self._text).hexdigest()

    @cached_property
    def _text(self) -> bytes:
        stored = _Stored(1, self.engine, self.locale, self.brand, self.files)
        # In the order of the files, as places are counted by it.
        return msgspec.json.encode(stored)

    def __eq__(self, other: object) -> bool:
        """Libraries are equal that hold the same."""
        return isinstance(other, Library) and self._text == other._text

    def __hash__(self) -> int:
        """Equal libraries have one hash."""
        return hash(self.id)

    @cached_property
    def names(self) -> frozenset[str]:
        """The names of all templates."""
        return frozenset(self.templates())

    def templates(self) -> Mapping[str, Sequence[Variant]]:
        """Return the files of each template, by its name."""
        return self._templates

    @cached_property
    def _templates(self) -> dict[str, list[Variant]]:
        found: dict[str, list[Variant]] = {}
        for path in sorted(self.files):
            if (variant := variant_of(path)) is not None:
                found.setdefault(variant.name, []).append(variant)
        return found

    @cached_property
    def _variants(self) -> dict[tuple[str, str], dict[str, dict[str, str]]]:
        """The paths by ending, by locale, by name and medium."""
        found: dict[tuple[str, str], dict[str, dict[str, str]]] = {}
        for variants in self._templates.values():
            for name, medium, locale, ending, path in variants:
                locales = found.setdefault((name, medium), {})
                locales.setdefault(tag(locale), {})[ending] = path
        return found

    def locales(self, name: str, medium: str) -> Sequence[str]:
        """Return the locales that a template has files for; empty is one for everybody."""
        return sorted(self._variants.get((name, medium), {}))

    def find(self, name: str, medium: str, locale: str = "") -> Found:
        """Find the files for somebody's locale, or the nearest to it.

        All parts are in one language: where there is `email.de.html` and `email.txt`, a
        German gets no English text part.

        Raises:
            ContentError: There is no such template.
        """
        variants = self._variants.get((name, medium))
        if variants is None:
            raise ContentError(self._missing(name, medium))
        for chosen in (
            *fallbacks(locale),
            *siblings(locale, variants),
            *fallbacks(self.locale),
            *siblings(self.locale, variants),
            "",
        ):
            if chosen in variants:
                break
        else:
            there = ", ".join(sorted(variants))
            raise ContentError(
                f"template {name!r} for {medium} is there in {there} only; write one "
                f"without a locale, or one in {self.locale or 'the default locale'}"
            )
        own = chosen or self.locale
        alike = [chosen, *fallbacks(own)]
        if not chosen or language(own) == language(self.locale):
            alike.append("")
        parts: dict[str, str] = {}
        for each in alike:
            for ending, path in variants.get(each, {}).items():
                parts.setdefault(ending, path)
        return Found(chosen, {e: parts[e] for e in ENDINGS if e in parts})

    def partial(self, name: str, locale: str) -> str:
        """Return the path of a layout or partial, for a locale or the nearest to it.

        Raises:
            LookupError: There is none of this name.
        """
        stem, dot, ending = name.rpartition(".")
        if dot:
            for each in fallbacks(locale):
                path = f"{stem}.{each}.{ending}"
                if path in self.files:
                    return path
        if name in self.files:
            return name
        raise LookupError(name)

    @cached_property
    def hosts(self) -> frozenset[str]:
        """The hosts of the addresses that stand in templates and in the brand."""
        # Imported here: whoever tracks no links has no use for it.
        from journeykit.content.tracking import hosts_in

        written = [*texts(self.brand)]
        for file in self.files.values():
            written += [file.body, *texts(file.settings), *texts(file.document)]
        return frozenset(host for text in written for host in hosts_in(text))

    def documents(self, medium: str) -> dict[str, dict[str, Any]]:
        """Return what `Channel.facts` is asked with: settings, or the document of JSON.

        Of a template with several files for a medium it is the one for everybody, else
        the first locale's.
        """
        found: dict[str, dict[str, Any]] = {}
        for (name, of_medium), locales in sorted(self._variants.items()):
            if of_medium != medium:
                continue
            document: dict[str, Any] = {}
            for path in reversed([*locales[min(locales)].values()]):
                file = self.files[path]
                if isinstance(file.document, dict):
                    document |= file.document
                document |= self.settings_of(path)
            found[name] = document
        return found

    def settings_of(self, path: str) -> dict[str, Any]:
        """Return a file's front matter upon that of its layout, as they are written."""
        own = self.files[path].settings
        layout = own.get("layout")
        above = self.files.get(layout) if isinstance(layout, str) else None
        return {**(above.settings if above else {}), **own}

    def _missing(self, name: str, medium: str) -> str:
        there = {variant.medium for variant in self._templates.get(name, ())}
        what = f"there is no template {name!r} for {medium}"
        if named := sorted(filter(None, there)):
            return f"{what}, only for {', '.join(named)}; write {name}.{medium}.…"
        endings = {variant.ending for variant in self._templates.get(name, ())}
        if endings:
            old = f"{name}.{min(endings)}"
            new = f"{name}.{medium}.{min(endings)}"
            return f"{what}: {old} does not say what it is for; call it {new}"
        return f"{what} in templates/"


def variant_of(path: str) -> Variant | None:
    """Take a path apart; None: it is a layout, a partial, or no template at all."""
    folder, slash, file = path.rpartition("/")
    stem, *parts = file.split(".")
    if not parts or file.startswith(("_", ".")) or parts[-1] not in ENDINGS:
        return None
    *middle, ending = parts
    if len(middle) > 2:
        return None
    medium, locale = [*middle, "", ""][:2]
    return Variant(f"{folder}{slash}{stem}", medium, locale, ending, path)


def texts(value: Any) -> Iterator[str]:
    """Yield each text in a JSON value, in order; keys are none."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from texts(part)
    elif isinstance(value, list):
        for part in value:
            yield from texts(part)
