"""`harmgauge rank`: several responses to one prompt, safest first."""

from __future__ import annotations

import json

import click

from .options import gauge_options, load_gauge


@click.command()
@click.argument("responses", nargs=-1, required=True, metavar="RESPONSE…")
@click.option("--prompt", metavar="TEXT", help="What the responses answer to.")
@click.option("--json", "as_json", is_flag=True, help="Print the ranking as JSON.")
@gauge_options
def rank(
    responses: tuple[str, ...],
    prompt: str | None,
    as_json: bool,
    name: str | None,
    prior: float | None,
    threads: int | None,
) -> None:
    """Order RESPONSEs to one prompt by cost, safest first; ties keep their order.

    Put -- before the first response where one begins with a dash.
    """
    gauge = load_gauge(name, prior, threads)
    ranking = gauge.rank(prompt, responses)
    if as_json:
        entries = [{"index": index, "cost": cost} for index, cost in ranking]
        click.echo(
            json.dumps(
                {"ranking": entries, "direction": gauge.manifest.direction, "gauge": gauge.id}
            )
        )
        return
    click.echo("place     cost  response")
    for place, (index, cost) in enumerate(ranking, 1):
        click.echo(f"{place:>5}  {cost:+7.2f}  {index + 1}")
