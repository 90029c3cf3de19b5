"""Fewer layers: those that are kept, their weights, and what a folder says of them."""

from __future__ import annotations

import importlib
import json
import re

import pytest
import torch
from transformers import AutoConfig, AutoTokenizer

import harmgauge
from harmgauge.errors import RecipeError
from harmgauge.integrations.transformers import HarmgaugeForSequenceClassification
from harmgauge.runtime.weights import MODEL
from harmgauge.training.depth import keep_layers, spaced
from harmgauge.training.export import export_onnx
from harmgauge.training.export_transformers import export_transformers
from harmgauge.training.model import CostModel, ModelSpec, new_backbone
from harmgauge.training.pipeline import prepare, run
from harmgauge.training.quantise import read_parameters
from harmgauge.training.reopen import read_cost_model
from harmgauge.windows import Layout
from tiny import MAX_TOKENS, language_model_config, make_bundle, make_encoder, make_tokenizer

SIZES = {
    **{"vocab_size": 200, "hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 32},
    **{"max_position_embeddings": MAX_TOKENS + 2, "initializer_range": 0.2},
}
KINDS = {  # how its config says how deep it is, and anything else of each of its layers
    "bert": lambda depth: AutoConfig.for_model("bert", num_hidden_layers=len(depth), **SIZES),
    "mpnet": lambda depth: AutoConfig.for_model("mpnet", num_hidden_layers=len(depth), **SIZES),
    "llama": lambda depth: language_model_config("llama", num_hidden_layers=len(depth)),
    "gemma3_text": lambda depth: language_model_config(
        "gemma3_text",
        num_hidden_layers=len(depth),
        layer_types=[("sliding_attention", "full_attention")[place % 2] for place in depth],
    ),
    "longformer": lambda depth: AutoConfig.for_model(
        "longformer",
        num_hidden_layers=len(depth),
        attention_window=[(4, 8)[place % 2] for place in depth],
        **SIZES,
    ),
    "gpt_neo": lambda depth: language_model_config(
        "gpt_neo",
        num_layers=len(depth),
        attention_types=[[[("global", "local")[place % 2] for place in depth], 1]],
    ),
}
IDS = torch.arange(5, 5 + MAX_TOKENS)[None].repeat(2, 1)
MASK = (torch.arange(MAX_TOKENS) < torch.tensor([[MAX_TOKENS], [7]])).long()


def make(config, name="deep"):
    torch.manual_seed(0)
    spec = ModelSpec("mean", Layout((1,), (1,), (1,), MAX_TOKENS), base=name)
    return CostModel(new_backbone(config), spec).eval()


def pooled(model):
    with torch.no_grad():
        return model.pooled(IDS, MASK)


def deeper(name, places):
    """What a weight is called in the model that has the other layers, too."""
    return re.sub(r"\b\d+\b", lambda place: str(places[int(place[0])]), name, count=1)


@pytest.mark.parametrize(
    ("count", "total", "places"),
    [
        (6, 12, (0, 2, 4, 7, 9, 11)),
        (3, 6, (0, 3, 5)),
        (2, 9, (0, 8)),
        (1, 9, (0,)),
        (4, 4, (0, 1, 2, 3)),
    ],
)
def test_layers_are_spaced_over_the_whole_depth(count, total, places):
    assert spaced(count, total) == places


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_the_model_that_has_these_layers_alone(kind, tmp_path):
    places = (0, 3, 5)
    model, by_hand = make(KINDS[kind](range(6))), make(KINDS[kind](places))
    weights = model.backbone.state_dict()
    names = {name: deeper(name, places) for name in by_hand.backbone.state_dict()}
    by_hand.backbone.load_state_dict({name: weights[whose] for name, whose in names.items()})
    before = pooled(model)
    keep_layers(model, 3)
    torch.testing.assert_close(pooled(model), pooled(by_hand), rtol=0, atol=1e-5)
    assert not torch.allclose(pooled(model), before, atol=1e-3)
    model.save(tmp_path / "model", make_tokenizer())
    again, _ = CostModel.load(tmp_path / "model")
    assert again.backbone.config.num_hidden_layers == 3
    torch.testing.assert_close(pooled(again), pooled(model), rtol=0, atol=1e-5)


@pytest.mark.parametrize("count", [None, 2])
def test_as_many_as_there_are_change_nothing(count):
    model = make(KINDS["bert"](range(2)))
    before = pooled(model)
    keep_layers(model, count)
    torch.testing.assert_close(pooled(model), before, rtol=0, atol=0)


def test_more_layers_than_there_are_are_refused(tmp_path, make_recipe, encoder_base):
    recipe = make_recipe(encoder_base, model={"max_tokens": MAX_TOKENS, "layers": 3})
    said = rf"model\.layers is 3, but {encoder_base.name} has only 2 layers; lower it, or leave it"
    with pytest.raises(RecipeError, match=said):
        prepare(recipe, tmp_path)


def test_layers_that_cannot_stand_alone_are_refused():
    shared = AutoConfig.for_model("albert", num_hidden_layers=4, embedding_size=8, **SIZES)
    others = AutoConfig.for_model(  # every other one has experts
        "qwen2_moe", num_hidden_layers=4, decoder_sparse_step=2, num_experts=2, **SIZES
    )
    for config in (shared, others):
        with pytest.raises(RecipeError, match=r"depend on where they stand, .* leave out"):
            keep_layers(make(config), 3)


def test_only_kept_layers_count_as_frozen(tmp_path, make_recipe, encoder_base):
    settings = {"max_tokens": MAX_TOKENS, "layers": 1, "freeze_layers": 2}
    with pytest.raises(RecipeError, match="only 1 layers"):
        prepare(make_recipe(encoder_base, model=settings), tmp_path)


@pytest.fixture
def teacher(tmp_path):
    """A bundle with an encoder of two layers."""
    model, tokenizer = make_encoder()
    export_onnx(model, tokenizer, tmp_path / "onnx", storage="fp32")
    files = {path.name: path for path in (tmp_path / "onnx").iterdir()}
    return make_bundle(tmp_path / "teacher", "teacher", model, "onnx", files)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_gauges_of_other_depths_are_made_for_their_size(
    count, teacher, tmp_path, monkeypatch, capsys
):
    monkeypatch.syspath_prepend("benchmarks")
    called = ["depths", str(teacher), str(count), "--out", str(tmp_path), "--storage", "fp32"]
    monkeypatch.setattr("sys.argv", called)
    importlib.import_module("depths").main()
    made = tmp_path / f"layers-{count}"
    model, _, _ = read_cost_model(made)
    layers = model.backbone.encoder.layer
    assert model.backbone.config.num_hidden_layers == len(layers) == count
    firsts = {tuple(layer.intermediate.dense.weight[0].tolist()) for layer in layers}
    assert len(firsts) == count  # none is stored for another
    size = sum(path.stat().st_size for path in made.iterdir()) / 1e6
    assert f" {size:.1f} MB, " in capsys.readouterr().out


@pytest.mark.parametrize("start", ["folder", "gauge"])
def test_a_student_starts_from_a_part_of_its_base_or_teacher(
    start, tmp_path, make_recipe, encoder_base, teacher
):
    recipe = make_recipe(
        encoder_base if start == "folder" else f"gauge:{teacher}",
        model={"max_tokens": MAX_TOKENS, "layers": 1},
        optim={"learning_rate": 1e-3, "batch_tokens": 256, "max_steps": 2},
        storage="fp32",
    )
    bundle = run(recipe, tmp_path, tmp_path / "run", quiet=True)
    for folder in (tmp_path / "run" / "model", bundle):
        assert json.loads((folder / "config.json").read_text())["num_hidden_layers"] == 1
    layers = {
        int(n) for n in re.findall(r"layer\.(\d+)\.", " ".join(read_parameters(bundle / MODEL)))
    }
    assert layers == {0}
    export_transformers(bundle, tmp_path / "exported")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "exported")
    model = HarmgaugeForSequenceClassification.from_pretrained(tmp_path / "exported")
    with torch.no_grad():
        cost = model(**tokenizer("hello", return_tensors="pt")).logits[0, 0].item()
    gauge = harmgauge.load(bundle)
    assert gauge.score([harmgauge.Exchange(prompt="hello")])[0] == pytest.approx(cost, abs=1e-4)
