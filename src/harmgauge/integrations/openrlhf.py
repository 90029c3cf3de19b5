"""A gauge as OpenRLHF's remote reward model: a Python file, or what a server answers.

A file that `--remote_rm_url` (of late `--reward.remote_url`) names:

    from harmgauge import load
    from harmgauge.integrations.openrlhf import reward_function

    reward_func = reward_function(load(), special_tokens=["<|im_end|>"])

The request has `query`, prompts with their responses as the model's tokenizer decodes them, and
`prompts`; the answer has `rewards`, `scores` and `extra_logs`, as in OpenRLHF's
`openrlhf/cli/serve_rm.py` and `examples/python/reward_func.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeGuard

from ..errors import ExchangeError, RecipeError, needs_extra
from ..gauge import Gauge
from ..verdict import Verdict
from .reward import judge


def answer(
    gauge: Gauge,
    request: Mapping[str, Any],
    threshold: float | str | None = None,
    *,
    special_tokens: Sequence[str] = (),
    read_prompt: Callable[[str], Any] = str,
) -> dict[str, Any]:
    """What a reward server answers, as plain JSON types.

    Args:
        gauge: what judges.
        request: `query`, a list of texts, and `prompts`, the texts that they begin with; without
            `prompts` a whole query is on trial, as a response. Other keys, such as `labels`, are
            left alone.
        threshold: None gives minus the cost, else `min(0, threshold - cost)`; see
            `integrations.trl`.
        special_tokens: tokens that are taken off the end of a query: end of text, padding.
        read_prompt: what a prompt says, a text or messages, where `prompts` are written in a chat
            template.

    Returns:
        `rewards`; `scores`, the probability of safe from 0 to 1; and `extra_logs` with `unsafe` and
        `unjudged`, 0 or 1. Where there is no verdict (blank, or not to be judged) the reward is 0
        and the score 0.5, since OpenRLHF takes numbers only.

    Raises:
        ExchangeError: there is no list of queries, or not one with each prompt in it; or
            `read_prompt` gives neither a text nor messages.
        RecipeError: the gauge has no threshold of that name, or an option is not of its type.
    """
    exchanges = read_request(request, special_tokens=special_tokens, read_prompt=read_prompt)
    return write_answer(judge(gauge, exchanges, threshold))


def read_request(
    request: Mapping[str, Any],
    *,
    special_tokens: Sequence[str] = (),
    read_prompt: Callable[[str], Any] = str,
) -> list[Any]:
    """The exchanges of a request; arguments and errors as for `answer`."""
    _check_options(special_tokens, read_prompt)
    if not isinstance(request, Mapping):
        raise ExchangeError("the request must be a JSON object with a list query")
    queries, prompts = request.get("query"), request.get("prompts")
    if not _are_texts(queries):
        raise ExchangeError("query must be a list of texts")
    if prompts is None:
        return [{"response": _end(query, special_tokens)} for query in queries]
    if not _are_texts(prompts) or len(prompts) != len(queries):
        raise ExchangeError(f"prompts must be a list of {len(queries)} texts, one a query")
    return [
        _exchange(number, read_prompt(prompt), _response(number, query, prompt, special_tokens))
        for number, (query, prompt) in enumerate(zip(queries, prompts, strict=True), 1)
    ]


def write_answer(judged: Sequence[tuple[float | None, Verdict]]) -> dict[str, Any]:
    """Rewards and the verdicts behind them, as `answer` gives them."""
    return {
        "rewards": [0.0 if reward is None else reward for reward, _ in judged],
        "scores": [
            0.5 if reward is None or verdict.probability is None else 1 - verdict.probability
            for reward, verdict in judged
        ],
        "extra_logs": {
            "unsafe": [float(bool(verdict.unsafe)) for _, verdict in judged],
            "unjudged": [float(reward is None) for reward, _ in judged],
        },
    }


def reward_function(
    gauge: Gauge,
    threshold: float | str | None = None,
    *,
    special_tokens: Sequence[str] = (),
    read_prompt: Callable[[str], Any] = str,
) -> Callable[..., dict[str, Any]]:
    """The `reward_func` that OpenRLHF looks for in a Python file; its answer holds tensors.

    Arguments as for `answer`.

    Raises:
        RecipeError: the gauge has no threshold of that name, or an option is not of its type.
        HarmgaugeError: torch is not installed.
    """
    try:
        import torch
    except ImportError:
        raise needs_extra("train", "OpenRLHF's reward function") from None
    # What is wrong shows before any training.
    gauge.threshold(threshold)
    _check_options(special_tokens, read_prompt)

    def reward_func(
        queries: Sequence[str], prompts: Sequence[str], labels: Any = None, **_: Any
    ) -> dict[str, Any]:
        request = {"query": list(queries), "prompts": list(prompts)}
        found = answer(
            gauge, request, threshold, special_tokens=special_tokens, read_prompt=read_prompt
        )
        logs = {key: torch.tensor(values) for key, values in found.pop("extra_logs").items()}
        return {**{key: torch.tensor(values) for key, values in found.items()}, "extra_logs": logs}

    return reward_func


def _check_options(special_tokens: Any, read_prompt: Any) -> None:
    # Of a single text each letter would be taken off.
    if isinstance(special_tokens, str) or not _are_texts(list(special_tokens)):
        raise RecipeError("special_tokens must be a list of texts, such as ['<|im_end|>']")
    if not callable(read_prompt):
        raise RecipeError(
            "read_prompt must be a function from a prompt to a text or to messages, found "
            f"{type(read_prompt).__name__}"
        )


def _are_texts(value: Any) -> TypeGuard[list[str]]:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _response(number: int, query: str, prompt: str, special_tokens: Sequence[str]) -> str:
    place = query.find(prompt)
    if place < 0:
        raise ExchangeError(
            f"query {number} does not hold its prompt, as when it was cut to fit; let the trainer "
            "leave out prompts that are too long"
        )
    return _end(query[place + len(prompt) :], special_tokens)


def _end(text: str, special_tokens: Sequence[str]) -> str:
    """The text without special tokens at its end."""
    # Read backwards, and each letter once: a padded query may end in a hundred thousand of them.
    tokens = "|".join(re.escape(each[::-1]) for each in special_tokens if each)
    found = re.match(f"(?:{tokens})*+", text[::-1])
    return text[: len(text) - found.end()] if found else text


def _exchange(number: int, prompt: Any, response: str) -> Any:
    if isinstance(prompt, str):
        return {"prompt": prompt, "response": response}
    if isinstance(prompt, Sequence) and all(isinstance(each, Mapping) for each in prompt):
        return [*prompt, {"role": "assistant", "content": response}]
    raise ExchangeError(
        f"read_prompt gave {type(prompt).__name__} for prompt {number}; let it give a text, or a "
        "list of messages with role and content"
    )
