"""`accelerate launch -m harmgauge.train RECIPE …`: `harmgauge train`, a process a device."""

from __future__ import annotations

import os
import sys

import click

from .cli.main import cli, ending_in_one_line


def main() -> None:
    """As `harmgauge train`; the main process speaks, and of errors the process that has one."""
    from .training.processes import failed_first, is_main

    if not is_main():
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115  # until the end
    try:
        cli(["train", *sys.argv[1:]], prog_name="harmgauge", standalone_mode=False)
    except click.Abort:  # Ctrl-C
        raise SystemExit(130) from None
    except Exception as error:
        if not failed_first():
            raise SystemExit(2) from None
        if isinstance(error, click.ClickException):  # of the command line
            error.show()
            raise SystemExit(error.exit_code) from None
        raise


if __name__ == "__main__":
    ending_in_one_line(main)
