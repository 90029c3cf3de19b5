"""Tiny gauges with random weights, made once a session; no text of theirs comes from any data."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HARMGAUGE_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ["HF_HUB_OFFLINE"] = "1"  # no test needs the Hub, and looking for it takes its time

from pathlib import Path

import pytest
from hypothesis import settings

from harmgauge.gauge import Gauge, load
from tiny import make_bundle, make_decoder, make_encoder

settings.register_profile("untimed", deadline=None)  # a busy machine is no failure
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory):
    """The encoder behind `tiny_bundle`, as a model folder."""
    folder = tmp_path_factory.mktemp("tiny-model")
    model, tokenizer = make_encoder()
    model.save(folder, tokenizer)
    return folder


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory, tiny_model) -> Path:
    """A bundle with a random encoder in plain fp32 ONNX."""
    from harmgauge.training.export import export_onnx
    from harmgauge.training.model import CostModel

    scratch = tmp_path_factory.mktemp("tiny-onnx")
    model, tokenizer = CostModel.load(tiny_model)
    export_onnx(model, tokenizer, scratch / "export", storage="fp32")
    files = {
        "model.onnx": scratch / "export" / "model.onnx",
        "tokenizer.json": tiny_model / "tokenizer.json",
    }
    return make_bundle(scratch / "bundle", "tiny", model, "onnx", files)


@pytest.fixture(scope="session")
def decoder_bundle(tmp_path_factory) -> Path:
    """A torch bundle with a random decoder whose pad token is its end token."""
    scratch = tmp_path_factory.mktemp("tiny-decoder")
    model, tokenizer = make_decoder()
    model.save(scratch / "model", tokenizer)
    files = {path.name: path for path in (scratch / "model").iterdir()}
    return make_bundle(scratch / "bundle", "tiny-decoder", model, "torch", files)


@pytest.fixture(scope="session")
def tiny_gauge(tiny_bundle) -> Gauge:
    return load(tiny_bundle, threads=1)
