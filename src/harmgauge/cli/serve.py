"""`harmgauge serve`: a gauge behind HTTP."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from ..errors import needs_extra

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.option("--config", type=_FILE, help="YAML file of settings; see docs/serve.md.")
@click.option("--gauge", metavar="NAME|FOLDER", help="An installed gauge or a bundle's folder.")
@click.option("--prior", type=float, metavar="SHARE", help="Share of unsafe texts where you are.")
@click.option("--threads", type=int, help="CPU threads; by default all cores.")
@click.option("--threshold", metavar="COST|NAME", help="Unsafe from this cost on; 0 by default.")
@click.option("--policy", type=_FILE, help="Policy file: categories, texts that are allowed.")
@click.option("--host", help="Address to listen on; 127.0.0.1 by default.")
@click.option("--port", type=int, help="Port to listen on; 8000 by default, 0 takes a free one.")
@click.option("--api-keys-file", type=_FILE, help="File with API keys, one a line.")
@click.option(
    "--allow-no-keys", is_flag=True, default=None, help="Let other machines in without a key."
)
@click.option("--allowed-hosts", metavar="NAME,…", help="Names the Host header may have; * is any.")
@click.option("--cors-origins", metavar="URL,…", help="Web origins that may call the server.")
@click.option("--max-body-bytes", type=int, help="Most bytes of a body.")
@click.option("--max-exchanges", type=int, help="Most exchanges of a request.")
@click.option("--max-characters", type=int, help="Most characters of an exchange.")
@click.option("--max-requests", type=int, help="Most requests in work at a time.")
@click.option("--batch-size", type=int, help="Most exchanges judged at a time.")
@click.option("--batch-wait-ms", type=float, help="How long a batch waits for more.")
@click.option("--queue-size", type=int, help="Most exchanges that wait for a batch.")
@click.option("--read-timeout-s", type=float, help="Time for headers, and for a body, to arrive.")
@click.option("--request-timeout-s", type=float, help="Time for an answer.")
@click.option("--shutdown-timeout-s", type=float, help="Time to finish what was accepted.")
@click.option("--show-config", is_flag=True, help="Print the settings and where each is from.")
def serve(config: Path | None, show_config: bool, **flags: Any) -> None:
    """Serve a gauge over HTTP: OpenAI's /v1/moderations, scoring, ranking, rewards, a web page.

    Flags go before the environment (HARMGAUGE_PORT=… and so on), that before the file. API keys
    come from HARMGAUGE_API_KEYS or a file. Only this machine is let in by default.
    """
    try:
        import fastapi  # noqa: F401
        import fastapi_offline  # noqa: F401
        import prometheus_client  # noqa: F401
        import uvicorn  # noqa: F401
        import yaml  # noqa: F401
    except ImportError:
        raise needs_extra("serve", "harmgauge serve") from None
    from ..server.settings import resolve

    resolved = resolve(flags, config, os.environ)
    if show_config:
        click.echo(resolved.to_yaml(), nl=False)
        return
    from ..server.run import run

    run(resolved.settings)
