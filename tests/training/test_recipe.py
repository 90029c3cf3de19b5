from pathlib import Path

import pytest

from harmgauge.errors import RecipeError
from harmgauge.settings import _sections
from harmgauge.training.recipe import Recipe, read_recipe
from harmgauge.training.sft.recipe import SftRecipe, read_sft_recipe

MINIMAL = """
name: tiny
licence: CC0-1.0
base: some-base
data:
  train: [{path: a.jsonl, licence: CC0-1.0}]
  valid: [{path: b.jsonl, licence: CC0-1.0}]
"""


@pytest.fixture
def recipe_file(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(MINIMAL)
    return path


def test_overrides_reach_every_level(recipe_file):
    recipe = read_recipe(
        recipe_file,
        ["seed=3", "optim.learning_rate=1e-5", "data.train.0.cap=7", "model.lora.rank=4"],
    )
    assert recipe.seed == 3
    assert recipe.optim.learning_rate == 1e-5
    assert recipe.data.train[0].cap == 7
    assert recipe.model.lora is not None
    assert recipe.model.lora.rank == 4


def test_label_values_need_no_quotes(recipe_file):
    recipe = read_recipe(recipe_file, ["data.train.0.labels={0: 1, true: 0, Fine: 0, odd: null}"])
    assert recipe.data.train[0].labels == {"0": 1, "true": 0, "fine": 0, "odd": None}


def test_a_text_that_looks_like_a_number_stays_a_text(recipe_file):
    recipe = read_recipe(recipe_file, ["name=1e5", "base='12'", "optim.max_steps=12"])
    assert (recipe.name, recipe.base, recipe.optim.max_steps) == ("1e5", "12", 12)


def test_one_past_the_end_of_a_list_appends(recipe_file):
    source = '{"path": "c.jsonl", "licence": "MIT"}'
    recipe = read_recipe(recipe_file, [f"data.train.1={source}"])
    assert [each.path for each in recipe.data.train] == ["a.jsonl", "c.jsonl"]


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("optim.learning_rat=1", "did you mean learning_rate?"),
        ("data.train.0.caps=1", "did you mean cap?"),
        ("model.zzz=1", "known keys: template"),
        ("optim.learning_rate=fast", "optim.learning_rate"),
        ("optim.learning_rate=-1", "greater than 0"),
        ("optim", "not of the form key=value"),
        ("optim.learning_rate=.inf", "finite number"),
        ("data.train.0.weight=.nan", "finite number"),
        ("data.train.9.cap=1", "names no place"),
        ("name.x=1", "names no place"),
        ("optim.betas=[0.9", "not valid YAML"),
        ("data.train.0.unlabelled=true", "add distil.teachers"),
        ("data.valid.0.unlabelled=true", "data.valid measures by labels"),
    ],
)
def test_a_bad_key_or_value_is_named(recipe_file, override, said):
    with pytest.raises(RecipeError) as caught:
        read_recipe(recipe_file, [override])
    assert said in str(caught.value)


@pytest.mark.parametrize("text", [b"- a list", b"a: [", b"", b"name: \xe9"])
def test_a_file_that_is_no_recipe_is_named(tmp_path, text):
    path = tmp_path / "broken.yaml"
    path.write_bytes(text)
    with pytest.raises(RecipeError, match=r"broken\.yaml"):
        read_recipe(path)


def test_a_key_that_stands_twice_is_refused(recipe_file):
    recipe_file.write_text(MINIMAL + "optim: {epochs: 1}\noptim: {warmup: 0}\n")
    with pytest.raises(RecipeError, match="'optim' stands twice"):
        read_recipe(recipe_file)


def leaves(section, place=""):
    """Dotted names of all settings, and of the sections that hold them."""
    for name, field in section.model_fields.items():
        here = f"{place}{field.alias or name}"
        yield here
        for inner in _sections(field.annotation):
            position = ".0" if here in ("data.train", "data.valid", "data.thresholds") else ""
            yield from leaves(inner, f"{here}{position}.")


@pytest.mark.parametrize(
    ("kind", "read"), [(Recipe, read_recipe), (SftRecipe, read_sft_recipe)], ids=["train", "sft"]
)
@pytest.mark.parametrize("value", ["[1, [a]]", "{a: [1]}", "5"])
def test_a_value_of_another_shape_is_a_sentence_and_no_accident(recipe_file, kind, read, value):
    for key in leaves(kind):
        for override in (f"{key}={value}", f"{key}.0={value}"):
            try:
                read(recipe_file, [override])
            except RecipeError as error:
                assert "\n" not in str(error)  # noqa: PT017


@pytest.mark.parametrize("read", [read_recipe, read_sft_recipe])
def test_one_tracker_needs_no_brackets(recipe_file, read):
    assert read(recipe_file, ["report_to=tensorboard"]).report_to == ("tensorboard",)
    both = read(recipe_file, ["report_to=[tensorboard, wandb]"])
    assert both.report_to == ("tensorboard", "wandb")


TRAIN_ONLY = MINIMAL + "storage: fp32\nloss: {rank: 2}\n"
SFT_ONLY = MINIMAL + "report_to: [tensorboard]\noptim: {batch_size: 4}\n"


def test_a_recipe_of_the_other_verb_is_told_which_that_is(recipe_file):
    recipe_file.write_text(TRAIN_ONLY)
    with pytest.raises(RecipeError, match=r"is a recipe of harmgauge train: give it to that verb"):
        read_sft_recipe(recipe_file, ["seed=1"])
    recipe_file.write_text(SFT_ONLY)
    with pytest.raises(RecipeError, match=r"is a recipe of harmgauge sft: give it to that verb"):
        read_recipe(recipe_file)
    recipe_file.write_text(MINIMAL)  # fits both, so that only the override is at fault
    with pytest.raises(RecipeError, match=r"unknown key bogus"):
        read_recipe(recipe_file, ["bogus=1"])
    recipe_file.write_text(MINIMAL.replace("  valid:", "  #"))
    with pytest.raises(RecipeError, match=r"mend it for this one \(data\.valid: field required\)"):
        read_recipe(recipe_file)
    completed = read_recipe(recipe_file, ["data.valid=[{path: b.jsonl, licence: MIT}]"])
    assert completed.data.valid[0].path == "b.jsonl"


@pytest.mark.parametrize("licence", ["made up", "GPL", "''", "Apache-2.0 AND"])
def test_a_licence_of_weights_is_an_spdx_expression(recipe_file, licence):
    with pytest.raises(RecipeError, match=r"^[^\n]* no SPDX expression, such as Apache-2\.0"):
        read_recipe(recipe_file, [f"licence={licence}"])
    for known in ("LicenseRef-Llama-3", "MIT OR (Apache-2.0 AND CC-BY-4.0)"):
        assert read_recipe(recipe_file, [f"licence={known}"]).licence == known


def test_a_missing_file_is_named():
    with pytest.raises(RecipeError, match=r"nowhere\.yaml"):
        read_recipe(Path("nowhere.yaml"))


@pytest.mark.parametrize(
    "path",
    sorted(set(Path("recipes").glob("*.yaml")) - set(Path("recipes").glob("sft-*.yaml"))),
    ids=lambda p: p.name,
)
def test_every_recipe_of_the_project_is_valid(path):
    assert read_recipe(path).name == path.stem
