"""Which kinds of input have a scale of their own, and that it fits their texts."""

from __future__ import annotations

import numpy as np
import pytest

from harmgauge.data.row import Item, Row
from harmgauge.evaluation.metrics import calibration_error
from harmgauge.exchange import Exchange
from harmgauge.training.examples import LoadedSource, SourceReport
from harmgauge.training.kinds import ENOUGH, KindCount, count_kinds, fit_scales
from harmgauge.training.recipe import Source
from harmgauge.training.validation import held_out


def sample(n: int, kinds: tuple[str, ...], shift: float = 3.0):
    """Raw scores of texts of several kinds, those of the second shifted, and their labels."""
    random = np.random.default_rng(0)
    kind = np.array(kinds)[np.arange(n) % len(kinds)]
    unsafe = (random.random(n) < np.where(kind == kinds[0], 0.2, 0.5)).astype(float)
    return random.normal(size=n) + 2 * unsafe + shift * (kind != kinds[0]), unsafe, kind


def test_each_kind_is_calibrated_by_itself_at_its_own_share_of_unsafe():
    raw, unsafe, kind = sample(4000, ("prompt", "exchange"))
    scales = fit_scales(raw, unsafe, np.ones(4000), kind, data="own")
    assert set(scales.by_kind) == {"prompt", "exchange"}
    assert scales.common.n == 4000
    assert scales.of("response") == scales.common
    costs, common = scales.cost(raw, kind), scales.common.cost(raw)
    for name, prior in (("prompt", 0.2), ("exchange", 0.5)):
        here = kind == name
        assert scales.of(name).n == here.sum()
        assert scales.of(name).prior == pytest.approx(prior, abs=0.03)
        assert calibration_error(unsafe[here], costs[here]) < 0.05
        assert calibration_error(unsafe[here], common[here]) > 0.08
        assert (np.diff(costs[here][np.argsort(raw[here])]) >= 0).all()


def test_a_kind_with_few_texts_and_one_that_is_alone_have_the_common_scale():
    raw, unsafe, kind = sample(4000, ("prompt", "exchange"))
    prompts = kind == "prompt"
    few = prompts & (np.cumsum(prompts & (unsafe == 1)) < ENOUGH)
    kept = few | ~prompts
    scales = fit_scales(raw[kept], unsafe[kept], np.ones(kept.sum()), kind[kept], data="own")
    assert set(scales.by_kind) == {"exchange"}
    alone = fit_scales(raw[~prompts], unsafe[~prompts], np.ones((~prompts).sum()), kind[~prompts],
                       data="own")  # fmt: skip
    assert not alone.by_kind


def test_labelled_texts_of_the_calibrating_half_are_counted():
    def row(number, response, *labels):
        items = tuple(Item(Exchange(f"text {number}", response), label) for label in labels)
        return Row(f"own:{number}", "own", items)

    rows = [row(i, None, float(i % 2)) for i in range(40)]
    rows += [row(i, "yes", 0.0, None) for i in range(40, 60)]
    source = Source(path="own.jsonl", licence="CC0-1.0")
    loaded = LoadedSource(source, rows, SourceReport("own", "CC0-1.0"), "own.jsonl")
    prompts, exchanges = count_kinds([loaded])
    half = [each for each in rows if not held_out(each)]
    assert prompts.safe + prompts.unsafe + exchanges.safe == len(half)
    assert (exchanges.kind, exchanges.unsafe) == ("exchange", 0)
    assert str(exchanges).endswith("the common scale (takes 100 of each)")
    assert str(KindCount("prompt", 100, 100)).endswith("a scale of its own")
    assert count_kinds([]) == []
