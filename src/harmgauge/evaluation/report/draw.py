"""Which pictures a report has, and what each is to show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..curves import Curves
from ..evaluate import Measurement
from ..measure import Figure
from . import pictures
from .blocks import Picture, number
from .headline import Headline


def summary_pictures(rows: Sequence[Headline]) -> list[Picture]:
    """AUROC and ranking accuracy of all data sets at a glance."""
    found = []
    for name, label, paired in (
        ("auroc", "AUROC", False),
        ("ranking", "ranking accuracy", True),
    ):
        of = [each for each in rows if (each.kind == "pair" if paired else each.label == "AUROC")]
        if not of:
            continue
        gauges = {gauge: [each.gauges[gauge] for each in of] for gauge in of[0].gauges}
        svg = pictures.dots(
            [each.data for each in of],
            gauges,
            f"{label}; dotted: chance",
            f"{label} of each data set",
            floors=[each.floor[1] if each.floor else None for each in of],
            chance=0.5,
        )
        caption = f"{label} with 95 % intervals, and the best floor of each set."
        found.append(Picture(f"summary-{name}", svg, f"{caption} {_said(of)}", caption))
    return found


def curve_pictures(measurement: Measurement, prefix: str) -> list[Picture]:
    """ROC, precision-recall, reliability, and the costs of safe and unsafe."""
    data, n = measurement.contents.data, measurement.contents.n
    curves = {name: each.curves for name, each in measurement.gauges.items() if each.curves}
    found = []
    if not measurement.contents.one_class:
        share = measurement.contents.unsafe / n
        for kind, title, svg in (
            (
                "auroc",
                "ROC",
                pictures.roc(_labelled(measurement, curves, "auroc"), f"ROC, n = {n}"),
            ),
            (
                "auprc",
                "Precision and recall",
                pictures.precision_recall(
                    _labelled(measurement, curves, "auprc"), share, f"Precision-recall, n = {n}"
                ),
            ),
        ):
            area = _values(measurement, curves, kind)
            caption = f"{title} of {data}, over all thresholds."
            found.append(
                Picture(f"{prefix}-{_FILES[kind]}", svg, f"{caption} Area: {area}.", caption)
            )
    if stated := {name: each for name, each in curves.items() if each.bin_n}:
        found.append(_reliability(measurement, stated, prefix))
    for number_, (name, each) in enumerate(curves.items(), 1):
        found.append(_costs(measurement, name, each, f"{prefix}-costs-{number_}"))
    return found


_FILES = {"auroc": "roc", "auprc": "precision-recall"}


def slice_picture(
    rows: Sequence[str],
    columns: Mapping[str, Sequence[Figure | None]],
    label: str,
    title: str,
    name: str,
    caption: str,
) -> Picture:
    """One figure of several slices."""
    chance = 0.5 if label == "AUROC" else None
    svg = pictures.dots(rows, columns, label, title, chance=chance)
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
    gaps = _values(measurement, curves, "calibration_error")
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


def _labelled(
    measurement: Measurement, curves: Mapping[str, Curves], figure: str
) -> dict[str, Curves]:
    """Curves by name and area, as a legend shows them."""
    areas = {name: measurement.gauges[name].figures[figure].value for name in curves}
    return {f"{name}, area {number(areas[name])}": each for name, each in curves.items()}


def _values(measurement: Measurement, names: Mapping[str, object], figure: str) -> str:
    return ", ".join(
        f"{name} {number(measurement.gauges[name].figures[figure].value)}" for name in names
    )


def _said(rows: Sequence[Headline]) -> str:
    return " ".join(
        f"{each.data}: "
        + ", ".join(
            f"{name} {number(figure.value)}" for name, figure in each.gauges.items() if figure
        )
        + (f"; {each.floor[0]} {number(each.floor[1])}." if each.floor else ".")
        for each in rows
    )
