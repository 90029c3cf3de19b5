"""`base: gauge:NAME`: training that goes on from a gauge."""

from __future__ import annotations

import importlib
import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import harmgauge
from harmgauge.errors import BundleError, RecipeError
from harmgauge.training.bases import load_base
from harmgauge.training.checkpoints import trainable_state
from harmgauge.training.export import export_onnx
from harmgauge.training.finish import learnt_from
from harmgauge.training.interpolation import interpolate, weights_now
from harmgauge.training.model import CostModel
from harmgauge.training.pipeline import prepare, run
from harmgauge.training.recipe import Model, Recipe
from harmgauge.windows import Windower
from tiny import MAX_TOKENS, make_bundle, make_decoder, make_encoder

CHATS = [harmgauge.Exchange(prompt=text) for text in ("hello", "bake bread", "cat sits on mat")]


@pytest.fixture(scope="module", params=["encoder", "torch-decoder"])
def bundle(request, tmp_path_factory):
    """A bundle, of an encoder with a category beside the cost, or of a decoder."""
    scratch = tmp_path_factory.mktemp(request.param)
    if request.param == "encoder":
        model, tokenizer = make_encoder(("cost", "violence"))
        export_onnx(model, tokenizer, scratch / "files", storage="fp32")
    else:
        model, tokenizer = make_decoder()
        model.save(scratch / "files", tokenizer)
    files = {path.name: path for path in (scratch / "files").iterdir()}
    runtime = "onnx" if request.param == "encoder" else "torch"
    return make_bundle(scratch / "bundle", "old", model, runtime, files)


def test_it_starts_from_the_gauge_whole_but_for_its_categories(bundle):
    base = load_base(f"gauge:{bundle}", Model(max_tokens=MAX_TOKENS))
    assert base.model.spec.outputs == ("cost",)
    assert base.model.spec.base == f"gauge:{harmgauge.load(bundle).id}"
    assert base.model.spec.base_sha256
    assert base.data == ({"source": "old: made up", "licence": "CC0-1.0", "rows": 100},)
    gauge = harmgauge.load(bundle)
    expected = gauge.raw_scores(CHATS)[:, 0]
    windower = Windower(base.tokenizer, base.model.spec.layout)
    for exchange, cost in zip(CHATS, expected, strict=True):
        (ids,) = windower.windows(exchange)
        with torch.no_grad():
            scores = base.model(torch.tensor([ids]), torch.ones(1, len(ids), dtype=torch.long))
        assert scores.shape == (1, 1)
        assert scores.item() == pytest.approx(cost, abs=1e-4)


def test_settings_of_the_recipe_hold(bundle):
    base = load_base(f"gauge:{bundle}", Model(max_tokens=16, dropout=0.25))
    assert base.model.spec.layout.max_tokens == 16
    config = base.model.backbone.config
    names = ("hidden_dropout_prob", "attention_dropout")
    assert [getattr(config, name) for name in names if hasattr(config, name)] == [0.25]


def test_what_does_not_fit_is_refused(bundle):
    fits = Model(max_tokens=MAX_TOKENS)
    other = "last" if load_base(f"gauge:{bundle}", fits).model.spec.pooling == "mean" else "mean"
    with pytest.raises(RecipeError, match=f"model.pooling is {other}, but gauge:.* leave it out"):
        load_base(f"gauge:{bundle}", Model(max_tokens=MAX_TOKENS, pooling=other))
    with pytest.raises(RecipeError, match=rf"only {MAX_TOKENS} positions"):
        load_base(f"gauge:{bundle}", Model(max_tokens=MAX_TOKENS + 1))
    with pytest.raises(BundleError, match="nobody"):
        load_base("gauge:nobody", Model())


def test_a_gauge_is_no_base_without_its_head_and_what_it_learnt_from(bundle, tmp_path):
    with pytest.raises(RecipeError, match=f"{bundle} is a gauge, .* base: gauge: and the folder"):
        load_base(str(bundle), Model(max_tokens=MAX_TOKENS))
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "recipe.json").write_text("{}")
    with pytest.raises(RecipeError, match=r"folder of a run, .*run/model of harmgauge sft"):
        load_base(str(tmp_path / "run"), Model(max_tokens=MAX_TOKENS))


@pytest.mark.slow
def test_a_gauge_trained_further_keeps_what_it_knew(tmp_path, encoder_base, make_recipe):
    first = run(make_recipe(encoder_base), tmp_path, tmp_path / "first", quiet=True)
    further = make_recipe(
        f"gauge:{first}",
        optim={"learning_rate": 1e-5, "batch_tokens": 256, "max_steps": 2},
        name="tiny-more",
    )
    second = run(further, tmp_path, tmp_path / "second", quiet=True)
    before, after = harmgauge.load(first), harmgauge.load(second)
    assert np.allclose(before.raw_scores(CHATS), after.raw_scores(CHATS), atol=0.1)
    # Both have seen the same rows, which stand once.
    assert [each["source"] for each in after.manifest.data] == ["singles", "pairs"]
    assert after.manifest.base["name"] == f"gauge:{before.id}"


@pytest.mark.slow
def test_interpolated_weights_lie_between_those_of_the_base_and_the_trained_ones(
    tmp_path, encoder_base, make_recipe, monkeypatch, capsys
):
    first = run(make_recipe(encoder_base), tmp_path, tmp_path / "first", quiet=True)
    optim = {"learning_rate": 1e-3, "batch_tokens": 256, "max_steps": 4}
    given = {"optim": optim, "storage": "fp32", "evaluate": {"choose": "last"}}
    recipe = make_recipe(f"gauge:{first}", **given)
    out = tmp_path / "further"
    run(recipe, tmp_path, out, quiet=True)
    begun = {name: p.detach() for name, p in prepare(recipe, tmp_path).model.named_parameters()}
    ended = dict(CostModel.load(out / "model")[0].named_parameters())
    assert any(not torch.equal(begun[name], ended[name]) for name in begun)
    # benchmarks/interpolation.py, which helps to choose the share, meets both ends.
    file = tmp_path / "further.yaml"
    file.write_text(recipe.model_dump_json(by_alias=True, exclude_unset=True), encoding="utf-8")
    monkeypatch.syspath_prepend("benchmarks")
    monkeypatch.setattr("sys.argv", ["interpolation", str(file), str(out), "--shares", "0", "1"])
    importlib.import_module("interpolation").main()
    logged = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    evaluated = [line["auroc_mean"] for line in logged if "evaluated_at" in line]
    _, *told = capsys.readouterr().out.splitlines()
    assert [line.split(" singles")[0] for line in told] == [
        f"0: mean {evaluated[0]:.3f}",
        f"1: mean {evaluated[-1]:.3f}",
    ]
    # Nothing is trained anew when the run is resumed with another share.
    shutil.rmtree(out / "bundle")
    log = (out / "log.jsonl").read_bytes()
    recipe = make_recipe(f"gauge:{first}", **given | {"optim": optim | {"interpolate": 0.25}})
    run(recipe, tmp_path, out, resume=True, quiet=True)
    assert (out / "log.jsonl").read_bytes() == log
    for name, weights in CostModel.load(out / "model")[0].named_parameters():
        expected = 0.75 * begun[name] + 0.25 * ended[name]
        torch.testing.assert_close(weights.detach(), expected.detach())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"base": "all-MiniLM-L6-v2"}, "the head of any other base is drawn at random"),
        ({"model": {"lora": {}}}, "optim.interpolate needs whole weights"),
        ({"model": {"layers": 1}}, "one with fewer layers is no gauge any more"),
    ],
)
def test_interpolation_without_a_gauge_or_of_adapters_is_refused(changes, said):
    source = {"path": "rows.jsonl", "licence": "CC0-1.0"}
    values = {
        "name": "tiny",
        "licence": "CC0-1.0",
        "base": "gauge:mini",
        "data": {"train": [source], "valid": [source]},
        "optim": {"interpolate": 0.5},
    }
    Recipe.model_validate(values)
    with pytest.raises(ValueError, match=said):
        Recipe.model_validate(values | changes)


def test_an_output_that_the_base_has_not_keeps_its_trained_weights(tmp_path, bundle, make_recipe):
    settings = {"members": 2, "max_tokens": MAX_TOKENS}
    recipe = make_recipe(f"gauge:{bundle}", model=settings, optim={"interpolate": 0.5})
    job = prepare(recipe, tmp_path)
    assert job.drawn == {"member_1", "member_2"}
    begun = weights_now(job.model)
    for tensor in trainable_state(job.model).values():
        tensor.add_(1.0)
    interpolate(job.model, begun, 0.25, job.drawn)
    for name, tensor in trainable_state(job.model).items():
        moved = tensor - begun[name]
        old = [row for row, output in enumerate(job.model.spec.outputs) if output == "cost"]
        expected = torch.full_like(moved, 0.25)
        if name.startswith("head."):
            expected.fill_(1.0)[old] = 0.25
        torch.testing.assert_close(moved, expected)


def test_data_of_the_base_alone_stay_named():
    def entry(source: str, rows: int) -> dict[str, object]:
        return {"source": source, "licence": "CC0-1.0", "rows": rows}

    job = SimpleNamespace(
        earlier_data=tuple(
            entry(f"old: {name}", 7) for name in ("same", "grown", "shrunk", "only")
        ),
        train_sources=[
            SimpleNamespace(report=SimpleNamespace(source=name, licence="CC0-1.0", used=rows))
            for name, rows in (("same", 7), ("grown", 9), ("shrunk", 5))
        ],
    )
    assert learnt_from(job) == (
        entry("old: only", 7),
        *(entry("same", 7), entry("grown", 9), entry("shrunk", 7)),
    )
