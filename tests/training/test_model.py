"""A base becomes a cost model: what it must hold, what is trained of it, where padding stands."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from transformers import PreTrainedTokenizerFast

from harmgauge.errors import HarmgaugeError, RecipeError
from harmgauge.exchange import Exchange
from harmgauge.training.model import CostModel, ModelSpec, new_cost_model
from harmgauge.training.pipeline import prepare
from harmgauge.windows import Layout, Windower
from tiny import make_tokenizer


def test_freezing_more_layers_than_there_are_is_refused(tmp_path, make_recipe, encoder_base):
    recipe = make_recipe(encoder_base, model={"max_tokens": 32, "freeze_layers": 9})
    with pytest.raises(RecipeError, match="only 2 layers"):
        prepare(recipe, tmp_path)


def test_more_tokens_than_positions_is_refused(tmp_path, make_recipe, encoder_base):
    with pytest.raises(RecipeError, match="only 32 positions"):
        prepare(make_recipe(encoder_base, model={"max_tokens": 64}), tmp_path)


def test_positions_that_a_base_keeps_for_padding_are_not_counted(tmp_path):
    from transformers import RobertaConfig, RobertaModel

    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = RobertaConfig(vocab_size=300, max_position_embeddings=34, pad_token_id=1, **sizes)
    RobertaModel(config).save_pretrained(tmp_path)
    tokenizer = make_tokenizer()
    names = {"unk_token": "[UNK]", "sep_token": "[SEP]", "eos_token": "[SEP]"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names).save_pretrained(tmp_path)
    with pytest.raises(RecipeError, match="only 32 positions"):
        new_cost_model(str(tmp_path), max_tokens=33)
    model, _ = new_cost_model(str(tmp_path), max_tokens=32)
    ids = torch.full((1, 32), 7)
    assert torch.isfinite(model(ids, torch.ones_like(ids))).all()


@pytest.mark.parametrize(
    ("lost", "said"),
    [
        (["tokenizer.json", "tokenizer_config.json"], r"has no tokenizer\.json"),
        (["model.safetensors"], "weights or the tokenizer of base"),
    ],
)
def test_a_base_that_lacks_a_file_is_refused(tmp_path, encoder_base, lost, said):
    folder = tmp_path / "base"
    shutil.copytree(encoder_base, folder)
    for name in lost:
        (folder / name).unlink()
    with pytest.raises(RecipeError, match=said):
        new_cost_model(str(folder), max_tokens=32)
    (folder / "model.safetensors").write_bytes(b"no weights at all")
    with pytest.raises(RecipeError, match="weights or the tokenizer of base"):
        new_cost_model(str(folder), max_tokens=32)


@pytest.mark.parametrize("config", ['{"model_type": "of tomorrow"}', '{"model_type": '])
def test_a_config_that_cannot_be_read_is_told_from_a_folder_that_is_not_there(tmp_path, config):
    (tmp_path / "config.json").write_text(config)
    with pytest.raises(RecipeError, match=r"config\.json of base .* install a later transformers"):
        new_cost_model(str(tmp_path), max_tokens=32)


def test_a_config_of_other_sizes_than_the_weights_is_refused(tmp_path, encoder_base):
    folder = Path(shutil.copytree(encoder_base, tmp_path / "base"))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "intermediate_size": 16}))
    with pytest.raises(RecipeError, match="weights or the tokenizer of base"):
        new_cost_model(str(folder), max_tokens=32)


def test_a_base_that_is_encoder_and_decoder_is_refused(tmp_path):
    from transformers import T5Config

    T5Config(d_model=16, num_layers=1, num_heads=2).save_pretrained(tmp_path)
    with pytest.raises(RecipeError, match="encoder with a decoder"):
        new_cost_model(str(tmp_path), max_tokens=32)


def test_dropout_is_set_in_every_place_that_a_base_has(decoder_base):
    model, _ = new_cost_model(str(decoder_base), max_tokens=32, dropout=0.25)
    rates = {module.p for module in model.modules() if isinstance(module, torch.nn.Dropout)}
    assert rates == {0.25}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"lora": {}, "freeze_layers": 1}, "leave out model.freeze_embeddings"),
        ({"lora": {"targets": ["nowhere"]}}, r"\['nowhere'\] fit no layer"),
        ({"lora": {"targets": "nowhere"}}, "'nowhere' fit no layer"),
    ],
)
def test_adapters_that_cannot_be_are_refused(tmp_path, make_recipe, encoder_base, changes, said):
    with pytest.raises(RecipeError, match=said):
        prepare(make_recipe(encoder_base, model={"max_tokens": 32, **changes}), tmp_path)


def test_adapters_start_alike_for_one_seed(tmp_path, make_recipe, encoder_base):
    recipe = make_recipe(encoder_base, model={"max_tokens": 32, "lora": {"rank": 2}})
    first, again = (prepare(recipe, tmp_path).model.state_dict() for _ in range(2))
    other = prepare(recipe.model_copy(update={"seed": 1}), tmp_path).model.state_dict()
    drawn = [name for name in first if "lora_A" in name or name == "head.weight"]
    assert len(drawn) > 1
    for name in drawn:
        assert torch.equal(first[name], again[name])
        assert not torch.equal(first[name], other[name])


def test_a_base_that_does_not_exist_is_refused_offline(tmp_path, make_recipe, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(RecipeError, match="no-such-base"):
        prepare(make_recipe(tmp_path / "no-such-base"), tmp_path)


def test_a_head_of_another_shape_is_refused(tmp_path, tiny_model):
    from safetensors.torch import save_file

    folder = tmp_path / "model"
    shutil.copytree(tiny_model, folder)
    save_file({"weight": torch.zeros(1, 7), "bias": torch.zeros(1)}, folder / "head.safetensors")
    with pytest.raises(HarmgaugeError, match="head"):
        CostModel.load(folder)


@pytest.mark.parametrize("kind", ["Roberta", "MPNet", "DistilBert"])
def test_padding_on_either_side_changes_no_cost(kind):
    import transformers

    torch.manual_seed(0)
    config = getattr(transformers, f"{kind}Config")(
        vocab_size=50,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=40,
        pad_token_id=1,
    )
    if kind == "DistilBert":
        config.update({"dim": 16, "n_heads": 2, "n_layers": 2, "hidden_dim": 32})
    backbone = getattr(transformers, f"{kind}Model")(config)
    model = CostModel(backbone, ModelSpec("mean", Layout((), (2,), (2,), 32))).eval()
    torch.nn.init.normal_(model.head.weight)
    ids = torch.tensor([[5, 1, 7, 1]])  # a real token may have the pad's id
    pad = torch.ones(1, 3, dtype=torch.long)
    ones = torch.ones_like(ids)
    with torch.no_grad():
        alone = model(ids, ones)
        left = model(torch.cat([pad, ids], 1), torch.cat([0 * pad, ones], 1))
        right = model(torch.cat([ids, pad], 1), torch.cat([ones, 0 * pad], 1))
    torch.testing.assert_close(left, alone, atol=1e-5, rtol=0)
    torch.testing.assert_close(right, alone, atol=1e-5, rtol=0)


def test_a_long_word_is_read_in_pieces_and_not_as_unknown(encoder_base):
    model, tokenizer = new_cost_model(str(encoder_base), max_tokens=32)
    windows = Windower(tokenizer, model.spec.layout).windows(Exchange(prompt="b" * 150))
    unknown = tokenizer.token_to_id("[UNK]")
    assert all(unknown not in window for window in windows)
    assert len(windows) > 1
