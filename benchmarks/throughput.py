"""Texts a second: gauge.score against transformers' text-classification pipeline.

    harmgauge export --to transformers FOLDER
    python benchmarks/throughput.py --transformers FOLDER --data beavertails/test.jsonl

Same model, same distinct texts, same truncation (texts are cut beforehand to one window, so that
neither side reads more), de-duplication off, batches of 32 in the pipeline, given the texts as
they come and sorted by length. Rounds alternate between the sides, so that a busy spell hits all
alike. That both sides give the same costs is asserted first.

--runtimes also compares ONNX Runtime, torch and, where it is installed, OpenVINO on the padded
batches that gauge.score makes.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from texts import distinct_texts
from tokenizers import Tokenizer
from transformers import AutoModelForSequenceClassification, pipeline

import harmgauge
import harmgauge.integrations.transformers  # registers the class with AutoModel
from harmgauge.gauges import find
from harmgauge.runtime import load_runtime
from harmgauge.runtime.batches import batches, pad
from harmgauge.windows import Windower

BATCH = 32

Side = Callable[[], Any]


def scoring_sides(gauge: harmgauge.Gauge, folder: str, texts: list[str]) -> dict[str, Side]:
    """The gauge and the pipeline, each as a call that scores all texts."""
    pipe = pipeline("text-classification", folder, device="cpu", top_k=None)
    settings = {"truncation": True, "max_length": gauge.manifest.layout.max_tokens}

    def run(given: list[str]) -> list[float]:
        found = pipe(given, batch_size=BATCH, **settings)
        return [next(each["score"] for each in one if each["label"] == "cost") for one in found]

    gap = np.abs(gauge.score(texts) - np.array(run(texts))).max()
    assert gap < 1e-3, f"the two sides differ by {gap:.2g}: not the same model or not the same text"
    return {
        "gauge.score": lambda: gauge.score(texts, deduplicate=False),
        "pipeline": lambda: run(texts),
        "pipeline, sorted": lambda: run(sorted(texts, key=len)),
    }


def runtime_sides(
    gauge: harmgauge.Gauge, bundle: Path, folder: str, texts: list[str], threads: int
) -> dict[str, Side]:
    """Each runtime on the same padded batches, without tokenising."""
    windower = Windower(Tokenizer.from_file(str(bundle / "tokenizer.json")), gauge.manifest.layout)
    ids = [np.array(windower.windows(harmgauge.Exchange(text))[0]) for text in texts]
    padded = [pad([ids[i] for i in batch]) for batch in batches([len(each) for each in ids])]
    onnx = load_runtime(bundle, gauge.manifest, threads=threads)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()

    def with_torch() -> None:
        with torch.inference_mode():
            for batch in padded:
                model(*map(torch.from_numpy, batch))

    sides: dict[str, Side] = {
        gauge.manifest.runtime: lambda: [onnx.raw_scores(*batch) for batch in padded],
        "torch (transformers)": with_torch,
    }
    if importlib.util.find_spec("openvino"):
        import openvino

        example = {
            name: torch.from_numpy(value)
            for name, value in zip(("input_ids", "attention_mask"), padded[0], strict=True)
        }
        compiled = openvino.compile_model(
            openvino.convert_model(_Logits(model), example_input=example),
            "CPU",
            {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"},
        )
        sides["openvino"] = lambda: [compiled(list(batch)) for batch in padded]
    return sides


class _Logits(torch.nn.Module):
    """A model whose output is one tensor, for tracing."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        return self.model(input_ids, attention_mask).logits


def race(sides: dict[str, Side], rounds: int, n: int) -> dict[str, list[float]]:
    """Texts a second of each side in each round; the sides take turns."""
    rates: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds + 1):
        for name, side in sides.items():
            start = time.perf_counter()
            side()
            if number:  # the first round warms up
                rates[name].append(n / (time.perf_counter() - start))
    return rates


def report(title: str, rates: dict[str, list[float]]) -> None:
    first = statistics.median(next(iter(rates.values())))
    print(f"\n{title}")
    for name, values in rates.items():
        median = statistics.median(values)
        span = f"[{min(values):.1f}, {max(values):.1f}]"
        print(
            f"  {name:22} {median:8.1f} texts/s {span:18} first is {first / median:.2f} times this"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--transformers", required=True, help="folder written by harmgauge export")
    parser.add_argument("--data", required=True, type=Path, help="file with the texts")
    parser.add_argument("--gauge", help="name or folder of a gauge; the embedded one by default")
    parser.add_argument("--n", type=int, help="at most so many texts")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--runtimes", action="store_true")
    parser.add_argument("--json", type=Path, help="write all rates")
    options = parser.parse_args()

    bundle = find(options.gauge)
    results: dict[str, Any] = {}
    for threads in options.threads:
        torch.set_num_threads(threads)
        gauge = harmgauge.load(options.gauge, threads=threads)
        tokenizer = Tokenizer.from_file(str(bundle / "tokenizer.json"))
        texts = distinct_texts(options.data, tokenizer, gauge.manifest.layout.max_tokens, options.n)
        title = f"{gauge.id}, {len(texts)} texts, {threads} threads, {options.rounds} rounds"
        races = {"scoring": scoring_sides(gauge, options.transformers, texts)}
        if options.runtimes:
            races["runtimes"] = runtime_sides(gauge, bundle, options.transformers, texts, threads)
        for name, sides in races.items():
            rates = race(sides, options.rounds, len(texts))
            report(f"{name}: {title}", rates)
            results[f"{name}, {threads} threads"] = rates
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
