from __future__ import annotations

import pytest
from click.testing import CliRunner, Result

from harmgauge.cli.main import cli
from harmgauge.errors import HarmgaugeError


@pytest.fixture
def run():
    """Run a verb; a user's mistake ends as in `main`: one line on stderr, exit status 2."""

    def run(*arguments, **options) -> Result:
        result = CliRunner().invoke(cli, [str(each) for each in arguments], **options)
        if isinstance(result.exception, HarmgaugeError):
            result.exit_code = 2
            result.stderr_bytes = f"harmgauge: {result.exception}\n".encode()
        elif result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run
