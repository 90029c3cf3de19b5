"""Read with the real tokenizer of the embedded gauge, as it is before symbols are read."""

from __future__ import annotations

import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from harmgauge.gauges import find
from harmgauge.training.model import new_cost_model
from harmgauge.training.symbols import RUN, read_symbols
from harmgauge.windows import unknown_id
from tiny import make_tokenizer


def embedded() -> Tokenizer:
    tokenizer = Tokenizer.from_file(str(find(None) / "tokenizer.json"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    return tokenizer


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    tokenizer = embedded()
    read_symbols(tokenizer)
    return Tokenizer.from_str(tokenizer.to_str())  # as it comes back from a bundle


def read(tokenizer: Tokenizer, text: str) -> str:
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    return tokenizer.decode(ids, skip_special_tokens=False)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("🐷", "pig face"),
        ("hello🐷you", "hello pig face you"),
        ("👍🏿 thank you", "thumbs up sign thank you"),  # whatever the skin tone
        ("🏿", "fitzpatrick type - 6"),  # alone it is what the text says
        ("I ❤️ bread", "i heart bread"),  # HEAVY BLACK HEART
        ("🖤", "black heart"),
        ("👩‍👧", "woman girl"),
        ("hello🇮🇹🇫🇷you", "hello i t flag f r flag you"),
        ("𝐡𝐞𝐥𝐥𝐨 ｂｒｅａｄ ⓒⓐⓣ 🅲🅰🆃", "hello bread cat cat"),
        ("1️⃣ bread", "1 bread"),
        ("br\u200dea\u3164d c\u1160at d\u20ddog", "bread cat dog"),
    ],
)
def test_symbols_are_read_in_words(tokenizer, text, words):
    assert read(tokenizer, text) == words


@pytest.mark.parametrize("repeated", ["😂", "🤦🏽‍♂️", "😂🔥💀", "🇮🇹"])
def test_a_run_is_read_a_few_times(tokenizer, repeated):
    assert read(tokenizer, f"a{repeated * 50}b") == read(tokenizer, f"a{repeated * RUN}b")
    assert read(tokenizer, repeated * RUN) != read(tokenizer, repeated * (RUN - 1))


@pytest.mark.parametrize(
    "text",
    [
        "How do I bake bread? Mix flour, water & salt: 50 % each, e.g. 100 g.\r\n\tThank you!",
        "naïve café, жизнь, שלום, مرحبا, 안녕, こんにちは, 天气",
        "\u1230\u120b\u121d",  # letters that it does not know
        "\u2803\u2807",  # Braille
        "♥ → ★ ½ × ≤ € ™ … “quoted” – dash",
        "",
    ],
)
def test_what_the_tokenizer_knows_and_letters_are_left_alone(tokenizer, text):
    before = embedded().encode(text, add_special_tokens=False)
    assert tokenizer.encode(text, add_special_tokens=False).ids == before.ids


def test_a_symbol_without_a_name_does_not_hide_its_neighbours(tokenizer):
    assert read(tokenizer, "hello\U0001faffyou") == "hello [UNK] you"  # not assigned so far


def test_a_tokenizer_that_reads_every_byte_is_not_changed():
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer = Tokenizer(models.BPE({byte: i for i, byte in enumerate(sorted(alphabet))}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel()
    before = tokenizer.to_str()
    read_symbols(tokenizer)
    assert tokenizer.to_str() == before


def test_a_tokenizer_without_a_normalizer_of_its_own_gets_one():
    tokenizer = make_tokenizer()
    tokenizer.normalizer = normalizers.Sequence([])
    read_symbols(tokenizer)
    assert read(tokenizer, "cat🐷 𝐜𝐚𝐭") == "cat pig face cat"


def test_a_tokenizer_that_reads_symbols_is_left_as_it_is(tokenizer):
    again = Tokenizer.from_str(tokenizer.to_str())
    read_symbols(again)
    assert again.to_str() == tokenizer.to_str()


def test_new_cost_models_read_symbols(encoder_base):
    _, tokenizer = new_cost_model(str(encoder_base), max_tokens=32)
    ids = tokenizer.encode("hello🐷", add_special_tokens=False).ids
    assert unknown_id(tokenizer) not in ids
    assert len(ids) > 1
