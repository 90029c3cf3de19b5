"""The default runtime: an ONNX model in ONNX Runtime on the CPU."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime

from . import Ids, Scores
from .weights import create_session


class OnnxRuntime:
    """A session that all threads share; ONNX Runtime's `run` is safe to call from many."""

    def __init__(
        self, folder: Path, *, threads: int | None = None, int8_activations: bool = False
    ) -> None:
        self._session = create_session(folder, _options(threads), int8_activations=int8_activations)
        self._alone = int8_activations
        self.mode = "onnx int8" if int8_activations else "onnx"
        self.outputs: int = self._session.get_outputs()[0].shape[1]

    def raw_scores(self, ids: Ids, mask: Ids) -> Scores:
        if not self._alone:
            return self._run(ids, mask)
        # In int8 the scale of an activation spans the batch: padding and neighbours would count.
        rows = [ids[row : row + 1, real] for row, real in enumerate(mask.astype(bool))]
        return np.concatenate([self._run(row, np.ones_like(row)) for row in rows])

    def _run(self, ids: Ids, mask: Ids) -> Scores:
        (scores,) = self._session.run(["scores"], {"input_ids": ids, "attention_mask": mask})
        return np.asarray(scores, np.float32)


def _options(threads: int | None) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or 0
    options.log_severity_level = 3
    # Memory patterns are planned for one shape; batches here have many.
    options.enable_mem_pattern = False
    # Idle workers that spin take the cores from other threads, and from tokenising.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options
