"""Start-up stays quick because nothing heavy is imported before it is needed."""

import json
import subprocess
import sys

import pytest

from harmgauge.cli.main import VERBS

HEAVY = {
    "accelerate",
    "datasets",
    "fastapi",
    "matplotlib",
    "numpy",
    "onnx",
    "onnxruntime",
    "pandas",
    "peft",
    "pyarrow",
    "pydantic",
    "scipy",
    "sklearn",
    "tokenizers",
    "torch",
    "transformers",
    "trl",
    "uvicorn",
    "yaml",
}


def heavy_modules_after(code):
    script = f"import json, sys\n{code}\nprint(json.dumps(sorted(sys.modules)))"
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    loaded = json.loads(result.stdout.splitlines()[-1])
    return [name for name in loaded if name in HEAVY]


def test_import_loads_nothing_heavy():
    assert heavy_modules_after("import harmgauge; harmgauge.Exchange, harmgauge.Verdict") == []


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], *([v, "--help"] for v in VERBS)])
def test_help_loads_nothing_heavy(arguments):
    code = (
        "from harmgauge.cli.main import cli\n"
        f"try: cli({arguments!r})\n"
        "except SystemExit as stop: assert stop.code == 0, stop.code"
    )
    assert heavy_modules_after(code) == []
