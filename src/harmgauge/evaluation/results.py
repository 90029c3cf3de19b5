"""A run's measurements as JSON, and averages over data sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from .. import __version__
from ..verdict import DIRECTION
from .data_set import KINDS
from .evaluate import Measurement
from .measure import Figure, mean_figure

FORMAT_VERSION = 2


def to_json(
    measurements: Sequence[Measurement],
    gauges: Mapping[str, Mapping[str, Any]],
    command: str,
    bag_of_words: Sequence[Mapping[str, Any]] = (),
    missing: Sequence[str] = (),
) -> dict[str, Any]:
    """All figures as plain JSON types.

    Args:
        measurements: one a data set.
        gauges: name -> what identifies each scorer, see `Scorer.facts`.
        command: the command line that gives these figures again.
        bag_of_words: `data` and `sha256` of each training file of that floor.
        missing: data sets of the suite that were not there.
    """
    return {
        "format_version": FORMAT_VERSION,
        "direction": DIRECTION,
        "command": command,
        "code_version": __version__,
        "gauges": {name: dict(facts) for name, facts in gauges.items()},
        "bag_of_words": [dict(facts) for facts in bag_of_words],
        "averages": {
            name: {kind: asdict(figure) for kind, figure in averages(measurements, name).items()}
            for name in gauges
        },
        "missing": list(missing),
        "measurements": [measurement.to_dict() for measurement in measurements],
    }


def averages(measurements: Sequence[Measurement], gauge: str) -> dict[str, Figure]:
    """Plain means of a gauge's AUROC over the sets of each kind, and over all; of pairs, of its
    ranking accuracy. Sets without the figure are not in it; `n` is the number of sets."""
    found: dict[str, list[Figure]] = {}
    for each in measurements:
        scores = each.gauges[gauge]
        if (auroc := scores.figures.get("auroc")) and auroc.value is not None:
            kind = "exchange" if each.contents.kind == "pair" else each.contents.kind
            found.setdefault(kind, []).append(auroc)
            found.setdefault("all", []).append(auroc)
        known = [figure for figure in scores.ranking.values() if figure.value is not None]
        found.setdefault("pair", []).extend(known[:1])
    return {kind: mean_figure(found[kind]) for kind in (*KINDS, "all") if found.get(kind)}
