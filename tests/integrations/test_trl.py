import math

import pytest

from harmgauge import Exchange, ExchangeError, RecipeError
from harmgauge.integrations.trl import reward_function
from tiny import make_tokenizer

PROMPTS = ["how do i bake bread", "tell me about the weather"]
ANSWERS = ["water and bread", "nice rain today"]


def test_a_reward_is_minus_the_cost_of_the_completion(tiny_gauge):
    costs = tiny_gauge.score([Exchange(*each) for each in zip(PROMPTS, ANSWERS, strict=True)])
    reward = reward_function(tiny_gauge)
    assert reward(prompts=PROMPTS, completions=ANSWERS, answer=[1, 2]) == pytest.approx(-costs)
    chats = [[{"role": "user", "content": text}] for text in PROMPTS]
    said = [[{"role": "assistant", "content": text}] for text in ANSWERS]
    assert reward(prompts=chats, completions=said) == pytest.approx(-costs)
    assert reward.__name__ == "harmgauge_tiny"


def test_below_a_threshold_nothing_more_is_gained(tiny_gauge):
    costs = sorted(tiny_gauge.score([Exchange(*e) for e in zip(PROMPTS, ANSWERS, strict=True)]))
    middle = sum(costs) / 2
    rewards = reward_function(tiny_gauge, middle)(PROMPTS, ANSWERS)
    assert sorted(rewards) == pytest.approx([middle - costs[1], 0.0])
    assert reward_function(tiny_gauge, "fpr1")(PROMPTS, ANSWERS) == pytest.approx(
        [min(0.0, 0.75 - cost) for cost in tiny_gauge.score(map(Exchange, PROMPTS, ANSWERS))]
    )
    with pytest.raises(RecipeError, match="no threshold 'fpr9'"):
        reward_function(tiny_gauge, "fpr9")


def test_what_has_no_verdict_has_no_reward(tiny_gauge):
    reward = reward_function(tiny_gauge)
    image = [{"role": "assistant", "content": [{"type": "image"}]}]
    chat = [{"role": "user", "content": "hello"}]
    assert reward([chat], [image]) == [None]
    assert reward(["hello"], [" \n"]) == [None]
    # The prompt is not on trial.
    assert reward([chat], [[]]) == [None]
    assert reward(["hello"], [None]) == [None]


@pytest.mark.parametrize(
    ("prompts", "completions", "says"),
    [
        (["a", "b"], ["c"], "2 prompts and 1 completions"),
        ("ab", "cd", "prompts must be a list"),
        (["a"], "c", "completions must be a list"),
        (["a", "a"], ["b", [{"role": "assistant", "content": "c"}]], "completion 2 must both"),
        ([{"role": "user", "content": "a"}], ["b"], "completion 1 must both"),
    ],
)
def test_lists_of_another_form_are_refused(tiny_gauge, prompts, completions, says):
    with pytest.raises(ExchangeError, match=says):
        reward_function(tiny_gauge)(prompts, completions)


@pytest.mark.parametrize("conversational", [False, True])
def test_grpo_trains_on_it(tiny_gauge, tmp_path, conversational):
    trl = pytest.importorskip("trl")
    import torch
    from datasets import Dataset
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    torch.manual_seed(0)
    names = {"unk_token": "[UNK]", "eos_token": "[SEP]", "pad_token": "[PAD]"}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=make_tokenizer(), **names)
    tokenizer.chat_template = "{% for m in messages %}{{ m.role }} {{ m.content }} {% endfor %}"
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = LlamaConfig(vocab_size=len(tokenizer), intermediate_size=16, **sizes)
    prompts = PROMPTS
    if conversational:
        prompts = [[{"role": "user", "content": text}] for text in PROMPTS]
    trainer = trl.GRPOTrainer(
        model=LlamaForCausalLM(config),
        reward_funcs=reward_function(tiny_gauge),
        args=trl.GRPOConfig(
            output_dir=str(tmp_path),
            max_steps=1,
            per_device_train_batch_size=2,
            num_generations=2,
            max_completion_length=4,
            logging_steps=1,
            report_to="none",
            save_strategy="no",
            use_cpu=True,
            bf16=False,
            disable_tqdm=True,
        ),
        train_dataset=Dataset.from_dict({"prompt": prompts}),
        processing_class=tokenizer,
    )
    trainer.train()
    logged = next(each for each in trainer.state.log_history if "reward" in each)
    assert math.isfinite(logged["reward"])
    assert logged["rewards/harmgauge_tiny/mean"] == pytest.approx(logged["reward"])
