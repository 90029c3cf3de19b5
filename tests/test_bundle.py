import json
import math
import re
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from harmgauge import tested
from harmgauge.bundle import Manifest, read_bundle, write_bundle
from harmgauge.calibration import Calibration
from harmgauge.errors import BundleError
from harmgauge.gauges import find
from harmgauge.thresholds import Threshold
from harmgauge.windows import Layout
from kills import killed

MANIFEST = Manifest(
    name="tiny",
    base={"name": "made", "sha256": None},
    layout=Layout((1,), (2,), (2,), 16),
    pooling="mean",
    runtime="onnx",
    calibration=Calibration(0.5, 2.0, 0.25, "made", 8),
    licence="Apache-2.0",
    data=({"source": "made", "licence": "CC0-1.0", "rows": 8},),
    thresholds=(Threshold("fpr1", 1.5, 0.01, 0.95, "made", 400),),
    metrics=({"data": "made", "n": 8, "auroc": 0.75},),
)

CALIBRATION, LAYOUT = asdict(MANIFEST.calibration), asdict(MANIFEST.layout)
THRESHOLD = asdict(MANIFEST.thresholds[0])
TESTED = asdict(tested.Tested("test.csv", None, "prompt", 8, 100, 0, "0.1.0", {}))


@pytest.fixture
def bundle(tmp_path):
    (tmp_path / "weights").write_bytes(b"weights")
    (tmp_path / "words").write_text("words")
    folder = tmp_path / "gauges" / "tiny"
    write_bundle(
        folder,
        MANIFEST,
        {"model.onnx": tmp_path / "weights", "tokenizer.json": tmp_path / "words"},
    )
    return folder


def edit(folder, **values):
    path = folder / "gauge.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_what_is_written_is_read(bundle):
    manifest = read_bundle(bundle)
    assert set(manifest.files) == {"model.onnx", "tokenizer.json"}
    assert replace(manifest, files={}) == MANIFEST
    assert set(json.loads((bundle / "gauge.json").read_text())) == {
        *("format_version", "name", "direction", "base", "template", "layout", "pooling"),
        *("outputs", "runtime", "calibration", "thresholds", "metrics", "data", "licence"),
        *("files", "code_version"),
    }


def test_keys_that_came_later_are_written_where_they_say_something(bundle, tmp_path):
    written = json.loads((bundle / "gauge.json").read_text())
    assert "knots" not in written["calibration"]
    assert not {"sha256", "licences"} & written["thresholds"][0].keys()
    assert "categories" not in written
    assert "calibration_by_kind" not in written
    assert "cost_by_kind" not in written["thresholds"][0]
    again = replace(
        read_bundle(bundle),
        outputs=("cost", "spam"),
        categories={"spam": replace(MANIFEST.calibration, knots=((0.0, 0.5), (1, 2.5)))},
        calibration=replace(MANIFEST.calibration, knots=((-1.0, -2.5), (1, 0.5))),
        calibration_by_kind={"prompt": replace(MANIFEST.calibration, knots=((-1, 0.5), (1, 2.5)))},
        thresholds=(
            replace(
                MANIFEST.thresholds[0],
                sha256=("ab12",),
                licences=("MIT",),
                cost_by_kind={"prompt": 2.5},
            ),
        ),
    )
    assert Manifest.from_json(again.to_json()) == again
    assert again.id != read_bundle(bundle).id


def test_id_is_the_name_and_a_hash_of_all_that_is_vouched_for(bundle):
    manifest = read_bundle(bundle)
    name, digest = manifest.id.split("@")
    assert name == "tiny"
    assert len(digest) == 8
    assert replace(manifest, files={}).id != manifest.id


def test_what_changes_no_cost_is_no_part_of_the_id(bundle, tmp_path):
    def told(card):
        (tmp_path / "card").write_text(card)
        files = {name: bundle / name for name in read_bundle(bundle).files}
        reached = {"auroc": tested.Reached(0.75, 8, 0.5), "f1": tested.Reached(0.5, len(card))}
        test = tested.Tested("test.csv", None, "prompt", 8, 100, 0, "0.1.0", reached)
        manifest = replace(MANIFEST, tested=(test,))
        return write_bundle(tmp_path / card, manifest, {**files, "README.md": tmp_path / "card"})

    assert {told("one").id, told("other").id} == {read_bundle(bundle).id}
    assert read_bundle(tmp_path / "one").tested == told("one").tested
    (tmp_path / "one" / "README.md").write_text("another")
    with pytest.raises(BundleError, match=r"README\.md.*sha256"):
        read_bundle(tmp_path / "one")


def test_a_bundle_replaces_an_older_one_and_nothing_else(bundle, tmp_path):
    write_bundle(bundle, MANIFEST, {"only": tmp_path / "words"})
    assert sorted(path.name for path in bundle.iterdir()) == ["gauge.json", "only"]
    assert [path.name for path in bundle.parent.iterdir()] == ["tiny"]
    with pytest.raises(BundleError, match="not empty"):
        write_bundle(tmp_path, MANIFEST, {})


def test_a_failed_write_leaves_the_older_bundle(bundle, tmp_path):
    with pytest.raises(BundleError, match=r"model\.onnx"):
        write_bundle(bundle, MANIFEST, {"model.onnx": tmp_path / "missing"})
    read_bundle(bundle)
    assert [path.name for path in bundle.parent.iterdir()] == ["tiny"]


def test_a_kill_at_any_write_leaves_a_bundle_or_says_where_it_is(bundle, tmp_path):
    files = {name: bundle / name for name in read_bundle(bundle).files}
    newer = replace(MANIFEST, name="newer")
    places = set()
    for at in range(20):
        write_bundle(bundle, MANIFEST, files)
        with killed(tmp_path, at):
            write_bundle(bundle, newer, files)
        if bundle.exists():
            places.add(read_bundle(bundle).name)
        else:
            with pytest.raises(BundleError, match=r"a kill left it in .*, move") as told:
                find(bundle)
            left = re.search("left it in (.*), move", str(told.value)).group(1)
            Path(left).rename(bundle)
            assert read_bundle(bundle).name == "newer"
            places.add("beside")
        for scratch in bundle.parent.glob(".tiny.*"):
            shutil.rmtree(scratch)
    assert places == {"tiny", "beside", "newer"}


def test_a_tampered_file_is_refused(bundle):
    (bundle / "model.onnx").write_bytes(b"Weights")
    with pytest.raises(BundleError, match=r"model\.onnx.*sha256"):
        read_bundle(bundle)


def test_a_missing_file_is_refused(bundle):
    (bundle / "model.onnx").unlink()
    with pytest.raises(BundleError, match=r"lacks model\.onnx"):
        read_bundle(bundle)


def test_a_file_that_a_loader_could_pick_up_unverified_is_refused(bundle):
    (bundle / "README.md").write_text("welcome")
    read_bundle(bundle)
    (bundle / "adapter_config.json").write_text("{}")
    with pytest.raises(BundleError, match=r"adapter_config\.json"):
        read_bundle(bundle)


def test_an_unknown_format_version_is_refused_by_name(bundle):
    edit(bundle, format_version=2, calibration="of another shape")
    with pytest.raises(BundleError, match="tiny has format version 2, this harmgauge reads 1"):
        read_bundle(bundle)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"colour": "red"}, "unknown key: colour"),
        ({"layout": {"start": [1]}}, "layout lacks a key: end"),
        ({"calibration": None}, "wrong kind: calibration"),
        ({"runtime": [], "name": 5}, "wrong kind: name, runtime"),
        ({"outputs": [5]}, "wrong kind: outputs"),
        ({"outputs": ["violence"]}, "must be the cost"),
        ({"outputs": ["cost", "spam"]}, "scales of all outputs but the cost"),
        ({"categories": {"spam": CALIBRATION}}, "scales of all outputs but the cost"),
        ({"categories": {"spam": {"bias": 1}}}, "categories, spam lacks a key"),
        ({"metrics": ["auroc"]}, "wrong kind: metrics"),
        ({"tested": [{"data": "test.csv"}]}, "tested lacks a key: .*figures"),
        (
            {"tested": [{**TESTED, "figures": {"auroc": {"value": "high", "n": 1}}}]},
            "test.csv, auroc lacks a key: high, low",
        ),
        (
            {
                "tested": [
                    {**TESTED, "figures": {"f1": dict.fromkeys(("value", "low", "high", "n"))}}
                ]
            },
            "test.csv, f1 has a value of the wrong kind: n, value",
        ),
        ({"thresholds": [{**THRESHOLD, "kinds": ["chat"]}]}, "unknown kind of input: chat"),
        ({"thresholds": [{"name": "fpr1"}]}, "thresholds lacks a key: confidence"),
        ({"calibration": {**CALIBRATION, "bias": math.nan}}, "calibration has .* kind: bias"),
        ({"calibration": {**CALIBRATION, "temperature": 0}}, "temperature above 0"),
        ({"calibration": {**CALIBRATION, "prior": 1}}, "prior between 0 and"),
        ({"calibration": {**CALIBRATION, "knots": [[0, 1], [1, 1]]}}, "rising knots"),
        ({"calibration": {**CALIBRATION, "knots": [[0, 1, 2]]}}, "kind: knots"),
        ({"calibration": {**CALIBRATION, "knots": [[0, "1"]]}}, "kind: knots"),
        ({"layout": {**LAYOUT, "start": 1}}, "layout has .* kind: start"),
        ({"template": "turns-0"}, "turns-0"),
        ({"direction": "positive_is_safe"}, "direction"),
        ({"files": {"../x": "", "model.onnx": "", "tokenizer.json": ""}}, "outside the bundle"),
        ({"files": {"tokenizer.json": ""}}, r"does not vouch for model\.onnx"),
    ],
)
def test_a_manifest_that_is_not_understood_is_refused(bundle, values, message):
    edit(bundle, **values)
    with pytest.raises(BundleError, match=message):
        read_bundle(bundle)


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff", b"[" * 100_000])
def test_a_broken_manifest_is_refused(bundle, content):
    (bundle / "gauge.json").write_bytes(content)
    with pytest.raises(BundleError, match=r"gauge\.json"):
        read_bundle(bundle)


def test_a_folder_without_a_manifest_is_refused(tmp_path):
    with pytest.raises(BundleError, match="not a bundle"):
        read_bundle(tmp_path)


def test_a_bundle_that_a_kill_left_is_found_through_a_link(bundle, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(bundle)
    scratch = bundle.parent / ".tiny.1"
    scratch.mkdir()
    bundle.rename(scratch / "new")
    with pytest.raises(BundleError, match=r"a kill left it in .*\.tiny\.1/new, move"):
        find(str(link))
