"""Composes messages: the template that fits, rendered, with the message's own links.

What a template may use beside the variables of its step:

    brand             what brand.toml says
    now               when the message was decided, by the customer's clock
    locale            how to write numbers and dates, such as `de-CH`
    direction         `ltr` or `rtl`
    settings          the front matter, rendered; in bodies and layouts
    content           what the template came to; in layouts
    unsubscribe_url, preferences_url, confirm_url
    survey            of a Survey's message: `url` of the answer page, and `links` with the
                      `score`, `group` and `url` of each answer
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, tzinfo
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from journeykit.channels import Content, Message
from journeykit.content.engine import LIMITS, Limits, Load, TemplateEngine
from journeykit.content.locales import direction, fallbacks, language
from journeykit.content.meter import TOO_LONG
from journeykit.content.templates import Library, TemplateFile, texts
from journeykit.content.tracking import is_of, tracked_html, tracked_text
from journeykit.errors import ContentError, Source
from journeykit.links import Links
from journeykit.model.surveys import SCALES

TEMPLATES = "templates"
"""The folder, as places in errors name it."""

LINK_NAMES = ("unsubscribe_url", "preferences_url", "confirm_url")
SURVEY = "survey"
GLOBALS = frozenset(
    {"brand", "now", "locale", "direction", "settings", "content", SURVEY, *LINK_NAMES}
)
"""Names that are there for every template, whatever its step gives."""

MOST_WRITTEN = 4 * LIMITS.output_bytes
"""Of all texts of one message together: characters. No medium takes a quarter of that."""

_NOT_RENDERED = ("engine", "layout")
_MOST_LAYOUTS = 5


class Safe(str):
    """Text that was escaped already, or need not be; engines take it as it is."""

    __slots__ = ()

    def __html__(self) -> str:
        """Say so, as template engines ask."""
        return str.__str__(self)


class Rendered(NamedTuple):
    """One text of a template that an engine is to render.

    Attributes:
        text: The source.
        path: Of the file, inside `templates/`.
        line: In which line of the file the text begins.
        engine: What it is written for.
        escape: Whether values are escaped for HTML.
    """

    text: str
    path: str
    line: int
    engine: str
    escape: bool


@dataclass(frozen=True, slots=True)
class Variant:
    """A template for a medium, in the locale that was found for somebody.

    Attributes:
        source: Where it is from.
        locale: The file's; empty: the one for everybody.
        written: The locale that the text is written in.
        parts: Its files by their ending.
    """

    source: Library
    locale: str
    written: str
    parts: Mapping[str, str]

    def load(self) -> Load:
        """Return what finds layouts and partials in this locale."""
        return lambda name: self.source.files[self.partial(name)].body

    def partial(self, name: str) -> str:
        """Return the path of a layout or partial.

        Raises:
            LookupError: There is none.
        """
        return self.source.partial(name, self.written)

    def sources(self) -> Iterator[Rendered]:
        """Yield each text that an engine renders, those of layouts as well."""
        taken: set[str] = set()
        for ending, path in self.parts.items():
            for layer in self.layers(path):
                own = self.settings_sources(layer, taken)
                for key, found in own.items():
                    taken.add(key)
                    yield from found
            file = self.source.files[path]
            if ending == "json":
                yield from self.document_sources(path)
            for layer in self.layers(path) if ending != "json" else ():
                file = self.source.files[layer]
                engine = self.engine(layer)
                yield Rendered(file.body, layer, file.line, engine, ending == "html")

    def layers(self, path: str) -> list[str]:
        """Return a file and the layouts around it, from the inside out.

        Raises:
            ContentError: A layout is not there, or they go round in a circle.
        """
        found = [path]
        while isinstance(layout := self._file(found[-1]).settings.get("layout"), str):
            try:
                found.append(self.partial(layout))
            except LookupError:
                raise ContentError(
                    f"there is no layout {layout!r}", source=place(found[-1], 1)
                ) from None
            if len(found) > _MOST_LAYOUTS:
                raise ContentError(
                    f"there are more than {_MOST_LAYOUTS} layouts around each other",
                    source=place(path, 1),
                )
        return found

    def settings_sources(
        self, path: str, without: set[str]
    ) -> dict[str, list[Rendered]]:
        """Return the texts of a file's front matter by key, but of some keys."""
        file = self._file(path)
        lines = iter(file.places)
        found: dict[str, list[Rendered]] = {}
        for key, value in file.settings.items():
            own = [
                Rendered(text, path, line, self.engine(path), escape=False)
                for text, line in zip(texts(value), lines, strict=False)
            ]
            if key not in without and key not in _NOT_RENDERED:
                found[key] = own
        return found

    def document_sources(self, path: str) -> list[Rendered]:
        """Return the texts of a file that is JSON."""
        file = self._file(path)
        return [
            Rendered(text, path, line, self.engine(path), escape=False)
            for text, line in zip(
                texts(file.document), file.document_places, strict=False
            )
        ]

    def engine(self, path: str) -> str:
        """Return the name of what renders a file."""
        return str(self._file(path).settings.get("engine", self.source.engine))

    def _file(self, path: str) -> TemplateFile:
        return self.source.files[path]


def variant(library: Library, name: str, medium: str, locale: str = "") -> Variant:
    """Find a template for somebody's locale, or the nearest to it.

    Raises:
        ContentError: There is no such template.
    """
    found = library.find(name, medium, locale)
    return Variant(library, found.locale, found.locale or library.locale, found.parts)


def place(path: str, line: int) -> Source:
    """Return a place in a template as errors name it."""
    return Source(f"{TEMPLATES}/{path}", line)


def placed(error: ContentError, of: Rendered, variant: Variant) -> ContentError:
    """Return an engine's error with the file and the line in which it is."""
    name, line = error.source or ("", 1)
    path, begins = of.path, of.line
    if name:
        try:
            path = variant.partial(name)
        except LookupError:
            path = name
        else:
            begins = variant.source.files[path].line
    return ContentError(error.message, source=place(path, begins + line - 1))


class Composer:
    """Makes a message's content of its template. Any thread may ask.

    It keeps nothing: a library only looks things up, and engines keep what they compiled.
    """

    def __init__(
        self,
        library: Callable[[], Library],
        engines: Mapping[str, TemplateEngine],
        links: Links | None = None,
        *,
        limits: Limits = LIMITS,
    ) -> None:
        """Compose from the library that is current whenever a message is.

        Args:
            library: Returns the templates.
            engines: By name, as front matter and the workspace name them.
            links: Makes the message's own links; None: none are set up.
            limits: What one text may use up; the time is that of all texts of a message.
        """
        self._library = library
        self._engines = engines
        self._links = links
        self._limits = limits

    def compose(self, message: Message, medium: str) -> Content:
        """Return what a message's template comes to.

        Pure but for looking up the library: the clock is the message's `at`.

        Raises:
            ContentError: There is no such template, or it can't be rendered; with the
                place in the file. Nothing of the message stands in it.
            PluginError: What an engine needs is not installed.
            InputError: The links' secret is not to be had.
        """
        library = self._library()
        chosen = variant(library, message.template, medium, message.locale)
        links = {} if self._links is None else self._links.of(message)
        job = _Job(self._engines, chosen, message, links, self._limits)
        settings = job.settings()
        parts = {ending: job.part(ending, settings) for ending in chosen.parts}
        if self._links is not None and self._links.track:
            parts = _tracked(self._links, message, medium, parts, library.hosts)
        return Content(
            parts=parts,
            settings=settings,
            links=links,
            locale=chosen.written,
            direction=direction(chosen.written),
        )


class _Job:
    """The composing of one message."""

    def __init__(
        self,
        engines: Mapping[str, TemplateEngine],
        variant: Variant,
        message: Message,
        links: Mapping[str, str],
        limits: Limits,
    ) -> None:
        self._engines = engines
        self._variant = variant
        self._limits = limits
        # A message has any number of texts: a mail has five, a push one for each value.
        self._end = time.thread_time() + limits.seconds
        self._written = 0
        self._at = message.at.astimezone(_zone(message.zone))
        written = variant.written
        self._variables: dict[str, object] = {
            **message.variables,
            "brand": variant.source.brand,
            "now": self._at,
            "locale": formats_of(message.locale, written),
            "direction": direction(written),
            **{f"{name}_url": url for name, url in links.items() if name != SURVEY},
        }
        if SURVEY in links:
            self._variables[SURVEY] = survey_links(message, links[SURVEY])
        self._asks = bool(message.survey)
        self._has_links = bool(links)

    def settings(self) -> dict[str, Any]:
        """Render the front matter of all parts and their layouts; the inner one wins."""
        settings: dict[str, Any] = {}
        for path in self._variant.parts.values():
            for layer in self._variant.layers(path):
                sources = self._variant.settings_sources(layer, {*settings})
                for key, found in sources.items():
                    rendered = map(self._render, found)
                    value = self._variant.source.files[layer].settings[key]
                    settings[key] = _filled(value, rendered)
        return settings

    def part(self, ending: str, settings: Mapping[str, Any]) -> str:
        """Render one part, and the layouts around it."""
        path = self._variant.parts[ending]
        files = self._variant.source.files
        given: dict[str, object] = {"settings": settings}
        if ending == "json":
            sources = self._variant.document_sources(path)
            rendered = (self._render(each, given) for each in sources)
            document = _filled(files[path].document, rendered)
            return json.dumps(document, ensure_ascii=False)
        text = ""
        for layer in self._variant.layers(path):
            file, engine = files[layer], self._variant.engine(layer)
            source = Rendered(file.body, layer, file.line, engine, ending == "html")
            text = self._render(source, given)
            given = {**given, "content": Safe(text)}
        return text

    def _render(
        self, source: Rendered, given: Mapping[str, object] | None = None
    ) -> str:
        engine = self._engines.get(source.engine)
        if engine is None:
            known = ", ".join(sorted(self._engines)) or "none"
            raise ContentError(
                f"there is no template engine {source.engine!r}; installed: {known}",
                source=place(source.path, 1),
            )
        left = self._end - time.thread_time()
        if left <= 0:
            raise ContentError(TOO_LONG, source=place(source.path, source.line))
        try:
            text = engine.render(
                source.text,
                {**self._variables, **(given or {})},
                load=self._variant.load(),
                escape=source.escape,
                at=self._at,
                limits=replace(self._limits, seconds=left),
            )
        except ContentError as error:
            found = placed(error, source, self._variant)
            if f"`{SURVEY}`" in found.message and not self._asks:
                found = ContentError(
                    f"{found.message}: only the message of a Survey asks something",
                    source=found.source,
                )
            elif not self._has_links and any(
                f"`{name}`" in found.message for name in (SURVEY, *LINK_NAMES)
            ):
                found = ContentError(
                    f"{found.message}: no links are set up; write [links] in "
                    "journeykit.toml",
                    source=found.source,
                )
            raise found from None
        self._written += len(text)
        if self._written > MOST_WRITTEN:
            raise ContentError(
                f"all its texts together have more than {MOST_WRITTEN // 1024:,} KB",
                source=place(source.path, source.line),
            )
        return _encodable(text)


def survey_links(message: Message, url: str) -> dict[str, object]:
    """Return what a template has as `survey`.

    Args:
        message: A Survey's.
        url: Of its answer page.
    """
    scale = SCALES.get(message.asks)
    each = [] if scale is None else [(n, scale.group_of(n)) for n in scale.scores]
    return {
        "name": message.survey,
        "kind": message.asks,
        "url": url,
        # Which one was followed the page shows chosen; only sending the form records it.
        "links": [
            {"score": score, "group": group, "url": f"{url}?score={score}"}
            for score, group in each
        ],
    }


def _encodable(text: str) -> str:
    """A text without lone surrogates, which JSON may bring and nobody can send."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def formats_of(locale: str, written: str) -> str:
    """Return by which locale numbers and dates are written.

    A text in `de` for somebody of `de-CH` has Swiss numbers; one in English has English
    ones, wherever they are.
    """
    best = next(iter(fallbacks(locale)), "")
    if not written or (best and language(best) == language(written)):
        return best or written
    return written


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name) if name else UTC
    except (KeyError, ValueError, OSError):  # a name that this machine doesn't know
        return UTC


def _filled(value: Any, rendered: Iterator[str]) -> Any:
    """A JSON value with each text replaced, in order."""
    if isinstance(value, str):
        return next(rendered)
    if isinstance(value, dict):
        return {key: _filled(part, rendered) for key, part in value.items()}
    if isinstance(value, list):
        return [_filled(part, rendered) for part in value]
    return value


def _tracked(
    links: Links,
    message: Message,
    medium: str,
    parts: dict[str, str],
    hosts: Collection[str],
) -> dict[str, str]:
    """Lead links over ours: those of e-mail's HTML, and those of an SMS.

    Of others than the authors' hosts none is: what a customer wrote into a name would lead
    to their page by an address of ours, which people trust.
    """

    def lead(url: str) -> str:
        return links.tracked(message, url) if is_of(url, hosts) else url

    if medium == "email" and "html" in parts:
        return {**parts, "html": tracked_html(parts["html"], lead)}
    if medium == "sms" and "txt" in parts:
        return {**parts, "txt": tracked_text(parts["txt"], lead)}
    return parts
