"""A run's measurements as JSON, and averages over data sets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from .. import __version__
from ..verdict import DIRECTION
from .data_set import KINDS, Kind
from .evaluate import Measurement
from .figures import Figure, Figures, mean_figure

FORMAT_VERSION = 5


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
        bag_of_words: `gauge`, `data` and `sha256` of each training file of these floors; of that
            of all gauges, the gauge is None.
        missing: data sets of the suite that were not there.
    """
    return {
        **header(gauges, command),
        "bag_of_words": [dict(facts) for facts in bag_of_words],
        "averages": {
            name: {kind: asdict(figure) for kind, figure in averages(measurements, name).items()}
            for name in gauges
        },
        "missing": list(missing),
        "measurements": [measurement.to_dict() for measurement in measurements],
    }


def header(gauges: Mapping[str, Mapping[str, Any]], command: str) -> dict[str, Any]:
    """What every file of results begins with; arguments as for `to_json`."""
    return {
        "format_version": FORMAT_VERSION,
        "direction": DIRECTION,
        "command": command,
        "code_version": __version__,
        "gauges": {name: dict(facts) for name, facts in gauges.items()},
    }


def averages(measurements: Sequence[Measurement], gauge: str) -> dict[str, Figure]:
    """Averages of what a gauge reaches, see `means`."""
    found = means(
        (each.contents.kind, each.gauges[gauge].figures.get("auroc"), each.gauges[gauge].ranking)
        for each in measurements
    )
    # A normal interval knows no bounds; shares have them.
    return {
        kind: replace(
            mean,
            low=None if mean.low is None else max(mean.low, 0.0),
            high=None if mean.high is None else min(mean.high, 1.0),
        )
        for kind, mean in found.items()
    }


def means(sets: Iterable[tuple[Kind, Figure | None, Figures]]) -> dict[str, Figure]:
    """Plain means over the sets of each kind, and over all; of pairs, of their ranking.

    Args:
        sets: of each set its kind, its figure (such as its AUROC) and its ranking by stratum, of
            which the first that is known counts.

    Returns:
        kind -> mean, whose `n` is the number of sets; those without the figure are not in it.
    """
    found: dict[str, list[Figure]] = {}
    for set_kind, figure, ranking in sets:
        if figure is not None and figure.value is not None:
            kind = "exchange" if set_kind == "pair" else set_kind
            found.setdefault(kind, []).append(figure)
            found.setdefault("all", []).append(figure)
        known = [each for each in ranking.values() if each.value is not None]
        found.setdefault("pair", []).extend(known[:1])
    return {kind: mean_figure(found[kind]) for kind in (*KINDS, "all") if found.get(kind)}
