"""The model card of a gauge: what its manifest says, in words and tables for people."""

from __future__ import annotations

from collections import Counter

from ..bundle import KEPT, Manifest
from ..taxonomy import CATEGORIES
from .card_figures import calibration, categories, failures, measured, table, thresholds
from .card_tested import tested_failures, tested_figures


def model_card(manifest: Manifest) -> str:
    """Markdown that says what a gauge is, where it comes from, how good it is and what it cannot.

    Args:
        manifest: nothing but this is read; with the hashes of all other files, for the id.

    Returns:
        The text of a bundle's `README.md`.
    """
    sections = (
        _origin(manifest),
        _purpose(manifest),
        _failures(manifest),
        _use(manifest),
        calibration(manifest),
        thresholds(manifest),
        categories(manifest),
        tested_figures(manifest),
        measured(manifest),
        _make(manifest),
        _limits(manifest),
    )
    return "\n".join(line for section in sections if section for line in (*section, ""))


def _origin(manifest: Manifest) -> list[str]:
    title = [f"# {manifest.name}", ""]
    if manifest.head and not manifest.data:
        return [*title, *_imported(manifest)]
    return [
        *title,
        f"`{manifest.id}`, a gauge of harm for harmgauge. **Licence of the weights: "
        f"{manifest.licence}.**",
        f"Trained on {manifest.rows_in_words}{':' if manifest.data else '.'}",
        "",
        *table(manifest.data),
        *_licences(manifest),
        *_teachers(manifest),
        *_kept_costs(manifest),
    ]


def _kept_costs(manifest: Manifest) -> list[str]:
    if manifest.base.get("costs") != KEPT:
        return []
    return [
        "",
        f"**Its costs are those of {manifest.base['name']}**: scales, thresholds, error curves and "
        "all figures below of validation data, but for those of categories, are what was measured "
        "of that gauge. The last run trained categories alone, so that sources above that only it "
        "read taught no cost.",
    ]


def _imported(manifest: Manifest) -> list[str]:
    labels, unsafe = manifest.head["labels"], manifest.head["unsafe"]
    meaning = (
        f"Of its labels ({', '.join(labels)}) these are unsafe: {', '.join(unsafe)}."
        if len(labels) > 1
        else "Its score is higher for what is safer, and is turned round here."
        if labels[0].startswith("-")
        else "Its score is higher for what is less safe."
    )
    scale = (
        f"Calibrated on {manifest.calibration.n} texts of {manifest.calibration.data}."
        if manifest.calibration.n
        else "**Not calibrated**: costs order texts but are no log-odds, and 0 need not be the "
        "border. Fit the scale to labels: `harmgauge calibrate --recalibrate platt`."
    )
    return [
        f"The Hugging Face classifier {manifest.base.get('name')}, imported into harmgauge. "
        f"**Licence of the weights: {manifest.licence}.** What it learnt from is not known here: "
        "see its own model card.",
        "",
        f"{meaning} {scale}",
    ]


def _licences(manifest: Manifest) -> list[str]:
    counts = Counter(str(source.get("licence")) for source in manifest.data)
    if not counts:
        return []
    each = ", ".join(f"{licence} ({n})" for licence, n in counts.most_common())
    return ["", f"Licences of the data, by number of sources: {each}."]


def _purpose(manifest: Manifest) -> list[str]:
    return [
        "## For and not for",
        "",
        "- **For** sorting, ranking and flagging what people and language models write to each "
        "other, by one number for how harmful it is: as a reward or filter in training, as a first "
        "look at what others then read.",
        "- **Not for** deciding alone about a person, for texts unlike its data (below), or as the "
        "only guard where somebody gains by passing it.",
    ]


def _failures(manifest: Manifest) -> list[str]:
    found = [lines for lines in (tested_failures(manifest), failures(manifest)) if lines]
    said = found or [["Not measured: `gauge.json` has no figures by source."]]
    return ["## Where it fails", *(line for lines in said for line in ("", *lines))]


def _teachers(manifest: Manifest) -> list[str]:
    if not manifest.teachers:
        return []
    return [
        "",
        "It also learnt what these gauges say of the texts of that data:",
        "",
        *table(
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
        f"By name, `{name}` is the gauge of this name that is installed; of a copy, such as one "
        "with thresholds of your own, give the folder of its bundle instead.",
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
    known = ", ".join(manifest.category_names)
    missing = [name for name in CATEGORIES if name not in manifest.outputs]
    own = [
        "- **English.** The data of harmgauge's recipes is English; in a language that is not "
        "among the data above a cost means little.",
        "- **Short texts.** It learnt from short dialogue, requests, posts and answers of language "
        "models. Documents, code and fiction are strange to it, and so are irony and quotation.",
    ]
    return [
        "## Limits",
        "",
        *([] if manifest.head else own),
        f"- **Windows.** Texts longer than {manifest.layout.max_tokens} tokens are read in "
        "overlapping windows and get the cost of the worst; what only the whole says is missed.",
        f"- **Categories:** {known}. Others are unknown, not absent. Not supported: "
        f"{', '.join(missing) or 'none'}."
        if known
        else "- **No categories.** `categories` of a verdict is `null`: unknown, not absent. So "
        "are `spans` and `disguised`.",
        *_members(manifest),
        "- **Its labels are its judgement.** It repeats what the raters of its data thought, their "
        "errors and biases included, and is no legal or clinical judgement. Keep a person where a "
        "mistake matters.",
        "- **No defence against an adversary** who can try texts until one passes.",
    ]


def _members(manifest: Manifest) -> list[str]:
    if not manifest.members:
        return []
    return [
        f"- **Uncertainty** is how far the probabilities of its {manifest.members} members lie "
        "apart. They share one backbone and its errors: see what abstaining by it buys, "
        "`harmgauge evaluate`."
    ]
