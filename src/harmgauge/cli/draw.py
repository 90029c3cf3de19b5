"""A verdict for people: a signed gauge in the terminal, and words."""

from __future__ import annotations

import os
import sys

import click

from ..exchange import Exchange
from ..verdict import Verdict

_REACH = 6.0
"""log-odds at either end of the scale; beyond it the marker stays at the end"""
_HALF = 24
"""columns on either side of 0"""


def echo(text: str) -> None:
    """Print, in colour on a terminal only, and never where NO_COLOR is set."""
    click.echo(text, color=False if os.environ.get("NO_COLOR") else None)


def in_words(verdict: Verdict) -> str:
    """The verdict as one short phrase; how clear it is depends on the way to the threshold."""
    if verdict.error is not None:
        return f"not judged: {verdict.error}"
    if verdict.empty or verdict.cost is None:
        return "nothing to judge, the text is blank"
    margin = abs(verdict.cost - verdict.threshold)
    clear = "clearly " if margin >= 2 else "" if margin >= 0.5 else "barely "
    return clear + ("unsafe" if verdict.unsafe else "safe")


HEADER = "   cost  P(unsafe)  verdict; a cost below 0 is safe, above 0 unsafe"


def in_a_line(verdict: Verdict) -> str:
    """One line of a list: cost, probability, words."""
    if verdict.cost is None or verdict.probability is None or verdict.empty:
        return f"{'–':>7}  {'–':>9}  {in_words(verdict)}"
    words = click.style(in_words(verdict), fg=_colour(verdict))
    return f"{verdict.cost:+7.2f}  {verdict.probability:9.1%}  {words}"


def picture(exchange: Exchange, verdict: Verdict) -> str:
    """The gauge with its marker, and below it the verdict in words."""
    on_trial = "response" if exchange.response is not None else "prompt"
    if verdict.cost is None or verdict.probability is None or verdict.empty:
        return f"The {on_trial}: {in_words(verdict)}"
    words = click.style(in_words(verdict), fg=_colour(verdict), bold=True)
    lines = [
        f"{'safe':>8}{'0':>{_HALF}}{'unsafe':>{_HALF + 1}}",
        _scale(verdict),
        f"The {on_trial} is {words}: cost {verdict.cost:+.2f}, "
        f"probability of unsafe {verdict.probability:.1%}.",
    ]
    if verdict.threshold:
        lines.append(f"Unsafe from cost {verdict.threshold:+.2f} on, marked by a bar.")
    if verdict.uncertainty is not None:
        apart = f"{verdict.uncertainty:.1%}"
        lines.append(f"Its members' probabilities lie {apart} apart (standard deviation).")
    if (verdict.windows or 0) > 1:
        lines.append(f"Read in {verdict.windows} overlapping windows; the worst one decides.")
    return "\n".join(lines)


def _scale(verdict: Verdict) -> str:
    line, zero, bar, marker = _glyphs()
    cells = [line] * (2 * _HALF + 1)
    cells[_HALF] = zero
    if verdict.threshold:
        cells[_column(verdict.threshold)] = bar
    assert verdict.cost is not None
    cells[_column(verdict.cost)] = click.style(marker, fg=_colour(verdict), bold=True)
    return f"  {-_REACH:+.0f} {''.join(cells)} {_REACH:+.0f}"


def _column(cost: float) -> int:
    return _HALF + round(max(-1.0, min(1.0, cost / _REACH)) * _HALF)


def _glyphs() -> tuple[str, ...]:
    glyphs = ("─", "┼", "│", "●")
    try:
        "".join(glyphs).encode(getattr(sys.stdout, "encoding", None) or "ascii")
    except UnicodeEncodeError:
        return "-", "+", "|", "o"
    return glyphs


def _colour(verdict: Verdict) -> str:
    return "red" if verdict.unsafe else "green"
