"""The losses of a run as a picture."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def draw_losses(log: Path, picture: Path) -> None:
    """Of a cost model: training loss and validation AUROC over the steps."""
    records = _records(log)
    steps = [record for record in records if "step" in record]
    checks = [record for record in records if "evaluated_at" in record]
    averages = [check for check in checks if check.get("weights") == "average"]
    checks = [check for check in checks if check not in averages]
    with _panels(picture, 2, (10, 4)) as (left, right):
        for name in ("rank", "sign", "distil", "category"):
            values = [record.get(name, 0.0) for record in steps]
            if any(values):
                left.plot([r["step"] for r in steps], _smooth(values), label=f"{name} term")
        left.axhline(
            math.log(2), color="grey", linewidth=0.8, linestyle=":", label="ln 2: no skill"
        )
        left.set(xlabel="step", ylabel="loss, mean of 50 steps", title="Training loss")
        left.legend()
        for source in checks[0]["auroc"]:
            values = [check["auroc"][source] for check in checks]
            at = [check["evaluated_at"] for check in checks]
            right.plot(at, values, linewidth=0.8, alpha=0.6, label=source)
        for mean, label, line in (
            (checks, "mean", "-"),
            (averages, "mean, averaged weights", "--"),
        ):
            if mean:
                values = [check["auroc_mean"] for check in mean]
                at = [check["evaluated_at"] for check in mean]
                right.plot(at, values, line, color="black", linewidth=2, label=label)
        right.set(xlabel="step", ylabel="AUROC", title="Validation, by source")
        right.legend(fontsize="x-small", ncols=2)


def draw_loss(log: Path, picture: Path) -> None:
    """Of a language model: loss a token of training and of validation rows, the best marked."""
    records = _records(log)
    with _panels(picture, 1, (6, 4)) as (axes,):
        for key, label in (("loss", "training"), ("eval_loss", "validation")):
            points = [(r["step"], r[key]) for r in records if key in r]
            if points:
                axes.plot(*zip(*points, strict=True), label=label)
        best = min((r for r in records if "eval_loss" in r), key=lambda r: float(r["eval_loss"]))
        axes.plot(best["step"], best["eval_loss"], "o", color="black", label="checkpoint kept")
        axes.set(xlabel="step", ylabel="loss a token of the responses, nats", title="Fine-tuning")
        axes.legend()


def _records(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]


@contextmanager
def _panels(picture: Path, count: int, size: tuple[float, float]) -> Iterator[Sequence[Any]]:
    """Axes side by side, saved as `picture` at the end."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, count, figsize=size, layout="constrained", squeeze=False)
    yield axes[0]
    figure.savefig(picture, dpi=120)
    pyplot.close(figure)


def _smooth(values: Sequence[float], width: int = 50) -> list[float]:
    return [
        sum(values[max(0, i - width + 1) : i + 1]) / len(values[max(0, i - width + 1) : i + 1])
        for i in range(len(values))
    ]
