"""`harmgauge sft`: what is learnt of which rows, and a base that `harmgauge train` goes on from."""

from __future__ import annotations

import json
import re
import shutil
import warnings
from pathlib import Path

import pytest
import torch
import yaml
from click.testing import CliRunner
from pydantic_core import PydanticUndefined
from tiny_task import texts, write_rows
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer

from harmgauge.bundle import read_bundle
from harmgauge.cli.main import cli
from harmgauge.errors import HarmgaugeError, RecipeError
from harmgauge.training.bases import load_base
from harmgauge.training.examples import load_sources
from harmgauge.training.pipeline import prepare as prepare_gauge
from harmgauge.training.pipeline import run as train_gauge
from harmgauge.training.recipe import Model
from harmgauge.training.run_folder import check_run_folder
from harmgauge.training.sft import packing, pipeline, recipe, trainer
from harmgauge.training.sft.rows import IGNORED
from harmgauge.windows import Windower
from kills import killed
from tiny import CHATML, MAX_TOKENS, make_language_model, save_base

PAGE = Path("docs/sft.md").read_text(encoding="utf-8")
NC = "CC-BY-NC-4.0"


@pytest.fixture(scope="module")
def rows(tmp_path_factory) -> Path:
    """Alpaca rows, pairs and labelled singles."""
    folder = tmp_path_factory.mktemp("sft-data")
    made = [text for text, _ in texts(3, 120)]
    write_rows(
        folder / "alpaca" / "train.jsonl",
        [
            {"instruction": f"tell me {i}", "input": "" if i % 2 else "please", "output": text}
            for i, text in enumerate(made[:40])
        ],
    )
    write_rows(
        folder / "pairs" / "train.jsonl",
        [
            {"prompt": f"water {i}", "chosen": f"nice {safer}", "rejected": f"rain {other}"}
            for i, (safer, other) in enumerate(zip(made[40:60], made[60:80], strict=True))
        ],
    )
    write_rows(
        folder / "singles" / "train.jsonl",
        [
            {"prompt": f"how do i {i}", "response": text, "is_safe": i % 4 > 0}
            for i, text in enumerate(made[80:])
        ],
    )
    return folder


@pytest.fixture(scope="module")
def make(rows, llama_base):
    """A recipe; keyword arguments replace whole sections."""

    def made(*sources: dict, data: dict | None = None, **changes) -> recipe.SftRecipe:
        named = sources or ({"path": "alpaca/train.jsonl"}, {"path": "pairs/train.jsonl"})
        values = {
            "name": "tiny-sft",
            "licence": NC,
            "base": str(llama_base),
            "data": {
                "root": str(rows),
                "train": [{"licence": NC, **source} for source in named],
                "valid_share": 0.2,
                **(data or {}),
            },
            "model": {"max_tokens": MAX_TOKENS},
            "optim": {"learning_rate": 1e-2, "batch_size": 4, "max_steps": 6},
            "evaluate": {"every": 2, "log_every": 1},
        }
        return recipe.SftRecipe.model_validate(values | changes)

    return made


def write_recipe(folder: Path, made: recipe.SftRecipe) -> Path:
    values = made.model_dump(mode="json", by_alias=True, exclude_unset=True)
    path = folder / "sft.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return path


def sft(*arguments):
    return CliRunner().invoke(cli, ["sft", *map(str, arguments)])


def learnt(ids: list[int], labels: list[int]) -> list[int]:
    """What is learnt, checked to be the end of the sequence and its own ids."""
    kept = [label for label in labels if label != IGNORED]
    at = next(i for i, label in enumerate(labels) if label != IGNORED)
    assert labels[at : at + len(kept)] == kept == ids[at : at + len(kept)]
    return kept


def exchanges(sources) -> list:
    return [row.items[0].exchange for loaded in sources for row in loaded.rows]


@pytest.fixture(scope="module")
def job(make, rows):
    return pipeline.prepare(make(), rows)


def test_tokens_are_those_that_train_reads_and_the_response_and_its_end_are_learnt(job, llama_base):
    base = load_base(str(llama_base), Model(max_tokens=MAX_TOKENS))
    windower = Windower(base.tokenizer, base.model.spec.layout)
    read = exchanges(job.rows.train)
    assert job.train.input_ids == [windower.windows(exchange)[0] for exchange in read]
    end = list(base.model.spec.layout.end)
    assert end
    for exchange, ids, labels in zip(read, job.train.input_ids, job.train.labels, strict=True):
        response = base.tokenizer.encode(exchange.response, add_special_tokens=False).ids
        assert learnt(ids, labels) == [*response, *end]


@pytest.mark.slow
def test_a_chat_template_is_followed_and_the_end_of_the_turn_learnt(make, rows, tmp_path):
    base = str(save_base(tmp_path / "base", make_language_model("llama"), chat_template=CHATML))
    chat = {"max_tokens": MAX_TOKENS, "template": "chat"}
    job = pipeline.prepare(make(base=base, model=chat), rows)
    judge = load_base(base, Model(**chat))
    job.provenance.write(Path(base))  # as if this were the model that was fine-tuned
    layouts = [
        load_base(base, Model(max_tokens=MAX_TOKENS, template=template)).model.spec.layout
        for template in (None, "turns")
    ]
    assert layouts[0] == judge.model.spec.layout
    assert not layouts[1].turns
    windower = Windower(judge.tokenizer, judge.model.spec.layout)
    _, closing = windower.turns["assistant"]
    assert closing
    read = exchanges(job.rows.train)
    assert job.train.input_ids == [windower.windows(exchange)[0] for exchange in read]
    for exchange, ids, labels in zip(read, job.train.input_ids, job.train.labels, strict=True):
        response = judge.tokenizer.encode(exchange.response, add_special_tokens=False).ids
        assert learnt(ids, labels) == [*response, *closing]


def test_the_trainer_s_batches_learn_nothing_else(job, make, tmp_path):
    made = trainer.make_trainer(
        job.model, job.tokenizer, make(), job.train, job.valid, tmp_path, quiet=True
    )
    known = {tuple(ids): labels for ids, labels in zip(*vars_of(job.train), strict=True)}
    seen = 0
    for batch in made.get_train_dataloader():
        each = (batch[key].tolist() for key in ("input_ids", "labels", "attention_mask"))
        for ids, labels, mask in zip(*each, strict=True):
            length = sum(mask)  # the pad token is the end token: only the mask can tell
            assert known[tuple(ids[:length])] == labels[:length]
            assert set(labels[length:]) <= {IGNORED}
            seen += 1
    assert seen == len(job.train.input_ids)


def vars_of(tokens):
    return tokens.input_ids, tokens.labels


def test_the_end_is_not_learnt_where_the_response_is_cut(make, llama_base, tmp_path):
    long = "cat sits on the mat " * 9
    write_rows(
        tmp_path / "train.jsonl",
        [{"prompt": f"water {i}", "response": long} for i in range(20)],
    )
    job = pipeline.prepare(make({"path": str(tmp_path / "train.jsonl")}), tmp_path)
    end = AutoTokenizer.from_pretrained(llama_base).eos_token_id
    for ids, labels in zip(*vars_of(job.train), strict=True):
        assert len(ids) == MAX_TOKENS
        assert ids[-1] == end
        assert end not in learnt(ids, labels)
    assert job.rows.train[0].report.truncated == len(job.train.input_ids)


def test_the_safer_response_of_pairs_is_learnt(make, rows):
    job = pipeline.prepare(make({"path": "pairs/train.jsonl"}), rows)
    read = exchanges((*job.rows.train, *job.rows.valid))
    assert len(read) == 20
    assert all(exchange.response.startswith("nice ") for exchange in read)


def test_identical_responses_teach_no_safer_one(make, tmp_path):
    pairs = [
        {"prompt": f"hello {i}", "chosen": "nice", "rejected": "nice" if i else "rain"}
        for i in range(20)
    ]
    write_rows(tmp_path / "pairs.jsonl", pairs)
    read = make({"path": str(tmp_path / "pairs.jsonl")}).data.read()
    (loaded,) = load_sources(read.train, read, tmp_path)
    assert (loaded.report.identical_responses, loaded.report.used) == (19, 1)


def test_unsafe_singles_are_left_out_if_asked(make, rows):
    everything = pipeline.prepare(make({"path": "singles/train.jsonl"}), rows)
    safe = pipeline.prepare(make({"path": "singles/train.jsonl", "safe_only": True}), rows)

    def count(job):
        return sum(loaded.report.used for loaded in (*job.rows.train, *job.rows.valid))

    assert (count(everything), count(safe)) == (40, 30)
    assert safe.rows.train[0].report.left_out == 10
    assert safe.rows.train[0].report.unsafe == 0


def test_what_has_no_answer_is_left_out_and_counted(make, tmp_path):
    chat = [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "thank you"}]
    write_rows(
        tmp_path / "chats.jsonl",
        [{"messages": [*chat, {"role": "user", "content": "how"}]}]
        + [{"messages": [{"role": "user", "content": f"tell me {i}"}, chat[1]]} for i in range(30)],
    )
    job = pipeline.prepare(make({"path": str(tmp_path / "chats.jsonl")}), tmp_path)
    report = job.rows.train[0].report
    assert report.left_out == 1
    assert report.read + job.rows.valid[0].report.read == 31


def test_validation_rows_are_split_off_by_prompt(job, make, rows):
    train, valid = (
        {e.prompt for e in exchanges(part)} for part in (job.rows.train, job.rows.valid)
    )
    assert train
    assert valid
    assert not train & valid
    again = pipeline.prepare(make(), rows)
    assert {e.prompt for e in exchanges(again.rows.valid)} == valid


class Leaky(torch.nn.Module):
    """Each token sees all before it, whatever their positions."""

    def __init__(self) -> None:
        super().__init__()
        self.words = torch.nn.Embedding(50, 8)

    def get_input_embeddings(self):
        return self.words

    def forward(self, input_ids, **rest):
        seen = self.words(input_ids).cumsum(1)
        return type("Output", (), {"logits": seen @ self.words.weight.T})()


def test_packing_is_refused_where_attention_leaks(job, make, rows, monkeypatch):
    packing.check_packing(job.model, None)
    with pytest.raises(RecipeError, match=r"packing is refused: .* set optim.packing=false"):
        packing.check_packing(Leaky(), None)
    with pytest.raises(RecipeError, match="with eager attention"):
        packing.check_packing(Leaky(), "eager")
    asked = []
    monkeypatch.setattr(pipeline, "check_packing", lambda model, attention: asked.append(attention))
    optim = {"packing": True, "batch_size": 2, "max_steps": 1}
    made = make(optim=optim, model={"max_tokens": MAX_TOKENS, "attention": "eager"})
    pipeline.prepare(made, rows)
    assert asked == ["eager"]


def test_packed_rows_are_learnt_as_apart(make, rows, tmp_path):
    optim = {"packing": True, "batch_size": 2, "max_steps": 1}
    job = pipeline.prepare(make(optim=optim), rows)
    made = trainer.make_trainer(
        job.model, job.tokenizer, make(optim=optim), job.train, job.valid, tmp_path, quiet=True
    )
    assert len(made.train_dataset) < len(job.train.input_ids)
    batch = next(iter(made.get_train_dataloader()))
    assert "attention_mask" not in batch
    ids, labels = (batch[key][0].tolist() for key in ("input_ids", "labels"))
    starts = [i for i, place in enumerate(batch["position_ids"][0].tolist()) if place == 0]
    known = {tuple(each): labels for each, labels in zip(*vars_of(job.train), strict=True)}
    for start, end in zip(starts, [*starts[1:], len(ids)], strict=True):
        assert known[tuple(ids[start:end])] == labels[start:end]


@pytest.fixture(scope="module")
def tuned(tmp_path_factory, make) -> Path:
    """A run by low-rank adapters."""
    folder = tmp_path_factory.mktemp("tuned")
    made = make(model={"max_tokens": MAX_TOKENS, "lora": {"rank": 4}})
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        result = sft(write_recipe(folder, made), "--out", folder / "run", "--quiet")
    assert result.exit_code == 0, (result.exception, result.output)
    assert result.stdout == f"model written: {folder / 'run' / 'model'}\n"
    assert result.stderr == ""
    shown = (FutureWarning, UserWarning)  # by default; others are for developers
    assert not [each.message for each in said if issubclass(each.category, shown)]
    return folder / "run"


def test_the_model_is_the_best_checkpoint_merged(tuned, job):
    records = [json.loads(line) for line in (tuned / "log.jsonl").read_text().splitlines()]
    losses = {r["step"]: r["eval_loss"] for r in records if "eval_loss" in r}
    assert list(losses) == [0, 2, 4, 6]
    best = min(loss for step, loss in losses.items() if step)
    assert best < losses[0]
    model = AutoModelForCausalLM.from_pretrained(tuned / "model").eval()
    AutoTokenizer.from_pretrained(tuned / "model")
    each = []
    for ids, labels in zip(job.valid.input_ids, job.valid.labels, strict=True):
        with torch.no_grad():
            each.append(model(torch.tensor([ids]), labels=torch.tensor([labels])).loss.item())
    assert sum(each) / len(each) == pytest.approx(best, rel=1e-4)
    assert (tuned / "loss.png").stat().st_size
    assert "alpaca" in (tuned / "data.txt").read_text()


@pytest.mark.slow
def test_train_goes_on_from_it_and_inherits_its_data(tuned, make_recipe, tmp_path):
    base = tuned / "model"
    made = make_recipe(base, licence=NC, optim={"max_steps": 1, "batch_tokens": 256})
    manifest = read_bundle(train_gauge(made, tmp_path, tmp_path / "run", quiet=True))
    assert manifest.base["name"].startswith("tiny-sft (SFT of llama-base")
    assert manifest.base["sha256"]
    assert [(each["source"], each["licence"]) for each in manifest.data][:2] == [
        ("tiny-sft: alpaca", NC),
        ("tiny-sft: pairs", NC),
    ]
    with pytest.raises(RecipeError, match=r"tiny-sft: alpaca, which the base .* learnt from, has"):
        prepare_gauge(make_recipe(base), tmp_path)


def test_each_verb_has_a_run_folder_of_its_own(tuned, make_recipe, tmp_path):
    with pytest.raises(RecipeError, match=f"{tuned} holds a run of another verb"):
        train_gauge(make_recipe(tuned / "model"), tmp_path, tuned, resume=True)
    with pytest.raises(RecipeError, match=f"{tuned}/model of harmgauge sft"):
        train_gauge(make_recipe(tuned), tmp_path, tmp_path / "run")


def test_a_second_stage_inherits_the_data_of_the_first(tuned, make, rows):
    base = str(tuned / "model")
    job = pipeline.prepare(make({"path": "singles/train.jsonl"}, base=base), rows)
    assert [each["source"] for each in job.provenance.data] == [
        *("tiny-sft: alpaca", "tiny-sft: pairs", "singles")
    ]
    with pytest.raises(RecipeError, match=r"licence CC0-1\.0 is open, but tiny-sft: alpaca"):
        pipeline.prepare(make(base=base, licence="CC0-1.0"), rows)


@pytest.mark.slow
def test_a_killed_run_resumes_to_the_same_weights(make, tmp_path, monkeypatch):
    path = write_recipe(tmp_path, make())
    assert sft(path, "--out", tmp_path / "whole", "--quiet").exit_code == 0
    written = trainer._Log.on_log

    def kill(self, args, state, *rest, **named):
        written(self, args, state, *rest, **named)
        if state.global_step == 5:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(trainer._Log, "on_log", kill)
        assert sft(path, "--out", tmp_path / "killed", "--quiet").exit_code != 0
    assert not (tmp_path / "killed" / "model").exists()
    (tmp_path / "killed" / "checkpoints" / "checkpoint-5").mkdir()  # a kill while it is written
    assert "--resume" in str(sft(path, "--out", tmp_path / "killed").exception)
    result = sft(path, "--out", tmp_path / "killed", "--quiet", "--resume")
    assert result.exit_code == 0, (result.exception, result.output)
    whole, resumed = (
        AutoModelForCausalLM.from_pretrained(tmp_path / name / "model").state_dict()
        for name in ("whole", "killed")
    )
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    records = (tmp_path / "killed" / "log.jsonl").read_text().splitlines()
    assert [r["step"] for r in map(json.loads, records) if "loss" in r] == [1, 2, 3, 4, 5, 6]
    last = tmp_path / "killed" / "checkpoints" / "checkpoint-6"
    for name in ("optimizer.pt", "model.safetensors"):
        (last / name).write_bytes((last / name).read_bytes()[:60])
        with pytest.raises(HarmgaugeError, match=r"checkpoint-6 is damaged, .* remove it"):
            pipeline.run(make(), tmp_path, tmp_path / "killed", resume=True, quiet=True)
    (tmp_path / "killed" / "rows.sha256").write_text("others")
    with pytest.raises(RecipeError, match="training rows are not those"):
        pipeline.run(make(), tmp_path, tmp_path / "killed", resume=True)


@pytest.mark.parametrize("writes", [2, 3])
def test_a_run_that_is_killed_before_its_first_step_can_be_resumed(make, rows, tmp_path, writes):
    with killed(tmp_path / "run", writes):
        pipeline.run(make(), rows, tmp_path / "run", quiet=True)
    assert (tmp_path / "run").exists()
    check_run_folder(tmp_path / "run", make(), True)


@pytest.mark.slow
def test_a_run_that_diverges_goes_on_at_a_lower_rate(make, tmp_path, monkeypatch):
    path = write_recipe(tmp_path, make())
    command = (path, "--out", tmp_path / "run", "--quiet")
    written = trainer._Log.on_log

    def diverge(self, args, state, control, logs, **rest):
        if state.global_step == 5:
            logs = {**logs, "loss": float("nan")}
        written(self, args, state, control, logs, **rest)

    with monkeypatch.context() as patch:
        patch.setattr(trainer._Log, "on_log", diverge)
        told = sft(*command).exception
    assert re.search("not finite at step 5; .* --resume and a lower optim.learning_rate", str(told))

    def rates():
        lines = map(json.loads, (tmp_path / "run" / "log.jsonl").read_text().splitlines())
        return {line["step"]: line["learning_rate"] for line in lines if "learning_rate" in line}

    before = rates()
    assert list(before) == [1, 2, 3, 4]
    result = sft(*command, "--resume", "optim.learning_rate=1e-3")
    assert result.exit_code == 0, (result.exception, result.output)
    after = rates()
    assert [after[step] for step in (1, 2, 3, 4)] == [before[step] for step in (1, 2, 3, 4)]
    assert after[5] < before[4] / 9


def test_a_base_that_is_no_number_is_told_before_it_is_trained(make, tmp_path):
    model = make_language_model("llama")
    torch.nn.init.constant_(model.lm_head.weight, float("nan"))
    made = make(base=str(save_base(tmp_path / "base", model)))
    told = sft(write_recipe(tmp_path, made), "--out", tmp_path / "run", "--quiet").exception
    assert "not finite at step 0; nothing was trained yet: the base is damaged" in str(told)


def test_a_tokenizer_with_more_tokens_than_embeddings_is_refused(make, rows, llama_base, tmp_path):
    base = shutil.copytree(llama_base, tmp_path / "base")
    more = Tokenizer.from_file(str(base / "tokenizer.json"))
    more.add_tokens(["sleet"])
    more.save(str(base / "tokenizer.json"))
    with pytest.raises(RecipeError, match=r"but the model only .* embeddings, for tokens 0 to"):
        pipeline.prepare(make(base=str(base)), rows)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"base": "gauge:mini"}, "a gauge writes no text"),
        ({"base": "ENCODER"}, "is no causal language model"),
        ({"base": "nowhere/at-all"}, "neither a Hugging Face folder nor a reachable Hub id"),
        ({"model": {"max_tokens": MAX_TOKENS + 1}}, f"only {MAX_TOKENS} positions"),
        ({"model": {"max_tokens": 16, "lora": {"targets": ["other"]}}}, "lora.targets .* fit no"),
        ({"report_to": ["pigeon"]}, "report_to=pigeon: pigeon is not supported"),
        (
            {"data": {"valid": [{"path": "alpaca/train.jsonl", "licence": NC}]}},
            "no row is left in data.train of 40: 0 .* the prompts of 40 stand in the other part",
        ),
        ({"data": {"valid_share": 1e-9}}, "no row is left in data.valid of 0"),
        ({"data": {"train": [{"path": "none.jsonl", "licence": NC}]}}, "no file none.jsonl"),
    ],
    ids=lambda value: value if isinstance(value, str) else next(iter(value)),
)
def test_mistakes_are_told_in_a_sentence(make, rows, encoder_base, tmp_path, changes, says):
    if changes.get("base") == "ENCODER":
        changes = {"base": str(encoder_base)}
    sources = [{"path": "alpaca/train.jsonl"}]
    with pytest.raises((HarmgaugeError, ValueError), match=says):
        pipeline.run(make(*sources, **changes), rows, tmp_path / "run", quiet=True)
    assert not (tmp_path / "run" / "model").exists()


def test_an_unknown_key_is_named(make, tmp_path):
    path = write_recipe(tmp_path, make())
    assert "did you mean packing?" in str(sft(path, "optim.paking=true").exception)


def test_what_a_model_learnt_from_must_be_readable(tuned, tmp_path):
    (tmp_path / "config.json").write_text((tuned / "model" / "config.json").read_text())
    (tmp_path / "sft.json").write_text("{}")
    with pytest.raises(RecipeError, match="says what this base learnt from"):
        load_base(str(tmp_path), Model(max_tokens=MAX_TOKENS))


def shown(value) -> str:
    if value is PydanticUndefined:
        return "-"
    if isinstance(value, recipe.Section):
        return "below"
    if value is None or value == "":
        return "null" if value is None else "empty"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


@pytest.mark.parametrize(
    ("heading", "section"),
    [
        ("Top", recipe.SftRecipe),
        ("data", recipe.Data),
        ("data.train and data.valid, each source", recipe.Source),
        ("model", recipe.Model),
        ("optim", recipe.Optim),
        ("evaluate", recipe.Evaluate),
    ],
)
def test_every_key_is_documented_with_its_default(heading, section):
    body = PAGE.split(f"\n### {heading}\n")[1].split("\n#")[0]
    lines = dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|", body, re.MULTILINE))
    assert lines == {
        field.alias or name: shown(list(d) if isinstance(d := field.default, tuple) else d)
        for name, field in section.model_fields.items()
    }


@pytest.mark.parametrize("path", sorted(Path("recipes").glob("sft-*.yaml")), ids=lambda p: p.stem)
def test_every_recipe_of_ours_is_valid(path):
    made = recipe.read_sft_recipe(path)
    assert made.name == path.stem
    assert made.model.lora is not None
    assert made.model.max_tokens == 512
