"""What the server costs beside the library, and what it bears: throughput, latency, a soak.

    python benchmarks/serve_load.py --data beavertails/test.jsonl --n 192 --json serve.json

Starts `harmgauge serve` on a free loopback port with its defaults. Rounds alternate between
`gauge.score` in this process and the server at saturation, on the same distinct texts, each cut to
one window, so that a busy spell hits both alike; the two never run at the same time. Latency is
taken at half the server's own throughput, of requests that arrive at random (Poisson, seed 0).
Then 16 threads send 250 mixed requests each, none of which may fail; a soak at half load watches
the server's resident memory, from after its first fifth on. No text is printed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import queue
import random
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import psutil
from texts import distinct_texts
from tokenizers import Tokenizer

import harmgauge
from harmgauge.gauges import find

CLIENTS, REQUESTS = 16, 250
_MAIN = "from harmgauge.cli.main import main; main()"


@contextlib.contextmanager
def served(gauge: str | None, threads: int) -> Iterator[tuple[str, psutil.Process]]:
    """The address and process of a server that is ready."""
    named = ["--gauge", gauge] if gauge else []
    command = [sys.executable, "-c", _MAIN, "serve", "--port", "0", "--threads", str(threads)]
    process = subprocess.Popen([*command, *named], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    url = ""
    for line in process.stderr:
        event = json.loads(line)["event"]
        if "running on" in event:
            url = event.split("running on ")[1].split()[0]
            break
    # The log must be read, or the server waits for us.
    threading.Thread(target=lambda: list(process.stderr or ()), daemon=True).start()
    try:
        while httpx.get(f"{url}/readyz").status_code != 200:
            time.sleep(0.05)
        yield url, psutil.Process(process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def on_threads(count: int, jobs: Sequence[Any], work: Callable[[httpx.Client, Any], None]) -> float:
    """Do all jobs, so many at a time; each thread keeps one connection.

    Returns:
        Seconds, from when all clients were made.
    """
    waiting: queue.SimpleQueue[Any] = queue.SimpleQueue()
    for job in jobs:
        waiting.put(job)
    failures: list[Exception] = []
    made = threading.Barrier(count + 1)

    def run() -> None:
        with httpx.Client(timeout=120, verify=False) as client:
            made.wait()
            while not failures:
                try:
                    job = waiting.get_nowait()
                except queue.Empty:
                    return
                try:
                    work(client, job)
                except Exception as error:
                    failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    made.wait()
    start = time.perf_counter()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return time.perf_counter() - start


def score(client: httpx.Client, url: str, texts: Sequence[str]) -> None:
    answer = client.post(f"{url}/v1/score", json={"exchanges": list(texts)})
    answer.raise_for_status()
    assert all(verdict["cost"] is not None for verdict in answer.json()["verdicts"])


def saturate(url: str, texts: Sequence[str], size: int) -> float:
    """Texts a second with 64 texts on their way at a time, `size` a request."""
    jobs = [texts[start : start + size] for start in range(0, len(texts), size)]
    seconds = on_threads(max(1, 64 // size), jobs, lambda client, job: score(client, url, job))
    return len(texts) / seconds


def latencies(url: str, texts: Sequence[str], rate: float, n: int) -> list[float]:
    """Seconds from when a request of one text was due to its answer, at `rate` a second."""
    generator, due, moment = random.Random(0), [], 2.0  # by then clients are made
    for number in range(n):
        moment += generator.expovariate(rate)
        due.append((moment, texts[number % len(texts)]))
    found: list[float] = []
    start = time.perf_counter()

    def work(client: httpx.Client, job: tuple[float, str]) -> None:
        moment, text = job
        time.sleep(max(0.0, start + moment - time.perf_counter()))
        score(client, url, [text])
        found.append(time.perf_counter() - start - moment)

    on_threads(32, due, work)
    return sorted(found)


def mixed(url: str, texts: Sequence[str]) -> int:
    """16 threads send 250 requests of all kinds each; raises where one is not answered well."""

    def work(client: httpx.Client, number: int) -> None:
        text, other = texts[number % len(texts)], texts[(7 * number + 1) % len(texts)]
        path, body = (
            ("score", {"exchanges": [text, {"prompt": text, "response": other}]}),
            ("moderations", {"input": text}),
            ("rank", {"prompt": text, "responses": [other, text]}),
            ("reward", {"query": [text + other], "prompts": [text]}),
            ("score", {"exchanges": ["", [{"role": "user", "content": text}]]}),
        )[number % 5]
        client.post(f"{url}/v1/{path}", json=body).raise_for_status()

    on_threads(CLIENTS, range(CLIENTS * REQUESTS), work)
    return CLIENTS * REQUESTS


def soak(url: str, process: psutil.Process, texts: Sequence[str], rate: float, s: float) -> Any:
    """Resident megabytes after a fifth of the time and at its end, and the growth."""
    settled = latencies(url, texts, rate, max(1, round(rate * s / 5)))
    before = process.memory_info().rss
    latencies(url, texts, rate, max(1, round(rate * s * 4 / 5)))
    after = process.memory_info().rss
    return {
        "seconds": s,
        "requests": round(rate * s),
        "p50_ms": round(1000 * statistics.median(settled), 1),
        "rss_mb": [round(before / 1e6, 1), round(after / 1e6, 1)],
        "growth": round(after / before - 1, 4),
    }


def share(values: Sequence[float], part: float) -> float:
    return values[min(len(values) - 1, int(part * len(values)))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, type=Path, help="file with the texts")
    parser.add_argument("--gauge", help="name or folder of a gauge; the embedded one by default")
    parser.add_argument("--n", type=int, default=192, help="distinct texts")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--request", type=int, default=8, help="texts a request at saturation")
    parser.add_argument("--latency-requests", type=int, default=500)
    parser.add_argument("--soak-s", type=float, default=600)
    parser.add_argument("--json", type=Path, help="write all figures")
    options = parser.parse_args()

    tokenizer = Tokenizer.from_file(str(find(options.gauge) / "tokenizer.json"))
    gauge = harmgauge.load(options.gauge, threads=options.threads)
    texts = distinct_texts(options.data, tokenizer, gauge.manifest.layout.max_tokens, options.n)
    results: dict[str, Any] = {"gauge": gauge.id, "n": len(texts), "threads": options.threads}
    with served(options.gauge, options.threads) as (url, process):
        rates: dict[str, list[float]] = {
            "gauge.score": [],
            "server": [],
            "server, one a request": [],
        }
        for number in range(options.rounds + 1):
            start = time.perf_counter()
            gauge.score(texts, deduplicate=False)
            found = [
                len(texts) / (time.perf_counter() - start),
                saturate(url, texts, options.request),
                saturate(url, texts, 1),
            ]
            if number:  # the first round warms up
                for values, value in zip(rates.values(), found, strict=True):
                    values.append(value)
        results["texts_a_second"] = rates
        medians = {name: statistics.median(values) for name, values in rates.items()}
        for name, median in medians.items():
            ratio = median / medians["gauge.score"]
            span = f"[{min(rates[name]):.1f}, {max(rates[name]):.1f}]"
            print(f"{name:24} {median:8.1f} texts/s {span:18} {ratio:.0%} of gauge.score")

        rate = medians["server, one a request"] / 2
        seconds = latencies(url, texts, rate, options.latency_requests)
        results["latency_ms"] = {
            f"p{100 * part:g}": round(1000 * share(seconds, part), 1) for part in (0.5, 0.95, 0.99)
        } | {"requests_a_second": round(rate, 1), "n": len(seconds)}
        print(f"latency at half load      {results['latency_ms']}")
        results["mixed"] = mixed(url, texts)
        print(f"mixed requests            {results['mixed']}, none failed")
        if options.soak_s:
            results["soak"] = soak(url, process, texts, rate, options.soak_s)
            print(f"soak                      {results['soak']}")
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
