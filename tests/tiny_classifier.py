"""Tiny Hugging Face sequence classifiers with random weights."""

from tiny import MAX_TOKENS, make_tokenizer

SIZES = {
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "initializer_range": 0.5,
}
DISTIL = {"dim": 32, "hidden_dim": 32, "n_layers": 1, "n_heads": 2, "initializer_range": 0.5}
KINDS = {  # model type: settings, and whether its tokens have types
    "bert": (SIZES, True),
    "roberta": (SIZES | {"pad_token_id": 0, "type_vocab_size": 1}, False),
    "distilbert": (DISTIL, False),
    "deberta-v2": (SIZES | {"relative_attention": True, "pooler_hidden_act": "gelu"}, False),
    "llama": (SIZES, False),
}


def make(folder, kind, labels=("reward",), template=None, **config):
    """Save a classifier and its tokenizer; returns them as transformers reads them."""
    import torch
    from tokenizers.processors import TemplateProcessing
    from transformers import (
        AutoConfig,
        AutoModelForSequenceClassification,
        AutoTokenizer,
        PreTrainedTokenizerFast,
    )

    tokenizer = make_tokenizer()
    special = [(token, tokenizer.token_to_id(token)) for token in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = TemplateProcessing(
        "[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", special
    )
    settings, types = KINDS[kind]
    names = ["input_ids", "attention_mask", *(["token_type_ids"] if types else [])]
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        **{f"{each}_token": f"[{each.upper()}]" for each in ("pad", "unk", "cls", "sep")},
        model_input_names=names,
        split_special_tokens=not template,
        model_max_length=MAX_TOKENS,
    )
    fast.chat_template = template
    fast.save_pretrained(folder)
    torch.manual_seed(3)
    settings = {"vocab_size": len(fast), "max_position_embeddings": 40, **settings, **config}
    if kind == "llama":
        settings["pad_token_id"] = fast.pad_token_id
    model = AutoModelForSequenceClassification.from_config(
        AutoConfig.for_model(kind, id2label=dict(enumerate(labels)), **settings)
    )
    model.eval().save_pretrained(folder)
    return AutoTokenizer.from_pretrained(folder), model
