"""Tiny random models and bundles, and the vocabulary that they share."""

from __future__ import annotations

from pathlib import Path

from harmgauge.bundle import Manifest, write_bundle
from harmgauge.calibration import Calibration
from harmgauge.members import is_member
from harmgauge.thresholds import Threshold
from harmgauge.windows import Layout

WORDS = (  # noqa: SIM905
    "user assistant hello thank you how do i bake bread grow a tree in the garden water sun "
    "cat dog sits runs on mat please tell me about weather today nice rain snow"
).split()
MAX_TOKENS = 32
CHATML = (  # as SmolLM2 and Qwen 2 have it, a system turn of its own included
    "{% for m in messages %}"
    "{% if loop.first and m.role != 'system' %}[CLS]system\nplease[SEP]\n{% endif %}"
    "[CLS]{{ m.role }}\n{{ m.content }}[SEP]\n{% endfor %}"
)


def make_tokenizer():
    """A WordPiece tokenizer of a few words and all ASCII letters, in BERT's manner."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    letters = [chr(code) for code in range(33, 127) if not chr(code).isupper()]
    pieces = [*letters, *(f"##{letter}" for letter in letters)]
    vocabulary = {token: i for i, token in enumerate(dict.fromkeys([*special, *pieces, *WORDS]))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in special])
    return tokenizer


def make_encoder(outputs=("cost",), kind="bert"):
    """A two-layer BERT, or MPNet, with a head that gives costs of either sign."""
    import torch
    from transformers import BertConfig, BertModel, MPNetConfig, MPNetModel

    from harmgauge.training.model import CostModel, ModelSpec

    torch.manual_seed(0)
    tokenizer = make_tokenizer()
    make_config, make_backbone, reserved = {
        "bert": (BertConfig, BertModel, 0),
        "mpnet": (MPNetConfig, MPNetModel, 2),  # positions begin after that of padding
    }[kind]
    config = make_config(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=MAX_TOKENS + reserved,
        initializer_range=0.2,
    )
    start, end = tokenizer.token_to_id("[CLS]"), tokenizer.token_to_id("[SEP]")
    spec = ModelSpec("mean", Layout((start,), (end,), (end,), MAX_TOKENS), outputs, base="tiny")
    model = CostModel(make_backbone(config, add_pooling_layer=False), spec)
    torch.nn.init.normal_(model.head.weight, std=0.5)
    return model.eval(), tokenizer


LANGUAGE_MODELS = {  # model type as transformers has it: what its config has besides
    "gpt_neo": {
        **{"num_layers": 2, "num_heads": 2, "window_size": 8},
        "attention_types": [[["global", "local"], 1]],
    },
    "gpt_neox": {},
    "llama": {},  # SmolLM2, too
    "qwen3": {"head_dim": 8, "num_key_value_heads": 1, "tie_word_embeddings": True},
    "gemma2": {"head_dim": 8, "num_key_value_heads": 1, "sliding_window": 8},
    "gemma3_text": {"head_dim": 8, "num_key_value_heads": 1, "sliding_window": 8},
}


def language_model_config(kind, **changes):
    """Of a two-layer model whose pad and start tokens are its end token."""
    from transformers import AutoConfig

    tokenizer = make_tokenizer()
    end = tokenizer.token_to_id("[SEP]")
    sizes = {"num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    settings = {
        "vocab_size": tokenizer.get_vocab_size(),
        "hidden_size": 32,
        "max_position_embeddings": MAX_TOKENS,
        **{f"{name}_token_id": end for name in ("bos", "eos", "pad")},
        **({} if kind == "gpt_neo" else sizes),
        **LANGUAGE_MODELS[kind],
    }
    return AutoConfig.for_model(kind, **settings | changes)


def make_language_model(kind, **changes):
    """A random causal language model with its head; `changes` are to its config."""
    import torch
    from transformers import AutoModelForCausalLM

    torch.manual_seed(1)
    return AutoModelForCausalLM.from_config(language_model_config(kind, **changes))


def save_base(folder: Path, model, *, start=None, end=None, chat_template=None) -> Path:
    """A model with its tokenizer, which puts the tokens `start` and `end` around a text."""
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    tokenizer = make_tokenizer()
    if around := [token for token in (start, end) if token]:
        tokenizer.post_processor = TemplateProcessing(
            " ".join(filter(None, (start, "$A", end))),
            None,
            [(token, tokenizer.token_to_id(token)) for token in around],
        )
    model.save_pretrained(folder)
    names = {"unk_token": "[UNK]", "sep_token": "[SEP]", "eos_token": "[SEP]", "pad_token": "[SEP]"}
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names)
    fast.chat_template = chat_template
    fast.save_pretrained(folder)
    return folder


def make_decoder():
    """A cost model on a llama."""
    import torch
    from transformers import AutoModel

    from harmgauge.training.model import CostModel, ModelSpec

    torch.manual_seed(0)
    tokenizer = make_tokenizer()
    end = tokenizer.token_to_id("[SEP]")
    config = language_model_config("llama", initializer_range=0.2, bos_token_id=None)
    spec = ModelSpec("last", Layout((), (end,), (end,), MAX_TOKENS), base="tiny-decoder")
    model = CostModel(AutoModel.from_config(config), spec)
    torch.nn.init.normal_(model.head.weight, std=0.5)
    return model.eval(), tokenizer


def make_bundle(folder: Path, name: str, model, runtime: str, files: dict[str, Path]) -> Path:
    spec = model.spec
    manifest = Manifest(
        name=name,
        base={"name": spec.base, "sha256": None},
        layout=spec.layout,
        pooling=spec.pooling,
        runtime=runtime,
        calibration=Calibration(bias=0.1, temperature=0.5, prior=0.25, data="made up", n=100),
        licence="CC0-1.0",
        data=({"source": "made up", "licence": "CC0-1.0", "rows": 100},),
        outputs=spec.outputs,
        categories={
            each: Calibration(bias=-0.5, temperature=2.0, prior=0.2, data="made up", n=50)
            for each in spec.outputs[1:]
            if not is_member(each)
        },
        thresholds=(Threshold("fpr1", 0.75, 0.01, 0.95, "made up", 300),),
        metrics=({"data": "made up", "n": 100, "auroc": 0.5},),
    )
    write_bundle(folder, manifest, files)
    return folder


def costs_of(found) -> list[float]:
    """The costs among what a transformers pipeline with `top_k=None` found."""
    return [next(e["score"] for e in labels if e["label"] == "cost") for labels in found]
