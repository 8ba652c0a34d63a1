"""What the parts of a report draw with: figures that are named, small lines, tables."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

from journeykit.insight.charts.chart import Chart, Table
from journeykit.insight.charts.figure import figure, table
from journeykit.insight.charts.heat import Heat
from journeykit.insight.charts.lines import sparkline
from journeykit.insight.charts.text import safe
from journeykit.insight.report.page import paragraph


class Drawing:
    """Draws figures for one page, and gives each a name of its own."""

    def __init__(self, *, rtl: bool = False) -> None:
        """Begin a page.

        Args:
            rtl: Whether it runs from right to left.
        """
        self.rtl = rtl
        self._numbers = count(1)

    def figure(self, chart: Chart | Heat, *, note: str = "", about: str = "") -> str:
        """A chart, with its numbers and, below it or with them, what they mean."""
        return figure(chart, name=self._name(), rtl=self.rtl, note=note, about=about)

    def several(self, charts: Sequence[tuple[Chart, str]], *, note: str = "") -> str:
        """Small charts side by side, each with what it means among its numbers."""
        drawn = "".join(self.figure(chart, about=about) for chart, about in charts)
        below = paragraph(note, kind="note") if note and drawn else ""
        return f'<div class="several">{drawn}</div>{below}' if drawn else ""

    def folded(self, html: str, *, title: str, on_paper: bool = False) -> str:
        """What few ask for, behind a line that opens it; nothing for nothing.

        Args:
            html: What is folded up.
            title: The line.
            on_paper: Whether it is printed all the same.
        """
        if not html:
            return ""
        kind = ' class="jk-keep"' if on_paper else ""
        return f"<details{kind}><summary>{safe(title)}</summary>{html}</details>"

    def spark(self, values: Sequence[float], said: str) -> str:
        """A line as small as a word; nothing of fewer than two values."""
        if len(values) < 2:
            return ""
        return sparkline(values, name=self._name(), said=said, rtl=self.rtl)

    def table(
        self, data: Table, *, caption: str, note: str = "", words: bool = False
    ) -> str:
        """A table that can be scrolled where it is too wide; nothing without rows."""
        if not data.rows:
            return ""
        below = paragraph(note, kind="note") if note else ""
        return (
            f'<figure><div class="scroll" tabindex="0" role="region" '
            f'aria-label="{safe(caption)}">{table(data, caption=caption, words=words)}</div>'
            f"{below}</figure>"
        )

    def _name(self) -> str:
        return f"f{next(self._numbers)}"
