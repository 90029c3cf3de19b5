"""Bundles of a gauge with fewer or more layers, for their time and size: nothing is trained, and
what they say means nothing.

    python benchmarks/depths.py midi 4 12 --out FOLDER
    python benchmarks/gauges.py midi FOLDER/layers-4 FOLDER/layers-12 --data beavertails/test.jsonl
    python benchmarks/startup.py --gauge midi FOLDER/layers-4 FOLDER/layers-12

Fewer layers are some of the gauge's; more are the gauge's again, their rows in another order, since
what is the same is stored once. The rest is as it was.
"""

from __future__ import annotations

import argparse
import copy
import tempfile
from pathlib import Path
from typing import Any, get_args

import torch
from sizes import exported, megabytes

from harmgauge.gauges import find
from harmgauge.training.depth import keep_layers
from harmgauge.training.export import Storage
from harmgauge.training.freezing import transformer_layers
from harmgauge.training.model import CostModel
from harmgauge.training.reopen import read_cost_model


def set_depth(model: CostModel, count: int) -> None:
    """Give the backbone so many layers, in place."""
    backbone: Any = model.backbone
    layers = transformer_layers(backbone)
    total = len(layers)
    if count < total:
        keep_layers(model, count)
    for index in range(total, count):
        layers.append(copy.deepcopy(layers[index % total]))
        for weights in layers[index].parameters():
            weights.data = weights.data[torch.randperm(len(weights))]
    backbone.config.num_hidden_layers = count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("gauge", help="name of an installed gauge, or folder of a bundle")
    parser.add_argument("layers", type=int, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--storage", choices=get_args(Storage), default="int6")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for count in options.layers:
        if (place := options.out / f"layers-{count}").exists():
            parser.error(f"{place} is there; remove it, or choose another --out")
        model, tokenizer, manifest = read_cost_model(find(options.gauge))
        set_depth(model, count)
        with tempfile.TemporaryDirectory(dir=options.out) as scratch:
            bundle = exported(Path(scratch), manifest, model, tokenizer, options.storage)
            bundle.rename(place)
        weights = sum(each.numel() for each in model.parameters()) / 1e6
        size, wheel = megabytes(place)
        print(f"{place}: {weights:.0f} million weights, {size:.1f} MB, {wheel:.1f} MB in a wheel")


if __name__ == "__main__":
    main()
