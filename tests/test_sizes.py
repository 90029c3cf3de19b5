"""`benchmarks/sizes.py` sets forms of a gauge side by side; here those of a tiny one."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

pytest.importorskip("transformers")

from tiny import MAX_TOKENS, WORDS, make_bundle, make_encoder

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


@pytest.fixture
def bundle(tmp_path):
    """The tiny gauge with all that its model can be made again from."""
    from harmgauge.training.export import export_onnx

    model, tokenizer = make_encoder()
    export_onnx(model, tokenizer, tmp_path / "export", storage="fp32")
    files = {path.name: path for path in (tmp_path / "export").iterdir()}
    return make_bundle(tmp_path / "tiny", "tiny", model, "onnx", files)


@pytest.fixture
def suite(tmp_path):
    """Two files of labelled prompts, and the suite that names them."""
    for name, step in (("one", 1), ("two", 2)):
        texts = [f"{WORDS[i]} {WORDS[i * step % len(WORDS)]} {i}" for i in range(20)]
        rows = [{"prompt": text, "is_safe": i % 2 == 0} for i, text in enumerate(texts)]
        lines = map(json.dumps, rows)
        (tmp_path / name).mkdir()
        (tmp_path / name / "valid.jsonl").write_text("\n".join(lines))
    suite = tmp_path / "own.yaml"
    suite.write_text(
        "{name: own, sets: [{path: one/valid.jsonl, name: one, columns: &c {prompt: prompt, label: "
        "is_safe}, labels: &l {true: 0, false: 1}}, "
        "{path: two/valid.jsonl, name: two, columns: *c, labels: *l}]}"
    )
    return suite


@pytest.mark.slow  # six exports
def test_each_form_is_written_loaded_and_measured(bundle, suite, tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import sizes

    rows, figures = tmp_path / "one" / "valid.jsonl", tmp_path / "figures.json"
    call = (
        f"sizes.py {bundle} --suite {suite} --data-root {tmp_path} --vocabulary {rows} --json "
        f"{figures} --windows 20 {MAX_TOKENS} 64 --min-token-count 1 3 --rows 16 --batch 8 "
        "--rounds 1 --draws 100"
    )
    monkeypatch.setattr(sys, "argv", call.split())
    sizes.main()
    told = json.loads(figures.read_text())
    forms = {each.pop("form"): each for each in told["forms"]}
    assert list(forms) == [
        *("as it is", "stored as int8", "stored as fp16", "stored as fp32", "windows of 20"),
        *("tokens of 1 training text", "tokens of 3 training texts"),
    ]
    for exact in ("as it is", "stored as fp32"):
        assert forms[exact]["difference"]["value"] == 0
        assert forms[exact]["pearson"] == pytest.approx(1)
    assert forms["stored as int8"]["megabytes"] < forms["as it is"]["megabytes"]
    assert forms["tokens of 3 training texts"]["tokens"] < forms["as it is"]["tokens"]
    assert all(each["rate"] > 0 and each["milliseconds"] > 0 for each in forms.values())
    printed = capsys.readouterr()
    assert len([line for line in printed.out.splitlines() if line.startswith("| ")]) == len(forms)
    assert "left out: " in printed.err  # more tokens than the model has positions
