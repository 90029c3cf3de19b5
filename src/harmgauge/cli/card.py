"""`harmgauge card`: a gauge's model card, and measurements of it for the card to tell of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from .anew import check_place, write_anew


@click.command()
@click.argument("gauge", required=False, metavar="[NAME|FOLDER]")
@click.option(
    "--results",
    "files",
    multiple=True,
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE.json",
    help="What harmgauge evaluate --json wrote, for the card to tell; may be repeated.",
)
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the new bundle: a new one, or the gauge's own to change it.",
)
def card(gauge: str | None, files: tuple[Path, ...], output: Path | None) -> None:
    """Print a gauge's model card, or write it anew with measurements of labelled files.

    Training measures on validation data, which flatters. Measure a gauge on test sets, then let its
    card say where it fails there:

    \b
        harmgauge evaluate FILE … --gauge BUNDLE --json RESULTS.json
        harmgauge card BUNDLE --results RESULTS.json --output BUNDLE

    Costs, verdicts and the gauge's id stay. Of a file measured again, the last figures count.
    """
    from ..bundle import read_bundle
    from ..evaluation.tested import read_tested
    from ..gauges import find
    from ..training.card import model_card

    if bool(files) != bool(output):
        raise click.UsageError("--results and --output belong together; give both or none")
    folder = find(gauge)
    manifest = read_bundle(folder)
    if output is None:
        click.echo(model_card(manifest))
        return
    check_place(folder, manifest, output)
    known = {each.place: each for each in manifest.tested}
    new = [each for path in files for each in read_tested(path, manifest)]
    for each in new:
        before = known.get(each.place)
        if before is not None and before.sha256 != each.sha256:
            click.echo(
                f"harmgauge: !! {each.data} is another file than the one of that name whose "
                "figures it replaces",
                err=True,
            )
        known[each.place] = each
    written = write_anew(folder, replace(manifest, tested=tuple(known.values())), output)
    told = ", ".join(dict.fromkeys(each.data for each in new))
    click.echo(f"the card of {written.id} tells of {told}, in {output}")
