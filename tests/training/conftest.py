"""A tiny base model and a tiny task: texts that speak of snow are the unsafe ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_task import texts, write_rows

from tiny import MAX_TOKENS, make_language_model, make_tokenizer, save_base


@pytest.fixture(scope="session")
def encoder_base(tmp_path_factory) -> Path:
    import torch
    from transformers import BertConfig, BertModel

    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=make_tokenizer().get_vocab_size(),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=MAX_TOKENS,
    )
    folder = tmp_path_factory.mktemp("encoder-base")
    return save_base(folder, BertModel(config), start="[CLS]", end="[SEP]")


@pytest.fixture(scope="session")
def decoder_base(tmp_path_factory) -> Path:
    """GPT-Neo: learned positions, which left padding would shift if the mask were ignored."""
    return save_base(tmp_path_factory.mktemp("decoder-base"), make_language_model("gpt_neo"))


@pytest.fixture(scope="session")
def llama_base(tmp_path_factory) -> Path:
    return save_base(tmp_path_factory.mktemp("llama-base"), make_language_model("llama"))


@pytest.fixture(scope="session")
def data_folder(tmp_path_factory) -> Path:
    """Singles and pairs; in a pair the safer response is the one without snow."""
    folder = tmp_path_factory.mktemp("data")
    for name, seed, n in (("train", 1, 200), ("valid", 2, 60)):
        singles = [
            {"prompt": f"tell me {seed} {i}", "response": text, "is_safe": not unsafe}
            for i, (text, unsafe) in enumerate(texts(seed, n))
        ]
        write_rows(folder / "singles" / f"{name}.jsonl", singles)
        made = texts(seed + 10, n)
        pairs = [
            {
                "chosen": f"\n\nHuman: hello {seed} {i}\n\nAssistant: {safe}",
                "rejected": f"\n\nHuman: hello {seed} {i}\n\nAssistant: {unsafe}",
            }
            for i, ((unsafe, _), (safe, _)) in enumerate(zip(made[::2], made[1::2], strict=True))
        ]
        write_rows(folder / "pairs" / f"{name}.jsonl", pairs)
    return folder


@pytest.fixture(scope="session")
def make_recipe(data_folder):
    """A recipe over the tiny task; keyword arguments replace whole sections."""
    from harmgauge.training.recipe import Recipe

    def make(base: Path, **changes) -> Recipe:
        sources = {
            part: [
                {"path": f"singles/{part}.jsonl", "licence": "CC0-1.0"},
                {"path": f"pairs/{part}.jsonl", "licence": "CC0-1.0"},
            ]
            for part in ("train", "valid")
        }
        values = {
            "name": "tiny",
            "licence": "CC0-1.0",
            "base": str(base),
            "data": {"root": str(data_folder), **sources},
            "model": {"max_tokens": MAX_TOKENS},
            "optim": {"learning_rate": 3e-3, "batch_tokens": 256, "epochs": 2},
            "evaluate": {"every": 10, "checkpoint_every": 7},
        }
        return Recipe.model_validate(values | changes)

    return make
