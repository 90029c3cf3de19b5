"""`harmgauge sft RECIPE.yaml [key=value …]`"""

from __future__ import annotations

from pathlib import Path

import click

from ..errors import needs_extra
from .options import run_options
from .resumable import resumable


@click.command()
@run_options
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
    folder = out or Path("runs") / settings.name
    with resumable(folder):
        model = run(settings, recipe.parent, folder, resume=resume, quiet=quiet)
    click.echo(f"model written: {model}")
