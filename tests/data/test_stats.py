"""Facts of a file: balance, strata, lengths, a picture."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from harmgauge import DataError
from harmgauge.cli.data import data
from harmgauge.data.lengths import Measure, find_measure
from harmgauge.data.read import read_rows
from harmgauge.data.stats import Lengths, format_stats, plot, quantiles, stats

WORDS = Measure(lambda x: sum(len(text.split()) for _, text in x.turns), "words", None, "words")


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    path = tmp_path / "pairs.jsonl"
    labels = [(True, False), (True, True), (False, False), (None, True)]
    records = [
        {
            "prompt": f"prompt {number}",
            "response_0": "long enough",
            "response_1": "short",
            "is_response_0_safe": first,
            "is_response_1_safe": second,
            "safer_response_id": number % 2,
        }
        for number, (first, second) in enumerate(labels)
    ]
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def test_strata_balance_and_order(pairs: Path) -> None:
    facts, sizes = stats("pairs", read_rows(pairs), WORDS)
    assert facts.strata == {"mixed": 1, "both_unsafe": 1, "both_safe": 1, "unlabelled": 1}
    assert facts.labels == {"unsafe": 3, "safe": 4, "unlabelled": 1}
    assert (facts.rows, facts.pairs, facts.first_safer, facts.longer_safer) == (4, 4, 2, 2)
    assert sizes == [4, 3] * 4
    assert facts.lengths == Lengths(4, 4, 4, 4)


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [([], Lengths(0, 0, 0, 0)), ([7], Lengths(7, 7, 7, 7)), (range(100), Lengths(50, 90, 99, 99))],
)
def test_quantiles(sizes: list[int], expected: Lengths) -> None:
    assert quantiles(sizes) == expected


def test_table_and_picture(pairs: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    facts, sizes = stats("pairs", read_rows(pairs), WORDS)
    assert "mixed 1, both_unsafe 1" in format_stats([facts], WORDS)
    plot([facts, facts], [sizes, []], WORDS, tmp_path / "picture.png")
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(DataError, match="cannot be xyz"):
        plot([facts], [sizes], WORDS, tmp_path / "picture.xyz")


def test_command(pairs: Path, tmp_path: Path) -> None:
    output = tmp_path / "stats.json"
    result = CliRunner().invoke(data, ["stats", str(pairs), "--json", str(output)])
    assert result.exit_code == 0, result.output
    assert json.loads(output.read_text(encoding="utf-8"))["files"][0]["pairs"] == 4


def test_lengths_need_one_measure(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not both"):
        find_measure(tokenizer=tmp_path, gauge="mini")
    with pytest.raises(DataError, match="is not a file"):
        find_measure(tokenizer=tmp_path)
    (tmp_path / "tokenizer.json").write_text("{}", encoding="utf-8")
    with pytest.raises(DataError, match="no tokenizer"):
        find_measure(tokenizer=tmp_path)
