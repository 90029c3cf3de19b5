"""Token ids to raw scores: ONNX Runtime for bundles with ONNX, torch for the others."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import BundleError, RecipeError

if TYPE_CHECKING:
    from ..bundle import Manifest

Ids = NDArray[np.int64]
Scores = NDArray[np.float32]


class Runtime(Protocol):
    """A loaded model. Any number of threads may call it at once."""

    outputs: int
    """how many scores it gives a sequence"""
    mode: str
    """what else scores depend on beside the weights, such as `onnx`, `onnx int8` or `torch cuda`"""

    def raw_scores(self, ids: Ids, mask: Ids) -> Scores:
        """Raw scores, `[batch, length]` to `[batch, outputs]`; mask is 1 for real tokens."""


def load_runtime(
    folder: Path,
    manifest: Manifest,
    *,
    threads: int | None = None,
    int8_activations: bool = False,
    device: str | None = None,
) -> Runtime:
    """Load the model of a verified bundle.

    Args:
        threads: cores for one call; None takes HARMGAUGE_THREADS, else all physical cores.
        int8_activations: ONNX only. Faster at some loss of precision; texts then run one by one.
        device: torch only, such as `cuda`; None is a GPU where there is one.

    Raises:
        BundleError: the bundle names an unknown runtime, or its model cannot be loaded.
        RecipeError: the number of threads is below 1, or the runtime lacks an option.
    """
    threads = _threads(threads)
    if manifest.runtime == "onnx":
        if device not in (None, "cpu"):
            raise RecipeError(f"{manifest.name} is an ONNX gauge, which runs on cpu, not {device}")
        from .onnx import OnnxRuntime

        return OnnxRuntime(folder, threads=threads, int8_activations=int8_activations)
    if manifest.runtime == "torch":
        if int8_activations:
            raise RecipeError(f"{manifest.name} is a torch gauge; int8 activations need ONNX")
        from .torch import TorchRuntime

        return TorchRuntime(folder, threads=threads, device=device)
    raise BundleError(f"{folder} needs the runtime {manifest.runtime!r}; known are onnx and torch")


def _threads(threads: int | None) -> int | None:
    name, value = "threads", str(threads)
    if threads is None:
        name, value = "HARMGAUGE_THREADS", os.environ.get("HARMGAUGE_THREADS", "")
        if not value:
            return None
    if not value.isdecimal() or int(value) < 1:
        raise RecipeError(f"{name} is {value!r}; give a whole number of at least 1")
    # More threads than cores only wait for each other, and thousands never come up.
    return min(int(value), os.cpu_count() or 1)
