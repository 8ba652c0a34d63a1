"""Composes every template once before anybody is to get it, and says what goes wrong.

Variables are those of examples and steps; the others are made up, as for a preview. Where
one of those may be the reason, it is a warning, and else an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from journeykit.content.composer import TEMPLATES, Variant, variant
from journeykit.content.locales import language, tag
from journeykit.content.templates import BRAND, variant_of
from journeykit.credentials import Secret
from journeykit.errors import ContentError, InputError, PluginError, Source
from journeykit.links import Links
from journeykit.media import email, sms
from journeykit.media.document import TemplateError
from journeykit.model.issues import Issue, Level
from journeykit.plugins import Registry
from journeykit.workspace import Workspace
from journeykit.workspace.languages import LANGUAGES
from journeykit.workspace.previews import EXAMPLES, MEDIA, RENDERERS, Previews, Sent

_SETTINGS: Mapping[str, frozenset[str]] = {
    "email": email.SETTINGS,
    "sms": sms.SETTINGS,
}
_EVERYWHERE = frozenset({"engine", "layout"})
_LINKS = Links("https://links.example.com", Secret("trial" * 8))
_BRAND = re.compile(r"\bbrand((?:\.[A-Za-z_]\w*)+)")
# Whatever the hour is, so that a template is wrong today as it is tomorrow.
_AT = datetime(2026, 6, 30, 12, tzinfo=UTC)


@dataclass(slots=True)
class Trials:
    """One trial of all templates of a workspace.

    Attributes:
        workspace: Whose.
        registry: What is installed.
    """

    workspace: Workspace
    registry: Registry
    _previews: Previews = field(init=False)
    _texts: dict[str, str] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Find who carries what."""
        self._previews = Previews(self.workspace, self.registry, _AT)

    def issues(self) -> Iterator[Issue]:
        """Yield what is wrong: with names of files, with front matter, with messages."""
        media = self._media()
        yield from self._names(media)
        yield from self._settings()
        library = self._previews.source
        for name, files in library.templates().items():
            for medium in sorted({each.medium for each in files} & media):
                for locale in library.locales(name, medium):
                    yield from self._message(name, medium, locale)

    def _media(self) -> set[str]:
        """What the workspace can send, or could with what is installed."""
        media = {*MEDIA, *(each.medium for each in self.registry.channels.values())}
        for name in self.workspace.providers:
            carrier = self._previews.carrier(name)
            media.add(carrier.medium if carrier and carrier.medium else name)
        return media - {""}

    # --- names of files --------------------------------------------------------------

    def _names(self, media: set[str]) -> Iterator[Issue]:
        for path in self._previews.source.files:
            found = variant_of(path)
            if found is None or not found.medium:
                continue
            stem = found.name.rpartition("/")[2]
            if found.medium not in media:
                if not found.locale and language(tag(found.medium)) in LANGUAGES:
                    way_out = f"write {stem}.email.{found.medium}.{found.ending}"
                else:
                    way_out = _meant(found.medium, media)
                message = f"nothing is sent as {found.medium!r:.40}; {way_out}"
                yield self._issue("warning", message, path)
                continue
            locale = tag(found.locale)
            code = language(locale)
            if len(code) == 2 and code not in LANGUAGES:  # those of three are thousands
                message = (
                    f"there is no language {code!r} in ISO 639-1; nobody speaks it"
                )
                yield self._issue("warning", message, path)
            elif locale.endswith("-UK"):
                message = f"the country of {locale!r} is called GB: {code}-GB"
                yield self._issue("warning", message, path)

    # --- front matter ----------------------------------------------------------------

    def _settings(self) -> Iterator[Issue]:
        """Warn of keys that are spelled nearly as those that a medium reads."""
        files = self._previews.source.files
        used = "\n".join(self._text_of(path) for path in files)
        for path, file in files.items():
            medium = _medium(path)
            known = _EVERYWHERE | _SETTINGS.get(medium, frozenset())
            for key in file.settings:
                close = get_close_matches(key, known, 1, 0.75)
                is_used = re.search(rf"\bsettings\W+{re.escape(key)}\b", used)
                if key in known or not close or is_used:
                    continue
                message = f"nobody reads {key!r:.40}; did you mean {close[0]!r}?"
                yield self._issue("warning", message, path, rf"^{re.escape(key)}\s*:")

    # --- messages --------------------------------------------------------------------

    def _message(self, name: str, medium: str, locale: str) -> Iterator[Issue]:
        try:
            chosen = variant(self._previews.source, name, medium, locale)
            issue = self._tried(chosen, name, medium, locale)
            if issue is None:  # what stands behind `else` is seen only without these
                again = self._tried(chosen, name, medium, locale, optional=False)
                issue = again if again and again.level == "error" else None
        except (ContentError, PluginError):
            return  # whoever looks for variables has said so
        except InputError as error:  # an example that is none
            folder = self.workspace.path / TEMPLATES / EXAMPLES
            issue = Issue(
                "warning", error.message, Source(error.place or str(folder), 1)
            )
        if issue is not None:
            yield issue

    def _tried(
        self,
        chosen: Variant,
        name: str,
        medium: str,
        locale: str,
        *,
        optional: bool = True,
    ) -> Issue | None:
        """Compose a message and render it; None: that is possible."""
        previews = self._previews
        sent = previews.sent(name, medium)
        variables, made_up = previews.variables(
            name, medium, locale, sent, optional=True
        )
        if not optional:  # then it may be for want of these
            variables, _ = previews.variables(name, medium, locale, sent)
        message = previews.message(name, locale, variables, sent)
        try:
            content = previews.composer(pretended=_LINKS).compose(message, medium)
        except ContentError as error:
            return self._in_text(error, chosen, made_up)
        message = replace(message, content=content)
        carrier = previews.carrier(sent.channel)
        is_carried = carrier is not None and carrier.medium == medium
        try:
            if carrier is not None and is_carried:
                carrier.render(message)
            elif medium in RENDERERS:
                RENDERERS[medium](message)
        except ContentError as error:
            # The console carries a mail that no mailbox would take.
            level: Level = "error" if is_carried else "hint"
            return self._in_medium(error, chosen, made_up, level, sent)
        except InputError:
            pass  # such as a secret that this machine hasn't
        except Exception as error:  # noqa: BLE001 - of a plugin
            words = f"channel {sent.channel!r} can't render it: {type(error).__name__}"
            return self._issue("warning", words, _first(chosen))
        return None

    def _in_text(
        self, error: ContentError, chosen: Variant, made_up: tuple[str, ...]
    ) -> Issue:
        """What an engine says: of a text in which nothing is made up, it is sure."""
        file, line = error.source or (f"{TEMPLATES}/{_first(chosen)}", 1)
        path = file.removeprefix(f"{TEMPLATES}/")
        source = self._source(path, line)
        if missing := self._brandless(path, line, error.message):
            return Issue("error", missing, source)
        used: set[str] = set()
        sources = [*chosen.sources()]
        for each in [one for one in sources if one.path == path] or sources:
            engine = self.registry.engines.get(each.engine)
            if engine is None:
                continue
            used |= engine.variables(each.text, load=chosen.load())
            used |= engine.optional(each.text, load=chosen.load())
        guilty = [name for name in made_up if name in used]
        return self._told(error.message, source, guilty, "error")

    def _in_medium(
        self,
        error: ContentError,
        chosen: Variant,
        made_up: tuple[str, ...],
        level: Level,
        sent: Sent,
    ) -> Issue:
        """What a medium says: of what a template has or lacks, it is sure."""
        path = chosen.parts.get("json", _first(chosen))
        sure = isinstance(error, TemplateError)
        field = re.search(r"can't have: `(\w+)`", error.message)
        pattern = rf'"{field[1]}"\s*:' if field else ""
        source = self._issue("hint", "", path, pattern).source
        message = f"it can't be sent by {sent.channel}: {error.message}"
        return self._told(message, source, () if sure else made_up, level)

    @staticmethod
    def _told(message: str, source: Any, guilty: Any, level: Level) -> Issue:
        if not guilty:
            return Issue(level, message, source)
        names = ", ".join(map(repr, guilty))
        message = (
            f"{message}; so it is with made-up values of {names}: "
            f"{TEMPLATES}/{EXAMPLES}/NAME.json may give better ones"
        )
        return Issue("hint" if level == "hint" else "warning", message, source)

    def _brandless(self, path: str, line: int, message: str) -> str:
        """What is asked of the brand in a line that failed, and brand.toml lacks."""
        lines = self._text_of(path).split("\n")
        text = lines[line - 1] if 0 < line <= len(lines) else ""
        for found in _BRAND.finditer(text):
            brand: Any = self._previews.source.brand
            for key in found[1][1:].split("."):
                if not isinstance(brand, Mapping):
                    break
                if key not in brand:
                    if f"{key}` is missing" not in message:
                        break
                    return f"{BRAND} has no {found[0]!r:.80}; {_meant(key, {*brand})}"
                brand = brand[key]
        return ""

    # --- places ----------------------------------------------------------------------

    def _issue(self, level: Level, message: str, path: str, pattern: str = "") -> Issue:
        """An issue in a file, where a pattern is found or at its beginning."""
        line = 1
        if pattern:
            text = self._text_of(path)
            found = re.search(pattern, text, re.MULTILINE)
            line = text.count("\n", 0, found.start()) + 1 if found else 1
        return Issue(level, message, self._source(path, line))

    def _source(self, path: str, line: int) -> Source:
        return Source(str(self.workspace.path / TEMPLATES / path), line)

    def _text_of(self, path: str) -> str:
        if path not in self._texts:
            file = Path(self.workspace.path, TEMPLATES, path)
            try:
                self._texts[path] = file.read_text("utf-8-sig")
            except (OSError, UnicodeDecodeError):  # gone meanwhile
                self._texts[path] = ""
        return self._texts[path]


def _first(chosen: Variant) -> str:
    return next(iter(chosen.parts.values()))


def _medium(path: str) -> str:
    """Return what a file is for; that of a layout stands in its name, too."""
    found = variant_of(path)
    if found is not None:
        return found.medium
    _, *parts = path.rpartition("/")[2].split(".")
    return parts[0] if len(parts) > 1 else ""


def _meant(name: str, known: set[str]) -> str:
    close = get_close_matches(name, sorted(known), 1)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"there are: {', '.join(sorted(known)) or 'none'}"
