import click
import pytest
import yaml
from click.testing import CliRunner

from harmgauge.cli.serve import serve
from harmgauge.errors import RecipeError
from harmgauge.server.settings import Settings, resolve
from harmgauge.settings import validate


def test_flags_go_before_the_environment_and_that_before_the_file(tmp_path):
    config = tmp_path / "serve.yaml"
    config.write_text("port: 1\nbatch_size: 2\nqueue_size: 300\nthreshold: fpr1\n")
    environment = {"HARMGAUGE_PORT": "3", "HARMGAUGE_BATCH_SIZE": "4", "HARMGAUGE_HOST": ""}
    found = resolve({"port": 5, "host": None, "policy": ()}, config, environment)
    settings = found.settings
    assert (settings.port, settings.batch_size, settings.queue_size) == (5, 4, 300)
    assert (settings.host, settings.threshold) == ("127.0.0.1", "fpr1")
    assert found.sources["port"] == "command line"
    assert found.sources["batch_size"] == "environment"
    assert found.sources["queue_size"] == str(config)
    assert found.sources["host"] == "default"


def test_the_environment_may_name_the_file(tmp_path):
    config = tmp_path / "serve.yaml"
    config.write_text("port: 7\n")
    assert resolve({}, None, {"HARMGAUGE_CONFIG": str(config)}).settings.port == 7


def test_lists_and_thresholds_are_read_from_text():
    environment = {
        "HARMGAUGE_API_KEYS": "one, two",
        "HARMGAUGE_ALLOWED_HOSTS": "a.example,b.example",
        "HARMGAUGE_THRESHOLD": "1.5",
    }
    settings = resolve({}, None, environment).settings
    assert settings.api_keys == ("one", "two")
    assert settings.allowed_hosts == ("a.example", "b.example")
    assert settings.threshold == 1.5


def test_what_is_shown_can_be_read_again_and_hides_keys(tmp_path):
    found = resolve({"port": 81}, None, {"HARMGAUGE_API_KEYS": "secret1,secret2"})
    shown = found.to_yaml()
    assert "secret" not in shown
    assert "port: 81  # command line" in shown
    values = yaml.safe_load(shown)
    config = tmp_path / "shown.yaml"
    config.write_text(shown)
    with pytest.raises(RecipeError, match="api_keys"):  # a mask is no key
        resolve({}, config, {})
    assert len(values.pop("api_keys")) == 2
    config.write_text(yaml.safe_dump(values))
    assert resolve({}, config, {}).settings.port == 81


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prot: 1", "unknown key prot; did you mean port"),
        ("port: 99999", "port: "),
        ("threshold: .nan", "threshold"),
        ("- 1", "must be a mapping"),
        ("threshold: true", "threshold: give a cost"),
        ("threshold: ''", "threshold: give a cost"),
        ("host: ''", "host: "),
        ("allowed_hosts: ['http://a.example']", "allowed_hosts.0: a host is a name"),
        ("allowed_hosts: ['a.example:80']", "allowed_hosts.0: a host is a name"),
        ("allowed_hosts: 'a.example,'", "allowed_hosts.1: a host is a name"),
        ("cors_origins: ['https://a.example/']", "cors_origins.0: an origin is such as"),
        ("cors_origins: [a.example]", "cors_origins.0: an origin is such as"),
    ],
)
def test_a_wrong_file_is_told(tmp_path, text, message):
    config = tmp_path / "serve.yaml"
    config.write_text(text)
    with pytest.raises(RecipeError, match=r"serve\.yaml") as told:
        resolve({}, config, {})
    assert message in str(told.value)


def test_a_wrong_variable_and_a_wrong_flag_are_told():
    with pytest.raises(RecipeError, match="environment: port"):
        resolve({}, None, {"HARMGAUGE_PORT": "many"})
    with pytest.raises(RecipeError, match="command line: batch_size"):
        resolve({"batch_size": 0}, None, {})


@pytest.mark.parametrize("name", ["HARMGAUGE_API_KEY", "HARMGAUGE_TRESHOLD"])
def test_a_misspelt_variable_is_told(name):
    with pytest.raises(RecipeError, match=f"{name} is no setting; did you mean HARMGAUGE_"):
        resolve({}, None, {name: "x"})


def test_variables_that_others_set_are_left_alone():
    # Kubernetes sets these for a service of that name.
    others = ["SERVICE_HOST", "SERVICE_PORT", "SERVICE_PORT_HTTP", "PORT_80_TCP_ADDR", "CACHE"]
    assert resolve({}, None, {f"HARMGAUGE_{name}": "x" for name in others})


@pytest.mark.parametrize("key", ["", "a b", "café"])
def test_a_key_that_no_header_carries_is_refused_and_not_shown(key):
    with pytest.raises(RecipeError, match="api_keys") as told:
        validate(Settings, {"api_keys": ["good", key]}, "serve.yaml")
    assert not key or key not in str(told.value)


def test_other_machines_need_keys_or_leave(tmp_path):
    with pytest.raises(RecipeError, match="--allow-no-keys"):
        resolve({"host": "0.0.0.0"}, None, {})
    assert resolve({"host": "0.0.0.0", "allow_no_keys": True}, None, {})
    assert resolve({"host": "::1"}, None, {})
    keys = tmp_path / "keys"
    keys.write_text("alpha\nbeta\n")
    settings = resolve({"host": "0.0.0.0", "api_keys_file": keys}, None, {}).settings
    assert settings.all_keys() == ("alpha", "beta")
    keys.write_text("\ufeffalpha\r\n\n  beta \n", "utf-8")
    assert Settings(api_keys_file=keys).all_keys() == ("alpha", "beta")
    keys.write_text("# not for others\nalpha\n")
    with pytest.raises(RecipeError, match=r"keys: api_keys\.0: a key is of printable ASCII"):
        Settings(api_keys_file=keys).all_keys()
    keys.write_text("\n")
    with pytest.raises(RecipeError, match="holds no key"):
        resolve({"api_keys_file": keys, "host": "0.0.0.0"}, None, {})


def test_a_queue_that_never_holds_a_request_is_refused():
    with pytest.raises(RecipeError, match="queue_size"):
        resolve({"queue_size": 10}, None, {})


def test_every_setting_but_the_keys_has_a_flag():
    flags = {each.name for each in serve.params if isinstance(each, click.Option)}
    assert flags - {"config", "show_config"} == set(Settings.model_fields) - {"api_keys"}


def test_show_config():
    result = CliRunner().invoke(
        serve, ["--show-config", "--port", "1234"], env={"HARMGAUGE_HOST": "localhost"}
    )
    assert result.exit_code == 0, result.output
    assert "port: 1234  # command line" in result.output
    assert 'host: "localhost"  # environment' in result.output


def test_without_the_extra_the_mend_is_told(monkeypatch):
    import sys

    from harmgauge.errors import HarmgaugeError

    monkeypatch.setitem(sys.modules, "fastapi", None)
    result = CliRunner().invoke(serve, [])
    assert isinstance(result.exception, HarmgaugeError)
    assert ".[serve]" in str(result.exception)
