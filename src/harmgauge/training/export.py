"""Cost model to ONNX: traced, fused, checked against torch, stored in fewer bits.

A bundle's graph takes `input_ids` and `attention_mask` (int64, `[batch, length]`, padding on
either side) and gives raw `scores` (fp32, `[batch, outputs]`).
"""

from __future__ import annotations

import copy
import os
import tempfile
import warnings
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import onnxruntime
import torch
from numpy.typing import ArrayLike
from tokenizers import Tokenizer

from ..errors import BundleError, needs_extra
from ..evaluation.metrics import auroc
from ..runtime.weights import MODEL, create_session, quiet_logging
from .model import CostModel
from .packing import stop_packing
from .quantise import name_parameters, store_fp16, store_int6, store_int8

if TYPE_CHECKING:
    import onnx

Storage = Literal["int8", "int6", "fp16", "fp32"]

MAX_DIFFERENCE = 1e-4
"""largest difference allowed between the fp32 graph and torch, relative above a score of 1"""
MAX_AUROC_LOSS = 0.005
MAX_MOVED = 1e-3
"""how far a raw score that should stay may move: rounding alone"""
MAX_BYTES = 2_000_000_000
"""a protobuf file ends at 2 GiB"""
_FUSED = "com.microsoft"  # domain of onnxruntime's fused operators


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What became of a model on its way to ONNX."""

    storage: Storage
    layers: int
    fused_attention: int
    """attention layers that run as one operator"""
    fused_layer_norm: int
    fused_gelu: int
    int8_matrices: int
    """stored as int8 or int6"""
    graph_difference: float
    """largest difference of a raw score between torch and the fp32 graph"""
    megabytes: float
    note: str | None
    """why attention is not fused in every layer; None where it is"""
    not_named: tuple[str, ...]
    """parameters that the graph folded away, so that no Hugging Face folder can be rebuilt"""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def export_onnx(
    model: CostModel, tokenizer: Tokenizer, folder: Path, *, storage: Storage = "int8"
) -> ExportReport:
    """Write `model.onnx`, `config.json` (the backbone's) and `tokenizer.json` into `folder`.

    Args:
        model: on any device; it is copied and left as it is.
        tokenizer: saved beside the graph.
        folder: is made; files of the same names are replaced.
        storage: of large matrices: `int8` a channel (see `runtime.weights`), `int6` (the same on
            63 levels, smaller once it is zipped), `fp16` or `fp32`.

    Raises:
        BundleError: the model is too large for one ONNX file, cannot be traced, or its graph
            differs from it by more than 1e-4; `runtime: torch` is the way out.
    """
    try:
        import onnx
    except ImportError:
        raise needs_extra("train", "export to ONNX") from None

    if sum(p.numel() * 4 for p in model.parameters()) > MAX_BYTES:
        raise BundleError(_use_torch("is over 2 GB in fp32, more than one ONNX file can hold"))
    config = model.backbone.config
    model = _exportable(model)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".export.") as name:
        scratch = Path(name)
        _trace(model, scratch / "traced.onnx")
        graph, operators = _fuse(model, scratch / "traced.onnx")
        onnx.save(graph, scratch / MODEL)
        difference = _difference(model, scratch)
        if not difference <= MAX_DIFFERENCE:  # NaN among them
            raise BundleError(
                _use_torch(f"gives scores in ONNX that differ from torch's by {difference:.1e}")
            )
        state = {key: value.numpy() for key, value in model.state_dict().items()}
        not_named = name_parameters(graph, state)
        matrices = 0
        if storage == "int8":
            matrices = store_int8(graph)
        elif storage == "int6":
            matrices = store_int6(graph)
        elif storage == "fp16":
            store_fp16(graph)
        onnx.save(graph, scratch / MODEL)
        config.save_pretrained(scratch)
        tokenizer.save(str(scratch / "tokenizer.json"))
        for file in (MODEL, "config.json", "tokenizer.json"):
            os.replace(scratch / file, folder / file)

    layers = int(config.get_text_config().num_hidden_layers)
    fused = operators["Attention"] + operators["MultiHeadAttention"]
    return ExportReport(
        storage=storage,
        layers=layers,
        fused_attention=fused,
        fused_layer_norm=sum(n for op, n in operators.items() if op.endswith("LayerNormalization")),
        fused_gelu=sum(n for op, n in operators.items() if op.endswith("Gelu")),
        int8_matrices=matrices,
        graph_difference=difference,
        megabytes=(folder / MODEL).stat().st_size / 1e6,
        note=None if fused == layers else _why_not_fused(model, layers - fused),
        not_named=tuple(not_named),
    )


def check_kept(before: ArrayLike, after: ArrayLike) -> None:
    """See that costs which should stay have not moved.

    Args:
        before: raw scores by the gauge that they come from, `[n]`.
        after: the same by the bundle.

    Raises:
        BundleError: one differs by more than 0.001.
    """
    moved = float(np.abs(np.asarray(before) - np.asarray(after)).max())
    if not moved <= MAX_MOVED:
        raise BundleError(
            f"a raw cost that model.freeze_costs keeps has moved by {moved:.3g}; the base is "
            "another than when the run was begun, or stored otherwise: begin anew in another --out"
        )


def check_loss(before: ArrayLike, after: ArrayLike, labels: ArrayLike) -> dict[str, float | None]:
    """Compare costs before and after export.

    Args:
        before: costs or raw scores by torch, `[n]`.
        after: the same by the bundle.
        labels: probability of unsafe, NaN where it is not known; those count for the differences
            only. AUROC is None where only one class is left.

    Returns:
        `max_difference`, `mean_difference`, `pearson`, `auroc_before`, `auroc_after`.

    Raises:
        BundleError: more than 0.5 points of AUROC are lost, or a score is not finite.
    """
    before, after = np.asarray(before, np.float64), np.asarray(after, np.float64)
    if not np.isfinite(after).all():
        raise BundleError(_use_torch("gives scores in ONNX that are not finite"))
    labels = np.asarray(labels, np.float64)
    known = ~np.isnan(labels)
    unsafe = labels[known] >= 0.5
    figures: dict[str, float | None] = {
        "max_difference": float(np.abs(before - after).max()),
        "mean_difference": float(np.abs(before - after).mean()),
        "pearson": float(np.corrcoef(before, after)[0, 1]) if len(before) > 1 else None,
        "auroc_before": None,
        "auroc_after": None,
    }
    if 0 < unsafe.sum() < len(unsafe):
        first, then = (float(auroc(unsafe, raw[known])) for raw in (before, after))
        figures |= {"auroc_before": first, "auroc_after": then}
        if first - then > MAX_AUROC_LOSS:
            raise BundleError(
                f"the export lost {100 * (first - then):.1f} points of AUROC on validation data "
                f"({first:.3f} to {then:.3f}, at most {100 * MAX_AUROC_LOSS} allowed); "
                "set storage: fp32 in the recipe"
            )
    return figures


def _exportable(model: CostModel) -> CostModel:
    """An fp32 copy on the CPU, with the plain attention that the optimiser knows.

    SDPA is traced with its guards against fully masked rows (IsNaN, Where), which no fusion of
    onnxruntime 1.30 matches.
    """
    model = copy.deepcopy(model).cpu().float().eval()
    stop_packing(model)
    config = model.backbone.config
    config.use_cache = False
    if config._attn_implementation != "eager":
        model.backbone.set_attn_implementation("eager")
    return model


def _trace(model: CostModel, path: Path) -> None:
    """Export by tracing.

    Not by the dynamo exporter: its graphs of transformers 5 models are right, but onnxruntime
    fuses attention in none of their layers.
    """
    ids, mask = _example(model, batch=2, length=9)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # tracer warnings, and the exporter's deprecation
            torch.onnx.export(
                model,
                (ids, mask),
                str(path),
                dynamo=False,
                input_names=["input_ids", "attention_mask"],
                output_names=["scores"],
                dynamic_axes={
                    "input_ids": {0: "batch", 1: "length"},
                    "attention_mask": {0: "batch", 1: "length"},
                    "scores": {0: "batch"},
                },
                opset_version=17,
            )
    except OSError:  # a disk that is full, not the model's fault
        raise
    except Exception as error:  # any operator or Python construct may be beyond the tracer
        reason = f"cannot be traced to ONNX ({type(error).__name__})"
        raise BundleError(_use_torch(reason)) from error


def _fuse(model: CostModel, path: Path) -> tuple[onnx.ModelProto, Counter[str]]:
    """Run onnxruntime's transformer optimiser; returns the graph and its operators' counts."""
    from onnx import helper
    from onnxruntime.transformers.fusion_options import FusionOptions
    from onnxruntime.transformers.optimizer import optimize_model

    config = model.backbone.config.get_text_config()
    options = FusionOptions("bert")
    # Else the mask becomes a count of tokens, which is only right for padding on the right.
    options.use_raw_attention_mask(True)
    with quiet_logging():
        optimised = optimize_model(
            str(path),
            model_type="bert",
            num_heads=config.num_attention_heads,
            hidden_size=config.hidden_size,
            optimization_options=options,
            opt_level=0,
        )
    optimised.topological_sort()
    model = optimised.model
    if not any(entry.domain == _FUSED for entry in model.opset_import):
        model.opset_import.append(helper.make_opsetid(_FUSED, 1))
    return model, Counter(node.op_type for node in model.graph.node)


def _difference(model: CostModel, folder: Path) -> float:
    """Largest difference from torch over shapes and padding unlike those that were traced."""
    session = create_session(folder, onnxruntime.SessionOptions())
    worst = 0.0
    for batch, length in ((1, 1), (3, 17), (2, model.spec.layout.max_tokens)):
        ids, mask = _example(model, batch=batch, length=length)
        with torch.no_grad():
            expected = model(ids, mask).numpy()
        feeds = {"input_ids": ids.numpy(), "attention_mask": mask.numpy()}
        found = session.run(["scores"], feeds)[0]
        error = np.abs(expected - found) / np.maximum(1, np.abs(expected))
        worst = float(np.maximum(worst, error.max()))  # NaN stays NaN
    return worst


def _example(model: CostModel, *, batch: int, length: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Random ids, the first text padded on the left and the last on the right."""
    generator = torch.Generator().manual_seed(0)
    vocabulary = model.backbone.config.get_text_config().vocab_size
    ids = torch.randint(vocabulary, (batch, length), generator=generator)
    mask = torch.ones_like(ids)
    if batch > 1:
        mask[0, : length // 3] = 0
        mask[-1, length - length // 3 :] = 0
    return ids, mask


def _why_not_fused(model: CostModel, layers: int) -> str:
    kind = model.backbone.config.model_type
    return (
        f"onnxruntime {onnxruntime.__version__} has no attention fusion for {kind} as "
        f"transformers writes it (relative positions, rotary positions or a causal mask between "
        f"query and softmax): {layers} layers run unfused, with equal scores"
    )


def _use_torch(reason: str) -> str:
    return f"the model {reason}; set runtime: torch in the recipe"
