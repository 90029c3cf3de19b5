"""Whatever fits the OpenAPI description or does not: the server never fails."""

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from serving import live

pytestmark = pytest.mark.slow

PATHS = ["/v1/score", "/v1/rank", "/v1/reward", "/v1/moderations", "/info", "/readyz", "/metrics"]


@pytest.fixture(scope="module")
def description():
    with live(max_body_bytes=20_000) as server:
        yield schemathesis.openapi.from_url(f"{server.url}/openapi.json")


def test_all_routes_are_tried(description):
    assert {*PATHS, "/healthz"} == {each.ok().path for each in description.get_all_operations()}


@pytest.mark.parametrize(
    ("path", "mode"),
    # Of a GET nothing could be wrong.
    [
        (path, mode)
        for path in PATHS
        for mode in GenerationMode
        if "/v1/" in path or mode.is_positive
    ],
)
def test_nothing_is_a_failure_of_the_server(description, path, mode):
    method = "POST" if "/v1/" in path else "GET"

    @settings(
        max_examples=25,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=description[path][method].as_strategy(generation_mode=mode))
    def answered(case):
        response = case.call()
        assert response.status_code < 500
        if response.status_code != 200:
            assert response.json()["error"]["message"]

    answered()
