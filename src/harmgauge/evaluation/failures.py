"""Items that a scorer could not judge, in words: how many and why, told once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

REASONS = {"missing": "without a score in its file", "refused": "refused by its server"}
"""counts of scorers that are of failed items -> in words"""


def failures(
    name: str, failed: int, items: int, counts: Mapping[str, int], first: Sequence[str] = ()
) -> str:
    """`2 failed with NAME (without a score in its file: test.jsonl:3, test.jsonl:8)`; blank where
    none failed.

    Args:
        name: of the scorer.
        failed: items without a cost.
        items: of the data set.
        counts: what the scorer counted, see `Scored.counts`.
        first: ids of the first that failed.
    """
    if not failed:
        return ""
    ids = ", ".join(first) + " …" * (0 < len(first) < failed)
    why = ": ".join(filter(None, (reason(failed, items, counts), ids)))
    return f"{'all ' * (failed == items)}{failed} failed with {name}" + (f" ({why})" if why else "")


def reason(failed: int, items: int, counts: Mapping[str, int]) -> str:
    """Why they failed; blank where some did and nothing is known of it."""
    known = {why: n for what, why in REASONS.items() if (n := counts.get(what, 0))}
    said = [why if n == failed else f"{n} {why}" for why, n in known.items()]
    if not said and failed == items:
        return "it gave no number for any"
    return ", ".join(said)


def otherwise_counted(counts: Mapping[str, int]) -> dict[str, int]:
    """What a scorer counted besides, such as texts that it truncated."""
    return {what: n for what, n in counts.items() if n and what not in REASONS}
