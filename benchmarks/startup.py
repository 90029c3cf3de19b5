"""Start-up time above bare Python: import, --help, and a first scored text.

    python benchmarks/startup.py [--runs 15] [--gauge NAME …]

Each command runs in a process of its own, all in turn, so that a busy spell hits all alike.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time

LAUNCH = "import sys; from harmgauge.cli.main import main; sys.argv = ['harmgauge', {}]; main()"
COMMANDS = {
    "bare python": "pass",
    "import harmgauge": "import harmgauge",
    "harmgauge --help": LAUNCH.format("'--help'"),
    'harmgauge score "hi"': LAUNCH.format("'score', 'hi'"),
}
WITH = LAUNCH.format("'score', 'hi', '--gauge', {!r}")


def seconds(code: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--gauge", nargs="*", default=[], help="score with these gauges as well")
    given = parser.parse_args()
    runs = given.runs
    commands = COMMANDS | {f"score, {gauge}": WITH.format(gauge) for gauge in given.gauge}
    times: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(runs + 1):
        for name, code in commands.items():
            elapsed = seconds(code)
            if number:  # the first round only warms the file cache
                times[name].append(elapsed)
    bare = statistics.median(times["bare python"])
    print(f"median of {runs} runs [fastest, slowest], seconds; then above bare Python")
    for name, values in times.items():
        median = statistics.median(values)
        span = f"[{min(values):.3f}, {max(values):.3f}]"
        print(f"{name:22} {median:.3f} {span}  +{median - bare:.3f}")


if __name__ == "__main__":
    main()
