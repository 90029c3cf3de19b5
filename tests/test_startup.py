"""Start-up stays quick because nothing heavy is imported before it is needed."""

import json
import subprocess
import sys

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


CALLS = [["--help"], ["--version"], *([verb, "--help"] for verb in VERBS)]

# One process for all, since starting one is what takes time.
SCRIPT = f"""
import json, sys
import harmgauge
harmgauge.Exchange, harmgauge.Verdict
loaded = {{"import harmgauge": list(sys.modules)}}
from harmgauge.cli.main import cli
for call in {CALLS!r}:
    before = set(sys.modules)
    try:
        cli(call)
    except SystemExit as stop:
        assert stop.code == 0, (call, stop.code)
    loaded[" ".join(call)] = list(set(sys.modules) - before)
print(json.dumps(loaded))
"""


def test_import_and_help_load_nothing_heavy():
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True
    )
    loaded = json.loads(result.stdout.splitlines()[-1])
    assert len(loaded) == 1 + len(CALLS)
    assert {call: heavy for call, new in loaded.items() if (heavy := HEAVY & set(new))} == {}
