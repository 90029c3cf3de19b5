"""Start-up time above bare Python, and peak memory: import, --help, and a first scored text.

    python benchmarks/startup.py [--runs 15] [--gauge NAME …]

Each command runs in a process of its own, all in turn, so that a busy spell hits all alike.
"""

from __future__ import annotations

import argparse
import os
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


def run(code: str) -> tuple[float, float]:
    """Seconds that a process took, and the most megabytes that lay in memory (Linux)."""
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    elapsed = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)  # or it would be waited for again
    if process.returncode:
        raise SystemExit(f"{code} failed")
    return elapsed, usage.ru_maxrss * 1024 / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--gauge", nargs="*", default=[], help="score with these gauges as well")
    given = parser.parse_args()
    runs = given.runs
    commands = COMMANDS | {f"score, {gauge}": WITH.format(gauge) for gauge in given.gauge}
    times: dict[str, list[float]] = {name: [] for name in commands}
    memory: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(runs + 1):
        for name, code in commands.items():
            elapsed, megabytes = run(code)
            if number:  # the first round only warms the file cache
                times[name].append(elapsed)
                memory[name].append(megabytes)
    bare = statistics.median(times["bare python"])
    print(f"median of {runs} runs [fastest, slowest], seconds; above bare Python; MB at most")
    for name, values in times.items():
        median = statistics.median(values)
        span = f"[{min(values):.3f}, {max(values):.3f}]"
        most = statistics.median(memory[name])
        print(f"{name:22} {median:.3f} {span}  +{median - bare:.3f}  {most:.0f}")


if __name__ == "__main__":
    main()
