"""Whatever fits the OpenAPI description or does not: the server never fails."""

import pytest
import schemathesis
from arithmetic import make_gauge
from hypothesis import HealthCheck, settings

from harmgauge.server.app import create_app
from harmgauge.server.settings import Settings

pytestmark = pytest.mark.slow


@pytest.fixture
def api():
    app = create_app(Settings(allowed_hosts=("*",), max_body_bytes=20_000), make_gauge())
    return schemathesis.openapi.from_asgi("/openapi.json", app)


schema = schemathesis.pytest.from_fixture("api")


@schema.parametrize()
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
def test_nothing_is_a_server_error(case):
    case.call_and_validate(checks=[schemathesis.checks.not_a_server_error])
