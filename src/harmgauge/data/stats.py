"""What is in a table: label balance, strata of pairs, lengths."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import DataError, needs_extra
from ..files import whole_file
from .lengths import Measure
from .read import Table
from .row import STRATA, Row

LABELS = ("unsafe", "safe", "unlabelled")


@dataclass(frozen=True, slots=True)
class Lengths:
    """Quantiles of the lengths of exchanges; all 0 where there is none."""

    median: int
    p90: int
    p99: int
    longest: int


@dataclass(frozen=True, slots=True)
class Stats:
    """The facts of one file."""

    file: str
    source: str
    schema: str
    rows: int
    pairs: int
    bad: int
    left_out: int
    labels: Mapping[str, int]
    """items by label; raters' means count as unsafe from 0.5 on"""
    strata: Mapping[str, int]
    """pairs by stratum; every stratum is named, also where it is 0"""
    first_safer: int
    """pairs whose first response is the safer one"""
    longer_safer: int
    """pairs whose longer response (in characters) is the safer one"""
    lengths: Lengths


def stats(file: str, table: Table, measure: Measure) -> tuple[Stats, list[int]]:
    """The facts of a file, and the length of each of its exchanges, in order."""
    pairs = [row for row in table.rows if row.is_pair]
    sizes = [measure.length(item.exchange) for row in table.rows for item in row.items]
    facts = Stats(
        file=file,
        source=table.source,
        schema=table.schema,
        rows=len(table.rows),
        pairs=len(pairs),
        bad=len(table.bad),
        left_out=table.left_out,
        labels=label_balance(table.rows),
        strata={name: sum(row.stratum == name for row in pairs) for name in STRATA},
        first_safer=sum(row.safer == 0 for row in pairs),
        longer_safer=sum(map(_longer_is_safer, pairs)),
        lengths=quantiles(sizes),
    )
    return facts, sizes


def label_balance(rows: Iterable[Row]) -> dict[str, int]:
    """Items by label, in the order of `LABELS`."""
    found = Counter(label_name(item.unsafe) for row in rows for item in row.items)
    return {name: found[name] for name in LABELS}


def label_name(unsafe: float | None) -> str:
    if unsafe is None:
        return "unlabelled"
    return "unsafe" if unsafe >= 0.5 else "safe"


def quantiles(sizes: Sequence[int]) -> Lengths:
    """Nearest-rank quantiles."""
    if not sizes:
        return Lengths(0, 0, 0, 0)
    ordered = sorted(sizes)
    median, p90, p99 = (
        ordered[min(int(q * len(ordered)), len(ordered) - 1)] for q in (0.5, 0.9, 0.99)
    )
    return Lengths(median, p90, p99, ordered[-1])


def _longer_is_safer(row: Row) -> bool:
    if row.safer is None:
        return False
    lengths = [len(item.exchange.on_trial) for item in row.items]
    return lengths[row.safer] > lengths[1 - row.safer]


def format_stats(all_stats: Sequence[Stats], measure: Measure) -> str:
    """A table for the terminal, a line a file and a bar of its labels."""
    width = max(len(facts.file) for facts in all_stats)
    header = f"{'file':<{width}}  {'rows':>6} {'unsafe':>7} {'safe':>7} {'unlab.':>7}  balance     "
    lines = [f"{header}  {'median':>6} {'p90':>5} {'p99':>5} {'max':>6}  pairs by stratum"]
    for facts in all_stats:
        counts = " ".join(f"{facts.labels[name]:>7}" for name in LABELS)
        size = facts.lengths
        strata = ", ".join(f"{name} {count}" for name, count in facts.strata.items())
        lines.append(
            f"{facts.file:<{width}}  {facts.rows:>6} {counts}  {_bar(facts.labels)}"
            f"  {size.median:>6} {size.p90:>5} {size.p99:>5} {size.longest:>6}"
            f"  {strata if facts.pairs else '-'}"
        )
        if facts.pairs:
            known = sum(facts.strata.values())
            lines.append(
                f"{'':<{width}}  of {known} pairs the first response is the safer one in "
                f"{facts.first_safer}, the longer one in {facts.longer_safer}"
            )
    return "\n".join([*lines, f"balance: █ unsafe ░ safe · unlabelled; {measure.note}"])


def _bar(labels: Mapping[str, int], width: int = 12) -> str:
    total = sum(labels.values()) or 1
    unsafe = round(width * labels["unsafe"] / total)
    safe = min(round(width * labels["safe"] / total), width - unsafe)
    return "█" * unsafe + "░" * safe + "·" * (width - unsafe - safe)


def plot(
    all_stats: Sequence[Stats], sizes: Sequence[Sequence[int]], measure: Measure, file: Path
) -> None:
    """Draw label balance and lengths of each file.

    Raises:
        HarmgaugeError: matplotlib is not installed, or knows no such format.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise needs_extra("train", "drawing a picture") from error
    names = [facts.file for facts in all_stats]
    figure = Figure(figsize=(11, 1.6 + 0.32 * len(names)), layout="constrained")
    balance, spread = figure.subplots(1, 2, sharey=True)
    left = [0] * len(names)
    colours = {"unsafe": "#c2410c", "safe": "#0f766e", "unlabelled": "#cbd5e1"}
    for label in LABELS:
        counts = [facts.labels[label] for facts in all_stats]
        balance.barh(names, counts, left=left, label=label, color=colours[label])
        left = [start + count for start, count in zip(left, counts, strict=True)]
    balance.set_xlabel("items")
    balance.invert_yaxis()
    figure.legend(loc="outside upper center", ncols=3, frameon=False)
    # Log scale: a few exchanges are a hundred times as long as most.
    shown = [[max(size, 1) for size in lengths] or [1] for lengths in sizes]
    spread.boxplot(
        shown, orientation="horizontal", positions=range(len(names)), flierprops={"ms": 2}
    )
    spread.set_xscale("log")
    spread.set_xlabel(f"length in {measure.unit}")
    spread.set_yticks(range(len(names)), names)
    if measure.max_tokens:
        spread.axvline(measure.max_tokens, linestyle="--", color="#64748b", linewidth=1)
    form = file.suffix[1:] or "png"
    if form not in figure.canvas.get_supported_filetypes():
        raise DataError(f"{file}: a picture cannot be {form}; name it .png, .svg or .pdf")
    with whole_file(file) as scratch:
        figure.savefig(scratch, dpi=150, format=form)
