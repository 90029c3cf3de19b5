import json
import shutil


def test_licence_and_data_come_first(run, tiny_bundle, tiny_gauge):
    result = run("info", tiny_bundle)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == tiny_gauge.id
    assert lines[1].split()[:2] == ["licence", "CC0-1.0"]
    assert lines[2].split()[1:] == ["100", "rows", "of", "1", "source"]
    for part in ("prior 0.25", "fpr1", "auroc", "positive_is_unsafe", "32 tokens"):
        assert part in result.stdout


def test_sources_that_say_less_are_shown_too(run, tiny_bundle, tmp_path):
    folder = shutil.copytree(tiny_bundle, tmp_path / "bundle")
    manifest = json.loads((folder / "gauge.json").read_text())
    manifest["data"] = [{"source": "one", "rows": 3}, {"source": "two", "licence": "MIT"}]
    (folder / "gauge.json").write_text(json.dumps({**manifest, "thresholds": [], "metrics": []}))
    lines = run("info", folder).stdout.splitlines()
    assert [line.split() for line in lines[3:6]] == [
        ["source", "rows", "licence"], ["one", "3", "–"], ["two", "–", "MIT"],
    ]  # fmt: skip
    assert "" not in [line.strip() for line in lines]


def test_kinds_have_a_line_each_and_the_export_a_short_one(run, tiny_bundle, tmp_path):
    folder = shutil.copytree(tiny_bundle, tmp_path / "bundle")
    manifest = json.loads((folder / "gauge.json").read_text())
    export = {"data": "export, validation", "n": 40, "storage": "int8", "megabytes": 22.91094}
    export |= dict.fromkeys(("max_difference", "auroc_before", "auroc_after"), 0.5)
    export |= {f"figure_{number}": "of no interest here" for number in range(20)}
    scale = {**manifest["calibration"], "prior": 0.125}
    changed = {"calibration_by_kind": {"prompt": scale}, "metrics": [*manifest["metrics"], export]}
    (folder / "gauge.json").write_text(json.dumps({**manifest, **changed}))
    lines = run("info", folder).stdout.splitlines()
    assert "  of prompt: bias +0.1, temperature 0.5, prior 0.125 (made up, n = 100)" in lines
    (line,) = [line for line in lines if line.startswith("export ")]
    assert "int8, 22.91 MB" in line
    assert max(map(len, lines)) < 140


def test_json_is_the_manifest(run, tiny_bundle, tiny_gauge):
    printed = json.loads(run("info", tiny_bundle, "--json").stdout)
    assert printed.pop("id") == tiny_gauge.id
    assert printed == json.loads((tiny_bundle / "gauge.json").read_text())


def test_an_unknown_gauge_exits_with_2(run):
    result = run("info", "nowhere")
    assert result.exit_code == 2
    assert "no gauge 'nowhere'" in result.stderr
