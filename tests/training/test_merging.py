"""`model.merge`: the mean of the weights of several gauges."""

from __future__ import annotations

import importlib
import json
import re
import shutil
from dataclasses import replace

import pytest
import torch

from harmgauge.bundle import read_bundle
from harmgauge.errors import BundleError, RecipeError
from harmgauge.training.bases import load_base
from harmgauge.training.export import export_onnx
from harmgauge.training.merging import merged
from harmgauge.training.model import CostModel
from harmgauge.training.pipeline import prepare, run
from harmgauge.training.recipe import Model
from harmgauge.training.reopen import read_cost_model
from harmgauge.training.vocabulary import prune_vocabulary
from tiny import MAX_TOKENS, make_bundle, make_decoder, make_encoder

WORDS = "embeddings.word_embeddings.weight"


def edit_manifest(bundle, **values):
    path = bundle / "gauge.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def stored(folder, name, model, tokenizer):
    export_onnx(model, tokenizer, folder / "files", storage="fp32")
    files = {path.name: path for path in (folder / "files").iterdir()}
    return make_bundle(folder / "bundle", name, model, "onnx", files)


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    return stored(tmp_path_factory.mktemp("one"), "one", *make_encoder(("cost", "spam")))


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    """Of the same origin, trained elsewhere: other weights, fewer tokens, another category."""
    model, tokenizer = make_encoder(("cost", "noise"))
    torch.manual_seed(5)
    with torch.no_grad():
        for weights in model.parameters():
            weights += 0.1 * torch.randn_like(weights)
    used = set(tokenizer.get_vocab().values()) - {tokenizer.token_to_id("bread")}
    return stored(
        tmp_path_factory.mktemp("other"), "other", *prune_vocabulary(model, tokenizer, used)
    )


def base_of(bundle, *categories):
    return load_base(f"gauge:{bundle}", Model(max_tokens=MAX_TOKENS, categories=categories))


def test_weights_are_the_mean_token_by_token_and_output_by_output(one, other):
    base = base_of(one, "spam", "noise", "new")
    new_head = base.model.head.weight[3].detach().clone()
    base = merged(base, {str(other): 0.25})
    (a, words, _), (b, fewer, about) = read_cost_model(one), read_cost_model(other)
    ours, first, second = (model.backbone.state_dict() for model in (base.model, a, b))
    for name in ours.keys() - {WORDS}:
        torch.testing.assert_close(ours[name], 0.75 * first[name] + 0.25 * second[name])
    assert words.token_to_id("bread")
    assert fewer.token_to_id("bread") is None
    for token, place in words.get_vocab().items():
        theirs = fewer.token_to_id(token)
        expected = first[WORDS][place]
        if theirs is not None:
            expected = 0.75 * expected + 0.25 * second[WORDS][theirs]
        torch.testing.assert_close(ours[WORDS][place], expected)
    head = base.model.head.weight
    torch.testing.assert_close(head[0], 0.75 * a.head.weight[0] + 0.25 * b.head.weight[0])
    torch.testing.assert_close(head[1:3], torch.stack([a.head.weight[1], b.head.weight[1]]))
    torch.testing.assert_close(head[3], new_head)
    assert base.drawn == {"new"}
    assert base.model.spec.base == f"0.75 gauge:{read_bundle(one).id} + 0.25 gauge:{about.id}"
    assert base.model.spec.base_sha256 is None
    assert [each["source"] for each in base.data] == ["one: made up"]  # which the other read, too
    assert [each.id for each in base.gauges] == [read_bundle(one).id, about.id]


def test_a_gauge_merged_with_itself_is_itself(one):
    alone, same = base_of(one), merged(base_of(one), {str(one): 0.5})
    for name, weights in alone.model.state_dict().items():
        torch.testing.assert_close(same.model.state_dict()[name], weights)


def test_training_goes_on_from_the_mean_and_on_from_that_alone(one, other, make_recipe, tmp_path):
    optim = {"learning_rate": 1e-9, "batch_tokens": 256, "max_steps": 1}
    other = shutil.copytree(other, tmp_path / "other")
    shape = {"max_tokens": MAX_TOKENS, "merge": {str(other): 0.5}}
    recipe = make_recipe(f"gauge:{one}", model=shape, optim=optim, storage="fp32")
    manifest = read_bundle(run(recipe, tmp_path, tmp_path / "run", quiet=True))
    assert f"`{manifest.id}`" in (tmp_path / "run" / "bundle" / "README.md").read_text()
    assert manifest.base["name"].endswith(f" + 0.5 gauge:{read_bundle(other).id}")
    expected = merged(base_of(one), {str(other): 0.5}).model
    trained, _ = CostModel.load(tmp_path / "run" / "model")
    for name, weights in expected.state_dict().items():
        torch.testing.assert_close(trained.state_dict()[name], weights, atol=1e-5, rtol=0)
    edit_manifest(other, name="another")  # and so of another id
    shutil.rmtree(tmp_path / "run" / "bundle")
    with pytest.raises(RecipeError, match=r"was begun from .*other@.* what is there now"):
        run(recipe, tmp_path, tmp_path / "run", quiet=True, resume=True)


def test_weights_that_are_not_open_make_none_that_are(one, other, make_recipe, tmp_path):
    closed = shutil.copytree(other, tmp_path / "closed")
    edit_manifest(closed, licence="CC-BY-NC-4.0")
    shape = {"max_tokens": MAX_TOKENS, "merge": {str(closed): 0.5}}
    with pytest.raises(RecipeError, match=r"other@.*, from whose weights it begins, .*BY-NC"):
        prepare(make_recipe(f"gauge:{one}", model=shape), tmp_path)


def test_numbers_of_other_sizes_and_tokens_without_embedding_merge(one, tmp_path):
    model, tokenizer = make_decoder()
    model.backbone.to(torch.bfloat16)
    model.save(tmp_path / "files", tokenizer)
    files = {path.name: path for path in (tmp_path / "files").iterdir()}
    small = make_bundle(tmp_path / "small", "small", model, "torch", files)
    tokenizer.add_special_tokens(["[LATER]"])  # has no embedding
    model.backbone.float()
    model.save(tmp_path / "files", tokenizer)
    large = make_bundle(tmp_path / "large", "large", model, "torch", files)
    base = merged(base_of(large), {str(small): 0.5}).model
    for name, weights in base.backbone.state_dict().items():
        torch.testing.assert_close(weights, model.backbone.state_dict()[name])


def test_shares_are_set_side_by_side(one, other, make_recipe, tmp_path, monkeypatch, capsys):
    shape = {"max_tokens": MAX_TOKENS, "merge": {str(other): 0.5}, "categories": ["noise", "spam"]}
    recipe = make_recipe(f"gauge:{one}", model=shape)
    file = tmp_path / "both.yaml"
    file.write_text(recipe.model_dump_json(by_alias=True, exclude_unset=True), encoding="utf-8")
    monkeypatch.syspath_prepend("benchmarks")
    monkeypatch.setattr("sys.argv", ["merging", str(file), "--shares", "0", "1", "--cap", "40"])
    importlib.import_module("merging").main()
    rows, *told = capsys.readouterr().out.splitlines()
    assert rows == "70 rows"
    assert [line.split(":")[0] for line in told] == ["0", "1", "mean of what both say"]
    assert all(re.search(r"mean \d\.\d+ .*singles \d\.\d+.*; pairs pairs \d\.\d+", x) for x in told)
    assert told[0].split(":")[1] != told[1].split(":")[1]


def test_what_cannot_be_merged_is_refused(one, tmp_path, make_recipe, encoder_base):
    model, tokenizer = make_decoder()
    model.save(tmp_path / "files", tokenizer)
    files = {path.name: path for path in (tmp_path / "files").iterdir()}
    decoder = make_bundle(tmp_path / "decoder", "decoder", model, "torch", files)
    with pytest.raises(RecipeError, match="decoder has another backbone than gauge:one@"):
        merged(base_of(one), {str(decoder): 0.5})
    model, tokenizer = make_encoder()
    model.spec = replace(model.spec, layout=replace(model.spec.layout, segments=True))
    apart = stored(tmp_path / "apart", "apart", model, tokenizer)
    with pytest.raises(RecipeError, match=r"apart.* has another template"):
        merged(base_of(one), {str(apart): 0.5})
    with pytest.raises(BundleError, match="no gauge 'nobody'"):
        merged(base_of(one), {"nobody": 0.5})
    for base, shares, said in (
        (f"gauge:{one}", {"midi": 0.5, "mini": 0.5}, "1 together, which leaves nothing"),
        (encoder_base, {"midi": 0.5}, "the base is none"),
        (f"gauge:{one}", {"midi": 1.0}, "less than 1"),
    ):
        with pytest.raises(ValueError, match=said):
            make_recipe(base, model={"max_tokens": MAX_TOKENS, "merge": shares})
