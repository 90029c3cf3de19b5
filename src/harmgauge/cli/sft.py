"""`harmgauge sft RECIPE.yaml [key=value …]`"""

from __future__ import annotations

from pathlib import Path

import click

from ..errors import needs_extra


@click.command()
@click.argument("recipe", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]…")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the run; by default runs/NAME.",
)
@click.option("--resume", is_flag=True, help="Go on from the last checkpoint of the run.")
@click.option("--threads", type=click.IntRange(1), help="CPU threads; by default all cores.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
def sft(
    recipe: Path,
    overrides: tuple[str, ...],
    out: Path | None,
    resume: bool,
    threads: int | None,
    quiet: bool,
) -> None:
    """Fine-tune a language model on responses, as RECIPE says, before it becomes a cost model.

    Any key of the recipe can be overridden, such as optim.learning_rate=1e-4 or
    data.root=FOLDER. The run's folder holds the log, the checkpoints, the loss picture and, at
    the end, the model, a base for harmgauge train.
    """
    try:
        import torch

        from ..training.sft.pipeline import run
        from ..training.sft.recipe import read_sft_recipe
    except ModuleNotFoundError as error:
        raise needs_extra("train", f"fine-tuning ({error.name} is missing)") from None
    if threads:
        torch.set_num_threads(threads)
    settings = read_sft_recipe(recipe, overrides)
    model = run(
        settings, recipe.parent, out or Path("runs") / settings.name, resume=resume, quiet=quiet
    )
    click.echo(f"model written: {model}")
