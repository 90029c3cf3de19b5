"""Comparisons as text for people at a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from .bootstrap import Bootstrap
from .compare import Comparison
from .compare_results import adjusted, averages, beside
from .disagreements import Turns
from .failures import failures, otherwise_counted
from .figures import Figure
from .paired import Difference
from .text import (
    KIND_LABELS,
    LABELS,
    WRONG_WAY,
    against,
    aligned,
    cell,
    counts,
    no_intervals,
    number,
    unreadable,
)


def block(
    comparison: Comparison,
    a: str,
    b: str,
    bootstrap: Bootstrap,
    *,
    figure: str = "auroc",
    parts: bool = False,
) -> str:
    """One data set: a line a figure; slices if asked for; the items that differ most.

    Args:
        comparison: what was found.
        a: name of the first scorer.
        b: name of the second.
        bootstrap: how it was drawn.
        figure: the one to show of slices.
        parts: with slices.
    """
    contents = comparison.contents
    lines = list(_heading(comparison, a, b, bootstrap))
    if not contents.n and not contents.pairs:
        lines.append("  nothing to compare: no labels and no pairs; state a label with --label")
    columns = [a, b, f"{b} less {a}", "p"]
    table = [["", *columns]]
    table += [[LABELS[name], *_cells(each)] for name, each in comparison.figures.items()]
    if comparison.ranking:
        table.append(["ranking accuracy by stratum", "", "", "", ""])
    for name, each in comparison.ranking.items():
        table.append([f"  {LABELS[name]} (n={each.difference.n})", *_cells(each)])
    if len(table) > 1:
        lines += aligned(table)
    every = {**comparison.figures, **comparison.ranking}
    for name, side, turned in (
        (a, "a", comparison.upside_down_a),
        (b, "b", comparison.upside_down_b),
    ):
        if turned:
            said = against(turned, {each: getattr(every[each], side) for each in turned})
            lines.append(f"  !! {name} RUNS AGAINST THE LABELS: {said}; {WRONG_WAY}")
    if parts:
        table = [[f"{LABELS[figure]} by slice", "n", "unsafe", *columns]]
        for part in comparison.parts:
            if found := part.figures.get(figure):
                what = f"  {part.by}: {part.value}"
                table.append([what, str(part.n), str(part.unsafe), *_cells(found)])
        lines += aligned(table) if len(table) > 1 else []
        lines += _pair_parts(comparison, figure, columns)
    if comparison.disagreements:
        lines += aligned(list(_farthest(comparison, a, b)))
    return "\n".join(lines)


def summary(comparisons: Sequence[Comparison], a: str, b: str, figure: str = "auroc") -> str:
    """One figure over the data sets, with adjusted p values, and means; empty with under two."""
    if len(comparisons) < 2:
        return ""
    p = adjusted(comparisons, figure)
    table = [[LABELS[figure], a, b, f"{b} less {a}", "p", "p adjusted"]]
    for each in comparisons:
        if found := each.get(figure):
            data = each.contents.data
            table.append([data, *_cells(found), _p(p.get(data))])
    lines = aligned(table) if len(table) > 1 else []
    rows = [
        [f"{_kind(kind, figure)} (sets={mean.n})", _signed(mean)]
        for kind, mean in averages(comparisons, figure).items()
    ]
    if rows:
        lines += aligned([["averages over sets", f"{b} less {a}"], *rows])
    return "\n".join(lines)


def _kind(kind: str, figure: str) -> str:
    """What a mean is of, in words."""
    if kind == "pair" and figure != "auroc":
        return f"{KIND_LABELS[kind]}, {LABELS[figure]}"
    return KIND_LABELS[kind].replace("AUROC", LABELS[figure])


def with_texts(comparison: Comparison, turns: Mapping[str, Turns]) -> str:
    """The texts of the items that differ most; for the eyes of those who asked for them.

    Args:
        comparison: what was found.
        turns: row id -> role and text of each turn.
    """
    lines = []
    for row in comparison.disagreements:
        lines.append(f"  {row.id}")
        for role, text in turns[row.id]:
            shown = "".join(map(_printable, text)).replace("\n", "\n      ")
            lines.append(f"    {role}: {shown}")
    return "\n".join(lines)


def _printable(character: str) -> str:
    """The character itself, unless a terminal would obey it."""
    if character.isprintable() or character == "\n":
        return character
    return character.encode("unicode_escape").decode()


def _heading(comparison: Comparison, a: str, b: str, bootstrap: Bootstrap) -> Iterator[str]:
    contents = comparison.contents
    facts = counts(contents)
    for name, failed, counted in (
        (a, comparison.failed_a, comparison.counts_a),
        (b, comparison.failed_b, comparison.counts_b),
    ):
        if lost := failures(name, failed, contents.items, counted):
            facts.append(lost)
        facts += [f"{n} {what} with {name}" for what, n in otherwise_counted(counted).items()]
    if comparison.left_out:
        facts.append(f"{comparison.left_out} so left out for both")
    if contents.n and contents.one_class:
        facts.append(f"no AUROC: {contents.one_class}")
    short = contents.sha256[:12] if contents.sha256 else "none"
    yield contents.data
    yield "  " + " · ".join(facts)
    yield f"  {_drawn(comparison, bootstrap)} · file sha256 {short}"
    yield from unreadable(contents)
    if contents.note:
        yield f"  {contents.note}"


def _pair_parts(comparison: Comparison, figure: str, columns: Sequence[str]) -> list[str]:
    table = [["ranking accuracy by slice", "stratum", "n", *columns]]
    for part in comparison.pair_parts:
        if part.stratum in beside(figure):
            what = [f"  {part.by}: {part.value}", LABELS[part.stratum]]
            table.append([*what, str(part.figure.difference.n), *_cells(part.figure)])
    return aligned(table) if len(table) > 1 else []


def _drawn(comparison: Comparison, bootstrap: Bootstrap) -> str:
    """What intervals and p values are from, or why there are none."""
    found = [*comparison.figures.values(), *comparison.ranking.values()]
    if why := no_intervals(bootstrap.draws, (each.difference for each in found)):
        return f"no intervals and no p: {why}"
    return (
        f"95 % intervals: {bootstrap.draws} paired draws of prompts · p: as many swaps of whole "
        f"prompts · seed {bootstrap.seed}"
    )


def _farthest(comparison: Comparison, a: str, b: str) -> Iterator[list[str]]:
    yield ["farthest apart", "label", f"cost {a}", f"cost {b}", f"rank {a}", f"rank {b}"]
    words = {True: "unsafe", False: "safe", None: ""}
    for row in comparison.disagreements:
        costs = f"{row.cost_a:+.3f}", f"{row.cost_b:+.3f}"
        ranks = f"{row.rank_a:.1%}", f"{row.rank_b:.1%}"
        yield [f"  {row.id}", words[row.unsafe], *costs, *ranks]


def _cells(found: Difference) -> list[str]:
    return [cell(found.a), cell(found.b), _signed(found.difference), _p(found.p)]


def _signed(figure: Figure) -> str:
    if figure.value is None:
        return "-"
    if figure.low is None or figure.high is None:
        return f"{figure.value:+.3f}"
    return f"{figure.value:+.3f} [{figure.low:+.3f}, {figure.high:+.3f}]"


def _p(p: float | None) -> str:
    return "" if p is None else f"{p:.2g}" if p < 0.001 else number(p)
