"""Quality against milliseconds and megabytes: one gauge in several forms.

    python benchmarks/sizes.py GAUGE --data-root FOLDER [--rows N] [--batch N] [--json FILE]

Forms: as it is; its weights stored as int8, int6, fp16 and fp32; shorter and longer windows; fewer
tokens, those that so many training texts have. Each is a bundle, loaded afresh. None is trained or
calibrated anew, as a recipe would (`storage`, `model.max_tokens`, `model.min_token_count`).

Quality is the mean AUROC over the data sets of a suite that hold both classes, and its difference
from the gauge as it is with a 95 % interval from draws of the same prompts for both. Times are
medians of rounds in which form and gauge take turns, and so are their ratios: a busy spell hits
both alike, and the first line, the gauge against itself, says what a ratio is off by.

The weights of a bundle may have been rounded already: --model names the model folder of its run, so
that each form is of the weights as trained.
"""

from __future__ import annotations

import argparse
import io
import json
import statistics
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import cycle
from pathlib import Path
from typing import get_args

import numpy as np
from throughput import race
from tokenizers import Tokenizer

from harmgauge import Exchange, Gauge, RecipeError, load
from harmgauge.bundle import Manifest, read_bundle, write_bundle
from harmgauge.cli.training import training_rows
from harmgauge.evaluation import metrics
from harmgauge.evaluation.bootstrap import Bootstrap
from harmgauge.evaluation.data_set import DataSet
from harmgauge.evaluation.figures import Figure, mean_figure
from harmgauge.evaluation.measure import fewest_prompts
from harmgauge.evaluation.metrics import Floats, mid_ranks
from harmgauge.evaluation.paired import Difference, Twin, differences
from harmgauge.evaluation.sample import Sample
from harmgauge.evaluation.suite import read_suite
from harmgauge.gauges import find
from harmgauge.training.export import Storage, export_onnx
from harmgauge.training.model import CostModel, check_positions
from harmgauge.training.reopen import read_cost_model
from harmgauge.training.vocabulary import prune_vocabulary, texts_of, used_tokens
from harmgauge.windows import Windower

HERE = Path(__file__).parent
TOKENS = 64  # of the single text
CALLS = 20  # of it in a round

Forms = Iterator[tuple[str, Path]]


@dataclass(frozen=True)
class Line:
    """One form of the gauge."""

    form: str
    tokens: int
    """of its vocabulary"""
    auroc: Figure
    """mean over the data sets"""
    difference: Figure
    """of the mean, from the gauge as it is"""
    pearson: float
    """of its costs with those of the gauge as it is"""
    milliseconds: float
    """for the single text"""
    milliseconds_ratio: float
    """to those of the gauge as it is, in the same rounds"""
    rate: float
    """texts of the batch a second"""
    rate_ratio: float
    megabytes: float
    """of the bundle"""
    wheel: float
    """megabytes that it takes in a wheel"""


def read_in_windows(
    folder: Path, manifest: Manifest, scratch: Path, lengths: Sequence[int]
) -> Forms:
    """The same files, read in shorter and longer windows."""
    for length in lengths:
        layout = replace(manifest.layout, max_tokens=length)
        if layout != manifest.layout:
            new = scratch / f"windows-{length}"
            files = {name: folder / name for name in manifest.files}
            write_bundle(new, replace(manifest, layout=layout), files)
            yield f"windows of {length}", new


def exported(
    folder: Path, manifest: Manifest, model: CostModel, tokenizer: Tokenizer, storage: Storage
) -> Path:
    """A bundle of a model, with all else from `manifest`."""
    export_onnx(model, tokenizer, files := folder / "export", storage=storage)
    manifest = replace(manifest, layout=model.spec.layout)
    write_bundle(folder / "bundle", manifest, {path.name: path for path in files.iterdir()})
    return folder / "bundle"


def forms(folder: Path, scratch: Path, options: argparse.Namespace) -> Forms:
    """Name and bundle of each form, the gauge as it is first."""
    yield "as it is", folder
    model, tokenizer, manifest = read_cost_model(folder)
    if options.model:
        model, tokenizer = CostModel.load(options.model)
    for storage in get_args(Storage):
        new = exported(scratch / storage, manifest, model, tokenizer, storage)
        yield f"stored as {storage}", new
    lengths = list(fitting(model, manifest, options.windows))
    yield from read_in_windows(folder, manifest, scratch, lengths)
    if not options.min_token_count:
        return
    rows = [
        row
        for file in options.vocabulary
        for row in training_rows(str(file), str(options.data_root), {})
    ]
    texts = texts_of(rows)
    for least in options.min_token_count:
        pruned = prune_vocabulary(model, tokenizer, used_tokens(tokenizer, texts, least))
        name = f"tokens of {least} training text{'s' * (least > 1)}"
        yield name, exported(scratch / f"tokens-{least}", manifest, *pruned, "int8")


def fitting(model: CostModel, manifest: Manifest, lengths: Sequence[int]) -> Iterator[int]:
    """The windows that the backbone has positions for."""
    for length in lengths:
        try:
            check_positions(model.backbone, length, manifest.name)
        except RecipeError as error:
            print(f"left out: {error}", file=sys.stderr)
        else:
            yield length


def capped(data: DataSet, rows: int | None) -> DataSet:
    """A data set of at most so many rows a file."""
    if rows is None:
        return data
    others = tuple(capped(each, rows) for each in data.others)
    return replace(data, cap=min(rows, data.cap or rows), others=others)


def differ(sample: Sample, a: Floats, b: Floats, bootstrap: Bootstrap) -> Difference:
    """AUROC of costs a and b of the items of a data set, and what lies between."""
    judged = ~np.isnan(a + b)[sample.labelled]
    items = sample.labelled[judged]
    unsafe, group = sample.unsafe[judged], sample.group[items]
    ranks = [mid_ranks(costs[items]) for costs in (a, b)]
    twin = Twin.of(metrics.auroc, (unsafe, ranks[0]), (unsafe, ranks[1]))
    fewest = fewest_prompts(unsafe, group)
    same = np.array_equal(*ranks)
    return differences({"auroc": twin}, group, bootstrap, "one class", fewest, same=same)["auroc"]


def single_text(folder: Path, manifest: Manifest) -> str:
    """A text that the gauge as it is reads as `TOKENS` tokens, special ones included."""
    windower = Windower(Tokenizer.from_file(str(folder / "tokenizer.json")), manifest.layout)
    words: list[str] = []
    for word in cycle(("please", "tell", "me", "about", "the", "weather", "today")):
        if len(windower.windows(Exchange(" ".join([*words, word])))[0]) > TOKENS:
            return " ".join(words)
        words.append(word)
    raise AssertionError("a cycle does not end")


def raced(base: Gauge, form: Gauge, texts: Sequence[object], calls: int, rounds: int) -> Floats:
    """Median texts a second of the form, and the median of its ratio to the gauge as it is."""

    def side(gauge: Gauge) -> object:
        return [gauge.score(texts, deduplicate=False) for _ in range(calls)]

    sides = {"base": lambda: side(base), "form": lambda: side(form)}
    rates = race(sides, rounds, calls * len(texts))
    ratios = [mine / its for mine, its in zip(rates["form"], rates["base"], strict=True)]
    return np.array([statistics.median(rates["form"]), statistics.median(ratios)])


def megabytes(folder: Path) -> tuple[float, float]:
    """Of a bundle, as it lies there and as it lies in a wheel."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    with zipfile.ZipFile(packed := io.BytesIO(), "w", zipfile.ZIP_DEFLATED) as wheel:
        for path in files:
            wheel.write(path, path.relative_to(folder))
    return sum(path.stat().st_size for path in files) / 1e6, packed.tell() / 1e6


def measured(options: argparse.Namespace, folder: Path, scratch: Path) -> Iterator[Line]:
    """A line a form, as each is done."""
    sets = [
        capped(data, options.rows) for data in read_suite(options.suite, options.data_root).sets
    ]
    exchanges = [exchange for data in sets for exchange in data.sample.exchanges]
    batch = exchanges[:: max(1, len(exchanges) // options.batch)][: options.batch]
    base = load(folder, threads=options.threads)
    text = single_text(folder, base.manifest)
    bootstrap = Bootstrap(options.draws)
    known: Mapping[str, Floats] = {}
    for name, bundle in forms(folder, scratch, options):
        print(f"{name} …", file=sys.stderr)
        gauge = load(bundle, threads=options.threads)
        costs = {data.shown: gauge.score(data.sample.exchanges) for data in sets}
        known = known or costs
        found = [
            differ(data.sample, known[data.shown], costs[data.shown], bootstrap)
            for data in sets
            if data.sample.one_class is None
        ]
        both = np.array([np.concatenate(list(each.values())) for each in (known, costs)])
        single, single_ratio = raced(base, gauge, [text], CALLS, options.rounds)
        rate, rate_ratio = raced(base, gauge, batch, 1, options.rounds)
        yield Line(
            name,
            Tokenizer.from_file(str(bundle / "tokenizer.json")).get_vocab_size(),
            mean_figure([each.b for each in found]),
            mean_figure([each.difference for each in found]),
            float(np.corrcoef(both[:, ~np.isnan(both).any(axis=0)])[0, 1]),
            1000 / single,
            1 / single_ratio,
            rate,
            rate_ratio,
            *megabytes(bundle),
        )


HEAD = (
    *("form", "tokens known", "mean AUROC", "difference", "Pearson", f"ms, {TOKENS} tokens", "×"),
    *("texts/s", "×", "MB", "MB in a wheel"),
)


def cells(line: Line) -> list[str]:
    """A row of the table."""
    gap = line.difference
    between = "-" if gap.value is None else f"{gap.value:+.4f}"
    if gap.low is not None:
        between += f" [{gap.low:+.4f}, {gap.high:+.4f}]"
    return [
        *(line.form, f"{line.tokens}"),
        "-" if line.auroc.value is None else f"{line.auroc.value:.4f}",
        *(between, f"{line.pearson:.4f}", f"{line.milliseconds:.2f}"),
        *(f"{line.milliseconds_ratio:.2f}", f"{line.rate:.1f}", f"{line.rate_ratio:.2f}"),
        *(f"{line.megabytes:.1f}", f"{line.wheel:.1f}"),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("gauge", help="name of an installed gauge, or folder of a bundle")
    parser.add_argument("--data-root", required=True, type=Path, help="where the suite's data lies")
    parser.add_argument("--suite", default=str(HERE / "validation.yaml"))
    parser.add_argument("--rows", type=int, help="at most so many rows of each file")
    parser.add_argument("--batch", type=int, default=256, help="texts of the batch that is timed")
    parser.add_argument("--model", type=Path, help="model folder of its run: weights not rounded")
    parser.add_argument("--windows", type=int, nargs="*", default=[96, 128, 192, 256, 512])
    parser.add_argument("--min-token-count", type=int, nargs="*", default=[1, 3, 10, 30])
    parser.add_argument(
        "--vocabulary",
        nargs="+",
        type=Path,
        help="training texts: data files or recipes; by default recipes/NAME.yaml",
    )
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write all figures")
    options = parser.parse_args()
    folder = find(options.gauge)
    if (manifest := read_bundle(folder)).runtime != "onnx":
        parser.error(f"{manifest.name} is a torch gauge; only ONNX gauges have these forms")
    options.vocabulary = options.vocabulary or [HERE.parent / "recipes" / f"{manifest.name}.yaml"]
    lacking = [str(path) for path in options.vocabulary if not path.is_file()]
    if lacking and options.min_token_count:
        parser.error(
            f"there is no {lacking[0]}; name training texts with --vocabulary, or give "
            "--min-token-count no number"
        )

    print(" | ".join(("", *HEAD, "")).strip())
    print("|---" * len(HEAD) + "|")
    lines = []
    with tempfile.TemporaryDirectory() as scratch:
        for line in measured(options, folder, Path(scratch)):
            lines.append(line)
            print(f"| {' | '.join(cells(line))} |", flush=True)
    sets = lines[0].auroc.n
    print(f"\n{manifest.id}, {sets} data sets, {options.threads} threads, {options.rounds} rounds")
    if options.json:
        facts = {"gauge": manifest.id, "suite": options.suite, "rows": options.rows}
        facts |= {key: getattr(options, key) for key in ("batch", "draws", "rounds", "threads")}
        results = {**facts, "forms": [asdict(line) for line in lines]}
        options.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
