"""A run's comparisons as JSON, averages over data sets, and p values adjusted for their number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from .bootstrap import Bootstrap
from .compare import RANKING, Comparison
from .disagreements import Turns
from .figures import Figure
from .paired import holm
from .results import header, means


def to_json(
    comparisons: Sequence[Comparison],
    gauges: Mapping[str, Mapping[str, Any]],
    command: str,
    bootstrap: Bootstrap,
    figure: str,
    *,
    turns: Mapping[str, Mapping[str, Turns]] | None = None,
    missing: Sequence[str] = (),
) -> dict[str, Any]:
    """All figures as plain JSON types.

    Args:
        comparisons: one a data set.
        gauges: names of a and b -> what identifies each, see `Scorer.facts`.
        command: the command line that gives these figures again.
        bootstrap: how it was drawn.
        figure: the one to average and to adjust.
        turns: data set -> row id -> texts of the items that differ most; None keeps them out.
        missing: data sets of the suite that were not there.
    """
    a, b = gauges
    each = [comparison.to_dict() for comparison in comparisons]
    if turns is not None:
        for comparison in each:
            said = turns[comparison["contents"]["data"]]
            for row in comparison["disagreements"]:
                row["turns"] = [{"role": role, "content": text} for role, text in said[row["id"]]]
    return {
        **header(gauges, command),
        "a": a,
        "b": b,
        **asdict(bootstrap),
        "figure": figure,
        "averages": {kind: asdict(mean) for kind, mean in averages(comparisons, figure).items()},
        "adjusted_p": adjusted(comparisons, figure),
        "missing": list(missing),
        "comparisons": each,
    }


def averages(comparisons: Sequence[Comparison], figure: str) -> dict[str, Figure]:
    """Plain means of the difference over the sets of each kind, as `results.means` takes them;
    pairs beside the AUROC, or where the figure is a stratum."""
    return means(
        (
            each.contents.kind,
            each.figures[figure].difference if figure in each.figures else None,
            {
                name: each.ranking[name].difference
                for name in beside(figure)
                if name in each.ranking
            },
        )
        for each in comparisons
    )


def beside(figure: str) -> tuple[str, ...]:
    """The strata that are shown where a figure is: itself, if it is one; all beside the AUROC."""
    return (figure,) if figure in RANKING else RANKING if figure == "auroc" else ()


def adjusted(comparisons: Sequence[Comparison], figure: str) -> dict[str, float]:
    """Holm's p values of one figure over the data sets that have it, by the names of these."""
    found = [(each.contents.data, each.get(figure)) for each in comparisons]
    p = {data: each.p for data, each in found if each is not None and each.p is not None}
    return dict(zip(p, holm(list(p.values())), strict=True))
