"""docs/train.md: its recipe can be followed, and its error messages are those of the code."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest
import yaml
from tiny_task import texts, write_rows

from harmgauge.training.pipeline import prepare
from harmgauge.training.recipe import Recipe

PAGE = Path("docs/train.md").read_text(encoding="utf-8")
SOURCE = "".join(
    re.sub(r'"\s*\n\s*f?"', "", path.read_text(encoding="utf-8"))
    for path in sorted(Path("src/harmgauge").rglob("*.py"))
)


def test_the_tutorial_recipe_reads_the_tutorial_data(tmp_path, encoder_base):
    block = re.search(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    values = yaml.safe_load(textwrap.dedent(block.group(1)))
    values["base"] = str(encoder_base)
    values["data"]["root"] = str(tmp_path)
    values["model"] = {"max_tokens": 32}
    for part, seed, n in (("train", 1, 40), ("valid", 2, 80)):
        answers = [
            {"question": f"{part} {i}", "answer": text, "verdict": "harmful" if bad else "fine"}
            for i, (text, bad) in enumerate(texts(seed, n))
        ]
        pairs = [
            {"prompt": f"pair {part} {i}", "chosen": safe, "rejected": unsafe}
            for i, ((unsafe, _), (safe, _)) in enumerate(
                zip(texts(seed, n)[::2], texts(seed, n)[1::2], strict=True)
            )
        ]
        write_rows(tmp_path / "answers" / f"{part}.jsonl", answers)
        write_rows(tmp_path / "pairs" / f"{part}.jsonl", pairs)
    job = prepare(Recipe.model_validate(values), tmp_path)
    answers, pairs = (loaded.report for loaded in job.train_sources)
    assert (answers.used, answers.unsafe) == (40, 20)
    assert pairs.used == 20


@pytest.mark.parametrize(
    "message", re.findall(r"^\| `([^`]+)` \|", PAGE.split("## Errors and mends")[1], re.MULTILINE)
)
def test_every_error_of_the_table_is_one_of_the_code(message):
    parts = [part.strip(" ();?,") for part in message.split("…")]
    for part in filter(None, parts):
        words = re.escape(part.replace("10", "{MIN_PER_CLASS}"))
        assert re.search(words, SOURCE), part


def test_every_file_of_a_run_folder_is_one_that_is_written():
    table = PAGE.split("## The run folder")[1].split("\n\nNo file")[0]
    for name in re.findall(r"^\| `([\w.]+)/?` \|", table, re.MULTILINE):
        assert f'"{name}"' in SOURCE, name
