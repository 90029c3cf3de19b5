"""What others published for well-known guards on public sets, kept apart from what we measured."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

from ..errors import needs_extra

Metric = Literal["f1", "sign_accuracy", "false_positive_rate"]
_METRICS: tuple[Metric, ...] = get_args(Metric)
TABLE = Path(__file__).with_name("published.yaml")


@dataclass(frozen=True, slots=True)
class Published:
    """One figure, as a fraction; unsafe is the positive class."""

    model: str
    set: str
    metric: Metric
    """named as our own figures are"""
    value: float
    source: str
    """paper or report, and where in it"""
    mark: str
    """V: read in the source itself; S: known from its makers' word alone"""
    n: int | None
    """size of the whole set on which it was published; None where that is not stated"""
    in_distribution: bool | None
    """True: trained on that set's training part or its like; None: not known"""
    note: str

    @property
    def scope(self) -> str:
        """On what it was measured, to be written beside it."""
        whole = "sample size not stated" if self.n is None else f"whole set, n = {self.n}"
        return f"{whole}, in-distribution" if self.in_distribution else whole


def published(set_name: str) -> list[Published]:
    """Figures for a set such as `beavertails`, best first; empty where none are known.

    Raises:
        HarmgaugeError: PyYAML is not installed.
    """
    return sorted(
        (each for each in _figures() if each.set == set_name),
        key=lambda each: each.value if each.metric == "false_positive_rate" else -each.value,
    )


def published_sets() -> list[str]:
    """Names of the sets of which figures are known.

    Raises:
        HarmgaugeError: PyYAML is not installed.
    """
    return list(_table()["sets"])


def caution(set_name: str, n: int) -> str:
    """What has to stand beside published figures that are shown with our own on `n` items; blank
    where there are none.

    Raises:
        HarmgaugeError: PyYAML is not installed.
    """
    known = _table()["sets"].get(set_name)
    if known is None:
        return ""
    whole = known.get("n")
    note = known["note"][:1].upper() + known["note"][1:]
    on = "" if whole is None else f" on the whole set (n = {whole})"
    ours = f"ours are on {our_scope(set_name, n)}"
    return (
        f"{known['title']}: figures of other guards are as published{on}, {ours}; "
        f"read them side by side, not as a ranking. {note}."
    )


def our_scope(set_name: str, n: int) -> str:
    """Beside `Published.scope`: what our own figures on `n` items of a known set are on."""
    known = _table()["sets"][set_name]
    whole = known.get("n")
    if not known.get("same", True):
        return f"other texts (n = {n})"
    if whole is None:
        return f"n = {n}"
    return f"the visible part of it (n = {n})" if n < whole else "the same texts"


@cache
def _table() -> dict[str, Any]:
    try:
        import yaml
    except ImportError:
        raise needs_extra("train", "the table of published figures") from None
    table: dict[str, Any] = yaml.safe_load(TABLE.read_text(encoding="utf-8"))
    return table


@cache
def _figures() -> tuple[Published, ...]:
    table = _table()
    return tuple(
        Published(
            model=entry["model"],
            set=name,
            metric=metric,
            value=value,
            source="{cite}, {where}".format(**table["sources"][entry["source"]]),
            mark=table["sources"][entry["source"]]["mark"],
            n=table["sets"][name].get("n"),
            in_distribution=True if name in entry.get("in_distribution", ()) else None,
            note=entry.get("note", ""),
        )
        for entry in table["figures"]
        for metric in _METRICS
        for name, value in entry.get(metric, {}).items()
    )
