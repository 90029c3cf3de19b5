"""`storage: int6`: int8 tensors on 63 levels."""

from __future__ import annotations

import zlib
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from harmgauge import Exchange, load
from harmgauge.runtime.weights import MODEL, dequantise, quantise
from harmgauge.training.export import export_onnx
from harmgauge.training.export_transformers import export_transformers
from harmgauge.training.quantise import INT6_CLIPS, INT6_TOP
from harmgauge.training.reopen import read_cost_model
from harmgauge.windows import Windower
from tiny import costs_of, make_bundle, make_encoder

TEXTS = ["hello", "how do i bake bread?", "please tell me about the weather today"]
PAIRS = [("hello", "thank you"), ("grow a tree", "water, and sun.")]


@pytest.fixture(scope="module", params=["bert", "mpnet"])
def made(request, tmp_path_factory):
    """A model, its bundles in int8 and in int6, and the report of the latter's export."""
    model, tokenizer = make_encoder(kind=request.param)
    bundles = {}
    for storage in ("int8", "int6"):
        scratch = tmp_path_factory.mktemp(f"{request.param}-{storage}")
        report = export_onnx(model, tokenizer, scratch / "files", storage=storage)
        files = {path.name: path for path in (scratch / "files").iterdir()}
        bundles[storage] = make_bundle(scratch / "bundle", "tiny", model, "onnx", files)
    return SimpleNamespace(model=model, report=report, **bundles)


def stored_matrices(bundle):
    """Values and scales, and the axis of the latter, by the name of the matrix."""
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(bundle / MODEL).graph
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    return {
        node.output[0]: (*(tensors[name] for name in node.input), node.attribute[0].i)
        for node in graph.node
        if node.op_type == "DequantizeLinear"
    }


def test_the_matrices_of_int8_lie_on_63_levels(made):
    int6, int8 = (stored_matrices(bundle) for bundle in (made.int6, made.int8))
    assert made.report.storage == "int6"
    assert made.report.int8_matrices == len(int6) > 0
    assert made.report.not_named == ()
    assert int6.keys() == int8.keys()
    for name, (values, scales, axis) in int6.items():
        assert values.dtype == np.int8
        assert values.shape == int8[name][0].shape
        assert axis == int8[name][2]
        assert scales.shape == (values.shape[axis],)
        assert np.abs(values).max() == INT6_TOP == 31


def test_the_file_is_as_large_as_that_of_int8_and_smaller_once_zipped(made):
    int6, int8 = ((bundle / MODEL).read_bytes() for bundle in (made.int6, made.int8))
    assert abs(len(int6) - len(int8)) <= 8
    assert len(zlib.compress(int6)) < 0.95 * len(zlib.compress(int8))


def test_weights_are_near_and_the_head_norms_and_biases_exact(made):
    stored = read_cost_model(made.int6)[0].state_dict()
    for name, value in made.model.state_dict().items():
        if value.ndim < 2 or name.startswith("head."):
            assert torch.equal(stored[name], value), name
        else:
            error = (stored[name] - value).square().mean().sqrt()
            assert error < 0.05 * value.square().mean().sqrt(), name


def test_costs_are_those_of_the_dequantised_weights(made):
    gauge = load(made.int6, threads=1)
    rebuilt, tokenizer, manifest = read_cost_model(made.int6)
    windower = Windower(tokenizer, manifest.layout)
    costs = gauge.raw_scores(TEXTS)[:, 0]
    for text, cost in zip(TEXTS, costs, strict=True):
        (ids,) = windower.windows(Exchange(text))
        with torch.no_grad():
            score = rebuilt(torch.tensor([ids]), torch.ones(1, len(ids), dtype=torch.long))
        assert score.item() == pytest.approx(cost, abs=1e-5, rel=1e-5)
    before = load(made.int8, threads=1).raw_scores(TEXTS)[:, 0]
    assert np.abs(costs - before).max() < 0.5 * np.ptp(before) + 0.1


def test_a_hugging_face_folder_is_rebuilt(made, tmp_path):
    from transformers import pipeline

    import harmgauge.integrations.transformers  # noqa: F401

    export_transformers(made.int6, tmp_path / "hf")
    pipe = pipeline("text-classification", str(tmp_path / "hf"), top_k=None)
    inputs = [*TEXTS, *({"text": prompt, "text_pair": response} for prompt, response in PAIRS)]
    costs = costs_of(pipe(inputs))
    expected = load(made.int6).score([*TEXTS, *(Exchange(*pair) for pair in PAIRS)])
    np.testing.assert_allclose(costs, expected, atol=1e-4)


@pytest.mark.parametrize("axis", [0, 1])
def test_the_error_is_at_most_that_of_the_plain_scale(axis, monkeypatch):
    monkeypatch.setattr("harmgauge.runtime.weights.BLOCK", 500)  # several blocks, one cut short
    random = np.random.default_rng(0)
    size = 10.0 ** random.uniform(-6, 2, 65)
    weight = (random.standard_t(4, (65, 96)) * size[:, None]).astype(np.float32)
    weight[7] = 0
    weight = weight if axis == 0 else np.ascontiguousarray(weight.T)

    def error(values, scales):
        gap = dequantise(values, scales, axis).astype(np.float64) - weight
        return np.square(gap).sum(axis=1 - axis)

    plain = quantise(weight, axis, top=INT6_TOP)
    values, scales = quantise(weight, axis, top=INT6_TOP, clips=INT6_CLIPS)
    least = np.min(
        [error(*quantise(weight, axis, top=INT6_TOP, clips=(clip,))) for clip in INT6_CLIPS], axis=0
    )
    found = error(values, scales)
    np.testing.assert_allclose(found, least, rtol=1e-5)
    assert (found <= error(*plain) * (1 + 1e-5)).all()
    assert (found < 0.99 * error(*plain)).any()
    assert found[7] == 0
    assert np.abs(values).max() == INT6_TOP


@pytest.mark.parametrize("top", [INT6_TOP, 127])
@pytest.mark.parametrize("axis", [0, 1])
def test_what_a_stored_gauge_learns_further_survives_storing(axis, top, monkeypatch):
    """Steps of training that are small beside those of levels, which rounding would undo."""
    monkeypatch.setattr("harmgauge.runtime.weights.BLOCK", 5000)
    random = np.random.default_rng(0)
    clips = INT6_CLIPS if top == INT6_TOP else (1.0,)
    fresh = random.normal(size=(96, 128)).astype(np.float32)
    stored = dequantise(*quantise(fresh, axis, top=top, clips=clips), axis)
    again = dequantise(*quantise(stored, axis, top=top, clips=clips), axis)
    np.testing.assert_allclose(again, stored, rtol=1e-5)  # nothing learnt, nothing changed

    step = np.abs(stored).max() / top
    learnt = 0.05 * step * random.normal(size=fresh.shape).astype(np.float32)
    values, scales = quantise(stored + learnt, axis, top=top, clips=clips)
    kept = dequantise(values, scales, axis) - stored
    slope = float((kept * learnt).sum() / np.square(learnt).sum())
    assert 0.8 < slope < 1.2
    nearest = np.rint((stored + learnt) / np.expand_dims(scales, 1 - axis))
    lost = nearest * np.expand_dims(scales, 1 - axis) - stored
    assert abs(float((lost * learnt).sum() / np.square(learnt).sum())) < 0.2
    assert np.abs(values).max() == top
    off = np.abs(dequantise(values, scales, axis) - stored - learnt)
    assert (off <= np.expand_dims(scales, 1 - axis) * 1.0001).all()
    same, _ = quantise(stored + learnt, axis, top=top, clips=clips)
    np.testing.assert_array_equal(same, values)  # chance is seeded


@pytest.mark.parametrize("shape", ["normal", "cubed", "outlier", "zeros"])
def test_fresh_weights_are_rounded_to_the_nearest(shape):
    """Though most of a channel lies at level 0 where one weight is large."""
    fresh = np.random.default_rng(1).normal(size=(96, 384)).astype(np.float32)
    if shape == "cubed":
        fresh **= 3
    elif shape == "outlier":
        fresh[:, 7] *= 10
    elif shape == "zeros":
        fresh[:, ::3] = 0
    values, scales = quantise(fresh, 0, top=INT6_TOP)
    np.testing.assert_array_equal(values, np.rint(fresh / scales[:, None]).astype(np.int8))


@pytest.mark.parametrize("shape", [(1, 1), (3, 40)])
def test_a_matrix_of_zeros_stays_so(shape):
    values, scales = quantise(np.zeros(shape, np.float32), 0, top=INT6_TOP)
    assert not values.any()
    assert (scales == 1).all()


def test_int8_is_what_it_was_before_blocks_and_clips(monkeypatch):
    monkeypatch.setattr("harmgauge.runtime.weights.BLOCK", 500)
    weight = np.random.default_rng(0).normal(size=(65, 96)).astype(np.float32)
    scale = np.abs(weight).max(axis=0) / 127
    values, scales = quantise(weight, 1)
    np.testing.assert_array_equal(scales, scale)
    np.testing.assert_array_equal(values, np.rint(weight / scale).astype(np.int8))
