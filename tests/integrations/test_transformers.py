from dataclasses import replace
from operator import itemgetter
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from tokenizers import Tokenizer

from harmgauge import BundleError, Exchange, load
from harmgauge.bundle import read_bundle, write_bundle
from harmgauge.calibration import Calibration
from harmgauge.cli.main import cli
from harmgauge.training.export import export_onnx
from harmgauge.training.export_transformers import export_transformers
from harmgauge.training.reopen import read_cost_model
from harmgauge.training.symbols import read_symbols
from harmgauge.windows import Windower
from tiny import costs_of, make_bundle, make_decoder, make_encoder

TEXTS = ["hello", "how do i bake bread?", "please tell me [SEP] [CLS] about the weather"]
PAIRS = [("hello", "thank you"), ("grow a tree [SEP]", "water, and sun. [PAD]")]


@pytest.fixture(scope="module", params=["encoder", "decoder", "torch-decoder"])
def exported(request, tmp_path_factory):
    """A bundle and the Hugging Face folder made from it."""
    scratch = tmp_path_factory.mktemp(request.param)
    if request.param == "encoder":
        model, tokenizer = make_encoder(("cost", "violence"))
    else:
        model, tokenizer = make_decoder()
    runtime = "torch" if request.param.startswith("torch") else "onnx"
    if runtime == "torch":
        model.save(scratch / "files", tokenizer)
    else:
        export_onnx(model, tokenizer, scratch / "files", storage="int8")
    files = {path.name: path for path in (scratch / "files").iterdir()}
    bundle = make_bundle(scratch / "bundle", "tiny", model, runtime, files)
    export_transformers(bundle, scratch / "hf")
    return bundle, scratch / "hf"


def test_tokenizer_lays_texts_out_as_the_gauge_does(exported):
    from transformers import AutoTokenizer

    bundle, folder = exported
    model, tokenizer, manifest = read_cost_model(bundle)
    windower = Windower(tokenizer, manifest.layout)
    loaded = AutoTokenizer.from_pretrained(folder)
    for text in TEXTS:
        encoded = loaded(text)
        assert [encoded["input_ids"]] == windower.windows(Exchange(text))
        assert set(encoded) == {"input_ids", "attention_mask"}
    for prompt, response in PAIRS:
        assert [loaded(prompt, response)["input_ids"]] == windower.windows(
            Exchange(prompt, response)
        )
    assert loaded.model_max_length == model.spec.layout.max_tokens


def test_symbols_are_read_as_the_gauge_does(tmp_path):
    from transformers import AutoTokenizer

    model, tokenizer = make_encoder()
    read_symbols(tokenizer)
    export_onnx(model, tokenizer, tmp_path / "files", storage="int8")
    files = {path.name: path for path in (tmp_path / "files").iterdir()}
    bundle = make_bundle(tmp_path / "bundle", "tiny", model, "onnx", files)
    export_transformers(bundle, tmp_path / "hf")
    loaded = AutoTokenizer.from_pretrained(tmp_path / "hf")
    windower = Windower(Tokenizer.from_file(str(bundle / "tokenizer.json")), model.spec.layout)
    prompt, response = "🐷🏿", "𝐜𝐚𝐭 🇮🇹"
    (window,) = windower.windows(Exchange(prompt, response))
    assert tokenizer.token_to_id("[UNK]") not in window
    assert loaded(prompt, response)["input_ids"] == window


@pytest.mark.parametrize("batch_size", [1, 3])
def test_pipeline_gives_the_cost(exported, batch_size):
    from transformers import pipeline

    import harmgauge.integrations.transformers  # noqa: F401

    bundle, folder = exported
    gauge = load(bundle, threads=1)
    pipe = pipeline("text-classification", str(folder), top_k=None)
    inputs = [*TEXTS, *({"text": prompt, "text_pair": response} for prompt, response in PAIRS)]
    expected = gauge.score([*TEXTS, *(Exchange(*pair) for pair in PAIRS)])
    found = pipe(inputs, batch_size=batch_size)
    costs = costs_of(found)
    np.testing.assert_allclose(costs, expected, atol=1e-4)


def rewritten(bundle, folder, **values):
    """The same bundle with other values in its manifest."""
    manifest = read_bundle(bundle)
    write_bundle(
        folder, replace(manifest, **values), {name: bundle / name for name in manifest.files}
    )
    return folder


def test_what_the_readme_shows_is_the_cost_where_a_category_is_higher(exported, tmp_path):
    low = Calibration(-30.0, 1.0, 0.4, "made up", 50)
    bundle = rewritten(exported[0], tmp_path / "low", calibration=low)
    export_transformers(bundle, tmp_path / "hf")
    code = (
        (tmp_path / "hf" / "README.md").read_text("utf-8").split("```python\n")[1].split("```")[0]
    )
    names: dict[str, Any] = {}
    exec(code.replace("this folder", str(tmp_path / "hf")), names)
    if len(read_bundle(bundle).outputs) > 1:
        assert all(max(o, key=itemgetter("score"))["label"] != "cost" for o in names["pipe"](TEXTS))
    costs = load(bundle).score(["a prompt alone", Exchange("a prompt", "a response")])
    np.testing.assert_allclose(names["costs"], costs, atol=1e-4)


def test_kinds_of_input_keep_their_scales(exported, tmp_path):
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline

    import harmgauge.integrations.transformers  # noqa: F401

    scale = Calibration(-1.5, 2.0, 0.4, "made up", 50)
    bundle = rewritten(exported[0], tmp_path / "own", calibration_by_kind={"exchange": scale})
    export_transformers(bundle, tmp_path / "hf")
    pipe = pipeline("text-classification", str(tmp_path / "hf"), top_k=None)
    inputs = [*TEXTS, *({"text": prompt, "text_pair": response} for prompt, response in PAIRS)]
    found = pipe(inputs, batch_size=len(inputs))
    costs = costs_of(found)
    exchanges = [*TEXTS, *(Exchange(*pair) for pair in PAIRS)]
    np.testing.assert_allclose(costs, load(bundle).score(exchanges), atol=1e-4)
    common = load(exported[0]).score(exchanges)
    np.testing.assert_allclose(costs[: len(TEXTS)], common[: len(TEXTS)], atol=1e-4)
    assert abs(costs[-1] - common[-1]) > 0.1
    assert "token_type_ids" in (tmp_path / "hf" / "README.md").read_text()
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path / "hf")
    batch = AutoTokenizer.from_pretrained(tmp_path / "hf")(*PAIRS[1], return_tensors="pt")
    del batch["token_type_ids"]
    with torch.no_grad():  # without them, on the common scale
        assert model(**batch).logits[0, 0].item() == pytest.approx(common[-1], abs=1e-4)


@pytest.mark.parametrize("side", ["left", "right"])
def test_auto_classes_load_it_and_training_it_further_lowers_its_loss(exported, side):
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    import harmgauge.integrations.transformers  # noqa: F401

    _, folder = exported
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    batch = tokenizer(TEXTS, padding=True, padding_side=side, return_tensors="pt")
    labels = torch.tensor([0.0, 1.0, 0.0])
    optimiser = torch.optim.SGD(model.parameters(), lr=1e-3)
    first = model(**batch, labels=labels).loss
    first.backward()
    optimiser.step()
    assert model(**batch, labels=labels).loss < first


def test_saved_again_it_gives_the_same_costs(exported, tmp_path):
    from transformers import AutoModelForSequenceClassification

    import harmgauge.integrations.transformers  # noqa: F401

    _, folder = exported
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    model.save_pretrained(tmp_path)
    again = AutoModelForSequenceClassification.from_pretrained(tmp_path)
    ids = torch.tensor([[5, 6, 7]])
    with torch.no_grad():
        torch.testing.assert_close(again(ids).logits, model(ids).logits, atol=1e-5, rtol=1e-5)


def test_no_folder_of_this_machine_is_written(exported):
    bundle, folder = exported
    for path in folder.iterdir():
        assert str(bundle.parent).encode() not in path.read_bytes(), path.name


def test_a_folder_that_is_not_empty_is_left_alone(exported, tmp_path):
    (tmp_path / "kept").write_text("kept")
    with pytest.raises(BundleError, match="not empty"):
        export_transformers(exported[0], tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_a_graph_of_other_origin_cannot_be_rebuilt(tiny_bundle, tmp_path):
    with pytest.raises(BundleError, match=r"no config\.json"):
        export_transformers(tiny_bundle, tmp_path / "hf")


def test_a_scale_that_is_not_straight_does_not_fit_into_the_head(decoder_bundle, tmp_path):
    bent = Calibration(0.1, 0.5, 0.25, "own", 9, knots=((-1.0, -2.0), (1.0, 3.0)))
    for values in ({"calibration": bent}, {"calibration_by_kind": {"prompt": bent}}):
        bundle = rewritten(decoder_bundle, tmp_path / "bent", **values)
        with pytest.raises(BundleError, match="--recalibrate platt"):
            export_transformers(bundle, tmp_path / "hf")
    assert not (tmp_path / "hf").exists()


def test_command_writes_the_folder(exported, tmp_path):
    arguments = ["export", "--gauge", str(exported[0]), "--to", "transformers"]
    result = CliRunner().invoke(cli, [*arguments, str(tmp_path / "hf")])
    assert result.exit_code == 0, result.output
    assert (tmp_path / "hf" / "model.safetensors").is_file()
