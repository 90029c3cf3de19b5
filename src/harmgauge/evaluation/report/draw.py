"""Which pictures a report has, and what each is to show."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from ..curves import Curves
from ..evaluate import Measurement
from ..figures import Figure
from ..text import LABELS
from . import pictures
from .blocks import Picture, number, with_intervals
from .headline import Headline


def summary_pictures(rows: Sequence[Headline]) -> list[Picture]:
    """AUROC and ranking accuracy of all data sets at a glance."""
    auroc = [each for each in rows if each.label == LABELS["auroc"]]
    ranking = [each for each in rows if each.kind == "pair"]
    return [
        _summary(of, label, name)
        for of, label, name in (
            (auroc, "AUROC", "summary-auroc"),
            (ranking, "Ranking accuracy", "summary-ranking"),
        )
        if of
    ]


def _summary(rows: Sequence[Headline], label: str, name: str) -> Picture:
    svg = pictures.dots(
        [each.data for each in rows],
        {gauge: [each.gauges[gauge] for each in rows] for gauge in rows[0].gauges},
        f"{label}; dotted: chance",
        f"{label} of each data set",
        floors={
            gauge: [floor[1] if (floor := each.floors[gauge]) else None for each in rows]
            for gauge in rows[0].gauges
        },
        chance=0.5,
    )
    drawn = with_intervals(figure for each in rows for figure in each.gauges.values())
    caption = f"{label}{drawn}, each beside the best of its floors."
    return Picture(name, svg, f"{caption} {' '.join(map(_said, rows))}", caption)


def curve_pictures(
    measurement: Measurement, prefix: str, costs_of: Collection[str]
) -> list[Picture]:
    """ROC, precision-recall, reliability, and the costs of safe and unsafe by some gauges."""
    curves = {name: each.curves for name, each in measurement.gauges.items() if each.curves}
    found = []
    if curves and not measurement.contents.one_class:
        found += [_roc(measurement, curves, prefix), _precision(measurement, curves, prefix)]
        if stated := {name: each for name, each in curves.items() if each.bin_n}:
            found.append(_reliability(measurement, stated, prefix))
    for at, (gauge, each) in enumerate(curves.items(), 1):
        if gauge in costs_of:
            found.append(_costs(measurement, gauge, each, f"{prefix}-costs-{at}"))
    return found


def _roc(measurement: Measurement, curves: Mapping[str, Curves], prefix: str) -> Picture:
    areas = _areas(measurement, curves, "auroc")
    svg = pictures.roc(areas, f"ROC, n = {measurement.contents.n}")
    caption = f"ROC of {measurement.contents.data}, over all thresholds."
    return Picture(f"{prefix}-roc", svg, f"{caption} {'; '.join(areas)}.", caption)


def _precision(measurement: Measurement, curves: Mapping[str, Curves], prefix: str) -> Picture:
    contents = measurement.contents
    areas = _areas(measurement, curves, "auprc")
    share = contents.unsafe / contents.n
    svg = pictures.precision_recall(areas, share, f"Precision and recall, n = {contents.n}")
    caption = f"Precision and recall of {contents.data}, over all thresholds."
    return Picture(f"{prefix}-precision-recall", svg, f"{caption} {'; '.join(areas)}.", caption)


def slice_picture(
    rows: Sequence[str],
    columns: Mapping[str, Sequence[Figure | None]],
    label: str,
    title: str,
    name: str,
    caption: str,
    chance: float | None,
) -> Picture:
    """One figure of several slices; `chance` is its value without skill."""
    axis = label if chance is None else f"{label}; dotted: chance"
    svg = pictures.dots(rows, columns, axis, title, chance=chance)
    first, figures = next(iter(columns.items()))
    values = ", ".join(
        f"{row.strip()} {number(each.value)}"
        for row, each in zip(rows, figures, strict=True)
        if each
    )
    return Picture(name, svg, f"{title}. {first}: {values}.", caption)


def _reliability(measurement: Measurement, curves: Mapping[str, Curves], prefix: str) -> Picture:
    bins = sorted({count for each in curves.values() for count in each.bin_n})
    held = f"{bins[0]}" if len(bins) == 1 else f"{bins[0]} to {bins[-1]}"
    gaps = ", ".join(
        f"{name} {number(measurement.gauges[name].figures['calibration_error'].value)}"
        for name in curves
    )
    caption = (
        f"Reliability on {measurement.contents.data}: each point holds {held} texts of like "
        "probability; on the diagonal the stated probability is right, below it too high."
    )
    return Picture(
        f"{prefix}-reliability",
        pictures.reliability(curves, f"Reliability, n = {measurement.contents.n}"),
        f"{caption} Mean gap: {gaps}.",
        caption,
    )


def _costs(measurement: Measurement, gauge: str, curves: Curves, name: str) -> Picture:
    threshold = measurement.gauges[gauge].threshold
    scores = measurement.gauges[gauge].figures
    caption = (
        f"Costs that {gauge} gives on {measurement.contents.data}; the outermost bars hold all "
        "that lies beyond."
    )
    rates = ", ".join(
        f"{label} {number(figure.value)}"
        for key, label in (
            ("false_positive_rate", "false alarms"),
            ("false_negative_rate", "misses"),
        )
        if (figure := scores.get(key)) and figure.value is not None
    )
    alt = f"{caption} At the threshold: {rates}." if rates else caption
    return Picture(name, pictures.costs(curves, threshold, f"Costs by {gauge}"), alt, caption)


def _areas(
    measurement: Measurement, curves: Mapping[str, Curves], figure: str
) -> dict[str, Curves]:
    """Curves by name and area below them, as a legend shows them."""
    return {
        f"{name}, area {number(measurement.gauges[name].figures[figure].value)}": each
        for name, each in curves.items()
    }


def _said(row: Headline) -> str:
    """A row of the summary in words."""
    values = [f"{name} {number(each.value)}" for name, each in row.gauges.items() if each]
    best = dict.fromkeys(floor for floor in row.floors.values() if floor)
    floor = [f"best floor {number(value)}" for _, value in best]
    return f"{row.data}: {', '.join([*values, *floor])}."
