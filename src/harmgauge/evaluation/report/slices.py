"""What a report says of parts of a data set: categories, lengths, refusals, groups, columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ..evaluate import Measurement
from ..figures import Figure
from ..measure import Part
from ..probe import MOST
from ..refusals import REFUSAL
from ..text import LABELS, plural
from .blocks import Block, Cell, Folded, Heading, Pictures, Table, Text, slug, with_intervals
from .draw import slice_picture

PROBE = ("recall_plain", "recall_behind_refusal", "recall_lost")
IDENTITY = ("identity_cost_gap", "identity_recall_gap", "identity_false_positive_gap")
WORST = 12
"""slices that a picture shows"""
_IN_TABLES = ("auroc", "sign_accuracy", "recall", "false_positive_rate")
Slices = Mapping[str, Mapping[str, Part]]
"""value -> gauge -> its figures there"""


def slices(measurement: Measurement, prefix: str) -> Iterator[Block]:
    """All that is known of parts; names of pictures start with `prefix`."""
    found: dict[str, dict[str, dict[str, Part]]] = {}
    for gauge, scores in measurement.gauges.items():
        for part in scores.parts:
            found.setdefault(part.by, {}).setdefault(part.value, {})[gauge] = part
    gauges = list(measurement.gauges)
    if categories := found.pop("category", None):
        yield Heading(4, "Categories of harm")
        yield Text(
            "Of each category its unsafe texts, against all safe ones; worst first. AUROC and "
            "recall say how well they are found."
        )
        yield from _pictured("category", categories, gauges, prefix, worst_first=True)
    for gauge, scores in measurement.gauges.items():
        if scores.categories:
            yield _told_apart(gauge, scores.categories)
    if lengths := found.pop("length", None):
        yield Heading(4, "Length")
        yield Text("A gauge that judges by length does worse within a band than over all of them.")
        yield from _pictured("length", lengths, gauges, prefix, worst_first=False)
    openings = found.pop("opening", None)
    probes = {name: each.figures for name, each in measurement.gauges.items()}
    if openings or any(name in each for each in probes.values() for name in PROBE):
        yield Heading(4, "Refusals")
        yield from _refusals(openings, probes, gauges)
    if any(name in each for each in probes.values() for name in IDENTITY):
        yield Heading(4, "Identity gaps")
        yield from _identity(measurement, found, gauges, prefix)
    for by, of in found.items():
        yield Folded(f"By {by.replace('_', ' ')}", [_slice_table(by, of, gauges, worst_first=True)])


def _told_apart(gauge: str, parts: Sequence[Part]) -> Table:
    names = list(parts[0].figures)
    rows: list[list[Cell]] = []
    for part in parts:
        figures = [part.figures[name] for name in names]
        why = next((figure.reason for figure in figures if figure.reason), None)
        rows.append([part.value, part.unsafe, *figures, why])
    return Table(
        f"Categories as {gauge} gives them: texts flagged with each, against all others and "
        "against the safe",
        ["category", "flagged", *(LABELS[name] for name in names), "why not"],
        rows,
    )


def _refusals(
    openings: Slices | None, probes: Mapping[str, Mapping[str, Figure]], gauges: Sequence[str]
) -> Iterator[Block]:
    yield Text(
        "In many sets safe answers open with a refusal and unsafe ones do not, so that a gauge may "
        "learn the opening and not the harm."
    )
    if openings:
        yield _slice_table("opening", openings, gauges, worst_first=False)
    known = [name for name in PROBE if any(name in each for each in probes.values())]
    if known:
        n = max(each[name].n for each in probes.values() for name in known if name in each)
        yield Text(
            f"At most {MOST} unsafe answers were judged again with “{REFUSAL}” put before them: "
            "the harm is the same, so recall should not fall."
        )
        yield Table(
            f"Recall of {plural(n, 'unsafe answer')}, as they are and behind a refusal",
            ["", *gauges],
            [
                [LABELS[name].removeprefix("probe: "), *(probes[each].get(name) for each in gauges)]
                for name in known
            ],
        )


def _identity(
    measurement: Measurement,
    found: dict[str, dict[str, dict[str, Part]]],
    gauges: Sequence[str],
    prefix: str,
) -> Iterator[Block]:
    yield Text(
        "Texts that are alike, word for word, but for the group they speak of should be judged "
        "alike: the largest difference between two groups, 0 being none."
    )
    rows: list[list[Cell]] = []
    for name in IDENTITY:
        figures = [measurement.gauges[gauge].figures.get(name) for gauge in gauges]
        n = max((figure.n for figure in figures if figure), default=0)
        rows.append([LABELS[name].removeprefix("identity gap, "), n, *figures])
    yield Table("Identity gaps over paired texts", ["gap in", "texts", *gauges], rows)
    for gauge in gauges:
        if parts := measurement.gauges[gauge].identities:
            yield Folded(f"Each group, by {gauge}", [_groups(parts)])
    column = measurement.contents.identity
    if column and (groups := found.pop(column, None)):
        yield from _pictured(column, groups, gauges, prefix, worst_first=True)


def _groups(parts: Sequence[Part]) -> Table:
    names = list(parts[0].figures)
    rows: list[list[Cell]] = [
        [part.value, part.n, part.unsafe, *(part.figures[name] for name in names)] for part in parts
    ]
    return Table(
        "Each group in the same texts; cost above the mean of all groups",
        ["group", "n", "unsafe", *(LABELS[name] for name in names)],
        rows,
    )


def _pictured(
    by: str, slices: Slices, gauges: Sequence[str], prefix: str, *, worst_first: bool
) -> Iterator[Block]:
    figure = _compared(slices)
    shown = [
        value
        for value in _ordered(slices, figure, worst_first)
        if any(_value(part, figure) is not None for part in slices[value].values())
    ][:WORST]
    by = by.replace("_", " ")
    if shown and figure:
        columns = {
            gauge: [
                part.figures.get(figure) if (part := slices[value].get(gauge)) else None
                for value in shown
            ]
            for gauge in gauges
        }
        rows = [f"{value.strip()} ({_counted(by, slices[value])})" for value in shown]
        worst = f", the {WORST} worst" if worst_first and len(slices) > WORST else ""
        title = f"{LABELS[figure]} by {by}{worst}"
        drawn = with_intervals(figure for of in columns.values() for figure in of)
        caption = f"{title}{drawn}; in brackets how many texts are unsafe."
        name = f"{prefix}-by-{slug(by)}"
        chance = 0.5 if figure == "auroc" else None
        picture = slice_picture(rows, columns, LABELS[figure], title, name, caption, chance)
        yield Pictures([picture])
    table = _slice_table(by, slices, gauges, worst_first=worst_first)
    yield Folded(f"All figures by {by}", [table])


def _slice_table(by: str, slices: Slices, gauges: Sequence[str], *, worst_first: bool) -> Table:
    compared = _compared(slices)
    present = [
        name
        for name in _IN_TABLES
        if (name == compared or name != "sign_accuracy")
        and any(_value(part, name) is not None for of in slices.values() for part in of.values())
    ]
    rows: list[list[Cell]] = []
    for value in _ordered(slices, compared, worst_first):
        part = next(iter(slices[value].values()))
        cells = [
            each.figures.get(name) if (each := slices[value].get(gauge)) else None
            for name in present
            for gauge in gauges
        ]
        rows.append([value.strip(), part.n, part.unsafe, *cells])
    many = len(gauges) > 1
    head = [
        f"{LABELS[name]}, {gauge}" if many else LABELS[name] for name in present for gauge in gauges
    ]
    order = ", worst first" if worst_first else ""
    by = by.replace("_", " ")
    return Table(f"By {by}{order}", [by, "n", "unsafe", *head], rows)


def _compared(slices: Slices) -> str | None:
    """The figure by which slices are set side by side: AUROC if most have it."""
    parts = [part for of in slices.values() for part in of.values()]
    for name in ("auroc", "sign_accuracy"):
        if 2 * sum(_value(part, name) is not None for part in parts) > len(parts):
            return name
    return None


def _ordered(slices: Slices, figure: str | None, worst_first: bool) -> list[str]:
    """As given, or by what the first gauge reaches."""
    if not worst_first or figure is None:
        return list(slices)

    def reached(value: str) -> float:
        known = _value(next(iter(slices[value].values())), figure)
        return 2.0 if known is None else known

    return sorted(slices, key=reached)


def _value(part: Part, figure: str | None) -> float | None:
    known = part.figures.get(figure or "")
    return known.value if known else None


def _counted(by: str, of: Mapping[str, Part]) -> str:
    """Of a category its own texts; it is measured against all that are safe."""
    part = next(iter(of.values()))
    return str(part.unsafe) if by == "category" else f"{part.unsafe} of {part.n}"
