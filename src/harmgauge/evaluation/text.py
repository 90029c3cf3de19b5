"""Measurements as text for people at a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from .abstention import UNCERTAINTY, WAYS
from .data_set import Contents
from .evaluate import Measurement
from .failures import failures, otherwise_counted
from .figures import Figure
from .measure import PairPart, Part, Scores
from .results import averages

LABELS = {
    "sign_accuracy": "sign accuracy",
    "auroc": "AUROC",
    "auprc": "AUPRC",
    "f1": "F1 of unsafe",
    "precision": "precision",
    "recall": "recall",
    "false_positive_rate": "false positives",
    "false_negative_rate": "misses",
    "best_f1": "best F1 (optimistic)",
    "brier": "Brier",
    "calibration_error": "calibration error",
    "severity_spearman": "severity, Spearman",
    "graded_pairs": "severity, pairs in order",
    "recall_plain": "probe: recall as it is",
    "recall_behind_refusal": "probe: recall behind a refusal",
    "recall_lost": "probe: recall lost",
    "identity_cost_gap": "identity gap, cost",
    "identity_recall_gap": "identity gap, recall",
    "identity_false_positive_gap": "identity gap, false positives",
    "cost_above_mean": "cost above the mean",
    "auroc_against_others": "AUROC against all others",
    "auroc_against_safe": "AUROC against the safe",
    "mixed": "mixed",
    "both_unsafe": "both unsafe",
    "both_safe": "both safe",
    "unlabelled": "unlabelled",
    "overall": "all strata",
}
KIND_LABELS = {
    "prompt": "prompts, mean AUROC",
    "response": "responses, mean AUROC",
    "exchange": "exchanges, mean AUROC",
    "pair": "pairs, mean ranking accuracy",
    "all": "all sets, mean AUROC",
}


def block(
    measurement: Measurement, *, parts: bool = False, borders: Mapping[str, str] | None = None
) -> str:
    """One data set: a line a figure, a column a gauge, then the floors.

    Args:
        measurement: what was found.
        parts: with slices.
        borders: gauge -> what to say beside the cost from which on it flags.
    """
    contents = measurement.contents
    heading = _heading(measurement, borders or {})
    if not contents.n and not contents.pairs:
        remedy = "nothing to measure: no labels and no pairs; state a label with --label 0 or 1"
        return "\n".join([*heading, f"  {remedy}"])
    columns = {**measurement.gauges, **measurement.floors}
    table = [["", *columns]]
    for name in _names(scores.figures for scores in columns.values()):
        table.append([LABELS[name], *(cell(each.figures.get(name)) for each in columns.values())])
    for name in _names(scores.thresholds for scores in measurement.gauges.values()):
        table += _threshold(name, columns)
    ranking = _names(scores.ranking for scores in columns.values())
    if ranking:
        table.append(["ranking accuracy by stratum", *("" for _ in columns)])
    for name in ranking:
        figures = [each.ranking.get(name) for each in columns.values()]
        n = max(figure.n for figure in figures if figure)
        table.append([f"  {LABELS[name]} (n={n})", *map(cell, figures)])
    lines = [*heading, *aligned(table)]
    for gauge, scores in measurement.gauges.items():
        if scores.upside_down:
            found = against(scores.upside_down, {**scores.figures, **scores.ranking})
            lines.append(f"  !! {gauge} RUNS AGAINST THE LABELS: {found}; {WRONG_WAY}")
        lines += _categories(gauge, scores.categories)
        if parts or any(part.by == UNCERTAINTY for part in scores.abstention):
            lines += _abstention(gauge, scores.abstention)
        lines += _identities(gauge, scores.identities, whole=parts)
        if parts:
            lines += _parts(gauge, scores.parts)
            lines += _pair_parts(gauge, scores.pair_parts)
    return "\n".join(lines)


WRONG_WAY = "is its direction, or the label map, the wrong way round?"


def against(names: Sequence[str], figures: Mapping[str, Figure]) -> str:
    """The figures of these names, which run against the labels, in words."""
    return " and ".join(
        f"{'' if name == 'auroc' else 'ranking of pairs, '}{LABELS[name]} {cell(figures[name])}"
        for name in names
    )


def summary(measurements: Sequence[Measurement]) -> str:
    """Averages over the sets of each kind; empty with fewer than two sets."""
    gauges = list(dict.fromkeys(name for each in measurements for name in each.gauges))
    by_gauge = {name: averages(measurements, name) for name in gauges}
    kinds = [kind for kind in KIND_LABELS if any(kind in each for each in by_gauge.values())]
    if len(measurements) < 2 or not kinds:
        return ""
    table = [["averages over sets", *gauges]]
    for kind in kinds:
        figures = [by_gauge[name].get(kind) for name in gauges]
        n = max(figure.n for figure in figures if figure)
        table.append([f"{KIND_LABELS[kind]} (sets={n})", *map(cell, figures)])
    return "\n".join(aligned(table))


def _threshold(name: str, columns: Mapping[str, Scores]) -> list[list[str]]:
    each = [scores.thresholds.get(name, {}) for scores in columns.values()]
    return [
        [f"{LABELS[figure]} at {name}", *(cell(figures.get(figure)) for figures in each)]
        for figure in ("f1", "recall", "false_positive_rate")
    ]


def _heading(measurement: Measurement, borders: Mapping[str, str]) -> list[str]:
    contents = measurement.contents
    facts = counts(contents)
    for name, scores in measurement.gauges.items():
        if failed := failures(
            name, scores.failed, contents.items, scores.counts, scores.first_failed
        ):
            facts.append(f"{failed}, left out")
        facts += [f"{n} {what} with {name}" for what, n in otherwise_counted(scores.counts).items()]
    if contents.n and contents.one_class:
        facts.append(f"no AUROC: {contents.one_class}")
    flags = [
        f"{name} flags at cost >= {scores.threshold:g}"
        + (f" ({borders[name]})" if name in borders else "")
        for name, scores in measurement.gauges.items()
        if scores.threshold is not None
    ]
    short = contents.sha256[:12] if contents.sha256 else "none"
    return [
        contents.data,
        "  " + " · ".join(facts),
        f"  {_intervals(measurement)} · file sha256 {short}",
        *(["  " + " · ".join(flags)] if flags else []),
        *unreadable(contents),
        *([f"  {contents.note}"] if contents.note else []),
    ]


def _intervals(measurement: Measurement) -> str:
    if why := no_intervals(measurement.draws, measurement.figures):
        return f"no intervals: {why}"
    return f"95 % intervals: {measurement.draws} draws of prompts, seed {measurement.seed}"


def no_intervals(draws: int, figures: Iterable[Figure]) -> str:
    """Why no figure of a data set has an interval; blank if one has."""
    if draws == 0:
        return "--draws is 0"
    if any(each.low is not None for each in figures):
        return ""
    return "they take two prompts with something to measure"


def counts(contents: Contents) -> list[str]:
    """What a data set holds, in words."""
    facts = [plural(contents.rows, "row"), f"{contents.bad_rows} bad"]
    if contents.left_out:
        facts.append(f"{contents.left_out} left out or repeats")
    if contents.pairs:
        facts.append(plural(contents.pairs, "pair"))
    facts.append(f"n={contents.n} labelled")
    if contents.n:
        facts.append(f"{contents.unsafe / contents.n:.1%} unsafe")
    if contents.n < contents.items:
        facts.append(f"{contents.items - contents.n} without label")
    facts.append(plural(contents.prompts, "prompt"))
    if contents.blank:
        facts.append(f"{contents.blank} blank, never flagged")
    return facts


def unreadable(contents: Contents) -> list[str]:
    """A line for each of the first rows that could not be read, and one for the others."""
    lines = [f"  not read: {each}" for each in contents.first_bad]
    if more := contents.bad_rows - len(lines):
        lines.append(f"  not read: {plural(more, 'row')} more; harmgauge data check tells of all")
    return lines


def _parts(gauge: str, parts: Sequence[Part]) -> list[str]:
    if not parts:
        return []
    names = ("auroc", "recall", "false_positive_rate")
    table = [[f"{gauge}, by slice", "n", "unsafe", *(LABELS[name] for name in names)]]
    for part in parts:
        cells = [cell(part.figures.get(name)) for name in names]
        table.append([f"  {part.by}: {part.value}", str(part.n), str(part.unsafe), *cells])
    return aligned(table)


def _categories(gauge: str, parts: Sequence[Part]) -> list[str]:
    if not parts:
        return []
    names = list(parts[0].figures)
    table = [[f"{gauge}, its categories", "flagged", *(LABELS[name] for name in names), ""]]
    for part in parts:
        figures = [part.figures[name] for name in names]
        why = next((figure.reason for figure in figures if figure.reason), None) or ""
        table.append([f"  {part.value}", str(part.unsafe), *map(cell, figures), why])
    return aligned(table)


def _abstention(gauge: str, parts: Sequence[Part]) -> list[str]:
    if not parts:
        return []
    names = list(parts[0].figures)
    table = [[f"{gauge}, the rest without", "n", *(LABELS[name] for name in names)]]
    for part in parts:
        cells = [cell(part.figures[name]) for name in names]
        table.append([f"  {part.value} {WAYS[part.by]}", str(part.n), *cells])
    return aligned(table)


def _identities(gauge: str, parts: Sequence[Part], *, whole: bool) -> list[str]:
    """All groups in a table, or of each figure the two that are farthest apart."""
    if not parts:
        return []
    names = list(parts[0].figures)
    if whole:
        table = [[f"{gauge}, by group", "n", "unsafe", *(LABELS[name] for name in names)]]
        for part in parts:
            cells = [cell(part.figures[name]) for name in names]
            table.append([f"  {part.value}", str(part.n), str(part.unsafe), *cells])
        return aligned(table)
    table = [[f"{gauge}, groups farthest apart", "lowest", "", "highest", ""]]
    for name in names:
        known = [part for part in parts if part.figures[name].value is not None]
        if ends := sorted(known, key=lambda part: part.figures[name].value or 0.0):
            low, high = ((each.value, cell(each.figures[name])) for each in (ends[0], ends[-1]))
            table.append([f"  {LABELS[name]}", *low, *high])
    return aligned(table)


def _pair_parts(gauge: str, parts: Sequence[PairPart]) -> list[str]:
    if not parts:
        return []
    table = [[f"{gauge}, pairs by slice", "stratum", "n", "ranking accuracy"]]
    for part in parts:
        stratum, figure = LABELS[part.stratum], part.figure
        table.append([f"  {part.by}: {part.value}", stratum, str(figure.n), cell(figure)])
    return aligned(table)


def _names(each: Iterable[Iterable[str]]) -> list[str]:
    return list(dict.fromkeys(name for names in each for name in names))


def cell(figure: Figure | None) -> str:
    """A figure and its interval, to three places; `-` where the data cannot give it."""
    if figure is None:
        return ""
    if figure.value is None or figure.low is None or figure.high is None:
        return number(figure.value)
    return f"{number(figure.value)} [{number(figure.low)}, {number(figure.high)}]"


def plural(n: int, noun: str) -> str:
    """`1 prompt`, `2 prompts`."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def aligned(table: Sequence[Sequence[str]]) -> list[str]:
    """Rows of a table as indented lines, their columns as wide as the widest cell."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [
        "  "
        + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    ]
