"""What a report says first: warnings, means over data sets, one figure a data set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..data_set import KINDS
from ..evaluate import Measurement
from ..failures import reason
from ..figures import Figure
from ..text import KIND_LABELS, WRONG_WAY, against
from .best import best
from .blocks import Block, Cell, Heading, Listing, Pictures, Table, Text, Warn, listed, number
from .draw import summary_pictures
from .findings import findings
from .headline import Headline, headlines

_KINDS = {
    "prompt": "Prompts: is asking or saying this harmful?",
    "response": "Responses: is this answer harmful?",
    "exchange": "Exchanges: is the answer harmful, in the light of its prompt?",
    "pair": "Pairs: which of two answers is the safer?",
}


def summary(results: Mapping[str, Any], measurements: Sequence[Measurement]) -> Iterator[Block]:
    """The summary of a run, see `evaluation.results.to_json`."""
    gauges = list(results["gauges"])
    yield Heading(2, "Summary")
    yield from _warnings(results, measurements)
    each = [headline for measurement in measurements for headline in headlines(measurement)]
    averages: dict[str, dict[str, dict[str, Any]]] = results["averages"]
    known = [kind for kind in KIND_LABELS if any(kind in each for each in averages.values())]
    means = {
        kind: {name: Figure(**averages[name][kind]) for name in gauges if kind in averages[name]}
        for kind in known
    }
    if said := [*best(means, each), *findings(gauges, measurements, each)]:
        yield Listing(said)
    if known:
        rows: list[list[Cell]] = [
            [KIND_LABELS[kind], max(each.n for each in of.values()), *map(of.get, gauges)]
            for kind, of in means.items()
        ]
        yield Table(
            "Plain means over data sets; sets of one class have no AUROC and are not in them",
            ["", "sets", *gauges],
            rows,
        )
    if pictures := summary_pictures(each):
        yield Pictures(pictures)
    for kind in KINDS:
        if of_kind := [headline for headline in each if headline.kind == kind]:
            yield Heading(3, _KINDS[kind])
            yield _headline_table(of_kind, gauges)
    if any(measurement.contents.one_class for measurement in measurements):
        yield Text(
            "A set of one class has no AUROC. It is won by flagging nothing, or everything, so "
            "its figure counts only together with those of sets that hold both classes."
        )


def _warnings(results: Mapping[str, Any], measurements: Sequence[Measurement]) -> Iterator[Block]:
    for name in results["gauges"]:
        turned = [
            f"{each.contents.data} ({against(of.upside_down, {**of.figures, **of.ranking})})"
            for each in measurements
            if (of := each.gauges[name]).upside_down
        ]
        if turned:
            yield Warn(f"{name} runs against the labels of {listed(turned)}; {WRONG_WAY}")
        lost = [each for each in measurements if each.gauges[name].failed]
        if lost:
            counts = ", ".join(_lost(each, name) for each in lost)
            yield Warn(
                f"{name} could not judge all texts; these are in none of its figures: {counts}."
            )
    if bad := {
        each.contents.data: each.contents.bad_rows
        for each in measurements
        if each.contents.bad_rows
    }:
        counts = ", ".join(f"{n} of {data}" for data, n in bad.items())
        yield Warn(f"Rows that could not be read and are in no figure: {counts}.")
    if results["missing"]:
        yield Warn(
            "Data sets of the suite that were not there, and so were not measured: "
            f"{', '.join(results['missing'])}."
        )


def _lost(measurement: Measurement, gauge: str) -> str:
    scores, contents = measurement.gauges[gauge], measurement.contents
    why = reason(scores.failed, contents.items, scores.counts)
    share = "all " * (scores.failed == contents.items)
    return f"{share}{scores.failed} of {contents.data}" + (f" ({why})" if why else "")


def _headline_table(rows: Sequence[Headline], gauges: Sequence[str]) -> Table:
    return Table(
        "A figure for each data set, beside the best of the floors; n texts or pairs",
        ["data set", "figure", "n", "unsafe", *gauges, "best floor"],
        [
            [
                each.data,
                each.label,
                each.n,
                each.unsafe,
                *(each.gauges[gauge] for gauge in gauges),
                "; ".join(_best_floors(each)),
            ]
            for each in rows
        ],
    )


def _best_floors(headline: Headline) -> list[str]:
    """The best floor of each gauge; most often all have the same one."""
    found = dict.fromkeys(floor for floor in headline.floors.values() if floor)
    return [f"{number(value)} ({name})" for name, value in found]
