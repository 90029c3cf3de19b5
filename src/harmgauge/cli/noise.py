"""`harmgauge data noise RECIPE.yaml [key=value …]`"""

from __future__ import annotations

from pathlib import Path

import click

from ..errors import needs_extra


@click.command()
@click.argument("recipe", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]…")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="File to write, for data.weights of the recipe.",
)
@click.option(
    "--base",
    default="all-MiniLM-L6-v2",
    show_default=True,
    help="Pretrained model whose embeddings are used; no gauge, which has seen the labels.",
)
@click.option("--folds", type=click.IntRange(2), default=5, show_default=True)
@click.option("--threads", type=click.IntRange(1), help="CPU threads; by default all cores.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
def noise(
    recipe: Path,
    overrides: tuple[str, ...],
    output: Path,
    base: str,
    folds: int,
    threads: int | None,
    quiet: bool,
) -> None:
    """Find labels of RECIPE's training rows that are probably wrong, and weigh them down.

    Validation rows are not touched. The file holds row ids and weights, and no text.
    """
    try:
        import torch

        from ..training.bases import resolve_base
        from ..training.examples import drop_leaks, load_sources
        from ..training.model import new_cost_model
        from ..training.noise import find_noise, write_doubts
        from ..training.recipe import read_recipe
        from ..windows import Windower
    except ModuleNotFoundError as error:
        raise needs_extra("train", f"finding label noise ({error.name} is missing)") from None
    if threads:
        torch.set_num_threads(threads)
    settings = read_recipe(recipe, overrides)
    data, folder = settings.data, recipe.parent
    model, tokenizer = new_cost_model(resolve_base(base), max_tokens=settings.model.max_tokens)
    train = load_sources(data.train, data, folder)
    drop_leaks(train, load_sources(data.valid, data, folder))
    doubts = find_noise(
        train,
        model,
        Windower(tokenizer, model.spec.layout),
        folds=folds,
        seed=data.seed,
        quiet=quiet,
    )
    write_doubts(doubts, output)
    for each in doubts:
        said = f"{each.doubted} of {each.judged} labels doubted" if each.judged else "not judged"
        click.echo(f"{each.source}: {said}")
    click.echo(f"{output}: {sum(len(each.weights) for each in doubts)} rows weighed down")
