"""HTML as plain text, for the part of a mail that is read aloud, on a watch, or searched.

Links become `text (address)`, lists get their marks, headings a line below, tables of data
their columns; tables that only lay out are read cell by cell. What is hidden is left out,
such as the preheader.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import unescape
from html.parser import HTMLParser

DEPTH = 100
"""How many elements deep is looked; what is deeper counts as being that deep."""

_VOID = frozenset(
    [
        "area",
        "base",
        "br",
        "col",
        "embed",
        "hr",
        "img",
        "input",
        "link",
        "meta",
        "param",
        "source",
        "track",
        "wbr",
    ]
)
_SKIPPED = frozenset(
    [
        "head",
        "style",
        "script",
        "title",
        "template",
        "noscript",
        "svg",
        "math",
        "object",
        "iframe",
        "select",
        "button",
        "textarea",
    ]
)
_BLOCKS = frozenset(
    [
        "address",
        "article",
        "aside",
        "blockquote",
        "body",
        "center",
        "div",
        "dl",
        "dd",
        "dt",
        "fieldset",
        "figcaption",
        "figure",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "html",
        "li",
        "main",
        "nav",
        "ol",
        "p",
        "pre",
        "section",
        "table",
        "tbody",
        "td",
        "tfoot",
        "th",
        "thead",
        "tr",
        "ul",
    ]
)
_PARAGRAPHS = frozenset(
    [
        "blockquote",
        "dl",
        "figure",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "ol",
        "p",
        "pre",
        "table",
        "ul",
    ]
)
_TABLES = frozenset(["table", "thead", "tbody", "tfoot", "tr"])
_PARTS = frozenset(
    ["caption", "colgroup", "col", "thead", "tbody", "tfoot", "tr", "td", "th"]
) | (_SKIPPED - {"button", "textarea"})
_UNDERLINES = {"h1": "=", "h2": "-"}
# What an element of a kind ends, where its end was left out; and up to which it looks.
_ENDS = {
    "li": ({"li"}, {"ul", "ol"}),
    "dt": ({"dt", "dd"}, {"dl"}),
    "dd": ({"dt", "dd"}, {"dl"}),
    "td": ({"td", "th"}, {"tr", "table"}),
    "th": ({"td", "th"}, {"tr", "table"}),
    "tr": ({"tr", "td", "th"}, {"table"}),
}
_TAG = re.compile(r"<[^<>]*>?")
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)


def text_of_html(html: str) -> str:
    r"""Return what an HTML document says, as plain text with `\n` between lines."""
    tree = _Tree()
    tree.feed(without_comments(html))
    tree.finish()
    lines = (line.rstrip() for line in _block(tree.root, 0).split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n")


def without_comments(html: str) -> str:
    """Return HTML without its comments; what is in one that never ends is left out.

    `html.parser` takes time that grows with the square of how many of those there are.
    """
    kept, start = [], 0
    while (begin := html.find("<!--", start)) >= 0:
        kept.append(html[start:begin])
        end = html.find("-->", begin + 2)  # `<!-->` is a whole one
        if end < 0:
            return "".join(kept)
        start = end + 3
    return "".join([*kept, html[start:]]) if kept else html


@dataclass(slots=True)
class _Element:
    tag: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: list[_Element | str] = field(default_factory=list)
    parent: _Element | None = None
    has_block: bool = False

    def elements(self) -> Iterator[_Element]:
        return (child for child in self.children if isinstance(child, _Element))


class _Tree(HTMLParser):
    """Builds the tree, with the ends that authors leave out."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = _Element("body")
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _BLOCKS and tag not in ("td", "th", "tr", "li"):
            self._end({"p"}, {"td", "th", "table", "div", "li"})
        if tag in _ENDS:
            self._end(*_ENDS[tag])
        element = _Element(tag, {name: value or "" for name, value in attrs})
        self._add(element, fits=tag in _PARTS)
        # What is skipped is opened deeper down as well, else its text would be read.
        depth = DEPTH + 20 if tag in _SKIPPED else DEPTH
        if tag not in _VOID and len(self._open) < depth:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        self._end({tag}, {"table"} if tag != "table" else set())

    def finish(self) -> None:
        """Take what is left as text, without a tag that never ends.

        `close` would try the rest of the document anew at every `<` in it.
        """
        if self.cdata_elem is None:
            self.handle_data(unescape(_TAG.sub(" ", self.rawdata)))

    def handle_data(self, data: str) -> None:
        self._add(data, fits=not data.strip())

    def _add(self, child: _Element | str, *, fits: bool) -> None:
        """Put something where we are; what no table can hold, before the table.

        That is what browsers do (HTML §13.2.6.1, "foster parent").
        """
        parent, table = self._open[-1], None
        if not fits and parent.tag in _TABLES:
            table = parent
            while table and table.tag != "table":
                table = table.parent
        if table and table.parent:
            parent = table.parent
            at = len(parent.children) - 1  # an open table is near the end, if not there
            while parent.children[at] is not table:
                at -= 1
            parent.children.insert(at, child)
        else:
            parent.children.append(child)
        if isinstance(child, _Element):
            child.parent = parent
            above: _Element | None = parent if child.tag in _BLOCKS else None
            while above is not None and not above.has_block:
                above.has_block = True
                above = above.parent

    def _end(self, tags: set[str], up_to: set[str]) -> None:
        """Close the outermost open element of these, looking no further than some."""
        found = None
        for place in range(len(self._open) - 1, 0, -1):
            tag = self._open[place].tag
            if tag in tags:
                found = place
            if tag in up_to and tag not in tags:
                break
            if found is not None and len(tags) == 1:
                break
        if found is not None:
            del self._open[found:]


def _skipped(element: _Element) -> bool:
    attributes = element.attributes
    return (
        element.tag in _SKIPPED
        or "hidden" in attributes
        or attributes.get("aria-hidden", "").lower() == "true"
        or _HIDDEN.search(attributes.get("style", "")) is not None
    )


def _block(element: _Element, depth: int) -> str:
    """What is inside an element, paragraphs parted by an empty line."""
    paragraphs: list[
        tuple[str, bool]
    ] = []  # and whether an empty line belongs around it
    inline = ""
    # A list in a list stands right below its item.
    apart = _PARAGRAPHS - {"ul", "ol"} if element.tag == "li" else _PARAGRAPHS

    def flush() -> None:
        nonlocal inline
        if inline and (text := _collapsed(inline)):
            paragraphs.append((text, False))
        inline = ""

    for child in element.children:
        if isinstance(child, str):
            inline += child
        elif _skipped(child):
            continue
        elif child.tag == "hr":
            flush()
            paragraphs.append(("-" * 20, True))
        elif child.tag not in _BLOCKS and not child.has_block:
            inline += _inline(child)
        else:
            flush()
            if text := _of_block(child, depth):
                paragraphs.append((text, child.tag in apart))
    flush()
    pieces = []
    for place, (paragraph, spaced) in enumerate(paragraphs):
        if place:
            pieces.append("\n\n" if spaced or paragraphs[place - 1][1] else "\n")
        pieces.append(paragraph)
    return "".join(pieces)


def _of_block(element: _Element, depth: int) -> str:
    """A block by what it is."""
    tag = element.tag
    if tag in ("ul", "ol"):
        return _list(element, depth)
    if tag == "table":
        return _table(element, depth)
    if tag == "pre":
        return _raw(element).strip("\n")
    text = _block(element, depth)
    if tag == "a":
        return _linked(text, element)
    if tag in _UNDERLINES and text:
        width = min(60, max(map(len, text.split("\n"))))
        return f"{text}\n{_UNDERLINES[tag] * width}"
    if tag == "blockquote":
        return "\n".join(f"> {line}" for line in text.split("\n"))
    return text


def _list(element: _Element, depth: int) -> str:
    start = element.attributes.get("start", "")
    number = int(start) if start.isascii() and start.isdigit() and len(start) < 6 else 1
    items = []
    for child in element.children:
        if isinstance(child, str) or child.tag != "li":  # what should not be here
            if text := _block(_Element("div", {}, [child]), depth + 1):
                items.append(text.replace("\n", "\n  "))
            continue
        if _skipped(child) or not (text := _block(child, depth + 1)):
            continue
        mark = f"{number}. " if element.tag == "ol" else "- "
        number += 1
        items.append(mark + text.replace("\n", "\n" + " " * len(mark)))
    return "\n".join(items)


def _table(element: _Element, depth: int) -> str:
    """A table: by columns if it holds data, else what is in its cells."""
    rows = [
        [
            _block(cell, depth + 1)
            for cell in row.elements()
            if cell.tag in ("td", "th") and not _skipped(cell)
        ]
        for row in _rows(element)
    ]
    rows = [row for row in rows if any(row)]
    layout = element.attributes.get("role", "").lower() in ("presentation", "none")
    if layout or any("\n" in cell for row in rows for cell in row):
        return "\n\n".join("\n".join(filter(None, row)) for row in rows)
    columns = max(map(len, rows), default=0)
    widths = [
        max((len(row[i]) for row in rows if i < len(row)), default=0)
        for i in range(columns)
    ]
    if sum(widths) + 2 * columns > 72:
        return "\n".join(" | ".join(filter(None, row)) for row in rows)
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False))
        for row in rows
    )


def _rows(element: _Element) -> Iterator[_Element]:
    cells: list[_Element | str] = []  # whose row the author left out
    for child in element.elements():
        if _skipped(child):
            continue
        if child.tag in ("td", "th"):
            cells.append(child)
            continue
        if cells:
            yield _Element("tr", {}, cells)
            cells = []
        if child.tag == "tr":
            yield child
        elif child.tag in ("thead", "tbody", "tfoot"):
            yield from _rows(child)
        elif child.tag == "caption":
            yield _Element("tr", {}, [_Element("td", {}, child.children)])
    if cells:
        yield _Element("tr", {}, cells)


def _inline(element: _Element) -> str:
    """What an element in a line says; white space is collapsed later."""
    if element.tag == "br":
        return "\v"  # a break that collapsing leaves alone
    if element.tag == "img":
        return element.attributes.get("alt", "")
    text = "".join(
        child if isinstance(child, str) else "" if _skipped(child) else _inline(child)
        for child in element.children
    )
    return _linked(text, element) if element.tag == "a" else text


def _linked(text: str, element: _Element) -> str:
    """A link as `text (address)`; only the address where it is the text."""
    address = element.attributes.get("href", "").strip()
    scheme = address.partition(":")[0].lower()
    if scheme not in ("http", "https", "mailto", "tel", "sms"):
        return text  # one within the page, or none
    shown = address.partition(":")[2] if scheme in ("mailto", "tel", "sms") else address
    said = text.strip()
    if not said or said in (shown, address, re.sub(r"^https?://|/$", "", shown)):
        return text.replace(said, shown, 1) if said else shown
    return f"{text.rstrip()} ({shown}){text[len(text.rstrip()) :]}"


def _collapsed(text: str) -> str:
    """White space as a browser shows it, and no soft hyphens or joiners of a preheader."""
    text = re.sub(r"[\u00ad\u034f\u200b\u200c\ufeff]", "", text)
    lines = (
        re.sub(r"[ \t\n\r\f\u00a0]+", " ", line).strip() for line in text.split("\v")
    )
    return "\n".join(lines).strip()


def _raw(element: _Element) -> str:
    return "".join(
        child if isinstance(child, str) else _raw(child) for child in element.children
    )
