import math

from harmgauge.training.examples import Example
from harmgauge.training.recipe import Optim
from harmgauge.training.schedule import make_schedule


def make_pair(number, prompt, answers):
    ids = tuple([number] * prompt + [1000 + number + side] * n for side, n in enumerate(answers))
    unknown = (math.nan, math.nan)
    return Example(str(number), "made up", str(number), ids, unknown, safer=0, weight=1.0)


def test_packing_changes_what_steps_cost_and_not_what_is_in_them():
    examples = [make_pair(n, 10 + n, (5, 3 * n)) for n in range(1, 20)]
    optim = Optim(batch_tokens=256, epochs=1, accumulate=2)
    padded, packed, shared = (
        make_schedule(examples, optim, 0, packing) for packing in ("padded", "packed", "shared")
    )
    assert padded.steps == packed.steps == shared.steps
    assert padded.norms == packed.norms == shared.norms
    prompts = sum(10 + n for n in range(1, 20))
    answers = sum(5 + 3 * n for n in range(1, 20))
    assert (packed.tokens, shared.tokens) == (2 * prompts + answers, prompts + answers)
    assert padded.tokens > packed.tokens
    assert padded.padding == 1 - packed.tokens / padded.tokens > 0.1
    assert packed.padding == shared.padding == padded.shared == packed.shared == 0
    assert shared.shared == 1 - shared.tokens / packed.tokens
    assert "0.0% padding, 26.7% spared" in str(shared)
