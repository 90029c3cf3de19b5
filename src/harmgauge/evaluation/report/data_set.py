"""What a report says of one data set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..evaluate import Measurement
from ..figures import Figure
from ..published import caution, our_scope, published
from ..text import LABELS, WRONG_WAY, against, no_intervals, plural
from .abstention import abstention
from .blocks import Block, Cell, Folded, Heading, Listing, Pictures, Table, Text, Warn, listed, slug
from .draw import curve_pictures
from .headline import names
from .slices import IDENTITY, PROBE, slices


def data_set(measurement: Measurement, sliced: Sequence[str]) -> Iterator[Block]:
    """Figures, published figures, pictures and slices, under a heading of level 3.

    Args:
        measurement: of all scorers.
        sliced: those whose slices and pictures of costs are shown.
    """
    contents = measurement.contents
    prefix = slug(contents.data)
    yield Heading(3, contents.data)
    yield Text(_about(measurement))
    for gauge, scores in measurement.gauges.items():
        if scores.upside_down:
            found = against(scores.upside_down, {**scores.figures, **scores.ranking})
            yield Warn(f"{gauge} runs against the labels: {found}; {WRONG_WAY}")
    if not any(scores.figures or scores.ranking for scores in measurement.gauges.values()):
        yield Text("Nothing to measure: it has no labels and no pairs.")
        return
    if any(scores.figures for scores in measurement.gauges.values()):
        yield Heading(4, "Figures")
        yield from _figures(measurement)
        if any(each.thresholds for each in measurement.gauges.values()):
            yield Folded("At each named threshold", [_thresholds(measurement)])
    yield from _published(measurement)
    if drawn := curve_pictures(measurement, prefix, sliced):
        yield Heading(4, "Curves and costs")
        yield Pictures(drawn)
    yield from abstention(measurement.only(sliced), prefix)
    yield from slices(measurement.only(sliced), prefix)


def _about(measurement: Measurement) -> str:
    contents = measurement.contents
    texts, prompts = plural(contents.n, "labelled text"), plural(contents.prompts, "prompt")
    facts = [f"{texts} of {prompts}"]
    if contents.n:
        share = f"{contents.unsafe / contents.n:.1%} of them unsafe"
        facts.append(contents.one_class or share)
    if contents.pairs:
        facts.append(plural(contents.pairs, "pair"))
    if contents.blank:
        facts.append(f"{contents.blank} blank, never flagged")
    stated = measurement.draws == 0 or not measurement.figures  # elsewhere
    why = "" if stated else no_intervals(measurement.draws, measurement.figures)
    intervals = f"no intervals: {why}" if why else ""
    return f"{', '.join(facts)}.{_sentence(intervals)}{_sentence(contents.note)}"


def _sentence(text: str) -> str:
    """A text as a sentence that follows another; blank if it is."""
    return f" {text[0].upper()}{text[1:]}." if text else ""


def _figures(measurement: Measurement) -> Iterator[Block]:
    columns = {**measurement.gauges, **measurement.floors}
    known: list[list[Cell]] = []
    unknown: list[str] = []
    for name in names([each.figures for each in columns.values()]):
        figures = [each.figures.get(name) for each in columns.values()]
        if name in (*PROBE, *IDENTITY):  # these have tables of their own
            continue
        if any(each is not None and each.value is not None for each in figures):
            known.append([LABELS[name], *figures])
        else:
            unknown.append(LABELS[name])
    data, one_class = measurement.contents.data, measurement.contents.one_class
    if known:
        yield Table(f"All figures of {data}; the gauges, then the floors", ["", *columns], known)
    if unknown:
        why = f", since the texts are {one_class}" if one_class else ""
        yield Text(f"Not to be had here{why}: {listed(unknown)}.")


def _thresholds(measurement: Measurement) -> Table:
    gauges = measurement.gauges
    rows: list[list[Cell]] = []
    for at in names([each.thresholds for each in gauges.values()]):
        of = [each.thresholds.get(at, {}) for each in gauges.values()]
        rows += [[f"{at}: {LABELS[name]}", *(each.get(name) for each in of)] for name in names(of)]
    return Table("At each named threshold of a gauge", ["figure", *gauges], rows)


def _published(measurement: Measurement) -> Iterator[Block]:
    contents = measurement.contents
    for name in _published_names(measurement):
        theirs = published(name)
        if not theirs:
            continue
        metrics = dict.fromkeys(each.metric for each in theirs)
        sources = list(dict.fromkeys(each.source for each in theirs))
        guards = len({each.model for each in theirs})
        scope = our_scope(name, contents.n)
        head = ["model", *(LABELS[metric] for metric in metrics), "measured on", "source"]
        rows: list[list[Cell]] = [
            [gauge, *(scores.figures.get(metric) for metric in metrics), f"this run: {scope}", None]
            for gauge, scores in measurement.gauges.items()
        ]
        for each in theirs:
            values = [
                Figure(each.value, each.n or 0) if each.metric == metric else None
                for metric in metrics
            ]
            on = f"{each.scope}; {each.note}" if each.note else each.scope
            rows.append([each.model, *values, on, sources.index(each.source) + 1])
        yield Heading(4, "Beside published figures")
        yield Text(caution(name, contents.n))
        yield Folded(
            f"Published figures of {plural(guards, 'guard')}",
            [
                Table("Ours first, then those that others published, best first", head, rows),
                Listing(
                    [f"Source {number}: {source}." for number, source in enumerate(sources, 1)]
                ),
            ],
        )
        return


def _published_names(measurement: Measurement) -> list[str]:
    """The set in the table of published figures: as stated, or told from folder and file."""
    if stated := measurement.contents.published:
        return [stated]
    folder, _, file = measurement.contents.data.rpartition("/")
    stem = file.partition(".")[0]
    return [folder] if stem == "test" else [f"{folder}_{stem}"]
