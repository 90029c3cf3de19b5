"""Label noise: labels that a model which has not seen them doubts, and what they then count.

Confident learning (Northcutt et al., arXiv 1911.00068) through cleanlab, on out-of-fold costs. Its
file names rows by their ids and holds no text.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from tqdm import tqdm

from ..data.hub import data_sha256
from ..data.row import Row
from ..errors import DataError, RecipeError, needs_extra
from ..evaluation.bag_of_words import BagOfWords
from ..windows import Windower
from .batching import bucketed_batches
from .checkpoints import write_text
from .examples import LoadedSource
from .model import CostModel
from .monitor import collate

Floats = NDArray[np.float64]

MIN_PER_CLASS = 20
"""with fewer, a source's own rate of noise cannot be told"""


@dataclass(frozen=True, slots=True)
class Doubts:
    """The rows of one training source whose labels are doubted."""

    source: str
    path: str
    sha256: str | None
    """of the file; None of what is no file"""
    judged: int
    """labels that were looked at; 0 of a source with hardly any of one class"""
    doubted: int
    weights: dict[str, float]
    """row id to the probability of its label by a model that has not seen it"""


def find_noise(
    sources: Sequence[LoadedSource],
    model: CostModel,
    windower: Windower,
    *,
    folds: int = 5,
    seed: int = 0,
    quiet: bool = False,
) -> list[Doubts]:
    """Look for wrong labels, source by source.

    Each label is judged by two logistic regressions fitted on the rows of other prompts, one on a
    bag of words, one on embeddings by a pretrained model; their log-odds are averaged. They are
    fitted on all sources together. Which labels are doubted is decided within a source, since
    annotators draw their own line.

    Args:
        sources: training rows, cleaned.
        model: a pretrained backbone that has seen none of the labels; its head is not used.
        windower: of that model.
        folds: parts that the prompts are cut into.
        seed: of the cut.
        quiet: no progress bar.

    Raises:
        DataError: the rows do not hold both classes.
        HarmgaugeError: cleanlab is not installed.
    """
    try:
        from cleanlab.filter import find_label_issues
    except ImportError:
        raise needs_extra("train", "finding label noise") from None
    sources = [loaded for loaded in sources if loaded.source.refused is None]
    rows = [row for loaded in sources for row in loaded.rows if _is_judged(row)]
    counts = [sum(map(_is_judged, loaded.rows)) for loaded in sources]
    files = [loaded.file for loaded, n in zip(sources, counts, strict=True) for _ in range(n)]
    fold = _folds(rows, files, folds, seed)
    probability, unsafe, owner = _out_of_fold(rows, fold, model, windower, quiet)

    found, start = [], 0
    for loaded, count in zip(sources, counts, strict=True):
        here = np.flatnonzero((owner >= start) & (owner < start + count))
        start += count
        weights: dict[str, float] = {}
        labels, p = unsafe[here].astype(int), probability[here]
        judged = min(labels.sum(), (1 - labels).sum()) >= MIN_PER_CLASS
        doubted = np.zeros(len(here), bool)
        if judged:
            doubted = find_label_issues(labels, np.column_stack([1 - p, p]), n_jobs=1)
        for place in np.flatnonzero(doubted):
            row = rows[owner[here[place]]]
            weight = round(float(p[place] if labels[place] else 1 - p[place]), 4)
            weights[row.id] = min(weight, weights.get(row.id, 1.0))
        found.append(
            Doubts(
                loaded.report.source,
                loaded.source.path,
                data_sha256(loaded.file),
                len(here) if judged else 0,
                int(doubted.sum()),
                weights,
            )
        )
    return found


def write_doubts(doubts: Sequence[Doubts], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(json.dumps([asdict(each) for each in doubts], indent=1), path)


def apply_doubts(sources: Sequence[LoadedSource], path: Path) -> None:
    """Have doubted rows count what a file of `write_doubts` says.

    Raises:
        RecipeError: the file cannot be read, names none of the sources, or a source's file is
            no longer the one that was judged.
    """
    try:
        known = [Doubts(**entry) for entry in json.loads(path.read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError):
        raise RecipeError(
            f"{path} cannot be read as weights of rows; write it with harmgauge data noise"
        ) from None
    by_source = {(each.source, each.path): each for each in known}
    met = False
    for loaded in sources:
        doubts = by_source.get((loaded.report.source, loaded.source.path))
        if doubts is None or loaded.source.refused is not None:  # made rows are safe for certain
            continue
        met = True
        if doubts.sha256 != data_sha256(loaded.file):
            raise RecipeError(
                f"{doubts.path} is not the file that {path} was made from, so that its row ids "
                "mean other rows; write it anew with harmgauge data noise"
            )
        loaded.weights.update(doubts.weights)
        loaded.report.doubted = sum(row.id in doubts.weights for row in loaded.rows)
    if not met:
        raise RecipeError(f"{path} names none of the recipe's training sources")


def _is_judged(row: Row) -> bool:
    """A fractional label says already that raters disagree."""
    return any(item.unsafe in (0, 1) for item in row.items)


def _out_of_fold(
    rows: Sequence[Row],
    fold: NDArray[np.int64],
    model: CostModel,
    windower: Windower,
    quiet: bool,
) -> tuple[Floats, NDArray[np.bool_], NDArray[np.int64]]:
    """Of each label: probability of unsafe, whether it says so, and the number of its row."""
    from scipy.special import expit
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    items = [(n, item) for n, row in enumerate(rows) for item in row.items if item.unsafe in (0, 1)]
    owner = np.array([n for n, _ in items], np.int64)
    unsafe = np.array([item.unsafe == 1 for _, item in items], bool)
    if not 0 < unsafe.sum() < len(unsafe):
        raise DataError("label noise is found between classes; the training rows hold only one")
    exchanges = [item.exchange for _, item in items]
    vectors = _embed(model, [windower.windows(each)[0] for each in exchanges], quiet)
    cost = np.zeros(len(items))
    for number in tqdm(np.unique(fold), unit="fold", desc="fitting", disable=quiet):
        out = fold[owner] == number
        words = BagOfWords.train([row for row, f in zip(rows, fold, strict=True) if f != number])
        dense = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))
        dense.fit(vectors[~out], unsafe[~out])
        by_words = words.score([exchanges[i] for i in np.flatnonzero(out)])
        cost[out] = (by_words + dense.decision_function(vectors[out])) / 2
    return expit(cost), unsafe, owner


def _folds(rows: Sequence[Row], files: Sequence[str], folds: int, seed: int) -> NDArray[np.int64]:
    """A fold for each row; rows of one prompt, or of one record read twice, share theirs."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    keys: dict[tuple[str, ...], int] = {}
    edges = []
    for n, (row, file) in enumerate(zip(rows, files, strict=True)):
        for key in ((row.group,), (file, row.id)):
            edges.append((n, len(rows) + keys.setdefault(key, len(keys))))
    start, end = np.array(edges).T
    size = len(rows) + len(keys)
    graph = coo_array((np.ones(len(edges)), (start, end)), shape=(size, size))
    _, component = connected_components(graph, directed=False)
    part = np.random.default_rng(seed).integers(folds, size=component.max() + 1)
    return np.asarray(part[component[: len(rows)]])


def _embed(model: CostModel, sequences: Sequence[list[int]], quiet: bool) -> Floats:
    """Pooled hidden states, `[n, size]`."""
    head, model.head = model.head, nn.Identity()
    model.eval()
    sizes = [(1, len(ids)) for ids in sequences]
    vectors = np.empty((len(sequences), head.in_features))
    bar = tqdm(total=len(sequences), unit="text", desc="embedding", disable=quiet)
    with torch.inference_mode(), bar:
        for batch in bucketed_batches(sizes, 8192, np.random.default_rng(0)):
            vectors[batch] = model(*collate([sequences[i] for i in batch])).numpy()
            bar.update(len(batch))
    model.head = head
    return vectors
