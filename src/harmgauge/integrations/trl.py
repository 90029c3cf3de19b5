"""A gauge as a reward of TRL's trainers, such as GRPO and RLOO.

    from trl import GRPOTrainer
    from harmgauge import load
    from harmgauge.integrations.trl import reward_function

    GRPOTrainer(model=…, reward_funcs=[reward_function(load())], train_dataset=…)

TRL itself is not imported.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..errors import ExchangeError
from ..gauge import Gauge
from .reward import judge


def reward_function(
    gauge: Gauge, threshold: float | str | None = None
) -> Callable[..., list[float | None]]:
    """A reward function: the safer a completion in the light of its prompt, the higher.

    Args:
        gauge: what judges.
        threshold: None gives minus the cost. A cost, or the name of a stored threshold, gives
            `min(0, threshold - cost)`: 0 for what is safe enough.

    Returns:
        A function of `prompts` and `completions`, both texts or both lists of messages, and any
        other columns, which it leaves alone. It gives one float each, None where there is no
        verdict (blank, or not text), which TRL leaves out of the sum of rewards. Its name, in TRL's
        logs, is that of the gauge.

    Raises:
        RecipeError: the gauge has no threshold of that name.
        ExchangeError: by the function, where prompts and completions are not of one form.
    """
    gauge.threshold(threshold)  # a wrong name shows before any training

    def reward(prompts: Sequence[Any], completions: Sequence[Any], **_: Any) -> list[float | None]:
        for name, values in (("prompts", prompts), ("completions", completions)):
            if isinstance(values, str) or not isinstance(values, Sequence):
                raise ExchangeError(f"{name} must be a list, one a completion")
        if len(prompts) != len(completions):
            raise ExchangeError(
                f"there are {len(prompts)} prompts and {len(completions)} completions; give a "
                "prompt for each completion"
            )
        exchanges = [
            _exchange(number, *pair)
            for number, pair in enumerate(zip(prompts, completions, strict=True), 1)
        ]
        return [value for value, _ in judge(gauge, exchanges, threshold)]

    reward.__name__ = f"harmgauge_{gauge.name}"
    return reward


def _exchange(number: int, prompt: Any, completion: Any) -> Any:
    # Without an answer the prompt itself would be on trial.
    if isinstance(prompt, str) and (completion is None or isinstance(completion, str)):
        return {"prompt": prompt, "response": completion or ""}
    if isinstance(prompt, list) and isinstance(completion, list):
        return [*prompt, *completion] if completion else {"response": ""}
    raise ExchangeError(
        f"prompt and completion {number} must both be texts or both be lists of messages"
    )
