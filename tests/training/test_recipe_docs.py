"""recipes/README.md documents every key of a recipe, and only those."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic_core import PydanticUndefined

from harmgauge.data.columns import Columns
from harmgauge.data.hub import is_address
from harmgauge.settings import read_mapping
from harmgauge.training import recipe

PAGE = Path("recipes/README.md").read_text(encoding="utf-8")
SECTIONS = {
    "Recipe": recipe.Recipe,
    "data": recipe.Data,
    "data.train and data.valid, each source": recipe.Source,
    "distil": recipe.Distil,
    "model": recipe.Model,
    "model.lora": recipe.Lora,
    "loss": recipe.Loss,
    "optim": recipe.Optim,
    "evaluate": recipe.Evaluate,
}

OPEN = (
    *("mini-fourth", "mini-fifth", "mini-sixth", "mini"),
    *("midi-first", "midi-second", "midi-third", "midi"),
    "teacher-open-mpnet",
)
MADE = (
    *OPEN,
    "mini-research",
    "mini-research-first",
    "mini-research-second",
    "mini-research-third",
    "teacher-research-mpnet",
    "teacher-research-smollm2",
)


def documented(heading: str) -> dict[str, str]:
    """Key and default of each line of the table under a heading."""
    body = PAGE.split(f"\n### {heading}\n")[1].split("\n#")[0]
    return dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|", body, re.MULTILINE))


def default(field) -> str:
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined:
        return "-"
    if isinstance(value, recipe.Section):
        return "below"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        value = list(value)
    return {None: "null", "": "empty"}.get(value) if value in (None, "") else f"`{value}`"


@pytest.mark.parametrize("heading", SECTIONS)
def test_every_key_stands_there_with_its_default(heading):
    fields = SECTIONS[heading].model_fields
    assert documented(heading) == {
        field.alias or name: default(field) for name, field in fields.items()
    }


def test_every_section_is_looked_at():
    known = {each for each in vars(recipe).values() if isinstance(each, type)}
    sections = {each for each in known if issubclass(each, recipe.Section)}
    inherited_from = {recipe.Section, recipe.Named, recipe.Backbone}
    assert sections - inherited_from == set(SECTIONS.values())


def test_columns_can_be_named_by_everything_that_the_reader_knows():
    assert set(recipe.ColumnRole.__args__) == set(Columns.__slots__)


@pytest.mark.parametrize("name", MADE)
def test_every_source_of_a_recipe_has_its_upstream(name):
    made = recipe.read_recipe(Path("recipes") / f"{name}.yaml")
    sources = (*made.data.train, *made.data.valid, *made.data.thresholds)
    folders = {each.path.split("/")[0] for each in sources if not is_address(each.path)}
    assert folders <= set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE))
    open_part = PAGE.split("### Non-commercial data")[0]
    if name in OPEN:
        assert folders <= set(re.findall(r"^\| `(\w+)` \|", open_part, re.MULTILINE))


@pytest.mark.parametrize("name", MADE)
def test_a_source_has_the_licence_that_the_recipe_states(name):
    made = recipe.read_recipe(Path("recipes") / f"{name}.yaml")
    stated = dict(re.findall(r"^\| `(\w+)` \| [^|]+ \| ([\w.-]+)(?: †)? \| \d", PAGE, re.MULTILINE))
    for source in (*made.data.train, *made.data.valid, *made.data.thresholds):
        if not is_address(source.path):
            assert stated[source.path.split("/")[0]] == source.licence, source.path


@pytest.mark.parametrize("path", sorted(Path("recipes").glob("*.yaml")), ids=lambda path: path.stem)
def test_a_recipe_that_goes_on_from_a_run_names_the_recipe_of_that_run(path):
    stated = read_mapping(path, "recipe", "")
    assert stated["name"] == path.stem
    run = re.fullmatch(r"gauge:runs/([\w-]+)/bundle", stated["base"])
    assert run is None or Path(f"recipes/{run[1]}.yaml").is_file() or f"name={run[1]} " in PAGE
