"""A real gauge on a model that is arithmetic: quick, and of known costs."""

from __future__ import annotations

import threading

import numpy as np

from harmgauge.bundle import Manifest
from harmgauge.calibration import Calibration
from harmgauge.gauge import Gauge
from harmgauge.thresholds import Threshold
from harmgauge.windows import Layout
from tiny import MAX_TOKENS, make_tokenizer

CATEGORIES = ("hate_speech_offensive_language", "self_harm", "animal_abuse")


class Runtime:
    """Counts the tokens of `cat` (raw cost +1 each) and of `dog` (-1), from -0.5 on.

    `hold` stops it in its next call until `release`; `held` says that it got there.
    """

    mode = "arithmetic"

    def __init__(self, outputs):
        self.outputs = outputs
        self._open, self.held = threading.Event(), threading.Event()
        self._open.set()
        self.batches = []
        vocabulary = make_tokenizer()
        self._cat, self._dog = (vocabulary.token_to_id(word) for word in ("cat", "dog"))

    def hold(self):
        self.held.clear()
        self._open.clear()

    def release(self):
        self._open.set()

    def raw_scores(self, ids, mask):
        self.held.set()
        self._open.wait(20)
        self.batches.append(len(ids))
        cats, dogs = ((np.asarray(ids) == each).sum(axis=1) for each in (self._cat, self._dog))
        cost = (cats - dogs - 0.5).astype(np.float32)
        return np.stack([cost, *[cost + 0.1 * k for k in range(1, self.outputs)]], axis=1)


def make_gauge(categories=CATEGORIES, threshold="fpr1", prior=None):
    tokenizer = make_tokenizer()
    start, end = tokenizer.token_to_id("[CLS]"), tokenizer.token_to_id("[SEP]")
    plain = Calibration(bias=0.0, temperature=1.0, prior=0.5, data="made up", n=100)
    manifest = Manifest(
        name="arithmetic",
        base={"name": None, "sha256": None},
        layout=Layout((start,), (end,), (end,), MAX_TOKENS),
        pooling="mean",
        runtime="onnx",
        calibration=plain,
        calibration_by_kind={
            "response": Calibration(bias=0.25, temperature=1.0, prior=0.3, data="made up", n=100)
        },
        licence="CC0-1.0",
        data=({"source": "made up", "licence": "CC0-1.0", "rows": 100},),
        outputs=("cost", *categories),
        categories=dict.fromkeys(categories, plain),
        thresholds=(Threshold(threshold, 1.75, 0.01, 0.95, "made up", 300),),
    )
    return Gauge(manifest, tokenizer, Runtime(1 + len(categories)), prior=prior)
