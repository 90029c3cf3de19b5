"""Gauges as Hugging Face models.

    import harmgauge.integrations.transformers  # registers the class with AutoModel
    from transformers import pipeline

    # FOLDER is written by `harmgauge export`. Of several outputs a pipeline gives the highest,
    # which need not be the cost: ask for all.
    pipe = pipeline("text-classification", FOLDER, top_k=None)
    texts = ["Hello!", {"text": "How do I bake bread?", "text_pair": "Mix flour and water."}]
    costs = [next(o["score"] for o in outputs if o["label"] == "cost") for outputs in pipe(texts)]

Stock classes cannot hold this model: they pool one fixed token, and decoders have no bias.
"""

from __future__ import annotations

from typing import Any

from ..errors import needs_extra

try:
    import torch
    from torch import Tensor, nn
    from transformers import (
        AutoConfig,
        AutoModelForSequenceClassification,
        PreTrainedConfig,
        PreTrainedModel,
    )
    from transformers.modeling_outputs import SequenceClassifierOutput
except ImportError as error:
    raise needs_extra("train", "a gauge in transformers") from error

from ..members import members_at
from ..training.model import CostModel, ModelSpec, Pooling, new_backbone
from ..verdict import DIRECTION
from ..windows import Layout


class HarmgaugeConfig(PreTrainedConfig):  # type: ignore[misc]
    """The backbone's config and what a gauge adds to it.

    `problem_type` is `regression`, so that the text-classification pipeline leaves logits as they
    are.
    """

    model_type = "harmgauge"
    sub_configs = {"backbone_config": AutoConfig}  # noqa: RUF012

    backbone_config: Any = None
    pooling: Pooling = "mean"
    max_tokens: int = 512
    direction: str = DIRECTION
    kinds: dict[str, list[float]] | None = None
    """of `prompt` and `exchange`, where they have scales of their own: slope and offset from the
    cost on the common scale to theirs"""
    problem_type: str | None = "regression"

    def __post_init__(self, **kwargs: Any) -> None:
        if isinstance(self.backbone_config, dict):
            self.backbone_config = AutoConfig.for_model(**self.backbone_config)
        super().__post_init__(**kwargs)


class HarmgaugeForSequenceClassification(PreTrainedModel):  # type: ignore[misc]
    """A cost model whose first logit is the cost: the calibration is folded into the head, but for
    what the scales of kinds of input add to it.

    The first label is `cost`; further ones, where the gauge has them, are log-odds of
    categories, each by itself: a verdict caps their probability by that of the cost. Last come
    the deviations of the members of an ensemble, in log-odds: the `uncertainty` of a
    verdict is the standard deviation of the probabilities that they lead to.
    """

    config_class = HarmgaugeConfig
    base_model_prefix = "cost_model"
    _supports_sdpa = True

    def __init__(self, config: HarmgaugeConfig) -> None:
        super().__init__(config)
        spec = ModelSpec(
            config.pooling,
            Layout((), (), (), config.max_tokens),
            tuple(config.id2label[i] for i in range(config.num_labels)),
        )
        self.cost_model = CostModel(new_backbone(config.backbone_config), spec)
        self.post_init()

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        **_: Any,
    ) -> SequenceClassifierOutput:
        """Costs.

        Args:
            input_ids: token ids, `[batch, length]`, laid out as the saved tokenizer does.
            attention_mask: 1 for real tokens, padding on either side; None: all are real.
            labels: probability of unsafe, `[batch]`; gives the binary cross-entropy of the cost.
            token_type_ids: 1 in what a response says, 0 elsewhere, as the saved tokenizer gives
                them where prompts and exchanges have scales of their own; without them costs are
                on the common scale.

        Returns:
            `logits`, fp32, `[batch, num_labels]`.
        """
        if attention_mask is None:
            attention_mask = torch.ones_like(input_ids)
        logits = self.cost_model(input_ids, attention_mask)
        if self.config.kinds and token_type_ids is not None:
            scales = [self.config.kinds[kind] for kind in ("prompt", "exchange")]
            answered = token_type_ids.bool().any(1).long()
            slope, offset = logits.new_tensor(scales)[answered].T
            logits = logits.clone()
            logits[:, 0] = logits[:, 0] * slope + offset
            for place in members_at(self.cost_model.spec.outputs):
                logits[:, place] *= slope
        loss = None
        if labels is not None:
            loss = nn.functional.binary_cross_entropy_with_logits(
                logits[:, 0], labels.to(logits.dtype).view(-1)
            )
        return SequenceClassifierOutput(loss=loss, logits=logits)


AutoConfig.register(HarmgaugeConfig.model_type, HarmgaugeConfig)
AutoModelForSequenceClassification.register(HarmgaugeConfig, HarmgaugeForSequenceClassification)
