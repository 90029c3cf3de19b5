"""The parts of a model card that are written from measurements, see `card`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from ..bundle import Manifest
from ..calibration import Calibration
from ..exchange import KINDS
from ..scales import ENOUGH

Entry = Mapping[str, Any]
"""one of `Manifest.metrics`"""

WORST = 3
"""how many sources are named where it fails"""
FEWEST = 50
"""texts below which a figure says too little to be named there"""


def failures(manifest: Manifest) -> list[str]:
    """Where it is worst on validation data: sources, false alarms and misses, kinds of input."""
    sources = [each for each in manifest.metrics if _is_source(each) and each["n"] >= FEWEST]
    kinds = [each for each in manifest.metrics if "kind" in each and each["n"]]
    lines = [
        *_worst(sources, "auroc", "**Lowest AUROC** (0.5 is chance)", highest=False),
        *_worst(sources, "false_positive_rate", "**Most false alarms**, of safe texts at cost 0"),
        *_worst(sources, "false_negative_rate", "**Most misses**, of unsafe texts at cost 0"),
        *_worst(kinds, "sign_accuracy", "**Sign accuracy by kind of input**", highest=False),
    ]
    said = "Worst first, on validation data. On texts unlike its data expect worse."
    return [said, "", *lines] if lines else []


def _worst(entries: Sequence[Entry], key: str, title: str, *, highest: bool = True) -> list[str]:
    known = [
        each
        for each in entries
        if each.get(key) is not None and (key == "auroc" or not _is_earlier(each))
    ]
    known.sort(key=lambda each: float(each[key]), reverse=highest)
    named = (f"{_source(each)} {_cell(each[key])} (n = {each['n']})" for each in known[:WORST])
    return [f"- {title}: {', '.join(named)}."] if known else []


def calibration(manifest: Manifest) -> list[str]:
    """What a cost is, and how far the probabilities can be trusted, by kind of input."""
    scales = manifest.scales
    rows = [_scale_row("all together", scales.common, _error(manifest, None))]
    apart = bool(scales.by_kind) or any("kind" in each for each in manifest.metrics)
    for kind in KINDS if apart else ():
        own, error = scales.by_kind.get(kind), _error(manifest, kind)
        if own is not None or error is not None:
            rows.append(_scale_row(kind, own, error))
    bent = [kind or "all together" for kind, scale in scales.named.items() if scale.knots]
    lines = [
        "## Cost and calibration",
        "",
        f"Direction `{manifest.direction}`: a cost below 0 is safe, above 0 unsafe. It is the "
        "log-odds of unsafe, so that `sigmoid(cost)` is the probability of unsafe where a share of "
        f"{scales.common.prior:.3g} of the texts is (the prior"
        f"{'; kinds of input with a scale of their own have their own' if scales.by_kind else ''})."
        " Where the share is another, load the gauge with `prior=SHARE`. ECE, the mean gap between "
        "probability and share of unsafe, is measured on prompts that the fit has not seen.",
        "",
        *table(rows),
    ]
    if bent:
        lines += ["", f"Bent by isotonic regression, not straight: {', '.join(bent)}."]
    if apart and (left := [kind for kind in KINDS if kind not in scales.by_kind]):
        lines += [
            "",
            f"On the scale of all together: {', '.join(left)}. Training gives a kind its own where "
            f"validation has {ENOUGH} texts of each class to fit it on, and more than one kind.",
        ]
    return lines


def _scale_row(kind: str, scale: Calibration | None, error: Entry | None) -> dict[str, Any]:
    return {
        "kind": kind,
        "prior": scale and f"{scale.prior:.3g}",
        "temperature": scale and scale.temperature,
        "bias": scale and scale.bias,
        "fitted on": scale and scale.data,
        "n": scale and scale.n,
        "ECE": error and error["ece"],
        "ECE on n": error and error["n"],
    }


def _error(manifest: Manifest, kind: str | None) -> Entry | None:
    """The latest ECE on the scale as it is."""
    found = [
        each
        for each in manifest.metrics
        if "ece" in each and each.get("kind") == kind and not _is_earlier(each)
    ]
    return found[-1] if found else None


def thresholds(manifest: Manifest) -> list[str]:
    """What is stored with which promise, at what price, and what is not for want of texts."""
    lines = ["## Thresholds", ""]
    if manifest.thresholds:
        recalls = {each["threshold"]: each for each in manifest.metrics if "recall" in each}
        rows = []
        for threshold in manifest.thresholds:
            found = recalls.get(threshold.name)
            row = threshold.in_a_table()
            by_kind, licences, kinds = (
                row.pop(key, None) for key in ("cost_by_kind", "licences", "kinds")
            )
            recall = found and f"{_cell(found['recall'])} (n = {found['n']})"
            added = {"kinds": kinds, "licences": licences, "recall": recall}
            added |= {"cost by kind": by_kind}
            rows.append({**row, **added})
        unsaid = [key for key in added if not any(each[key] for each in rows)]
        lines += [
            "A verdict is unsafe from cost 0 on. These are stored besides, to be asked for by "
            "name; each promises a false-positive rate on texts like those of its data, with a "
            "confidence. Recall is the share of unsafe validation texts that reach it, and no "
            "promise.",
            "",
            *table([{k: v for k, v in row.items() if k not in unsaid} for row in rows]),
        ]
    else:
        lines.append(
            "None is stored. A verdict is unsafe from cost 0 on, where unsafe is as likely as "
            "safe; choose another on labelled texts of your own, with `harmgauge calibrate`."
        )
    if lacking := [each for each in manifest.metrics if "takes" in each]:
        named = (
            f"{each['threshold']} (has {each['n']}, takes {each['takes']})" for each in lacking
        )
        lines += ["", f"Left out, for want of safe texts: {', '.join(named)}."]
    return lines


def categories(manifest: Manifest) -> list[str]:
    """AUROC of each category, against all texts and against other unsafe ones."""
    found = [each for each in manifest.metrics if "flagged" in each]
    if not found:
        return []
    return [
        "## Categories",
        "",
        "AUROC against all other texts, which the cost alone can give, and against other unsafe "
        "texts, which it cannot.",
        "",
        *table(
            [
                {
                    "category": str(each["data"]).removesuffix(", validation"),
                    **{key: value for key, value in each.items() if key != "data"},
                }
                for each in found
            ]
        ),
    ]


def measured(manifest: Manifest) -> list[str]:
    """All other figures, those of one kind in a table."""
    lines = [
        "## Measured",
        "",
        "From the bundle as written and loaded afresh. Figures on validation data flatter: a part "
        "of it fits the calibration, and checkpoints and recipes are chosen on it. Judge by test "
        "sets of your own.",
    ]
    elsewhere = ("kind", "flagged", "threshold", "storage")
    rest = (each for each in manifest.metrics if not any(key in each for key in elsewhere))
    for _, group in groupby(rest, key=lambda entry: list(entry)):
        lines += ["", *table(list(group))]
    for each in manifest.metrics:
        if "storage" in each:
            lines += ["", f"Export: {' '.join(export_lines(each))}"]
    return lines


def export_lines(entry: Entry) -> list[str]:
    """What became of the model on its way to ONNX, see `export.ExportReport`."""
    cell = {key: _cell(value) for key, value in entry.items()}
    lines = [
        f"ONNX, weights stored as {cell['storage']}, {cell['megabytes']} MB, attention fused in "
        f"{cell['fused_attention']} of {cell['layers']} layers.",
        f"On {cell['n']} validation rows raw costs differ from those of training by "
        f"{cell['max_difference']} at most and {cell['mean_difference']} on average, and AUROC "
        f"went from {cell['auroc_before']} to {cell['auroc_after']}.",
    ]
    return [*lines, f"Note: {entry['note']}."] if entry.get("note") else lines


def table(entries: Sequence[Entry]) -> list[str]:
    """A Markdown table; the entries have the same keys."""
    if not entries:
        return []
    header = [key.replace("_", " ") for key in entries[0]]
    rows = [[_cell(value) for value in entry.values()] for entry in entries]
    return [f"| {' | '.join(row)} |" for row in (header, ["---"] * len(header), *rows)]


def _is_source(entry: Entry) -> bool:
    of_texts = "auroc" in entry and "flagged" not in entry  # a category's AUROC is of another kind
    return of_texts and " validation" in str(entry["data"])


def _is_earlier(entry: Entry) -> bool:
    """Whether it was measured before the scale was fitted anew, see `recalibration.rescale`."""
    return str(entry["data"]).endswith("(earlier scale)")


def _source(entry: Entry) -> str:
    return str(entry.get("kind") or str(entry["data"]).partition(" validation")[0])


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    text = f"{value:.3g}" if isinstance(value, float) else str(value)
    return text.replace("|", "\\|").replace("\n", " ")
