"""Whether b is no worse than a, for pipelines that replace one gauge by another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .compare import Comparison
from .failures import failures
from .figures import LOWER_IS_BETTER


@dataclass(frozen=True, slots=True)
class NoWorse:
    """Non-inferiority: b must be shown to lose at most a margin, and not merely seem to.

    The whole 95 % interval of the difference must lie at or above `-margin` (of a figure where
    lower is better, at or below `margin`), which errs in 2.5 % of cases. Since every data set must
    pass, several of them need no adjustment (Berger, 1982).
    """

    figure: str
    margin: float

    def failures(self, comparisons: Sequence[Comparison], a: str, b: str) -> Iterator[str]:
        """A sentence for each data set on which it is not shown; one if none has the figure. Texts
        on which b failed speak against it: it may have failed on those that it would get wrong."""
        judged = [each for each in comparisons if not _all_failed(each)]
        for each in comparisons:
            if each not in judged:
                yield f"{each.contents.data}: {_failed(each, a, b)}, so nothing is shown"
            elif each.failed_b:
                lost = failures(b, each.failed_b, each.contents.items, each.counts_b)
                yield f"{each.contents.data}: {lost}, so nothing is shown of these texts"
        known = [each for each in judged if each.get(self.figure)]
        if judged and not known:
            yield f"no data set has {self.figure}, so {b} is not shown to be no worse than {a}"
        for each in known:
            if sentence := self._failure(each, a, b):
                yield sentence

    def unchecked(self, comparisons: Sequence[Comparison]) -> list[str]:
        """Data sets that cannot give the figure, such as an AUROC where one class is missing."""
        return [
            each.contents.data
            for each in comparisons
            if not each.get(self.figure) and not _all_failed(each)
        ]

    def _failure(self, comparison: Comparison, a: str, b: str) -> str | None:
        found = comparison.get(self.figure)
        assert found is not None
        value, low, high = (getattr(found.difference, name) for name in ("value", "low", "high"))
        data = comparison.contents.data
        if low is None:
            return (
                f"{data}: {self.figure} of {b} less that of {a} is {value:+.4f} without an "
                "interval, so nothing is shown; it takes two prompts and draws"
            )
        worst = high if self.figure in LOWER_IS_BETTER else -low
        if worst <= self.margin + 1e-9:  # of rounding
            return None
        return (
            f"{data}: {self.figure} of {b} less that of {a} is {value:+.4f} "
            f"[{low:+.4f}, {high:+.4f}]; {b} may be worse by {worst:.4f}, more than "
            f"{self.margin:g}"
        )


def _all_failed(comparison: Comparison) -> bool:
    return 0 < comparison.left_out == comparison.contents.items


def _failed(comparison: Comparison, a: str, b: str) -> str:
    items = comparison.contents.items
    sides = (
        (a, comparison.failed_a, comparison.counts_a),
        (b, comparison.failed_b, comparison.counts_b),
    )
    told = [failures(name, failed, items, counts) for name, failed, counts in sides if failed]
    return f"none of its {items} texts was judged by both, {' and '.join(told)}"
