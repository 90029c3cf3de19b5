"""Packed batches: what a model says, and how it learns, is what it is without packing."""

from __future__ import annotations

import copy

import pytest
import torch
from transformers import (
    BertConfig,
    BertModel,
    DebertaV2Config,
    DebertaV2Model,
    Gemma3TextConfig,
    Gemma3TextModel,
    GPT2Config,
    GPT2Model,
    GPTNeoConfig,
    GPTNeoModel,
    GPTNeoXConfig,
    GPTNeoXModel,
    LlamaConfig,
    LlamaModel,
    ModernBertConfig,
    ModernBertModel,
    Qwen3Config,
    Qwen3Model,
    RobertaConfig,
    RobertaModel,
)

from harmgauge.training import packing
from harmgauge.training.freezing import with_lora
from harmgauge.training.model import CostModel, ModelSpec
from harmgauge.training.monitor import collate
from harmgauge.training.packing import choose_packing, make_row, row_length, stop_packing
from harmgauge.training.recipe import Lora
from harmgauge.windows import Layout

WINDOW = 40
VOCABULARY = 60
SIZE = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 64,
    "initializer_range": 0.2,
}
GROUPED = {**SIZE, "num_key_value_heads": 2, "head_dim": 8}
LAYERS = ["sliding_attention", "full_attention"]

BACKBONES = {
    "llama": lambda: LlamaModel(LlamaConfig(**SIZE, num_key_value_heads=2)),
    "qwen3": lambda: Qwen3Model(Qwen3Config(**GROUPED)),
    "neox": lambda: GPTNeoXModel(GPTNeoXConfig(**SIZE)),
    "gemma3": lambda: Gemma3TextModel(
        Gemma3TextConfig(**GROUPED, sliding_window=12, layer_types=LAYERS)
    ),
    "gpt2": lambda: GPT2Model(
        GPT2Config(
            vocab_size=VOCABULARY, n_embd=32, n_layer=2, n_head=4, n_positions=64,
            initializer_range=0.2,
        )
    ),
    "gpt_neo": lambda: GPTNeoModel(
        GPTNeoConfig(
            vocab_size=VOCABULARY, hidden_size=32, num_layers=2, num_heads=4, window_size=12,
            attention_types=[[["global", "local"], 1]], max_position_embeddings=64,
        )
    ),
    "bert": lambda: BertModel(BertConfig(**SIZE), add_pooling_layer=False),
    "roberta": lambda: RobertaModel(RobertaConfig(**SIZE), add_pooling_layer=False),
    "modernbert": lambda: ModernBertModel(
        ModernBertConfig(**SIZE, local_attention=12, global_attn_every_n_layers=2, pad_token_id=0)
    ),
    "deberta": lambda: DebertaV2Model(
        DebertaV2Config(**SIZE, relative_attention=True, pos_att_type=["p2c", "c2p"])
    ),
}  # fmt: skip
ENCODERS = {"bert", "roberta", "modernbert", "deberta"}


def make_model(name):
    torch.manual_seed(0)
    pooling = "mean" if name in ENCODERS else "last"
    model = CostModel(BACKBONES[name](), ModelSpec(pooling, Layout((), (1,), (2,), WINDOW)))
    torch.nn.init.normal_(model.head.weight, std=0.5)
    return model.eval()


def sequences():
    """Pairs with one prompt, long and short; three answers to one; a text twice; lone texts."""
    generator = torch.Generator().manual_seed(1)

    def draw(n):
        return torch.randint(3, VOCABULARY, (n,), generator=generator).tolist()

    long, short, third = draw(30), draw(10), draw(15)
    twice = draw(12)
    return [
        long + draw(10), long + draw(7),  # up to the window
        short + draw(3), draw(9),
        third + draw(4), third + draw(6), third + draw(1),
        twice, twice,
        short[:4] + draw(8),  # shares too little
        [7],
    ]  # fmt: skip


def scores_and_gradients(model, ids, mask):
    model.zero_grad()
    scores = model(ids, mask)
    torch.nn.functional.softplus(scores[::2].sum() - scores[1::2].square().sum()).backward()
    gradients = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
    return scores.detach(), gradients


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        *((name, "shared") for name in ("llama", "qwen3", "neox", "gemma3", "gpt2")),
        *((name, "packed") for name in ("bert", "roberta", "modernbert")),
        *((name, "padded") for name in ("gpt_neo", "deberta")),
    ],
)
def test_scores_and_gradients_are_those_of_padded_batches(name, expected):
    model = make_model(name)
    plain = copy.deepcopy(model)
    assert choose_packing(model) == expected
    ids, mask = collate(sequences())
    for given in ((ids, mask), (ids.flip(1), mask.flip(1))):  # the latter padded on the left
        scores, gradients = scores_and_gradients(model, *given)
        wanted, wanted_gradients = scores_and_gradients(plain, *given)
        assert wanted.std() > 0.1
        torch.testing.assert_close(scores, wanted, atol=1e-5, rtol=1e-5)
        assert gradients.keys() == wanted_gradients.keys()
        for key, gradient in wanted_gradients.items():
            torch.testing.assert_close(gradients[key], gradient, atol=1e-5, rtol=1e-4, msg=key)
    stop_packing(model)
    assert model.backbone.config._attn_implementation == plain.backbone.config._attn_implementation
    torch.testing.assert_close(model(ids, mask), plain(ids, mask), atol=0, rtol=0)


def test_adapters_pack_too():
    model = make_model("llama")
    model.backbone = with_lora(model.backbone, Lora(rank=2, alpha=4))
    plain = copy.deepcopy(model)
    assert choose_packing(model) == "shared"
    ids, mask = collate(sequences())
    torch.testing.assert_close(model(ids, mask), plain(ids, mask), atol=1e-5, rtol=1e-5)


def test_a_common_prompt_is_computed_once():
    given = sequences()
    ids, mask = collate(given)
    row = make_row(ids, mask, share=True)
    saved = 30 + 2 * 15 + 12
    assert len(row.tokens) == row_length(given, "shared") == sum(map(len, given)) - saved
    assert row_length(given, "packed") == sum(map(len, given)) < row_length(given, "padded")
    read = ids.flatten()[row.tokens]
    for i, sequence in enumerate(given):
        assert read[row.places[i][mask[i].bool()]].tolist() == sequence
    assert sum(row.segments.own) == len(read)


def test_attention_that_leaks_is_found_out(monkeypatch):
    """One that takes the row for one text."""

    def leak(module, query, key, value, attention_mask, *, segments=None, **options):
        return packing._attend(module, query, key, value, None, **options)

    model = make_model("llama")
    from transformers import AttentionInterface

    monkeypatch.setitem(AttentionInterface._global_mapping, packing.ATTENTION, leak)
    assert choose_packing(model) == "padded"
    assert model.backbone.config._attn_implementation == "sdpa"


def test_a_model_that_fails_on_a_row_reads_padded_batches():
    model = make_model("llama")
    real = model.backbone.forward

    def forward(*args, segments=None, **options):
        if segments is not None:
            raise AttributeError("no such thing")
        return real(*args, **options)

    model.backbone.forward = forward
    assert choose_packing(model) == "padded"
    assert model.backbone.config._attn_implementation == "sdpa"


def test_a_window_of_attention_is_found_out_only_at_full_length(monkeypatch):
    model = make_model("gemma3")
    visible = packing._visible

    def no_window(own, total, *, causal, window):
        return visible(own, total, causal=causal, window=None)

    monkeypatch.setattr(packing, "_visible", no_window)
    assert choose_packing(model) == "padded"


def test_dropout_and_mode_survive_the_trial():
    model = make_model("llama").train()
    state = torch.get_rng_state()
    choose_packing(model)
    assert model.training
    assert torch.equal(state, torch.get_rng_state())
