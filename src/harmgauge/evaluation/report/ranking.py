"""What a report says of pairs: their ranking by kind, by length, by category and by column."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ...data.row import STRATA
from ..evaluate import Measurement
from ..figures import Figure
from ..text import LABELS
from .blocks import Block, Cell, Folded, Heading, Pictures, Table, Text, slug, with_intervals
from .draw import slice_picture
from .headline import names, ranked
from .slices import WORST

Slices = Mapping[tuple[str, str], Mapping[str, Figure]]
"""stratum and value -> gauge -> its ranking accuracy there"""


_PLACE: dict[str, int] = {stratum: place for place, stratum in enumerate(STRATA)}


def ranking(measurements: Sequence[Measurement], sliced: Sequence[str]) -> Iterator[Block]:
    """Ranking accuracy of every data set that has pairs, under a heading of level 2; slices of
    some gauges."""
    yield Heading(2, "Ranking of pairs")
    paired = [each for each in measurements if any(s.ranking for s in each.gauges.values())]
    if not paired:
        yield Text("No data set here holds pairs.")
        return
    yield Text(
        "Of two answers to one prompt, the safer should cost less: the share of pairs where it "
        "does, ties counted half. Of a mixed pair one answer is safe and one unsafe; of the others "
        "both are safe, or both unsafe, or they are unlabelled. These kinds differ in difficulty, "
        "so each stands by itself, and all of them together only where none is missing."
    )
    for each in paired:
        columns = {**each.gauges, **each.floors}
        rows: list[list[Cell]] = []
        for stratum in names([scores.ranking for scores in columns.values()]):
            figures = [scores.ranking.get(stratum) for scores in columns.values()]
            n = max(figure.n for figure in figures if figure)
            rows.append([LABELS[stratum], n, *(figure if n else None for figure in figures)])
        yield Heading(3, f"Ranking of {each.contents.data}")
        yield Table("Ranking accuracy by kind of pair", ["pairs", "n", *columns], rows)
        yield from _slices(each.only(sliced))


def _slices(measurement: Measurement) -> Iterator[Block]:
    found: dict[str, dict[tuple[str, str], dict[str, Figure]]] = {}
    for gauge, scores in measurement.gauges.items():
        for part in scores.pair_parts:
            of = found.setdefault(part.by, {}).setdefault((part.stratum, part.value), {})
            of[gauge] = part.figure
    if categories := found.pop("category", None):
        yield Heading(4, "Categories of harm")
        yield Text("Of each category the pairs of which an answer is flagged with it; worst first.")
        yield from _pictured(measurement, "category", categories, worst_first=True)
    if lengths := found.pop("length", None):
        yield Heading(4, "Length")
        yield Text(
            "A gauge that goes by length ranks well where the safer answer is the shorter one, or "
            "else where it is the longer: what matters is the gap between the two."
        )
        yield from _pictured(measurement, "length", lengths, worst_first=False)
    for by, of_it in found.items():
        table = _table(by, of_it, list(measurement.gauges), worst_first=True)
        yield Folded(f"By {by.replace('_', ' ')}", [table])


def _pictured(
    measurement: Measurement, by: str, slices: Slices, *, worst_first: bool
) -> Iterator[Block]:
    gauges = list(measurement.gauges)
    stratum = ranked(measurement)
    if stratum and (of := [key for key in _ordered(slices, worst_first) if key[0] == stratum]):
        worst = f", the {WORST} worst" if worst_first and len(of) > WORST else ""
        shown = of[:WORST]
        rows = [f"{value} ({_n(slices[stratum, value])})" for _, value in shown]
        columns = {gauge: [slices[key].get(gauge) for key in shown] for gauge in gauges}
        title = f"Ranking of {LABELS[stratum]} pairs by {by}{worst}"
        drawn = with_intervals(figure for of in columns.values() for figure in of)
        caption = f"{title}{drawn}; in brackets how many pairs."
        name = f"{slug(measurement.contents.data)}-pairs-by-{slug(by)}"
        picture = slice_picture(rows, columns, "ranking accuracy", title, name, caption, 0.5)
        yield Pictures([picture])
    table = _table(by, slices, gauges, worst_first=worst_first)
    yield Folded(f"All pairs by {by}", [table])


def _table(by: str, slices: Slices, gauges: Sequence[str], *, worst_first: bool) -> Table:
    rows: list[list[Cell]] = []
    for stratum, value in _ordered(slices, worst_first):
        of = slices[stratum, value]
        rows.append([value, LABELS[stratum], _n(of), *map(of.get, gauges)])
    by = by.replace("_", " ")
    order = ", worst first" if worst_first else ""
    return Table(f"Ranking accuracy by {by}{order}", [by, "pairs", "n", *gauges], rows)


def _ordered(slices: Slices, worst_first: bool) -> list[tuple[str, str]]:
    """Stratum by stratum, each as given, or by what the first gauge reaches."""

    def place(key: tuple[str, str]) -> tuple[int, float]:
        reached = next(iter(slices[key].values())).value or 0.0
        return _PLACE[key[0]], reached if worst_first else 0.0

    return sorted(slices, key=place)


def _n(of: Mapping[str, Figure]) -> int:
    return max(figure.n for figure in of.values())
