"""The model card of a gauge: what its manifest says, in words and tables for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

from ..bundle import Manifest
from ..taxonomy import CATEGORIES


def model_card(manifest: Manifest) -> str:
    """Markdown that says what a gauge is, where it comes from, how good it is and what it cannot.

    Args:
        manifest: nothing but this is read. The hashes of `manifest.files` are left out, since the
            card is itself one of the files.

    Returns:
        The text of a bundle's `README.md`.
    """
    sections = (
        _origin(manifest),
        _use(manifest),
        _calibration(manifest),
        _thresholds(manifest),
        _metrics(manifest),
        _make(manifest),
        _limits(manifest),
    )
    return "\n".join(line for section in sections for line in (*section, ""))


def _origin(manifest: Manifest) -> list[str]:
    rows = sum(source.get("rows") or 0 for source in manifest.data)
    sources = "1 source" if len(manifest.data) == 1 else f"{len(manifest.data)} sources"
    return [
        f"# {manifest.name}",
        "",
        f"A gauge of harm for harmgauge. **Licence of the weights: {manifest.licence}.**",
        f"Trained on {rows} rows of {sources}:",
        "",
        *_table(manifest.data),
        *_teachers(manifest),
    ]


def _teachers(manifest: Manifest) -> list[str]:
    if not manifest.teachers:
        return []
    return [
        "",
        "It also learnt what these gauges say of the texts of that data:",
        "",
        *_table(
            [
                {
                    "gauge": teacher["gauge"],
                    "licence": teacher["licence"],
                    "base": teacher["base"],
                    "learnt from": ", ".join(
                        f"{each['source']} ({each['licence']})" for each in teacher["data"]
                    ),
                }
                for teacher in manifest.teachers
            ]
        ),
    ]


def _use(manifest: Manifest) -> list[str]:
    name = manifest.name
    return [
        "## Use",
        "",
        f"`{name}` stands for the folder of this bundle, or for its name where it is installed.",
        "",
        "```python",
        "import harmgauge",
        "",
        f'gauge = harmgauge.load("{name}")',
        'gauge.score(["How do I bake bread?"])  # costs, one each',
        'gauge.verdict(harmgauge.Exchange(prompt="Hi", response="Hello!")).unsafe',
        "```",
        "",
        "```sh",
        f'harmgauge score --gauge {name} --prompt "Hi" --response "Hello!"',
        f"harmgauge evaluate labelled.csv --gauge {name}",
        "```",
        "",
        "A prompt alone asks: is saying or asking this harmful? With a response, only the response "
        "is on trial, in the light of the prompt; of messages, the last turn.",
    ]


def _calibration(manifest: Manifest) -> list[str]:
    fitted = manifest.calibration
    prior = f"{fitted.prior:.3g}"
    return [
        "## Cost and calibration",
        "",
        f"Direction `{manifest.direction}`: a cost below 0 is safe, above 0 unsafe. It is the "
        "log-odds of unsafe, so that `sigmoid(cost)` is the probability of unsafe where a share of "
        f"{prior} of the texts is (the prior). Where the share is another, load the gauge with "
        "`prior=SHARE`.",
        "",
        *_table(
            [
                {
                    "prior": prior,
                    "temperature": fitted.temperature,
                    "bias": fitted.bias,
                    "fitted on": fitted.data,
                    "n": fitted.n,
                }
            ]
        ),
        *(
            ["", f"The scale is not straight: {len(fitted.knots)} knots of isotonic regression."]
            if fitted.knots
            else []
        ),
    ]


def _thresholds(manifest: Manifest) -> list[str]:
    if not manifest.thresholds:
        return [
            "## Thresholds",
            "",
            "None is stored. A verdict is unsafe from cost 0 on, where unsafe is as likely as "
            "safe; choose another on labelled texts of your own, with `harmgauge calibrate`.",
        ]
    return [
        "## Thresholds",
        "",
        "A verdict is unsafe from cost 0 on. These are stored besides, to be asked for by name; "
        "each promises a false-positive rate on texts like those of its data, with a confidence:",
        "",
        *_table([threshold.in_a_table() for threshold in manifest.thresholds]),
    ]


def _metrics(manifest: Manifest) -> list[str]:
    lines = [
        "## Measured",
        "",
        "From the bundle as written and loaded afresh. The checkpoint was chosen on validation "
        "data, so that figures on it flatter; judge by test sets of your own.",
    ]
    for _, group in groupby(_figures(manifest), key=lambda entry: list(entry)):
        lines += ["", *_table(list(group))]
    for entry in manifest.metrics:
        if "storage" in entry:
            lines += ["", _export(entry)]
    return lines


def _figures(manifest: Manifest) -> Iterable[Mapping[str, Any]]:
    """Metrics that are tables; the export report has a sentence of its own."""
    return (entry for entry in manifest.metrics if "storage" not in entry)


def _export(entry: Mapping[str, Any]) -> str:
    """What became of the model on its way to ONNX, see `export.ExportReport`."""
    cell = {key: _cell(value) for key, value in entry.items()}
    text = (
        f"Export: ONNX, weights stored as {cell['storage']}, {cell['megabytes']} MB, attention "
        f"fused in {cell['fused_attention']} of {cell['layers']} layers. On {cell['n']} validation "
        f"rows raw costs differ from those of training by {cell['max_difference']} at most and "
        f"{cell['mean_difference']} on average, and AUROC went from {cell['auroc_before']} to "
        f"{cell['auroc_after']}."
    )
    return f"{text} Note: {entry['note']}." if entry.get("note") else text


def _make(manifest: Manifest) -> list[str]:
    layout, base = manifest.layout, manifest.base
    return [
        "## Made from",
        "",
        f"- base model {base.get('name')}, sha256 of its weights {base.get('sha256') or 'unknown'}",
        f"- template {manifest.template}, windows of {layout.max_tokens} tokens, "
        f"{manifest.pooling} pooling, runtime {manifest.runtime}",
        f"- harmgauge {manifest.code_version}, bundle format {manifest.format_version}",
    ]


def _limits(manifest: Manifest) -> list[str]:
    categories = ", ".join(manifest.outputs[1:])
    missing = [name for name in CATEGORIES if name not in manifest.outputs]
    return [
        "## Limits",
        "",
        "- **English.** The data of harmgauge's recipes is English; in a language that is not "
        "among the data above a cost means little.",
        "- **Short texts.** It learnt from short dialogue, requests, posts and answers of language "
        "models. Documents, code and fiction are strange to it, and so are irony and quotation.",
        f"- **Windows.** Texts longer than {manifest.layout.max_tokens} tokens are read in "
        "overlapping windows and get the cost of the worst; what only the whole says is missed.",
        f"- **Categories:** {categories}. Others are unknown, not absent. Not supported: "
        f"{', '.join(missing) or 'none'}."
        if categories
        else "- **No categories.** `categories` of a verdict is `null`: unknown, not absent. So "
        "are `spans` and `disguised`.",
        "- **Its labels are its judgement.** It repeats what the raters of its data thought, their "
        "errors and biases included, and is no legal or clinical judgement. Keep a person where a "
        "mistake matters.",
        "- **No defence against an adversary** who can try texts until one passes.",
    ]


def _table(entries: Sequence[Mapping[str, Any]]) -> list[str]:
    """A Markdown table; the entries have the same keys."""
    if not entries:
        return []
    header = [key.replace("_", " ") for key in entries[0]]
    rows = [[_cell(value) for value in entry.values()] for entry in entries]
    return [f"| {' | '.join(row)} |" for row in (header, ["---"] * len(header), *rows)]


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    text = f"{value:.3g}" if isinstance(value, float) else str(value)
    return text.replace("|", "\\|").replace("\n", " ")
