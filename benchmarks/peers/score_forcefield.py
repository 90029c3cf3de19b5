"""ForceField: `scan` gives the risk of a prompt attack, `content` the highest severity of harm."""

import json
import sys

from forcefield import Guard
from forcefield.ml import is_available

if not is_available():  # it would scan by rules alone, and say nothing of it
    sys.exit("its model cannot be loaded: onnxruntime or the locale en_US.UTF-8 is missing")
guard = Guard(telemetry=False)
for line in sys.stdin:
    text = json.loads(line)["text"]
    if sys.argv[1] == "scan":
        print(guard.scan(text).risk_score)
    else:
        print(max(guard.content_safety(text).category_scores.values(), default=0))
