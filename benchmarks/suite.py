"""What measuring costs above scoring: a suite against `gauge.score` on the same texts.

    python benchmarks/suite.py FOLDER [--suite standard] [--threads 1]

Scores all texts of the suite once with nothing around it, then runs the suite from an empty cache,
then again from a full one. Aims: at most 1.3 times the scoring and two minutes; under 5 seconds.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from harmgauge import load
from harmgauge.evaluation.suite import read_suite

LAUNCH = "from harmgauge.cli.main import main; main()"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--suite", default="standard")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--cache", type=Path, help="an empty folder to keep what was scored in")
    options = parser.parse_args()
    if options.cache and options.cache.is_dir() and any(options.cache.iterdir()):
        parser.error(f"{options.cache} is not empty, so the first run would not be a first one")
    gauge = load(threads=options.threads)
    sets = read_suite(options.suite, options.folder).sets
    exchanges = [exchange for data in sets for exchange in data.sample.exchanges]
    start = time.perf_counter()
    gauge.score(exchanges)
    scoring = time.perf_counter() - start
    print(f"{gauge.name}, {len(exchanges)} texts of {len(sets)} sets, {options.threads} threads")
    print(f"gauge.score: {scoring:.1f} s")
    with tempfile.TemporaryDirectory() as scratch:
        cache = options.cache or Path(scratch)
        for run in ("empty cache", "second run"):
            seconds = suite_seconds(options, cache)
            print(f"suite, {run}: {seconds:.1f} s, {seconds / scoring:.2f} of the scoring")


def suite_seconds(options: argparse.Namespace, cache: Path) -> float:
    command = ["evaluate", "--suite", options.suite, "--data-root", str(options.folder)]
    command += ["--threads", str(options.threads)]
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", LAUNCH, *command],
        check=True,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "HARMGAUGE_CACHE": str(cache)},
    )
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
