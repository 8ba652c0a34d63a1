"""A drawing in SVG: shapes, arrows and words, which a page may color, and alone is whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from journeykit.insight.charts.canvas import COLORS, color
from journeykit.insight.charts.text import safe, shortened

Anchor = Literal["start", "middle", "end"]

DARK = {
    "ink": "#e9edf4",
    "faint": "#a9b3c3",
    "rule": "#3a4354",
    "paper": "#151a23",
    "wash": "#222a38",
    "good": "#6fcf97",
    "bad": "#ff8a80",
    "series-1": "#6ea8ea",
}
"""The colors of a map in the dark, by the names that they have in the light."""

FONT = "system-ui,-apple-system,Segoe UI,Roboto,Noto Sans,Arial,sans-serif"


def variables(colors: dict[str, str]) -> str:
    """The colors as CSS variables."""
    return ";".join(f"--{name}:{value}" for name, value in colors.items())


# Alone, as a picture in a pull request, it brings its own colors and ground.
_ALONE = (
    f"svg{{{variables(COLORS)}}}"
    f"@media(prefers-color-scheme:dark){{svg{{{variables(DARK)}}}}}"
    f"@media print{{svg{{{variables(COLORS)}}}}}"
)


class Pen:
    """Takes shapes, and returns the drawing."""

    def __init__(
        self, width: float, height: float, *, name: str, rtl: bool = False
    ) -> None:
        """Begin empty.

        Args:
            width: In CSS pixels.
            height: In CSS pixels.
            name: Unique on the page; letters, digits and hyphens.
            rtl: Whether words begin at the right. Shapes are drawn where they are said.
        """
        self.width = width
        self.height = height
        self.rtl = rtl
        self._name = name
        self._parts: list[str] = []

    def raw(self, markup: str) -> None:
        """What is SVG already."""
        self._parts.append(markup)

    def rect(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        *,
        radius: float = 0.0,
        fill: str = "paper",
        stroke: str = "",
        thick: float = 1.0,
        dash: str = "",
    ) -> None:
        """A rectangle, colors by name."""
        self._parts.append(
            f'<rect x="{n(x)}" y="{n(y)}" width="{n(width)}" height="{n(height)}" '
            f'fill="{color(fill) if fill != "none" else "none"}"'
            + (f' rx="{n(radius)}"' if radius else "")
            + _stroke(stroke, thick, dash)
            + "/>"
        )

    def polygon(
        self,
        points: Sequence[tuple[float, float]],
        *,
        fill: str = "paper",
        stroke: str = "",
        thick: float = 1.0,
    ) -> None:
        """A shape with corners."""
        corners = " ".join(f"{n(x)},{n(y)}" for x, y in points)
        self._parts.append(
            f'<polygon points="{corners}" fill="{color(fill)}" stroke-linejoin="round"'
            f"{_stroke(stroke, thick, '')}/>"
        )

    def path(
        self, d: str, *, stroke: str = "faint", thick: float = 1.5, dash: str = ""
    ) -> None:
        """A line, as SVG says it."""
        self._parts.append(f'<path d="{d}" fill="none"{_stroke(stroke, thick, dash)}/>')

    def line(
        self,
        x1: float,
        y1: float,
        x2: float,
        y2: float,
        *,
        stroke: str = "rule",
        thick: float = 1.0,
    ) -> None:
        """A straight line."""
        self.path(f"M{n(x1)} {n(y1)}L{n(x2)} {n(y2)}", stroke=stroke, thick=thick)

    def head(
        self, x: float, y: float, towards: tuple[float, float], *, fill: str = "faint"
    ) -> None:
        """The head of an arrow whose tip is at a point, looking in a direction."""
        dx, dy = towards
        length = (dx * dx + dy * dy) ** 0.5 or 1.0
        dx, dy = dx / length, dy / length
        self.polygon(
            (
                (x, y),
                (x - 8 * dx - 4.5 * dy, y - 8 * dy + 4.5 * dx),
                (x - 8 * dx + 4.5 * dy, y - 8 * dy - 4.5 * dx),
            ),
            fill=fill,
        )

    def words(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: float = 12.0,
        anchor: Anchor = "start",
        bold: bool = False,
        fill: str = "ink",
        room: float | None = None,
    ) -> None:
        """One line of words, its baseline at `y`, cut where there is no room."""
        shown = text if room is None else shortened(text, size=size, room=room)
        if not shown.strip():
            return
        side = anchor
        if self.rtl and anchor != "middle":
            side = "end" if anchor == "start" else "start"
        self._parts.append(
            f'<text x="{n(x)}" y="{n(y)}" fill="{color(fill)}" font-size="{n(size)}"'
            + (f' text-anchor="{side}"' if side != "start" else "")
            + (' font-weight="600"' if bold else "")
            + f">{safe(shown)}</text>"
        )

    def svg(self, *, title: str, about: str, linked: bool = False, alone: bool) -> str:
        """The drawing.

        Args:
            title: What it is, for who can't see it.
            about: What it shows, and where to read it.
            linked: Whether there are links in it: then it is a group of them, and not
                one picture.
            alone: Whether it is a file of its own, and needs its colors and its ground.
        """
        name = self._name
        size = f"{n(self.width)} {n(self.height)}"
        ground = ""
        if alone:
            ground = (
                f"<style>{_ALONE}</style>"
                f'<rect width="{n(self.width)}" height="{n(self.height)}" '
                f'fill="{color("paper")}"/>'
            )
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" '
            f'role="{"group" if linked else "img"}" '
            f'aria-labelledby="{name}-t" aria-describedby="{name}-d" '
            f'viewBox="0 0 {size}" width="{n(self.width)}" height="{n(self.height)}" '
            f'direction="ltr" font-family="{FONT}">'
            f'<title id="{name}-t">{safe(title)}</title>'
            f'<desc id="{name}-d">{safe(about)}</desc>'
            f"{ground}{''.join(self._parts)}</svg>"
        )


def n(number: float) -> str:
    """A coordinate, short: hundredths of a pixel are nobody's."""
    text = f"{number:.1f}"
    return text.removesuffix(".0")


def _stroke(stroke: str, thick: float, dash: str) -> str:
    if not stroke:
        return ""
    return (
        f' stroke="{color(stroke)}"'
        + (f' stroke-width="{n(thick)}"' if thick != 1 else "")
        + (f' stroke-dasharray="{dash}"' if dash else "")
    )
