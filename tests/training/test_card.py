"""The model card says what the manifest says, licence and data first."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harmgauge import tested
from harmgauge.bundle import Manifest
from harmgauge.calibration import Calibration
from harmgauge.thresholds import Threshold
from harmgauge.training.card import model_card
from harmgauge.windows import Layout

EXPORT = {
    "data": "export, validation",
    "n": 40,
    "storage": "int8",
    "layers": 6,
    "fused_attention": 6,
    "fused_layer_norm": 13,
    "fused_gelu": 6,
    "int8_matrices": 38,
    "megabytes": 23.4567,
    "note": None,
    "not_named": [],
    "max_difference": 0.0312,
    "mean_difference": 0.0041,
    "pearson": 0.9999,
    "auroc_before": 0.9012,
    "auroc_after": 0.9009,
}


@pytest.fixture
def manifest() -> Manifest:
    return Manifest(
        name="tiny",
        base={"name": "tiny-base", "sha256": "ab12"},
        layout=Layout((1,), (2,), (2,), 192),
        pooling="mean",
        runtime="onnx",
        calibration=Calibration(0.25, 0.5, 0.375, "tiny validation, half of prompts", 123),
        licence="CC-BY-NC-4.0",
        data=(
            {"source": "gardens", "licence": "CC0-1.0", "rows": 200},
            {"source": "bread|cake", "licence": "MIT", "rows": 100},
        ),
        thresholds=(Threshold("fpr1", 1.75, 0.01, 0.95, "tiny validation", 300),),
        metrics=(
            {"data": "held-out prompts", "n": 61, "ece": 0.04321, "sign_accuracy": 0.75},
            {"data": "gardens validation", "n": 60, "auroc": 0.875, "sign_accuracy": 0.8},
            {"data": "bread validation", "n": 50, "auroc": None, "sign_accuracy": 0.7},
            {"data": "pairs validation, pairs", "n": 30, "ranking_accuracy": 0.9},
            EXPORT,
        ),
    )


def test_the_first_lines_name_the_gauge_its_licence_and_every_source(manifest):
    first = model_card(manifest).splitlines()[:9]
    assert first[0] == "# tiny"
    assert first[2].startswith(f"`{manifest.id}`, a gauge of harm")
    assert "Licence of the weights: CC-BY-NC-4.0" in first[2]
    assert "300 rows of 2 sources" in first[3]
    assert first[5:9] == [
        "| source | licence | rows |",
        "| --- | --- | --- |",
        "| gardens | CC0-1.0 | 200 |",
        "| bread\\|cake | MIT | 100 |",
    ]


def test_it_says_how_to_use_the_gauge_and_what_a_cost_means(manifest):
    card = model_card(manifest)
    assert 'harmgauge.load("tiny")' in card
    assert "harmgauge score --gauge tiny" in card
    assert "`positive_is_unsafe`" in card
    assert "| 0.375 | 0.5 | 0.25 | tiny validation, half of prompts | 123 |" in card
    assert "| fpr1 | 1.75 | 0.01 | 0.95 | tiny validation | 300 |" in card


def test_metrics_of_one_kind_share_a_table_and_the_export_has_a_sentence(manifest):
    card = model_card(manifest)
    assert "| data | n | ece | sign accuracy |\n| --- | --- | --- | --- |" in card
    assert "| held-out prompts | 61 | 0.0432 | 0.75 |" in card
    assert (
        "| data | n | auroc | sign accuracy |\n| --- | --- | --- | --- |\n"
        "| gardens validation | 60 | 0.875 | 0.8 |\n| bread validation | 50 | – | 0.7 |\n"
    ) in card
    assert "| pairs validation, pairs | 30 | 0.9 |" in card
    export = next(line for line in card.splitlines() if line.startswith("Export:"))
    assert "int8, 23.5 MB" in export
    assert "6 of 6 layers" in export
    assert "0.0312 at most" in export
    assert "from 0.901 to 0.901" in export
    assert "Note" not in export


def test_what_it_is_for_and_where_it_fails_come_before_the_figures(manifest):
    figures = (
        {"data": "gardens validation", "n": 90, "auroc": 0.875, "false_positive_rate": 0.25},
        {"data": "bread validation", "n": 60, "auroc": 0.625, "false_positive_rate": None},
        {"data": "cake validation", "n": 20, "auroc": 0.5, "false_positive_rate": 0.9},
        {"data": "held out", "kind": "prompt", "n": 40, "ece": 0.02, "sign_accuracy": 0.875},
        {"data": "held out", "kind": "response", "n": 30, "ece": 0.09, "sign_accuracy": 0.75},
    )
    card = model_card(replace(manifest, metrics=figures))
    assert card.index("## For and not for") < card.index("## Where it fails")
    fails = card.split("## Where it fails")[1].split("\n## ")[0]
    assert "bread 0.625 (n = 60), gardens 0.875 (n = 90)." in fails
    assert "**Most false alarms**, of safe texts at cost 0: gardens 0.25 (n = 90)." in fails
    assert "cake" not in fails  # too few texts to say so
    assert "response 0.75 (n = 30), prompt 0.875 (n = 40)." in fails
    assert "misses" not in fails
    earlier = [{**each, "data": f"{each['data']} (earlier scale)"} for each in figures]
    fails = model_card(replace(manifest, metrics=earlier)).split("## Where it fails")[1]
    assert "bread 0.625 (n = 60)" in fails.split("\n## ")[0]
    assert "false alarms" not in fails
    assert "Not measured" in model_card(replace(manifest, metrics=()))


def test_files_that_it_was_tested_on_come_first_where_it_fails(manifest):
    def entry(data, **figures):
        reached = {key: tested.Reached(*each) for key, each in figures.items()}
        return tested.Tested(data, "ab", "prompt", 200, 100, 3, "0.1.0", reached)

    files = (
        entry("a.csv", auroc=(0.875, 200, 0.75, 0.9375), false_positive_rate=(0.25, 60)),
        entry("b.csv", auroc=(0.75, 200, 0.7, 0.8), false_positive_rate=(0.5, 49, 0.4, 0.6)),
        entry("c.csv", recall_lost=(0.0625, 80, 0.0, 0.125), ranking_accuracy=(0.625, 70)),
    )
    card = model_card(replace(manifest, tested=files))
    fails = card.split("## Where it fails")[1].split("\n## ")[0]
    assert "b.csv 0.750 [0.700, 0.800] (n = 200), a.csv 0.875 [0.750, 0.938] (n = 200)." in fails
    assert "false alarms**, of safe texts at cost 0: a.csv 0.250 (n = 60)." in fails  # b: too few
    assert "begins as a refusal: c.csv 0.062 [0.000, 0.125] (n = 80)." in fails
    assert fails.index("of [Tested](#tested)") < fails.index("on validation data")
    figures = card.split("## Tested")[1].split("\n## ")[0]
    assert "bootstrap over prompts (100 draws with seed 3)" in figures
    assert "| data | kind | n | AUROC | false alarms | ranking | recall lost" in figures
    assert "| c.csv | prompt | 200 | – | – | 0.625 | 0.062 [0.000, 0.125] |" in figures
    assert "**Lowest ranking accuracy** of pairs: c.csv 0.625 (n = 70)." in fails
    assert "Tested" not in model_card(manifest)


def test_each_kind_of_input_has_a_line_of_its_calibration(manifest):
    figures = (
        {"data": "held out", "n": 61, "ece": 0.0625, "sign_accuracy": 0.75},
        {"data": "held out", "kind": "prompt", "n": 40, "ece": 0.03125, "sign_accuracy": 0.875},
        {"data": "held out", "kind": "response", "n": 21, "ece": 0.125, "sign_accuracy": 0.5},
    )
    scale = Calibration(-1.0, 2.0, 0.5, "own", 80)
    card = model_card(replace(manifest, metrics=figures, calibration_by_kind={"prompt": scale}))
    assert "| all together | 0.375 | 0.5 | 0.25 | tiny validation, half of prompts | 123 |" in card
    assert "| prompt | 0.5 | 2 | -1 | own | 80 | 0.0312 | 40 |" in card
    assert "| response | – | – | – | – | – | 0.125 | 21 |" in card
    assert "On the scale of all together: response, exchange." in card
    assert "| exchange |" not in card
    assert "have their own" not in model_card(manifest)


def test_thresholds_tell_their_price_and_what_was_left_out(manifest):
    apart = replace(
        manifest.thresholds[0], name="prompts_fpr5", cost_by_kind={"prompt": 0.5, "exchange": 2.0}
    )
    figures = (
        {"data": "unsafe texts", "threshold": "prompts_fpr5", "n": 70, "recall": 0.25},
        {"data": "safe texts", "threshold": "responses_fpr1", "n": 61, "takes": 299},
    )
    card = model_card(replace(manifest, thresholds=(*manifest.thresholds, apart), metrics=figures))
    assert "| fpr1 | 1.75 | 0.01 | 0.95 | tiny validation | 300 | – | – |" in card
    assert "| 0.25 (n = 70) | prompt 0.5, exchange 2 |" in card
    assert "for want of safe texts: responses_fpr1 (has 61, takes 299)." in card


def test_categories_have_a_table(manifest):
    figure = {"data": "weather, validation", "n": 90, "flagged": 30, "auroc": 0.9,
              "auroc_of_unsafe": None}  # fmt: skip
    card = model_card(replace(manifest, metrics=(figure,)))
    assert "| category | n | flagged | auroc | auroc of unsafe |" in card
    assert "| weather | 90 | 30 | 0.9 | – |" in card
    assert "Lowest AUROC" not in card  # of sources alone


def test_licences_are_counted(manifest):
    assert "by number of sources: CC0-1.0 (1), MIT (1)." in model_card(manifest)


def test_a_note_of_the_export_is_told(manifest):
    card = model_card(replace(manifest, metrics=({**EXPORT, "note": "2 layers run unfused"},)))
    assert "Note: 2 layers run unfused." in card


def test_it_states_base_and_limits(manifest):
    card = model_card(manifest)
    assert "base model tiny-base, sha256 of its weights ab12" in card
    limits = card.split("## Limits")[1]
    assert "English" in limits
    assert "longer than 192 tokens" in limits
    assert "`categories` of a verdict is `null`" in limits
    assert "no legal or clinical judgement" in limits


def test_a_bare_manifest_gives_a_card_too(manifest):
    bare = replace(
        manifest, thresholds=(), metrics=(), data=(), base={"name": "hub/base", "sha256": None}
    )
    card = model_card(bare)
    assert "None is stored" in card
    assert "hub/base, sha256 of its weights unknown" in card
    assert "Trained on unknown data.\n" in card


def test_category_outputs_are_named_and_hashes_are_not(manifest):
    scale = {"weather": manifest.calibration}
    card = model_card(
        replace(
            manifest, outputs=("cost", "weather"), categories=scale, files={"model.onnx": "f00d"}
        )
    )
    assert "**Categories:** weather." in card
    assert "Not supported: animal_abuse, child_abuse," in card
    assert "`null`" not in card
    assert "f00d" not in card


def test_members_are_told_of_where_there_are_some(manifest):
    card = model_card(replace(manifest, outputs=("cost", "member_1", "member_2")))
    assert "how far the probabilities of its 2 members lie apart" in card
    assert "Uncertainty" not in model_card(manifest)
