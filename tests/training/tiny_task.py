"""Rows of a task that a tiny model can learn: texts that speak of snow are the unsafe ones."""

from __future__ import annotations

import itertools
import json
import random
from pathlib import Path

from tiny import WORDS


def texts(seed: int, n: int) -> list[tuple[str, bool]]:
    rng = random.Random(seed)
    plain = [word for word in WORDS if word != "snow"]
    made = []
    for unsafe in itertools.islice(itertools.cycle((True, False)), n):
        words = rng.sample(plain, rng.randint(2, 8))
        if unsafe:
            words[rng.randrange(len(words))] = "snow"
        made.append((" ".join(words), unsafe))
    return made


def write_rows(path: Path, rows: list[dict]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
