"""What `check` finds out about templates, and about the steps that send them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from journeykit.channels import Channel
from journeykit.content.composer import (
    GLOBALS,
    LINK_NAMES,
    SURVEY,
    TEMPLATES,
    Rendered,
    Variant,
    placed,
    variant,
)
from journeykit.content.engine import TemplateEngine
from journeykit.content.locales import fallbacks, language
from journeykit.content.templates import Library
from journeykit.errors import ContentError, PluginError, Source
from journeykit.media.keywords import WORDS
from journeykit.model.conditions import Expression, text_of
from journeykit.model.issues import Issue, Level, issue
from journeykit.model.journey import Journey
from journeykit.model.steps import Send, Survey

_REPLIED_TO = frozenset({"sms", "whatsapp", "chat"})
"""The media where people answer by writing back, and need no link for it."""

_NAMED = 5  # templates in one hint


class Uses(NamedTuple):
    """What the templates of one name and medium need, in all locales together.

    Attributes:
        needed: Variables without which one of them can't be rendered.
        optional: Variables that they only use where they are given.
        text: What stands in them, layouts as well; for words that must be somewhere.
        places: Where each of `needed` is needed first, as far as that is known.
    """

    needed: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()
    text: str = ""
    places: Mapping[str, str] = MappingProxyType({})

    @property
    def known(self) -> frozenset[str]:
        """All names."""
        return self.needed | self.optional


class TemplateCheck:
    """One look at all templates of a workspace."""

    def __init__(
        self,
        folder: Path,
        library: Library,
        engines: Mapping[str, TemplateEngine],
        *,
        has_links: bool,
    ) -> None:
        """Look at nothing yet.

        Args:
            folder: The workspace.
            library: Its templates.
            engines: What renders them, by name.
            has_links: Whether messages have links of their own.
        """
        self._folder = folder
        self._library = library
        self._engines = engines
        self._has_links = has_links
        self._broken: dict[Issue, None] = {}
        self._is_rendered = False  # not as long as only the console carries anything

    def issues(
        self, journeys: Sequence[Journey], carriers: Mapping[str, Channel]
    ) -> list[Issue]:
        """Return what is wrong with templates, and with the steps that send them."""
        self._is_rendered = any(each.medium for each in carriers.values())
        found = [
            each
            for journey in journeys
            for step in journey.walk()
            if isinstance(step, Send) and step.template.strip()
            for each in self._of_step(journey, step, carriers)
        ]
        self._uses  # noqa: B018 - looks at those that nobody sends as well
        return [*self._broken, *found, *self._untranslated()]

    @cached_property
    def _uses(self) -> dict[tuple[str, str], Uses]:
        names = {
            (each.name, each.medium)
            for variants in self._library.templates().values()
            for each in variants
            if each.medium
        }
        return {key: self._used_by(*key) for key in sorted(names)}

    def _used_by(self, name: str, medium: str) -> Uses:
        uses = Uses()
        for locale in self._library.locales(name, medium):
            try:
                chosen = variant(self._library, name, medium, locale)
                sources = [*chosen.sources()]
            except ContentError as error:
                self._note(error)
                continue
            for source in sources:
                own = self._of_source(source, chosen)
                places = {name: _in_which_line(name, source) for name in own.needed}
                uses = Uses(
                    uses.needed | own.needed,
                    uses.optional | own.optional,
                    f"{uses.text}\n{own.text}",
                    {**places, **uses.places},
                )
        return uses._replace(optional=uses.optional - uses.needed)

    def _of_source(self, source: Rendered, chosen: Variant) -> Uses:
        engine = self._engines.get(source.engine)
        if engine is None:
            known = ", ".join(sorted(self._engines)) or "none"
            self._note(
                ContentError(
                    f"there is no template engine {source.engine!r}; installed: {known}",
                    source=Source(f"{TEMPLATES}/{source.path}", 1),
                )
            )
            return Uses()
        load = chosen.load()
        try:
            needed = engine.variables(source.text, load=load)
            optional = engine.optional(source.text, load=load)
        except ContentError as error:
            self._note(placed(error, source, chosen))
            return Uses()
        except PluginError as error:
            level: Level = "error" if self._is_rendered else "hint"
            self._broken[Issue(level, str(error), self._source("", 1))] = None
            return Uses()
        return Uses(needed, optional, source.text)

    def _of_step(
        self, journey: Journey, step: Send, carriers: Mapping[str, Channel]
    ) -> Iterator[Issue]:
        by_medium: dict[str, Uses] = {}
        for name in step.channel:
            medium = carriers[name].medium if name in carriers else ""
            # The console carries any channel; its templates are those of the real one.
            if not medium and (step.template, name) in self._uses:
                medium = name
            if not medium or medium in by_medium:
                continue
            try:
                variant(self._library, step.template, medium)
            except ContentError as error:
                yield self._issue("error", error.message, journey, step)
            else:
                by_medium[medium] = self._uses[step.template, medium]
        for medium, uses in by_medium.items():
            yield from self._variables(journey, step, medium, uses)
            yield from self._unsubscribe(journey, step, medium, uses)
        if by_medium:
            every = frozenset().union(*(uses.known for uses in by_medium.values()))
            for name in sorted(step.variables.keys() - every):
                close = get_close_matches(
                    name, sorted(every - step.variables.keys()), 1
                )
                hint = f"; did you mean {close[0]!r}?" if close else ""
                message = f"template {step.template!r} does not use the variable {name!r}{hint}"
                yield self._issue("hint", message, journey, step)
            for name in sorted(step.variables.keys() & GLOBALS):
                message = (
                    f"the variable {name!r} is never seen: templates have {name!r} of "
                    "their own; call it something else"
                )
                yield self._issue("warning", message, journey, step)

    def _variables(
        self, journey: Journey, step: Send, medium: str, uses: Uses
    ) -> Iterator[Issue]:
        what = f"template {step.template!r} for {medium}"
        given = step.variables.keys()
        for name in sorted(uses.needed - given - GLOBALS):
            close = get_close_matches(name, sorted(given - uses.known), 1)
            meant = f", and not {close[0]!r}" if close else ""
            # Given and used elsewhere: then it is the template that is misspelt.
            near = get_close_matches(name, sorted(given & uses.known), 1)
            typo = (
                f"; did you mean {near[0]!r} there? Or give it" if near else "; give it"
            )
            where = f" ({uses.places[name]})" if name in uses.places else ""
            message = (
                f"{what} needs the variable {name!r}{meant}{where}{typo}: "
                f"variables={{{name!r}: …}}"
            )
            yield self._issue("error", message, journey, step)
        for name in sorted(uses.optional - given - GLOBALS):
            message = f"{what} asks for the variable {name!r}, which is never given"
            yield self._issue("hint", message, journey, step)
        for name in sorted(uses.needed & given):
            value = step.variables[name]
            if isinstance(value, Expression) and text_of(value).startswith("profile."):
                message = (
                    f"{what} needs {name!r}: who has no {text_of(value)} gets nothing; a "
                    f'default helps: {{{{ {name}|default("…") }}}}'
                )
                yield self._issue("hint", message, journey, step)
        asks = isinstance(step, Survey)
        if SURVEY in uses.needed and not asks:
            message = (
                f"{what} needs {SURVEY!r}, which only a Survey's message has; send it with "
                "Survey(…)"
            )
            yield self._issue("error", message, journey, step)
        elif SURVEY in uses.needed and not self._has_links:
            message = (
                f"{what} needs {SURVEY!r}, and no links are set up; write [links] in "
                "journeykit.toml"
            )
            yield self._issue("error", message, journey, step)
        elif asks and SURVEY not in uses.known and medium not in _REPLIED_TO:
            message = (
                f"{what} asks something, and has no link to answer; write "
                "{{ survey.url }} somewhere, or survey.links"
            )
            yield self._issue("warning", message, journey, step)
        # They come together: who asks for one of them has asked for all.
        if not self._has_links and not uses.optional & {*LINK_NAMES}:
            for name in LINK_NAMES:
                if name in uses.needed:
                    message = (
                        f"{what} needs {name!r}, and no links are set up; write [links] "
                        "in journeykit.toml"
                    )
                    yield self._issue("error", message, journey, step)

    def _unsubscribe(
        self, journey: Journey, step: Send, medium: str, uses: Uses
    ) -> Iterator[Issue]:
        """Warn of marketing that nobody can stop."""
        if (step.purpose or journey.purpose) != "marketing":
            return
        if uses.known & {"unsubscribe_url", "preferences_url"}:
            return
        what = f"template {step.template!r} is marketing by {medium}, and"
        if medium == "email":
            message = (
                f"{what} has no link to unsubscribe; write {{{{ unsubscribe_url }}}} "
                "somewhere, a layout will do"
            )
            yield self._issue("warning", message, journey, step)
        elif medium == "sms" and not _says_stop(uses.text):
            message = f"{what} does not say how to stop it, such as: Reply STOP to stop"
            yield self._issue("warning", message, journey, step)

    def _untranslated(self) -> Iterator[Issue]:
        """Hint at templates that are not there in a language in which others are."""
        templates = {
            key: {each or self._library.locale for each in self._library.locales(*key)}
            for key in self._uses
        }
        spoken = {language(each) for own in templates.values() for each in own if each}
        lacking: dict[str, list[tuple[str, str]]] = {}
        for key, own in templates.items():
            there = {language(each) for locale in own for each in fallbacks(locale)}
            for missing in sorted(spoken - there):
                lacking.setdefault(missing, []).append(key)
        for missing, keys in lacking.items():  # one line, however many there are
            name, medium = keys[0]
            some = [f"{each} ({of})" for each, of in keys[:_NAMED]]
            more = len(keys) - len(some)
            others = f" and {more} more" if more else ""
            message = (
                f"these are not there in {missing}, as other templates are: "
                f"{', '.join(some)}{others}"
            )
            if len(keys) == 1:
                message = (
                    f"template {name!r} for {medium} is not there in {missing}, as others "
                    "are"
                )
            path = next(
                each.path
                for each in self._library.templates()[name]
                if each.medium == medium
            )
            yield Issue("hint", message, self._source(path, 1))

    def _note(self, error: ContentError) -> None:
        file, line = error.source or ("", 1)
        path = file.removeprefix(f"{TEMPLATES}/")
        self._broken[Issue("error", error.message, self._source(path, line))] = None

    def _source(self, path: str, line: int) -> Source:
        folder = self._folder / TEMPLATES
        return Source(str(folder / path if path else folder), line)

    @staticmethod
    def _issue(level: Level, message: str, journey: Journey, step: Send) -> Issue:
        return issue(level, message, step, journey=journey.id, step=step.id or "")


def _in_which_line(name: str, source: Rendered) -> str:
    """Say where a text first has a name; in its first line if a partial has it."""
    found = re.search(rf"\b{re.escape(name)}\b", source.text)
    before = source.text.count("\n", 0, found.start()) if found else 0
    return f"{TEMPLATES}/{source.path}:{source.line + before}"


def _says_stop(text: str) -> bool:
    folded = text.casefold()
    words = (each for own in WORDS["stop"].values() for each in own)
    return any(word.casefold() in folded for word in words)
