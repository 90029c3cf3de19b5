from dataclasses import replace

import numpy as np
import pytest

from harmgauge import load
from harmgauge.bundle import read_bundle
from harmgauge.errors import BundleError, RecipeError
from harmgauge.runtime import load_runtime


def padded(sequences, side):
    longest = max(map(len, sequences))
    ids = np.full((len(sequences), longest), 3)  # [SEP], the decoder's pad and end
    mask = np.zeros_like(ids)
    for row, sequence in enumerate(sequences):
        place = slice(0, len(sequence)) if side == "right" else slice(longest - len(sequence), None)
        ids[row, place], mask[row, place] = sequence, 1
    return ids, mask


@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_does_not_change_a_decoders_scores(decoder_bundle, side):
    runtime = load_runtime(decoder_bundle, read_bundle(decoder_bundle))
    # The pad id also ends each sequence and stands within one.
    sequences = [[150, 151, 3], [152, 3, 153, 154, 155, 156, 3], [157, 3, 3]]
    together = runtime.raw_scores(*padded(sequences, side))
    alone = [runtime.raw_scores(*padded([sequence], side))[0] for sequence in sequences]
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert len(set(together[:, 0].round(4))) == 3


def test_onnx_and_torch_agree(tiny_bundle, tiny_model):
    from harmgauge.runtime.torch import TorchRuntime

    batch = padded([[2, 140, 29, 150, 3], [2, 140, 29, 151, 152, 153, 3]], "right")
    onnx = load_runtime(tiny_bundle, read_bundle(tiny_bundle))
    assert onnx.outputs == 1
    np.testing.assert_allclose(
        onnx.raw_scores(*batch), TorchRuntime(tiny_model).raw_scores(*batch), atol=1e-5
    )


def test_int8_activations_keep_costs_near_and_free_of_the_batch(tiny_bundle):
    texts = ["hello", "please tell me about the weather", "a cat sits on the mat in the garden"]
    exact, fast = load(tiny_bundle), load(tiny_bundle, int8_activations=True)
    together = fast.score(texts)
    np.testing.assert_allclose(together, [fast.score([text])[0] for text in texts], atol=1e-6)
    np.testing.assert_allclose(together, exact.score(texts), atol=0.5)


def test_options_that_a_runtime_lacks_are_refused(tiny_bundle, decoder_bundle):
    with pytest.raises(RecipeError, match="runs on cpu"):
        load(tiny_bundle, device="cuda")
    with pytest.raises(RecipeError, match="int8 activations need ONNX"):
        load(decoder_bundle, int8_activations=True)
    with pytest.raises(RecipeError, match="device 'abacus'"):
        load(decoder_bundle, device="abacus")


def test_an_unknown_runtime_is_refused(tiny_bundle):
    manifest = replace(read_bundle(tiny_bundle), runtime="abacus")
    with pytest.raises(BundleError, match="abacus"):
        load_runtime(tiny_bundle, manifest)


def test_a_model_that_is_no_onnx_is_refused(tmp_path, tiny_bundle):
    (tmp_path / "model.onnx").write_bytes(b"not a graph")
    with pytest.raises(BundleError, match=r"model\.onnx cannot be loaded"):
        load_runtime(tmp_path, read_bundle(tiny_bundle))


@pytest.mark.parametrize("value", ["0", "-1", "many"])
def test_a_number_of_threads_that_is_none_is_refused(monkeypatch, tiny_bundle, value):
    monkeypatch.setenv("HARMGAUGE_THREADS", value)
    with pytest.raises(RecipeError, match="HARMGAUGE_THREADS"):
        load(tiny_bundle)
    with pytest.raises(RecipeError, match="threads is '0'"):
        load(tiny_bundle, threads=0)


def test_more_threads_than_cores_are_not_started(tiny_bundle):
    assert load(tiny_bundle, threads=100_000).score(["hello"]).shape == (1,)  # else this hangs
