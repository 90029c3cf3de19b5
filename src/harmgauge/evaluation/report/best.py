"""Which scorer is best at what, in a sentence a kind of text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ..figures import Figure
from ..text import KIND_LABELS, plural
from .blocks import interval, listed, number
from .headline import Headline


def best(means: Mapping[str, Mapping[str, Figure]], headlines: Sequence[Headline]) -> Iterator[str]:
    """Of each kind the scorer of the highest mean, who may equal it, and who is better on a set.

    Args:
        means: kind -> scorer -> its mean over the sets of that kind.
        headlines: figures of each data set.
    """
    single = [kind for kind in means if kind not in ("pair", "all")]
    for kind, of in means.items():
        if kind == "all" and len(single) < 2:  # it says the same again
            continue
        values = {name: each.value for name, each in of.items() if each.value is not None}
        if len(values) < 2:
            continue
        leader = max(values, key=lambda name: values[name])
        rest = {name: of[name] for name in values if name != leader}
        label = KIND_LABELS[kind]
        yield (
            f"{label[0].upper()}{label[1:]} of {plural(of[leader].n, 'set')}: {leader} is best, "
            f"{_said(of[leader])}{_beside(of[leader], rest)}{_beaten(leader, kind, headlines)}."
        )


def _beside(best: Figure, rest: Mapping[str, Figure]) -> str:
    """Whether the intervals of the others tell them from the best one."""
    if best.low is None or any(each.high is None for each in rest.values()):
        return "; without intervals this may be chance"
    equal = [f"{name} ({_said(each)})" for name, each in rest.items() if _reaches(each, best)]
    if not equal:
        return ", its interval above those of all others"
    return f", but its interval does not tell it from {listed(equal)}"


def _reaches(figure: Figure, best: Figure) -> bool:
    return figure.high is not None and best.low is not None and figure.high >= best.low


def _beaten(leader: str, kind: str, headlines: Sequence[Headline]) -> str:
    """The sets of the kind where the whole interval of another lies above that of the best one."""
    found = []
    for each in headlines:
        mine = each.gauges.get(leader)
        if each.kind != kind or each.unsafe in (0, 1) or mine is None or mine.high is None:
            continue
        better = {
            name: figure
            for name, figure in each.gauges.items()
            if figure is not None and figure.low is not None and figure.low > mine.high
        }
        if better:
            whose = listed(f"{name} ({_said(figure)})" for name, figure in better.items())
            found.append(f"{whose} on {each.data} ({_said(mine)})")
    return f"; better than it, interval against interval, is {listed(found)}" if found else ""


def _said(figure: Figure) -> str:
    return f"{number(figure.value)} {interval(figure)}".strip()
