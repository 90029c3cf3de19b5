"""What a report says of leaving the most doubtful texts to people."""

from __future__ import annotations

from collections.abc import Iterator

from ..abstention import UNCERTAINTY, WAYS
from ..evaluate import Measurement
from ..figures import Figure
from ..text import LABELS
from .blocks import Block, Cell, Folded, Heading, Pictures, Table, Text, with_intervals
from .draw import slice_picture

_PICTURED = "sign_accuracy"


def abstention(measurement: Measurement, prefix: str) -> Iterator[Block]:
    """Figures of the rest, and where a gauge says how sure it is, a picture of them."""
    parts = {name: each.abstention for name, each in measurement.gauges.items() if each.abstention}
    if not parts:
        return
    yield Heading(4, "Abstaining")
    yield Text(
        "What is reached on the rest if the texts in doubt go to people: those of which a gauge "
        "says that it is uncertain, those closest to the border, which takes nothing but the cost, "
        "and as a floor as many at random."
    )
    sure = [name for name, each in parts.items() if any(part.by == UNCERTAINTY for part in each)]
    if sure:
        longest = parts[sure[0]]  # has all ways
        columns = {
            name: [_of(measurement, name, part.by, part.value) for part in longest]
            for name in parts
        }
        label = LABELS[_PICTURED]
        drawn = with_intervals(figure for each in columns.values() for figure in each)
        title = f"{label} of the rest"
        yield Pictures(
            [
                slice_picture(
                    [f"{part.value} {WAYS[part.by]}" for part in longest],
                    columns,
                    label,
                    title,
                    f"{prefix}-abstaining",
                    f"{title}{drawn}, by what is left out.",
                    None,
                )
            ]
        )
    for name, each in parts.items():
        figures = list(each[0].figures)
        whole = measurement.gauges[name].figures
        n, unsafe = measurement.contents.n, measurement.contents.unsafe
        rows: list[list[Cell]] = [["nothing", n, unsafe, *(whole.get(each) for each in figures)]]
        rows += [
            [
                f"{part.value} {WAYS[part.by]}",
                part.n,
                part.unsafe,
                *(part.figures[figure] for figure in figures),
            ]
            for part in each
        ]
        head = ["left out", "n", "unsafe", *(LABELS[figure] for figure in figures)]
        title = f"What {name} reaches where it abstains"
        yield Folded(title, [Table(title, head, rows)])


def _of(measurement: Measurement, gauge: str, by: str, value: str) -> Figure | None:
    for part in measurement.gauges[gauge].abstention:
        if (part.by, part.value) == (by, value):
            return part.figures[_PICTURED]
    return None
