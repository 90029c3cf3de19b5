"""What a report says, part by part, from the JSON of a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...verdict import DIRECTION
from ..data_set import Contents
from ..evaluate import BAG_OF_WORDS, Measurement, words_floor
from ..failures import otherwise_counted
from ..text import plural
from .blocks import (
    Block,
    Cell,
    Code,
    Document,
    Heading,
    Listing,
    Table,
    Text,
    listed,
    number,
    with_intervals,
)
from .data_set import data_set
from .headline import names
from .ranking import ranking
from .summary import summary

_FLOORS = {
    "all unsafe": "all unsafe flags everything",
    "majority": "majority says of everything what is true of most",
    "length": "length counts characters, in the direction that does better",
    "refusal phrases": "refusal phrases takes for safe what opens with a refusal",
    BAG_OF_WORDS: "bag of words learnt from single words and pairs of words",
}
_FACTS = {
    "id": "id",
    "kind": "kind",
    "licence": "licence of its weights",
    "direction": "direction",
    "scale": "scale of its costs",
    "border": "flags by its own border",
}


MOST_SLICED = 4
"""scorers; of more, slices are shown of the gauges alone"""
_NOT_SLICED = (
    "Of so many scorers, slices and pictures of costs are shown of the gauges alone; the JSON of "
    "the run has those of all."
)


def document(results: Mapping[str, Any], title: str | None = None, intro: str = "") -> Document:
    """The report of a run, see `evaluation.results.to_json`; without a title, under its own.

    Raises:
        HarmgaugeError: matplotlib or PyYAML is not installed.
    """
    measurements = [Measurement.from_dict(each) for each in results["measurements"]]
    gauges: dict[str, dict[str, Any]] = results["gauges"]
    sliced = _sliced(gauges)
    verb = "tells" if len(gauges) == 1 else "tell"
    return Document(
        title or f"How well {listed(gauges)} {verb} safe from unsafe",
        [
            *_measured(results, measurements),
            *_reading(measurements),
            *summary(results, measurements),
            *_errors(gauges, measurements),
            Heading(2, "Data sets, one by one"),
            *([] if len(sliced) == len(gauges) else [Text(_NOT_SLICED)]),
            *(block for each in measurements for block in data_set(each, sliced)),
            *ranking(measurements, sliced),
            *_provenance(results, measurements),
        ],
        intro,
    )


def _sliced(gauges: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Whose slices are shown: with many scorers those of our gauges, if there are any."""
    ours = [name for name, facts in gauges.items() if facts.get("kind") == "gauge"]
    return ours if ours and len(gauges) > MOST_SLICED else list(gauges)


def _measured(results: Mapping[str, Any], measurements: Sequence[Measurement]) -> Iterator[Block]:
    gauges: dict[str, dict[str, Any]] = results["gauges"]
    texts = plural(sum(_n(each) for each in measurements), "labelled text")
    sets = plural(len(measurements), "data set")
    yield Heading(2, "What was measured")
    yield Text(
        "A gauge reads a prompt, a response or both, and gives a cost: one number that says how "
        f"harmful the text on trial is. {listed(gauges)} judged {texts} of {sets}; this report "
        "compares the costs with the labels. It holds no text of any data set."
    )
    known = names(list(gauges.values()))
    rows: list[list[Cell]] = []
    for fact in dict.fromkeys([*(fact for fact in _FACTS if fact in known), *known]):
        if fact == "border":
            rows.append([_FACTS[fact], *map(_border, gauges.values())])
            rows.append(["flags here from", *(_cost(name, measurements) for name in gauges)])
        elif fact != "thresholds":
            said = (_plain(facts.get(fact)) for facts in gauges.values())
            rows.append([_FACTS.get(fact, fact), *said])
    yield Table("The gauges, as they describe themselves", ["", *gauges], rows)


def _reading(measurements: Sequence[Measurement]) -> Iterator[Block]:
    drawn = with_intervals(figure for each in measurements for figure in each.figures)
    floors = names([each.floors for each in measurements])
    yield Heading(2, "How to read it")
    yield Listing(
        [
            "A cost below 0 says safe, above 0 unsafe; the further from 0, the surer or the worse. "
            "Sign accuracy is the share of texts whose cost says what their label says.",
            "AUROC is the chance that an unsafe text costs more than a safe one: 0.5 is a coin, 1 "
            "is perfect, and no threshold is needed. AUPRC is the precision averaged over all "
            "thresholds: without skill it is the share of unsafe texts.",
            "What costs as much as a threshold, or more, is flagged; the border of a scorer whose "
            "scores are no costs is told in its own scores, and as the cost that it is here.",
            "A false alarm (false positive) is a safe text that is flagged, a miss an unsafe one "
            "that passes; where to flag is a choice, so both stand beside the threshold used.",
            "Recall is the share of the unsafe texts that is flagged, precision the share of the "
            "flagged that is unsafe, F1 their harmonic mean. Best F1 is at the threshold that is "
            "best on these very texts, and so it is optimistic.",
            "A cost states a probability of being unsafe. Brier (squared) and calibration error "
            "say how far these are from the labels: 0 is best.",
            "Figures in brackets are a 95 % interval: what would be likely with other prompts of "
            "the same kind; whether one gauge is better than another, harmgauge compare says."
            if drawn
            else "No figure here has an interval, so that any may be chance.",
            f"Floors need no gauge: {'; '.join(_explained(floors))}. A figure means "
            "something as far as it is better than the best of them.",
        ]
    )


def _explained(floors: Sequence[str]) -> list[str]:
    own = [name.removeprefix(words_floor("")) for name in floors if name not in _FLOORS]
    known = [*floors, BAG_OF_WORDS] if own else floors
    said = [_FLOORS[name] for name in dict.fromkeys(known) if name in _FLOORS]
    if own:
        said.append(
            "bag of words: NAME learnt so from the training rows of that gauge, and is a floor of "
            f"that gauge alone, here of {listed(own)}"
        )
    return said


def _errors(
    gauges: Mapping[str, Mapping[str, Any]], measurements: Sequence[Measurement]
) -> Iterator[Block]:
    yield Heading(2, "False alarms and misses")
    yield Text(
        "False alarms are the share of safe texts that are flagged, misses the share of unsafe "
        "ones that are not."
    )
    for gauge, facts in gauges.items():
        scores = {each.contents.data: each.gauges[gauge] for each in measurements if _n(each)}
        borders = {each.threshold for each in scores.values() if each.threshold is not None}
        yield Heading(3, f"Errors of {gauge}")
        if not borders:
            yield Text(f"{gauge} has no threshold, and so neither false alarms nor misses.")
            continue
        named = names([each.thresholds for each in scores.values()])
        own = ", ".join(f"cost {border:g}" for border in sorted(borders))
        stored = facts.get("thresholds") or {}
        ours = facts.get("kind") == "gauge" or facts.get("border") is None
        border = "" if ours else f"; its own border is {_border(facts)}"
        yield Listing(
            [
                f"Its threshold here: flags from {own} on{border}.",
                *(_promise(name, stored.get(name)) for name in named),
            ]
        )
        kinds = {"false_positive_rate": "false alarms", "false_negative_rate": "misses"}
        rows: list[list[Cell]] = [
            [
                data,
                *(
                    at.get(kind)
                    for at in (each.figures, *(each.thresholds.get(name, {}) for name in named))
                    for kind in kinds
                ),
            ]
            for data, each in scores.items()
        ]
        head = [f"{kind} at {at}" for at in (own, *named) for kind in kinds.values()]
        yield Table(f"Errors of {gauge} at each threshold", ["data set", *head], rows)


def _promise(name: str, stored: Mapping[str, Any] | None) -> str:
    if stored is None:
        return f"{name}: a threshold of the gauge."
    return f"{name}: flags from cost {number(stored['cost'])} on; promise: {stored['promise']}."


def _provenance(results: Mapping[str, Any], measurements: Sequence[Measurement]) -> Iterator[Block]:
    yield Heading(2, "Data and provenance")
    yield Text(f"Made by harmgauge {results['code_version']}; the same figures come from:")
    yield Code(results["command"])
    counts = {
        "rows": "rows",
        "bad_rows": "unreadable",
        "left_out": "left out",
        "pairs": "pairs",
        "n": "labelled",
        "unsafe": "unsafe",
        "prompts": "prompts",
        "blank": "blank",
    }
    yield Table(
        "What each file holds; left out are rows that the label map excludes, and repeats",
        ["data set", *counts.values()],
        [
            [each.contents.data, *(getattr(each.contents, key) for key in counts)]
            for each in measurements
        ],
    )
    yield Table(
        "Which files they are",
        ["data set", "read as", "sha256"],
        [_file(each.contents) for each in measurements],
    )
    counted: list[list[Cell]] = [
        [each.contents.data, name, what, n]
        for each in measurements
        for name, scores in each.gauges.items()
        for what, n in otherwise_counted(scores.counts).items()
    ]
    if counted:
        yield Table(
            "What was counted while scoring",
            ["data set", "gauge", "what", "texts"],
            counted,
        )
    if results["bag_of_words"]:
        yield Table(
            "What the floors bag of words learnt from",
            ["floor", "file", "sha256"],
            [
                [words_floor(each["gauge"]), each["data"], each["sha256"] or "not known"]
                for each in results["bag_of_words"]
            ],
        )
    draws = sorted({(each.draws, each.seed) for each in measurements if each.draws})
    if not draws:
        yield Text("No intervals were drawn (--draws 0).")
        return
    stated = ", ".join(f"{count} draws with seed {seed}" for count, seed in draws)
    yield Text(
        "Intervals are of 95 %, from a bootstrap that draws whole prompts, since answers to one "
        f"prompt are not independent: {stated}. Those of means over data sets follow from the "
        "deviations of the sets; a mean has none where one of its sets has none."
    )


def _file(contents: Contents) -> list[Cell]:
    return [contents.data, contents.schema, contents.sha256 or "no file"]


def _n(measurement: Measurement) -> int:
    return measurement.contents.n


def _border(facts: Mapping[str, Any]) -> str:
    """Where a scorer flags by its own default, in its own scores."""
    if "border" not in facts:
        return "not stated"
    if facts["border"] is None:
        return "none"
    what = "cost" if facts.get("kind") == "gauge" else "score"
    sign = ">=" if facts.get("direction") == DIRECTION else "<="
    return f"{what} {sign} {facts['border']:g}"


def _cost(gauge: str, measurements: Sequence[Measurement]) -> str:
    """The same as a cost, or what --threshold said instead."""
    found = {each.gauges[gauge].threshold for each in measurements}
    return listed("no cost" if each is None else f"cost {each:g} on" for each in found)


def _plain(value: Any) -> str:
    if value is None:
        return "not stated"
    return f"{value:g}" if isinstance(value, float) else str(value)
