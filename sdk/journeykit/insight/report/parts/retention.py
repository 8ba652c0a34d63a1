"""Retention: cohorts, and how many of them come back when."""

from __future__ import annotations

from collections.abc import Iterator

from journeykit.insight.charts.heat import Cell, Heat, HeatRow
from journeykit.insight.charts.numbers import percent, whole
from journeykit.insight.report.drawing import Drawing
from journeykit.insight.report.page import Section, paragraph, quiet
from journeykit.insight.retention import Cohort, Retention

_LEAD = "Of the people who came for the first time, how many come back when."


def retention_part(retention: Retention, draw: Drawing) -> Section:
    """The section."""
    body = "".join(_body(retention, draw))
    return Section("retention", "Retention", _LEAD, body)


def _body(retention: Retention, draw: Drawing) -> Iterator[str]:
    if not retention.cohorts:
        yield quiet(f"nobody had the event {retention.first} in this time")
        return
    columns = max(len(cohort.cells) for cohort in retention.cohorts)
    rows = [_row(cohort) for cohort in retention.cohorts]
    if retention.averages:
        by_place = {one.after: one for one in retention.averages}
        cells = [
            Cell(one.share, _said(one.share), tip=f"{one.back} of {one.people}")
            if (one := by_place.get(after))
            else Cell(None, "")
            for after in range(columns)
        ]
        rows.append(HeatRow("all", "", cells))
    yield draw.figure(
        Heat(
            f"Came back, in percent, by {retention.per}s after the first one",
            f"first {retention.per}",
            "people",
            [str(after) for after in range(columns)],
            rows,
        ),
        note=f"{retention.definition} An asterisk: the {retention.per} is not over, so "
        "more may still come.",
    )
    older = [cohort for cohort in retention.cohorts if cohort.may_be_older]
    if older:
        yield paragraph(
            "The log begins in the first of these: who is in it may have come before.",
            kind="note",
        )
    if retention.left_out:
        yield paragraph(
            f"{whole(retention.left_out)} older cohorts are not shown.", kind="note"
        )


def _row(cohort: Cohort) -> HeatRow:
    return HeatRow(
        f"{cohort.starts_at:%Y-%m-%d}",
        whole(cohort.people),
        [
            Cell(
                cell.share,
                _said(cell.share),
                is_open=not cell.is_complete,
                tip=f"{whole(cell.back)} of {whole(cohort.people)}, "
                f"{percent(cell.interval.low)} to {percent(cell.interval.high)}",
            )
            for cell in cohort.cells
        ],
    )


def _said(share: float) -> str:
    return f"{share * 100:.0f}"
