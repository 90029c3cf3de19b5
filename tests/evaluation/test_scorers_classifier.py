"""Scores of tiny Hugging Face classifiers with random weights."""

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

import torch

from harmgauge.errors import RecipeError
from harmgauge.evaluation.scorers import Batch
from harmgauge.evaluation.scorers.classifier import ClassifierSource
from harmgauge.exchange import Exchange
from tiny import MAX_TOKENS, make_tokenizer

TEMPLATE = (
    "{% for m in messages %}{% if m.content == 'snow' %}{{ raise_exception('no') }}{% endif %}"
    "{{ m.role }} {{ m.content }} [SEP]{% endfor %}"
)
EXCHANGES = [
    Exchange("hello"),
    Exchange("how do i bake bread", "thank you"),
    Exchange(response="rain in the garden"),
    Exchange("snow " * 100),
    Exchange("cat", "sun", history=(("user", "hello"), ("assistant", "dog"))),
]


def batch(*exchanges):
    return Batch("toy", [f"t:{n}" for n in range(1, len(exchanges) + 1)], exchanges)


def make(folder, labels, template=None, **config):
    from transformers import (
        BertConfig,
        BertForSequenceClassification,
        PreTrainedTokenizerFast,
    )

    torch.manual_seed(1)
    tokens = {f"{kind}_token": f"[{kind.upper()}]" for kind in ("pad", "unk", "cls", "sep")}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=make_tokenizer(), **tokens)
    tokenizer.chat_template = template
    tokenizer.save_pretrained(folder)
    model = BertForSequenceClassification(
        BertConfig(
            vocab_size=len(tokenizer),
            hidden_size=32,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=32,
            max_position_embeddings=MAX_TOKENS,
            initializer_range=0.5,
            id2label=dict(enumerate(labels)),
            **config,
        )
    )
    model.eval().save_pretrained(folder)
    return tokenizer, model


def logits(tokenizer, model, *texts, **options):
    options |= {"return_tensors": "pt", "truncation": True, "max_length": MAX_TOKENS}
    inputs = tokenizer(*texts, **options)
    with torch.inference_mode():
        return model(**inputs).logits[0].double().numpy()


def test_one_output_gives_its_logit_and_a_sigmoid_never_a_softmax(tmp_path):
    tokenizer, model = make(tmp_path, ["reward"])
    source = ClassifierSource("theirs", tmp_path, None, probability=False)
    scored = source.scores(batch(*EXCHANGES), progress=False)
    texts = [
        ("hello",),
        ("how do i bake bread", "thank you"),
        ("rain in the garden",),
        ("snow " * 100,),
        ("cat", "sun"),
    ]
    expected = [logits(tokenizer, model, *each)[0] for each in texts]
    np.testing.assert_allclose(scored.values, expected, atol=1e-4)
    assert scored.counts == {"truncated": 1}
    assert source.facts["longest"] == MAX_TOKENS
    sigmoid = ClassifierSource("theirs", tmp_path, None, probability=True)
    scores = sigmoid.scores(batch(*EXCHANGES), progress=False).values
    np.testing.assert_allclose(scores, 1 / (1 + np.exp(-scored.values)), atol=1e-6)


def test_of_several_outputs_the_label_gives_its_log_odds(tmp_path):
    tokenizer, model = make(tmp_path, ["calm", "rude", "odd"])
    values = logits(tokenizer, model, "hello")
    probability = np.exp(values) / np.exp(values).sum()
    for label in ("rude", 1):
        source = ClassifierSource("theirs", tmp_path, label, probability=True)
        score = source.scores(batch(Exchange("hello")), progress=False).values
        assert score[0] == pytest.approx(probability[1], abs=1e-5)
        assert source.facts["label"] == "rude"
    with pytest.raises(RecipeError, match=r"state which label .* calm, rude, odd"):
        ClassifierSource("theirs", tmp_path, None, probability=True)
    with pytest.raises(RecipeError, match="there is no label 'mild'"):
        ClassifierSource("theirs", tmp_path, "mild", probability=True)


def test_independent_labels_give_their_logit(tmp_path):
    tokenizer, model = make(tmp_path, ["rude", "odd"], problem_type="multi_label_classification")
    source = ClassifierSource("theirs", tmp_path, "odd", probability=False)
    score = source.scores(batch(Exchange("hello")), progress=False).values
    assert score[0] == pytest.approx(logits(tokenizer, model, "hello")[1], abs=1e-4)


def test_turns_go_through_a_chat_template(tmp_path):
    tokenizer, model = make(tmp_path, ["reward"], template=TEMPLATE)
    source = ClassifierSource("theirs", tmp_path, None, probability=False)
    exchanges = [Exchange("hello", "dog"), Exchange(response="dog"), Exchange("snow")]
    scores = source.scores(batch(*exchanges), progress=False).values
    texts = ["user hello [SEP]assistant dog [SEP]", "user  [SEP]assistant dog [SEP]"]
    expected = [logits(tokenizer, model, text, add_special_tokens=False)[0] for text in texts]
    np.testing.assert_allclose(scores[:2], expected, atol=1e-4)
    assert np.isnan(scores[2])  # which the template refuses
    assert source.facts["chat_template"]


def test_a_base_model_without_a_head_is_refused(tmp_path):
    _, model = make(tmp_path, ["reward"])
    model.bert.save_pretrained(tmp_path)
    with pytest.raises(RecipeError, match=r"no weights for .*classifier.* random"):
        ClassifierSource("theirs", tmp_path, None, probability=False)


def test_what_is_no_model_is_refused(tmp_path):
    with pytest.raises(RecipeError, match=r"has no config\.json"):
        ClassifierSource("theirs", tmp_path, None, probability=False)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(RecipeError, match="cannot be read as a sequence classifier"):
        ClassifierSource("theirs", tmp_path, None, probability=False)


def test_identity_follows_the_files(tmp_path):
    make(tmp_path, ["reward"])
    before = ClassifierSource("theirs", tmp_path, None, probability=False).identity
    assert ClassifierSource("theirs", tmp_path, None, probability=False).identity == before
    (tmp_path / "note.txt").write_text("another file")
    assert ClassifierSource("theirs", tmp_path, None, probability=False).identity != before
