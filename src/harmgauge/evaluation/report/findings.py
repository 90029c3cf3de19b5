"""What a report's figures come to, in a sentence or two a gauge."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ..evaluate import Measurement
from ..text import plural
from .blocks import listed
from .headline import Headline

_FEW = 3
"""data sets named where a gauge does worst"""
_AT_LEAST = 20
"""texts of a class without which a rate on a set says too little to name it"""


def findings(
    gauges: Sequence[str], measurements: Sequence[Measurement], headlines: Sequence[Headline]
) -> Iterator[str]:
    """Of each gauge: where it is better than what needs no gauge, and where it errs most."""
    for gauge in gauges:
        sentences = [
            *_over_floors(gauge, headlines),
            *_worst(measurements, gauge, "false_positive_rate", "flags safe texts"),
            *_worst(measurements, gauge, "false_negative_rate", "misses unsafe texts"),
        ]
        if sentences:
            yield f"{gauge} {'. It '.join(sentences)}."


def _over_floors(gauge: str, headlines: Sequence[Headline]) -> Iterator[str]:
    """On how many sets with both classes, or pairs, the whole interval is over the floor."""
    compared: dict[str, bool] = {}
    for each in headlines:
        figure, floor = each.gauges.get(gauge), each.floors.get(gauge)
        if each.unsafe in (0, 1) or floor is None or figure is None or figure.low is None:
            continue
        name = f"{each.data} ({each.label})" if each.data in compared else each.data
        compared[name] = figure.low > floor[1]
    if not compared:
        return
    over = [name for name in compared if compared[name]]
    short = [name for name in compared if not compared[name]]
    # The shorter list says the same, and is read.
    which, names = ("not on", short) if len(short) < len(over) else ("only on", over)
    yield (
        f"is better than the best of its floors, interval and all, in {len(over)} of "
        f"{plural(len(compared), 'comparison')} of AUROC or ranking"
        + (f" ({which} {listed(names)})" if short and over else "")
    )


def _worst(
    measurements: Sequence[Measurement], gauge: str, figure: str, errs: str
) -> Iterator[str]:
    rates: Mapping[str, float] = {
        each.contents.data: found.value
        for each in measurements
        if (found := each.gauges[gauge].figures.get(figure)) and found.value is not None
        if _of_class(each, figure) >= _AT_LEAST
    }
    worst = sorted((name for name in rates if rates[name]), key=lambda name: -rates[name])[:_FEW]
    if worst:
        where = listed([f"{name} ({rates[name]:.0%})" for name in worst])
        yield f"{errs} {'most often ' * (len(rates) > 1)}on {where}"


def _of_class(measurement: Measurement, figure: str) -> int:
    """Texts that a rate is a share of."""
    contents = measurement.contents
    safe = contents.n - contents.unsafe
    return safe if figure == "false_positive_rate" else contents.unsafe
