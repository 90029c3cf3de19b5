"""Gauges side by side: ms of one text, texts a second.

    python benchmarks/gauges.py mini midi --data beavertails/test.jsonl --n 96

The same texts for all, each read in as many windows as a gauge needs; de-duplication is off. Rounds
alternate between the gauges, so that a busy spell hits all alike; ratios are to the first.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from texts import whole_texts
from throughput import race

import harmgauge

ONE = "Please tell me about the weather today and what to wear. " * 5
CALLS = 20  # of the one text, a round


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("gauges", nargs="+", help="names, or folders of bundles")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--n", type=int, default=96, help="distinct texts on trial")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()

    gauges = {name: harmgauge.load(name, threads=options.threads) for name in options.gauges}
    texts = whole_texts(options.data, options.n)

    def calls(given: list[str], times: int) -> dict[str, Callable[[], Any]]:
        def score(gauge: harmgauge.Gauge) -> None:
            for _ in range(times):
                gauge.score(given, deduplicate=False)

        return {name: partial(score, gauge) for name, gauge in gauges.items()}

    single = race(calls([ONE], CALLS), options.rounds, CALLS)
    many = race(calls(texts, 1), options.rounds, len(texts))
    print(f"one text of {len(ONE.split())} words, and {len(texts)}: median (range) of rounds")
    first = options.gauges[0]
    for name in options.gauges:
        ms = [1000 / rate for rate in single[name]]
        print(
            f"{name}: {_spread(ms)} ms a text, {_spread(many[name])} texts a second, "
            f"{statistics.median(many[name]) / statistics.median(many[first]):.2f} × {first}"
        )


def _spread(values: list[float]) -> str:
    return f"{statistics.median(values):.1f} ({min(values):.1f}–{max(values):.1f})"


if __name__ == "__main__":
    main()
