"""Number of matches of SafeType's rules."""

import json
import sys

from safetype import create_moderation_engine

engine = create_moderation_engine(mode="block")
for line in sys.stdin:
    print(len(engine.moderate(json.loads(line)["text"]).matches))
