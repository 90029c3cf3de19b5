"""A sequence classifier that was trained elsewhere, as a bundle: its head, its layout of texts, and
a check that the bundle scores as transformers does."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import nn

from ..bundle import Manifest, write_bundle
from ..errors import BundleError, RecipeError
from ..evaluation.scorers import Batch
from ..evaluation.scorers.classifier import ClassifierSource
from ..exchange import Exchange
from ..gauge import load
from .bases import weights_sha256
from .classifier_layout import classifier_layout
from .export import export_onnx
from .finish import UNCALIBRATED
from .heads import Head
from .licences import check_expression
from .model import CostModel, ModelSpec, Pooling, is_encoder, read_long_words
from .recipe import NAME
from .vocabulary import check_vocabulary

UNKNOWN_LICENCE = "NOASSERTION"
HIGH, LOW = "unsafe-high", "unsafe-low"
MAX_DIFFERENCE = 1e-4
"""largest difference allowed between the bundle and transformers, relative above a score of 1"""

_HEADS = (
    "BERT, RoBERTa, ELECTRA and their kin, DistilBERT, DeBERTa-v2 and v3, and language models with "
    "a linear layer called score"
)
# Short, so that they fit into any window.
_PROBES = (Exchange("Hello there"), Exchange("Hello", "Hi"), Exchange("Rain?", "Sun."))


def find_classifier(place: str) -> tuple[Path, str]:
    """The folder of a classifier, and what to call it; a Hub id is downloaded.

    Raises:
        RecipeError: it is no folder, and no Hub id that can be reached.
    """
    folder = Path(place).expanduser()
    if folder.is_dir():
        return folder, folder.resolve().name
    if folder.exists():
        raise RecipeError(f"{place} is a file; name the folder that holds it and its config.json")
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", place):
        raise RecipeError(f"there is no folder {place}; name one, or a Hub id such as OWNER/NAME")
    from huggingface_hub import snapshot_download

    try:
        # No pickles, and no code.
        kinds = ["*.json", "*.safetensors", "*.txt", "*.model", "*.jinja"]
        return Path(snapshot_download(place, allow_patterns=kinds)), place
    except Exception as error:  # dozens of types, most for want of a network or of the name
        raise RecipeError(
            f"{place} is no folder here, and could not be fetched from the Hub "
            f"({type(error).__name__}): check the spelling and the network"
        ) from error


def import_classifier(
    folder: Path,
    direction: Sequence[str],
    out: Path,
    *,
    name: str,
    base: str,
    licence: str,
    threads: int | None = None,
) -> tuple[Manifest, str | None]:
    """Write a Hugging Face sequence classifier as a bundle, not calibrated.

    Prompt and response are read as the classifier learnt them: through its chat template where it
    has one, else as a pair of texts; earlier turns stand before them. The runtime is ONNX in fp32
    where the model can be exported, else torch.

    Args:
        folder: in Hugging Face layout.
        direction: `unsafe-high` or `unsafe-low` of a single score, else the names of the labels
            that are unsafe (see `heads.log_odds`).
        out: folder of the bundle.
        name: of the gauge.
        base: what the manifest calls the classifier.
        licence: SPDX expression of the weights' licence, or NOASSERTION.
        threads: cores; None leaves it to torch.

    Returns:
        The manifest as written, and why it is not an ONNX bundle, where it is not.

    Raises:
        RecipeError: it is no classifier, the direction does not fit its labels, its tokenizer has
            tokens without embeddings, or the name or the licence is not such as recipes take.
        BundleError: its scores are not finite, its head or chat template is not supported, or the
            bundle scores otherwise than transformers by more than 1e-4.
    """
    if not re.fullmatch(NAME, name):
        raise RecipeError(
            f"{name!r} cannot name a gauge; give it lower-case letters, digits and . _ - (--name), "
            "such as toxicity-bert"
        )
    if licence != UNKNOWN_LICENCE:
        check_expression(licence)
    labels = [each for each in direction if each not in (HIGH, LOW)]
    if not direction or (len(labels) < len(direction) and len(direction) > 1):
        raise RecipeError(
            f"state one direction: {HIGH} or {LOW} for a model with one score, or the names of the "
            "labels that are unsafe"
        )
    source = ClassifierSource(base, folder, labels or None, probability=False, threads=threads)
    sign = -1 if LOW in direction else 1
    expected = sign * _scores(source)  # before the model is taken apart
    if not np.isfinite(expected).all():
        raise BundleError(f"{base} gives probe texts no finite score: its weights are damaged")
    model, tokenizer = _cost_model(source, folder, sign, base)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as scratch:
        files, note = _files(model, tokenizer, Path(scratch))
        spec = model.spec
        manifest = Manifest(
            name=name,
            base={"name": base, "sha256": spec.base_sha256},
            layout=spec.layout,
            pooling=spec.pooling,
            runtime="onnx" if note is None else "torch",
            calibration=UNCALIBRATED,
            licence=licence,
            head=asdict(spec.head) if spec.head else {},
        )
        new = Path(scratch) / "bundle"
        manifest = write_bundle(new, manifest, {path.name: path for path in files})
        _check(load(new, threads=threads).raw_scores(_PROBES)[:, 0], expected, source)
        return write_bundle(out, manifest, {each: new / each for each in manifest.files}), note


def _scores(source: ClassifierSource) -> Any:
    # One by one: some models of transformers score otherwise when padded.
    alone = (Batch("probes", ["probes:1"], [probe]) for probe in _PROBES)
    return np.concatenate([source.scores(batch, progress=False).values for batch in alone])


def _check(found: Any, expected: Any, source: ClassifierSource) -> None:
    difference = float(np.max(np.abs(found - expected) / np.maximum(1, np.abs(expected))))
    if not difference <= MAX_DIFFERENCE:  # NaN among them
        raise BundleError(
            f"{source.facts['transformers']}: as a gauge this {source.facts['architecture']} would "
            f"score otherwise than in transformers (by {difference:.1e} on probe texts), so it is "
            f"not imported; known are {_HEADS}. Measure it as it is: docs/scorers.md"
        )


def _files(model: CostModel, tokenizer: Tokenizer, scratch: Path) -> tuple[list[Path], str | None]:
    """Files of the bundle, and why they are no ONNX files, where they are not."""
    folder, note = scratch / "files", None
    try:
        export_onnx(model, tokenizer, folder, storage="fp32")
    except BundleError as error:
        folder, note = scratch / "model", str(error).partition(";")[0]
        model.save(folder, tokenizer)
    return [path for path in sorted(folder.iterdir()) if path.is_file()], note


def _cost_model(
    source: ClassifierSource, folder: Path, sign: int, base: str
) -> tuple[CostModel, Tokenizer]:
    backbone, pooling, dense, activation, outputs = _parts(source)
    if not source.tokenizer.is_fast:
        raise BundleError(f"{base} has no fast tokenizer; put its tokenizer.json into the folder")
    layout = classifier_layout(source, pooling)
    check_vocabulary(backbone, source.tokenizer.backend_tokenizer, layout, base)
    labels = source.labels if sign == 1 else tuple(f"-{label}" for label in source.labels)
    unsafe = tuple(labels[output] for output in source.outputs)
    spec = ModelSpec(
        pooling,
        layout,
        base=base,
        base_sha256=weights_sha256(str(folder)),
        head=Head(labels, unsafe, source.independent, activation),
    )
    model = CostModel(backbone, spec)
    with torch.no_grad():
        if dense is not None:
            model.head.dense.load_state_dict(dense.state_dict())
        model.head.labels.weight.copy_(sign * outputs.weight)
        model.head.labels.bias.copy_(0 if outputs.bias is None else sign * outputs.bias)
    tokenizer: Tokenizer = source.tokenizer.backend_tokenizer
    read_long_words(tokenizer)
    return model.eval(), tokenizer


def _parts(
    source: ClassifierSource,
) -> tuple[Any, Pooling, Any, str, nn.Linear]:
    """Backbone, pooling, dense layer, its activation, and the layer that gives the labels."""
    model = source.model
    backbone: Any = getattr(model, model.base_model_prefix, None)
    config = model.config
    head: Any = getattr(model, "score", None)
    if isinstance(head, nn.Linear) and not is_encoder(config):
        return backbone, "last", None, "", head
    head = getattr(model, "classifier", None)
    if hasattr(head, "dense") and hasattr(head, "out_proj"):
        activation = "gelu" if config.model_type == "electra" else "tanh"
        return backbone, "first", head.dense, activation, head.out_proj
    if isinstance(head, nn.Linear):
        if hasattr(model, "pre_classifier"):  # DistilBERT
            return backbone, "first", model.pre_classifier, "relu", head
        if hasattr(getattr(model, "pooler", None), "dense"):  # DeBERTa
            return backbone, "first", model.pooler.dense, config.pooler_hidden_act, head
        pooler: Any = getattr(backbone, "pooler", None)
        if hasattr(pooler, "dense"):  # BERT
            backbone.pooler = None  # it moves into the head
            return backbone, "first", pooler.dense, "tanh", head
    raise BundleError(
        f"the head of {source.facts['architecture']} is not supported; known are {_HEADS}. Measure "
        "it as it is: docs/scorers.md"
    )
