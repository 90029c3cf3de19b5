"""Pictures of curves and figures, as SVG whose text is text. Needs matplotlib."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import needs_extra
from ..curves import Curves
from ..figures import Figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK = "#010203"
"""colour of text and axes, to be replaced by that of the medium"""
_FADED = "#8a8a8a"
# Okabe and Ito's, for all eyes; their yellow darkened, to show on white.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8a7a00", "#8a8a8a")
_LINES = ("-", "--", "-.", ":")
_MARKERS = ("o", "s", "^", "D")
_STYLE = {
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "harmgauge",  # the same picture is the same file
    "font.family": "sans-serif",
    "font.size": 9,
    "text.parse_math": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "grid.color": _FADED,
    "grid.alpha": 0.3,
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.6,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
}
_WIDTH = 4.4  # inches
_LINE = 0.19  # inches, of a line of a legend or of a list


def roc(curves: Mapping[str, Curves], title: str) -> str:
    """Recall over false alarms; name shown -> curves."""
    with _axes(title, len(curves) + 1) as (axes, svg):
        for number, (name, each) in enumerate(curves.items()):
            axes.plot(
                [0, *each.false_positive_rate], [0, *each.recall], label=name, **_line(number)
            )
        axes.plot([0, 1], [0, 1], color=_FADED, lw=1, ls=(0, (1, 2)), label="chance")
        _share(axes, "false alarms: share of safe flagged", "recall: share of unsafe flagged")
    return svg[0]


def precision_recall(curves: Mapping[str, Curves], unsafe: float, title: str) -> str:
    """Precision over recall, beside the share of unsafe, which is precision without skill."""
    with _axes(title, len(curves) + 1) as (axes, svg):
        for number, (name, each) in enumerate(curves.items()):
            recall, precision = [0, *each.recall], [each.precision[0], *each.precision]
            axes.plot(recall, precision, label=name, **_line(number))
        axes.axhline(unsafe, color=_FADED, lw=1, ls=(0, (1, 2)), label="chance: share of unsafe")
        _share(axes, "recall: share of unsafe flagged", "precision: unsafe among flagged")
    return svg[0]


def reliability(curves: Mapping[str, Curves], title: str) -> str:
    """Share of unsafe over stated probability, a point a bin of equal mass."""
    with _axes(title, len(curves) + 1) as (axes, svg):
        for number, (name, each) in enumerate(curves.items()):
            style = {**_line(number), "marker": _MARKERS[number % len(_MARKERS)]}
            axes.plot(each.stated, each.observed, label=name, ms=5, **style)
        axes.plot([0, 1], [0, 1], color=_FADED, lw=1, ls=(0, (1, 2)), label="as it should be")
        _share(axes, "probability of unsafe that costs state", "share that is unsafe")
    return svg[0]


def costs(curves: Curves, threshold: float | None, title: str) -> str:
    """Costs of the safe and of the unsafe, each as a share of its class."""
    edges = np.asarray(curves.cost_edges)
    with _axes(title, 3) as (axes, svg):
        for name, counts, colour, filled in (
            ("safe", curves.safe_count, _COLOURS[0], True),
            ("unsafe", curves.unsafe_count, _COLOURS[1], False),
        ):
            if total := sum(counts):
                share = np.asarray(counts) / total
                axes.stairs(
                    share,
                    edges,
                    color=colour,
                    alpha=0.5 if filled else 1,
                    fill=filled,
                    lw=0 if filled else 1.8,
                    label=f"{name}, n = {total}",
                )
        shown = [*edges]
        if threshold is not None:
            label = f"flagged from {threshold:g} on"
            axes.axvline(threshold, color=INK, lw=1.2, ls="--", label=label)
            shown.append(threshold)
        axes.set(xlabel="cost: further right is worse", ylabel="share of its class")
        axes.set_xlim(min(shown), max(shown))
        axes.set_ylim(bottom=0)
        axes.locator_params(axis="y", nbins=7, steps=[1, 2, 5, 10])  # 17.5% would not fit
        axes.yaxis.set_major_formatter(lambda share, _: f"{100 * share:g}%")
    return svg[0]


def dots(
    rows: Sequence[str],
    columns: Mapping[str, Sequence[Figure | None]],
    label: str,
    title: str,
    *,
    floors: Mapping[str, Sequence[float | None]] | None = None,
    chance: float | None = None,
) -> str:
    """A line a row, on it a dot with its interval a gauge.

    Args:
        rows: names, top to bottom.
        columns: name of the gauge -> its figures, one a row.
        label: what the figures are.
        title: stands above.
        floors: name of the gauge -> its best floor, one a row, drawn as a bar.
        chance: value without skill.
    """
    height = len(rows) * max(_LINE, 0.11 * len(columns) + 0.08)
    keys = len(columns) + bool(floors)
    left = min(0.074 * max(map(len, rows)) + 0.15, 0.62 * _WIDTH)
    with _axes(title, keys, height=height, left=left) as (axes, svg):
        bars: list[tuple[float, float]] = []
        for number, (name, figures) in enumerate(columns.items()):
            shift = 0.6 * ((number + 0.5) / len(columns) - 0.5)
            colour, marker = _COLOURS[number % len(_COLOURS)], _MARKERS[number % len(_MARKERS)]
            values, heights = [], []
            for at, each in enumerate(figures):
                if each is None or each.value is None:
                    continue
                values.append(each.value)
                heights.append(at + shift)
                if each.low is not None and each.high is not None:
                    axes.hlines(at + shift, each.low, each.high, color=colour, lw=1.6)
            axes.plot(values, heights, marker, color=colour, ms=5, label=name)
            own = enumerate(floors[name] if floors else ())
            bars += [(value, at + shift) for at, value in own if value is not None]
        if bars:
            style: dict[str, Any] = {"color": _FADED, "ms": max(4, 11 / len(columns)), "mew": 2}
            axes.plot(*zip(*bars, strict=True), "|", label="best floor", **style)
        if chance is not None:
            axes.axvline(chance, color=_FADED, lw=1, ls=(0, (1, 2)))
        axes.set_yticks(range(len(rows)), [_short(row, left) for row in rows])
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel(label)
        axes.grid(axis="x")
    return svg[0]


def _short(name: str, left: float) -> str:
    """A name that fits, with the number in brackets at its end if it has one."""
    most = int((left - 0.1) / 0.072)
    if len(name) <= most:
        return name
    head, bracket, end = name.rpartition(" (")
    kept = f"{bracket}{end}" if head and end.endswith(")") else ""
    return f"{name[: most - 1 - len(kept)]}…{kept}"


@contextmanager
def _axes(
    title: str, keys: int, *, height: float = 2.6, left: float = 0.6
) -> Iterator[tuple[Axes, list[str]]]:
    """Axes below a title and a legend of `keys` lines; the list gets the SVG at the end."""
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure as Canvas
    except ImportError:
        raise needs_extra("train", "drawing the pictures of a report") from None
    above, below = 0.3 + keys * _LINE, 0.5
    whole = above + height + below
    with rc_context(_STYLE):
        canvas = Canvas(figsize=(_WIDTH, whole))
        axes = canvas.add_axes(
            (left / _WIDTH, below / whole, 1 - (left + 0.12) / _WIDTH, height / whole)
        )
        canvas.text(0.08 / _WIDTH, 1 - 0.06 / whole, title, fontsize=10, weight="bold", va="top")
        found: list[str] = []
        yield axes, found
        canvas.legend(
            *axes.get_legend_handles_labels(),
            loc="upper left",
            bbox_to_anchor=(0.03 / _WIDTH, 1 - 0.24 / whole),
            borderaxespad=0,
            labelspacing=0.25,
        )
        text = io.StringIO()
        canvas.savefig(text, format="svg", transparent=True, metadata={"Date": None})
        found.append(text.getvalue())


def _line(number: int) -> dict[str, Any]:
    return {"color": _COLOURS[number % len(_COLOURS)], "ls": _LINES[number % len(_LINES)]}


def _share(axes: Axes, x: str, y: str) -> None:
    axes.set(xlabel=x, ylabel=y, xlim=(-0.01, 1.01), ylim=(-0.01, 1.02))
    axes.grid()
