"""Reads the files of `templates/`, and collects what is wrong with any of them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from journeykit.content.locales import tag
from journeykit.content.templates import BRAND, ENDINGS, MAX_BYTES, TemplateFile
from journeykit.errors import InvalidJourney, Problem
from journeykit.model.reading import Node, read_json, read_yaml

MAX_FILES = 5_000
MAX_FILE_BYTES = 256 * 1024  # mail programs cut at 102 KB of what comes of it

EXAMPLES = "examples"
"""The folder with variables to look at templates with; they are not published."""

_FENCE = re.compile(r"---[ \t]*\n")
_END = re.compile(r"^---[ \t]*(?:\n|\Z)", re.MULTILINE)
_SPECIAL = {
    "engine": "the name of a template engine",
    "layout": "the name of a file, such as _layout.email.html",
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
        self._bytes = 0

    def files(self) -> Iterator[tuple[str, TemplateFile]]:
        """Read what is a template, a layout or a partial."""
        paths = self._paths()
        if len(paths) > MAX_FILES:
            problem = f"has more than {MAX_FILES:,} templates, too many to publish"
            self._wrong(self.folder, problem)
            return
        for path in paths:
            try:
                file = self._file(path)
            except InvalidJourney as error:
                self.problems += error.issues
            except OSError as error:
                self._wrong(path, f"can't be read: {error.strerror}")
            else:
                if file is not None:
                    yield path.relative_to(self.folder).as_posix(), file

    def brand(self) -> dict[str, Any]:
        """Read brand.toml."""
        path = self.folder / BRAND
        try:
            text = path.read_text("utf-8-sig")
        except FileNotFoundError:
            return {}
        except (OSError, UnicodeDecodeError):
            self._wrong(path, "can't be read as UTF-8")
            return {}
        try:
            brand = tomllib.loads(text)
            return {key: _plain(value) for key, value in brand.items()}
        except tomllib.TOMLDecodeError as error:
            at = re.search(r"at line (\d+)", str(error))
            line = int(at[1]) if at else text.count("\n") + 1
            self._wrong(path, f"not TOML: {error}", line)
        return {}

    def look_at(self, files: Mapping[str, TemplateFile]) -> None:
        """Find layouts that aren't there."""
        for path, file in files.items():
            layout = file.settings.get("layout")
            if isinstance(layout, str) and layout not in files:
                keys = [*file.settings]
                line = 2 + keys.index("layout") if keys else 1
                self._wrong(
                    self.folder / path, f"layout: there is no file {layout!r}", line
                )

    def _paths(self) -> list[Path]:
        if not self.folder.is_dir():
            return []
        return sorted(
            path
            for path in self.folder.rglob("*")
            if path.suffix[1:] in ENDINGS
            and not path.name.startswith(".")
            and path.relative_to(self.folder).parts[0] != EXAMPLES
            and path.is_file()
        )

    def _file(self, path: Path) -> TemplateFile | None:
        parts = path.name.split(".")
        is_partial = path.name.startswith("_")
        if not is_partial and len(parts) > 4:
            self._wrong(
                path,
                "a template is called NAME.MEDIUM.ENDING or NAME.MEDIUM.LOCALE.ENDING, "
                "such as welcome.email.de.html; there are too many dots",
            )
            return None
        if not is_partial and len(parts) == 4 and not tag(parts[2]):
            self._wrong(
                path,
                f"{parts[2]!r:.40} is no locale; write it as in welcome.sms.de.txt",
            )
            return None
        size = path.stat().st_size
        self._bytes += size
        if size > MAX_FILE_BYTES:
            self._wrong(path, f"{size:,} bytes: the limit is {MAX_FILE_BYTES:,}")
            return None
        if self._bytes > MAX_BYTES:
            self._wrong(path, f"the templates have more than {MAX_BYTES:,} bytes")
            return None
        try:
            text = path.read_bytes().decode("utf-8-sig")
        except UnicodeDecodeError as error:
            self._wrong(path, f"not UTF-8 at byte {error.start}; save it as UTF-8")
            return None
        return self._parsed(path, text)

    def _parsed(self, path: Path, text: str) -> TemplateFile | None:
        # Universal newlines: an engine counts lines, and a message has no stray returns.
        text = text.replace("\r\n", "\n")
        settings, places, line = self._front_matter(path, text)
        body = text if line == 1 else text.split("\n", line - 1)[-1]
        if path.suffix != ".json":
            return TemplateFile(body, line, settings, places)
        node = self._json(path, body, line)
        return TemplateFile(
            line=line,
            settings=settings,
            places=places,
            document=node.value,
            document_places=[place + line - 1 for place in _places(node)],
        )

    def _json(self, path: Path, body: str, line: int) -> Node:
        try:
            return read_json(body, file=str(path))
        except InvalidJourney as error:
            issues = [
                each._replace(
                    line=each.line + line - 1,
                    message=f"{each.message}; each text in it is a template, what stands "
                    "around them is plain JSON",
                )
                for each in error.issues
            ]
            raise InvalidJourney("", issues=issues) from error

    def _front_matter(
        self, path: Path, text: str
    ) -> tuple[dict[str, Any], list[int], int]:
        """Return the settings, the lines of their texts, and where the body begins."""
        if (start := _FENCE.match(text)) is None:
            return {}, [], 1
        if (end := _END.search(text, start.end())) is None:
            self._wrong(path, "the front matter has no end; close it with --- alone", 1)
            return {}, [], 1
        front = text[start.end() : end.start()]
        line = text.count("\n", 0, end.end()) + 1
        if not text[end.start() :].partition("\n")[1]:
            line += 1
            self._wrong(path, "there is nothing behind the front matter", line - 1)
        if not front.strip():
            return {}, [], line
        try:
            node = read_yaml(front, file=str(path))
        except InvalidJourney as error:
            self.problems += [
                each._replace(line=each.line + 1) if each.line else each
                for each in error.issues
            ]
            return {}, [], line
        if not isinstance(node.value, dict):
            self._wrong(path, "the front matter is a list of `key: value`", 2)
            return {}, [], line
        for key, what in _SPECIAL.items():
            if key in node.value and not isinstance(node.value[key], str):
                self._wrong(path, f"{key}: is {what}", node.parts[key].place.line + 1)
                return {}, [], line
        return node.value, [place + 1 for place in _places(node)], line

    def _wrong(self, path: Path, message: str, line: int = 0) -> None:
        self.problems.append(Problem(message, str(path), line))


def _places(node: Node) -> Iterator[int]:
    """Yield the line of each text in a value, in the order of `texts`."""
    if isinstance(node.value, str):
        yield node.place.line
    for part in node.parts.values():
        yield from _places(part)


def _plain(value: Any) -> Any:
    """A TOML value as JSON has it: dates and times become text."""
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return value if isinstance(value, str | int | float | bool) else str(value)
