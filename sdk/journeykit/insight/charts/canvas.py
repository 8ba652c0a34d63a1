"""One drawing in SVG: shapes and words, mirrored where people read from the right."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from journeykit.insight.charts.text import safe, shortened

Anchor = Literal["start", "middle", "end"]
Point = tuple[float, float]

SIZE = 13.0
"""The font's size, in CSS pixels: drawings aren't scaled, but drawn in two widths."""

LINE = 17.0
"""From one line of words to the next."""

# Name of a CSS variable → its value in the light. Contrast with white is 3:1 and more for
# what is drawn (WCAG 2.2, 1.4.11), and 4.5:1 for words (1.4.3).
COLORS = {
    "ink": "#1d2433",
    "faint": "#586174",
    "rule": "#d4d9e2",
    "paper": "#ffffff",
    "wash": "#eef2f8",
    "good": "#14713f",
    "bad": "#b3261e",
    "series-1": "#2563a8",
    "series-2": "#b85c00",
    "series-3": "#1b7a4b",
    "series-4": "#7a4fa3",
    "series-5": "#5f6878",
    "series-6": "#b0306f",
}

SERIES = 6
"""So many looks there are; the seventh series looks like the first."""

_BOLD = 1.1  # so much wider are bold letters
_DASHES = ("", "7 4", "2 3", "9 3 2 3", "12 5", "4 2")


def color(name: str) -> str:
    """A color by its name, which the page may give another value."""
    return f"var(--{name},{COLORS[name]})"


def series_color(place: int) -> str:
    """The color of the series at a place, from 0."""
    return color(f"series-{place % SERIES + 1}")


class Canvas:
    """Takes shapes in coordinates from left to right, and returns the drawing."""

    def __init__(
        self, width: float, height: float, *, name: str, rtl: bool = False
    ) -> None:
        """Begin empty.

        Args:
            width: In CSS pixels.
            height: In CSS pixels.
            name: Unique on the page; patterns are named by it.
            rtl: Whether it is mirrored: what begins at the left begins at the right.
        """
        self.width = width
        self.height = height
        self._name = name
        self._rtl = rtl
        self._parts: list[str] = []
        self._patterns: set[int] = set()

    def rect(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        *,
        fill: str,
        stroke: str = "none",
        radius: float = 0.0,
        opacity: float = 1.0,
        tip: str = "",
    ) -> None:
        """A rectangle; `tip` is what a pointer that rests on it is told."""
        left = self.width - x - width if self._rtl else x
        self._parts.append(
            f'<rect x="{_n(left)}" y="{_n(y)}" width="{_n(max(width, 0))}" '
            f'height="{_n(max(height, 0))}" fill="{fill}"'
            + (f' stroke="{stroke}"' if stroke != "none" else "")
            + (f' rx="{_n(radius)}"' if radius else "")
            + (f' fill-opacity="{_n(opacity)}"' if opacity < 1 else "")
            + _closed("rect", tip)
        )

    def line(
        self,
        x1: float,
        y1: float,
        x2: float,
        y2: float,
        *,
        stroke: str,
        width: float = 1.0,
        dash: str = "",
    ) -> None:
        """A straight line."""
        x1, x2 = self._x(x1), self._x(x2)
        self._parts.append(
            f'<line x1="{_n(x1)}" y1="{_n(y1)}" x2="{_n(x2)}" y2="{_n(y2)}" '
            f'stroke="{stroke}" stroke-width="{_n(width)}"'
            + (f' stroke-dasharray="{dash}"' if dash else "")
            + "/>"
        )

    def polyline(self, points: Sequence[Point], *, place: int) -> None:
        """The line of a series, in its color and dashes."""
        if len(points) < 2:
            return
        dash = _DASHES[place % SERIES]
        self._parts.append(
            f'<polyline points="{self._points(points)}" fill="none" '
            f'stroke="{series_color(place)}" stroke-width="2" stroke-linejoin="round"'
            + (f' stroke-dasharray="{dash}"' if dash else "")
            + "/>"
        )

    def polygon(
        self, points: Sequence[Point], *, fill: str, opacity: float = 1.0, tip: str = ""
    ) -> None:
        """A filled shape."""
        self._parts.append(
            f'<polygon points="{self._points(points)}" fill="{fill}"'
            + (f' fill-opacity="{_n(opacity)}"' if opacity < 1 else "")
            + _closed("polygon", tip)
        )

    def ribbon(
        self,
        start: Point,
        end: Point,
        thickness: float,
        *,
        fill: str,
        opacity: float,
        tip: str = "",
    ) -> None:
        """A band of one thickness that leaves and arrives level; its upper corners."""
        (x1, y1), (x2, y2) = (self._x(start[0]), start[1]), (self._x(end[0]), end[1])
        middle = (x1 + x2) / 2
        m, t = _n(middle), thickness
        self._parts.append(
            f'<path d="M{_n(x1)} {_n(y1)}C{m} {_n(y1)} {m} {_n(y2)} {_n(x2)} {_n(y2)}'
            f"V{_n(y2 + t)}C{m} {_n(y2 + t)} {m} {_n(y1 + t)} {_n(x1)} {_n(y1 + t)}Z"
            f'" fill="{fill}" fill-opacity="{_n(opacity)}"' + _closed("path", tip)
        )

    def mark(self, x: float, y: float, *, place: int, size: float = 4.0) -> None:
        """The mark of a series: a disk, a square, a triangle, a diamond, and so on."""
        x = self._x(x)
        fill = series_color(place)
        kind = place % SERIES
        r = size
        if kind == 0:
            self._parts.append(
                f'<circle cx="{_n(x)}" cy="{_n(y)}" r="{_n(r)}" fill="{fill}"/>'
            )
            return
        corners = {
            1: ((-r, -r), (r, -r), (r, r), (-r, r)),
            2: ((0, -r * 1.2), (r * 1.1, r * 0.9), (-r * 1.1, r * 0.9)),
            3: ((0, -r * 1.3), (r * 1.3, 0), (0, r * 1.3), (-r * 1.3, 0)),
            4: ((0, r * 1.2), (r * 1.1, -r * 0.9), (-r * 1.1, -r * 0.9)),
            5: (
                (-r * 1.3, -r / 2),
                (r * 1.3, -r / 2),
                (r * 1.3, r / 2),
                (-r * 1.3, r / 2),
            ),
        }[kind]
        points = " ".join(f"{_n(x + dx)},{_n(y + dy)}" for dx, dy in corners)
        self._parts.append(f'<polygon points="{points}" fill="{fill}"/>')

    def words(
        self,
        x: float,
        y: float,
        text: str,
        *,
        anchor: Anchor = "start",
        faint: bool = False,
        bold: bool = False,
        size: float = SIZE,
        room: float | None = None,
        fill: str = "",
        on_lines: bool = False,
    ) -> None:
        """One line of words, its baseline at `y`.

        Args:
            x: Where it begins, ends, or has its middle.
            y: Its baseline.
            text: The words.
            anchor: What of it stands at `x`.
            faint: Whether it is held back.
            bold: Whether it is emphasized.
            size: The font's size.
            room: Longer words are cut.
            fill: Its color.
            on_lines: Whether lines run behind it, from which it is set off.
        """
        broad = size * _BOLD if bold else size
        shown = text if room is None else shortened(text, size=broad, room=room)
        if not shown.strip():
            return
        fill = fill or color("faint" if faint else "ink")
        side = _turned(anchor) if self._rtl else anchor
        self._parts.append(
            f'<text x="{_n(self._x(x))}" y="{_n(y)}" fill="{fill}"'
            + (f' text-anchor="{side}"' if side != "start" else "")
            + (' font-weight="600"' if bold else "")
            + (
                f' paint-order="stroke" stroke-width="4" stroke="{color("paper")}"'
                if on_lines
                else ""
            )
            + (f' font-size="{_n(size)}"' if size != SIZE else "")
            + f">{safe(shown)}"
            + (f"<title>{safe(text)}</title>" if shown != text else "")
            + "</text>"
        )

    def fill_of(self, place: int) -> str:
        """The fill of a series: its color and its pattern."""
        kind = place % SERIES
        if kind == 0:
            return series_color(0)
        self._patterns.add(kind)
        return f"url(#{self._name}-p{kind})"

    def svg(self, *, title: str, description: str) -> str:
        """The drawing.

        Args:
            title: What it is, for who can't see it.
            description: What it shows, for the same.
        """
        name = self._name
        patterns = "".join(_pattern(name, kind) for kind in sorted(self._patterns))
        # Text runs as its own letters say, and is placed from the left in any document.
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" '
            f'aria-labelledby="{name}-t {name}-d" '
            f'viewBox="0 0 {_n(self.width)} {_n(self.height)}" '
            f'width="{_n(self.width)}" height="{_n(self.height)}" direction="ltr" '
            f'font-family="system-ui,-apple-system,Segoe UI,Roboto,Noto Sans,Arial,'
            f'sans-serif" font-size="{_n(SIZE)}">'
            f'<title id="{name}-t">{safe(title)}</title>'
            f'<desc id="{name}-d">{safe(description)}</desc>'
            + (f"<defs>{patterns}</defs>" if patterns else "")
            + "".join(self._parts)
            + "</svg>"
        )

    def _x(self, x: float) -> float:
        return self.width - x if self._rtl else x

    def _points(self, points: Iterable[Point]) -> str:
        return " ".join(f"{_n(self._x(x))},{_n(y)}" for x, y in points)


def _turned(anchor: Anchor) -> Anchor:
    turned: dict[Anchor, Anchor] = {"start": "end", "middle": "middle", "end": "start"}
    return turned[anchor]


def _closed(element: str, tip: str) -> str:
    return f"><title>{safe(tip)}</title></{element}>" if tip else "/>"


def _pattern(name: str, kind: int) -> str:
    """A fill that differs from the others without any color."""
    paint = series_color(kind)
    stroke = f'stroke="{paint}" stroke-width="2"'
    inside = {
        1: f'<path d="M0 6L6 0M-1 1L1 -1M5 7L7 5" {stroke}/>',
        2: f'<circle cx="3" cy="3" r="1.7" fill="{paint}"/>',
        3: f'<path d="M0 3H6" {stroke}/>',
        4: f'<path d="M0 0L6 6M0 6L6 0" stroke="{paint}" stroke-width="1.2"/>',
        5: f'<path d="M3 0V6" {stroke}/>',
    }[kind]
    return (
        f'<pattern id="{name}-p{kind}" width="6" height="6" '
        f'patternUnits="userSpaceOnUse"><rect width="6" height="6" fill="{paint}" '
        f'fill-opacity=".28"/>{inside}</pattern>'
    )


def _n(number: float) -> str:
    """A coordinate, short: hundredths of a pixel are nobody's."""
    return f"{number:.1f}".removesuffix(".0")
