"""`harmgauge rank`: several responses to one prompt, safest first."""

from __future__ import annotations

import json
from typing import Any

import click

from ..exchange import Exchange, Kind
from .options import gauge_options, load_gauge, threshold_option


@click.command()
@click.argument("responses", nargs=-1, required=True, metavar="RESPONSE…")
@click.option("--prompt", metavar="TEXT", help="What the responses answer to.")
@click.option("--json", "as_json", is_flag=True, help="Print the ranking as JSON.")
@threshold_option
@gauge_options
def rank(
    responses: tuple[str, ...],
    prompt: str | None,
    as_json: bool,
    threshold: float | str | None,
    name: str | None,
    prior: float | None,
    threads: int | None,
) -> None:
    """Order RESPONSEs to one prompt by cost, safest first; ties keep their order.

    With --threshold, those that are unsafe from there on are marked.

    Put -- before the first response where one begins with a dash.
    """
    gauge = load_gauge(name, prior, threads)
    # An unknown name is refused before anything is scored.
    kind: Kind = "response" if prompt is None else "exchange"
    at = gauge.threshold(threshold, kind)
    gauge.check_promise(threshold, [kind])
    entries: list[dict[str, Any]] = [
        {"index": index, "cost": cost} for index, cost in gauge.rank(prompt, responses)
    ]
    about: dict[str, Any] = {"direction": gauge.manifest.direction, "gauge": gauge.id}
    if threshold is not None:
        about["threshold"] = at
        for entry in entries:
            blank = Exchange(response=responses[entry["index"]]).blank
            entry["unsafe"] = None if blank else entry["cost"] >= at
    if as_json:
        click.echo(json.dumps({"ranking": entries, **about}))
        return
    click.echo("place     cost  response")
    for place, entry in enumerate(entries, 1):
        mark = "  unsafe" if entry.get("unsafe") else ""
        click.echo(f"{place:>5}  {entry['cost']:+7.2f}  {entry['index'] + 1}{mark}")
