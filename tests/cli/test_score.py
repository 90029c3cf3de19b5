import contextlib
import json
import os
import subprocess
import sys
from dataclasses import fields

import pytest
from click.testing import CliRunner

from harmgauge import Exchange, Verdict
from harmgauge.cli import draw

FIELDS = [entry.name for entry in fields(Verdict)]


@pytest.fixture
def score(run, tiny_bundle):
    return lambda *arguments, **options: run("score", "--gauge", tiny_bundle, *arguments, **options)


def verdicts(result):
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_a_text_is_a_prompt(score, tiny_gauge):
    result = score("hello", "--json")
    assert result.exit_code == 0
    (verdict,) = verdicts(result)
    assert list(verdict) == FIELDS
    assert verdict["cost"] == pytest.approx(tiny_gauge.score(["hello"])[0], abs=1e-6)
    assert verdict == tiny_gauge.verdict("hello").to_dict()


def test_a_response_is_judged_in_the_light_of_its_prompt(score, tiny_gauge):
    result = score("--prompt", "hello", "--response", "a cat", "--json")
    assert verdicts(result) == [tiny_gauge.verdict(Exchange("hello", "a cat")).to_dict()]
    result = score("--response", "a cat", "--json")
    assert verdicts(result) == [tiny_gauge.verdict(Exchange(response="a cat")).to_dict()]


def test_messages_come_from_a_file_or_stdin(score, tiny_gauge, tmp_path):
    messages = [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "a cat"}]
    path = tmp_path / "chat.json"
    path.write_text(json.dumps(messages), encoding="utf-8-sig")
    expected = [tiny_gauge.verdict(messages).to_dict()]
    assert verdicts(score("--messages", path, "--json")) == expected
    assert verdicts(score("--messages", "-", "--json", input=json.dumps(messages))) == expected
    request = json.dumps({"model": "x", "messages": messages})
    assert verdicts(score("--messages", "-", "--json", input=request)) == expected


def test_each_line_of_stdin_is_a_prompt(score, tiny_gauge):
    lines = b"\xef\xbb\xbfhello\r\n\nnot utf-8 \xff\na\xe2\x80\xa8cat"
    result = score("--json", input=lines)
    assert result.exit_code == 1
    expected = tiny_gauge.verdicts(["hello", "", "not utf-8 \udcff", "a\u2028cat"])
    for found, verdict in zip(verdicts(result), expected, strict=True):
        assert found["cost"] == pytest.approx(verdict.cost, abs=1e-4)
        assert (found["empty"], found["error"]) == (verdict.empty, verdict.error)
    assert "1 of 4 lines could not be judged: line 3" in result.stderr


def test_lines_for_people_are_one_each(score):
    result = score(input="hello\n\ncat\n")
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == 3
    assert "nothing to judge" in result.stdout.splitlines()[1]
    assert "below 0 is safe" in result.stderr


def test_the_drawing_says_it_in_words(score, tiny_gauge):
    verdict = tiny_gauge.verdict("hello")
    result = score("hello", "--threshold", "fpr1")
    assert f"cost {verdict.cost:+.2f}" in result.stdout
    assert f"{verdict.probability:.1%}" in result.stdout
    assert "The prompt is" in result.stdout
    assert "Unsafe from cost +0.75" in result.stdout
    assert "windows" not in result.stdout
    assert "windows" in score("cat " * 90).stdout
    assert "The response: nothing to judge" in score("--prompt", "hello", "--response", " ").stdout


@pytest.mark.parametrize(
    ("cost", "column", "words"),
    [
        (-9, 0, "clearly safe"),
        (0, 24, "barely unsafe"),
        (1, 28, "unsafe"),
        (99, 48, "clearly unsafe"),
    ],
)
def test_the_marker_stands_where_the_cost_is(cost, column, words):
    verdict = Verdict(cost, 0.5, cost >= 0, 0.0)
    scale = draw.picture(Exchange("hello"), verdict).splitlines()[1].split()[1]
    plain = scale.replace("\x1b[32m", "").replace("\x1b[31m", "")
    plain = plain.replace("\x1b[1m", "").replace("\x1b[0m", "")
    assert len(plain) == 49
    assert plain.index("●") == column
    assert draw.in_words(verdict) == words


def test_colour_is_for_terminals_that_want_it(score):
    assert "\x1b[" not in score("hello").stdout
    assert "\x1b[" in score("hello", color=True).stdout
    assert "\x1b[" not in score("hello", color=True, env={"NO_COLOR": "1"}).stdout


def test_the_threshold_and_the_prior_are_heeded(score, tiny_gauge):
    (verdict,) = verdicts(score("hello", "--json", "--threshold", "-99"))
    assert verdict["unsafe"] is True
    (verdict,) = verdicts(score("hello", "--json", "--threshold", "fpr1"))
    assert verdict["threshold"] == 0.75
    (shifted,) = verdicts(score("hello", "--json", "--prior", "0.5", "--threads", "1"))
    assert shifted["cost"] > verdict["cost"]


def test_a_text_that_cannot_be_judged_exits_with_1(score):
    result = score("caf\udce9", "--json")
    assert result.exit_code == 1
    (verdict,) = verdicts(result)
    assert verdict["cost"] is None
    assert "lone surrogate" in verdict["error"]
    assert "lone surrogate" in result.stderr
    assert score("caf\udce9").stdout == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["hello", "--prompt", "hello"], "found several"),
        (["hello", "--output", "x.jsonl"], "need --input"),
        (["--input", "x.jsonl", "--output", "x.parquet"], "must end in .jsonl or .csv"),
        (["--input", "missing.jsonl"], "missing.jsonl is not a file"),
        (["--messages", "missing.json"], "missing.json cannot be read"),
        (["--input", "x.docx"], "no known format"),
        (["hello", "--threshold", "fpr7"], "no threshold 'fpr7'"),
        (["hello", "--prior", "2"], "prior is 2"),
        (["hello", "--threads", "0"], "--threads"),
        (["hello", "--gauge", "nowhere"], "no gauge 'nowhere'"),
    ],
)
def test_a_mistake_in_the_call_exits_with_2(score, arguments, message):
    result = score(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("content", ["[{", "[" * 100_000])
def test_messages_that_are_no_json_exit_with_2(score, content):
    result = score("--messages", "-", input=content)
    assert result.exit_code == 2
    assert "not JSON" in result.stderr


def start(tiny_bundle, *arguments):
    code = "from harmgauge.cli.main import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", code, "score", "--gauge", str(tiny_bundle), *arguments],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_a_line_of_a_slow_pipe_is_answered_at_once(tiny_bundle):
    with start(tiny_bundle, "--json") as process:
        for text in ("hello", "cat", "dog"):
            process.stdin.write(f"{text}\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["error"] is None  # else this hangs
        process.stdin.write("rain")
        process.stdin.close()
        assert len(process.stdout.readlines()) == 1
        assert process.wait() == 0


@pytest.mark.parametrize("arguments", [[], ["--messages", "-"]])
def test_a_closed_stdin_is_a_mistake_in_the_call(score, monkeypatch, arguments):
    monkeypatch.setattr(CliRunner, "isolation", without_stdin(CliRunner.isolation))
    result = score(*arguments)
    assert result.exit_code == 2
    assert "stdin is closed" in result.stderr


def without_stdin(isolation):
    @contextlib.contextmanager
    def isolated(*arguments, **options):
        with isolation(*arguments, **options) as streams:
            sys.stdin = None
            yield streams

    return isolated


def test_an_encoding_that_lacks_a_character_stops_nothing(tiny_bundle, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONIOENCODING", "latin-1")
    with start(tiny_bundle) as process:
        assert "nothing to judge" in process.communicate("\n")[0]
    source = tmp_path / "in.jsonl"
    source.write_text('{"prompt": "\u597d \U0001f600"}\n', encoding="utf-8")
    with start(tiny_bundle, "--input", source) as process:
        (line,) = process.stdout.buffer.read().decode("utf-8").splitlines()
    assert json.loads(line)["prompt"] == "\u597d \U0001f600"


def in_a_terminal(arguments, typed):
    """What a person sees who types into a terminal; and the exit status."""
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    code = "from harmgauge.cli.main import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdin=theirs, stdout=theirs, stderr=theirs, env={**os.environ, "TERM": "dumb"},
    )  # fmt: skip
    os.close(theirs)
    os.write(ours, typed.encode())
    seen = b""
    try:
        while block := os.read(ours, 4096):
            seen += block
    except OSError:  # how Linux says that the other side is closed
        pass
    os.close(ours)
    return seen.decode(), process.wait()


def test_a_terminal_without_a_text_is_asked_for_some(tiny_bundle, tiny_gauge):
    typed = "hello\n/prompt hello\n/response a cat\n\n"
    seen, status = in_a_terminal(["score", "--gauge", tiny_bundle], typed)
    assert status == 0
    assert f"cost {tiny_gauge.verdict('hello').cost:+.2f}" in seen
    assert f"cost {tiny_gauge.verdict(Exchange('hello', 'a cat')).cost:+.2f}" in seen
    assert "The response is" in seen
    assert "Traceback" not in seen


def test_a_closed_pipe_is_no_error_to_talk_about(tiny_bundle):
    process = start(tiny_bundle, "--json")
    process.stdout.close()
    process.stdin.write("hello\n" * 5000)
    process.stdin.close()
    assert "Traceback" not in process.stderr.read()
    process.stderr.close()
    process.wait()
