from dataclasses import asdict

import numpy as np
import onnxruntime
import pytest
import torch

from harmgauge import BundleError, load
from harmgauge.runtime.weights import create_session, dequantise, quantise
from harmgauge.training import export
from harmgauge.training.export import check_loss, export_onnx
from harmgauge.training.model import CostModel, ModelSpec
from harmgauge.training.reopen import read_cost_model
from harmgauge.windows import Layout
from tiny import MAX_TOKENS, make_bundle, make_decoder, make_encoder


def scores(folder, ids, mask, **options):
    session = create_session(folder, onnxruntime.SessionOptions(), **options)
    feeds = {"input_ids": np.asarray(ids), "attention_mask": np.asarray(mask)}
    return session.run(["scores"], feeds)[0]


def random_batch(model, batch, length, side):
    generator = torch.Generator().manual_seed(batch * length)
    ids = torch.randint(4, model.backbone.config.vocab_size, (batch, length), generator=generator)
    mask = torch.ones_like(ids)
    for row in range(1, batch):
        padding = row * length // (batch + 1)
        mask[row, slice(0, padding) if side == "left" else slice(length - padding, None)] = 0
    return ids, mask


@pytest.fixture(scope="module")
def exports(tmp_path_factory):
    """Encoder and decoder, stored both ways, with their reports."""
    made = {}
    for kind, make in (("encoder", make_encoder), ("decoder", make_decoder)):
        model, tokenizer = make()
        for storage in ("fp32", "int8"):
            folder = tmp_path_factory.mktemp(f"{kind}-{storage}")
            report = export_onnx(model, tokenizer, folder, storage=storage)
            made[kind, storage] = (folder, report, model)
    return made


@pytest.mark.parametrize("kind", ["encoder", "decoder"])
@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize(("batch", "length"), [(1, 1), (2, 9), (5, MAX_TOKENS)])
def test_the_fp32_graph_scores_as_torch_does(exports, kind, side, batch, length):
    folder, _, model = exports[kind, "fp32"]
    ids, mask = random_batch(model, batch, length, side)
    with torch.no_grad():
        expected = model(ids, mask).numpy()
    np.testing.assert_allclose(scores(folder, ids, mask), expected, rtol=1e-4, atol=1e-4)


def test_every_encoder_layer_is_fused(exports):
    _, report, _ = exports["encoder", "fp32"]
    assert report.layers == report.fused_attention == 2
    assert report.fused_layer_norm == 5  # two a layer, and one of the embeddings
    assert report.fused_gelu == 2
    assert report.note is None
    assert report.graph_difference < 1e-4


def test_a_decoder_says_why_it_is_not_fused(exports):
    _, report, _ = exports["decoder", "fp32"]
    assert report.fused_attention < report.layers
    assert "llama" in report.note


def test_fp16_storage_halves_the_file_and_is_read_back(tmp_path, exports):
    model, tokenizer = make_encoder()
    folder = tmp_path / "files"
    report = export_onnx(model, tokenizer, folder, storage="fp16")
    assert exports["encoder", "int8"][1].megabytes < report.megabytes
    assert report.megabytes < exports["encoder", "fp32"][1].megabytes
    assert report.not_named == ()
    ids, mask = random_batch(model, 4, 12, "right")
    with torch.no_grad():
        expected = model(ids, mask).numpy()
    found = scores(folder, ids, mask)
    np.testing.assert_allclose(found, expected, atol=0.05)
    files = {path.name: path for path in folder.iterdir()}
    again, _, _ = read_cost_model(make_bundle(tmp_path / "b", "half", model, "onnx", files))
    with torch.no_grad():
        np.testing.assert_allclose(again(ids, mask).numpy(), found, atol=1e-5)


@pytest.mark.parametrize("kind", ["encoder", "decoder"])
def test_int8_storage_is_smaller_and_scores_as_its_dequantised_weights_do(exports, kind):
    folder, report, model = exports[kind, "int8"]
    assert report.int8_matrices > 0
    assert report.not_named == ()
    assert report.megabytes < exports[kind, "fp32"][1].megabytes
    ids, mask = random_batch(model, 4, 12, "right")
    stored = make_bundle(
        folder.parent / f"{folder.name}-bundle",
        "tiny",
        model,
        "onnx",
        {path.name: path for path in folder.iterdir()},
    )
    rebuilt, _, _ = read_cost_model(stored)
    with torch.no_grad():
        expected = rebuilt(ids, mask).numpy()
        before = model(ids, mask).numpy()
    found = scores(folder, ids, mask)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    assert np.abs(found - before).max() < 0.1 * before.std() + 0.1


def test_head_norms_and_biases_are_stored_exactly(exports):
    folder, _, model = exports["encoder", "int8"]
    bundle = make_bundle(
        folder.parent / "exact-bundle",
        "tiny",
        model,
        "onnx",
        {path.name: path for path in folder.iterdir()},
    )
    rebuilt, _, _ = read_cost_model(bundle)
    assert asdict(rebuilt.spec) == asdict(model.spec)
    stored = rebuilt.state_dict()
    for name, value in model.state_dict().items():
        if value.ndim < 2 or name.startswith("head."):
            assert torch.equal(stored[name], value), name
        else:
            # Half a step of the channel's largest magnitude / 127.
            step = value.abs().max() / 127
            assert (stored[name] - value).abs().max() <= step / 2 * 1.001, name


def test_exported_bundle_is_a_gauge_and_the_model_is_left_alone(tmp_path):
    model, tokenizer = make_encoder()
    attention = model.backbone.config._attn_implementation
    export_onnx(model, tokenizer, tmp_path / "export")
    assert model.backbone.config._attn_implementation == attention
    files = {path.name: path for path in (tmp_path / "export").iterdir()}
    assert set(files) == {"model.onnx", "config.json", "tokenizer.json"}
    gauge = load(make_bundle(tmp_path / "bundle", "tiny", model, "onnx", files), threads=1)
    alone = [gauge.score([text])[0] for text in ("hello", "how do i grow a tree in the garden")]
    together = gauge.score(["hello", "how do i grow a tree in the garden"])
    np.testing.assert_allclose(together, alone, atol=1e-4)


def test_activations_in_int8_do_not_depend_on_the_batch(exports, tmp_path):
    folder, _, model = exports["encoder", "int8"]
    bundle = make_bundle(
        tmp_path / "bundle", "tiny", model, "onnx", {p.name: p for p in folder.iterdir()}
    )
    exact, fast = load(bundle, threads=1), load(bundle, threads=1, int8_activations=True)
    texts = ["hello", "thank you dog", "how do i bake bread today please", "~ ^ ` | { } \\"]
    alone = np.array([fast.score([text])[0] for text in texts])
    # The bound on what neighbours and padding may change: nothing.
    np.testing.assert_array_equal(fast.score(texts), alone)
    np.testing.assert_array_equal(fast.score(texts[::-1])[::-1], alone)
    spread = exact.score(texts)
    assert 0 < np.abs(alone - spread).max() < 0.25 * np.ptp(spread) + 0.25


def test_one_run_of_a_batch_in_int8_would_depend_on_neighbours(exports):
    """Why the runtime scores texts one by one: a neighbour's activations set the scale."""
    folder, _, model = exports["encoder", "int8"]
    ids, mask = random_batch(model, 6, 9, "right")
    together = scores(folder, ids, mask, int8_activations=True)[:1]
    alone = scores(folder, ids[:1], mask[:1], int8_activations=True)
    assert np.abs(together - alone).max() > 1e-4


def test_a_damaged_or_missing_graph_is_named(tmp_path):
    with pytest.raises(BundleError, match=r"has no model\.onnx"):
        create_session(tmp_path, onnxruntime.SessionOptions())
    (tmp_path / "model.onnx").write_bytes(b"not a graph")
    with pytest.raises(BundleError, match="cannot be loaded"):
        create_session(tmp_path, onnxruntime.SessionOptions())


class Untraceable(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.config = make_encoder()[0].backbone.config

    def set_attn_implementation(self, name):
        pass

    def forward(self, input_ids, attention_mask):
        return torch.linalg.eigvals(input_ids.float())  # no operator of ONNX


def test_a_model_that_cannot_be_traced_is_sent_to_the_torch_runtime(tmp_path):
    _, tokenizer = make_encoder()
    model = CostModel(Untraceable(), ModelSpec("mean", Layout((), (), (3,), 8)))
    with pytest.raises(BundleError, match="runtime: torch"):
        export_onnx(model, tokenizer, tmp_path / "export")
    assert not list((tmp_path / "export").iterdir())


def test_a_loss_of_more_than_half_a_point_is_refused():
    labels = np.array([0, 1] * 100)
    good = labels + np.linspace(0, 0.5, 200)
    figures = check_loss(good, good + 0.001, labels)
    assert figures["auroc_before"] == figures["auroc_after"] == 1
    assert figures["max_difference"] == pytest.approx(0.001)
    assert figures["pearson"] == pytest.approx(1)
    worse = good.copy()
    worse[1::10] = -1
    with pytest.raises(BundleError, match=r"lost 20\.0 points of AUROC"):
        check_loss(good, worse, labels)


def test_half_a_point_is_the_border():
    labels = np.repeat([0, 1], 100)
    good = np.arange(200.0)
    for lost, allowed in ((49, True), (51, False)):
        worse = good.copy()
        # One unsafe text below so many of the 100 safe ones: lost / 10,000 of the AUROC.
        worse[100] = 99.5 - lost
        if allowed:
            assert check_loss(good, worse, labels)["auroc_after"] == pytest.approx(0.9951)
        else:
            with pytest.raises(BundleError, match=r"lost 0\.5 points .* fp32"):
                check_loss(good, worse, labels)


def test_scores_that_are_not_finite_are_refused(monkeypatch, tmp_path):
    with pytest.raises(BundleError, match="not finite"):
        check_loss([0.0, 1.0], [0.0, np.nan], [0, 1])
    monkeypatch.setattr(export, "_difference", lambda *_: np.nan)
    with pytest.raises(BundleError, match="differ from torch's by nan"):
        export_onnx(*make_encoder(), tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_difference_that_is_not_a_number_is_not_passed_over(monkeypatch, tmp_path):
    class Broken:
        def run(self, names, feeds):
            return [np.full((len(feeds["input_ids"]), 1), np.nan, np.float32)]

    monkeypatch.setattr(export, "create_session", lambda *_: Broken())
    assert np.isnan(export._difference(make_encoder()[0], tmp_path))


@pytest.mark.parametrize("axis", [0, 1])
def test_int8_is_off_by_half_a_step_of_its_channel_at_most(axis):
    random = np.random.default_rng(0)
    # Channels of very unlike size, and one of zeros.
    size = np.array([1e-6, 1e-3, 1.0, 50.0, 0.0])
    weight = (random.normal(size=(5, 64)) * size[:, None]).astype(np.float32)
    weight = weight if axis == 0 else weight.T
    values, scale = quantise(weight, axis)
    assert values.dtype == np.int8
    assert scale.shape == (5,)
    error = np.abs(dequantise(values, scale, axis) - weight).max(axis=1 - axis)
    assert (error <= scale / 2 * 1.0001).all()
    assert error[-1] == 0
    assert np.abs(values).max() == 127


def test_costs_without_labels_of_both_classes_are_compared_all_the_same():
    figures = check_loss([1.0, 2.0, 3.0], [1.0, 2.0, 3.5], [1.0, float("nan"), 1.0])
    assert figures["auroc_before"] is None
    assert figures["mean_difference"] == pytest.approx(0.5 / 3)
