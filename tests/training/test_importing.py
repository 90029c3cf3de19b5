"""Tiny Hugging Face classifiers with random weights become bundles that score as they do."""

import json
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("transformers")

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from harmgauge import BundleError, Exchange, RecipeError, load
from harmgauge.bundle import read_bundle, write_bundle
from harmgauge.training.export_transformers import export_transformers
from harmgauge.training.heads import log_odds
from harmgauge.training.importing import import_classifier
from harmgauge.training.reopen import read_cost_model
from harmgauge.windows import Windower
from tiny_classifier import KINDS, make

TEXTS = [
    ("how do i bake bread?",),
    ("tell me [SEP] about the weather", "nice rain today, sun and snow!"),
]
CHAT = "[CLS]{% for m in messages %}[UNK]{{ m.role }} {{ m.content | trim }}[SEP]{% endfor %}[UNK]"


def logits(tokenizer, model, texts):
    with torch.inference_mode():
        return model(**tokenizer(*texts, return_tensors="pt")).logits[0].double().numpy()


def bundle_of(source, out, *direction, name="theirs"):
    import_classifier(source, direction, out, name=name, base="base", licence="MIT", threads=1)
    return out


def raw_scores(bundle, *texts):
    return load(bundle, threads=1).raw_scores([Exchange(*each) for each in texts])[:, 0]


@pytest.mark.parametrize("kind", KINDS)
def test_scores_are_those_of_transformers_on_the_same_tokens(kind, tmp_path):
    tokenizer, model = make(tmp_path / "hf", kind)
    bundle = bundle_of(tmp_path / "hf", tmp_path / "bundle", "unsafe-low")
    manifest = read_bundle(bundle)
    windower = Windower(Tokenizer.from_file(str(bundle / "tokenizer.json")), manifest.layout)
    for texts in TEXTS:
        assert windower.windows(Exchange(*texts)) == [tokenizer(*texts)["input_ids"]]
    expected = [-logits(tokenizer, model, each)[0] for each in TEXTS]
    np.testing.assert_allclose(raw_scores(bundle, *TEXTS), expected, atol=1e-4)
    assert manifest.calibration.n == 0
    assert manifest.layout.segments == (kind == "bert")
    assert manifest.runtime == "onnx" or kind == "deberta-v2"


def test_of_several_labels_the_unsafe_ones_are_the_score(tmp_path):
    tokenizer, model = make(tmp_path / "hf", "bert", ("calm", "rude", "odd"))
    bundle = bundle_of(tmp_path / "hf", tmp_path / "bundle", "rude", "odd")
    for texts, raw in zip(TEXTS, raw_scores(bundle, *TEXTS), strict=True):
        calm, *others = logits(tokenizer, model, texts)
        assert raw == pytest.approx(np.logaddexp(*others) - calm, abs=1e-4)
    assert read_bundle(bundle).head["unsafe"] == ["rude", "odd"]
    for direction, error in (
        (("unsafe-high",), "^base: state which label .* calm, rude, odd"),
        (("mild",), "no label 'mild'"),
        (("calm", "rude", "odd"), "all labels are stated"),
        (("unsafe-high", "rude"), "state one direction"),
        ((), "state one direction"),
    ):
        with pytest.raises(RecipeError, match=error):
            bundle_of(tmp_path / "hf", tmp_path / "other", *direction)
    assert not (tmp_path / "other").exists()


def test_log_odds_of_labels():
    scores = torch.tensor([[1.0, 3.0, 2.0]])
    assert log_odds(scores[:, :2], [1], independent=False).item() == pytest.approx(2.0)
    probability = scores.softmax(1)[0, 1:].sum()
    assert log_odds(scores, [1, 2], independent=False).item() == pytest.approx(
        torch.logit(probability).item(), abs=1e-5
    )
    assert log_odds(scores, [0, 2], independent=True).item() == 2.0
    assert log_odds(scores[:, :1], [0], independent=False).item() == 1.0


def test_a_chat_template_is_followed(tmp_path):
    tokenizer, model = make(tmp_path / "hf", "llama", template=CHAT)
    bundle = bundle_of(tmp_path / "hf", tmp_path / "bundle", "unsafe-high")
    chat = [("user", "hello"), ("assistant", "how do i?"), ("user", "grow a tree")]
    for turns in (chat[:1], chat[:2], chat):
        messages = [{"role": role, "content": text} for role, text in turns]
        text = tokenizer.apply_chat_template(messages, tokenize=False)
        inputs = tokenizer(text, add_special_tokens=False, return_tensors="pt")
        with torch.inference_mode():
            expected = model(**inputs).logits[0, 0].item()
        found = load(bundle, threads=1).raw_scores([Exchange.from_messages(messages)])[0, 0]
        assert found == pytest.approx(expected, abs=1e-4)


def test_a_chat_template_that_differs_from_turn_to_turn_is_refused(tmp_path):
    ends_once = CHAT.replace("[SEP]{% endfor %}", "{% endfor %}[SEP]")
    make(tmp_path / "hf", "llama", template=ends_once)
    with pytest.raises(BundleError, match="chat template"):
        bundle_of(tmp_path / "hf", tmp_path / "bundle", "unsafe-high")


def test_long_texts_are_read_in_windows(tmp_path):
    make(tmp_path / "hf", "bert")
    gauge = load(bundle_of(tmp_path / "hf", tmp_path / "bundle", "unsafe-high"), threads=1)
    assert gauge.verdict(Exchange("hello", "rain and snow " * 20)).windows > 1


def test_an_imported_bundle_is_opened_again_but_not_exported(tmp_path):
    tokenizer, model = make(tmp_path / "hf", "bert")
    bundle = bundle_of(tmp_path / "hf", tmp_path / "bundle", "unsafe-high")
    again, _, _ = read_cost_model(bundle)
    inputs = tokenizer(*TEXTS[1], return_tensors="pt")
    with torch.inference_mode():
        raw = again(inputs["input_ids"], inputs["attention_mask"])[0, 0].item()
    assert raw == pytest.approx(logits(tokenizer, model, TEXTS[1])[0], abs=1e-4)
    with pytest.raises(BundleError, match="imported from a Hugging Face classifier"):
        export_transformers(bundle, tmp_path / "again")
    with pytest.raises(RecipeError, match=r"leave out model\.categories"):
        again.set_outputs(("cost", "violence"))


def test_a_head_that_is_not_known_is_refused(tmp_path, monkeypatch):
    _, model = make(tmp_path / "hf", "bert")
    monkeypatch.setattr(type(model.bert.pooler), "forward", lambda self, hidden: hidden[:, 0])
    with pytest.raises(BundleError, match="score otherwise than in transformers"):
        bundle_of(tmp_path / "hf", tmp_path / "bundle", "unsafe-high")
    assert not (tmp_path / "bundle").exists()


def cut(folder):
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:200])


def resize(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "intermediate_size": 16}))


def lose_the_tokenizer(folder):
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink()


def add_a_token(folder):
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.add_tokens(["sleet"])
    tokenizer.save(str(folder / "tokenizer.json"))


def spoil(folder):
    weights = load_file(folder / "model.safetensors")
    weights["classifier.bias"] *= torch.nan
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (cut, r"cannot be read as a sequence classifier \(SafetensorError\)"),
        (resize, r"cannot be read as a sequence classifier \(RuntimeError\)"),
        (lose_the_tokenizer, r"has no tokenizer\.json; put it into the folder"),
        (add_a_token, r"has token \d+, but the model only \d+ embeddings"),
        (spoil, "gives probe texts no finite score: its weights are damaged"),
    ],
)
def test_what_is_not_whole_is_told_in_a_sentence(damage, says, tmp_path):
    make(tmp_path / "theirs", "bert")
    damage(tmp_path / "theirs")
    with pytest.raises((RecipeError, BundleError), match=says):
        bundle_of(tmp_path / "theirs", tmp_path / "gauge", "unsafe-high")
    assert not (tmp_path / "gauge").exists()


def test_a_layout_of_turns_that_is_damaged_is_refused(tmp_path, tiny_bundle):
    manifest = read_bundle(tiny_bundle)
    files = {name: tiny_bundle / name for name in manifest.files}
    layout = replace(manifest.layout, turns={"user": ((1,), ()), "assistant": ((), (2,))})
    write_bundle(tmp_path / "bundle", replace(manifest, layout=layout), files)
    assert read_bundle(tmp_path / "bundle").layout == layout
    path = tmp_path / "bundle" / "gauge.json"
    values = json.loads(path.read_text())
    for damaged in ({"user": [[1], []]}, {"user": [[1], []], "assistant": [["x"], []]}):
        path.write_text(json.dumps(values | {"layout": values["layout"] | {"turns": damaged}}))
        with pytest.raises(BundleError, match="wrong kind: turns"):
            read_bundle(tmp_path / "bundle")
