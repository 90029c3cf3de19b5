"""Upstream schemas to rows: who is on trial, what the label is, which response is safer."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from harmgauge import DataError, Exchange
from harmgauge.data.columns import Columns
from harmgauge.data.read import Table, read_rows
from harmgauge.data.schemas import SCHEMAS

Records = Iterable[dict[str, Any]]


def write(folder: Path, records: Records, name: str = "data.jsonl") -> Path:
    path = folder / name
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def read_one(folder: Path, record: dict[str, Any], **options: Any) -> tuple[Any, str]:
    table = read_rows(write(folder, [record]), **options)
    assert not table.bad
    return table.rows[0], table.schema


PAIR = {"prompt": "P", "response_0": "A", "response_1": "B"}
LABELS = {"is_response_0_safe": True, "is_response_1_safe": False}
FLAGS = dict.fromkeys(["S", "H", "V", "HR", "SH", "S3", "H2", "V2"], 0)
TRANSCRIPT = "\n\nHuman: a\n\nAssistant: b"
PYRIT = {"category": "c", "prompt": "P", "response": "R"}


@pytest.mark.parametrize(
    ("record", "schema", "unsafe"),
    [
        ({"prompt": "P", "response": "R", "is_safe": True}, "qa", 0),
        ({"prompt": "P", "response": "R", "is_safe": "False"}, "qa", 1),
        ({"prompt": "P", "response": "R", "is_safe": None}, "qa", None),
        ({"prompt": "P", "response": "R", "is_safe": float("nan")}, "qa", None),
        ({"prompt": "P", "response": "R", "is_safe": "0.0"}, "qa", 1),
        ({"prompt": "P", "response": "R", "is_safe": 0, "category": {"x": True}}, "beavertails", 1),
        ({"response": "R", "is_safe": False}, "responses", 1),
        ({"prompt": "P", "response": "R"}, "prompt_response", None),
        ({"prompt": "P"}, "prompts", None),
        ({"prompt": "P", "is_safe": True, "hazard": "h"}, "prompts", 0),
        ({"prompt": "P", "harm_area": "h"}, "prompts", None),
        ({"prompt": "P", "categories": ["a"]}, "prompt_categories", None),
        ({"context": "P", "response": "R", "category": "c", "label": "Unsafe"}, "diasafety", 1),
        ({"instruction": "I", "input": "", "output": "O"}, "alpaca", None),
        ({"instruction": "I", "context": "C", "response": "O"}, "dolly", None),
        ({"prompt": "P", "moderation_flag": 1}, "toxicchat", 1),
        ({"user_input": "P", "toxicity": 0, "jailbreaking": 0}, "toxicchat_hub", 0),
        ({"prompt": "P", **FLAGS}, "openai_moderation", 0),
        ({"prompt": "P", **FLAGS, "V": 1, "S": None}, "openai_moderation", 1),
        ({"kind": "objective", **PYRIT, "human_scores": [1.0, 0.0]}, "pyrit", 0.5),
        ({"kind": "harm", **PYRIT, "human_scores": [0.25, 0.75]}, "pyrit", 1),
        ({"kind": "harm", **PYRIT, "human_scores": [0.25]}, "pyrit", 0),
        ({"kind": "refusal_scorer", **PYRIT, "human_scores": [1.0]}, "pyrit", None),
        ({"type": "contrast_x", "prompt": "P", "focus": "f"}, "xstest", 1),
        ({"type": "x", "prompt": "P", "focus": None, "label": "safe"}, "xstest", 0),
        ({"test_case": "T", "label_gold": "hateful", "functionality": "f"}, "hatecheck", 1),
        ({"text": "T", "label_gold": 0, "split": "dev"}, "hatemoji", 0),
        ({"tweet": "T", "class": 0}, "davidson", 1),
        ({"text": "T", "label_sexist": "not sexist"}, "edos", 0),
        ({"title": "H", "text": "T", "label": 1}, "fox_comments", 1),
        ({"text": "T", "is_toxic": "Not Toxic"}, "surge", 0),
        ({"text": "T", "label": "harmless"}, "labelled_text", 0),
        ({"text": "T"}, "texts", None),
        ({"text": "T", "is_safe": False}, "texts", 1),
        ({"prompt": "P", "label": "unsafe"}, "labelled_prompts", 1),
        ({"prompt": "P", "response": "R", "label": "safe"}, "labelled_qa", 0),
        ({"messages": [{"role": "user", "content": "P"}], "is_safe": True}, "messages", 0),
        ({**PAIR, **LABELS, "safer_response_id": 0}, "pku_saferlhf", 0),
        ({"chosen": TRANSCRIPT, "rejected": TRANSCRIPT}, "hh", None),
        ({"prompt": "P", "chosen": "A", "rejected": "B"}, "preference", None),
    ],
)  # fmt: skip
def test_schema_and_label(
    tmp_path: Path, record: dict[str, Any], schema: str, unsafe: float | None
) -> None:
    row, found = read_one(tmp_path, record)
    assert found == schema
    assert row.items[0].unsafe == unsafe


@pytest.mark.parametrize("kind", ["x", "contrast_x"])
@pytest.mark.parametrize(
    ("final", "on_contrast"),
    [("1_full_compliance", 1.0), ("2_full_refusal", 0.0), ("3_partial_refusal", None)],
)
def test_xstest_completions(
    tmp_path: Path, kind: str, final: str, on_contrast: float | None
) -> None:
    record = {"type": kind, "prompt": "P", "response": "R", "final_label": final}
    row, schema = read_one(tmp_path, record)
    assert schema == "xstest_completions"
    assert row.items[0].unsafe == (on_contrast if kind == "contrast_x" else 0.0)
    assert row.meta["final_label"] == final


@pytest.mark.parametrize(
    ("columns", "safer"),
    [
        ({**LABELS, "safer_response_id": 0, "better_response_id": 1}, 0),
        ({**LABELS, "safer_response_id": 1}, 1),  # upstream's word, even against its labels
        ({"is_response_0_safer": False}, 1),
        ({"is_response_1_safer": False}, 0),
        ({"is_response_0_safer": False, "is_response_1_safer": True}, 1),
        (LABELS, 0),
        ({"is_response_0_safe": False, "is_response_1_safe": False}, None),
        ({**LABELS, "safer_response_id": -1}, 0),
    ],
)
def test_safer_in_every_pku_release(
    tmp_path: Path, columns: dict[str, Any], safer: int | None
) -> None:
    row, schema = read_one(tmp_path, {**PAIR, **columns})
    assert schema == "pku_saferlhf"
    assert row.safer == safer


@pytest.mark.parametrize(
    "columns",
    [
        {"is_response_0_safer": True, "is_response_1_safer": True},
        {"safer_response_id": 2},
        {**LABELS, "safer_response_id": 10**400},
    ],
)
def test_a_pair_without_one_safer_response_is_a_bad_row(
    tmp_path: Path, columns: dict[str, Any]
) -> None:
    rows = [{**PAIR, **columns}, {**PAIR, **dict.fromkeys(columns)}]
    table = read_rows(write(tmp_path, rows))
    assert [bad.id for bad in table.bad] == ["data.jsonl:1"]
    assert "safer" in table.bad[0].error


def test_pku_with_severity_categories_and_sources(tmp_path: Path) -> None:
    record = {
        **PAIR,
        **LABELS,
        "safer_response_id": 0,
        "better_response_id": 1,
        "prompt_source": "s",
        "response_0_source": "m",
        "response_1_source": "m",
        "response_0_severity_level": 0,
        "response_1_severity_level": 3,
        "response_0_harm_category": {"Privacy": False},
        "response_1_harm_category": {"Privacy": True},
        "response_0_sha256": "x",
        "response_1_sha256": "y",
    }
    table = read_rows(write(tmp_path, [record]))
    (row,) = table.rows
    assert table.unused == []
    assert [item.severity for item in row.items] == [0, 3]
    assert row.items[1].categories == {"Privacy": True}
    assert row.stratum == "mixed"


def test_helpfulness_preference_alone_is_no_safety_data(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no known schema"):
        read_rows(write(tmp_path, [{**PAIR, "better_response_id": 0}]))


def test_hh_keeps_history_and_puts_the_last_reply_on_trial(tmp_path: Path) -> None:
    start = "\n\nHuman: one\n\nAssistant: two\n\nHuman: "
    chosen, rejected = f"{start}three\n\nAssistant: four", f"{start}other\n\nAssistant: five"
    row, _ = read_one(tmp_path, {"chosen": chosen, "rejected": rejected})
    history = (("user", "one"), ("assistant", "two"))
    assert row.items[0].exchange == Exchange("three", "four", history)
    assert row.items[1].exchange == Exchange("other", "five", history)
    assert (row.safer, row.stratum, row.group) == (0, "unlabelled", "one")


@pytest.mark.parametrize(
    "text", ["no turns", "intro\n\nHuman: a\n\nAssistant: b", "\n\nHuman: a", 7]
)
def test_transcripts_without_a_reply_are_bad_rows(tmp_path: Path, text: object) -> None:
    rows = [{"chosen": TRANSCRIPT, "rejected": end} for end in (TRANSCRIPT, text)]
    table = read_rows(write(tmp_path, rows))
    assert [bad.id for bad in table.bad] == ["data.jsonl:2"]
    assert "rejected" in table.bad[0].error


def test_instructions_carry_their_input(tmp_path: Path) -> None:
    row, _ = read_one(tmp_path, {"instruction": "I", "input": "X", "output": "O"})
    assert row.items[0].exchange == Exchange("I\n\nX", "O")


@pytest.mark.parametrize("with_prompt", [True, False])
def test_preferences_between_messages_keep_their_prompt(tmp_path: Path, with_prompt: bool) -> None:
    start = [{"role": "user", "content": "P"}] if with_prompt else []
    record = {
        "prompt": "P",
        "chosen": [*start, {"role": "assistant", "content": "A"}],
        "rejected": [*start, {"role": "assistant", "content": "B"}],
    }
    row, schema = read_one(tmp_path, record)
    assert schema == "preference"
    assert [item.exchange for item in row.items] == [Exchange("P", "A"), Exchange("P", "B")]


def test_messages_with_a_response(tmp_path: Path) -> None:
    roles = ("user", "assistant", "user")
    messages = [{"role": role, "content": str(i)} for i, role in enumerate(roles)]
    row, _ = read_one(tmp_path, {"messages": messages, "response": "R", "is_safe": False})
    history = (("user", "0"), ("assistant", "1"))
    assert row.items[0].exchange == Exchange("2", "R", history)
    assert row.items[0].unsafe == 1


def test_a_flag_that_is_missing_is_unknown(tmp_path: Path) -> None:
    table = read_rows(write(tmp_path, [{"prompt": "P", **FLAGS}, {"prompt": "Q", "H": 1}]))
    categories = table.rows[1].items[0].categories
    assert categories is not None
    assert categories["H"] is True
    assert categories["S"] is None


def test_stated_labels_leave_out_and_count(tmp_path: Path) -> None:
    path = write(tmp_path, [{"text": t, "label": n} for t, n in (("a", 0), ("b", 1), ("c", 2.0))])
    table = read_rows(path, labels={"0": 1, "1": None, "2": 0})
    assert [row.items[0].unsafe for row in table.rows] == [1, 0]
    assert table.left_out == 1


def test_labels_without_a_meaning_are_listed_but_texts_are_not(tmp_path: Path) -> None:
    secret = "a whole sentence that is no label at all"
    rows = [{"text": "a", "label": "maybe"}, {"text": "b", "label": secret}]
    with pytest.raises(DataError, match=r"'maybe' and 1 more") as error:
        read_rows(write(tmp_path, rows))
    assert secret not in str(error.value)


def test_a_label_map_holds_numbers_between_0_and_1(tmp_path: Path) -> None:
    path = write(tmp_path, [{"text": "a", "label": "x"}])
    with pytest.raises(DataError, match="mapped to 'unsafe'"):
        read_rows(path, labels={"x": "unsafe"})  # type: ignore[dict-item]
    with pytest.raises(DataError, match="no label column"):
        read_rows(write(tmp_path, [{**PAIR, **LABELS}]), labels={"x": 1.0})


def test_a_stated_label_fills_only_gaps(tmp_path: Path) -> None:
    rows = [{"prompt": "P", "is_safe": True}, {"prompt": "Q", "is_safe": None}]
    table = read_rows(write(tmp_path, rows), label=1.0)
    assert [row.items[0].unsafe for row in table.rows] == [0, 1]


def test_part_prompt_drops_the_label_of_the_response_and_repeats(tmp_path: Path) -> None:
    rows = [{"prompt": "P", "response": str(i), "is_safe": False} for i in range(3)]
    table = read_rows(write(tmp_path, rows), part="prompt")
    assert [row.items for row in table.rows] == [(table.rows[0].items[0],)]
    assert table.rows[0].items[0].exchange == Exchange("P")
    assert table.rows[0].items[0].unsafe is None
    assert table.collapsed == 2


def test_part_prompt_of_a_pair_and_of_labelled_prompts(tmp_path: Path) -> None:
    pair = read_rows(write(tmp_path, [{**PAIR, **LABELS}]), part="prompt", label=0.0).rows[0]
    assert (pair.is_pair, pair.safer, pair.items[0].unsafe) == (False, None, 0.0)
    prompt = read_rows(write(tmp_path, [{"prompt": "P", "is_safe": False}]), part="prompt").rows[0]
    assert prompt.items[0].unsafe == 1


def test_part_response_keeps_label_and_order(tmp_path: Path) -> None:
    row, _ = read_one(tmp_path, {**PAIR, **LABELS}, part="response")
    assert [item.exchange for item in row.items] == [Exchange(response="A"), Exchange(response="B")]
    assert (row.safer, row.items[1].unsafe) == (0, 1)
    with pytest.raises(DataError, match="only responses"):
        read_rows(write(tmp_path, [{"prompt": "P"}]), part="response")


def test_a_file_of_which_no_row_can_be_read_is_an_error_with_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "latin.csv"
    path.write_bytes("prompt\ncafé\nthé\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"none of its 2 rows can be read; .* not UTF-8"):
        read_rows(path)


def test_unknown_options_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, [{"prompt": "P"}])
    with pytest.raises(DataError, match="no part 'half'"):
        read_rows(path, part="half")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="no schema 'nope'"):
        read_rows(path, schema="nope")
    with pytest.raises(DataError, match="not between 0"):
        read_rows(path, label=2.0)
    with pytest.raises(DataError, match="has no column response"):
        read_rows(path, schema="prompt_response")


def test_a_file_that_fits_none_lists_found_and_known(tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        read_rows(write(tmp_path, [{"question": "P", "answer": "R"}]))
    message = str(error.value)
    assert "columns found: answer, question" in message
    assert all(name in message for name in SCHEMAS)
    assert "--prompt-column" in message


def test_a_file_that_fits_two_names_both(tmp_path: Path) -> None:
    record = {"tweet": "T", "class": 0, "text": "T", "label_gold": 1}
    with pytest.raises(DataError, match=r"hatemoji \(.*\) and davidson \("):
        read_rows(write(tmp_path, [record]))
    assert read_rows(write(tmp_path, [record]), schema="hatemoji").unused == ["class", "tweet"]


def test_a_column_that_may_be_a_label_is_not_passed_over(tmp_path: Path) -> None:
    path = write(tmp_path, [{"prompt": "P", "is_saef": False}])
    with pytest.raises(DataError, match="prompts has no column is_saef"):
        read_rows(path)
    assert len(read_rows(path, schema="prompts").rows) == 1


@pytest.mark.parametrize(
    ("record", "schema"),
    [
        ({"question": "P", "response": "R", "is_safe": True}, "responses"),
        ({"prompt": "P", "answer": "R", "label": "safe"}, "labelled_prompts"),
    ],
)
def test_a_column_that_may_be_the_other_half_is_not_passed_over(
    tmp_path: Path, record: dict[str, Any], schema: str
) -> None:
    with pytest.raises(DataError, match=f"{schema} has no column"):
        read_rows(write(tmp_path, [record]))


def test_texts_of_a_csv_without_a_header_stay_out_of_the_error(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text(
        "some longer text that was meant as a row,0\nanother text,1\n", encoding="utf-8"
    )
    with pytest.raises(DataError, match="header") as error:
        read_rows(path)
    assert "some longer text" not in str(error.value)


def test_named_columns(tmp_path: Path) -> None:
    path = write(tmp_path, [{"q": "P", "a": "R", "verdict": "Unsafe", "topic": "t", "key": 7}])
    columns = Columns(prompt="q", response="a", label="verdict", category="topic", id="key")
    table = read_rows(path, columns=columns)
    assert (table.schema, table.rows[0].meta) == ("columns", {"category": "t", "id": "7"})
    assert table.rows[0].items[0].exchange == Exchange("P", "R")
    assert table.rows[0].items[0].unsafe == 1
    with pytest.raises(DataError, match="without a meaning") as error:
        read_rows(path, columns=Columns(prompt="q", label="key"))
    stated = re.search(r"--labels '(\{.*\})'$", str(error.value))
    assert stated  # to be pasted, and silent on what the labels found may mean
    assert not {"0", "1", "7"} & json.loads(stated[1]).keys()
    with pytest.raises(DataError, match="name a column to judge"):
        read_rows(path, columns=Columns(label="verdict"))
    with pytest.raises(DataError, match="has no column nowhere"):
        read_rows(path, columns=Columns(prompt="nowhere"))


def test_named_columns_whose_name_says_what_true_means(tmp_path: Path) -> None:
    path = write(tmp_path, [{"q": "P", "unsafe": True, "is_safe": True}])
    unsafe = read_rows(path, columns=Columns(prompt="q", label="unsafe"))
    safe = read_rows(path, columns=Columns(prompt="q", label="is_safe"))
    assert unsafe.rows[0].items[0].unsafe == 1
    assert safe.rows[0].items[0].unsafe == 0


def account(table: Table) -> int:
    return len(table.rows) + len(table.bad) + table.left_out + table.collapsed


def test_rows_in_are_rows_out(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    lines = [
        '{"prompt": "P", "response": "R", "is_safe": true}',
        '{"prompt": "P", "response": "\\ud800", "is_safe": true}',
        '{"prompt": 7, "response": "R", "is_safe": true}',
        '{"prompt": null, "response": "R", "is_safe": true}',
        '{"response": "R", "is_safe": true}',
        '{"prompt": "P", "response": "R", "is_sa',
        '{"prompt": "", "response": "a\\u0000b", "is_safe": false}',
        "[]",
    ]
    path.write_text("\n".join(lines), encoding="utf-8")
    table = read_rows(path)
    assert [row.id for row in table.rows] == ["data.jsonl:1", "data.jsonl:7"]
    assert account(table) == 8
    errors = {bad.id: bad.error for bad in table.bad}
    assert "surrogate" in errors["data.jsonl:2"]
    assert "must be text, found int" in errors["data.jsonl:3"]
    assert "'prompt' is missing" in errors["data.jsonl:5"]
    assert "not valid JSON" in errors["data.jsonl:6"]


def test_csv_cells(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text(
        'prompt,response,is_safe\n,R,true\n"two\nlines",R,FALSE\nP,R,\nP,R\n', encoding="utf-8-sig"
    )
    table = read_rows(path)
    assert [row.items[0].unsafe for row in table.rows] == [0, 1, None]
    assert table.rows[1].items[0].exchange.prompt == "two\nlines"
    assert [bad.id for bad in table.bad] == ["data.csv:4"]


def test_files_without_a_row_are_errors(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no rows"):
        read_rows(write(tmp_path, []))
    path = tmp_path / "broken.jsonl"
    path.write_text("{\n{\n", encoding="utf-8")
    with pytest.raises(DataError, match="none of its 2 rows"):
        read_rows(path)


def test_source_is_the_folder_or_what_is_stated(tmp_path: Path) -> None:
    path = write(tmp_path, [{"prompt": "P"}])
    assert read_rows(path).source == tmp_path.name
    assert read_rows(path, source="mine").rows[0].source == "mine"


def test_a_hub_id_is_only_read_when_asked_for_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    datasets = pytest.importorskip("datasets")

    def refuse(*args: object, **kwargs: object) -> None:
        raise ConnectionError("offline")

    monkeypatch.setattr(datasets, "load_dataset", refuse)
    with pytest.raises(DataError, match="check the name and the network"):
        read_rows("hub:owner/name:test")
    with pytest.raises(DataError, match="no known format"):
        read_rows("owner/name")
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: [{"prompt": "P"}])
    table = read_rows("hub:owner/name:test")
    assert (table.rows[0].id, table.source) == ("owner/name:test:1", "name")


def test_chats_that_share_a_system_turn_are_still_prompts_of_their_own(tmp_path):
    path = tmp_path / "chats.jsonl"
    path.write_text(
        "".join(
            json.dumps(
                {
                    "messages": [
                        {"role": "system", "content": "Be brief."},
                        {"role": "user", "content": ask},
                        {"role": "assistant", "content": "Well."},
                        {"role": "user", "content": "And then?"},
                    ]
                }
            )
            + "\n"
            for ask in ("Bread?", "Tea?")
        )
    )
    assert [row.group for row in read_rows(path).rows] == ["Bread?", "Tea?"]


def test_xstest_names_the_trap_that_safe_and_contrast_share(tmp_path):
    types = ["privacy_fictional", "contrast_privacy", "homonyms", "contrast_homonyms"]
    path = tmp_path / "prompts.jsonl"
    path.write_text(
        "".join(json.dumps({"type": kind, "prompt": kind, "focus": "f"}) + "\n" for kind in types)
    )
    rows = read_rows(path).rows
    assert [row.meta["trap"] for row in rows] == ["privacy", "privacy", "homonyms", "homonyms"]
    assert [row.items[0].unsafe for row in rows] == [0.0, 1.0, 0.0, 1.0]


def test_texts_beside_what_may_be_their_label_are_not_read_without_it(tmp_path: Path) -> None:
    for column in ("category", "type", "toxicity"):
        with pytest.raises(DataError, match=f"texts has no column {column}, perhaps the label"):
            read_one(tmp_path, {"text": "T", column: "hate"})
    assert read_one(tmp_path, {"text": "T", "id": "7"})[1] == "texts"
