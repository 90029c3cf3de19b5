"""A base's chat template becomes a layout that gives the same tokens, or is refused."""

from __future__ import annotations

import pytest
from transformers import AutoTokenizer

from harmgauge.errors import RecipeError
from harmgauge.exchange import Exchange
from harmgauge.training.bases import load_base
from harmgauge.training.export_transformers import export_transformers
from harmgauge.training.recipe import Model
from harmgauge.windows import Windower
from tiny import CHATML, MAX_TOKENS, make_bundle, make_language_model, save_base

GEMMA = (  # one start token, roles by other names, turns by turns alone
    "[UNK]{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}[CLS]"
    "{{ 'model' if m.role == 'assistant' else m.role }}\n{{ m.content | trim }}[SEP]\n{% endfor %}"
)
TEMPLATES = {"chatml": CHATML, "gemma": GEMMA}
TEXTS = ("how do i bake bread?", "thank you", "tell me about rain", "nice weather")


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    model = make_language_model("llama", initializer_range=0.2)

    def made(template):
        folder = tmp_path_factory.mktemp("chat")
        return save_base(folder, model, start="[CLS]", chat_template=template)

    return made


def chat(count):
    roles = ("user", "assistant") * 2
    return [
        {"role": role, "content": text} for role, text in zip(roles, TEXTS[:count], strict=False)
    ]


def loaded(folder, **settings):
    made = load_base(str(folder), Model(max_tokens=MAX_TOKENS * 2, template="chat", **settings))
    return made.model, made.tokenizer


@pytest.fixture(autouse=True)
def positions(monkeypatch):
    """Room for four turns in a tiny model."""
    monkeypatch.setattr("harmgauge.training.model.check_positions", lambda *_: None)


@pytest.mark.parametrize("template", TEMPLATES)
def test_windows_are_what_the_template_gives(base, template):
    folder = base(TEMPLATES[template])
    model, tokenizer = loaded(folder)
    theirs = AutoTokenizer.from_pretrained(folder)
    windower = Windower(tokenizer, model.spec.layout)
    for count in (1, 2, 3, 4):
        text = theirs.apply_chat_template(chat(count), tokenize=False)
        expected = theirs(text, add_special_tokens=False)["input_ids"]
        assert windower.windows(Exchange.from_messages(chat(count))) == [expected]


def test_every_window_of_a_long_text_opens_and_closes_the_turn(base):
    model, tokenizer = loaded(base(CHATML))
    windower = Windower(tokenizer, model.spec.layout)
    windows = windower.windows(Exchange("hello", "rain and snow [SEP] [CLS] " * 30))
    _, closing = windower.turns["assistant"]
    opened = tokenizer.token_to_id("[CLS]")
    assert len(windows) > 1
    for window in windows:
        assert window[-len(closing) :] == list(closing)
        assert window.count(opened) == 3  # system, user, assistant: none that a text spells


def test_without_a_template_asked_for_turns_are_our_own(base):
    model = load_base(str(base(CHATML)), Model(max_tokens=MAX_TOKENS)).model
    assert model.spec.layout.turns == {}


@pytest.mark.parametrize(
    "template",
    [
        # as Qwen3 does: the last answer is written otherwise than earlier ones
        CHATML.replace("\n{{ m.content }}", "\n{% if loop.last %}mat {% endif %}{{ m.content }}"),
        # as Llama 2 does: a text's first token depends on what stands before it
        CHATML.replace("\n{{ m.content }}", "x{{ m.content }}"),
        # an end after the last turn alone
        CHATML.replace("[SEP]\n{% endfor %}", "{% endfor %}[SEP]"),
        "{{ raise_exception('no chats') }}",
    ],
)
def test_a_template_that_writes_turns_in_several_ways_is_refused(base, template):
    with pytest.raises(RecipeError, match="does not write every turn of a role in one way"):
        loaded(base(template))


def test_a_base_without_a_template_is_refused(base):
    with pytest.raises(RecipeError, match=r"has no chat template; leave out model\.template"):
        loaded(base(None))


def test_an_exported_tokenizer_writes_turns_as_the_template(base, tmp_path):
    folder = base(CHATML)
    model, tokenizer = loaded(folder)
    model.save(tmp_path / "model", tokenizer)
    files = {path.name: path for path in (tmp_path / "model").iterdir()}
    bundle = make_bundle(tmp_path / "bundle", "chat", model, "torch", files)
    export_transformers(bundle, tmp_path / "exported")
    theirs, ours = map(AutoTokenizer.from_pretrained, (folder, tmp_path / "exported"))
    for count in (1, 2):
        text = theirs.apply_chat_template(chat(count), tokenize=False)
        expected = theirs(text, add_special_tokens=False)["input_ids"]
        assert ours(*TEXTS[:count])["input_ids"] == expected
