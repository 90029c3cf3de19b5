"""The loss of a run as a picture."""

from __future__ import annotations

import json
from pathlib import Path


def draw_loss(log: Path, picture: Path) -> None:
    """Loss a token over the steps, of training rows and of validation rows, the best marked."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    records = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    figure, axes = pyplot.subplots(figsize=(6, 4), layout="constrained")
    for key, label in (("loss", "training"), ("eval_loss", "validation")):
        points = [(r["step"], r[key]) for r in records if key in r]
        if points:
            axes.plot(*zip(*points, strict=True), label=label)
    best = min((r for r in records if "eval_loss" in r), key=lambda r: float(r["eval_loss"]))
    axes.plot(best["step"], best["eval_loss"], "o", color="black", label="checkpoint kept")
    axes.set(xlabel="step", ylabel="loss a token of the responses, nats", title="Fine-tuning")
    axes.legend()
    figure.savefig(picture, dpi=120)
    pyplot.close(figure)
