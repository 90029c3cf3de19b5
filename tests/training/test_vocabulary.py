"""Fewer tokens: kept texts have their scores, dropped words are spelt, nothing is unreadable."""

from __future__ import annotations

import json

import pytest
import torch
from tokenizers import Tokenizer, models

from harmgauge.data.row import Item, Row
from harmgauge.errors import RecipeError
from harmgauge.exchange import Exchange
from harmgauge.training.pipeline import prepare
from harmgauge.training.symbols import read_symbols
from harmgauge.training.vocabulary import prune_vocabulary, texts_of, used_tokens
from harmgauge.windows import Windower, unknown_id
from tiny import MAX_TOKENS, make_encoder

CHAT = Exchange(prompt="thank you", response="the cat sits on a mat")
DROPPED = Exchange("rain in the garden")


def scores(model, tokenizer, exchange):
    (ids,) = Windower(tokenizer, model.spec.layout).windows(exchange)
    with torch.no_grad():
        return model(torch.tensor([ids]), torch.ones(1, len(ids), dtype=torch.int64))


def pruned(*texts):
    model, tokenizer = make_encoder()
    return prune_vocabulary(model, tokenizer, used_tokens(tokenizer, texts))


def tokens(tokenizer, text):
    return tokenizer.encode(text, add_special_tokens=False).tokens


def test_a_text_whose_tokens_are_kept_has_the_score_that_it_had():
    model, tokenizer = make_encoder()
    small, fewer = pruned("thank you", "the cat sits on a mat")
    assert fewer.get_vocab_size() == small.backbone.config.vocab_size
    assert fewer.get_vocab_size() < tokenizer.get_vocab_size()
    assert fewer.token_to_id("mat") < tokenizer.token_to_id("mat")
    expected = scores(model, tokenizer, CHAT)
    torch.testing.assert_close(scores(small, fewer, CHAT), expected, rtol=0, atol=1e-5)
    assert not torch.allclose(scores(small, fewer, DROPPED), scores(model, tokenizer, DROPPED))


def test_the_model_that_is_pruned_is_left_as_it_is():
    model, tokenizer = make_encoder()
    before, size = scores(model, tokenizer, DROPPED), tokenizer.get_vocab_size()
    prune_vocabulary(model, tokenizer, set())
    assert tokenizer.get_vocab_size() == size
    torch.testing.assert_close(scores(model, tokenizer, DROPPED), before, rtol=0, atol=0)


def test_words_that_are_gone_are_spelt():
    _, fewer = pruned("thank you")
    assert tokens(fewer, "rain") == ["r", "##a", "##i", "##n"]
    assert {"user", "assistant"} <= fewer.get_vocab().keys()  # markers of turns


def test_symbols_are_read_still():
    model, tokenizer = make_encoder()
    read_symbols(tokenizer)
    _, fewer = prune_vocabulary(model, tokenizer, set())
    ids = fewer.encode("hello🐷", add_special_tokens=False).ids
    assert unknown_id(fewer) not in ids
    assert fewer.decode(ids) == tokenizer.decode(tokenizer.encode("hello pig face").ids)


def test_a_word_that_nothing_spells_is_kept():
    model, tokenizer = make_encoder()
    state = json.loads(tokenizer.to_str())
    vocabulary = state["model"]["vocab"]
    vocabulary["ночь"] = vocabulary.pop("rain")
    _, fewer = prune_vocabulary(model, Tokenizer.from_str(json.dumps(state)), set())
    assert tokens(fewer, "ночь") == ["ночь"]


def test_tokens_are_counted_once_a_text():
    _, tokenizer = make_encoder()
    used = used_tokens(tokenizer, ["cat cat", "dog cat", "dog rain"], 2)
    assert used == {tokenizer.token_to_id("cat"), tokenizer.token_to_id("dog")}
    rows = [Row(f"r:{n}", "made", (Item(CHAT, None),)) for n in range(2)]
    assert texts_of(rows) == {"thank you", "the cat sits on a mat"}


def test_other_tokenizers_are_refused():
    model, _ = make_encoder()
    with pytest.raises(RecipeError, match="is of BPE, and only one of WordPiece can be pruned"):
        prune_vocabulary(model, Tokenizer(models.BPE()), set())


def test_a_recipe_prunes_by_its_training_texts(tmp_path, make_recipe, encoder_base):
    def made(least):
        model = {"max_tokens": MAX_TOKENS, "min_token_count": least}
        return prepare(make_recipe(encoder_base, model=model), tmp_path)

    job = made(2)
    known = job.tokenizer.get_vocab()
    assert len(known) == job.model.backbone.config.vocab_size
    assert "snow" in known
    assert "weather" in known
    assert f"vocabulary: {len(known)} tokens, those of 2 training texts or more" in job.describe()
    assert max(max(ids) for example in job.train for ids in example.ids) < len(known)
    assert "snow" not in made(100_000).tokenizer.get_vocab()
