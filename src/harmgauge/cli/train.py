"""`harmgauge train RECIPE.yaml [key=value …]`"""

from __future__ import annotations

from pathlib import Path

import click

from ..errors import needs_extra
from .options import run_options
from .resumable import resumable


@click.command()
@run_options
@click.option("--plan", is_flag=True, help="Only say what the run would cost.")
@click.option(
    "--soup",
    multiple=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Average this finished run of the recipe with others, instead of training; repeatable.",
)
def train(
    recipe: Path,
    overrides: tuple[str, ...],
    out: Path | None,
    plan: bool,
    resume: bool,
    soup: tuple[Path, ...],
    threads: int | None,
    quiet: bool,
) -> None:
    """Train a cost model as RECIPE says and write its bundle.

    Any key of the recipe can be overridden, such as optim.learning_rate=1e-4 or
    data.root=FOLDER. The run's folder holds the log, the checkpoints, the loss picture and, at
    the end, the bundle.
    """
    try:
        import torch

        from ..training.pipeline import prepare, run
        from ..training.recipe import read_recipe
    except ModuleNotFoundError as error:
        raise needs_extra("train", f"training ({error.name} is missing)") from None
    if threads:
        torch.set_num_threads(threads)
    settings = read_recipe(recipe, overrides)
    if plan:
        from ..training.plan import make_plan

        job = prepare(settings, recipe.parent)
        click.echo(job.describe())
        click.echo(str(make_plan(job.model, job.train, job.schedule)))
        return
    folder = out or Path("runs") / settings.name
    with resumable(folder):
        bundle = run(settings, recipe.parent, folder, soup=soup, resume=resume, quiet=quiet)
    click.echo(f"bundle written: {bundle}")
