"""Every kind of language model becomes a gauge: its tokens, padding and bundle, how it is held."""

from __future__ import annotations

import importlib.machinery

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoConfig

from harmgauge import Exchange, load
from harmgauge.errors import RecipeError
from harmgauge.training import qlora
from harmgauge.training.bases import load_base
from harmgauge.training.freezing import choose_trainable, merged_backbone
from harmgauge.training.model import CostModel
from harmgauge.training.recipe import Model
from harmgauge.training.sft import pipeline as sft
from harmgauge.windows import Windower
from tiny import (
    LANGUAGE_MODELS,
    MAX_TOKENS,
    make_bundle,
    make_language_model,
    make_tokenizer,
    save_base,
)

LONG = "tell me about the weather today and rain and snow in the garden " * 4
EXCHANGES = (
    Exchange("hello"),
    Exchange("how do i bake bread", "thank you"),
    Exchange("hello", "[CLS] nice [SEP] rain"),
    Exchange(LONG, "the cat sits on a mat"),
    Exchange("hello", LONG),
)
LORA = {"lora": {"rank": 4}}


@pytest.fixture(scope="module", params=LANGUAGE_MODELS)
def base(request, tmp_path_factory):
    """With a table of words that is padded, and tied to the head."""
    model = make_language_model(
        request.param,
        vocab_size=make_tokenizer().get_vocab_size() + 7,
        tie_word_embeddings=True,
        initializer_range=0.1,
    )
    return save_base(tmp_path_factory.mktemp(request.param), model, start="[CLS]")


@pytest.fixture
def llama(llama_base):
    def made(**settings) -> CostModel:
        model = load_base(str(llama_base), Model(max_tokens=MAX_TOKENS, **settings)).model
        choose_trainable(model, Model(**settings))
        return model

    return made


def adapted(base, **settings):
    """A cost model with adapters as if trained, in evaluation mode, and its tokenizer."""
    torch.manual_seed(0)
    settings = Model(max_tokens=MAX_TOKENS, **LORA | settings)
    made = load_base(str(base), settings)
    choose_trainable(made.model, settings)
    torch.nn.init.normal_(made.model.head.weight, std=0.3)
    for parameter in made.model.backbone.parameters():
        if parameter.requires_grad:
            torch.nn.init.normal_(parameter, std=0.1)
    return made.model.eval(), made.tokenizer


def raw_scores(model, tokenizer) -> list[float]:
    """Of the windows of all exchanges."""
    windower = Windower(tokenizer, model.spec.layout)
    with torch.no_grad():
        return [
            model(ids := torch.tensor([window]), torch.ones_like(ids)).item()
            for exchange in EXCHANGES
            for window in windower.windows(exchange)
        ]


def in_a_bundle(model, tokenizer, folder):
    """The same from a bundle, loaded afresh."""
    model.backbone = merged_backbone(model.backbone)
    model.save(folder / "model", tokenizer)
    files = {path.name: path for path in (folder / "model").iterdir()}
    gauge = load(make_bundle(folder / "bundle", "lm", model, "torch", files), threads=1)
    windower = Windower(tokenizer, model.spec.layout)
    windows = [window for each in EXCHANGES for window in windower.windows(each)]
    return gauge.raw_scores_of_ids(windows)[:, 0]


def test_each_window_has_one_start_and_ends_in_the_end_token(base):
    model, tokenizer = adapted(base)
    start, end = (tokenizer.token_to_id(token) for token in ("[CLS]", "[SEP]"))
    windower = Windower(tokenizer, model.spec.layout)
    windows = [window for each in EXCHANGES for window in windower.windows(each)]
    assert len(windows) > len(EXCHANGES) + 2
    for window in windows:
        assert len(window) <= MAX_TOKENS
        assert [at for at, id in enumerate(window) if id == start] == [0]
        assert [at for at, id in enumerate(window) if id == end] == [len(window) - 1]


def test_a_bundle_scores_as_the_trained_model_did(base, tmp_path):
    model, tokenizer = adapted(base)
    assert model.spec.pooling == "last"
    before = raw_scores(model, tokenizer)
    assert max(before) - min(before) > 0.1
    assert in_a_bundle(model, tokenizer, tmp_path) == pytest.approx(before, rel=1e-5, abs=1e-5)
    assert not hasattr(model.backbone, "peft_config")


def test_padding_on_either_side_changes_no_cost(base):
    model, tokenizer = adapted(base)
    (window,) = Windower(tokenizer, model.spec.layout).windows(EXCHANGES[1])
    ids = torch.tensor([window])  # longer than any sliding window
    pad = torch.full((1, 5), window[-1])  # pad = eos
    ones, zeros = torch.ones_like(ids), torch.zeros_like(pad)
    with torch.no_grad():
        alone = model(ids, ones)
        for padded, mask in (([pad, ids], [zeros, ones]), ([ids, pad], [ones, zeros])):
            found = model(torch.cat(padded, 1), torch.cat(mask, 1))
            torch.testing.assert_close(found, alone, atol=1e-4, rtol=0)


def test_checkpointed_gradients_are_the_same(base):
    def gradients(**settings):
        model, _ = adapted(base, **settings)
        ids = torch.tensor([[5, 6, 7, 8]])
        model.train()(ids, torch.ones_like(ids)).sum().backward()
        layers = [each for each in model.modules() if getattr(each, "gradient_checkpointing", 0)]
        named = {n: p.grad for n, p in model.named_parameters() if p.requires_grad}
        return named, bool(layers)

    plain, off = gradients()
    checkpointed, on = gradients(gradient_checkpointing=True)
    assert (off, on) == (False, True)
    assert plain.keys() == checkpointed.keys()
    for name, gradient in plain.items():
        torch.testing.assert_close(checkpointed[name], gradient)


def test_half_the_memory_for_the_base_and_none_less_for_what_is_trained(llama_base, tmp_path):
    model, tokenizer = adapted(llama_base, dtype="bfloat16")
    kinds = {parameter.requires_grad: set() for parameter in model.parameters()}
    for parameter in model.parameters():
        kinds[parameter.requires_grad].add(parameter.dtype)
    assert kinds == {True: {torch.float32}, False: {torch.bfloat16}}
    before = raw_scores(model, tokenizer)
    # Merged weights are rounded to the type of the base.
    assert in_a_bundle(model, tokenizer, tmp_path) == pytest.approx(before, abs=0.2)
    saved = load_file(tmp_path / "bundle" / "model.safetensors")
    assert {tensor.dtype for tensor in saved.values()} == {torch.bfloat16}
    again, _ = CostModel.load(tmp_path / "bundle")
    assert again.backbone.dtype == torch.bfloat16
    assert again.head.weight.dtype == torch.float32
    further = load_base(f"gauge:{tmp_path / 'bundle'}", Model(max_tokens=MAX_TOKENS)).model
    assert further.backbone.dtype == torch.float32


@pytest.mark.parametrize("settings", [{"dtype": "bfloat16"}, {"quantise": "nf4"}])
def test_few_bits_without_adapters_are_refused(settings):
    with pytest.raises(ValueError, match=r"needs adapters.*add lora: \{\}"):
        Model(**settings)


def test_an_attention_is_chosen(llama):
    assert llama(attention="eager").backbone.config._attn_implementation == "eager"


def test_an_attention_that_is_not_here_is_refused(llama):
    with pytest.raises(RecipeError, match="flash_attention_2 cannot be used here"):
        llama(attention="flash_attention_2")


def test_an_attention_that_transformers_would_only_warn_of_is_refused(llama, monkeypatch):
    from transformers import LlamaModel

    monkeypatch.setattr(LlamaModel, "_can_set_attn_implementation", lambda *_: False)
    with pytest.raises(RecipeError, match="eager cannot be used here"):
        llama(attention="eager")


def test_a_base_without_checkpointing_is_refused(llama, monkeypatch):
    from transformers import LlamaModel

    monkeypatch.setattr(LlamaModel, "supports_gradient_checkpointing", False)
    with pytest.raises(RecipeError, match="no gradient checkpointing"):
        llama(gradient_checkpointing=True)


@pytest.mark.parametrize(
    ("gpu", "package", "said"),
    [
        (False, False, r"a GPU \(CUDA\) that torch can use and the package bitsandbytes, not"),
        (True, False, "needs the package bitsandbytes, not"),
        (False, True, r"needs a GPU \(CUDA\) that torch can use, not"),
    ],
)
def test_four_bits_name_what_is_lacking(llama, monkeypatch, gpu, package, said):
    found = importlib.machinery.ModuleSpec("bitsandbytes", None) if package else None
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    monkeypatch.setattr(qlora, "find_spec", lambda name: found)
    with pytest.raises(RecipeError, match=said):
        llama(quantise="nf4", **LORA)
    with pytest.raises(RecipeError, match=said):
        sft._load("of no matter", sft.Model(quantise="nf4", **LORA))


def test_adapters_of_a_base_in_four_bits_are_merged_into_full_precision(
    llama_base, tmp_path, monkeypatch
):
    """Without a GPU no base can be in 4 bits; this one is only said to be."""
    from transformers import LlamaModel

    model, tokenizer = adapted(llama_base)
    before = raw_scores(model, tokenizer)
    asked = []
    monkeypatch.setattr(LlamaModel, "is_loaded_in_4bit", True, raising=False)
    monkeypatch.setattr(LlamaModel, "dequantize", lambda self: asked.append(1) or self)
    assert in_a_bundle(model, tokenizer, tmp_path) == pytest.approx(before, rel=1e-5, abs=1e-5)
    assert asked == [1]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="4 bits need a GPU")
def test_four_bits_on_a_gpu(llama_base, tmp_path):
    """Costs of the bundle are those of the base in 4 bits with its adapters."""
    pytest.importorskip("bitsandbytes")
    model, tokenizer = adapted(llama_base, quantise="nf4")
    model = model.cuda()
    windower = Windower(tokenizer, model.spec.layout)
    with torch.no_grad():
        before = [
            model(ids := torch.tensor([window]).cuda(), torch.ones_like(ids)).item()
            for exchange in EXCHANGES
            for window in windower.windows(exchange)
        ]
    model.backbone = merged_backbone(model.backbone)
    found = in_a_bundle(model.cpu(), tokenizer, tmp_path)
    assert found == pytest.approx(before, abs=0.05)
    assert AutoConfig.from_pretrained(tmp_path / "bundle").dtype == torch.float32


def test_a_gauge_is_neither_held_in_four_bits_nor_read_otherwise(decoder_bundle):
    base = f"gauge:{decoder_bundle}"
    with pytest.raises(RecipeError, match=r"model\.quantise is for language models"):
        load_base(base, Model(quantise="nf4", **LORA))
    with pytest.raises(RecipeError, match="reads turns as it was trained to"):
        load_base(base, Model(template="turns"))
