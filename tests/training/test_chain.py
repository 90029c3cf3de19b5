"""Each recipe's whole chain on a tiny model of its kind: sft, train, export, score, evaluate."""

from __future__ import annotations

import json
import math
import re
import shlex
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from tiny_task import texts, write_rows

from harmgauge.bundle import read_bundle
from harmgauge.cli.main import cli
from harmgauge.data import hub
from tiny import CHATML, MAX_TOKENS, make_language_model, save_base

SHORT = [f"model.max_tokens={MAX_TOKENS}", "optim.max_steps=2", "evaluate.every=2"]


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Harmless rows in the columns of upstream."""
    folder = tmp_path_factory.mktemp("data")
    for part, seed, n in (("train", 1, 60), ("valid", 2, 120)):
        made = texts(seed, n)
        pairs = [
            {
                "prompt": f"hello {part} {i}",
                "response_0": unsafe,
                "response_1": safe,
                "is_response_0_safe": False,
                "is_response_1_safe": True,
                "better_response_id": 1,
                "safer_response_id": 1,
            }
            for i, ((unsafe, _), (safe, _)) in enumerate(zip(made[::2], made[1::2], strict=True))
        ]
        answers = [
            {
                "prompt": f"please {part} {i}",
                "response": text,
                "category": {"weather": unsafe},
                "is_safe": not unsafe,
            }
            for i, (text, unsafe) in enumerate(texts(seed + 2, n))
        ]
        alpaca = [
            {"instruction": f"how do i {part} {i}", "input": "", "output": text}
            for i, (text, _) in enumerate(texts(seed + 4, n // 2))
        ]
        write_rows(folder / "pku_saferlhf" / f"{part}.jsonl", pairs)
        write_rows(folder / "beavertails" / f"{part}.jsonl", answers)
        write_rows(folder / "alpaca" / f"{part}.jsonl", alpaca)
    return folder


@pytest.fixture(autouse=True)
def no_network(data, tmp_path, monkeypatch):
    """The Hub gives our rows, by the names and slices that recipes ask for."""
    folders = {
        "PKU-Alignment/PKU-SafeRLHF": "pku_saferlhf",
        "PKU-Alignment/BeaverTails": "beavertails",
        "tatsu-lab/alpaca": "alpaca",
    }

    def rows(hub_id, *, split):
        part = "valid" if split.endswith("%:]") else "train"
        lines = (data / folders[hub_id] / f"{part}.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]

    monkeypatch.setattr(hub, "_load", rows)
    monkeypatch.setenv("HARMGAUGE_CACHE", str(tmp_path / "cache"))


def harmgauge(*arguments) -> str:
    result = CliRunner().invoke(cli, list(map(str, arguments)), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def sources(recipe: str) -> list[str]:
    """Names of the training sources of a recipe of ours."""
    read = yaml.safe_load(Path(f"recipes/{recipe}.yaml").read_text(encoding="utf-8"))["data"]
    return [each.get("name") or each["path"].split("/")[0] for each in read["train"]]


def fine_tuned(recipe: str, base: Path, data: Path, out: Path, *changes: str) -> Path:
    harmgauge(
        *("sft", f"recipes/{recipe}.yaml", f"base={base}", f"data.root={data}", *SHORT),
        *("optim.batch_size=4", "data.valid_share=0.3", *changes, "--out", out, "--quiet"),
    )
    return out / "model"


def judged(recipe: str, base: Path, data: Path, out: Path, *changes: str) -> Path:
    """Train a gauge, score an exchange with it, measure and export it; returns its bundle."""
    harmgauge(
        *("train", f"recipes/{recipe}.yaml", f"base={base}", f"data.root={data}", *SHORT),
        *("optim.batch_tokens=256", *changes, "--out", out, "--quiet"),
    )
    bundle = out / "bundle"
    ask = ("--prompt", "hello", "--response", "rain and snow " * 20, "--json")
    verdict = json.loads(harmgauge("score", "--gauge", bundle, *ask))
    assert math.isfinite(verdict["cost"])
    assert verdict["windows"] > 1
    test, results = data / "beavertails" / "valid.jsonl", out / "results.json"
    harmgauge("evaluate", test, "--gauge", bundle, "--draws", 0, "--json", results)
    (measurement,) = json.loads(results.read_text())["measurements"]
    ((_, measured),) = measurement["gauges"].items()
    assert measured["figures"]["auroc"]["n"] == 120
    assert 0 <= measured["figures"]["auroc"]["value"] <= 1
    harmgauge("export", "--gauge", bundle, "--to", "transformers", out / "exported")
    config = json.loads((out / "exported" / "config.json").read_text())
    assert config["model_type"] == "harmgauge"
    return bundle


DECODERS = {
    "smollm2-135m": ("llama", "sft-smollm2-135m", ["model.template=chat"]),
    "gpt-neo-1.3b-seed": ("gpt_neo", "sft-gpt-neo-1.3b", []),
    "llama-2-7b": ("llama", "sft-llama-2-7b", []),
    "qwen3-0.6b": ("qwen3", "sft-qwen3-0.6b", []),
}


@pytest.mark.slow
@pytest.mark.parametrize("recipe", DECODERS)
def test_a_language_model_is_fine_tuned_and_becomes_a_gauge(recipe, data, tmp_path):
    kind, tuning, changes = DECODERS[recipe]
    model = make_language_model(kind)
    base = save_base(tmp_path / "base", model, start="[CLS]", chat_template=CHATML)
    tuned = fine_tuned(tuning, base, data, tmp_path / "sft", *changes)
    bundle = judged(recipe, tuned, data, tmp_path / "run", *changes)
    manifest = read_bundle(bundle)
    assert (manifest.runtime, manifest.pooling) == ("torch", "last")
    assert manifest.base["name"] == f"{tuning} (SFT of base)"
    learnt = [each["source"] for each in manifest.data]
    assert learnt[0] == f"{tuning}: alpaca"
    assert learnt[-len(sources(recipe)) :] == sources(recipe)
    assert not any("adapter" in name for name in manifest.files)
    assert bool(manifest.layout.turns) == bool(changes)


@pytest.mark.slow
def test_the_commands_of_the_page_lead_from_nothing_to_a_gauge(tmp_path, monkeypatch):
    """Those of docs/train.md as they stand there, but for a tiny Llama in place of the Hub's."""
    page = Path("docs/train.md").read_text(encoding="utf-8")
    section = page.split("### A Llama-sized cost model on one GPU")[1]
    install, tune, *others = re.search(r"```sh\n(.*?)```", section, re.DOTALL)[1].splitlines()
    assert install == "pip install '.[train]'"
    model = make_language_model("llama", max_position_embeddings=512)
    base = save_base(tmp_path / "base", model, start="[CLS]")
    (tmp_path / "recipes").symlink_to(Path("recipes").resolve())
    monkeypatch.chdir(tmp_path)
    for command in (f"{tune} base={base}", *others):
        program, *arguments = shlex.split(command)
        assert program == "harmgauge"
        harmgauge(*arguments)
    manifest = read_bundle(Path("runs/llama-2-7b/bundle"))
    assert manifest.base["name"] == "sft-llama-2-7b (SFT of base)"


@pytest.mark.slow
def test_an_encoder_becomes_a_gauge(data, tmp_path, encoder_base):
    rows = {
        part: [
            {"path": f"{name}/{part}.jsonl", "licence": "CC0-1.0"}
            for name in ("pku_saferlhf", "beavertails")
        ]
        for part in ("train", "valid")
    }
    smaller = {"distil": None, "model.categories": [], "model.freeze_layers": 1}
    changes = smaller | {f"data.{part}": rows.get(part, []) for part in (*rows, "thresholds")}
    said = [f"{key}={json.dumps(value)}" for key, value in changes.items()]
    bundle = judged("mini-fourth", encoder_base, data, tmp_path / "run", *said)
    manifest = read_bundle(bundle)
    assert (manifest.runtime, manifest.pooling) == ("onnx", "mean")
    assert [each["source"] for each in manifest.data] == ["pku_saferlhf", "beavertails"]
