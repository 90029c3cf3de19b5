"""`harmgauge export --to transformers FOLDER`"""

from __future__ import annotations

from pathlib import Path

import click

from ..errors import needs_extra


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--gauge",
    "name",
    metavar="G",
    help="Name of an installed gauge or folder of a bundle; the embedded one if left out.",
)
@click.option(
    "--to",
    "target",
    type=click.Choice(["transformers"]),
    required=True,
    help="Write FOLDER in Hugging Face layout, its first logit the gauge's cost.",
)
def export(folder: Path, name: str | None, target: str) -> None:
    """Turn a gauge into a Hugging Face FOLDER, which must be new or empty.

    Load it after `import harmgauge.integrations.transformers`, with AutoTokenizer and
    AutoModelForSequenceClassification or the text-classification pipeline.
    """
    from ..gauges import find

    try:
        from ..training.export_transformers import export_transformers
    except ImportError:
        raise needs_extra("train", "export to transformers") from None

    bundle = find(name)
    export_transformers(bundle, folder)
    click.echo(f"{folder}: the gauge in {bundle.name}, for transformers", err=True)
