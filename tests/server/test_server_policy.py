import pytest
from arithmetic import make_gauge
from serving import wait_for

from harmgauge.errors import RecipeError
from harmgauge.server.app import create_app
from harmgauge.server.policy import read_policy
from harmgauge.server.settings import Settings


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("threshold: 1", "version"),
        ("version: ''", "version"),
        ("version: 1.5", "version"),
        ("version: a\nalow: [x]", "did you mean allow"),
        ("version: a\ncategories: {self_harm: 2}", r"categories\.self_harm"),
        ("version: a\ncategories: {self_harm: 0}", r"categories\.self_harm"),
        ("version: a\nallow: [1]", "allow"),
        ("version: a\nallow: cat", "allow"),
        ("version: a\nthreshold: true", "threshold: give a cost"),
        ("version: a\nthreshold: [1]", "threshold: give a cost"),
    ],
)
def test_a_wrong_policy_is_told(tmp_path, text, message):
    path = tmp_path / "policy.yaml"
    path.write_text(text)
    with pytest.raises(RecipeError, match=message):
        read_policy(path)


@pytest.mark.parametrize(
    "text", ["version: a\ncategories: {no_such: 0.5}", "version: a\nthreshold: no_such"]
)
def test_a_policy_names_what_the_gauge_has(tmp_path, text):
    path = tmp_path / "policy.yaml"
    path.write_text(text)
    with pytest.raises(RecipeError, match="no_such"):
        read_policy(path).check(make_gauge())


def test_two_thresholds_are_one_too_many(tmp_path):
    path = tmp_path / "policy.yaml"
    path.write_text("version: a\nthreshold: 1")
    with pytest.raises(RecipeError, match="threshold"):
        create_app(Settings(policy=path, threshold=2))


def test_a_policy_that_does_not_fit_stops_the_server(tmp_path):
    from starlette.testclient import TestClient

    path = tmp_path / "policy.yaml"
    path.write_text("version: a\nthreshold: no_such")
    stopped = []
    app = create_app(Settings(policy=path), make_gauge(), lambda: stopped.append(True))
    with TestClient(app, base_url="http://localhost") as client:
        wait_for(lambda: stopped)
        assert client.get("/healthz").status_code == 200
        assert client.get("/readyz").status_code == 503
    assert "no_such" in str(app.state.judge.batcher.failure)
