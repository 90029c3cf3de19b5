import importlib.util
import json

import pytest

from harmgauge import Exchange, ExchangeError, RecipeError
from harmgauge.integrations.openrlhf import answer, read_request, reward_function

PROMPTS = ["User: hello\nAssistant: ", "User: how do i bake bread\nAssistant: "]
ANSWERS = ["thank you", "water and bread"]
QUERIES = ["[CLS]" + PROMPTS[0] + ANSWERS[0] + "[SEP]", PROMPTS[1] + ANSWERS[1] + "[SEP][PAD][PAD]"]
OPTIONS = {"special_tokens": ["[PAD]", "[SEP]"]}


def says(prompt):
    return prompt.removeprefix("User: ").removesuffix("\nAssistant: ")


def test_a_request_gets_minus_the_costs_of_its_responses(tiny_gauge):
    request = {"query": QUERIES, "prompts": PROMPTS, "labels": [None, "7"]}
    found = answer(tiny_gauge, request, **OPTIONS)
    verdicts = tiny_gauge.verdicts(map(Exchange, PROMPTS, ANSWERS))
    assert found["rewards"] == pytest.approx([-each.cost for each in verdicts])
    assert found["scores"] == pytest.approx([1 - each.probability for each in verdicts])
    assert found["extra_logs"]["unsafe"] == [float(each.unsafe) for each in verdicts]
    json.dumps(found, allow_nan=False)
    bare = answer(tiny_gauge, request, read_prompt=says, **OPTIONS)
    expected = tiny_gauge.score(map(Exchange, map(says, PROMPTS), ANSWERS))
    assert bare["rewards"] == pytest.approx(-expected)
    chats = answer(
        tiny_gauge,
        request,
        read_prompt=lambda prompt: [{"role": "user", "content": says(prompt)}],
        **OPTIONS,
    )
    assert chats == bare


def test_without_prompts_a_whole_query_is_on_trial(tiny_gauge):
    found = answer(tiny_gauge, {"query": ["thank you[SEP]"]}, **OPTIONS)
    expected = tiny_gauge.score([Exchange(response="thank you")])
    assert found["rewards"] == pytest.approx(-expected)


@pytest.mark.parametrize("end", ["", "[SEP]", "[SEP][PAD][SEP]", "[PAD]" * 200_000, "|.|."])
def test_special_tokens_are_taken_off_the_end_alone(end):
    query = "[PAD]thank [SEP] you"
    options = {"special_tokens": ["", "[PAD]", "[SEP]", "|", "."]}
    (exchange,) = read_request({"query": [query + end]}, **options)
    assert exchange == {"response": query}


def test_what_has_no_verdict_gets_a_number_and_is_counted(tiny_gauge):
    found = answer(
        tiny_gauge, {"query": ["hello[SEP]", "hello you"], "prompts": ["hello"] * 2}, **OPTIONS
    )
    assert found["rewards"][0] == 0.0
    assert found["scores"][0] == 0.5
    assert found["extra_logs"]["unjudged"] == [1.0, 0.0]


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        ([], "must be a JSON object"),
        ({}, "query must be a list"),
        ({"query": "hello"}, "query must be a list"),
        ({"query": ["hello"], "prompts": []}, "a list of 1 texts"),
        ({"query": ["hello", "rain"], "prompts": ["hello", "sun"]}, "query 2 does not hold"),
    ],
)
def test_a_request_of_another_form_is_refused(tiny_gauge, request_, error):
    with pytest.raises(ExchangeError, match=error):
        answer(tiny_gauge, request_)


@pytest.mark.parametrize(
    ("option", "error"),
    [
        ({"special_tokens": "[SEP]"}, "special_tokens must be a list of texts"),
        ({"special_tokens": [5]}, "special_tokens must be a list of texts"),
        ({"read_prompt": "hello"}, "read_prompt must be a function .* found str"),
    ],
)
def test_an_option_of_another_type_is_refused_at_once(tiny_gauge, option, error):
    with pytest.raises(RecipeError, match=error):
        answer(tiny_gauge, {"query": ["hello"]}, **option)
    pytest.importorskip("torch")
    with pytest.raises(RecipeError, match=error):
        reward_function(tiny_gauge, **option)
    with pytest.raises(TypeError, match="bogus"):
        reward_function(tiny_gauge, bogus=1)


@pytest.mark.parametrize("gives", [None, 5, ["hello"], {"role": "user", "content": "hello"}])
def test_a_prompt_read_as_something_else_is_told(tiny_gauge, gives):
    request = {"query": ["hello you"], "prompts": ["hello"]}
    with pytest.raises(ExchangeError, match=rf"read_prompt gave {type(gives).__name__} for"):
        answer(tiny_gauge, request, read_prompt=lambda prompt: gives)


def test_a_python_file_gives_tensors(tiny_bundle, tiny_gauge, tmp_path):
    torch = pytest.importorskip("torch")
    file = tmp_path / "reward.py"
    file.write_text(
        "from harmgauge import load\n"
        "from harmgauge.integrations.openrlhf import reward_function\n"
        f"reward_func = reward_function(load({str(tiny_bundle)!r}), special_tokens=['[SEP]'])\n"
    )
    # As OpenRLHF loads it.
    spec = importlib.util.spec_from_file_location("reward_func", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found = module.reward_func(["hello thank you[SEP]"], ["hello "], [None])
    expected = -tiny_gauge.score([Exchange("hello ", "thank you")])
    assert torch.is_tensor(found["extra_logs"]["unsafe"])
    assert found["rewards"].tolist() == pytest.approx(expected)
    assert reward_function(tiny_gauge, 0.0)(["hello"], ["hello"])["rewards"].tolist() == [0.0]
