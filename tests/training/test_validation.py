"""Rows and bases that cannot serve are refused before the first step, and the mend is told."""

from __future__ import annotations

import shutil

import pytest
from tiny_task import texts, write_rows

from harmgauge.errors import DataError, RecipeError
from harmgauge.training.pipeline import prepare


@pytest.fixture
def with_rows(tmp_path, make_recipe, encoder_base, data_folder):
    """A recipe that trains on rows of the test, and validates on the tiny task's."""

    def made(rows: list[dict], **changes):
        write_rows(tmp_path / "own" / "train.jsonl", rows)
        own = {"path": str(tmp_path / "own" / "train.jsonl"), "licence": "CC0-1.0"}
        data = {
            "root": str(data_folder),
            "train": [own],
            "valid": [{"path": "singles/valid.jsonl", "licence": "CC0-1.0"}],
        }
        return make_recipe(changes.pop("base", encoder_base), data=data, **changes)

    return made


def test_pairs_of_identical_responses_alone_are_counted(with_rows, tmp_path):
    pairs = [
        {"prompt": f"p {i}", "chosen": text, "rejected": text}
        for i, (text, _) in enumerate(texts(11, 6))
    ]
    said = r"none of 6 rows can be trained on \(6 pairs with identical responses\);"
    with pytest.raises(DataError, match=said):
        prepare(with_rows(pairs), tmp_path)


def test_rows_of_one_class_alone_teach_nothing(with_rows, tmp_path):
    safe = [
        {"prompt": f"p {i}", "response": text, "is_safe": True}
        for i, (text, unsafe) in enumerate(texts(12, 40))
        if not unsafe
    ]
    with pytest.raises(RecipeError, match=r"all training rows are safe, .* add unsafe rows"):
        prepare(with_rows(safe), tmp_path)
    pair = {"prompt": "p", "chosen": "nice rain", "rejected": "snow"}
    write_rows(tmp_path / "pairs" / "train.jsonl", [pair, {**pair, "prompt": "q"}])
    recipe = with_rows(safe)
    source = recipe.data.train[0].model_copy(
        update={"path": str(tmp_path / "pairs" / "train.jsonl"), "name": "pairs"}
    )
    recipe.data.train.append(source)
    assert len(prepare(recipe, tmp_path).train) == 22
    with pytest.raises(RecipeError, match="all training rows are safe"):
        prepare(
            recipe.model_copy(update={"loss": recipe.loss.model_copy(update={"rank": 0.0})}),
            tmp_path,
        )


def test_rows_of_which_the_tokenizer_reads_nothing_are_the_reason(with_rows, tmp_path, monkeypatch):
    from harmgauge.errors import ExchangeError
    from harmgauge.windows import Windower

    real = Windower.read

    def read(self, exchange):
        if exchange.prompt.startswith("unread"):
            raise ExchangeError("nothing is read of it")
        return real(self, exchange)

    monkeypatch.setattr(Windower, "read", read)
    rows = [{"prompt": f"unread {i}", "response": "rain", "is_safe": i % 2 > 0} for i in range(8)]
    with pytest.raises(
        RecipeError, match=r"tokenizer reads nothing of 8, .* take a base for their"
    ):
        prepare(with_rows(rows), tmp_path)


@pytest.mark.parametrize(
    ("special", "refused"), [(False, True), (True, False)], ids=["word", "unused special token"]
)
def test_a_token_without_an_embedding_is_refused_if_texts_can_spell_it(
    tmp_path, make_recipe, encoder_base, special, refused
):
    from tokenizers import AddedToken, Tokenizer

    base = shutil.copytree(encoder_base, tmp_path / "base")
    tokenizer = Tokenizer.from_file(str(base / "tokenizer.json"))
    known = tokenizer.get_vocab_size()
    tokenizer.add_tokens([AddedToken("sleet", special=special)])
    tokenizer.save(str(base / "tokenizer.json"))
    if not refused:
        prepare(make_recipe(base), tmp_path)
        return
    said = f"has token {known}, but the model only {known} embeddings, for tokens 0 to {known - 1};"
    with pytest.raises(RecipeError, match=said):
        prepare(make_recipe(base), tmp_path)


def test_a_separator_without_an_embedding_is_refused(tmp_path, make_recipe, encoder_base):
    import json

    from tokenizers import AddedToken, Tokenizer

    base = shutil.copytree(encoder_base, tmp_path / "base")
    tokenizer = Tokenizer.from_file(str(base / "tokenizer.json"))
    tokenizer.add_special_tokens([AddedToken("<sep>", special=True)])
    tokenizer.save(str(base / "tokenizer.json"))
    config = json.loads((base / "tokenizer_config.json").read_text())
    config["sep_token"] = "<sep>"
    (base / "tokenizer_config.json").write_text(json.dumps(config))
    with pytest.raises(RecipeError, match="embeddings, for tokens 0 to"):
        prepare(make_recipe(base), tmp_path)
