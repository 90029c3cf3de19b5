"""What training starts from: a pretrained backbone (folder, local cache, Hub) or a gauge."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer

from ..bundle import MANIFEST, Manifest, sha256
from ..errors import RecipeError
from ..files import cache_root
from ..gauges import find
from ..members import member_names
from .model import CostModel, check_positions, new_cost_model
from .recipe import GAUGE, Model
from .reopen import read_cost_model
from .sft.provenance import read_provenance, template_for
from .vocabulary import check_vocabulary


@dataclass(frozen=True, slots=True)
class Base:
    """An untrained cost model, or one to train further."""

    model: CostModel
    tokenizer: Tokenizer
    data: tuple[Mapping[str, Any], ...] = ()
    """what a gauge or a fine-tuned model was trained on before: `source`, `licence`, `rows`"""
    teachers: tuple[Mapping[str, Any], ...] = ()
    """its teachers, as in `Manifest.teachers`"""
    drawn: frozenset[str] = frozenset()
    """outputs that a gauge has not, and whose weights are drawn at random"""
    gauges: tuple[Manifest, ...] = ()
    """those whose weights it has: the one that it is, and then what is merged with it"""


def load_base(base: str, settings: Model) -> Base:
    """The model that training starts from.

    Args:
        base: as in a recipe: Hub id, folder, name in the cache, or `gauge:` and a gauge.
        settings: a recipe's `model` section.

    Raises:
        RecipeError: the base or what it says of itself cannot be read, or the settings do not fit.
        BundleError: there is no such gauge, or it is damaged.
    """
    if base.startswith(GAUGE):
        return _gauge(base, settings)
    place = resolve_base(base)
    tuned = read_provenance(place)
    model, tokenizer = new_cost_model(
        place,
        max_tokens=settings.max_tokens,
        pooling=settings.pooling,
        dropout=settings.dropout,
        base_sha256=weights_sha256(place),
        template=template_for(settings.template, tuned),
        dtype=getattr(torch, settings.dtype),
        quantise=settings.quantise is not None,
    )
    check_vocabulary(model.backbone, tokenizer, model.spec.layout, base)
    model.set_outputs(("cost", *settings.categories, *member_names(settings.members)))
    if tuned is None:
        return Base(model, tokenizer)
    model.spec = replace(model.spec, base=tuned.title)
    return Base(model, tokenizer, tuned.inherited())


def _gauge(base: str, settings: Model) -> Base:
    folder = find(base.removeprefix(GAUGE))
    if settings.quantise is not None:
        raise RecipeError(
            f"model.quantise is for language models as they come, and {base} is a gauge; leave it "
            "out, or set model.dtype=bfloat16"
        )
    dtype = getattr(torch, settings.dtype)
    model, tokenizer, manifest = read_cost_model(folder, dropout=settings.dropout, dtype=dtype)
    spec = model.spec
    if settings.template is not None:
        raise RecipeError(
            f"model.template is {settings.template}, but {base} reads turns as it was trained to; "
            "leave it out"
        )
    if settings.pooling not in (None, spec.pooling):
        raise RecipeError(
            f"model.pooling is {settings.pooling}, but {base} was trained with {spec.pooling}; "
            "leave it out"
        )
    if settings.freeze_costs and settings.max_tokens != spec.layout.max_tokens:
        raise RecipeError(
            f"model.max_tokens is {settings.max_tokens}, and the costs of {base}, which "
            f"model.freeze_costs keeps, are of windows of {spec.layout.max_tokens} tokens; set that"
        )
    check_positions(model.backbone, settings.max_tokens, base)
    # Categories and members not asked for are dropped: what is trained moves away from them.
    model.set_outputs(("cost", *settings.categories, *member_names(settings.members)))
    model.spec = replace(
        model.spec,
        layout=replace(spec.layout, max_tokens=settings.max_tokens),
        base=f"{GAUGE}{manifest.id}",
        base_sha256=weights_sha256(str(folder)) or manifest.files.get("model.onnx"),
    )
    drawn = frozenset(model.spec.outputs) - frozenset(spec.outputs)
    return Base(model, tokenizer, inherited(manifest), manifest.teachers, drawn, (manifest,))


def inherited(manifest: Manifest) -> tuple[Mapping[str, Any], ...]:
    """What a gauge was trained on, as a gauge that starts from it says it."""
    return tuple({**each, "source": f"{manifest.name}: {each['source']}"} for each in manifest.data)


def once(data: Iterable[Mapping[str, Any]]) -> tuple[Mapping[str, Any], ...]:
    """Entries of `Manifest.data`, those of one source as one: that with the most rows, since they
    are draws of it, which may or may not be the same rows."""
    found: dict[tuple[str, str], Mapping[str, Any]] = {}
    for each in data:
        known = found.setdefault(plain(each), each)
        if (each.get("rows") or 0) > (known.get("rows") or 0):
            found[plain(each)] = each
    return tuple(found.values())


def plain(entry: Mapping[str, Any]) -> tuple[str, str]:
    """Name, without those of the gauges that it came by, and licence."""
    return str(entry["source"]).rpartition(": ")[2], str(entry.get("licence"))


def cache_folder() -> Path:
    """Folder of base models made by `scripts/base_from_package.py`."""
    return cache_root() / "bases"


def resolve_base(base: str) -> str:
    """The folder of a base where there is one; anything else is left to be a Hub id.

    Raises:
        RecipeError: it is the folder of a gauge or of a run.
    """
    for folder in (Path(base).expanduser(), cache_folder() / base):
        if (folder / MANIFEST).is_file() or (folder / "harmgauge.json").is_file():
            raise RecipeError(
                f"{base} is a gauge, of which a base would lose the head, and what it learnt from; "
                f"harmgauge train goes on with it by base: {GAUGE} and the folder of its bundle"
            )
        if (folder / "config.json").is_file():
            return str(folder)
        if (folder / "recipe.json").is_file():
            raise RecipeError(
                f"{base} is the folder of a run, not a base; name the folder in it: {base}/model "
                f"of harmgauge sft, {GAUGE}{base}/bundle of harmgauge train"
            )
    return base


def weights_sha256(base: str) -> str | None:
    """Hash of a base folder's weights; None for a Hub id or sharded weights."""
    path = Path(base) / "model.safetensors"
    return sha256(path) if path.is_file() else None
